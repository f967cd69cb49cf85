// SPDX-License-Identifier: LGPL-2.1-or-later
// The resource agent's protocols: look, act on what is seen, look again; success is only concluded from a look.
#include "lib/hold.h"

#include "lib/aptpl.h"
#include "lib/clock.h"
#include "lib/drain.h"
#include "lib/fence.h"

/* --- reading -------------------------------------------------------------------------------------- */

static bool for_all_registrants(unsigned type)
{
	return type == PR_WRITE_EXCLUSIVE_ALL_REGS || type == PR_EXCLUSIVE_ACCESS_ALL_REGS;
}

static bool for_registrants(unsigned type)
{
	return type >= PR_WRITE_EXCLUSIVE_REG_ONLY;
}

/* Whether a reservation of type HELD does the work of TYPE. */
static bool serves(enum pr_type type, unsigned held)
{
	return type == held || blkpr_fence_type_serves(type, held);
}

/* The key that shed() takes for a moment; no other node's differs from own by just these bits. */
static uint64_t passing_key(uint64_t own)
{
	return own ^ 0xb1d6e5a95c3f7281;
}

struct view {
	bool own;
	bool passing;      /* left by a run that was killed inside shed() */
	uint64_t fencer;   /* a fence agent's key, 0: none is registered */
	uint64_t alien;    /* a key that is not to be evicted; may be 0, as a stranger's */
	bool aliens;
	bool holds;        /* own holds the reservation, of whatever type */
	unsigned type;     /* of the reservation, 0: none */
	uint64_t stranger; /* the first other key: the holder's, if another one holds */
	bool strangers;    /* NVMe may have one with key 0 (KERNEL.md trap 2), which cannot be evicted */
};

static bool is_fencers(const struct blkpr_hold *hold, uint64_t key)
{
	for (unsigned i = 0; i < hold->nfencers; i++)
		if (hold->fencers[i] == key)
			return true;
	return false;
}

/* Whether KEY may be evicted: what runs that were killed inside shed() have left, too. */
static bool is_ours(const struct blkpr_hold *hold, uint64_t own, uint64_t key)
{
	if (!hold->ours || key == passing_key(own))
		return true;
	for (unsigned i = 0; i < hold->nours; i++)
		if (hold->ours[i] == key || passing_key(hold->ours[i]) == key)
			return true;
	return false;
}

static uint64_t offender(const struct view *view)
{
	if (view->fencer)
		return view->fencer;
	return view->aliens ? view->alien : view->stranger;
}

static enum blkpr_result look(const struct blkpr_hold *hold, uint64_t own, struct blkpr_disk *disk,
	struct view *view, struct blkpr_verdict *verdict)
{
	struct blkpr_report report;
	enum blkpr_result result;
	bool first = !verdict->looks;

	*view = (struct view){ 0 };
	verdict->step = BLKPR_STEP_READ;
	verdict->won = false;
	result = disk->ops->read(disk, &report);
	if (result != BLKPR_OK)
		return result;
	blkpr_verdict_observe(verdict, &report, own);
	view->own = blkpr_report_count(&report, own);
	view->passing = blkpr_report_count(&report, passing_key(own));
	view->type = report.type;
	view->holds = view->own && report.type && (for_all_registrants(report.type) || report.holder == own);
	if (report.type && report.holder != own)
		view->stranger = report.holder;
	for (unsigned i = 0; i < report.nkeys; i++) {
		if (report.keys[i] == own)
			continue;
		view->strangers = true;
		if (is_fencers(hold, report.keys[i]))
			view->fencer = report.keys[i];
		if (!view->aliens && !is_ours(hold, own, report.keys[i])) {
			view->aliens = true;
			view->alien = report.keys[i];
		}
		if (!view->stranger)
			view->stranger = report.keys[i];
	}
	if (first)
		verdict->kept = view->own;
	verdict->offender = offender(view);
	blkpr_report_clear(&report);
	return BLKPR_OK;
}

static bool held_by_another(const struct view *view)
{
	return view->type && !view->holds;
}

/* By another one, who is named, whoever else is registered. */
static enum blkpr_result taken(const struct view *view, struct blkpr_verdict *verdict)
{
	verdict->offender = view->stranger;
	return BLKPR_TAKEN;
}

/* --- acting: each returns BLKPR_OK or BLKPR_CONFLICT if it is worth looking again ------------------- */

