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
	unsigned *which;            /* room for a run's devices */
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
	return task->which && task->past ? 0 : -ENOMEM;
}

static void end(struct task *task)
{
	blkpr_fleet_dismiss(&task->fleet);
	free(task->which);
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
	protocol(task->work->context, target, &block.disk, verdict);
	verdict->transport = block.transport;
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

	for (unsigned i = 0; i < count; i++)
		blkpr_verdict_carry(&task->past[which[i]], &task->verdicts[which[i]]);
	return rc;
}

#define ARBITER_PAUSE_MS 100

/*
 * Works on one device until that is done; while the device cannot be asked, until UNTIL. A worker that had no time for an
 * answer says less of the device than one before it that had.
 */
static int insist(struct task *task, unsigned index, bool winning_is_enough, int64_t until)
{
	struct blkpr_verdict *verdict = &task->verdicts[index], answer = { .result = BLKPR_UNFINISHED };
	int rc;

	for (;;) {
		rc = run(task, &index, 1, until);
		if (verdict->result == BLKPR_UNFINISHED) {
			verdict->result = answer.result;
			verdict->step = answer.result == BLKPR_UNFINISHED ? verdict->step : answer.step;
		}
		answer = *verdict;
		if (!rc && !blkpr_result_unreachable(verdict->result))
			return rc;
		if (!rc && winning_is_enough && verdict->won)
			return rc;
		blkpr_clock_pause(ARBITER_PAUSE_MS, until);
		if (blkpr_clock_ms() >= until)
			return rc; /* with the last verdict, not with one of a worker that had no time */
	}
}

/*
 * All devices of the task but SPARED. A crew that dies of one device takes the verdicts of others along: the next one works
 * on them one by one, each with a share of the time that is left, so that the others are worked on (S5).
 */
static int run_all_but(struct task *task, unsigned spared)
{
	unsigned count = 0;
	int rc;

	for (unsigned i = 0; i < task->fleet.count; i++)
		if (i != spared)
			task->which[count++] = i;
	rc = run(task, task->which, count, task->work->deadline);
	for (unsigned i = 0; i < count && count > 1 && !rc; i++) {
		int64_t now = blkpr_clock_ms();

		if (task->verdicts[task->which[i]].result == BLKPR_CRASHED)
			rc = insist(task, task->which[i], false, now + (task->work->deadline - now) / (count - i));
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

/*
 * Whether DEVICE decides nothing, so that the next one has to: it cannot be asked, or nobody is registered
 * there. The latter is a disk that has just been added; whoever lost a race finds the winner registered.
 */
static bool abstains(const struct blkpr_verdict *verdict)
{
	return blkpr_result_unreachable(verdict->result) ||
	       (verdict->result == BLKPR_EVICTED && !verdict->registrations);
}

/*
 * Finds the device that decides the race: the first one that does not abstain; *ARBITER is COUNT if this node has not won.
 * Each candidate but the last has half of the time that is left: a side of a split cluster that cannot reach it gives the one
 * that can the time to win (S3).
 */
static int find_arbiter(struct task *task, unsigned *arbiter)
{
	unsigned count = task->fleet.count;

	*arbiter = count;
	for (unsigned i = 0; i < count; i++) {
		int64_t left = task->work->deadline - blkpr_clock_ms();
		int64_t until = task->work->deadline - (i + 1 < count ? left / 2 : 0);
		int rc = insist(task, i, true, until);

		if (rc)
			return rc;
		if (task->verdicts[i].won)
			*arbiter = i;
		if (task->verdicts[i].won || !abstains(&task->verdicts[i]))
			return 0;
	}
	return 0;
}

static bool all_ok(const struct task *task)
{
	for (unsigned i = 0; i < task->fleet.count; i++)
		if (task->verdicts[i].result != BLKPR_OK)
			return false;
	return true;
}

/* The arbiter's proof is older than the others', which may have taken long: it is read once more (S4). */
static int prove_arbiter(struct task *task, unsigned arbiter)
{
	struct blkpr_verdict *verdict = &task->verdicts[arbiter], first = *verdict;
	enum blkpr_result again;
	int rc = blkpr_fleet_run(&task->fleet, prove, &arbiter, 1, task->work->deadline, task->verdicts);

	again = verdict->result;
	*verdict = first;
	if (!rc && again != BLKPR_OK)
		verdict->result = again;
	return rc;
}

static int race(struct task *task, unsigned *arbiter)
{
	unsigned count = task->fleet.count;
	int rc = find_arbiter(task, arbiter);

	if (rc || *arbiter == count)
		return rc;
	if (count > 1)
		rc = run_all_but(task, *arbiter);
	if (!rc && blkpr_result_unreachable(task->verdicts[*arbiter].result)) /* won, and lost its path at the drain */
		rc = insist(task, *arbiter, false, task->work->deadline);
	if (!rc && count > 1 && task->work->proof && all_ok(task))
		rc = prove_arbiter(task, *arbiter);
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
