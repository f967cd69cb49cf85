// SPDX-License-Identifier: LGPL-2.1-or-later
// Draining a disk, and when a drain holds.
#include "lib/drain.h"

#include "lib/pr.h"

void blkpr_drain_begin(struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	verdict->reach = disk->ops->reach(disk, verdict->driver);
}

/* HOLDER, where the reservation at the last look has one. */
static uint64_t under(const struct blkpr_verdict *verdict, uint64_t holder)
{
	bool for_all = verdict->type == PR_WRITE_EXCLUSIVE_ALL_REGS ||
		       verdict->type == PR_EXCLUSIVE_ACCESS_ALL_REGS;

	return for_all ? 0 : holder;
}

bool blkpr_drain_needed(const struct blkpr_verdict *verdict)
{
	return !verdict->drained || verdict->drained_at != verdict->generation_after ||
	       verdict->drained_under != under(verdict, verdict->holder);
}

/*
 * MOVES: by how much the command that did it moves the PR generation; HOLDER: who holds after it.
 * Nobody else comes between two looks, then.
 */
static void settle(struct blkpr_verdict *verdict, uint32_t moves, uint64_t holder)
{
	verdict->drained = true;
	verdict->drained_at = verdict->generation_after + moves;
	verdict->drained_under = under(verdict, holder);
}

static enum blkpr_result reset(struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	enum blkpr_result result;

	verdict->step = BLKPR_STEP_DRAIN;
	verdict->resets++;
	result = disk->ops->drain(disk, verdict->reach);
	if (result == BLKPR_OK)
		settle(verdict, 0, verdict->holder);
	return result;
}

/*
 * Somebody's PREEMPT AND ABORT may still be at it. The device answers another reservation command
 * after that one (nvmet: pr_sem), which has then ended what it should: a PREEMPT of the key that is
 * gone, which is refused; where there is none, RESERVE, which changes nothing where own holds.
 */
static enum blkpr_result wait_for_abort(
	const struct blkpr_drain *drain, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	enum blkpr_result result;

	verdict->step = drain->victim ? BLKPR_STEP_PREEMPT : BLKPR_STEP_RESERVE;
	result = drain->victim ? disk->ops->preempt_abort(disk, drain->own, drain->victim, drain->type)
			       : disk->ops->reserve(disk, drain->own, drain->type);
	if (result != BLKPR_OK && result != BLKPR_CONFLICT)
		return result;
	settle(verdict, drain->victim && result == BLKPR_OK, verdict->holder);
	return BLKPR_OK;
}

enum blkpr_result blkpr_drain_run(
	const struct blkpr_drain *drain, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	bool abort = blkpr_flight_rests(verdict->reach, drain->in_flight) == BLKPR_RESTS_ON_ABORT;
	enum blkpr_result result;

	verdict->drained = false;
	verdict->rests = blkpr_flight_rests(verdict->reach, drain->in_flight);
	if (abort && !drain->ours)
		verdict->rests = BLKPR_RESTS_ON_EARLIER;
	if (abort && verdict->open) /* it took commands of those who have no key, too */
		verdict->rests = BLKPR_RESTS_ON_NOTHING;
	if (verdict->rests == BLKPR_RESTS_ON_NOTHING)
		return BLKPR_UNDRAINABLE;
	if (blkpr_disk_over(disk) || (abort && verdict->put_off))
		return BLKPR_UNFINISHED;
	result = abort ? wait_for_abort(drain, disk, verdict) : reset(disk, verdict);
	/* its SIGKILL may be lost: it touches nothing more, no lock either */
	return blkpr_disk_over(disk) ? BLKPR_UNFINISHED : result;
}

void blkpr_drain_void(struct blkpr_verdict *verdict)
{
	verdict->drained = false;
}

void blkpr_drain_aborted(
	enum blkpr_in_flight in_flight, uint64_t holder, struct blkpr_verdict *verdict)
{
	if (blkpr_flight_rests(verdict->reach, in_flight) != BLKPR_RESTS_ON_ABORT)
		return;
	settle(verdict, 1, holder);
	verdict->rests = BLKPR_RESTS_ON_ABORT;
}

enum blkpr_result blkpr_drain_prove(const struct blkpr_verdict *verdict)
{
	return verdict->drained && verdict->uncounted ? BLKPR_UNCOUNTED : BLKPR_OK;
}
