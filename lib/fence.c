// SPDX-License-Identifier: LGPL-2.1-or-later
// The fencing protocols. Read from top to bottom against S1 to S7: doc/safety.md argues with these names.
#include "lib/fence.h"

#include "lib/aptpl.h"
#include "lib/clock.h"
#include "lib/drain.h"

#define FEWEST_ROUNDS 6

/*
 * Every round makes progress (a reservation made, a key removed) unless somebody else keeps
 * changing the disk or the device refuses for good. Each path may take one, since the device
 * refuses what comes by one that is not registered, and the next round goes by the next path; and
 * so may each key.
 */
unsigned blkpr_fence_rounds(const struct blkpr_disk *disk, const struct blkpr_verdict *verdict)
{
	return FEWEST_ROUNDS + disk->paths - 1 + verdict->registrations;
}

/* --- reading: the only source of conclusions ------------------------------------------------------ */

bool blkpr_fence_type_serves(enum pr_type type, unsigned held)
{
	switch (type) {
	case PR_WRITE_EXCLUSIVE_REG_ONLY:
	case PR_WRITE_EXCLUSIVE_ALL_REGS:
		return held == PR_WRITE_EXCLUSIVE_REG_ONLY || held == PR_WRITE_EXCLUSIVE_ALL_REGS;
	case PR_EXCLUSIVE_ACCESS_REG_ONLY:
	case PR_EXCLUSIVE_ACCESS_ALL_REGS:
		return held == PR_EXCLUSIVE_ACCESS_REG_ONLY || held == PR_EXCLUSIVE_ACCESS_ALL_REGS;
	default:
		return false;
	}
}

enum pr_type blkpr_fence_preempt_type(const struct blkpr_verdict *verdict, enum pr_type held)
{
	if (!verdict->ignored || verdict->reach != BLKPR_REACH_NVME)
		return held;
	switch (held) {
	case PR_WRITE_EXCLUSIVE_REG_ONLY:
		return PR_WRITE_EXCLUSIVE_ALL_REGS;
	case PR_EXCLUSIVE_ACCESS_REG_ONLY:
		return PR_EXCLUSIVE_ACCESS_ALL_REGS;
	default:
		return held;
	}
}

static bool is_known(const struct blkpr_fence *fence, uint64_t own, uint64_t key)
{
	if (!key) /* an NVMe host registered with key 0 can write and belongs to nobody (KERNEL.md trap 2) */
		return false;
	if (key == own || key == fence->victim)
		return true;
	for (unsigned i = 0; i < fence->nknown; i++)
		if (fence->known[i] == key)
			return true;
	return false;
}

/* What one fresh read shows, in the protocols' terms. */
struct view {
	bool own, victim;
	bool reserved; /* by a type that serves */
	bool foreign;  /* by another type */
	bool unknown;
	uint64_t offender; /* the first unknown key */
	unsigned type;     /* as held */
};

static enum blkpr_result look(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct view *view, struct blkpr_verdict *verdict)
{
	struct blkpr_report report;
	enum blkpr_result result;

	*view = (struct view){ 0 };
	verdict->step = BLKPR_STEP_READ;
	result = disk->ops->read(disk, &report);
	if (result != BLKPR_OK)
		return result;
	blkpr_verdict_observe(verdict, &report, own);
	view->own = blkpr_report_count(&report, own);
	view->victim = fence->victim && blkpr_report_count(&report, fence->victim);
	view->type = report.type;
	view->reserved = blkpr_fence_type_serves(fence->type, report.type) ||
			 (fence->any_type && blkpr_fence_type_serves(report.type, report.type));
	view->foreign = report.type && !view->reserved;
	for (unsigned i = 0; i < report.nkeys && !view->offender; i++) { /* key 0 cannot be evicted: look on */
		if (is_known(fence, own, report.keys[i]))
			continue;
		view->unknown = true;
		view->offender = verdict->offender = report.keys[i];
	}
	blkpr_report_clear(&report);
	return BLKPR_OK;
}