/* At nobody's cost (S10): whoever shares this node's nexus is not evicted by having its key overwritten. */
static enum blkpr_result register_own(const struct blkpr_hold *hold, uint64_t own, const struct view *view,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	verdict->step = BLKPR_STEP_REGISTER;
	verdict->touched = true;
	return blkpr_aptpl_settle(
		blkpr_nexus_register(disk, view->own ? own : 0, own, &hold->others, verdict), own, disk, verdict);
}

static enum blkpr_result reserve(enum pr_type type, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	verdict->step = BLKPR_STEP_RESERVE;
	verdict->touched = true;
	blkpr_drain_void(verdict); /* what anybody sent while it was open is in flight, too */
	return disk->ops->reserve(disk, own, type);
}

static enum blkpr_result release(uint64_t own, const struct view *view, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	verdict->step = BLKPR_STEP_RELEASE;
	blkpr_drain_void(verdict); /* from now on the disk is open */
	return disk->ops->release(disk, own, view->type);
}

/*
 * If the stranger holds the reservation, it passes to us at once, with our type; else its type stays, or becomes its
 * all-registrants twin.
 */
static enum blkpr_result evict(enum pr_type type, uint64_t own, const struct view *view,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	enum blkpr_result result;

	verdict->step = BLKPR_STEP_PREEMPT;
	blkpr_drain_void(verdict); /* whatever comes back: it was there, and may have written */
	result = disk->ops->preempt_abort(disk, own, view->stranger,
		view->holds ? blkpr_fence_preempt_type(verdict, view->type) : type);
	verdict->preempted = result == BLKPR_OK ? view->stranger : 0;
	return result;
}

/*
 * An error says nothing: a path may be down, or the device cannot store it, or (LIO: RELEASE, 02/08/00) the path is not
 * registered. The next look tells.
 */
static enum blkpr_result left_to_the_next_look(enum blkpr_result result)
{
	if (result == BLKPR_PATH_FAILED || result == BLKPR_GONE || result == BLKPR_IO_ERROR)
		return BLKPR_OK;
	return result;
}

static enum blkpr_result unregister(uint64_t key, struct blkpr_disk *disk)
{
	return left_to_the_next_look(disk->ops->unregister(disk, key));
}

/*
 * Registrations of own that no living path has: of a session before the last boot (fence-agents issue 517), of a path
 * that is down. They can only be preempted, and not by own key; so this node takes another one for a moment. BLKPR_OK:
 * own is registered by the living paths, if AGAIN, and by no others; the reservation, if it was own's, is theirs.
 */
static enum blkpr_result shed(uint64_t own, const struct view *view, const struct blkpr_others *others, bool again,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	uint64_t passing = passing_key(own);
	enum blkpr_result result;

	if (blkpr_disk_over(disk))
		return BLKPR_UNFINISHED;
	verdict->step = BLKPR_STEP_SHED;
	verdict->touched = true;
	blkpr_drain_void(verdict); /* a dead session may have sent commands */
	result = blkpr_aptpl_settle(
		blkpr_nexus_register(disk, own, passing, others, verdict), passing, disk, verdict);
	if (result != BLKPR_OK)
		return result;
	result = disk->ops->preempt_abort(disk, passing, own, view->type ? view->type : PR_WRITE_EXCLUSIVE_REG_ONLY);
	if (result != BLKPR_OK && result != BLKPR_CONFLICT) /* a conflict: nobody has it any more */
		return result;
	if (again)
		return blkpr_aptpl_settle(
			blkpr_nexus_register(disk, passing, own, others, verdict), own, disk, verdict);
	return unregister(passing, disk);
}

struct errand {
	const struct blkpr_hold *hold;
	const struct blkpr_target *target;
	struct blkpr_disk *disk;
	struct blkpr_verdict *verdict;
	struct view view;
	bool passing_unregistered, released, unregistered; /* leave: tried, by the paths that live */
};

/* S1, as for off: whoever wrote before has nothing in flight any more. */
static enum blkpr_result drain(const struct errand *errand)
{
	const struct blkpr_drain drain = { .in_flight = errand->hold->in_flight, .own = errand->target->own,
		.type = errand->view.type, .ours = errand->verdict->evicted };

	return blkpr_drain_run(&drain, errand->disk, errand->verdict);
}

#define BUSY_PAUSE_MS 20

/*
 * Looks and lets STEP do one thing, until it says that nothing is left to do. A BUSY device did nothing: what to do
 * next is decided by the next look.
 */
