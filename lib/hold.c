// SPDX-License-Identifier: LGPL-2.1-or-later
// The resource agent's protocols. How often they look and act is lib/rounds.h; what a look shows is
// lib/hold_view.h.
#include "lib/hold.h"

#include "lib/drain.h"
#include "lib/fence_view.h"
#include "lib/question.h"
#include "lib/rounds.h"
#include "lib/shed.h"
#include "lib/work.h"

struct errand {
	const struct blkpr_hold *hold;
	const struct blkpr_target *target;
	struct blkpr_disk *disk;
	struct blkpr_verdict *verdict;
	struct blkpr_hold_view view;
	bool passing_unregistered, released, unregistered; /* leave: tried, by the paths that
							      live */
};

static enum blkpr_result look(void *context)
{
	struct errand *errand = context;

	return blkpr_hold_look(
		errand->hold, errand->target->own, errand->disk, &errand->view, errand->verdict);
}

static enum blkpr_result repeat(
	struct errand *errand, enum blkpr_result (*step)(void *errand, bool *done))
{
	const struct blkpr_rounds rounds = { errand->disk, errand->verdict, errand, look, step };
	bool spent;
	enum blkpr_result result = blkpr_rounds_run(&rounds, &spent);

	if (!spent || result == BLKPR_CONFLICT)
		return result;
	return errand->verdict->ignored ? BLKPR_UNEVICTED : BLKPR_UNSETTLED;
}

static enum blkpr_result release(const struct errand *errand)
{
	return blkpr_rounds_release(
		errand->disk, errand->target->own, errand->view.type, errand->verdict);
}

/*
 * If the stranger holds the reservation, it passes to us at once, with our type; else its type
 * stays, or becomes its all-registrants twin.
 */
static enum blkpr_result evict(const struct errand *errand)
{
	const struct blkpr_hold_view *view = &errand->view;
	enum pr_type type = view->holds ? blkpr_fence_preempt_type(errand->verdict, view->type)
					: errand->hold->type;

	return blkpr_rounds_preempt(
		errand->disk, errand->target->own, view->stranger, type, errand->verdict);
}

/* S1, as for off: whoever wrote before has nothing in flight any more. */
static enum blkpr_result drain(const struct errand *errand)
{
	const struct blkpr_drain drain = { .in_flight = errand->hold->in_flight, .own = errand->target->own,
		.type = errand->view.type, .ours = errand->verdict->evicted };

	return blkpr_drain_run(&drain, errand->disk, errand->verdict);
}

/* --- take, promote ---------------------------------------------------------------------------- */

/* Own is registered, and nobody is in the way any more. */
static enum blkpr_result hold_step(void *context, bool *done)
{
	struct errand *errand = context;
	const struct blkpr_hold_view *view = &errand->view;
	uint64_t own = errand->target->own;
	enum blkpr_result result;

	if (!view->type)
		return blkpr_rounds_reserve(errand->disk, own, errand->hold->type, errand->verdict);
	if (!blkpr_hold_serves(errand->hold->type, view->type))
		return release(errand); /* ours, of another type */
	errand->verdict->won = true;
	if (blkpr_drain_needed(errand->verdict))
		return drain(errand);
	result = blkpr_drain_prove(errand->verdict);
	if (result == BLKPR_OK)
		result = blkpr_question_shared(own, errand->disk, errand->verdict);
	return blkpr_rounds_end(done, result);
}

/*
 * A reservation that is missing is made before others are evicted, so that what the device takes
 * from them meanwhile stays little; the drain at the end is for that, too.
 */
static enum blkpr_result take_step(void *context, bool *done)
{
	struct errand *errand = context;
	const struct blkpr_hold_view *view = &errand->view;
	uint64_t own = errand->target->own;

	if (view->fencer)
		return blkpr_rounds_end(done, BLKPR_UNDER_FENCING);
	if (!view->own) /* by somebody, since we registered: theirs is the newer decision */
		return blkpr_rounds_end(done, BLKPR_EVICTED);
	if (view->aliens || (view->strangers && !errand->hold->evict))
		return blkpr_rounds_end(done, BLKPR_STRANGERS);
	if (view->strangers && !view->stranger)
		return blkpr_rounds_end(done, BLKPR_STRANGERS); /* key 0: nothing can evict it */
	if (view->strangers && view->type)
		return evict(errand);
	return view->strangers ? blkpr_rounds_reserve(errand->disk, own, errand->hold->type, errand->verdict)
			       : hold_step(errand, done);
}

