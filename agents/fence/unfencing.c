// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a node that was evicted may be registered again (S1).
#include "agents/fence/unfencing.h"

#include <errno.h>

#include "agents/common/alarm.h"
#include "agents/common/log.h"
#include "agents/common/pacemaker.h"

/*
 * S1: a cluster unfences a node that it has fenced a moment ago if that is a member still, because
 * its controller hangs, or has not read yet that it was fenced, or has been started anew. But what
 * the node ran runs on, and elsewhere, too. So a key that `on` registered for this very Pacemaker,
 * and that is gone, is not registered again at once.
 */
void unfencing_find_recorded(struct fencing *fencing)
{
	long now = registration_clock(), pacemaker = pacemaker_runs_us() ? pacemaker_age() : 0;

	for (unsigned i = 0; i < fencing->disks.list.count; i++) {
		const struct registration *record = disks_record(&fencing->disks, i);

		fencing->disks.targets[i].former = record ? record->key : 0;
		fencing->disks.targets[i].recorded =
			record && record->key && record->since >= 0 &&
			(pacemaker < 0 || pacemaker > now - record->since);
	}
}

/* Seconds since own was registered where it is gone now, the longest; -1: it is gone nowhere. */
static long evicted_age(const struct fencing *fencing)
{
	long age = -1;

	for (unsigned i = 0; i < fencing->disks.list.count; i++) {
		const struct registration *record = disks_record(&fencing->disks, i);

		if (fencing->disks.verdicts[i].result == BLKPR_FENCED && record &&
			registration_clock() - record->since > age)
			age = registration_clock() - record->since;
	}
	return age;
}

int unfencing_check_controller(struct fencing *fencing, long age, struct blkpr_error *error)
{
	const struct cluster_node *self = cluster_self(&fencing->keys.cluster);

	if (!self)
		return blkpr_error_fail(error, -ENODATA,
			"corosync does not say which node this is, so it cannot be asked");
	if (pacemaker_controller_age() > age)
		return pacemaker_ask_controller(
			self->name, alarm_asking_by(fencing->fence.deadline), error);
	return blkpr_error_fail(
		error, -ESRCH, "pacemaker-controld has ended since, or has been started anew");
}

static bool was_taken_back(struct fencing *fencing, long age)
{
	struct blkpr_error error;

	if (!unfencing_check_controller(fencing, age, &error))
		return true;
	qb_log(LOG_ERR,
		"this node was registered, and has been evicted; its controller may not know what "
		"runs here: %s",
		error.text);
	return false;
}

int unfencing_register_all(struct fencing *fencing)
{
	int rc;

	rc = blkpr_fence_on(&fencing->fence, fencing->disks.targets, fencing->disks.list.count,
		fencing->disks.verdicts);
	if (!rc && evicted_age(fencing) >= 0 && was_taken_back(fencing, evicted_age(fencing))) {
		fencing->fence.fenced = false;
		rc = blkpr_fence_on(&fencing->fence, fencing->disks.targets,
			fencing->disks.list.count, fencing->disks.verdicts);
	}
	return rc;
}
