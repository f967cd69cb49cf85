// SPDX-License-Identifier: GPL-2.0-or-later
// The actions, but for `on`: from a plan to verdicts, from verdicts to an outcome.
#include "agents/fence/actions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agents/common/log.h"
#include "agents/fence/peers.h"
#include "agents/fence/plan.h"
#include "agents/fence/replaced.h"
#include "agents/fence/report.h"
#include "agents/fence/victim.h"
#include "agents/fence/withdraw.h"

/* --- off ------------------------------------------------------------------------------------- */

static bool victim_was_seen(const struct fencing *fencing)
{
	for (unsigned i = 0; i < fencing->disks.list.count; i++)
		if (fencing->disks.verdicts[i].victim_seen)
			return true;
	return false;
}

/* S1: a disk that was open took commands of the victims that come, too, and of this one until the
 * next look. */
static void remember_open(struct fencing *fencing)
{
	for (unsigned i = 0; i < fencing->disks.list.count; i++)
		fencing->disks.targets[i].open |= fencing->disks.verdicts[i].open;
}

static enum outcome act_off(struct fencing *fencing)
{
	struct blkpr_error error;
	bool removed = false;
	int rc = plan_make(fencing, &error);

	for (unsigned i = 0; i < fencing->nvictims && !rc; i++)
		rc = victim_check_not_self(fencing, &fencing->victims[i], &error);
	if (rc)
		return report_refuse(&error);
	for (unsigned i = 0; i < fencing->nvictims; i++) {
		unsigned arbiter;

		plan_turn_to(fencing, &fencing->victims[i]);
		do {
			rc = blkpr_fence_off(&fencing->fence, fencing->disks.targets,
				fencing->disks.list.count, fencing->disks.verdicts, &arbiter);
			removed |= victim_was_seen(fencing);
			remember_open(fencing);
		} while (plan_learned_remotes(fencing));
		replaced_judge(fencing);
		if (!report_run(fencing, rc, arbiter))
			return OUTCOME_FAILED;
	}
	puts(removed ? "Success: Powered OFF" : "Success: Already OFF");
	return OUTCOME_DONE;
}

/* --- status ---------------------------------------------------------------------------------- */

/* One device with the key is enough for ON; OFF must be proven on every one. */
static enum outcome status_of(struct fencing *fencing, const struct victim *victim)
{
	bool on = false;
	int rc;

	plan_turn_to(fencing, victim);
	do
		rc = blkpr_fence_status(&fencing->fence, fencing->disks.targets,
			fencing->disks.list.count, fencing->disks.verdicts);
	while (plan_learned_remotes(fencing));
	replaced_judge(fencing);
	for (unsigned i = 0; i < fencing->disks.list.count && !rc; i++) {
		if (fencing->disks.verdicts[i].result != BLKPR_VICTIM_ON)
			continue;
		on = true;
		fencing->disks.verdicts[i].result = BLKPR_OK; /* an answer, not a failure */
	}
	if (!report_run(fencing, rc, fencing->disks.list.count) && !on)
		return OUTCOME_FAILED;
	return on ? OUTCOME_DONE : OUTCOME_OFF;
}

static enum outcome act_status(struct fencing *fencing)
{
	struct blkpr_error error;
	enum outcome outcome = OUTCOME_OFF;

	if (plan_make(fencing, &error))
		return report_refuse(&error);
	for (unsigned i = 0; i < fencing->nvictims && outcome == OUTCOME_OFF; i++)
		outcome = status_of(fencing, &fencing->victims[i]);
	if (outcome != OUTCOME_FAILED)
		puts(outcome == OUTCOME_OFF ? "Status: OFF" : "Status: ON");
	return outcome;
}

/* --- monitor, list --------------------------------------------------------------------------- */

static enum outcome act_monitor(struct fencing *fencing)
{
	struct blkpr_error error;
	int rc;

	fencing->nvictims = 0; /* the fencer may name a node; monitor is about this one */
	keyring_load_cluster(&fencing->keys);
	if (fencing->keys.method != BLKPR_KEY_NAME64)
		plan_know_remotes(fencing); /* short keys: a remote node may have this node's */
	rc = plan_make(fencing, &error);
	if (rc)
		return report_refuse(&error);
	do
		rc = blkpr_fence_monitor(&fencing->fence, fencing->disks.targets,
			fencing->disks.list.count, fencing->disks.verdicts);
	while (plan_learned_remotes(fencing));
	if (!report_run(fencing, rc, fencing->disks.list.count))
		return OUTCOME_FAILED;
	return peers_compare(fencing, &error) ? report_refuse(&error) : OUTCOME_DONE;
}

