// SPDX-License-Identifier: LGPL-2.1-or-later
// The fencing protocols. Read from top to bottom against S1 to S7: doc/safety.md argues with these
// names. How often they look and act is lib/rounds.h; what a look shows is lib/fence_view.h.
#include "lib/fence.h"

#include "lib/drain.h"
#include "lib/question.h"
#include "lib/rounds.h"
#include "lib/work.h"

/* One disk that a protocol works on, and what the last look has shown. */
struct errand {
	const struct blkpr_fence *fence;
	uint64_t own;
	struct blkpr_disk *disk;
	struct blkpr_verdict *verdict;
	struct blkpr_fence_view view;
};

/* A disk that another set of parameters is about. */
static const struct blkpr_fence *fence_of(const void *fence, const struct blkpr_target *target)
{
	return target->fence ? target->fence : fence;
}

static enum blkpr_result look(void *context)
{
	struct errand *errand = context;

	errand->verdict->won = false;
	return blkpr_fence_look(
		errand->fence, errand->own, errand->disk, &errand->view, errand->verdict);
}

static enum blkpr_result reserve(const struct errand *errand)
{
	enum blkpr_result result = blkpr_rounds_reserve(
		errand->disk, errand->own, errand->fence->type, errand->verdict);

	if (result == BLKPR_OK)
		errand->verdict->restored = true;
	return result;
}

static enum blkpr_result evict(const struct errand *errand, uint64_t key)
{
	const struct blkpr_fence *fence = errand->fence;
	struct blkpr_verdict *verdict = errand->verdict;
	bool of_victim = key == fence->victim, held = !blkpr_drain_needed(verdict);
	/* when it is done */
	uint64_t holder = verdict->holder == key ? errand->own : verdict->holder;
	enum blkpr_rests rests = verdict->rests;
	enum blkpr_result result = blkpr_rounds_preempt(errand->disk, errand->own, key,
		blkpr_fence_preempt_type(verdict, errand->view.type), verdict);

	if (result == BLKPR_OK && (of_victim || held))
		blkpr_drain_aborted(fence->in_flight, holder, verdict);
	if (!of_victim)
		verdict->rests = rests; /* what ended the victim's */
	return result;
}

/* --- on --------------------------------------------------------------------------------------- */

/* A conflict on RESERVE means that another node was faster. */
static enum blkpr_result on_step(void *context, bool *done)
{
	const struct errand *errand = context;
	const struct blkpr_fence_view *view = &errand->view;

	if (!view->own) /* by somebody, since we registered: theirs is the newer decision */
		return blkpr_rounds_end(done, BLKPR_EVICTED);
	if (view->foreign)
		return blkpr_rounds_end(done, BLKPR_FOREIGN_TYPE);
	return view->reserved ? blkpr_rounds_end(done, BLKPR_OK) : reserve(errand);
}

/*
 * REGISTER comes even if the key is there already: that may be a dead nexus's (fence-agents issue
 * 517).
 */
static enum blkpr_result on(struct errand *errand)
{
	const struct blkpr_fence *fence = errand->fence;
	const struct blkpr_rounds rounds = { errand->disk, errand->verdict, errand, look, on_step };
	uint64_t own = errand->own;
	enum blkpr_result result = look(errand);
	bool spent;

	if (result != BLKPR_OK)
		return result;
	if (errand->view.foreign)
		return BLKPR_FOREIGN_TYPE; /* before anything is changed */
	if (fence->fenced && !errand->view.own)
		return BLKPR_FENCED;
	result = blkpr_nexus_check_shared(errand->disk, own, &fence->others, errand->verdict);
	if (result == BLKPR_OK)
		result = blkpr_rounds_register(errand->disk, errand->view.own ? own : 0, own,
			&fence->others, errand->verdict);
	if (result != BLKPR_OK)
		return result;
	result = blkpr_rounds_run(&rounds, &spent);
	return spent ? BLKPR_UNSETTLED : result;
}

void blkpr_fence_on_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct blkpr_fence fence = *(const struct blkpr_fence *)context;
	struct errand errand = { .fence = &fence, .own = target->own, .disk = disk,
		.verdict = verdict };

	/* a disk that never had this node's key has not lost it */
	fence.fenced &= target->recorded;
	fence.others.former = target->former;
	verdict->result = target->own ? on(&errand) : BLKPR_INVALID;
}

/* --- off -------------------------------------------------------------------------------------- */

static enum blkpr_result drain(const struct errand *errand)
{
	const struct blkpr_drain drain = { .in_flight = errand->fence->in_flight,
		.own = errand->own,
		.victim = errand->fence->victim,
		.type = errand->view.type };

	return blkpr_drain_run(&drain, errand->disk, errand->verdict);
}

