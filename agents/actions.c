// SPDX-License-Identifier: GPL-2.0-or-later
// The actions: from parameters to a plan, from verdicts to an outcome.
#include "agents/actions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agents/log.h"
#include "agents/pacemaker.h"
#include "agents/record.h"
#include "agents/replaced.h"
#include "agents/say.h"

#include "lib/clock.h"

static enum outcome refuse(const struct blkpr_error *error)
{
	qb_log(LOG_ERR, "%s", error->text);
	return OUTCOME_FAILED;
}

/* --- the plan: everything below reads only, and nothing has been touched when it fails --------------- */

/* What tells one set of disks from another: the parameter as it is written. */
static const char *list_name(const struct agent *agent)
{
	const char *spec = options_get(agent->options, "devices");

	return spec ? spec : "LVM";
}

/* An explicit key that `on` recorded wins over the derived one; that they differ is told. */
static int find_own(const struct agent *agent, struct blkpr_target *target, struct blkpr_error *error)
{
	uint64_t recorded, derived;
	struct blkpr_error underived;
	int rc = record_load(target->device->wwid, &recorded, error);
	int derivation = agent_derive_own(agent, &derived, &underived);

	if (!rc) {
		target->own = recorded;
		if (!derivation && derived != recorded)
			qb_log(LOG_WARNING,
				"%s: this node registered the explicit key 0x%" PRIx64 " there, not 0x%" PRIx64
				" as key_value gives; unfence it without key= to change that",
				target->device->name, recorded, derived);
		return 0;
	}
	if (rc != -ENOENT)
		return rc;
	if (derivation) {
		blkpr_error_set(error, "this node's own key cannot be derived, and none is recorded: %.400s",
			underived.text);
		return derivation;
	}
	target->own = derived;
	return 0;
}

static int find_own_keys(struct agent *agent, struct blkpr_error *error)
{
	int rc = 0;

	for (unsigned i = 0; i < agent->list.count && !rc; i++) {
		rc = find_own(agent, &agent->targets[i], error);
		if (!rc)
			rc = agent_check_unique(agent, agent->targets[i].own, cluster_self(&agent->cluster), error);
	}
	return rc;
}

/* The keys of all nodes but the victim: one that it would have besides the key meant is no reassurance. */
static int know_keys(struct agent *agent)
{
	uint64_t *known = realloc(agent->known, (agent->cluster.count + 1) * sizeof(*known));
	unsigned n = 0;

	if (!known)
		return -ENOMEM; /* what was known is known still */
	agent->known = known;
	for (unsigned i = 0; i < agent->cluster.count; i++) {
		const struct cluster_node *node = &agent->cluster.nodes[i];

		if (!agent->victim || !agent->victim->name || strcmp(agent->victim->name, node->name) != 0)
			agent->known[n++] = agent_node_key(agent, agent->method, node);
	}
	agent->fence.known = agent->known;
	agent->fence.nknown = n;
	return 0;
}

/* Before keys are evicted, or taken for nobody's: they may be remote nodes'. */
static void know_remotes(struct agent *agent)
{
	struct blkpr_error error;
	int rc = agent->clustered ? agent_add_remotes(agent, &error) : 0;

	if (!rc)
		return;
	qb_log(rc == -ETIME ? LOG_WARNING : LOG_INFO, "remote nodes are not known, and keys that are nobody's may be theirs: %s",
		error.text);
	if (rc == -ETIME && agent->fence.unknown == BLKPR_UNKNOWN_EVICT) {
		qb_log(LOG_WARNING, "Pacemaker does not say who its remote nodes are: no unknown key is evicted");
		agent->fence.unknown = BLKPR_UNKNOWN_FAIL;
	}
}

static bool saw_unknown_keys(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->list.count; i++)
		if (agent->verdicts[i].result == BLKPR_UNKNOWN_KEYS)
			return true;
	return false;
}

/*
 * Whether it is worth looking again: the keys that nobody has may be remote nodes', which are looked up only then,
 * since to ask Pacemaker costs more than a fencing.
 */