/* Every node that can be fenced, registered or not: who can run `on`, as remote nodes cannot. */
static int load_nodes(struct fencing *fencing, struct blkpr_error *error)
{
	const struct cluster_node *nameless;

	keyring_load_cluster(&fencing->keys);
	if (!fencing->keys.clustered) {
		*error = fencing->keys.unclustered;
		return -ENOTCONN;
	}
	nameless = cluster_nameless(&fencing->keys.cluster);
	if (nameless)
		qb_log(LOG_WARNING,
			"%s: corosync has no name for this node, and Pacemaker calls no node by an "
			"address; set nodelist.node.name in corosync.conf, or pcmk_host_map",
			nameless->name);
	return 0;
}

static enum outcome act_list(struct fencing *fencing)
{
	struct blkpr_error error;

	if (load_nodes(fencing, &error))
		return report_refuse(&error);
	for (unsigned i = 0; i < fencing->keys.cluster.count; i++)
		printf("%s%s\n", fencing->keys.cluster.nodes[i].name,
			options_get(fencing->options, "separator"));
	return OUTCOME_DONE;
}

static enum outcome act_list_status(struct fencing *fencing)
{
	static const char *const states[] = {
		[OUTCOME_DONE] = "ON", [OUTCOME_FAILED] = "UNKNOWN", [OUTCOME_OFF] = "OFF"};
	const char *separator = options_get(fencing->options, "separator");
	enum outcome worst = OUTCOME_DONE;
	struct blkpr_error error;

	fencing->nvictims = 0;
	if (load_nodes(fencing, &error) || plan_make(fencing, &error))
		return report_refuse(&error);
	for (unsigned i = 0; i < fencing->keys.cluster.count; i++) {
		struct victim victim = {.name = fencing->keys.cluster.nodes[i].name};
		enum outcome outcome = OUTCOME_FAILED;

		if (fencing->keys.cluster.nodes[i].remote) /* learned meanwhile, for its key */
			continue;
		if (victim_find(fencing, &victim, &error))
			report_refuse(&error);
		else
			outcome = status_of(fencing, &victim);
		printf("%s%s%s%s\n", victim.name, separator, separator, states[outcome]);
		if (outcome == OUTCOME_FAILED)
			worst = OUTCOME_FAILED;
	}
	return worst;
}

/* Only what can be said without root, a cluster or I/O: the fencer validates with any node name, or
 * none. */
static enum outcome act_validate(struct fencing *fencing)
{
	const char *spec = options_get(fencing->options, "devices");
	struct blkpr_error error;

	if (spec && blkpr_list_add(&fencing->disks.list, spec, &error))
		return report_refuse(&error);
	if (*fencing->unlogged.text)
		return OUTCOME_FAILED; /* it has been told */
	if (!spec || fencing->disks.list.count)
		return OUTCOME_DONE;
	blkpr_error_set(&error, "no devices: the list in devices is empty");
	return report_refuse(&error);
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct action actions[] = {
	{"on", ACTION_ROOT, act_on},
	{"off", ACTION_ROOT | ACTION_NODE | ACTION_DELAY, act_off},
	{"status", ACTION_ROOT | ACTION_NODE, act_status},
	{"list", ACTION_BARE, act_list},
	{"list-status", ACTION_ROOT, act_list_status},
	{"monitor", ACTION_ROOT, act_monitor},
	{"validate-all", 0, act_validate},
	{"enable", ACTION_ROOT, act_on},
	{"disable", ACTION_ROOT | ACTION_NODE | ACTION_DELAY, act_off},
	{"forget", ACTION_ROOT,
		act_forget}, /* by hand; the metadata does not offer these two to a cluster */
	{"release", ACTION_ROOT, act_release},
};

const char *action_names(void)
{
	return "on, off, status, list, list-status, monitor, validate-all, metadata";
}

const struct action *action_find(const char *name)
{
	for (unsigned i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}
