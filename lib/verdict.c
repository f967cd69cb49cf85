// SPDX-License-Identifier: LGPL-2.1-or-later
// Verdicts: taking a report's facts down for people.
#include "lib/verdict.h"

#include "lib/drain.h"

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

static unsigned count_of(const struct blkpr_verdict *verdict, uint64_t key)
{
	for (unsigned i = 0; i < verdict->nkeys; i++)
		if (verdict->keys[i].key == key)
			return verdict->keys[i].count;
	return 0;
}

/* Whether somebody has registered between two looks, as far as what is kept of them tells. */
static bool has_come(const struct blkpr_verdict *before, const struct blkpr_verdict *now)
{
	if (before->nkeys == BLKPR_VERDICT_KEYS)
		return false;
	for (unsigned i = 0; i < now->nkeys; i++)
		if (now->keys[i].count > count_of(before, now->keys[i].key))
			return true;
	return false;
}

/*
 * Whether own's PREEMPT removed nobody, and was counted (KERNEL.md trap 1): a key that was removed
 * and has come back has moved the generation twice.
 */
static bool was_ignored(const struct blkpr_verdict *before, uint64_t own, const struct blkpr_verdict *now)
{
	unsigned count = count_of(before, before->preempted);

	return before->preempted && count && count_of(now, before->preempted) == count &&
	       now->generation_after == before->generation_after + 1 && before->holder == own &&
	       now->holder == own && now->type == before->type;
}

/* A status of 0 does not say that a key is gone (KERNEL.md trap 1): this look does. */
static void compare(const struct blkpr_verdict *before, const struct blkpr_report *report,
	uint64_t own, struct blkpr_verdict *verdict)
{
	bool gone = before->preempted && !blkpr_report_count(report, before->preempted);

	verdict->ignored = was_ignored(before, own, verdict);
	verdict->preempted = 0;
	verdict->evicted += gone;
	if (report->generation == before->generation_after && (gone || has_come(before, verdict)))
		verdict->uncounted = true;
}

void blkpr_verdict_observe(struct blkpr_verdict *verdict, const struct blkpr_report *report, uint64_t own)
{
	const struct blkpr_verdict before = *verdict;

	verdict->answered = true;
	verdict->generation_after = report->generation;
	verdict->type = report->type;
	verdict->holder = report->holder;
	verdict->registrations = report->nkeys;
	verdict->own_registrations = blkpr_report_count(report, own);
	verdict->nkeys = 0;
	for (unsigned i = 0; i < report->nkeys; i++)
		count_key(verdict, report->keys[i]);
	if (verdict->looks++)
		compare(&before, report, own, verdict);
	else
		verdict->generation_before = report->generation;
	if (blkpr_drain_needed(verdict))
		blkpr_drain_void(verdict); /* for good, whatever later looks show */
}

static bool has_finished(const struct blkpr_verdict *verdict)
{
	return verdict->result != BLKPR_UNFINISHED && verdict->result != BLKPR_CRASHED;
}

void blkpr_verdict_carry(struct blkpr_verdict *past, struct blkpr_verdict *verdict)
{
	if (past->touched) /* what is registered since may be our own work */
		verdict->kept = past->kept;
	verdict->kept |= past->kept;
	verdict->touched |= past->touched;
	verdict->stuck = past->stuck || (!has_finished(verdict) && verdict->answered);
	verdict->victim_seen |= past->victim_seen;
	verdict->open |= past->open;
	verdict->uncounted |= past->uncounted;
	if (verdict->resets < past->resets) /* its worker never began */
		verdict->resets = past->resets;
	*past = has_finished(verdict) ? *verdict : (struct blkpr_verdict){
		.kept = verdict->kept,
		.touched = verdict->touched,
		.stuck = verdict->stuck,
		.victim_seen = verdict->victim_seen,
		.open = verdict->open,
		.uncounted = verdict->uncounted,
		.resets = verdict->resets,
	};
	past->result = BLKPR_OK;
	past->step = BLKPR_STEP_NONE;
	past->won = past->answered = past->unasked = past->put_off = verdict->put_off = false;
	past->offender = 0;
	past->barred_path = 0;
	past->elapsed_ms = 0;
}
