/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Holding the reservation of a service's disks: the protocols of the resource agent.
 *
 * Alone (a primitive): take, watch, leave. Shared (a promotable clone; every instance is
 * registered, the promoted one holds): join, promote, demote, watch, leave. On disks that a fence
 * agent manages nothing but watch is used: the registrations and the reservation are the fence
 * agent's.
 */
#pragma once

#include "lib/hold_view.h"

/*
 * On all of TARGETS[], in the order of identity that blkpr_list_settle() makes. Each fills
 * VERDICTS[COUNT]; what a device came to is its verdict's result, BLKPR_OK only after a fresh read
 * that proves it. 0, or -errno if no worker could be run.
 */

/*
 * Registers own, evicts every other key (commands in flight included), reserves. The first device is
 * the arbiter, as for blkpr_fence_off(): of two nodes that take at once, the same one gets all
 * devices. Whoever finds its key gone on the way has lost (BLKPR_EVICTED). verdict.kept: own was
 * registered before. BLKPR_UNDER_FENCING: a fence agent's key is registered, whatever comes of it is
 * not ours to decide.
 */
int blkpr_hold_take(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[], unsigned *arbiter);

/*
 * Takes the reservation, from whoever holds it: only a holder is evicted. Never registers. An
 * arbiter as for take. BLKPR_TAKEN: the holder is not to be evicted.
 */
int blkpr_hold_promote(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[], unsigned *arbiter);

/*
 * BLKPR_OK: own is registered and holds, by the type, and no stranger can write. BLKPR_EVICTED: own
 * is not registered. BLKPR_BARRED: it is, for another session than this node has now.
 * BLKPR_UNRESERVED, BLKPR_TAKEN: nobody, another one holds. Writes nothing.
 */
int blkpr_hold_watch(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/* PROTOCOL, one of those below that need no arbiter. */
int blkpr_hold_run(const struct blkpr_hold *hold, blkpr_protocol *protocol,
	const struct blkpr_target targets[], unsigned count, struct blkpr_verdict verdicts[]);

/* On one disk, in the caller's process or in a worker; CONTEXT: struct blkpr_hold. */

/*
 * What take (of a shared hold: join) would say before it changes anything: BLKPR_OK: it would begin.
 * verdict.kept as for take. Writes nothing.
 */
blkpr_protocol blkpr_hold_foresee_disk;

/* Registers own, and nothing else. */
blkpr_protocol blkpr_hold_join_disk;

/* What promote would say before it changes anything; as blkpr_hold_foresee_disk(). */
blkpr_protocol blkpr_hold_foresee_promotion_disk;

/*
 * Gives the reservation back and stays registered. BLKPR_OK also where another one holds it, or own
 * is gone.
 */
blkpr_protocol blkpr_hold_demote_disk;

/*
 * Gives back the reservation, if own holds it, and the registration, unless target.keep. Nobody
 * else's is touched. BLKPR_OK: own does not hold, and is not registered (or is kept).
 */
blkpr_protocol blkpr_hold_leave_disk;

/* Of take, promote and watch; the last is the second question of a watch (blkpr_work_ask()). */
blkpr_protocol blkpr_hold_take_disk, blkpr_hold_promote_disk, blkpr_hold_watch_disk,
	blkpr_hold_nexus_disk;
