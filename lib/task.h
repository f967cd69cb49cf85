/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs of a protocol on devices, by workers: what work.c and arbiter.c are made of. */
#pragma once

#include "lib/fleet.h"
#include "lib/target.h"

/* What there is to do, and who does it. */
struct blkpr_task {
	const struct blkpr_work *work;
	const struct blkpr_target *targets;
	struct blkpr_verdict *verdicts;
	struct blkpr_verdict *past; /* what the next run begins with; shared with the workers */
	unsigned *which;            /* room for a run's devices, */
	struct blkpr_verdict *seen; /* and for what looks at them come to */
	int64_t grace; /* until then no device is passed over that may still be asked */
	pid_t parent;
	struct blkpr_fleet fleet;
};

typedef bool blkpr_task_condition(
	const struct blkpr_task *task, const struct blkpr_verdict *verdict);

#define PAUSE_MS 100

int blkpr_task_begin(struct blkpr_task *task, const struct blkpr_work *work,
	const struct blkpr_target targets[], unsigned count, struct blkpr_verdict verdicts[]);

void blkpr_task_end(struct blkpr_task *task);

/* In a worker. */
void blkpr_task_work_on(const struct blkpr_task *task, unsigned index, blkpr_protocol *protocol,
	int64_t deadline, struct blkpr_verdict *verdict);

int blkpr_task_run(struct blkpr_task *task, const unsigned which[], unsigned count, int64_t until);

bool blkpr_task_is_settled(const struct blkpr_task *task, const struct blkpr_verdict *verdict);

/*
 * Works on one device, again and again until the verdict is ENOUGH, or until UNTIL; a run that has
 * begun may take until LIMIT. A worker that had no time for an answer says less of the device than
 * one before it that had.
 */
int blkpr_task_insist(struct blkpr_task *task, unsigned index, blkpr_task_condition *enough,
	int64_t until, int64_t limit);

/* Into task->which; how many they are. */
unsigned blkpr_task_all_but(struct blkpr_task *task, unsigned spared);

/*
 * All devices of the task but SPARED. A pool that dies of one device takes the verdicts of others
 * along: the next one works on them one by one, each with a share of the time that is left, so that
 * the others are worked on (S5).
 */
int blkpr_task_run_all_but(struct blkpr_task *task, unsigned spared);
