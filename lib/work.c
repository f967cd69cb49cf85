// SPDX-License-Identifier: LGPL-2.1-or-later
// One protocol on many devices: all at once, or the others after an arbiter has decided.
#include "lib/work.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/fleet.h"

/* What there is to do, and who does it. */
struct task {
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

/* Zeroed memory that the workers' process sees, too; NULL: there is none. */
static void *share(size_t size)
{
	void *memory = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

	return memory == MAP_FAILED ? NULL : memory;
}

static int begin(struct task *task, const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	*task = (struct task){
		.work = work,
		.targets = targets,
		.verdicts = verdicts,
		.which = calloc(count, sizeof(*task->which)),
		.seen = calloc(count, sizeof(*task->seen)),
		.past = share(count * sizeof(*task->past)),
		.parent = getpid(),
		.fleet = { .parallel = work->parallel, .count = count, .context = task },
	};
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = (struct blkpr_verdict){ .result = BLKPR_UNTOUCHED };
	if (!count)
		return -EINVAL; /* nothing asked, nothing proven */
	for (unsigned i = 0; task->past && i < count; i++)
		task->past[i].open = targets[i].open;
	return task->which && task->seen && task->past ? 0 : -ENOMEM;
}

static void end(struct task *task)
{
	blkpr_fleet_dismiss(&task->fleet);
	free(task->which);
	free(task->seen);
	if (task->past)
		munmap(task->past, task->fleet.count * sizeof(*task->past));
}

/* In a worker. */
static void work_on(const struct task *task, unsigned index, blkpr_protocol *protocol, int64_t deadline,
	struct blkpr_verdict *verdict)
{
	const struct blkpr_target *target = &task->targets[index];
	struct blkpr_block_disk block;
	enum blkpr_result result;

