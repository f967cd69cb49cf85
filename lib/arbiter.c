// SPDX-License-Identifier: LGPL-2.1-or-later
// One protocol on many devices: on the others after an arbiter has decided (S3).
#include <errno.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/task.h"
#include "lib/work.h"

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
static bool has_spoken(const struct blkpr_task *task, const struct blkpr_verdict *verdict)
{
	if (task->work->in_vain && is_nonsense(verdict->result))
		return verdict->won;
	return verdict->won || blkpr_task_is_settled(task, verdict);
}

static void prove(void *task, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	blkpr_task_work_on(task, index, ((const struct blkpr_task *)task)->work->proof, deadline, verdict);
}

#define GRACE_MS 1500
#define LOOK_MS 500
#define GRACE_SHARE 3 /* of the time that is left, at most */
#define LOOK_SHARE 8

static int64_t time_left(const struct blkpr_task *task)
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
static bool has_decided(const struct blkpr_task *task, unsigned index, unsigned *arbiter)
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
	blkpr_task_work_on(task, index, look, deadline, verdict);
}

/*
 * One look at all devices at once. WHICH[]: those that answer, in order, and those whose pool has
 * died, maybe of another one. Why the others do not is their verdict.
 */
static int look_at_all(struct blkpr_task *task, int64_t until, unsigned which[], unsigned *count)
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

		/* or the next pool would wait for the same path that hangs */
		if (seen->result == BLKPR_OK)
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

static bool any_unreachable(const struct blkpr_task *task)
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
static int64_t limit_of_run(const struct blkpr_task *task)
{
	return blkpr_clock_ms() + time_left(task) / 2;
}

/*
 * The first device alone: a side of a split cluster that cannot reach it gives the one that can the
 * time to win (S3).
 */
static int try_first(struct blkpr_task *task)
{
	int rc;

	task->grace = blkpr_clock_ms() + at_most(GRACE_MS, time_left(task) / GRACE_SHARE);
	task->fleet.answer_by = task->grace;
	rc = blkpr_task_insist(task, 0, has_spoken, task->grace, limit_of_run(task));
	task->fleet.answer_by = 0;
	return rc;
}

/*
 * A look of MS at all; those that answer are tried in order, until one decides. One at which a
 * command of this action hangs decides by what it shows; its proof, which may have to wait for that
 * command, comes after the others (doc/safety.md, S5).
 */
static int try_all(struct blkpr_task *task, int64_t ms, unsigned *arbiter, bool *decided)
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
		rc = blkpr_task_run(task, &index, 1, limit_of_run(task));
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
static int find_arbiter(struct blkpr_task *task, unsigned *arbiter)
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

static bool all_ok(const struct blkpr_task *task)
{
	for (unsigned i = 0; i < task->fleet.count; i++)
		if (task->verdicts[i].result != BLKPR_OK)
			return false;
	return true;
}

/*
 * A proof that is older than another one, which may have taken long, is read once more (S4): those
 * of COUNT devices, task->which.
 */
static int prove_again(struct blkpr_task *task, unsigned count)
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
static int run_alone(struct blkpr_task *task, unsigned *arbiter)
{
	int rc = blkpr_task_insist(task, 0, blkpr_task_is_settled, task->work->deadline, task->work->deadline);

	*arbiter = !rc && task->verdicts[0].won ? 0 : 1;
	return rc;
}

/*
 * The arbiter's proof is older than the others', or, where it was lost at the drain and won later,
 * theirs are.
 */
static int race(struct blkpr_task *task, unsigned *arbiter)
{
	int64_t deadline = task->work->deadline;
	bool late;
	int rc;

	if (task->fleet.count == 1)
		return run_alone(task, arbiter);
	rc = find_arbiter(task, arbiter);
	if (rc || *arbiter == task->fleet.count)
		return rc;
	rc = blkpr_task_run_all_but(task, *arbiter);
	late = !blkpr_task_is_settled(task, &task->verdicts[*arbiter]);
	if (!rc && late)
		rc = blkpr_task_insist(task, *arbiter, blkpr_task_is_settled, deadline, deadline);
	if (!rc && task->work->proof && all_ok(task)) {
		task->which[0] = *arbiter;
		rc = prove_again(task, late ? blkpr_task_all_but(task, *arbiter) : 1);
	}
	return rc;
}

int blkpr_work_race(const struct blkpr_work *work, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	struct blkpr_task task;
	int rc = blkpr_task_begin(&task, work, targets, count, verdicts);

	*arbiter = count;
	if (!rc)
		rc = race(&task, arbiter);
	blkpr_task_end(&task);
	return rc;
}
