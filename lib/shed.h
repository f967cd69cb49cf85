/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registrations of this node's key that no living path has: of a session before the last boot
 * (fence-agents issue 517), of a path that is down. They can only be preempted, and not by own key;
 * so this node takes another one for a moment.
 */
#pragma once

#include "lib/nexus.h"

/* The key that is taken for a moment; no other node's differs from own by just these bits. */
uint64_t blkpr_shed_passing_key(uint64_t own);

/*
 * HELD: the type of the reservation, 0: none. BLKPR_OK: own is registered by the living paths, if
 * AGAIN, and by no others; the reservation, if it was own's, is theirs.
 */
enum blkpr_result blkpr_shed(uint64_t own, enum pr_type held, const struct blkpr_others *others,
	bool again, struct blkpr_disk *disk, struct blkpr_verdict *verdict);
