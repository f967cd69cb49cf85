// SPDX-License-Identifier: GPL-2.0-or-later
// The action start.
#include <stdlib.h>

#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/reservation/actions.h"
#include "agents/reservation/look.h"
#include "agents/reservation/plan.h"
#include "agents/reservation/score.h"

static bool takes_over(const struct resource *resource)
{
	return !resource->ocf.promotable && resource->hold.evict;
}

/* A derived key is nobody's but this agent's; an explicit one that was there before is not ended by
 * stop. */
static int begin_holding(struct resource *resource, struct blkpr_error *error)
{
	struct holding *holding = &resource->holding;
	bool fresh = !holding->ndisks;
	int rc = 0;

	holding->promoted = false;
	holding->good = false;
	holding->session = resource->managed ? pacemaker_executor_start() : 0;
	for (unsigned i = 0; i < resource->disks.ntargets && !rc; i++) {
		const char *wwid = resource->disks.targets[i].device->wwid;
		uint64_t key = resource->managed ? 0 : resource->disks.targets[i].own;
		bool keep =
			fresh && resource->keys.given && key && resource->disks.verdicts[i].kept;

		if (!holding_find(holding, wwid))
			rc = holding_add(
				holding, wwid, resource->disks.targets[i].device->name, key, keep);
	}
	if (rc) {
		blkpr_error_set(error, "out of memory");
		return rc;
	}
	return holding_store(&resource->holding, error);
}

/* A disk to which nothing was sent is not this resource's, and stop need not reach it. */
static void forget_untouched(struct resource *resource)
{
	struct blkpr_error error;

	for (unsigned i = 0; i < resource->disks.ntargets; i++) {
		const struct remembered *disk =
			holding_find(&resource->holding, resource->disks.targets[i].device->wwid);

		if (!disk || resource->disks.verdicts[i].touched ||
			resource->disks.verdicts[i].kept)
			continue;
		holding_drop(&resource->holding, (unsigned)(disk - resource->holding.disks));
	}
	if (holding_store(&resource->holding, &error))
		qb_log(LOG_WARNING, "%s", error.text);
}

static enum ocf_exitcode change(struct resource *resource)
{
	struct story story = resource_story(resource);
	unsigned arbiter = resource->disks.ntargets;
	enum ocf_exitcode code;
	int rc;

	if (resource->ocf.promotable)
		rc = blkpr_hold_run(&resource->hold, blkpr_hold_join_disk, resource->disks.targets,
			resource->disks.ntargets, resource->disks.verdicts);
	else
		rc = blkpr_hold_take(&resource->hold, resource->disks.targets,
			resource->disks.ntargets, resource->disks.verdicts, &arbiter);
	code = judge_all(resource, rc, judge_ok);
	say_story(&story, arbiter);
	say_failures(&story, arbiter); /* or what could not be done as well as it should */
	forget_untouched(resource);
	return code;
}

static bool told_before(const struct resource *resource, unsigned disk, uint64_t key)
{
	for (unsigned i = 0; i < disk; i++)
		for (unsigned k = 0; k < resource->disks.verdicts[i].nkeys; k++)
			if (resource->disks.verdicts[i].keys[k].key == key)
				return true;
	return false;
}

/* Whose keys are evicted, for people. */
static void tell_whose(const struct resource *resource)
{
	struct story story = resource_story(resource);

	for (unsigned i = 0; i < resource->disks.ntargets; i++)
		for (unsigned k = 0; k < resource->disks.verdicts[i].nkeys; k++) {
			uint64_t key = resource->disks.verdicts[i].keys[k].key;
			const char *owner = keyring_owner(
				&resource->keys, resource->keys.domain, resource->keys.method, key);
			char *text;

			if (key == resource->disks.targets[i].own || told_before(resource, i, key))
				continue;
			text = say_key(&story, i, key);
			qb_log(LOG_NOTICE, "%s: %s is registered, and will be evicted%s",
				resource->disks.targets[i].device->name, text ? text : "a key",
				owner ? "" : "; no node of the cluster has this key");
			free(text);
		}
}

static enum ocf_exitcode start_anew(struct resource *resource, judge *good)
{
	struct blkpr_error error;
	enum ocf_exitcode code = look_foresee(resource, blkpr_hold_foresee_disk);

	if (code != PCMK_OCF_OK)
		return code;
	if (begin_holding(resource, &error))
		return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	if (takes_over(resource))
		tell_whose(resource);
	code = change(resource);
	if (code == PCMK_OCF_OK) /* all at one time, after the last change */
		code = judge_all(resource, look_watch(resource), good);
	return code;
}

enum ocf_exitcode act_start(struct resource *resource)
{
	judge *good = resource->ocf.promotable ? judge_registered : judge_ok;
	struct blkpr_error error;
	enum ocf_exitcode code = plan_make(resource, true);

	if (code == PCMK_OCF_OK && plan_find_keys(resource, &error))
		code = ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	if (code != PCMK_OCF_OK)
		return code;
	if (resource->managed) {
		code = judge_all(resource, look_watch(resource), good);
		if (code == PCMK_OCF_OK && begin_holding(resource, &error))
			return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	} else if (!resource->holding.good ||
		   !judge_enough(resource, look_watch_first(resource), good)) {
		code = start_anew(resource, good);
		if (code != PCMK_OCF_OK)
			return code;
	} /* else started before, to its end */
	judge_tell(resource, resource->disks.ntargets);
	if (code != PCMK_OCF_OK)
		return code;
	resource->holding.score = 0; /* whatever the cluster knows of it */
	score_update(resource, good);
	return resource_good_now(resource);
}
