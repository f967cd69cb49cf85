// SPDX-License-Identifier: GPL-2.0-or-later
// `on`: the local node is registered, and it is kept where and with which key.
#include "agents/fence/actions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#include "agents/common/alarm.h"
#include "agents/common/at_work.h"
#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/fence/late.h"
#include "agents/fence/peers.h"
#include "agents/fence/replaced.h"
#include "agents/fence/report.h"
#include "agents/fence/twins.h"
#include "agents/fence/unfencing.h"
#include "agents/fence/victim.h"

/* --- the plan -------------------------------------------------------------------------------- */

/*
 * Before a cluster relies on it: by keys per node "off" and "monitor" cannot tell another node's
 * from a stranger's.
 */
static int check_key_is_by_hand(const struct fencing *fencing, struct blkpr_error *error)
{
	if (!fencing->keys.given || !pacemaker_runs_us() ||
		fencing->fence.unknown == BLKPR_UNKNOWN_ALLOW)
		return 0;
	return blkpr_error_fail(error, -EINVAL,
		"key=0x%" PRIx64
		": leave it out, on every node (one fence device for all is enough): which keys "
		"key= gives other nodes is not known here, so \"off\" and \"monitor\" could not "
		"succeed",
		fencing->keys.given);
}

/* `on` is for the local node alone: nothing else may register a key (S2). */
static int plan_on(struct fencing *fencing, struct blkpr_error *error)
{
	int rc = check_key_is_by_hand(fencing, error);
	uint64_t own;

	for (unsigned i = 0; !rc && i < fencing->nvictims && fencing->victims[i].name; i++)
		rc = victim_check_local(fencing, fencing->victims[i].name, error);
	if (!rc)
		rc = keyring_find_own(&fencing->keys, &own, error);
	for (unsigned i = 0; i < fencing->disks.list.count && !rc; i++)
		fencing->disks.targets[i].own = own;
	return rc;
}

static int prepare_on(struct fencing *fencing, struct blkpr_error *error)
{
	int rc;

	keyring_load_cluster(&fencing->keys);
	rc = victim_settle_names(fencing, error);
	if (!rc)
		rc = disks_load_coverage(&fencing->disks, fencing->fence.deadline, error);
	if (!rc)
		rc = late_wait_for_devices(fencing, error);
	if (!rc)
		rc = disks_settle(&fencing->disks, error);
	if (!rc)
		rc = plan_on(fencing, error);
	return rc ? rc : keyring_others(&fencing->keys, &fencing->fence.others, error);
}

/* --- the set of disks ------------------------------------------------------------------------ */

/* The disks that the set gains, before any is touched. */
static int expect_disks(struct fencing *fencing, struct coverage_change fresh[], unsigned *count,
	struct blkpr_error *error)
{
	*count = 0;
	for (unsigned i = 0; i < fencing->disks.list.count; i++) {
		const struct blkpr_device *device = fencing->disks.targets[i].device;
		const struct registration *known =
			coverage_find(&fencing->disks.coverage, device->wwid);

		if ((!known || !known->name) && !twins_is_second(fencing, i))
			fresh[(*count)++] = (struct coverage_change){device->wwid, device->name};
	}
	return *count ? coverage_update(&fencing->disks.coverage, fresh, *count, error) : 0;
}

static bool is_fresh(const struct coverage_change fresh[], unsigned count, const char *wwid)
{
	for (unsigned i = 0; i < count; i++)
		if (fresh[i].wwid == wwid)
			return true;
	return false;
}

/* Whether this node may be registered there, or come to be. */
static bool may_be_registered(const struct fencing *fencing, const char *wwid)
{
	for (unsigned i = 0; i < fencing->disks.list.count; i++) {
		const struct blkpr_verdict *verdict = &fencing->disks.verdicts[i];

		if (!strcmp(fencing->disks.targets[i].device->wwid, wwid) &&
			(verdict->result == BLKPR_OK || blkpr_result_unreachable(verdict->result) ||
				verdict->own_registrations))
			return true;
	}
	return false;
}

/* A disk keeps the name that it had while that is among those given for it. */
static bool is_named(const struct fencing *fencing, const struct registration *disk)
{
	for (unsigned i = 0; i < fencing->disks.list.count; i++)
		if (!strcmp(fencing->disks.targets[i].device->wwid, disk->wwid) &&
			!strcmp(fencing->disks.targets[i].device->name, disk->name))
			return true;
	return false;
}

/*
 * A disk that `on` has refused, and left without this node's key, is none of the set; others may
 * have a new name.
 */
static int settle_set(struct fencing *fencing, const struct coverage_change fresh[], unsigned count,
	struct blkpr_error *error)
{
	struct coverage_change *changes = calloc(fencing->disks.list.count + 1, sizeof(*changes));
	unsigned n = 0;
	int rc = changes ? 0 : -ENOMEM;