static enum blkpr_result repeat(struct errand *errand, enum blkpr_result (*step)(struct errand *errand, bool *done))
{
	enum blkpr_result result = BLKPR_UNSETTLED;
	unsigned most = 1;
	bool done = false;

	for (unsigned round = 0; round < most; round++) {
		result = look(errand->hold, errand->target->own, errand->disk, &errand->view, errand->verdict);
		if (result != BLKPR_OK)
			return result;
		if (most < blkpr_fence_rounds(errand->disk, errand->verdict))
			most = blkpr_fence_rounds(errand->disk, errand->verdict);
		if (blkpr_disk_over(errand->disk))
			return BLKPR_UNFINISHED;
		result = step(errand, &done);
		if (!done && result == BLKPR_BUSY && blkpr_clock_ms() < errand->disk->deadline) {
			blkpr_clock_pause(BUSY_PAUSE_MS, errand->disk->deadline);
			round--;
		} else if (done || (result != BLKPR_OK && result != BLKPR_CONFLICT)) {
			return result;
		}
	}
	if (result == BLKPR_CONFLICT)
		return BLKPR_CONFLICT;
	return errand->verdict->ignored ? BLKPR_UNEVICTED : BLKPR_UNSETTLED;
}

static enum blkpr_result finish(bool *done, enum blkpr_result result)
{
	*done = true;
	return result;
}

/* --- take, promote -------------------------------------------------------------------------------- */

/* Own is registered, and nobody is in the way any more. */
static enum blkpr_result hold_step(struct errand *errand, bool *done)
{
	const struct view *view = &errand->view;
	uint64_t own = errand->target->own;
	enum blkpr_result result;

	if (!view->type)
		return reserve(errand->hold->type, own, errand->disk, errand->verdict);
	if (!serves(errand->hold->type, view->type))
		return release(own, view, errand->disk, errand->verdict); /* ours, of another type */
	errand->verdict->won = true;
	if (blkpr_drain_needed(errand->verdict))
		return drain(errand);
	result = blkpr_drain_prove(errand->verdict);
	if (result == BLKPR_OK)
		result = blkpr_fence_check_shared(own, errand->disk, errand->verdict);
	return finish(done, result);
}

/*
 * A reservation that is missing is made before others are evicted, so that what the device takes from them
 * meanwhile stays little; the drain at the end is for that, too.
 */
static enum blkpr_result take_step(struct errand *errand, bool *done)
{
	const struct view *view = &errand->view;
	uint64_t own = errand->target->own;

	if (view->fencer)
		return finish(done, BLKPR_UNDER_FENCING);
	if (!view->own)
		return finish(done, BLKPR_EVICTED); /* by somebody, since we registered: theirs is the newer decision */
	if (view->aliens || (view->strangers && !errand->hold->evict))
		return finish(done, BLKPR_STRANGERS);
	if (view->strangers && !view->stranger)
		return finish(done, BLKPR_STRANGERS); /* key 0: nothing can evict it */
	if (view->strangers && view->type)
		return evict(errand->hold->type, own, view, errand->disk, errand->verdict);
	return view->strangers ? reserve(errand->hold->type, own, errand->disk, errand->verdict)
			       : hold_step(errand, done);
}

/* Before anything is changed. */
static enum blkpr_result foresee(const struct errand *errand, struct view *view)
{
	const struct blkpr_hold *hold = errand->hold;
	uint64_t own = errand->target->own;
	enum blkpr_result result = look(hold, own, errand->disk, view, errand->verdict);

	if (result != BLKPR_OK)
		return result;
	if (view->fencer)
		return BLKPR_UNDER_FENCING;
	if (!hold->shared && view->strangers && !hold->evict)
		return held_by_another(view) ? taken(view, errand->verdict) : BLKPR_STRANGERS;
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
	struct view view;

	verdict->result = foresee(&errand, &view);
	if (verdict->result == BLKPR_OK)
		disk->ops->silent(disk); /* each path is registered next: here that is found out for all disks at once */
}

