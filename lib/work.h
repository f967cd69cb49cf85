/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One protocol on many devices, a worker each: all at once, or the others after an arbiter has decided. */
#ifndef BLKPR_WORK_H
#define BLKPR_WORK_H

#include "lib/disk.h"
#include "lib/verdict.h"

struct blkpr_fence;

/* One device to work on, and the key that this node has there. */
struct blkpr_target {
	const struct blkpr_device *device;
	uint64_t own;
	bool keep; /* blkpr_hold_leave(): the registration was there before, and stays */
	bool recorded; /* blkpr_fence_on(): own was registered there for this very Pacemaker */
	uint64_t former; /* blkpr_fence_on(): what this node had there by its own record; 0: nothing */
	const struct blkpr_fence *fence; /* lib/fence.h: what to do here; NULL: as on all */
	bool open; /* blkpr_fence_off(): as in the verdict of a call before, of the same action */
};

/* Runs in a worker, one of several threads, on an open disk; leaves its result in VERDICT. */
typedef void blkpr_protocol(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict);

struct blkpr_work {
	blkpr_protocol *protocol;
	blkpr_protocol *proof; /* of blkpr_work_race(): what the arbiter is asked when all are done; NULL: nothing */
	const void *context;   /* of both, shared by the workers */
	bool in_vain; /* of blkpr_work_race(): worth doing on the others where the first one fails */
	unsigned parallel;     /* devices at a time */
	int64_t deadline;      /* blkpr_clock_ms(): both functions return by then */
};

/*
 * Both fill VERDICTS[COUNT], in the order of TARGETS[]. They return 0, or -errno if no worker could be run (the
 * verdicts of the devices that it concerns are failures then too), -EINVAL if COUNT is 0.
 */

int blkpr_work_run(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[]);

/*
 * A second question, apart from the first one since each path has to answer it, and one that hangs must not
 * take with it what the disk has told: it has ASK_MS. It is asked of devices that may be written to by
 * VERDICTS[], and can only make a verdict worse; what does not answer keeps its own, and is verdict.unasked.
 */
int blkpr_work_ask(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[]);

/* What ANSWER to that question makes of VERDICT. */
void blkpr_work_take(struct blkpr_verdict *verdict, const struct blkpr_verdict *answer);

/*
 * The first device of TARGETS[], which are in the order of identity that blkpr_list_settle() makes,
 * is the arbiter: only if the protocol leaves verdict.won there are the others touched. If it
 * cannot be asked for a while, all are looked at, at once, and the first one that answers decides;
 * so it does if nobody is registered on the first. With work.in_vain one whose answers are of no
 * use (malformed, unsupported, invalid, unsettled) is as good as one that cannot be asked. *ARBITER
 * is the index of the device that decided, COUNT if none did for this node; what was not touched
 * has the verdict BLKPR_UNTOUCHED.
 */
int blkpr_work_race(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[], unsigned *arbiter);

#endif
