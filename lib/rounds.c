// SPDX-License-Identifier: LGPL-2.1-or-later
// Look, one step, look again.
#include "lib/rounds.h"

#include "lib/clock.h"
#include "lib/drain.h"

#define FEWEST_ROUNDS 6
#define BUSY_PAUSE_MS 20

/*
 * Every round makes progress (a reservation made, a key removed) unless somebody else keeps
 * changing the disk or the device refuses for good. Each path may take one, since the device
 * refuses what comes by one that is not registered, and the next round goes by the next path; and
 * so may each key.
 */
static unsigned most_rounds(const struct blkpr_rounds *rounds)
{
	return FEWEST_ROUNDS + rounds->disk->paths - 1 + rounds->verdict->registrations;
}

enum blkpr_result blkpr_rounds_run(const struct blkpr_rounds *rounds, bool *spent)
{
	enum blkpr_result result = BLKPR_UNSETTLED;
	unsigned most = 1;
	bool done = false;

	*spent = false;
	for (unsigned round = 0; round < most; round++) {
		result = rounds->look(rounds->errand);
		if (result != BLKPR_OK)
			return result;
		if (most < most_rounds(rounds))
			most = most_rounds(rounds);
		result = rounds->step(rounds->errand, &done);
		if (done)
			return result;
		if (result == BLKPR_BUSY && blkpr_clock_ms() < rounds->disk->deadline) {
			blkpr_clock_pause(BUSY_PAUSE_MS, rounds->disk->deadline);
			round--;
		} else if (result != BLKPR_OK && result != BLKPR_CONFLICT) {
			return result;
		}
	}
	*spent = true;
	return result;
}

enum blkpr_result blkpr_rounds_end(bool *done, enum blkpr_result result)
{
	*done = true;
	return result;
}

/* --- commands --------------------------------------------------------------------------------- */

/* Whether the command may be sent. */
static bool begin(struct blkpr_disk *disk, enum blkpr_step step, struct blkpr_verdict *verdict)
{
	if (blkpr_disk_over(disk))
		return false;
	verdict->step = step;
	verdict->touched = true;
	return true;
}

enum blkpr_result blkpr_rounds_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type,
	struct blkpr_verdict *verdict)
{
	if (!begin(disk, BLKPR_STEP_RESERVE, verdict))
		return BLKPR_UNFINISHED;
	blkpr_drain_void(verdict);
	return disk->ops->reserve(disk, own, type);
}

enum blkpr_result blkpr_rounds_release(struct blkpr_disk *disk, uint64_t own, enum pr_type type,
	struct blkpr_verdict *verdict)
{
	if (!begin(disk, BLKPR_STEP_RELEASE, verdict))
		return BLKPR_UNFINISHED;
	blkpr_drain_void(verdict);
	return disk->ops->release(disk, own, type);
}

enum blkpr_result blkpr_rounds_preempt(struct blkpr_disk *disk, uint64_t own, uint64_t key,
	enum pr_type type, struct blkpr_verdict *verdict)
{
	enum blkpr_result result;

	if (!begin(disk, BLKPR_STEP_PREEMPT, verdict))
		return BLKPR_UNFINISHED;
	blkpr_drain_void(verdict);
	result = disk->ops->preempt_abort(disk, own, key, type);
	verdict->preempted = result == BLKPR_OK ? key : 0;
	return result;
}

enum blkpr_result blkpr_rounds_leave_to_look(enum blkpr_result result)
{
	if (result == BLKPR_PATH_FAILED || result == BLKPR_GONE || result == BLKPR_IO_ERROR)
		return BLKPR_OK;
	return result;
}

enum blkpr_result blkpr_rounds_unregister(
	struct blkpr_disk *disk, uint64_t key, struct blkpr_verdict *verdict)
{
	if (!begin(disk, BLKPR_STEP_UNREGISTER, verdict))
		return BLKPR_UNFINISHED;
	return blkpr_rounds_leave_to_look(disk->ops->unregister(disk, key));
}

enum blkpr_result blkpr_rounds_register(struct blkpr_disk *disk, uint64_t old, uint64_t key,
	const struct blkpr_others *others, struct blkpr_verdict *verdict)
{
	verdict->step = BLKPR_STEP_REGISTER;
	verdict->touched = true;
	return blkpr_nexus_register(disk, old, key, others, verdict);
}