/* --- acting: each returns BLKPR_OK or BLKPR_CONFLICT if it is worth looking again ------------------- */

/* Each asks first whether the worker still has anything to do here (lib/disk.h). Looks need not: they change nothing. */

static enum blkpr_result reserve(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	enum blkpr_result result;

	if (blkpr_disk_over(disk))
		return BLKPR_UNFINISHED;
	verdict->step = BLKPR_STEP_RESERVE;
	blkpr_drain_void(verdict); /* what anybody sent while it was open is in flight, too */
	result = disk->ops->reserve(disk, own, fence->type);
	if (result == BLKPR_OK)
		verdict->restored = true;
	return result;
}

static enum blkpr_result evict(const struct blkpr_fence *fence, uint64_t own, uint64_t key,
	const struct view *view, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	bool of_victim = key == fence->victim, held = !blkpr_drain_needed(verdict);
	uint64_t holder = verdict->holder == key ? own : verdict->holder; /* when it is done */
	enum blkpr_rests rests = verdict->rests;
	enum blkpr_result result;

	if (blkpr_disk_over(disk))
		return BLKPR_UNFINISHED;
	verdict->step = BLKPR_STEP_PREEMPT;
	blkpr_drain_void(verdict); /* whatever comes back: it was there, and may have written */
	result = disk->ops->preempt_abort(disk, own, key, blkpr_fence_preempt_type(verdict, view->type));
	verdict->preempted = result == BLKPR_OK ? key : 0;
	if (result == BLKPR_OK && (of_victim || held))
		blkpr_drain_aborted(fence->in_flight, holder, verdict);
	if (!of_victim)
		verdict->rests = rests; /* what ended the victim's */
	return result;
}

/* A compare and swap for each nexus: the key is never dropped on the way, nor another node's replaced (S10). */
static enum blkpr_result register_own(const struct blkpr_fence *fence, uint64_t own, const struct view *view,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	verdict->step = BLKPR_STEP_REGISTER;
	return blkpr_aptpl_settle(
		blkpr_nexus_register(disk, view->own ? own : 0, own, &fence->others, verdict), own, disk, verdict);
}

/* --- on ------------------------------------------------------------------------------------------- */

/*
 * REGISTER comes even if the key is there already: that may be a dead nexus's (fence-agents issue 517).
 * A conflict on RESERVE means that another node was faster.
 */
static enum blkpr_result on(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct view view;
	enum blkpr_result result = look(fence, own, disk, &view, verdict);

	if (result != BLKPR_OK)
		return result;
	if (view.foreign)
		return BLKPR_FOREIGN_TYPE; /* before anything is changed */
	if (fence->fenced && !view.own)
		return BLKPR_FENCED;
	result = blkpr_nexus_check_shared(disk, own, &fence->others, verdict);
	if (result == BLKPR_OK)
		result = register_own(fence, own, &view, disk, verdict);
	if (result != BLKPR_OK)
		return result;
	for (unsigned round = 0; round < blkpr_fence_rounds(disk, verdict); round++) {
		result = look(fence, own, disk, &view, verdict);
		if (result != BLKPR_OK)
			return result;
		if (!view.own)
			return BLKPR_EVICTED; /* by somebody, since we registered: theirs is the newer decision */
		if (view.foreign)
			return BLKPR_FOREIGN_TYPE;
		if (view.reserved)
			return BLKPR_OK;
		result = reserve(fence, own, disk, verdict);
		if (result != BLKPR_OK && result != BLKPR_CONFLICT)
			return result;
	}
	return BLKPR_UNSETTLED;
}

void blkpr_fence_on_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	verdict->result = own ? on(fence, own, disk, verdict) : BLKPR_INVALID;
}

/* --- off ------------------------------------------------------------------------------------------ */

/*
 * S4: an unknown key may be one that the victim uses, whether or not the key that we expect of it was there:
 * that may have been left by a dead session, or by the cluster's node list before it changed.
 */
static bool spoils_proof(const struct blkpr_fence *fence, const struct view *view)
{
	return view->unknown && fence->unknown != BLKPR_UNKNOWN_ALLOW;
}

