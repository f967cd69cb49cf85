// SPDX-License-Identifier: LGPL-2.1-or-later
// Verdicts: taking a report's facts down for people.
#include "lib/verdict.h"

const char *const blkpr_step_names[BLKPR_STEPS] = {
	[BLKPR_STEP_NONE] = "not started",
	[BLKPR_STEP_OPEN] = "open",
	[BLKPR_STEP_READ] = "reading keys and reservation",
	[BLKPR_STEP_REGISTER] = "REGISTER",
	[BLKPR_STEP_RESERVE] = "RESERVE",
	[BLKPR_STEP_PREEMPT] = "PREEMPT AND ABORT",
	[BLKPR_STEP_RELEASE] = "RELEASE",
	[BLKPR_STEP_UNREGISTER] = "REGISTER with key 0",
	[BLKPR_STEP_SHED] = "removing registrations of dead sessions",
	[BLKPR_STEP_DRAIN] = "LUN RESET",
	[BLKPR_STEP_INITIATORS] = "READ FULL STATUS",
	[BLKPR_STEP_CAPABILITIES] = "REPORT CAPABILITIES",
	[BLKPR_STEP_ASK_WRITES] = "asking whether it may write",
};

static void count_key(struct blkpr_verdict *verdict, uint64_t key)
{
	unsigned i = 0;

	while (i < verdict->nkeys && verdict->keys[i].key != key)
		i++;
	if (i == BLKPR_VERDICT_KEYS)
		return;
	if (i == verdict->nkeys) {
		verdict->nkeys++;
		verdict->keys[i].key = key;
		verdict->keys[i].count = 0;
	}
	verdict->keys[i].count++;
}

void blkpr_verdict_observe(struct blkpr_verdict *verdict, const struct blkpr_report *report, uint64_t own)
{
	verdict->generation_after = report->generation;
	verdict->type = report->type;
	verdict->holder = report->holder;
	verdict->registrations = report->nkeys;
	verdict->own_registrations = blkpr_report_count(report, own);
	verdict->nkeys = 0;
	for (unsigned i = 0; i < report->nkeys; i++)
		count_key(verdict, report->keys[i]);
}