	*verdict = task->past[index];
	verdict->step = BLKPR_STEP_OPEN;
	result = blkpr_disk_open(&block, target->device, deadline);
	if (result != BLKPR_OK) {
		verdict->result = result;
		return;
	}
	block.disk.parent = task->parent;
	verdict->path = block.path;
	protocol(task->work->context, target, &block.disk, verdict);
	verdict->transport = block.transport;
	verdict->path = block.path;
	verdict->silent = block.silent;
	blkpr_disk_close(&block);
}

static void do_work(void *task, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	work_on(task, index, ((const struct task *)task)->work->protocol, deadline, verdict);
}

static void prove(void *task, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	work_on(task, index, ((const struct task *)task)->work->proof, deadline, verdict);
}

static int run(struct task *task, const unsigned which[], unsigned count, int64_t until)
{
	int rc = blkpr_fleet_run(&task->fleet, do_work, which, count, until, task->verdicts);

	for (unsigned i = 0; i < count; i++) {
		struct blkpr_verdict *verdict = &task->verdicts[which[i]];

		if (verdict->answered)
			blkpr_device_learn(task->targets[which[i]].device, verdict->path, verdict->silent);
		blkpr_verdict_carry(&task->past[which[i]], verdict);
	}
	return rc;
}

typedef bool condition(const struct task *task, const struct blkpr_verdict *verdict);

static bool is_settled(const struct task *task, const struct blkpr_verdict *verdict)
{
	(void)task;
	return !blkpr_result_unreachable(verdict->result);
}

/*
 * Whether what the device answers says nothing of who is registered. A conflict does: it is what
 * keeps a node that has been evicted from evicting others (S2).
 */
static bool is_nonsense(enum blkpr_result result)
{
	return result == BLKPR_MALFORMED || result == BLKPR_UNSUPPORTED ||
	       result == BLKPR_INVALID || result == BLKPR_UNSETTLED;
}

/* Whether there is nothing to wait for on a device that may be the arbiter. */
static bool has_spoken(const struct task *task, const struct blkpr_verdict *verdict)
{
	if (task->work->in_vain && is_nonsense(verdict->result))
		return verdict->won;
	return verdict->won || is_settled(task, verdict);
}

#define PAUSE_MS 100

/*
 * Works on one device, again and again until the verdict is ENOUGH, or until UNTIL; a run that has
 * begun may take until LIMIT. A worker that had no time for an answer says less of the device than
 * one before it that had.
 */
static int insist(struct task *task, unsigned index, condition *enough, int64_t until,
	int64_t limit)
{
	struct blkpr_verdict *verdict = &task->verdicts[index], answer = { .result = BLKPR_UNFINISHED };
	int rc;

	for (;;) {
		rc = run(task, &index, 1, limit);
		if (verdict->result == BLKPR_UNFINISHED) {
			verdict->result = answer.result;
			verdict->step = answer.result == BLKPR_UNFINISHED ? verdict->step : answer.step;
		}
		answer = *verdict;
		if (!rc && enough(task, verdict))
			return rc;
		blkpr_clock_pause(PAUSE_MS, until);
		if (blkpr_clock_ms() >= until)
			return rc; /* with the last verdict, not with one of a worker that had no time */
	}
}

/* Into task->which; how many they are. */
static unsigned all_but(struct task *task, unsigned spared)
{
	unsigned count = 0;

	for (unsigned i = 0; i < task->fleet.count; i++)
		if (i != spared)
			task->which[count++] = i;
	return count;
}

/*
 * All devices of the task but SPARED. A crew that dies of one device takes the verdicts of others along: the next one works
 * on them one by one, each with a share of the time that is left, so that the others are worked on (S5).
 */
static int run_all_but(struct task *task, unsigned spared)
{
	unsigned count = all_but(task, spared);
	int rc;

	rc = run(task, task->which, count, task->work->deadline);
	for (unsigned i = 0; i < count && count > 1 && !rc; i++) {
		int64_t now = blkpr_clock_ms();

		int64_t until = now + (task->work->deadline - now) / (count - i);

		if (task->verdicts[task->which[i]].result == BLKPR_CRASHED)
			rc = insist(task, task->which[i], is_settled, until, until);
	}
	return rc;
}

int blkpr_work_run(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	struct task task;
	int rc = begin(&task, work, targets, count, verdicts);

	if (!rc)
		rc = run_all_but(&task, count);
	end(&task);
	return rc;
}

#define ASK_MS 2000

void blkpr_work_take(struct blkpr_verdict *verdict, const struct blkpr_verdict *answer)
{
	bool hung = answer->result == BLKPR_UNFINISHED || answer->result == BLKPR_CRASHED;

	verdict->silent |= answer->silent;
	if (hung || !answer->looks) {
		verdict->unasked = true;
	} else if (answer->result != BLKPR_OK) {
		verdict->result = answer->result;
		verdict->offender = answer->offender;
		verdict->barred_path = answer->barred_path;
		verdict->step = answer->step;
	}
}

static bool may_write(const struct blkpr_verdict *verdict)
{
	return verdict->result == BLKPR_OK ||
	       (verdict->result == BLKPR_TAKEN && verdict->own_registrations);
}

int blkpr_work_ask(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	struct blkpr_work asking = *work;
	struct blkpr_target *asked = calloc(count + 1, sizeof(*asked));
	struct blkpr_verdict *answers = calloc(count + 1, sizeof(*answers));
	unsigned n = 0;
	int rc = asked && answers ? 0 : -ENOMEM;

	if (asking.deadline > blkpr_clock_ms() + ASK_MS)
		asking.deadline = blkpr_clock_ms() + ASK_MS;
	for (unsigned i = 0; i < count && !rc; i++)
		if (may_write(&verdicts[i]))
			asked[n++] = targets[i];
	if (n)
		rc = blkpr_work_run(&asking, asked, n, answers);
	n = 0;
	for (unsigned i = 0; i < count && !rc; i++)
		if (may_write(&verdicts[i]))
			blkpr_work_take(&verdicts[i], &answers[n++]);
	free(asked);
	free(answers);
	return rc;
}

/* --- the arbiter -------------------------------------------------------------------------- */

#define GRACE_MS 1500
#define LOOK_MS 500
#define GRACE_SHARE 3 /* of the time that is left, at most */
#define LOOK_SHARE 8

static int64_t time_left(const struct task *task)
{
	return task->work->deadline - blkpr_clock_ms();
}

static int64_t at_most(int64_t ms, int64_t most)
{
	return ms < most ? ms : most;
}

/*
 * Whether device INDEX, which has been worked on, has decided; *ARBITER is COUNT if against this
 * node. One where nobody is registered abstains: it has just been added. Whoever lost a race finds
 * the winner registered.
 */
static bool has_decided(const struct task *task, unsigned index, unsigned *arbiter)
{
	const struct blkpr_verdict *verdict = &task->verdicts[index];

	*arbiter = verdict->won ? index : task->fleet.count;
	return has_spoken(task, verdict) &&
	       !(verdict->result == BLKPR_EVICTED && !verdict->registrations);
}

static void look(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct blkpr_report report;

	(void)context;
	(void)target;
	verdict->step = BLKPR_STEP_READ;
	verdict->result = disk->ops->read(disk, &report);
	if (verdict->result == BLKPR_OK)
		blkpr_report_clear(&report);
}

static void do_look(void *task, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	work_on(task, index, look, deadline, verdict);
}

/*
 * One look at all devices at once. WHICH[]: those that answer, in order, and those whose crew has
 * died, maybe of another one. Why the others do not is their verdict.
 */
static int look_at_all(struct task *task, int64_t until, unsigned which[], unsigned *count)
{
	unsigned all = task->fleet.count;
	int rc;

	for (unsigned i = 0; i < all; i++)
		which[i] = i;
	rc = blkpr_fleet_run(&task->fleet, do_look, which, all, until, task->seen);
	*count = 0;
	for (unsigned i = 0; i < all && !rc; i++) {
		const struct blkpr_verdict *seen = &task->seen[i];
		struct blkpr_verdict *verdict = &task->verdicts[i];

		if (seen->result == BLKPR_OK) /* or the next crew would wait for the same path that hangs */
			blkpr_device_learn(task->targets[i].device, seen->path, seen->silent);
		if (has_spoken(task, seen) || seen->result == BLKPR_CRASHED) {
			which[(*count)++] = i;
		} else if (seen->result != BLKPR_UNFINISHED || verdict->result == BLKPR_UNTOUCHED) {
			verdict->result = seen->result;
			verdict->step = seen->step;
		}
	}
	return rc;
}

static bool any_unreachable(const struct task *task)
{
	for (unsigned i = 0; i < task->fleet.count; i++)
		if (blkpr_result_unreachable(task->verdicts[i].result))
			return true;
	return false;
}

/*
 * When a run on a device that may be the arbiter ends at the latest: if it has answered it is at
 * it, and so may be another node. The other half of the time is for the other devices (S5).
 */
static int64_t limit_of_run(const struct task *task)
{
	return blkpr_clock_ms() + time_left(task) / 2;
}

/*
 * The first device alone: a side of a split cluster that cannot reach it gives the one that can the
 * time to win (S3).
 */
static int try_first(struct task *task)
{
	int rc;

	task->grace = blkpr_clock_ms() + at_most(GRACE_MS, time_left(task) / GRACE_SHARE);
	task->fleet.answer_by = task->grace;
	rc = insist(task, 0, has_spoken, task->grace, limit_of_run(task));
	task->fleet.answer_by = 0;
	return rc;
}

/*
 * A look of MS at all; those that answer are tried in order, until one decides. One at which a command of this action hangs
 * decides by what it shows; its proof, which may have to wait for that command, comes after the others (doc/safety.md, S5).
 */
static int try_all(struct task *task, int64_t ms, unsigned *arbiter, bool *decided)
{
	bool passes_over = false;
	unsigned count;
	int rc = look_at_all(task, blkpr_clock_ms() + ms, task->which, &count);

	for (unsigned i = 0; i < count && !rc && !*decided; i++) {
		unsigned index = task->which[i];

		passes_over |= index != i; /* one before it has not answered */
		if (passes_over && blkpr_clock_ms() < task->grace)
			break;
		task->fleet.answer_by = blkpr_clock_ms() + ms;
		task->past[index].put_off = task->past[index].stuck;
		rc = run(task, &index, 1, limit_of_run(task));
		task->fleet.answer_by = 0;
		*decided = !rc && has_decided(task, index, arbiter);
		passes_over |= !has_spoken(task, &task->verdicts[index]);
	}
	return rc;
}

/*
 * Finds the device that decides the race; *ARBITER is COUNT if this node has not won. While none
 * decides, and one of them cannot be asked, all are looked at again: the whole array may be away
 * for a moment. Each time for longer if one hangs, since what hangs is left behind.
 */
static int find_arbiter(struct task *task, unsigned *arbiter)
{
	int rc = try_first(task);
	bool decided = !rc && has_decided(task, 0, arbiter);
	int64_t ms = at_most(LOOK_MS, time_left(task) / LOOK_SHARE);

	while (!decided && time_left(task) > 0) {
		int64_t share = at_most(ms, time_left(task) / 2), until = blkpr_clock_ms() + share;

		rc = try_all(task, share, arbiter, &decided);
		if (decided || (!rc && !any_unreachable(task)))
			break;
		if (blkpr_clock_ms() >= until)
			ms *= 2;
		blkpr_clock_pause(PAUSE_MS, task->work->deadline);
	}
	return rc;
}

static bool all_ok(const struct task *task)
{
	for (unsigned i = 0; i < task->fleet.count; i++)
		if (task->verdicts[i].result != BLKPR_OK)
			return false;
	return true;
}

/*
 * A proof that is older than another one, which may have taken long, is read once more (S4): those of COUNT devices,
 * task->which.
 */
static int prove_again(struct task *task, unsigned count)
{
	struct blkpr_verdict *first = calloc(count + 1, sizeof(*first));
	int rc = first ? 0 : -ENOMEM;

	for (unsigned i = 0; i < count && !rc; i++)
		first[i] = task->verdicts[task->which[i]];
	if (!rc)
		rc = blkpr_fleet_run(&task->fleet, prove, task->which, count, task->work->deadline, task->verdicts);
	for (unsigned i = 0; i < count && !rc; i++) {
		struct blkpr_verdict *verdict = &task->verdicts[task->which[i]];
		enum blkpr_result again = verdict->result;

		*verdict = first[i];
		if (again != BLKPR_OK)
			verdict->result = again;
	}
	free(first);
	return rc;
}

/* A single device decides for itself. */
static int run_alone(struct task *task, unsigned *arbiter)
{
	int rc = insist(task, 0, is_settled, task->work->deadline, task->work->deadline);

	*arbiter = !rc && task->verdicts[0].won ? 0 : 1;
	return rc;
}

/* The arbiter's proof is older than the others', or, where it was lost at the drain and won later, theirs are. */
static int race(struct task *task, unsigned *arbiter)
{
	int64_t deadline = task->work->deadline;
	bool late;
	int rc;

	if (task->fleet.count == 1)
		return run_alone(task, arbiter);
	rc = find_arbiter(task, arbiter);
	if (rc || *arbiter == task->fleet.count)
		return rc;
	rc = run_all_but(task, *arbiter);
	late = !is_settled(task, &task->verdicts[*arbiter]);
	if (!rc && late)
		rc = insist(task, *arbiter, is_settled, deadline, deadline);
	if (!rc && task->work->proof && all_ok(task)) {
		task->which[0] = *arbiter;
		rc = prove_again(task, late ? all_but(task, *arbiter) : 1);
	}
	return rc;
}

int blkpr_work_race(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	struct task task;
	int rc = begin(&task, work, targets, count, verdicts);

	*arbiter = count;
	if (!rc)
		rc = race(&task, arbiter);
	end(&task);
	return rc;
}