enum blkpr_result blkpr_fence_check_shared(uint64_t own, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	unsigned initiators = 0;
	enum blkpr_result result;

	if (verdict->own_registrations < 2)
		return BLKPR_OK;
	verdict->step = BLKPR_STEP_INITIATORS;
	result = disk->ops->initiators(disk, own, &initiators);
	if (result == BLKPR_UNSUPPORTED || result == BLKPR_INVALID)
		return BLKPR_OK; /* cannot be told */
	if (result != BLKPR_OK)
		return result;
	return initiators > 1 ? BLKPR_SHARED_KEY : BLKPR_OK;
}

#define QUESTION_MS 1000

/*
 * A question that its action can do without (doc/safety.md, "What is asked of a disk") has a short
 * time, whatever else is to be done after it. Returns the deadline that end_question() puts back.
 */
static int64_t begin_question(struct blkpr_disk *disk)
{
	int64_t deadline = disk->deadline, soon = blkpr_clock_ms() + QUESTION_MS;

	if (soon < deadline)
		disk->deadline = soon;
	return deadline;
}

static void end_question(
	bool answered, int64_t deadline, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	disk->deadline = deadline;
	if (!answered)
		verdict->unanswered = verdict->step;
}

enum blkpr_result blkpr_fence_watch_shared(
	uint64_t own, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	int64_t deadline = begin_question(disk);
	enum blkpr_result result = blkpr_fence_check_shared(own, disk, verdict);
	bool shared = result == BLKPR_SHARED_KEY;

	end_question(result == BLKPR_OK || shared, deadline, disk, verdict);
	return shared ? BLKPR_SHARED_KEY : BLKPR_OK;
}

static enum blkpr_result drain(const struct blkpr_fence *fence, uint64_t own, const struct view *view,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct blkpr_drain drain = {
		.in_flight = fence->in_flight, .own = own, .victim = fence->victim, .type = view->type };

	return blkpr_drain_run(&drain, disk, verdict);
}

/* What is seen says that the victim is off; whether that is all there is to it. */
static enum blkpr_result conclude(const struct blkpr_fence *fence, uint64_t own, const struct view *view,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	enum blkpr_result result = blkpr_drain_prove(verdict);

	if (spoils_proof(fence, view))
		return BLKPR_UNKNOWN_KEYS;
	if (result != BLKPR_OK)
		return result;
	return verdict->victim_seen ? BLKPR_OK : blkpr_fence_check_shared(own, disk, verdict);
}

#define BUSY_PAUSE_MS 20

/*
 * S1: a key that is gone does not say that the commands sent with it are over. LIO's PREEMPT AND
 * ABORT ends them only if the victim held the reservation; whoever removed the key before may have
 * done so without ABORT, or was killed while the device was still at it; and the device may have
 * taken them while nothing was reserved. So there is a drain before success, always
 * (tests/lab/test_in_flight.py).
 *
 * Look, act on what is seen, look again; success is only ever concluded from a look (S4), and
 * nothing is ever registered (S2). A reservation that is missing is made before the victim is
 * preempted: so PREEMPT AND ABORT ends also those of the victim's commands that the device took
 * while it was open (S1).
 */