/* Before anything is changed. */
static enum blkpr_result foresee(const struct errand *errand, struct blkpr_hold_view *view)
{
	const struct blkpr_hold *hold = errand->hold;
	uint64_t own = errand->target->own;
	enum blkpr_result result = blkpr_hold_look(hold, own, errand->disk, view, errand->verdict);

	if (result != BLKPR_OK)
		return result;
	if (view->fencer)
		return BLKPR_UNDER_FENCING;
	if (!hold->shared && view->strangers && !hold->evict)
		return blkpr_hold_by_another(view) ? blkpr_hold_taken(view, errand->verdict) : BLKPR_STRANGERS;
	if (!hold->shared && view->aliens)
		return BLKPR_STRANGERS;
	return blkpr_nexus_check_shared(errand->disk, own, &hold->others, errand->verdict);
}

void blkpr_hold_foresee_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct errand errand = {
		.hold = context, .target = target, .disk = disk, .verdict = verdict
	};
	struct blkpr_hold_view view;

	verdict->result = foresee(&errand, &view);
	/* each path is registered next: here that is found out for all disks at once */
	if (verdict->result == BLKPR_OK)
		disk->ops->silent(disk);
}

void blkpr_hold_take_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct errand errand = { .hold = context, .target = target, .disk = disk, .verdict = verdict };

	blkpr_drain_begin(disk, verdict);
	verdict->result = foresee(&errand, &errand.view);
	if (verdict->result != BLKPR_OK)
		return;
	if (errand.view.own && !blkpr_drain_needed(verdict))
		verdict->result = BLKPR_OK; /* as a run before: REGISTER would undo its drain */
	else if (errand.view.own)
		verdict->result = blkpr_shed(target->own, errand.view.type, &errand.hold->others, true, disk, verdict);
	else
		verdict->result = blkpr_rounds_register(
			disk, 0, target->own, &errand.hold->others, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = repeat(&errand, take_step);
}

/* What forbids to promote. BLKPR_OK: nothing. */
static enum blkpr_result check_promotion(const struct errand *errand)
{
	const struct blkpr_hold *hold = errand->hold;
	const struct blkpr_hold_view *view = &errand->view;

	if (view->fencer)
		return BLKPR_UNDER_FENCING;
	if (!view->own)
		return BLKPR_EVICTED;
	if (blkpr_hold_by_another(view) &&
		!(hold->evict && blkpr_hold_is_ours(hold, errand->target->own, view->stranger)))
		return blkpr_hold_taken(view, errand->verdict);
	return BLKPR_OK;
}

void blkpr_hold_foresee_promotion_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct errand errand = {
		.hold = context, .target = target, .disk = disk, .verdict = verdict
	};

	verdict->result = blkpr_hold_look(context, target->own, disk, &errand.view, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = check_promotion(&errand);
}

static enum blkpr_result promote_step(void *context, bool *done)
{
	struct errand *errand = context;
	enum blkpr_result result = check_promotion(errand);

	if (result != BLKPR_OK)
		return blkpr_rounds_end(done, result);
	if (blkpr_hold_by_another(&errand->view))
		return evict(errand);
	return hold_step(errand, done);
}

void blkpr_hold_promote_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct errand errand = { .hold = context, .target = target, .disk = disk, .verdict = verdict };

	blkpr_drain_begin(disk, verdict);
	verdict->result = repeat(&errand, promote_step);
}

/* --- join, demote, leave ---------------------------------------------------------------------- */

/*
 * REGISTER comes even if the key is there already: that may be a dead nexus's (fence-agents issue
 * 517).
 */
