// SPDX-License-Identifier: GPL-2.0-or-later
// Disks that are taken away on purpose.
#include "agents/fence/withdraw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/fence/peers.h"
#include "agents/common/say.h"
#include "lib/fence.h"
#include "lib/hold.h"

static enum outcome refuse(const struct blkpr_error *error)
{
	qb_log(LOG_ERR, "%s", error->text);
	return OUTCOME_FAILED;
}

static int no_memory(struct blkpr_error *error)
{
	blkpr_error_set(error, "out of memory");
	return -ENOMEM;
}

/* --- which disks ------------------------------------------------------------------------------ */

static int unknown_disk(const struct agent *agent, const char *word, struct blkpr_error *error)
{
	size_t used;

	blkpr_error_set(error,
		"%s: not one of the disks that this node has registered on, which are:", word);
	for (unsigned i = 0; i < agent->coverage.count; i++) {
		used = strlen(error->text);
		if (agent->coverage.disks[i].name)
			snprintf(error->text + used, sizeof(error->text) - used, " %s",
				agent->coverage.disks[i].name);
	}
	return -ENOENT;
}

/* Whether a disk of the set has that identity; it is chosen then. */
static bool choose_wwid(const struct agent *agent, const char *wwid, bool chosen[])
{
	const struct registration *disk = coverage_find(&agent->coverage, wwid);

	if (!disk || !disk->name)
		return false;
	return chosen[disk - agent->coverage.disks] = true;
}

/* WORD is a name that stands for a disk now, the name that one had last, a glob of these, a WWID. */
static int choose_word(
	const struct agent *agent, const char *word, bool chosen[], struct blkpr_error *error)
{
	struct blkpr_device device;
	struct blkpr_error ignored;
	bool found = false;

	if (!blkpr_device_resolve(word, &device, &ignored)) {
		found = choose_wwid(agent, device.wwid, chosen);
		blkpr_device_clear(&device);
	}
	for (unsigned i = 0; i < agent->coverage.count && !found; i++)
		if (coverage_means(&agent->coverage.disks[i], word))
			chosen[i] = true;
	for (unsigned i = 0; i < agent->coverage.count && !found; i++)
		found = chosen[i] && coverage_means(&agent->coverage.disks[i], word);
	return found ? 0 : unknown_disk(agent, word, error);
}

static int choose(const struct agent *agent, bool chosen[], struct blkpr_error *error)
{
	const char *spec = options_get(agent->options, "devices");
	char *words = strdup(spec ? spec : ""), *rest = NULL;
	int rc = words ? 0 : no_memory(error);

	for (unsigned i = 0; !spec && i < agent->coverage.count; i++)
		chosen[i] = agent->coverage.disks[i].name;
	for (char *word = words ? strtok_r(words, ", \t\n", &rest) : NULL; word && !rc;
		word = strtok_r(NULL, ", \t\n", &rest))
		rc = choose_word(agent, word, chosen, error);
	free(words);
	return rc;
}

static int load(struct agent *agent, bool **chosen, struct blkpr_error *error)
{
	int rc = agent_load_coverage(agent, error);

	*chosen = rc ? NULL : calloc(agent->coverage.count + 1, sizeof(**chosen));
	if (rc)
		return rc;
	if (*agent->incomplete.text) {
		*error = agent->incomplete;
		return -EIO;
	}
	return *chosen ? choose(agent, *chosen, error) : no_memory(error);
}

/* --- forget ----------------------------------------------------------------------------------- */

/* Those that are CHOSEN leave the set. */
static int forget(struct agent *agent, const bool chosen[], struct blkpr_error *error)
{
	struct coverage *coverage = &agent->coverage;
	struct coverage_change *changes = calloc(coverage->count + 1, sizeof(*changes));
	char **wwids = calloc(coverage->count + 1, sizeof(*wwids));
	unsigned n = 0;
	int rc = changes && wwids ? 0 : no_memory(error);

	for (unsigned i = 0; i < coverage->count && !rc; i++) {
		if (!chosen[i])
			continue;
		printf("forgetting %s (%s)\n", coverage->disks[i].name, coverage->disks[i].wwid);
		wwids[n] = strdup(coverage->disks[i].wwid); /* the set's own goes with it */
		rc = wwids[n] ? 0 : no_memory(error);
		changes[n].wwid = wwids[n];
		n++;
	}
	if (!rc && n)
		rc = coverage_update(coverage, changes, n, error);
	for (unsigned i = 0; wwids && i < n; i++)
		free(wwids[i]);
	free(wwids);
	free(changes);
	return rc;
}

enum outcome act_forget(struct agent *agent)
{
	struct blkpr_error error;
	bool *chosen = NULL;
	int rc = 0;

	if (pacemaker_runs_us() || !options_get(agent->options, "devices")) {
		blkpr_error_set(&error, "forget: for a person who names in devices (-d) the disks "
					"that have been taken away");
		rc = -EINVAL;
	}
	if (!rc)
		rc = load(agent, &chosen, &error);
	if (!rc)
		rc = forget(agent, chosen, &error);
	free(chosen);
	if (rc)
		return refuse(&error);
	peers_publish(agent);
	puts("Success: Forgotten");
	return OUTCOME_DONE;
}

/* --- release ---------------------------------------------------------------------------------- */