static bool learned_remotes(struct agent *agent)
{
	unsigned before = agent->cluster.count;

	if (agent->remotes_asked || !saw_unknown_keys(agent))
		return false;
	know_remotes(agent);
	return agent->cluster.count > before && !know_keys(agent);
}

static int unknown_node(const struct agent *agent, const char *name, struct blkpr_error *error)
{
	size_t used;

	blkpr_error_set(error, "%s: no such node in the cluster '%s'; it has", name, agent->cluster.name);
	for (unsigned i = 0; i < agent->cluster.count; i++) {
		used = strlen(error->text);
		snprintf(error->text + used, sizeof(error->text) - used, " %s", agent->cluster.nodes[i].name);
	}
	used = strlen(error->text);
	snprintf(error->text + used, sizeof(error->text) - used,
		"; use one of these names; a fence device needs no pcmk_host_list");
	return -ENOENT;
}

/* The node that NAME means; remote nodes are looked up only when corosync does not have it. */
static int find_node(struct agent *agent, const char *name, const struct cluster_node **node,
	struct blkpr_error *error)
{
	struct blkpr_error ignored;

	if (!agent->clustered) {
		*error = agent->unclustered;
		return -ENOTCONN;
	}
	*node = cluster_find(&agent->cluster, name);
	if (!*node && !agent_add_remotes(agent, &ignored))
		*node = cluster_find(&agent->cluster, name);
	return *node ? 0 : unknown_node(agent, name, error);
}

/* The key of one node that off or status is about. */
static int find_victim(struct agent *agent, struct victim *victim, struct blkpr_error *error)
{
	const struct cluster_node *node;
	int rc;

	victim->key = agent->key;
	if (agent->key && (!victim->name || !agent->clustered))
		return 0;
	rc = find_node(agent, victim->name, &node, error);
	if (rc)
		return rc;
	victim->name = node->name;
	victim->self = node == cluster_self(&agent->cluster);
	if (agent->key)
		return agent_check_unique(agent, agent->key, node, error);
	if (victim->self)
		return 0; /* its key is each device's own */
	victim->key = agent_node_key(agent, agent->method, node);
	if (victim->key)
		return agent_check_unique(agent, victim->key, node, error);
	blkpr_error_set(error, "%s: a remote node has no position in corosync's node list; use key_value=name64",
		victim->name);
	return -ENODATA;
}

static int check_not_self(const struct agent *agent, const struct victim *victim, struct blkpr_error *error)
{
	bool own = victim->self;

	for (unsigned i = 0; i < agent->list.count; i++)
		own |= agent->targets[i].own == victim->key;
	if (!own)
		return 0;
	blkpr_error_set(error, "%s: the key 0x%" PRIx64 " is this node's own; a node cannot fence itself",
		victim->name ? victim->name : "key", victim->key ? victim->key : agent->targets[0].own);
	return -EINVAL;
}

/* Devices, cluster, keys: what off, status and monitor start from. All victims, before any disk is touched. */
static int plan(struct agent *agent, struct blkpr_error *error)
{
	int rc;

	agent_load_cluster(agent);
	rc = agent_find_devices(agent, error);
	if (!rc)
		rc = find_own_keys(agent, error);
	for (unsigned i = 0; i < agent->nvictims && !rc; i++)
		rc = find_victim(agent, &agent->victims[i], error);
	if (!rc && agent->fence.unknown == BLKPR_UNKNOWN_EVICT)
		know_remotes(agent);
	if (!rc)
		rc = record_list_compare(list_name(agent), &agent->list, &agent->missing, error);
	if (rc)
		return rc;
	if (know_keys(agent)) {
		blkpr_error_set(error, "out of memory");
		return -ENOMEM;
	}
	rc = agent_know_others(agent, error);
	if (rc)
		return rc;
	agent_begin_work(agent);
	return 0;
}

/* Turns to one victim. */
static void turn_to(struct agent *agent, const struct victim *victim)
{
	agent->victim = victim;
	agent->fence.victim = victim->key;
	if (know_keys(agent))
		agent->fence.nknown = 0; /* out of memory: nobody is known, which spoils success */
}

/* --- on ------------------------------------------------------------------------------------------- */