/* What is seen says that the victim is off; whether that is all there is to it. */
static enum blkpr_result conclude(const struct errand *errand)
{
	struct blkpr_verdict *verdict = errand->verdict;
	enum blkpr_result result = blkpr_drain_prove(verdict);

	if (blkpr_fence_spoils_proof(errand->fence, &errand->view))
		return BLKPR_UNKNOWN_KEYS;
	if (result != BLKPR_OK)
		return result;
	return verdict->victim_seen ? BLKPR_OK
				    : blkpr_question_shared(errand->own, errand->disk, verdict);
}

/*
 * S1: a key that is gone does not say that the commands sent with it are over. LIO's PREEMPT AND
 * ABORT ends them only if the victim held the reservation; whoever removed the key before may have
 * done so without ABORT, or was killed while the device was still at it; and the device may have
 * taken them while nothing was reserved. So there is a drain before success, always
 * (tests/lab/test_in_flight.py).
 *
 * Nothing is ever registered (S2). A reservation that is missing is made before the victim is
 * preempted: so PREEMPT AND ABORT ends also those of the victim's commands that the device took
 * while it was open (S1).
 */
static enum blkpr_result off_step(void *context, bool *done)
{
	const struct errand *errand = context;
	const struct blkpr_fence *fence = errand->fence;
	const struct blkpr_fence_view *view = &errand->view;
	struct blkpr_verdict *verdict = errand->verdict;

	verdict->victim_seen |= view->victim;
	if (!view->own)
		return blkpr_rounds_end(done, BLKPR_EVICTED);
	if (view->foreign)
		return blkpr_rounds_end(done, BLKPR_FOREIGN_TYPE);
	verdict->won = view->reserved && !view->victim;
	verdict->open |= !view->reserved; /* whoever reserves it then */
	if (!view->reserved)
		return reserve(errand);
	if (view->victim)
		return evict(errand, fence->victim);
	if (view->offender && fence->unknown == BLKPR_UNKNOWN_EVICT)
		return evict(errand, view->offender);
	if (blkpr_drain_needed(verdict) && !blkpr_fence_spoils_proof(fence, view))
		return drain(errand);
	return blkpr_rounds_end(done, conclude(errand));
}

static enum blkpr_result off(struct errand *errand)
{
	const struct blkpr_rounds rounds = { errand->disk, errand->verdict, errand, look, off_step };
	bool spent;
	enum blkpr_result result = blkpr_rounds_run(&rounds, &spent);

	if (!spent || result == BLKPR_CONFLICT)
		return result;
	/* PREEMPT returned 0, and did nothing */
	return errand->view.victim ? BLKPR_VICTIM_ON : BLKPR_UNSETTLED;
}

void blkpr_fence_off_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct blkpr_fence *fence = fence_of(context, target);
	struct errand errand = { .fence = fence, .own = target->own, .disk = disk,
		.verdict = verdict };
	bool sane = target->own && fence->victim && target->own != fence->victim;

	blkpr_drain_begin(disk, verdict);
	verdict->result = sane ? off(&errand) : BLKPR_INVALID;
}

/* --- status and monitor ----------------------------------------------------------------------- */

static enum blkpr_result status(struct errand *errand)
{
	const struct blkpr_fence_view *view = &errand->view;
	enum blkpr_result result = look(errand);

	if (result != BLKPR_OK)
		return result;
	errand->verdict->victim_seen = view->victim;
	if (!view->own && errand->own != errand->fence->victim)
		return BLKPR_EVICTED;
	if (view->victim)
		return BLKPR_VICTIM_ON;
	if (view->foreign)
		return BLKPR_FOREIGN_TYPE;
	if (!view->reserved)
		return BLKPR_UNRESERVED;
	if (blkpr_fence_spoils_proof(errand->fence, view))
		return BLKPR_UNKNOWN_KEYS;
	return blkpr_question_shared(errand->own, errand->disk, errand->verdict);
}

/* A node may ask about itself: then its own key is the one that should be absent. */
void blkpr_fence_status_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct blkpr_fence fence = *fence_of(context, target);
	struct errand errand = { .fence = &fence, .own = target->own, .disk = disk,
		.verdict = verdict };

	if (!fence.victim) /* this node itself, which may have another key on each device */
		fence.victim = target->own;
	verdict->result = target->own ? status(&errand) : BLKPR_INVALID;
}

/* A device that does not say what it can do has shown it: the reservation is held. */
static enum blkpr_result check_capabilities(const struct errand *errand)
{
	const struct blkpr_fence *fence = errand->fence;
	struct blkpr_verdict *verdict = errand->verdict;
	struct blkpr_capabilities capabilities;
	int64_t deadline = blkpr_question_begin(errand->disk);
	enum blkpr_result result;
	bool answered;

