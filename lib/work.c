// SPDX-License-Identifier: LGPL-2.1-or-later
// One protocol on many devices, all at once.
#include "lib/work.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/task.h"

int blkpr_work_run(const struct blkpr_work *work, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
{
	struct blkpr_task task;
	int rc = blkpr_task_begin(&task, work, targets, count, verdicts);

	if (!rc)
		rc = blkpr_task_run_all_but(&task, count);
	blkpr_task_end(&task);
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

int blkpr_work_ask(const struct blkpr_work *work, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[])
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