/* Without corosync the host's name has to do. */
static int check_local(struct agent *agent, const char *name, struct blkpr_error *error)
{
	const struct cluster_node *node;
	char host[HOST_NAME_MAX + 1] = "";
	bool local;
	int rc;

	if (agent->clustered) {
		rc = find_node(agent, name, &node, error);
		if (rc)
			return rc;
		local = node == cluster_self(&agent->cluster);
	} else {
		gethostname(host, sizeof(host) - 1);
		local = !strcmp(host, name) ||
			(!strncmp(host, name, strlen(name)) && host[strlen(name)] == '.');
	}
	if (local)
		return 0;
	blkpr_error_set(error, "%s: not this node; \"on\" registers the local node only, run it there", name);
	return -EINVAL;
}

/* `on` is for the local node alone: nothing else may register a key (S2). */
static int plan_on(struct agent *agent, struct blkpr_error *error)
{
	const struct cluster_node *node = cluster_self(&agent->cluster);
	uint64_t own = agent->key;
	int rc = 0;

	for (unsigned i = 0; i < agent->nvictims && agent->victims[i].name; i++) {
		rc = check_local(agent, agent->victims[i].name, error);
		if (rc)
			return rc;
	}
	if (!own)
		rc = agent_derive_own(agent, &own, error);
	if (!rc && agent->clustered)
		rc = agent_check_unique(agent, own, node, error);
	for (unsigned i = 0; i < agent->list.count && !rc; i++)
		agent->targets[i].own = own;
	return rc;
}

/* An explicit key is recorded once it is registered; a derived one needs no record, and an old one would lie. */
static int record_own(const struct agent *agent, unsigned i, struct blkpr_error *error)
{
	const char *wwid = agent->targets[i].device->wwid;

	return agent->key ? record_store(wwid, agent->key, error) : record_remove(wwid, error);
}

/* A glob that matches less than at the last `on` has not proven anything about the disk that it lost. */
static void say_missing(const struct agent *agent)
{
	char *copy = strdup(agent->missing), *rest = NULL;

	for (char *line = copy ? strtok_r(copy, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		qb_log(LOG_ERR,
			"%s: registered by the last \"on\" with these devices, and not there any more; reconnect the disk, "
			"or unfence this node again (fence_blkpr -o on) if it was taken away on purpose",
			line);
	free(copy);
}

/* Tells what happened, and whether it was all right. */
static bool report(const struct agent *agent, int rc, unsigned arbiter)
{
	say_story(agent, arbiter);
	if (rc)
		qb_log(LOG_ERR, "no worker can be run: %s", strerror(-rc));
	say_failures(agent, arbiter);
	if (agent->missing)
		say_missing(agent);
	return !rc && !agent->missing && agent_all_ok(agent);
}

static void warn_fewer_paths(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->list.count; i++)
		if (agent->verdicts[i].own_registrations < agent->list.devices[i].paths)
			qb_log(LOG_WARNING, "%s: registered on %u of %u paths; repeat once all paths are back",
				agent->list.devices[i].name, agent->verdicts[i].own_registrations,
				agent->list.devices[i].paths);
}

/*
 * S1: a cluster unfences a node that it has fenced a moment ago if that is a member still, because its controller hangs, or
 * has not read yet that it was fenced, or has been started anew. But what the node ran runs on, and elsewhere, too.
 * So a key that `on` registered for this very Pacemaker, and that is gone, is not registered again at once.
 */
static bool was_registered(void)
{
	long since = pacemaker_runs_us() ? record_unfenced_age() : -1;
	long pacemaker = since >= 0 ? pacemaker_age() : -1;

	return since >= 0 && (pacemaker < 0 || pacemaker > since);
}

static bool found_evicted(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->list.count; i++)
		if (agent->verdicts[i].result == BLKPR_FENCED)
			return true;
	return false;
}

/*
 * Whether the cluster knows what this node runs: its controller has run since the key was registered, and answers. One that
 * is told of the fencing ends at once, and the fencer tells it before it unfences, so one that was hung ends instead.
 */