/* What release ends it may have to evict (sessions that are over): so a key must be this node's own. */
static int check_own(
	const struct agent *agent, const struct blkpr_target *target, struct blkpr_error *error)
{
	const struct registration *record = coverage_find(&agent->coverage, target->device->wwid);

	if (record && record->key && record->key != agent->key) {
		blkpr_error_set(error,
			"key=0x%" PRIx64 ": this node registered 0x%" PRIx64
			" on %s; release without key=",
			agent->key, record->key, target->device->name);
		return -EINVAL;
	}
	for (unsigned i = 0; i < agent->cluster.count; i++)
		for (int method = 0; method < BLKPR_KEY_METHODS; method++) {
			const struct cluster_node *node = &agent->cluster.nodes[i];

			if (node == cluster_self(&agent->cluster) ||
				agent_node_key(agent, method, node) != agent->key)
				continue;
			blkpr_error_set(error, "key=0x%" PRIx64 ": that is %s's", agent->key,
				node->name);
			return -EINVAL;
		}
	return 0;
}

/* Its own record knows with which key, without a cluster too. */
static int plan(struct agent *agent, const bool chosen[], struct blkpr_error *error)
{
	int rc = agent_add_covered(agent, error);
	unsigned kept = 0;

	for (unsigned i = 0; i < agent->list.count && !rc; i++) {
		const struct registration *disk =
			coverage_find(&agent->coverage, agent->list.devices[i].wwid);

		if (chosen[disk - agent->coverage.disks])
			agent->list.devices[kept++] = agent->list.devices[i];
		else
			blkpr_device_clear(&agent->list.devices[i]);
	}
	if (rc)
		return rc;
	agent->list.count = kept;
	if (!kept) {
		blkpr_error_set(error, "this node has registered on no disk: nothing to release");
		return -ENODEV;
	}
	rc = agent_settle_devices(agent, error);
	for (unsigned i = 0; i < agent->ntargets && !rc; i++) {
		agent->targets[i].own = agent->key;
		rc = agent->key ? check_own(agent, &agent->targets[i], error)
				: agent_find_own(agent, &agent->targets[i], error);
	}
	return rc;
}

/*
 * A registrants-only reservation goes with its holder's registration, and the others would be left
 * without one.
 */
static bool leaves_others_open(const struct agent *agent, unsigned i)
{
	const struct blkpr_verdict *verdict = &agent->verdicts[i];
	bool for_all = verdict->type == PR_WRITE_EXCLUSIVE_ALL_REGS ||
		       verdict->type == PR_EXCLUSIVE_ACCESS_ALL_REGS;

	return verdict->type && !for_all && verdict->holder == agent->targets[i].own &&
	       verdict->registrations > verdict->own_registrations;
}

/* What is not to be read, or held for others, is told before any disk is touched. */
static int check(struct agent *agent, struct blkpr_error *error)
{
	int rc = blkpr_fence_monitor(
		&agent->fence, agent->targets, agent->ntargets, agent->verdicts);

	for (unsigned i = 0; i < agent->ntargets && !rc; i++) {
		if (leaves_others_open(agent, i)) {
			blkpr_error_set(error,
				"%s: this node holds the reservation, and others are registered: "
				"release on them "
				"first, and here last",
				agent->targets[i].device->name);
			return -EBUSY;
		}
		if (blkpr_result_unreachable(agent->verdicts[i].result)) {
			char *text = say_text(agent, i);

			blkpr_error_set(error, "%s", text ? text : agent->targets[i].device->name);
			free(text);
			return -EIO;
		}
	}
	if (rc)
		blkpr_error_set(error, "no worker can be run: %s", strerror(-rc));
	return rc;
}

/* What is still registered is not forgotten. */
static int release(struct agent *agent, bool chosen[], struct blkpr_error *error)
{
	struct blkpr_hold hold = { .type = agent->fence.type,
		.parallel = agent->fence.parallel,
		.deadline = agent->deadline };
	int rc = blkpr_hold_leave(&hold, agent->targets, agent->ntargets, agent->verdicts);

	say_story(agent, agent->ntargets);
	say_failures(agent, agent->ntargets);
	for (unsigned i = 0; i < agent->ntargets; i++) {
		const struct registration *disk =
			coverage_find(&agent->coverage, agent->targets[i].device->wwid);

		if (!rc && agent->verdicts[i].result == BLKPR_OK)
			continue;
		chosen[disk - agent->coverage.disks] = false;
		rc = rc ? rc : -EIO;
	}
	blkpr_error_set(error,
		"this node is registered on some disks still; repeat when the cause is gone");
	return rc;
}

enum outcome act_release(struct agent *agent)
{
	struct blkpr_error error, unwritten;
	bool *chosen = NULL;
	int rc;

	if (pacemaker_runs_us() || pacemaker_age() >= 0) {
		blkpr_error_set(&error, "release: Pacemaker runs on this node, which would lose "
					"its disks; stop the cluster here first");
		return refuse(&error);
	}
	agent_load_cluster(agent);
	rc = load(agent, &chosen, &error);
	if (!rc)
		rc = plan(agent, chosen, &error);
	if (!rc) {
		agent_begin_work(agent);
		rc = check(agent, &error);
	}
	if (!rc) {
		rc = release(agent, chosen, &error);
		if (forget(agent, chosen, &unwritten)) {
			error = unwritten;
			rc = -EIO;
		}
	}
	free(chosen);
	if (rc)
		return refuse(&error);
	puts("Success: Released");
	return OUTCOME_DONE;
}
