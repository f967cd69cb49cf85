/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many devices at once: workers in a process of their own, a bound on their number, deadlines, a
 * verdict for each device.
 */
#pragma once

#include "lib/pool.h"

/*
 * Runs JOB for each device of WHICH[COUNT] and fills VERDICTS[], which has all devices of the
 * fleet, for these. Returns before DEADLINE (blkpr_clock_ms()) or just after it, or after answer_by
 * if no device has (verdict.answered): the pool is killed then and left behind (in the kernel it
 * may sleep on). The verdict of a worker that has not finished is BLKPR_UNFINISHED with the step it
 * was at; so is that of a device that no worker was started for. If the pool dies before the
 * deadline, they are BLKPR_CRASHED. 0, or -errno if no worker could be run at all.
 *
 * A pool that has finished works on in the next run, until the fleet is stopped; one that has not
 * is never used again.
 *
 * The caller must have no thread but one.
 */
int blkpr_fleet_run(struct blkpr_fleet *fleet, blkpr_fleet_job job, const unsigned which[],
	unsigned count, int64_t deadline, struct blkpr_verdict verdicts[]);

/*
 * The pool ends, and is not waited for: it is the caller's child until the caller waits for it, or
 * ends.
 */
void blkpr_fleet_stop(struct blkpr_fleet *fleet);
