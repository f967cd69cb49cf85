/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many devices at once: workers in a process of their own, a bound on their number, deadlines, a verdict for each device. */
#ifndef BLKPR_FLEET_H
#define BLKPR_FLEET_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/verdict.h"

/*
 * The first three are the caller's, and stay as they are until the fleet is stopped; so is the
 * fourth, which may change between two runs; the rest is zero at first.
 */
struct blkpr_fleet {
	unsigned parallel; /* workers at a time, at least 1; one that has stalled does not count */
	unsigned count;    /* devices, at most, that a run works on */
	void *context;     /* of the jobs, as it is when the first run begins */
	int64_t answer_by; /* a run is over then if no device has answered; 0: never */

	struct blkpr_board *board; /* shared with the pool */
	pid_t pool;                /* 0: there is none */
	int line;                  /* to the pool */
};

/*
 * Works on device INDEX, in a thread of the pool, which is a process besides the caller's, until DEADLINE; leaves what it
 * finds in VERDICT as it goes. No worker sees what another one does, unless by CONTEXT.
 */
typedef void (*blkpr_fleet_job)(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict);

/*
 * Runs JOB for each device of WHICH[COUNT] and fills VERDICTS[], which has all devices of the
 * fleet, for these. Returns before DEADLINE (blkpr_clock_ms()) or just after it, or after answer_by
 * if no device has (verdict.answered): the pool is killed then and left behind (in the kernel it may
 * sleep on). The verdict of a worker that has not finished is BLKPR_UNFINISHED with the step it was
 * at; so is that of a device that no worker was started for. If the pool dies before the deadline,
 * they are BLKPR_CRASHED. 0, or -errno if no worker could be run at all.
 *
 * A pool that has finished works on in the next run, until the fleet is stopped; one that has not
 * is never used again.
 *
 * The caller must have no thread but one.
 */
int blkpr_fleet_run(struct blkpr_fleet *fleet, blkpr_fleet_job job, const unsigned which[], unsigned count,
	int64_t deadline, struct blkpr_verdict verdicts[]);

/* The pool ends, and is not waited for: it is the caller's child until the caller waits for it, or ends. */
void blkpr_fleet_stop(struct blkpr_fleet *fleet);

#endif