static enum blkpr_result off(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	enum blkpr_result result = BLKPR_UNSETTLED;
	unsigned most = 1;
	struct view view = { 0 };

	for (unsigned round = 0; round < most; round++) {
		verdict->won = false;
		result = look(fence, own, disk, &view, verdict);
		if (result != BLKPR_OK)
			return result;
		if (most < blkpr_fence_rounds(disk, verdict))
			most = blkpr_fence_rounds(disk, verdict);
		verdict->victim_seen |= view.victim;
		if (!view.own)
			return BLKPR_EVICTED;
		if (view.foreign)
			return BLKPR_FOREIGN_TYPE;
		verdict->won = view.reserved && !view.victim;
		verdict->open |= !view.reserved; /* whoever reserves it then */
		if (!view.reserved) {
			result = reserve(fence, own, disk, verdict);
		} else if (view.victim) {
			result = evict(fence, own, fence->victim, &view, disk, verdict);
		} else if (view.offender && fence->unknown == BLKPR_UNKNOWN_EVICT) {
			result = evict(fence, own, view.offender, &view, disk, verdict);
		} else if (blkpr_drain_needed(verdict) && !spoils_proof(fence, &view)) {
			result = drain(fence, own, &view, disk, verdict);
		} else {
			return conclude(fence, own, &view, disk, verdict);
		}
		if (result == BLKPR_BUSY && blkpr_clock_ms() < disk->deadline) {
			blkpr_clock_pause(BUSY_PAUSE_MS, disk->deadline);
			round--; /* the device did nothing; what to do next is decided by the next look */
		} else if (result != BLKPR_OK && result != BLKPR_CONFLICT) {
			return result;
		}
	}
	if (result == BLKPR_CONFLICT)
		return BLKPR_CONFLICT;
	return view.victim ? BLKPR_VICTIM_ON : BLKPR_UNSETTLED; /* PREEMPT returned 0, and did nothing */
}

void blkpr_fence_off_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	bool sane = own && fence->victim && own != fence->victim;

	blkpr_drain_begin(disk, verdict);
	verdict->result = sane ? off(fence, own, disk, verdict) : BLKPR_INVALID;
}

/* --- status and monitor --------------------------------------------------------------------------- */

static enum blkpr_result status(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct view view;
	enum blkpr_result result = look(fence, own, disk, &view, verdict);

	if (result != BLKPR_OK)
		return result;
	verdict->victim_seen = view.victim;
	if (!view.own && own != fence->victim)
		return BLKPR_EVICTED;
	if (view.victim)
		return BLKPR_VICTIM_ON;
	if (view.foreign)
		return BLKPR_FOREIGN_TYPE;
	if (!view.reserved)
		return BLKPR_UNRESERVED;
	return spoils_proof(fence, &view) ? BLKPR_UNKNOWN_KEYS : blkpr_fence_check_shared(own, disk, verdict);
}

/* A node may ask about itself: then its own key is the one that should be absent. */
void blkpr_fence_status_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	verdict->result = own && fence->victim ? status(fence, own, disk, verdict) : BLKPR_INVALID;
}

/* A path may have lost its right to write since the look, with the key; then that is what to say. */
static enum blkpr_result check_writes(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct view view;
	enum blkpr_result result = blkpr_nexus_check_writes(disk, verdict);

	if (result != BLKPR_BARRED)
		return result;
	result = look(fence, own, disk, &view, verdict);
	if (result != BLKPR_OK)
		return result;
	return view.own ? BLKPR_BARRED : BLKPR_EVICTED;
}

/* A device that does not say what it can do has shown it: the reservation is held. */
static enum blkpr_result check_capabilities(const struct blkpr_fence *fence,
	const struct view *view, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct blkpr_capabilities capabilities;
	int64_t deadline = begin_question(disk);
	enum blkpr_result result;

	verdict->step = BLKPR_STEP_CAPABILITIES;
	result = disk->ops->capabilities(disk, &capabilities);
	end_question(result == BLKPR_OK || result == BLKPR_UNSUPPORTED || result == BLKPR_INVALID,
		deadline, disk, verdict);
	verdict->mute = capabilities.mute && verdict->rests >= BLKPR_RESTS_ON_WORD; /* it will be sent LUN RESETs */
	if (result != BLKPR_OK)
		return BLKPR_OK;
	verdict->capable = capabilities.types >> (fence->any_type ? view->type : fence->type) & 1;
	verdict->forgets = capabilities.forgets;
	return capabilities.types && !verdict->capable ? BLKPR_NOT_CAPABLE : BLKPR_OK;
}

