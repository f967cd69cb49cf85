/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * This node's I_T nexuses to a disk (one a path; on NVMe one host): registering them at nobody's
 * cost, and whether each may write (S10).
 */
#pragma once

#include "lib/disk.h"
#include "lib/verdict.h"

/* Keys that this node's REGISTER must not replace. */
struct blkpr_others {
	const uint64_t *keys; /* of other nodes, derived in every way that is known */
	unsigned count;
	bool all;             /* every key is another node's that is not this node's for certain */
	uint64_t former;      /* what this node had here by its own record, which is not another
				 node's; 0: nothing */
};

/*
 * Registers KEY for every nexus of this node that can be reached. REGISTER is sent as a compare and
 * swap, never with IGNORE: the key that is replaced is one of OLD (tried first; 0: none), none,
 * KEY, and what is registered on the disk and is not among OTHERS. So no command is ever sent that
 * could remove another node's registration.
 *
 * BLKPR_OK: one path at least did it, and no other refused; or all failed, a fresh read shows that
 * it was done, and it is not stored (APTPL), verdict.forgets. BLKPR_UNSTORABLE: it was refused, since
 * APTPL is all that a device can find wrong with a REGISTER. BLKPR_SHARED_NEXUS: a nexus of this
 * node is registered with another node's key, verdict.offender; every registration is as it was.
 * verdict.replaced: a key of nobody known that this node's own nexus had, and that has been
 * replaced.
 */
enum blkpr_result blkpr_nexus_register(struct blkpr_disk *disk, uint64_t old, uint64_t key,
	const struct blkpr_others *others, struct blkpr_verdict *verdict);

/*
 * BLKPR_SHARED_NEXUS if the target takes another node for this one: a key of OTHERS,
 * verdict.offender, is registered by the initiator that a path of this node is for it. Its sessions
 * may be different nexuses today; the next login may make them one, and targets (LIO) let a session
 * write where another one of its initiator is registered. BLKPR_OK also where the device does not
 * tell, or no other node's key is registered. Writes nothing.
 */
enum blkpr_result blkpr_nexus_check_shared(struct blkpr_disk *disk, uint64_t own,
	const struct blkpr_others *others, struct blkpr_verdict *verdict);

/*
 * BLKPR_BARRED if the device refuses the writes of a path that lives, verdict.barred_path: whatever
 * key is registered stands for another nexus. To be called while a reservation is held that lets
 * registrants write. Changes nothing, neither the medium nor the PR generation. BLKPR_OK also where
 * the device does not tell.
 */
enum blkpr_result blkpr_nexus_check_writes(struct blkpr_disk *disk, struct blkpr_verdict *verdict);
