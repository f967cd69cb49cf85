// SPDX-License-Identifier: GPL-2.0-or-later
// The action monitor.
#include <errno.h>

#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/reservation/actions.h"
#include "agents/reservation/look.h"
#include "agents/reservation/plan.h"
#include "agents/reservation/score.h"

/* Every path registered: what monitor with OCF_CHECK_LEVEL 10 adds. */
static void check_deeply(struct resource *resource)
{
	for (unsigned i = 0; i < resource->disks.ntargets && resource->ocf.check_level >= 10; i++)
		if (resource->disks.verdicts[i].result == BLKPR_OK &&
			resource->disks.verdicts[i].own_registrations <
				resource->disks.targets[i].device->paths)
			resource->disks.verdicts[i].result = BLKPR_FEWER_PATHS;
}

/* Nothing of this node's is on the disk. */
static bool is_away(const struct resource *resource, const struct blkpr_verdict *verdict)
{
	(void)resource;
	return verdict->result == BLKPR_EVICTED;
}

static bool all_away(const struct resource *resource)
{
	for (unsigned i = 0; i < resource->disks.ntargets; i++)
		if (!is_away(resource, &resource->disks.verdicts[i]))
			return false;
	return true;
}

/* Started here, as this node remembers: it must be on the disks. */
static enum ocf_exitcode monitor_started(struct resource *resource, int rc)
{
	bool held = judge_enough(resource, rc, judge_ok);
	judge *good = resource->ocf.promotable ? judge_registered : judge_ok;
	struct blkpr_error error;
	enum ocf_exitcode code;

	if (resource->managed)
		held = resource->holding.promoted && held;
	code = judge_all(resource, rc, good);
	if (code == PCMK_OCF_OK && resource->holding.promoted && resource->ocf.promotable &&
		!held) {
		judge_take_reason(resource, rc, judge_ok);
		code = PCMK_OCF_FAILED_PROMOTED;
	}
	resource_take_lost_as_reason(resource);
	if (!*resource->ocf.reason.text && !resource->holding.good)
		blkpr_error_set(&resource->ocf.reason, "start was interrupted, and has not proven "
						       "that nobody else writes; start it again");
	if (code == PCMK_OCF_OK && *resource->ocf.reason.text)
		code = PCMK_OCF_UNKNOWN_ERROR;
	judge_tell(resource, resource->disks.ntargets);
	if (resource->ocf.run == BY_PACEMAKER && score_update(resource, good) &&
		holding_store_score(&resource->holding, &error))
		qb_log(LOG_WARNING, "%s", error.text); /* the disks are what they are */
	if (code != PCMK_OCF_OK)
		return code;
	return resource->ocf.promotable && held ? PCMK_OCF_RUNNING_PROMOTED : PCMK_OCF_OK;
}

/*
 * Not started here since the node was, so nothing of this boot is held. A disk may still have this
 * node's key from before; whether it holds by a path that lives only start can tell, so to be
 * registered is not to run, for a primitive.
 */
static enum ocf_exitcode monitor_unknown(struct resource *resource, int rc)
{
	if (resource->managed || all_away(resource))
		return PCMK_OCF_NOT_RUNNING;
	if (judge_enough(resource, rc, judge_ok) || judge_enough(resource, rc, judge_registered)) {
		qb_log(LOG_NOTICE, "this node's key is on the disks, from before its last boot; "
				   "start makes it good");
		return PCMK_OCF_NOT_RUNNING;
	}
	judge_all(resource, rc, judge_ok);
	judge_tell(resource, resource->disks.ntargets);
	return PCMK_OCF_NOT_INSTALLED; /* for a probe: it does not run here, and cannot */
}

/* Whether Pacemaker is not the one any more that started it; what cannot be told is no. */
static bool is_of_an_earlier_session(const struct resource *resource)
{
	long long now = pacemaker_executor_start(); /* what a managed disk shows is the same before
						       and after */

	return now && resource->holding.session && resource->holding.session != now;
}

/* Pacemaker died here, the node was evicted, and Pacemaker came back: what was started in that life
 * does not run. */
static bool was_ended(const struct resource *resource)
{
	if (!resource->ocf.probe)
		return false;
	if (resource->managed)
		return is_of_an_earlier_session(resource);
	return resource->disks.ntargets && !resource_lost_disk(resource) && all_away(resource);
}

enum ocf_exitcode act_monitor(struct resource *resource)
{
	bool started = resource->holding.ndisks;
	enum ocf_exitcode code = plan_make(resource, false);
	int rc;

	if (code != PCMK_OCF_OK && !started)
		return resource->ocf.probe ? resource_cannot_run(resource) : code;
	if (code != PCMK_OCF_OK)
		return PCMK_OCF_UNKNOWN_ERROR; /* it ran, and its disk has gone */
	rc = resource->disks.ntargets ? look_watch(resource) : -ENODEV;
	check_deeply(resource);
	if (started && was_ended(resource)) {
		if (resource->ocf.run !=
			BY_PACEMAKER) /* only looked at: crm_resource --force-check */
			return PCMK_OCF_NOT_RUNNING;
		return act_forget(resource) == PCMK_OCF_OK ? PCMK_OCF_NOT_RUNNING
							   : PCMK_OCF_UNKNOWN_ERROR;
	}
	return started ? monitor_started(resource, rc) : monitor_unknown(resource, rc);
}
