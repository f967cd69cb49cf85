// SPDX-License-Identifier: LGPL-2.1-or-later
// What a protocol asks beside its looks.
#include "lib/question.h"

#include "lib/clock.h"

enum blkpr_result blkpr_question_shared(uint64_t own, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
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

int64_t blkpr_question_begin(struct blkpr_disk *disk)
{
	int64_t deadline = disk->deadline, soon = blkpr_clock_ms() + QUESTION_MS;

	if (soon < deadline)
		disk->deadline = soon;
	return deadline;
}

void blkpr_question_end(
	bool answered, int64_t deadline, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	disk->deadline = deadline;
	if (!answered)
		verdict->unanswered = verdict->step;
}

enum blkpr_result blkpr_question_shared_soon(
	uint64_t own, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	int64_t deadline = blkpr_question_begin(disk);
	enum blkpr_result result = blkpr_question_shared(own, disk, verdict);
	bool shared = result == BLKPR_SHARED_KEY;

	blkpr_question_end(result == BLKPR_OK || shared, deadline, disk, verdict);
	return shared ? BLKPR_SHARED_KEY : BLKPR_OK;
}