static enum blkpr_result monitor(const struct blkpr_fence *fence, uint64_t own, unsigned paths,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct view view;
	enum blkpr_result result = look(fence, own, disk, &view, verdict);

	if (result != BLKPR_OK)
		return result;
	if (!view.own)
		return BLKPR_EVICTED;
	if (view.foreign)
		return BLKPR_FOREIGN_TYPE;
	if (!view.reserved)
		return BLKPR_UNRESERVED;
	if (verdict->own_registrations < paths && verdict->own_registrations + disk->ops->silent(disk) < paths)
		return BLKPR_FEWER_PATHS; /* who does not answer may have been registered, or not: nobody writes by it */
	if (spoils_proof(fence, &view))
		return BLKPR_UNKNOWN_KEYS;
	result = blkpr_fence_watch_shared(own, disk, verdict);
	if (result == BLKPR_OK)
		result = check_capabilities(fence, &view, disk, verdict);
	if (result != BLKPR_OK)
		return result;
	return verdict->rests ? BLKPR_OK : BLKPR_UNDRAINABLE; /* off would never succeed */
}

void blkpr_fence_monitor_disk(const struct blkpr_fence *fence, uint64_t own, unsigned paths,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	blkpr_drain_begin(disk, verdict);
	verdict->rests = blkpr_flight_rests(verdict->reach, fence->in_flight);
	verdict->result = own ? monitor(fence, own, paths, disk, verdict) : BLKPR_INVALID;
}

static enum blkpr_result monitor_nexus(const struct blkpr_fence *fence, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct view view;
	enum blkpr_result result = look(fence, own, disk, &view, verdict);

	if (result != BLKPR_OK)
		return result;
	if (!view.own)
		return BLKPR_EVICTED;
	result = blkpr_nexus_check_shared(disk, own, &fence->others, verdict);
	return result == BLKPR_OK ? check_writes(fence, own, disk, verdict) : result;
}

void blkpr_fence_nexus_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	verdict->result = monitor_nexus(fence, own, disk, verdict);
}

/* --- many devices --------------------------------------------------------------------------------- */

static void work_on(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct blkpr_fence fence = *(const struct blkpr_fence *)context;

	/* a disk that never had this node's key has not lost it */
	fence.fenced &= target->recorded;
	fence.others.former = target->former;
	blkpr_fence_on_disk(&fence, target->own, disk, verdict);
}

/* A disk that another set of parameters is about. */
static const struct blkpr_fence *fence_of(const void *fence, const struct blkpr_target *target)
{
	return target->fence ? target->fence : fence;
}

static void work_off(const void *fence, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	blkpr_fence_off_disk(fence_of(fence, target), target->own, disk, verdict);
}

static void work_status(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct blkpr_fence fence = *fence_of(context, target);

	if (!fence.victim)
		fence.victim = target->own; /* this node itself, which may have another key on each device */
	blkpr_fence_status_disk(&fence, target->own, disk, verdict);
}

static void work_monitor(const void *fence, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	blkpr_fence_monitor_disk(
		fence_of(fence, target), target->own, target->device->paths, disk, verdict);
}

static void work_nexus(const void *fence, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	blkpr_fence_nexus_disk(fence_of(fence, target), target->own, disk, verdict);
}

static struct blkpr_work work_of(const struct blkpr_fence *fence, blkpr_protocol *protocol)
{
	return (struct blkpr_work){
		.protocol = protocol, .context = fence, .parallel = fence->parallel, .deadline = fence->deadline
	};
}

int blkpr_fence_on(const struct blkpr_fence *fence, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(fence, work_on);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_fence_status(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(fence, work_status);

	return blkpr_work_run(&work, targets, count, verdicts);
}

int blkpr_fence_monitor(const struct blkpr_fence *fence, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = work_of(fence, work_monitor);
	struct blkpr_work nexus = work_of(fence, work_nexus);
	int rc = blkpr_work_run(&work, targets, count, verdicts);

	return rc ? rc : blkpr_work_ask(&nexus, targets, count, verdicts);
}

int blkpr_fence_off(const struct blkpr_fence *fence, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	struct blkpr_work work = work_of(fence, work_off);

	work.proof = work_status;
	work.in_vain = true; /* better a victim that is off some disks than one that is off none */
	return blkpr_work_race(&work, targets, count, verdicts, arbiter);
}
