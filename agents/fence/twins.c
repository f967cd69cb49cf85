// SPDX-License-Identifier: GPL-2.0-or-later
// One disk or two: what a PERSISTENT RESERVE OUT by one path changes, every path of that disk
// shows.
#include "agents/fence/twins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/hold.h"

/* The targets that have a twin, those of one identity next to each other. */
struct twins {
	struct blkpr_target *targets;
	struct blkpr_verdict *before, *now;
	struct blkpr_target *firsts; /* room for one of each identity */
	struct blkpr_verdict *verdicts;
	unsigned count;
};

bool twins_is_second(const struct fencing *fencing, unsigned i)
{
	return i && !strcmp(fencing->disks.targets[i - 1].device->wwid,
			    fencing->disks.targets[i].device->wwid);
}

static bool has_twin(const struct fencing *fencing, unsigned i)
{
	return twins_is_second(fencing, i) ||
	       (i + 1 < fencing->disks.ntargets && twins_is_second(fencing, i + 1));
}

static int find(const struct fencing *fencing, struct twins *twins, struct blkpr_error *error)
{
	*twins = (struct twins){
		.targets = calloc(fencing->disks.ntargets, sizeof(*twins->targets)),
		.before = calloc(fencing->disks.ntargets, sizeof(*twins->before)),
		.now = calloc(fencing->disks.ntargets, sizeof(*twins->now)),
		.firsts = calloc(fencing->disks.ntargets, sizeof(*twins->firsts)),
		.verdicts = calloc(fencing->disks.ntargets, sizeof(*twins->verdicts)),
	};
	if (!twins->targets || !twins->before || !twins->now || !twins->firsts ||
		!twins->verdicts)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < fencing->disks.ntargets; i++)
		if (has_twin(fencing, i))
			twins->targets[twins->count++] = fencing->disks.targets[i];
	return 0;
}

static void clear(struct twins *twins)
{
	free(twins->targets);
	free(twins->before);
	free(twins->now);
	free(twins->firsts);
	free(twins->verdicts);
}

static bool is_second(const struct twins *twins, unsigned i)
{
	return i && !strcmp(twins->targets[i - 1].device->wwid, twins->targets[i].device->wwid);
}

/* --- looking ---------------------------------------------------------------------------------- */

static void look_at(const void *context, const struct blkpr_target *target, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	struct blkpr_report report;

	(void)context;
	verdict->step = BLKPR_STEP_READ;
	verdict->result = disk->ops->read(disk, &report);
	if (verdict->result != BLKPR_OK)
		return;
	blkpr_verdict_observe(verdict, &report, target->own);
	blkpr_report_clear(&report);
}

static void look(
	const struct fencing *fencing, const struct twins *twins, struct blkpr_verdict verdicts[])
{
	struct blkpr_work work = { .protocol = look_at,
		.parallel = fencing->fence.parallel,
		.deadline = fencing->fence.deadline };

	blkpr_work_run(&work, twins->targets, twins->count, verdicts);
}

static bool has_key(const struct blkpr_verdict *verdict, uint64_t key, unsigned count)
{
	for (unsigned i = 0; i < verdict->nkeys; i++)
		if (verdict->keys[i].key == key && verdict->keys[i].count == count)
			return true;
	return false;
}

static bool show_the_same(const struct blkpr_verdict *a, const struct blkpr_verdict *b)
{
	if (a->generation_after != b->generation_after || a->type != b->type ||
		a->holder != b->holder || a->registrations != b->registrations ||
		a->nkeys != b->nkeys)
		return false;
	for (unsigned i = 0; i < a->nkeys; i++)
		if (!has_key(b, a->keys[i].key, a->keys[i].count))
			return false;
	return true;
}

static int unreadable(const struct twins *twins, unsigned i, const struct blkpr_verdict *verdict,
	struct blkpr_error *error)
{
	return blkpr_error_fail(error, -EIO,
		"%s: reports the WWID of another device, %s, and whether both are one disk cannot "
		"be told: %s",
		twins->targets[i].device->name, twins->targets[i].device->wwid,
		blkpr_result_text(verdict->result));
}

