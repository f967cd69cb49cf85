// SPDX-License-Identifier: GPL-2.0-or-later
// The actions, but for start and monitor, and the table of all.
#include "agents/reservation/actions.h"

#include <string.h>

#include "agents/common/log.h"
#include "agents/common/record.h"
#include "agents/reservation/look.h"
#include "agents/reservation/plan.h"
#include "agents/reservation/score.h"

/* --- stop ------------------------------------------------------------------------------------ */

enum ocf_exitcode act_forget(struct resource *resource)
{
	struct blkpr_error error;

	score_delete(resource);
	if (record_resource_remove(resource->ocf.instance, &error))
		return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	return PCMK_OCF_OK;
}

static enum ocf_exitcode leave(struct resource *resource)
{
	int rc = 0;

	if (resource->disks.ntargets)
		rc = blkpr_hold_run(&resource->hold, blkpr_hold_leave_disk, resource->disks.targets,
			resource->disks.ntargets, resource->disks.verdicts);
	if (rc || !judge_all_left(resource))
		judge_take_reason(resource, rc, judge_left);
	resource_take_lost_as_reason(resource);
	judge_tell(resource, resource->disks.ntargets);
	return *resource->ocf.reason.text ? PCMK_OCF_UNKNOWN_ERROR : act_forget(resource);
}

/*
 * A disk that is remembered, and whose state is not known now, is no reason to say that all is
 * stopped; nor is one of a resource of which nothing is remembered. What start was tried of, and
 * has changed nothing, needs no disk to be stopped.
 */
static enum ocf_exitcode act_stop(struct resource *resource)
{
	enum ocf_exitcode code;

	/* start has changed nothing, and a given key may have been somebody's before */
	if (resource->keys.given && resource->holding.exists && !resource->holding.ndisks)
		return act_forget(resource);
	code = plan_make(resource, false);
	if (code == PCMK_OCF_OK)
		return resource->managed ? act_forget(resource) : leave(resource);
	if (!resource->holding.exists || holding_has_own(&resource->holding))
		return PCMK_OCF_UNKNOWN_ERROR;
	qb_log(LOG_NOTICE, "%s; nothing is held here", resource->ocf.reason.text);
	*resource->ocf.reason.text = '\0';
	return act_forget(resource);
}

/* --- promote, demote ------------------------------------------------------------------------- */

static enum ocf_exitcode act_promote(struct resource *resource)
{
	unsigned arbiter = resource->disks.ntargets;
	struct blkpr_error error;
	enum ocf_exitcode code;
	int rc = 0;

	keyring_load_cluster(&resource->keys);
	code = plan_make(resource, false);
	if (code == PCMK_OCF_OK && plan_find_keys(resource, &error))
		code = ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	if (code != PCMK_OCF_OK)
		return code;
	if (!resource->managed && !resource->hold.evict && !resource->keys.clustered)
		return ocf_fail(
			&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &resource->keys.unclustered);
	if (!resource->managed)
		code = look_foresee(resource, blkpr_hold_foresee_promotion_disk);
	if (code != PCMK_OCF_OK)
		return code;
	if (!resource->managed) {
		rc = blkpr_hold_promote(&resource->hold, resource->disks.targets,
			resource->disks.ntargets, resource->disks.verdicts, &arbiter);
		code = judge_all(resource, rc, judge_ok);
		judge_tell(resource, arbiter);
	}
	if (code == PCMK_OCF_OK)
		code = judge_all(resource, look_watch(resource), judge_ok);
	judge_tell(resource, resource->disks.ntargets);
	resource->holding.promoted = code == PCMK_OCF_OK;
	return code == PCMK_OCF_OK ? resource_good_now(resource) : code;
}

static enum ocf_exitcode act_demote(struct resource *resource)
{
	enum ocf_exitcode code = plan_make(resource, false);
	int rc = 0;

	if (code != PCMK_OCF_OK)
		return code;
	if (!resource->managed) {
		rc = blkpr_hold_run(&resource->hold, blkpr_hold_demote_disk,
			resource->disks.targets, resource->disks.ntargets,
			resource->disks.verdicts);
		if (rc || !judge_all_left(resource))
			judge_take_reason(resource, rc, judge_left);
		resource_take_lost_as_reason(resource);
		judge_tell(resource, resource->disks.ntargets);
	}
	if (*resource->ocf.reason.text)
		return PCMK_OCF_UNKNOWN_ERROR;
	resource->holding.promoted = false;
	return resource_good_now(resource);
}

/* --- the rest -------------------------------------------------------------------------------- */

static enum ocf_exitcode validate(struct resource *resource)
{
	if (resource->ocf.check_level >= 10)
		return plan_make(resource, true);
	if (options_get(&resource->options, "devices"))
		return PCMK_OCF_OK;
	blkpr_error_set(&resource->ocf.reason, "devices is not set: name the disks of the service");
	return PCMK_OCF_NOT_CONFIGURED;
}

static enum ocf_exitcode nothing(struct resource *resource)
{
	(void)resource;
	return PCMK_OCF_OK;
}

static const struct action actions[] = {
	{"start", true, false, act_start},
	{"stop", true, true, act_stop},
	{"monitor", true, false, act_monitor},
	{"promote", true, false, act_promote},
	{"demote", true, true, act_demote},
	{"notify", false, false, nothing},
	{"reload-agent", false, false, nothing},
	{"validate-all", false, false, validate},
};

const struct action *action_find(const char *name)
{
	for (unsigned i = 0; name && i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}