static bool was_taken_back(const struct agent *agent)
{
	const struct cluster_node *self = cluster_self(&agent->cluster);
	struct blkpr_error error;

	if (!self || pacemaker_controller_age() <= record_unfenced_age())
		blkpr_error_set(&error, "it has ended since");
	else if (!pacemaker_ask_controller(self->name, agent_asking_deadline(agent), &error))
		return true;
	qb_log(LOG_ERR, "this node was registered, and has been evicted; its controller may not know what runs here: %s", error.text);
	return false;
}

static enum outcome act_on(struct agent *agent)
{
	struct blkpr_error error;
	bool done;
	int rc;

	agent_load_cluster(agent);
	rc = agent_find_devices(agent, &error);
	if (!rc)
		rc = plan_on(agent, &error);
	if (!rc)
		rc = agent_know_others(agent, &error);
	if (rc)
		return refuse(&error);
	agent->fence.fenced = was_registered();
	agent_begin_work(agent);
	rc = blkpr_fence_on(&agent->fence, agent->targets, agent->list.count, agent->verdicts);
	if (!rc && found_evicted(agent) && was_taken_back(agent)) {
		agent->fence.fenced = false;
		rc = blkpr_fence_on(&agent->fence, agent->targets, agent->list.count, agent->verdicts);
	}
	done = report(agent, rc, agent->list.count);
	if (replaced_remember(agent, &error))
		done = refuse(&error) == OUTCOME_DONE;
	for (unsigned i = 0; i < agent->list.count && !rc; i++)
		if (agent->verdicts[i].result == BLKPR_OK && record_own(agent, i, &error))
			done = refuse(&error) == OUTCOME_DONE;
	if (done && (record_list_store(list_name(agent), agent->targets, agent->list.count, &error) ||
			    record_unfenced_store(&error)))
		done = refuse(&error) == OUTCOME_DONE;
	if (!done)
		return OUTCOME_FAILED;
	warn_fewer_paths(agent);
	puts("Success: Powered ON");
	return OUTCOME_DONE;
}

/* --- off ------------------------------------------------------------------------------------------ */

static bool victim_was_seen(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->list.count; i++)
		if (agent->verdicts[i].victim_seen)
			return true;
	return false;
}

static enum outcome act_off(struct agent *agent)
{
	struct blkpr_error error;
	bool removed = false;
	int rc = plan(agent, &error);

	for (unsigned i = 0; i < agent->nvictims && !rc; i++)
		rc = check_not_self(agent, &agent->victims[i], &error);
	if (rc)
		return refuse(&error);
	for (unsigned i = 0; i < agent->nvictims; i++) {
		unsigned arbiter;

		turn_to(agent, &agent->victims[i]);
		do {
			rc = blkpr_fence_off(&agent->fence, agent->targets, agent->list.count, agent->verdicts, &arbiter);
			removed |= victim_was_seen(agent);
		} while (learned_remotes(agent));
		replaced_judge(agent);
		if (!report(agent, rc, arbiter))
			return OUTCOME_FAILED;
	}
	puts(removed ? "Success: Powered OFF" : "Success: Already OFF");
	return OUTCOME_DONE;
}

/* --- status ---------------------------------------------------------------------------------------- */

/* One device with the key is enough for ON; OFF must be proven on every one. */
static enum outcome status_of(struct agent *agent, const struct victim *victim)
{
	bool on = false;
	int rc;

	turn_to(agent, victim);
	do
		rc = blkpr_fence_status(&agent->fence, agent->targets, agent->list.count, agent->verdicts);
	while (learned_remotes(agent));
	replaced_judge(agent);
	for (unsigned i = 0; i < agent->list.count && !rc; i++) {
		if (agent->verdicts[i].result != BLKPR_VICTIM_ON)
			continue;
		on = true;
		agent->verdicts[i].result = BLKPR_OK; /* an answer, not a failure */
	}
	if (!report(agent, rc, agent->list.count) && !on)
		return OUTCOME_FAILED;
	return on ? OUTCOME_DONE : OUTCOME_OFF;
}

static enum outcome act_status(struct agent *agent)
{
	struct blkpr_error error;
	enum outcome outcome = OUTCOME_OFF;

