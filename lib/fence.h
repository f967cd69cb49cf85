/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fencing protocols: on, off, status, monitor. What they promise is S1 to S8 of doc/safety.md. */
#ifndef BLKPR_FENCE_H
#define BLKPR_FENCE_H

#include "lib/nexus.h"
#include "lib/work.h"

/* What off and status make of registered keys that belong to no cluster node (S4). */
enum blkpr_unknown {
	BLKPR_UNKNOWN_FAIL,  /* no success where they might be the victim's */
	BLKPR_UNKNOWN_ALLOW, /* take them for somebody else's */
	BLKPR_UNKNOWN_EVICT, /* off removes them too */
};

/* What to do, the same for all devices. */
struct blkpr_fence {
	enum pr_type type;       /* a registrants-only or all-registrants type */
	bool any_type;           /* a reservation of any such type does, where one is held */
	uint64_t victim;         /* off and status: the key in question; 0 for status: this node's own; else 0 */
	const uint64_t *known;   /* keys of the other cluster nodes, in any order; not another one of the victim's */
	unsigned nknown;
	enum blkpr_unknown unknown;
	enum blkpr_in_flight in_flight; /* off, monitor: what may end the victim's commands */
	struct blkpr_others others; /* on, monitor: who must not be taken for this node, nor be replaced (S10) */
	bool fenced;             /* on: this node may have been fenced: nothing is registered anew
				    where target.recorded says that it was */
	unsigned parallel;       /* devices at a time */
	int64_t deadline;        /* blkpr_clock_ms(): every function below returns by then */
};

/*
 * The protocols on all of TARGETS[], in the order of identity that blkpr_list_settle() makes. Each fills
 * VERDICTS[COUNT]; the action as a whole succeeded iff every verdict is BLKPR_OK. 0, or -errno if no
 * worker could be run (every verdict is then a failure too).
 */

/*
 * Registers own on every device, reserves where nothing is reserved, never drops the key on the way. BLKPR_SHARED_NEXUS: this
 * node's nexus is another node's, too, and nothing has been changed.
 */
int blkpr_fence_on(const struct blkpr_fence *fence, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[]);

/*
 * Removes the victim's key from every device, its commands in flight included. The first device is the
 * arbiter: whoever is registered there and removes the other has won, and only then are the others
 * touched. *ARBITER is the index of the device that decided, COUNT if none did.
 */
int blkpr_fence_off(const struct blkpr_fence *fence, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[], unsigned *arbiter);

/*
 * BLKPR_OK: the victim is off there (commands in flight are not waited for: that is off's to do).
 * BLKPR_VICTIM_ON: its key is registered. Writes nothing.
 */
int blkpr_fence_status(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/* BLKPR_OK: own key on every path, each of which may write, reservation of the type, nothing unknown. Writes nothing. */
int blkpr_fence_monitor(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/* The same on one disk, in the caller's process. */
void blkpr_fence_on_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict);
void blkpr_fence_off_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict);
void blkpr_fence_status_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict);
void blkpr_fence_monitor_disk(const struct blkpr_fence *fence, uint64_t own, unsigned paths,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict); /* PATHS: registrations that own should have */
/* The second question of a monitor (blkpr_work_ask()): whose nexus each path is, and whether it may write. */
void blkpr_fence_nexus_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict);

/* Whether a reservation of type HELD does the work of TYPE: the same, or its all-registrants twin. */
bool blkpr_fence_type_serves(enum pr_type type, unsigned held);

/*
 * The type for the next PREEMPT of a key under a reservation of type HELD: that, or where the last one was ignored its
 * all-registrants twin (doc/safety.md, "A holder that cannot evict").
 */
enum pr_type blkpr_fence_preempt_type(const struct blkpr_verdict *verdict, enum pr_type held);

#endif