	verdict->step = BLKPR_STEP_CAPABILITIES;
	result = errand->disk->ops->capabilities(errand->disk, &capabilities);
	answered = result == BLKPR_OK || result == BLKPR_UNSUPPORTED || result == BLKPR_INVALID;
	blkpr_question_end(answered, deadline, errand->disk, verdict);
	/* it will be sent LUN RESETs */
	verdict->mute = capabilities.mute && verdict->rests >= BLKPR_RESTS_ON_WORD;
	if (result != BLKPR_OK)
		return BLKPR_OK;
	verdict->capable = capabilities.types >> (fence->any_type ? errand->view.type : fence->type) & 1;
	verdict->forgets = capabilities.forgets;
	return capabilities.types && !verdict->capable ? BLKPR_NOT_CAPABLE : BLKPR_OK;
}

/* PATHS: registrations that own should have. */
static enum blkpr_result monitor(struct errand *errand, unsigned paths)
{
	const struct blkpr_fence_view *view = &errand->view;
	struct blkpr_verdict *verdict = errand->verdict;
	enum blkpr_result result = look(errand);

	if (result != BLKPR_OK)
		return result;
	if (!view->own)
		return BLKPR_EVICTED;
	if (view->foreign)
		return BLKPR_FOREIGN_TYPE;
	if (!view->reserved)
		return BLKPR_UNRESERVED;
	/* who does not answer may have been registered, or not: nobody writes by it */
	if (verdict->own_registrations < paths &&
	    verdict->own_registrations + errand->disk->ops->silent(errand->disk) < paths)
		return BLKPR_FEWER_PATHS;
	if (blkpr_fence_spoils_proof(errand->fence, view))
		return BLKPR_UNKNOWN_KEYS;
	result = blkpr_question_shared_soon(errand->own, errand->disk, verdict);
	if (result == BLKPR_OK)
		result = check_capabilities(errand);
	if (result != BLKPR_OK)
		return result;
	return verdict->rests ? BLKPR_OK : BLKPR_UNDRAINABLE; /* off would never succeed */
}

void blkpr_fence_monitor_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct blkpr_fence *fence = fence_of(context, target);
	struct errand errand = { .fence = fence, .own = target->own, .disk = disk,
		.verdict = verdict };

	blkpr_drain_begin(disk, verdict);
	verdict->rests = blkpr_flight_rests(verdict->reach, fence->in_flight);
	verdict->result = target->own ? monitor(&errand, target->device->paths) : BLKPR_INVALID;
}

/*
 * A path may have lost its right to write since the look, with the key; then that is what to say.
 */
static enum blkpr_result check_nexus(struct errand *errand)
{
	enum blkpr_result result = look(errand);

	if (result != BLKPR_OK)
		return result;
	if (!errand->view.own)
		return BLKPR_EVICTED;
	result = blkpr_nexus_check_shared(
		errand->disk, errand->own, &errand->fence->others, errand->verdict);
	if (result == BLKPR_OK)
		result = blkpr_nexus_check_writes(errand->disk, errand->verdict);
	if (result != BLKPR_BARRED)
		return result;
	result = look(errand);
	if (result != BLKPR_OK)
		return result;
	return errand->view.own ? BLKPR_BARRED : BLKPR_EVICTED;
}

void blkpr_fence_nexus_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct errand errand = { .fence = fence_of(context, target), .own = target->own, .disk = disk,
		.verdict = verdict };

	verdict->result = check_nexus(&errand);
}

/* --- many devices ----------------------------------------------------------------------------- */

static struct blkpr_work work_of(const struct blkpr_fence *fence, blkpr_protocol *protocol)
{
	return (struct blkpr_work){
		.protocol = protocol, .context = fence, .parallel = fence->parallel, .deadline = fence->deadline
	};
}

static int run(const struct blkpr_fence *fence, blkpr_protocol *protocol,
	const struct blkpr_target targets[], unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(fence, protocol);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_fence_on(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	return run(fence, blkpr_fence_on_disk, targets, count, verdicts);
}

int blkpr_fence_status(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	return run(fence, blkpr_fence_status_disk, targets, count, verdicts);
}

int blkpr_fence_monitor(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_work nexus = work_of(fence, blkpr_fence_nexus_disk);
	int rc = run(fence, blkpr_fence_monitor_disk, targets, count, verdicts);

	return rc ? rc : blkpr_work_ask(&nexus, targets, count, verdicts);
}

int blkpr_fence_off(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	struct blkpr_work work = work_of(fence, blkpr_fence_off_disk);

	work.proof = blkpr_fence_status_disk;
	work.in_vain = true; /* better a victim that is off some disks than one that is off none */
	return blkpr_work_race(&work, targets, count, verdicts, arbiter);
}