	if (plan(agent, &error))
		return refuse(&error);
	for (unsigned i = 0; i < agent->nvictims && outcome == OUTCOME_OFF; i++)
		outcome = status_of(agent, &agent->victims[i]);
	if (outcome != OUTCOME_FAILED)
		puts(outcome == OUTCOME_OFF ? "Status: OFF" : "Status: ON");
	return outcome;
}

/* --- monitor, list --------------------------------------------------------------------------------- */

static enum outcome act_monitor(struct agent *agent)
{
	struct blkpr_error error;
	int rc;

	agent->nvictims = 0; /* the fencer may name a node; monitor is about this one */
	agent_load_cluster(agent);
	if (agent->method != BLKPR_KEY_NAME64)
		know_remotes(agent); /* short keys: a remote node may have this node's */
	rc = plan(agent, &error);
	if (rc)
		return refuse(&error);
	do
		rc = blkpr_fence_monitor(&agent->fence, agent->targets, agent->list.count, agent->verdicts);
	while (learned_remotes(agent));
	return report(agent, rc, agent->list.count) ? OUTCOME_DONE : OUTCOME_FAILED;
}

/* Every node that can be fenced, registered now or not. */
static int load_nodes(struct agent *agent, struct blkpr_error *error)
{
	struct blkpr_error unasked;

	agent_load_cluster(agent);
	if (!agent->clustered) {
		*error = agent->unclustered;
		return -ENOTCONN;
	}
	if (agent_add_remotes(agent, &unasked))
		qb_log(LOG_INFO, "remote nodes are not known: %s", unasked.text);
	return 0;
}

static enum outcome act_list(struct agent *agent)
{
	struct blkpr_error error;

	if (load_nodes(agent, &error))
		return refuse(&error);
	for (unsigned i = 0; i < agent->cluster.count; i++)
		printf("%s%s\n", agent->cluster.nodes[i].name, options_get(agent->options, "separator"));
	return OUTCOME_DONE;
}

static enum outcome act_list_status(struct agent *agent)
{
	static const char *const states[] = { [OUTCOME_DONE] = "ON", [OUTCOME_FAILED] = "UNKNOWN", [OUTCOME_OFF] = "OFF" };
	const char *separator = options_get(agent->options, "separator");
	enum outcome worst = OUTCOME_DONE;
	struct blkpr_error error;

	agent->nvictims = 0;
	if (load_nodes(agent, &error) || plan(agent, &error))
		return refuse(&error);
	for (unsigned i = 0; i < agent->cluster.count; i++) {
		struct victim victim = { .name = agent->cluster.nodes[i].name };
		enum outcome outcome = OUTCOME_FAILED;

		if (find_victim(agent, &victim, &error))
			refuse(&error);
		else
			outcome = status_of(agent, &victim);
		printf("%s%s%s%s\n", victim.name, separator, separator, states[outcome]);
		if (outcome == OUTCOME_FAILED)
			worst = OUTCOME_FAILED;
	}
	return worst;
}

/* Only what can be said without root, a cluster or I/O: the fencer validates with any node name, or none. */
static enum outcome act_validate(struct agent *agent)
{
	const char *spec = options_get(agent->options, "devices");
	struct blkpr_error error;

	if (spec && blkpr_list_add(&agent->list, spec, &error))
		return refuse(&error);
	if (!spec || agent->list.count)
		return OUTCOME_DONE;
	blkpr_error_set(&error, "no devices: the list in devices is empty");
	return refuse(&error);
}

/* --- the table ------------------------------------------------------------------------------------- */

static const struct action actions[] = {
	{ "on", ACTION_ROOT, act_on },
	{ "off", ACTION_ROOT | ACTION_NODE | ACTION_DELAY, act_off },
	{ "status", ACTION_ROOT | ACTION_NODE, act_status },
	{ "list", 0, act_list },
	{ "list-status", ACTION_ROOT, act_list_status },
	{ "monitor", ACTION_ROOT, act_monitor },
	{ "validate-all", 0, act_validate },
	{ "enable", ACTION_ROOT, act_on },
	{ "disable", ACTION_ROOT | ACTION_NODE | ACTION_DELAY, act_off },
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