void blkpr_hold_take_disk(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct errand errand = { .hold = context, .target = target, .disk = disk, .verdict = verdict };

	blkpr_drain_begin(disk, verdict);
	verdict->result = foresee(&errand, &errand.view);
	if (verdict->result != BLKPR_OK)
		return;
	if (errand.view.own && !blkpr_drain_needed(verdict))
		verdict->result = BLKPR_OK; /* as a run before: REGISTER would undo its drain */
	else if (errand.view.own)
		verdict->result = shed(target->own, &errand.view, &errand.hold->others, true, disk, verdict);
	else
		verdict->result = register_own(errand.hold, target->own, &errand.view, disk, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = repeat(&errand, take_step);
}

/* What forbids to promote. BLKPR_OK: nothing. */
static enum blkpr_result check_promotion(const struct errand *errand)
{
	const struct blkpr_hold *hold = errand->hold;
	const struct view *view = &errand->view;

	if (view->fencer)
		return BLKPR_UNDER_FENCING;
	if (!view->own)
		return BLKPR_EVICTED;
	if (held_by_another(view) &&
		!(hold->evict && is_ours(hold, errand->target->own, view->stranger)))
		return taken(view, errand->verdict);
	return BLKPR_OK;
}

void blkpr_hold_foresee_promotion_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct errand errand = {
		.hold = context, .target = target, .disk = disk, .verdict = verdict
	};

	verdict->result = look(context, target->own, disk, &errand.view, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = check_promotion(&errand);
}

static enum blkpr_result promote_step(struct errand *errand, bool *done)
{
	enum blkpr_result result = check_promotion(errand);

	if (result != BLKPR_OK)
		return finish(done, result);
	if (held_by_another(&errand->view))
		return evict(errand->hold->type, errand->target->own, &errand->view, errand->disk,
			errand->verdict);
	return hold_step(errand, done);
}

void blkpr_hold_promote_disk(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct errand errand = { .hold = context, .target = target, .disk = disk, .verdict = verdict };

	blkpr_drain_begin(disk, verdict);
	verdict->result = repeat(&errand, promote_step);
}

/* --- join, demote, leave -------------------------------------------------------------------------- */

/* REGISTER comes even if the key is there already: that may be a dead nexus's (fence-agents issue 517). */
void blkpr_hold_join_disk(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	const struct blkpr_hold *hold = context;
	struct view view;

	verdict->result = look(context, target->own, disk, &view, verdict);
	if (verdict->result == BLKPR_OK && view.fencer)
		verdict->result = BLKPR_UNDER_FENCING;
	if (verdict->result == BLKPR_OK)
		verdict->result = blkpr_nexus_check_shared(disk, target->own, &hold->others, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = register_own(hold, target->own, &view, disk, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = look(context, target->own, disk, &view, verdict);
	if (verdict->result == BLKPR_OK && !view.own)
		verdict->result = BLKPR_EVICTED;
	if (verdict->result == BLKPR_OK)
		verdict->result = blkpr_fence_check_shared(target->own, disk, verdict);
}

static enum blkpr_result demote_step(struct errand *errand, bool *done)
{
	if (!errand->view.holds)
		return finish(done, BLKPR_OK);
	return release(errand->target->own, &errand->view, errand->disk, errand->verdict);
}

void blkpr_hold_demote_disk(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct errand errand = { .hold = context, .target = target, .disk = disk, .verdict = verdict };

	verdict->result = repeat(&errand, demote_step);
}

/* To leave, no nexus is registered anew that is not certainly this node's. */
static const struct blkpr_others everybody = { .all = true };

/*
 * What a run that was killed inside shed() has left: this node's registrations under another key. They end as own's do:
 * by the paths that live, without registering anything, and only what is left then is a dead path's.
 */
static enum blkpr_result leave_passing(struct errand *errand)
{
	uint64_t passing = passing_key(errand->target->own);

	if (errand->passing_unregistered)
		return shed(passing, &errand->view, &everybody, false, errand->disk, errand->verdict);
	errand->passing_unregistered = true;
	errand->verdict->step = BLKPR_STEP_UNREGISTER;
	return unregister(passing, errand->disk);
}

/* A key that is kept keeps what was not released. */
static enum blkpr_result leave_released(struct errand *errand)
{
	enum blkpr_result result = release(errand->target->own, &errand->view, errand->disk, errand->verdict);

	return errand->target->keep ? result : left_to_the_next_look(result);
}

static enum blkpr_result leave_step(struct errand *errand, bool *done)
{
	const struct view *view = &errand->view;

	if (view->passing)
		return leave_passing(errand);
	/* what all registrants hold goes with the last registration; to release it would take it from the others */
	if (view->holds && !(for_all_registrants(view->type) && view->strangers) && !errand->released) {
		errand->released = true; /* in vain if a path holds that is down: it goes with its registration */
		return leave_released(errand);
	}
	if (!view->own || errand->target->keep)
		return finish(done, BLKPR_OK);
	if (errand->unregistered) /* and it is still there */
		return shed(errand->target->own, view, &everybody, false, errand->disk, errand->verdict);
	errand->unregistered = true;
	errand->verdict->step = BLKPR_STEP_UNREGISTER;
	return unregister(errand->target->own, errand->disk);
}

void blkpr_hold_leave_disk(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct errand errand = { .hold = context, .target = target, .disk = disk, .verdict = verdict };

	verdict->result = repeat(&errand, leave_step);
}

/* --- watch ---------------------------------------------------------------------------------------- */

static enum blkpr_result watch(
	const struct blkpr_hold *hold, const struct view *view, struct blkpr_verdict *verdict)
{
	if (!view->own)
		return BLKPR_EVICTED;
	if (!view->type)
		return BLKPR_UNRESERVED;
	if (hold->managed)
		return serves(hold->type, view->type) ? BLKPR_OK : BLKPR_FOREIGN_TYPE;
	if (held_by_another(view))
		return taken(view, verdict);
	if (!serves(hold->type, view->type))
		return BLKPR_FOREIGN_TYPE;
	return view->strangers && !hold->shared && for_registrants(view->type) ? BLKPR_STRANGERS : BLKPR_OK;
}

/* Whether what a watch came to means that this node may write. */
static bool may_write_by(enum blkpr_result watched, const struct view *view)
{
	return watched == BLKPR_OK || (watched == BLKPR_TAKEN && for_registrants(view->type));
}

/* A path may not write: because something has changed since the look, or because the key stands for another session. */
static enum blkpr_result barred(const struct blkpr_hold *hold, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct view view;
	enum blkpr_result result = look(hold, own, disk, &view, verdict);

	if (result == BLKPR_OK)
		result = watch(hold, &view, verdict);
	return may_write_by(result, &view) ? BLKPR_BARRED : result;
}

void blkpr_hold_watch_disk(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	const struct blkpr_hold *hold = context;
	struct view view;

	if (!hold->managed) {
		blkpr_drain_begin(disk, verdict);
		verdict->rests = blkpr_flight_rests(verdict->reach, hold->in_flight);
	}
	verdict->result = look(hold, target->own, disk, &view, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = watch(hold, &view, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = blkpr_fence_watch_shared(target->own, disk, verdict);
}

void blkpr_hold_nexus_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct blkpr_hold *hold = context;
	struct view view;

	verdict->result = look(hold, target->own, disk, &view, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = watch(hold, &view, verdict);
	if (!may_write_by(verdict->result, &view))
		return;
	if (blkpr_nexus_check_shared(disk, target->own, &hold->others, verdict) != BLKPR_OK)
		verdict->result = BLKPR_SHARED_NEXUS;
	else if (blkpr_nexus_check_writes(disk, verdict) != BLKPR_OK)
		verdict->result = barred(hold, target->own, disk, verdict);
}

/* --- many devices --------------------------------------------------------------------------------- */

static struct blkpr_work work_of(const struct blkpr_hold *hold, blkpr_protocol *protocol)
{
	return (struct blkpr_work){
		.protocol = protocol, .context = hold, .parallel = hold->parallel, .deadline = hold->deadline
	};
}

int blkpr_hold_take(const struct blkpr_hold *hold, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	struct blkpr_work work = work_of(hold, blkpr_hold_take_disk);

	return blkpr_work_race(&work, targets, count, verdicts, arbiter);
}

int blkpr_hold_foresee(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(hold, blkpr_hold_foresee_disk);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_hold_join(const struct blkpr_hold *hold, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(hold, blkpr_hold_join_disk);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_hold_promote(const struct blkpr_hold *hold, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	struct blkpr_work work = work_of(hold, blkpr_hold_promote_disk);

	return blkpr_work_race(&work, targets, count, verdicts, arbiter);
}

int blkpr_hold_foresee_promotion(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(hold, blkpr_hold_foresee_promotion_disk);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_hold_demote(const struct blkpr_hold *hold, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(hold, blkpr_hold_demote_disk);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_hold_leave(const struct blkpr_hold *hold, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(hold, blkpr_hold_leave_disk);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_hold_watch(const struct blkpr_hold *hold, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(hold, blkpr_hold_watch_disk);
	struct blkpr_work nexus = work_of(hold, blkpr_hold_nexus_disk);
	int rc = blkpr_work_run(&work, targets, count, verdicts);

	return rc ? rc : blkpr_work_ask(&nexus, targets, count, verdicts);
}