	for (unsigned i = 0; changes && i < fencing->disks.list.count; i++) {
		const struct blkpr_device *device = fencing->disks.targets[i].device;
		const struct registration *known =
			coverage_find(&fencing->disks.coverage, device->wwid);

		if (is_fresh(fresh, count, device->wwid) &&
			!may_be_registered(fencing, device->wwid))
			changes[n++] = (struct coverage_change){.wwid = device->wwid};
		else if (known && known->name && !is_named(fencing, known))
			changes[n++] = (struct coverage_change){device->wwid, device->name};
	}
	if (rc)
		blkpr_error_set(error, "out of memory");
	else if (n)
		rc = coverage_update(&fencing->disks.coverage, changes, n, error);
	free(changes);
	return rc;
}

/* When, and with which key: of every disk on which it was proven. */
static int record_registrations(struct fencing *fencing, struct blkpr_error *error)
{
	struct registration *records = calloc(fencing->disks.list.count + 1, sizeof(*records));
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; records && i < fencing->disks.list.count; i++) {
		const struct blkpr_device *device = fencing->disks.targets[i].device;

		if (fencing->disks.verdicts[i].result != BLKPR_OK)
			continue;
		records[n] = (struct registration){.wwid = device->wwid,
			.name = device->name,
			.key = fencing->disks.targets[i].own,
			.in_flight = fencing->fence.in_flight,
			.since = registration_clock()};
		snprintf(records[n++].how, sizeof(records->how), "%s",
			fencing->keys.given ? REGISTRATION_EXPLICIT
					    : blkpr_key_method_names[fencing->keys.method]);
	}
	if (!records)
		blkpr_error_set(error, "out of memory");
	rc = records ? coverage_record(&fencing->disks.coverage, records, n, error) : -ENOMEM;
	free(records);
	return rc;
}

/* --- registering ----------------------------------------------------------------------------- */

static void warn_fewer_paths(const struct fencing *fencing)
{
	for (unsigned i = 0; i < fencing->disks.list.count; i++)
		if (fencing->disks.verdicts[i].own_registrations <
			fencing->disks.list.devices[i].paths)
			qb_log(LOG_WARNING,
				"%s: registered on %u of %u paths; repeat once all paths are back",
				fencing->disks.list.devices[i].name,
				fencing->disks.verdicts[i].own_registrations,
				fencing->disks.list.devices[i].paths);
}

/* What is not there cannot be registered; it is missed, and keeps "off" from succeeding. */
static void warn_absent(struct fencing *fencing)
{
	struct blkpr_error ignored;
	unsigned first = fencing->disks.list.count;

	if (disks_add_covered(&fencing->disks, &ignored))
		return;
	for (unsigned i = first; i < fencing->disks.list.count; i++)
		if (!fencing->disks.list.devices[i].path)
			qb_log(LOG_WARNING,
				"%s: not there any more, and nobody has taken it away on purpose "
				"(%s): no \"off\" will succeed here; reconnect it, or say so on "
				"every node: fence_blkpr -o forget -d %s",
				fencing->disks.list.devices[i].name,
				fencing->disks.list.devices[i].wwid,
				fencing->disks.list.devices[i].name);
}

/* What there is to do before the disks are worked on all at once. */
static int begin_on(struct fencing *fencing, struct coverage_change fresh[], unsigned *count,
	struct blkpr_error *error)
{
	struct blkpr_error unwritten;
	int rc = at_work_begin(BLKPR_RUN_DIR, error);

	if (!rc)
		rc = expect_disks(fencing, fresh, count, error);
	if (rc)
		return rc;
	fencing->fence.fenced = pacemaker_runs_us();
	unfencing_find_recorded(fencing);
	alarm_during_work(fencing->fence.deadline);
	rc = twins_prove(fencing, error);
	if (rc != -EXDEV)
		return rc;
	for (unsigned i = 0; i < fencing->disks.list.count; i++)
		fencing->disks.verdicts[i].result = BLKPR_UNTOUCHED;
	if (settle_set(fencing, fresh, *count, &unwritten))
		*error = unwritten;
	return rc;
}

static enum outcome do_on(struct fencing *fencing, struct coverage_change fresh[])
{
	struct blkpr_error error;
	unsigned count;
	bool done;
	int rc;

	if (begin_on(fencing, fresh, &count, &error))
		return report_refuse(&error);
	rc = unfencing_register_all(fencing);
	done = report_run(fencing, rc, fencing->disks.list.count);
	if (replaced_remember(fencing, &error))
		done = report_refuse(&error) == OUTCOME_DONE;
	if (settle_set(fencing, fresh, count, &error) || record_registrations(fencing, &error))
		done = report_refuse(&error) == OUTCOME_DONE;
	if (!done)
		return OUTCOME_FAILED;
	warn_fewer_paths(fencing);
	warn_absent(fencing); /* last: it adds to the list */
	peers_publish(fencing);
	puts("Success: Powered ON");
	return OUTCOME_DONE;
}

enum outcome act_on(struct fencing *fencing)
{
	struct coverage_change *fresh = NULL;
	struct blkpr_error error;
	enum outcome outcome;
	int rc = prepare_on(fencing, &error);

	if (!rc && !(fresh = calloc(fencing->disks.list.count + 1, sizeof(*fresh)))) {
		blkpr_error_set(&error, "out of memory");
		rc = -ENOMEM;
	}
	outcome = rc ? report_refuse(&error) : do_on(fencing, fresh);
	free(fresh);
	return outcome;
}
