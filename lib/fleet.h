/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many devices at once: a worker a device, a bound on their number, one deadline, a verdict for each. */
#ifndef BLKPR_FLEET_H
#define BLKPR_FLEET_H

#include <stdint.h>

#include "lib/verdict.h"

struct blkpr_fleet {
	unsigned parallel; /* workers at a time, at least 1; one that has stalled does not count */
	int64_t deadline;  /* blkpr_clock_ms() */
};

/*
 * Works on device INDEX, in a thread of the crew, which is a process besides the caller's; leaves what it finds in
 * VERDICT as it goes. No worker sees what another one does, unless by CONTEXT.
 */
typedef void (*blkpr_fleet_job)(void *context, unsigned index, struct blkpr_verdict *verdict);

/*
 * Runs JOB for 0 to COUNT-1 and fills VERDICTS[]. Returns before the deadline or just after it: the crew is killed
 * then and left behind (in the kernel it may sleep on). The verdict of a worker that has not finished is
 * BLKPR_UNFINISHED with the step it was at; so is that of a device that no worker was started for. If the crew dies
 * before the deadline, they are BLKPR_CRASHED. 0, or -errno if no worker could be run at all.
 *
 * The caller must have no thread but one.
 */
int blkpr_fleet_run(const struct blkpr_fleet *fleet, unsigned count, blkpr_fleet_job job, void *context,
	struct blkpr_verdict verdicts[]);

#endif
