// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs of a protocol on devices, by workers.
#include "lib/task.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/block.h"
#include "lib/clock.h"

/* Zeroed memory that the workers' process sees, too; NULL: there is none. */
static void *share(size_t size)
{
	void *memory = size ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

	return memory == MAP_FAILED ? NULL : memory;
}

int blkpr_task_begin(struct blkpr_task *task, const struct blkpr_work *work,
	const struct blkpr_target targets[], unsigned count, struct blkpr_verdict verdicts[])
{
	*task = (struct blkpr_task){
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

void blkpr_task_end(struct blkpr_task *task)
{
	blkpr_fleet_stop(&task->fleet);
	free(task->which);
	free(task->seen);
	if (task->past)
		munmap(task->past, task->fleet.count * sizeof(*task->past));
}

void blkpr_task_work_on(const struct blkpr_task *task, unsigned index, blkpr_protocol *protocol,
	int64_t deadline, struct blkpr_verdict *verdict)
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
	blkpr_task_work_on(task, index, ((const struct blkpr_task *)task)->work->protocol, deadline, verdict);
}

int blkpr_task_run(struct blkpr_task *task, const unsigned which[], unsigned count, int64_t until)
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

bool blkpr_task_is_settled(const struct blkpr_task *task, const struct blkpr_verdict *verdict)
{
	(void)task;
	return !blkpr_result_unreachable(verdict->result);
}

int blkpr_task_insist(struct blkpr_task *task, unsigned index, blkpr_task_condition *enough,
	int64_t until, int64_t limit)
{
	struct blkpr_verdict *verdict = &task->verdicts[index], answer = { .result = BLKPR_UNFINISHED };
	int rc;

	for (;;) {
		rc = blkpr_task_run(task, &index, 1, limit);
		if (verdict->result == BLKPR_UNFINISHED) {
			verdict->result = answer.result;
			verdict->step = answer.result == BLKPR_UNFINISHED ? verdict->step : answer.step;
		}
		answer = *verdict;
		if (!rc && enough(task, verdict))
			return rc;
		blkpr_clock_pause(PAUSE_MS, until);
		if (blkpr_clock_ms() >= until)
			return rc; /* with the last verdict that had time */
	}
}

unsigned blkpr_task_all_but(struct blkpr_task *task, unsigned spared)
{
	unsigned count = 0;

	for (unsigned i = 0; i < task->fleet.count; i++)
		if (i != spared)
			task->which[count++] = i;
	return count;
}

int blkpr_task_run_all_but(struct blkpr_task *task, unsigned spared)
{
	unsigned count = blkpr_task_all_but(task, spared);
	int rc;

	rc = blkpr_task_run(task, task->which, count, task->work->deadline);
	for (unsigned i = 0; i < count && count > 1 && !rc; i++) {
		int64_t now = blkpr_clock_ms();

		int64_t until = now + (task->work->deadline - now) / (count - i);

		if (task->verdicts[task->which[i]].result == BLKPR_CRASHED)
			rc = blkpr_task_insist(task, task->which[i], blkpr_task_is_settled, until, until);
	}
	return rc;
}