void blkpr_hold_join_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct blkpr_hold *hold = context;
	struct blkpr_hold_view view;

	verdict->result = blkpr_hold_look(context, target->own, disk, &view, verdict);
	if (verdict->result == BLKPR_OK && view.fencer)
		verdict->result = BLKPR_UNDER_FENCING;
	if (verdict->result == BLKPR_OK)
		verdict->result = blkpr_nexus_check_shared(disk, target->own, &hold->others, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = blkpr_rounds_register(disk, view.own ? target->own : 0,
			target->own, &hold->others, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = blkpr_hold_look(context, target->own, disk, &view, verdict);
	if (verdict->result == BLKPR_OK && !view.own)
		verdict->result = BLKPR_EVICTED;
	if (verdict->result == BLKPR_OK)
		verdict->result = blkpr_question_shared(target->own, disk, verdict);
}

static enum blkpr_result demote_step(void *context, bool *done)
{
	struct errand *errand = context;

	if (!errand->view.holds)
		return blkpr_rounds_end(done, BLKPR_OK);
	return release(errand);
}

void blkpr_hold_demote_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct errand errand = { .hold = context, .target = target, .disk = disk, .verdict = verdict };

	verdict->result = repeat(&errand, demote_step);
}

/* To leave, no nexus is registered anew that is not certainly this node's. */
static const struct blkpr_others everybody = { .all = true };

/*
 * What a run that was killed inside blkpr_shed() has left: this node's registrations under another
 * key. They end as own's do: by the paths that live, without registering anything, and only what is
 * left then is a dead path's.
 */
static enum blkpr_result leave_passing(struct errand *errand)
{
	uint64_t passing = blkpr_shed_passing_key(errand->target->own);

	if (errand->passing_unregistered)
		return blkpr_shed(passing, errand->view.type, &everybody, false, errand->disk, errand->verdict);
	errand->passing_unregistered = true;
	return blkpr_rounds_unregister(errand->disk, passing, errand->verdict);
}

/* A key that is kept keeps what was not released. */
static enum blkpr_result leave_released(struct errand *errand)
{
	enum blkpr_result result = release(errand);

	return errand->target->keep ? result : blkpr_rounds_leave_to_look(result);
}

static enum blkpr_result leave_step(void *context, bool *done)
{
	struct errand *errand = context;
	const struct blkpr_hold_view *view = &errand->view;

	if (view->passing)
		return leave_passing(errand);
	/*
	 * what all registrants hold goes with the last registration; to release it would take it
	 * from the others
	 */
	if (view->holds && !(blkpr_hold_for_all(view->type) && view->strangers) && !errand->released) {
		/* in vain if a path holds that is down: it goes with its registration */
		errand->released = true;
		return leave_released(errand);
	}
	if (!view->own || errand->target->keep)
		return blkpr_rounds_end(done, BLKPR_OK);
	if (errand->unregistered) /* and it is still there */
		return blkpr_shed(errand->target->own, view->type, &everybody, false, errand->disk, errand->verdict);
	errand->unregistered = true;
	return blkpr_rounds_unregister(errand->disk, errand->target->own, errand->verdict);
}

void blkpr_hold_leave_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct errand errand = { .hold = context, .target = target, .disk = disk, .verdict = verdict };

	verdict->result = repeat(&errand, leave_step);
}

/* --- many devices ----------------------------------------------------------------------------- */

static struct blkpr_work work_of(const struct blkpr_hold *hold, blkpr_protocol *protocol)
{
	return (struct blkpr_work){
		.protocol = protocol, .context = hold, .parallel = hold->parallel, .deadline = hold->deadline
	};
}

int blkpr_hold_run(const struct blkpr_hold *hold, blkpr_protocol *protocol,
	const struct blkpr_target targets[], unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(hold, protocol);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_hold_take(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	struct blkpr_work work = work_of(hold, blkpr_hold_take_disk);

	return blkpr_work_race(&work, targets, count, verdicts, arbiter);
}

int blkpr_hold_promote(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	struct blkpr_work work = work_of(hold, blkpr_hold_promote_disk);

	return blkpr_work_race(&work, targets, count, verdicts, arbiter);
}

int blkpr_hold_watch(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_work nexus = work_of(hold, blkpr_hold_nexus_disk);
	int rc = blkpr_hold_run(hold, blkpr_hold_watch_disk, targets, count, verdicts);

	return rc ? rc : blkpr_work_ask(&nexus, targets, count, verdicts);
}
