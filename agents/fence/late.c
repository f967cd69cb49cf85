// SPDX-License-Identifier: GPL-2.0-or-later
// Disks that come late.
#include "agents/fence/late.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/fence/plan.h"
#include "agents/fence/unfencing.h"
#include "lib/clock.h"

static bool is_meant(const char *spec, const struct registration *disk)
{
	char *copy = strdup(spec), *rest = NULL;
	bool meant = false;

	for (char *name = copy ? strtok_r(copy, ", \t\r\n", &rest) : NULL; name && !meant;
		name = strtok_r(NULL, ", \t\r\n", &rest))
		meant = coverage_means(disk, name);
	free(copy);
	return meant;
}

/* A disk of earlier boots that devices means, and that is not there; NULL: none. */
static const struct registration *find_late(const struct fencing *fencing)
{
	const char *spec = options_get(fencing->options, "devices");

	for (unsigned i = 0; i < fencing->disks.coverage.count && spec; i++) {
		const struct registration *disk = &fencing->disks.coverage.disks[i];

		if (disk->name && !disk->key &&
			!blkpr_list_find(&fencing->disks.list, disk->wwid) && is_meant(spec, disk))
			return disk;
	}
	return NULL;
}

#define LOOK_AGAIN_MS 250

/* Until when it is worth to look again, by what plan_add_devices() has answered. */
static int64_t wait_until(
	const struct fencing *fencing, int rc, int64_t began, struct blkpr_error *error)
{
	const struct registration *late = rc ? NULL : find_late(fencing);
	int64_t span = fencing->fence.deadline - began;

	if (rc == -ENOENT || rc == -ENODEV)
		return began + span / 4 * 3;
	if (!late)
		return 0;
	blkpr_error_set(error, "%s: not there yet, and registered on before the boot", late->name);
	return began + span / 2;
}

/*
 * S1: what has happened in so long a time. Another `on` may have registered disks; and the cluster
 * may have fenced this node, which then must not be registered by an `on` of before that.
 */
static int look_about(struct fencing *fencing, int64_t began, struct blkpr_error *error)
{
	struct blkpr_error reason;
	int64_t ms = blkpr_clock_ms() - began;

	qb_log(LOG_WARNING, "waited %.1f s for disks", (double)ms / 1000);
	coverage_clear(&fencing->disks.coverage);
	if (pacemaker_runs_us() &&
		unfencing_check_controller(fencing, (long)(ms / 1000) + 1, &reason))
		return blkpr_error_fail(error, -EAGAIN,
			"the disks are there now, and this node may have been fenced meanwhile; "
			"repeat: %.300s",
			reason.text);
	return disks_load_coverage(&fencing->disks, fencing->fence.deadline, error);
}

/*
 * At boot disks may come later than Pacemaker, which gives up after a number of failures. What
 * devices names is worth three quarters of the time, since without it nothing can be done; what
 * only a glob does not match yet half of it.
 */
int late_wait_for_devices(struct fencing *fencing, struct blkpr_error *error)
{
	int64_t began = blkpr_clock_ms(), until;
	bool told = false;
	int rc;

	while (true) {
		rc = plan_add_devices(fencing, error);
		until = wait_until(fencing, rc, began, error);
		if (blkpr_clock_ms() >= until)
			break;
		if (!told)
			qb_log(LOG_WARNING, "waiting for disks, at most %d s: %s",
				(int)((until - began + 999) / 1000), error->text);
		told = true;
		blkpr_list_clear(&fencing->disks.list);
		blkpr_clock_pause(LOOK_AGAIN_MS, until);
	}
	return rc || !told ? rc : look_about(fencing, began, error);
}
