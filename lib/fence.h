/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fencing protocols: on, off, status, monitor. What they promise is S1 to S8 of doc/safety.md.
 */
#pragma once

#include "lib/fence_view.h"

/*
 * The protocols on all of TARGETS[], in the order of identity that blkpr_list_settle() makes. Each
 * fills VERDICTS[COUNT]; the action as a whole succeeded iff every verdict is BLKPR_OK. 0, or
 * -errno if no worker could be run (every verdict is then a failure too).
 */

/*
 * Registers own on every device, reserves where nothing is reserved, never drops the key on the
 * way. BLKPR_SHARED_NEXUS: this node's nexus is another node's, too, and nothing has been changed.
 */
int blkpr_fence_on(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/*
 * Removes the victim's key from every device, its commands in flight included. The first device is
 * the arbiter: whoever is registered there and removes the other has won, and only then are the
 * others touched. *ARBITER is the index of the device that decided, COUNT if none did.
 */
int blkpr_fence_off(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[], unsigned *arbiter);

/*
 * BLKPR_OK: the victim is off there (commands in flight are not waited for: that is off's to do).
 * BLKPR_VICTIM_ON: its key is registered. Writes nothing.
 */
int blkpr_fence_status(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/*
 * BLKPR_OK: own key on every path, each of which may write, reservation of the type, nothing
 * unknown. Writes nothing.
 */
int blkpr_fence_monitor(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/* The same on one disk, in the caller's process. CONTEXT: struct blkpr_fence. */
blkpr_protocol blkpr_fence_on_disk, blkpr_fence_off_disk, blkpr_fence_status_disk,
	blkpr_fence_monitor_disk;

/*
 * The second question of a monitor (blkpr_work_ask()): whose nexus each path is, and whether it may
 * write.
 */
blkpr_protocol blkpr_fence_nexus_disk;