static int two_disks(const struct twins *twins, unsigned i, struct blkpr_error *error)
{
	return blkpr_error_fail(error, -EXDEV,
		"%s and %s are two disks that report one WWID, %s: give each LUN a serial number "
		"of its own on the target, or leave one of them out of devices",
		twins->targets[i - 1].device->name, twins->targets[i].device->name,
		twins->targets[i].device->wwid);
}

#define LOOKS 5
#define PAUSE_MS 50

/* Somebody may change a disk between two reads: what differs is read again. */
static int compare(const struct fencing *fencing, const struct twins *twins,
	struct blkpr_verdict verdicts[], struct blkpr_error *error)
{
	int rc = 0;

	for (unsigned round = 0; round < LOOKS && (!round || rc); round++) {
		if (round)
			blkpr_clock_pause(PAUSE_MS, fencing->fence.deadline);
		look(fencing, twins, verdicts);
		rc = 0;
		for (unsigned i = 0; i < twins->count && !rc; i++) {
			if (verdicts[i].result != BLKPR_OK)
				rc = unreadable(twins, i, &verdicts[i], error);
			else if (is_second(twins, i) &&
				 !show_the_same(&verdicts[i - 1], &verdicts[i]))
				rc = two_disks(twins, i, error);
		}
	}
	return rc;
}

int twins_compare(struct fencing *fencing, struct blkpr_error *error)
{
	struct twins twins;
	int rc = find(fencing, &twins, error);

	if (!rc && twins.count)
		rc = compare(fencing, &twins, twins.now, error);
	clear(&twins);
	return rc;
}

/* --- on --------------------------------------------------------------------------------------- */

/* By the first of each identity. */
static unsigned find_firsts(struct twins *twins)
{
	unsigned n = 0;

	for (unsigned i = 0; i < twins->count; i++)
		if (!is_second(twins, i))
			twins->firsts[n++] = twins->targets[i];
	return n;
}

/* Every REGISTER moves the generation (SPC-4 5.12.9): one that did not move has not got it. */
static int check_moved(const struct twins *twins, struct blkpr_error *error)
{
	for (unsigned i = 0; i < twins->count; i++) {
		const struct blkpr_verdict *before = &twins->before[i], *now = &twins->now[i];

		if (is_second(twins, i) && (now->generation_after == before->generation_after ||
						   !now->own_registrations))
			return two_disks(twins, i, error);
	}
	return 0;
}

/* Where this node was not registered before. 0: nothing of it is left. */
static int undo(const struct fencing *fencing, struct twins *twins)
{
	struct blkpr_hold hold = { .type = fencing->fence.type,
		.parallel = fencing->fence.parallel,
		.deadline = fencing->fence.deadline };
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; i < twins->count; i++)
		if (!is_second(twins, i) && !twins->before[i].own_registrations)
			twins->firsts[n++] = twins->targets[i];
	rc = n ? blkpr_hold_run(&hold, blkpr_hold_leave_disk, twins->firsts, n, twins->verdicts)
	       : 0;
	for (unsigned i = 0; i < n && !rc; i++)
		rc = twins->verdicts[i].result == BLKPR_OK ? 0 : -EIO;
	return rc;
}

static int prove(struct fencing *fencing, struct twins *twins, struct blkpr_error *error)
{
	unsigned n = find_firsts(twins);
	int rc = compare(fencing, twins, twins->before, error);

	if (rc)
		return rc;
	rc = blkpr_fence_on(&fencing->fence, twins->firsts, n, twins->verdicts);
	for (unsigned i = 0; i < n && !rc; i++)
		if (twins->verdicts[i].result != BLKPR_OK)
			return 0; /* `on` fails there, and says why */
	if (!rc)
		rc = compare(fencing, twins, twins->now, error);
	if (!rc)
		rc = check_moved(twins, error);
	return rc == -EXDEV && undo(fencing, twins) ? -EIO : rc;
}

int twins_prove(struct fencing *fencing, struct blkpr_error *error)
{
	struct twins twins;
	int rc = find(fencing, &twins, error);

	if (!rc && twins.count)
		rc = prove(fencing, &twins, error);
	clear(&twins);
	return rc;
}
