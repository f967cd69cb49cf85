// SPDX-License-Identifier: LGPL-2.1-or-later
// One protocol on many devices: all at once, or the others after an arbiter has decided.
#include "lib/work.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/fleet.h"

/* What the workers are given. */
struct round {
	const struct blkpr_work *work;
	const struct blkpr_target *targets;
	int64_t deadline;
	pid_t parent;
};

/* In a worker. */
static void run_one(void *context, unsigned index, struct blkpr_verdict *verdict)
{
	const struct round *round = context;
	const struct blkpr_target *target = &round->targets[index];
	struct blkpr_block_disk block;
	enum blkpr_result result;

	verdict->step = BLKPR_STEP_OPEN;
	result = blkpr_disk_open(&block, target->device, round->deadline);
	if (result != BLKPR_OK) {
		verdict->result = result;
		return;
	}
	block.disk.parent = round->parent;
	round->work->protocol(round->work->context, target, &block.disk, verdict);
	verdict->transport = block.transport;
	blkpr_disk_close(&block);
}

static int run_until(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	int64_t deadline, struct blkpr_verdict verdicts[])
{
	struct blkpr_fleet fleet = { .parallel = work->parallel, .deadline = deadline };
	struct round round = { work, targets, deadline, getpid() };

	if (!count)
		return -EINVAL; /* nothing asked, nothing proven */
	return blkpr_fleet_run(&fleet, count, run_one, &round, verdicts);
}

#define ARBITER_PAUSE_MS 100

/*
 * Lets the worker work on one device until it is done there; while the device cannot be asked, until UNTIL. What an earlier
 * worker has done there is not forgotten.
 */
static int insist(const struct blkpr_work *work, const struct blkpr_target *target, bool winning_is_enough,
	int64_t until, struct blkpr_verdict *verdict)
{
	bool touched = verdict->touched, victim_seen = verdict->victim_seen;
	int rc;

	for (;;) {
		rc = run_until(work, target, 1, until, verdict);
		verdict->touched = touched |= verdict->touched;
		verdict->victim_seen = victim_seen |= verdict->victim_seen;
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
 * A crew that dies of one device takes the verdicts of others along: each gets a crew of its own, and a share of the time
 * that is left, so that the others are worked on (S5).
 */
static int repeat_crashed(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	int rc = 0;

	for (unsigned i = 0; i < count && !rc; i++) {
		int64_t now = blkpr_clock_ms();

		if (verdicts[i].result == BLKPR_CRASHED)
			rc = insist(work, &targets[i], false, now + (work->deadline - now) / (count - i), &verdicts[i]);
	}
	return rc;
}

int blkpr_work_run(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[])
{
	int rc = run_until(work, targets, count, work->deadline, verdicts);

	return rc || count == 1 ? rc : repeat_crashed(work, targets, count, verdicts);
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
 * Finds the device that decides the race: the first one that does not abstain. Each candidate but the last
 * has half of the time that is left: a side of a split cluster that cannot reach it gives the one that can the
 * time to win (S3).
 */
static int find_arbiter(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	for (unsigned i = 0; i < count; i++) {
		int64_t left = work->deadline - blkpr_clock_ms();
		int64_t until = work->deadline - (i + 1 < count ? left / 2 : 0);
		int rc = insist(work, &targets[i], true, until, &verdicts[i]);

		if (rc)
			return rc;
		if (verdicts[i].won)
			*arbiter = i;
		if (verdicts[i].won || !abstains(&verdicts[i]))
			return 0;
	}
	return 0;
}

/* The race is decided: every device but the arbiter, in parallel. */
static int run_others(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	unsigned arbiter, struct blkpr_verdict verdicts[])
{
	struct blkpr_target *rest = calloc(count, sizeof(*rest));
	struct blkpr_verdict *others = calloc(count, sizeof(*others));
	unsigned n = 0;
	int rc = -ENOMEM;

	if (rest && others) {
		for (unsigned i = 0; i < count; i++)
			if (i != arbiter)
				rest[n++] = targets[i];
		rc = blkpr_work_run(work, rest, n, others);
		for (unsigned i = 0; i < n; i++)
			verdicts[i + (i >= arbiter)] = others[i];
	}
	free(rest);
	free(others);
	return rc;
}

int blkpr_work_race(const struct blkpr_work *work, const struct blkpr_target targets[], unsigned count,
	struct blkpr_verdict verdicts[], unsigned *arbiter)
{
	int rc;

	*arbiter = count;
	if (!count)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		verdicts[i] = (struct blkpr_verdict){ .result = BLKPR_UNTOUCHED };
	rc = find_arbiter(work, targets, count, verdicts, arbiter);
	if (rc || *arbiter == count)
		return rc;
	if (count > 1)
		rc = run_others(work, targets, count, *arbiter, verdicts);
	if (!rc && blkpr_result_unreachable(verdicts[*arbiter].result)) /* won, and lost its path at the drain */
		rc = insist(work, &targets[*arbiter], false, work->deadline, &verdicts[*arbiter]);
	return rc;
}
