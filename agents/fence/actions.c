// SPDX-License-Identifier: GPL-2.0-or-later
// The actions: from parameters to a plan, from verdicts to an outcome.
#include "agents/fence/actions.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/fence/peers.h"
#include "agents/fence/replaced.h"
#include "agents/common/say.h"
#include "agents/fence/twins.h"
#include "agents/fence/withdraw.h"

#include "lib/clock.h"

static enum outcome refuse(const struct blkpr_error *error)
{
	qb_log(LOG_ERR, "%s", error->text);
	return OUTCOME_FAILED;
}

/* --- the plan: everything below reads only, and nothing has been touched when it fails --------------- */

static int find_own_keys(struct agent *agent, struct blkpr_error *error)
{
	int rc = 0;

	for (unsigned i = 0; i < agent->list.count && !rc; i++) {
		rc = agent_find_own(agent, &agent->targets[i], error);
		if (!rc)
			rc = agent_check_unique(agent, agent->targets[i].own, cluster_self(&agent->cluster), error);
	}
	return rc;
}

/* The keys of all nodes but the victim: one that it would have besides the key meant is no reassurance. */
static int know_keys_by(const struct agent *agent, enum blkpr_key_method method,
	struct blkpr_fence *fence, uint64_t **keys)
{
	size_t size = (agent->cluster.count + 1) * sizeof(**keys);
	uint64_t *known = realloc(*keys, size); /* NOLINT(clang-analyzer-unix.Malloc): it loses *KEYS of the round before */
	unsigned n = 0;

	if (!known)
		return -ENOMEM; /* what was known is known still */
	*keys = known;
	for (unsigned i = 0; i < agent->cluster.count; i++) {
		const struct cluster_node *node = &agent->cluster.nodes[i];

		if (!agent->victim || !agent->victim->name || strcmp(agent->victim->name, node->name) != 0)
			known[n++] = agent_node_key(agent, method, node);
	}
	fence->known = known;
	fence->nknown = n;
	return 0;
}

/* The victim's key where another fence device has registered the nodes, by its key_value. */
static uint64_t victim_key_by(const struct agent *agent, enum blkpr_key_method method)
{
	const struct victim *victim = agent->victim;
	const struct cluster_node *node =
		victim && victim->name ? cluster_find(&agent->cluster, victim->name) : NULL;

	return node && !victim->self ? agent_node_key(agent, method, node) : agent->fence.victim;
}

/*
 * What a person has said of unknown keys and of commands in flight is about the disks that devices
 * names: elsewhere no unknown key is taken for anybody's, nor evicted.
 */
static void judge_elsewhere(
	struct agent *agent, enum blkpr_key_method method, const struct blkpr_fence *how)
{
	for (int in_flight = 0; in_flight < BLKPR_IN_FLIGHTS; in_flight++) {
		struct blkpr_fence *fence = &agent->elsewhere[method].fences[in_flight];

		*fence = *how;
		fence->any_type = true;
		fence->unknown = BLKPR_UNKNOWN_FAIL;
		fence->in_flight = (enum blkpr_in_flight)in_flight;
		fence->victim = victim_key_by(agent, method);
	}
}

static int know_keys(struct agent *agent)
{
	int rc = know_keys_by(agent, agent->method, &agent->fence, &agent->known);

	for (int method = 0; method < BLKPR_KEY_METHODS && !rc; method++) {
		struct blkpr_fence fence = agent->fence;

		rc = know_keys_by(agent, method, &fence, &agent->elsewhere[method].known);
		judge_elsewhere(agent, method, &fence);
	}
	return rc;
}

/* Of the disk's record: what ends commands in flight there; of one that has none: only what is known. */
static enum blkpr_in_flight in_flight_on(const struct agent *agent, const char *wwid)
{
	const struct registration *record = coverage_find(&agent->coverage, wwid);

	return record ? record->in_flight : BLKPR_IN_FLIGHT_AUTO;
}

/*
 * Other fence devices may have another key_value, reservation_type and in_flight: own's key and its
 * record tell which.
 */
static void find_parameters(struct agent *agent)
{
	const struct cluster_node *self = cluster_self(&agent->cluster);

	for (unsigned i = 0; i < agent->ntargets; i++) {
		struct blkpr_target *target = &agent->targets[i];
		int method = 0;

		if (!target->device->unnamed)
			continue;
		while (self && method < BLKPR_KEY_METHODS &&
			agent_node_key(agent, method, self) != target->own)
			method++;
		target->fence =
			&agent->elsewhere[self && method < BLKPR_KEY_METHODS ? method
									     : (int)agent->method]
				 .fences[in_flight_on(agent, target->device->wwid)];
	}
}

/* Before keys are evicted, or taken for nobody's: they may be remote nodes'. */
static void know_remotes(struct agent *agent)
{
	struct blkpr_error error;
	int rc = agent->clustered ? agent_add_remotes(agent, &error) : 0;

	if (!rc)
		return;
	qb_log(rc == -ETIME ? LOG_WARNING : LOG_INFO,
		"remote nodes are not known, and keys that are nobody's may be theirs: %s; does "
		"Pacemaker answer (crmadmin --nodes)?",
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

/* REMOTES: why Pacemaker's remote nodes are not known, "": they are. */
static int unknown_node(const struct agent *agent, const char *name,
	const struct blkpr_error *remotes, struct blkpr_error *error)
{
	size_t used;

	blkpr_error_set(error,
		"%.200s: no such node in the cluster '%.100s'; use one of its names, a fence "
		"device needs no pcmk_host_list",
		name, agent->cluster.name);
	used = strlen(error->text);
	if (cluster_nameless(&agent->cluster))
		snprintf(error->text + used, sizeof(error->text) - used,
			"; give the nodes names (nodelist.node.name in corosync.conf)");
	used = strlen(error->text);
	if (*remotes->text)
		snprintf(error->text + used, sizeof(error->text) - used,
			"; its remote nodes are not known (%.100s)", remotes->text);
	used = strlen(error->text);
	snprintf(error->text + used, sizeof(error->text) - used, "; it has");
	for (unsigned i = 0; i < agent->cluster.count; i++) {
		used = strlen(error->text);
		if (!agent->cluster.nodes[i].remote)
			snprintf(error->text + used, sizeof(error->text) - used, " %s",
				agent->cluster.nodes[i].name);
	}
	return -ENOENT;
}

/* It could never run `on`: that there is no key of its own says nothing about what it does. */
static int remote_node(const char *name, struct blkpr_error *error)
{
	blkpr_error_set(error,
		"%s: a remote or guest node, which has no corosync: it cannot register with the "
		"disks, and is not cut "
		"off by them; give it a fence device of its own (a guest node: one for the node "
		"that its machine runs on)",
		name);
	return -EOPNOTSUPP;
}

/*
 * The node that NAME means; Pacemaker is asked only when corosync does not have it. NULL: none,
 * REMOTES may say why.
 */
static const struct cluster_node *look_up(
	struct agent *agent, const char *name, struct blkpr_error *remotes)
{
	const struct cluster_node *node = cluster_find(&agent->cluster, name);

	if (!node && !agent_add_remotes(agent, remotes))
		node = cluster_find(&agent->cluster, name);
	return node;
}

/* The node that NAME means. */
static int find_node(struct agent *agent, const char *name, const struct cluster_node **node,
	struct blkpr_error *error)
{
	struct blkpr_error remotes = { "" };

	if (!agent->clustered) {
		*error = agent->unclustered;
		return -ENOTCONN;
	}
	*node = look_up(agent, name, &remotes);
	if (*node && (*node)->remote)
		return remote_node(name, error);
	return *node ? 0 : unknown_node(agent, name, &remotes, error);
}

static void take_nodename(struct agent *agent)
{
	qb_log(LOG_INFO, "plug=%s is no node of the cluster, nodename=%s is meant",
		agent->victims[0].name, agent->nodename);
	agent->victims[0] = (struct victim){ .name = agent->nodename };
	agent->nvictims = 1;
}

/*
 * Pacemaker means nodename, and plug is what pcmk_host_map makes of that: a name that corosync has.
 * S1: of a map that leads to another node Pacemaker would believe that it has fenced the one that
 * it means.
 */
static int settle_names(struct agent *agent, struct blkpr_error *error)
{
	const struct cluster_node *target, *node, *other = NULL;
	struct blkpr_error remotes = { "" };

	if (!agent->nodename || !agent->nvictims || !agent->victims[0].name)
		return 0;
	for (unsigned i = 0; i < agent->nvictims; i++)
		if (!strcmp(agent->victims[i].name, agent->nodename))
			return 0;
	target = agent->clustered ? look_up(agent, agent->nodename, &remotes) : NULL;
	if (agent->clustered && !target && *remotes.text) {
		blkpr_error_set(error,
			"nodename=%.200s: no name of corosync's, and it cannot be asked whether "
			"it is a remote node's (%.200s); does Pacemaker answer (crmadmin --nodes)?",
			agent->nodename, remotes.text);
		return -ENOTCONN;
	}
	for (unsigned i = 0; i < agent->nvictims && target; i++) {
		node = cluster_find(&agent->cluster, agent->victims[i].name);
		if (node == target)
			return 0;
		other = node ? node : other;
	}
	if (other) {
		blkpr_error_set(error,
			"plug=%s: another node than nodename=%s, which Pacemaker means; correct "
			"pcmk_host_map",
			other->name, agent->nodename);
		return -EINVAL;
	}
	if (target || !agent->clustered)
		take_nodename(agent);
	return 0;
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
	return agent_check_unique(agent, victim->key, node, error);
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

static bool is_known(const void *agent, const char *name)
{
	return coverage_knows(&((const struct agent *)agent)->coverage, name);
}

/*
 * S9: the disks that devices names, and all others that this node has registered on. A name that
 * stands for nothing is refused unless it was such a disk's, since it might be the arbiter's. What
 * LVM cannot say is not refused where disks are known: these are fenced, and the action fails.
 */
static int find_devices(struct agent *agent, struct blkpr_error *error)
{
	int rc = agent_load_coverage(agent, error);

	if (rc)
		return rc;
	agent->list.is_known = is_known;
	agent->list.context = agent;
	rc = agent_add_devices(agent, error);
	if (rc && !options_get(agent->options, "devices") && agent->coverage.count) {
		agent->incomplete = *error;
		rc = 0;
	}
	if (!rc)
		rc = agent_add_covered(agent, error);
	return rc ? rc : agent_settle_devices(agent, error);
}

/* A key alone does not say whose the keys on other fence devices' disks are. */
static int check_named(const struct agent *agent, const struct victim *victim, struct blkpr_error *error)
{
	for (unsigned i = 0; i < agent->list.count && !victim->name; i++) {
		if (!agent->list.devices[i].unnamed)
			continue;
		blkpr_error_set(error,
			"key=0x%" PRIx64
			": the node that has it may have another key on disks that devices does not "
			"name (%s); say which node it is (-n), or name those disks, too",
			victim->key, agent->list.devices[i].name);
		return -EINVAL;
	}
	return 0;
}

/* Devices, cluster, keys: what off, status and monitor start from. All victims, before any disk is touched. */
static int plan(struct agent *agent, struct blkpr_error *error)
{
	int rc;

	agent_load_cluster(agent);
	rc = settle_names(agent, error);
	if (!rc)
		rc = find_devices(agent, error);
	if (!rc)
		rc = find_own_keys(agent, error);
	for (unsigned i = 0; i < agent->nvictims && !rc; i++)
		rc = find_victim(agent, &agent->victims[i], error);
	for (unsigned i = 0; i < agent->nvictims && !rc; i++)
		rc = check_named(agent, &agent->victims[i], error);
	if (!rc && agent->fence.unknown == BLKPR_UNKNOWN_EVICT)
		know_remotes(agent);
	if (!rc)
		rc = agent_know_others(agent, error);
	if (rc)
		return rc;
	if (know_keys(agent)) {
		blkpr_error_set(error, "out of memory");
		return -ENOMEM;
	}
	find_parameters(agent);
	agent_begin_work(agent);
	return 0;
}

/* Turns to one victim. */
static void turn_to(struct agent *agent, const struct victim *victim)
{
	agent->victim = victim;
	agent->fence.victim = victim->key;
	if (!know_keys(agent))
		return;
	agent->fence.nknown = 0; /* out of memory: nobody is known, which spoils success */
	for (int method = 0; method < BLKPR_KEY_METHODS; method++)
		judge_elsewhere(agent, method, &agent->fence);
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

/*
 * Before a cluster relies on it: by keys per node "off" and "monitor" cannot tell another node's
 * from a stranger's.
 */
static int check_key_is_by_hand(const struct agent *agent, struct blkpr_error *error)
{
	if (!agent->key || !pacemaker_runs_us() || agent->fence.unknown == BLKPR_UNKNOWN_ALLOW)
		return 0;
	blkpr_error_set(error,
		"key=0x%" PRIx64
		": leave it out, on every node (one fence device for all is enough): which keys "
		"key= gives other nodes is not known here, so \"off\" and \"monitor\" could not "
		"succeed",
		agent->key);
	return -EINVAL;
}

/* `on` is for the local node alone: nothing else may register a key (S2). */
static int plan_on(struct agent *agent, struct blkpr_error *error)
{
	const struct cluster_node *node = cluster_self(&agent->cluster);
	uint64_t own = agent->key;
	int rc = check_key_is_by_hand(agent, error);

	if (rc)
		return rc;
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

/* Tells what happened, and whether it was all right. */
static bool report(struct agent *agent, int rc, unsigned arbiter)
{
	struct blkpr_error error;
	int twins = rc ? 0 : twins_compare(agent, &error);

	say_story(agent, arbiter);
	if (rc)
		qb_log(LOG_ERR,
			"no process or thread for the disks: %s; see ulimit -u and free memory, "
			"then repeat",
			strerror(-rc));
	say_failures(agent, arbiter);
	if (*agent->incomplete.text)
		qb_log(LOG_ERR, "there may be more disks than these: %s", agent->incomplete.text);
	if (twins)
		qb_log(LOG_ERR, "%s", error.text);
	return !rc && !twins && !*agent->incomplete.text && agent_all_ok(agent);
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
static void find_recorded(struct agent *agent)
{
	long now = registration_clock(), pacemaker = pacemaker_runs_us() ? pacemaker_age() : 0;

	for (unsigned i = 0; i < agent->list.count; i++) {
		const struct registration *record =
			coverage_find(&agent->coverage, agent->targets[i].device->wwid);

		agent->targets[i].former = record ? record->key : 0;
		agent->targets[i].recorded = record && record->key && record->since >= 0 &&
					     (pacemaker < 0 || pacemaker > now - record->since);
	}
}

/* Seconds since own was registered where it is gone now, the longest; -1: it is gone nowhere. */
static long evicted_age(const struct agent *agent)
{
	long age = -1;

	for (unsigned i = 0; i < agent->list.count; i++) {
		const struct registration *record =
			coverage_find(&agent->coverage, agent->targets[i].device->wwid);

		if (agent->verdicts[i].result == BLKPR_FENCED && record &&
			registration_clock() - record->since > age)
			age = registration_clock() - record->since;
	}
	return age;
}

/*
 * Whether the cluster knows what this node runs: its controller has run for longer than AGE
 * seconds, and answers. One that is told of a fencing of its node ends at once, and the fencer
 * tells it before it unfences, so one that was hung ends instead. 0, or -errno with text.
 */
static int check_controller(struct agent *agent, long age, struct blkpr_error *error)
{
	const struct cluster_node *self = cluster_self(&agent->cluster);

	if (!self) {
		blkpr_error_set(
			error, "corosync does not say which node this is, so it cannot be asked");
		return -ENODATA;
	}
	if (pacemaker_controller_age() > age)
		return pacemaker_ask_controller(
			self->name, agent_asking_deadline(agent), error);
	blkpr_error_set(error, "pacemaker-controld has ended since, or has been started anew");
	return -ESRCH;
}

static bool was_taken_back(struct agent *agent, long age)
{
	struct blkpr_error error;

	if (!check_controller(agent, age, &error))
		return true;
	qb_log(LOG_ERR, "this node was registered, and has been evicted; its controller may not know what runs here: %s", error.text);
	return false;
}

/* The disks that the set gains, before any is touched. */
static int expect_disks(struct agent *agent, struct coverage_change fresh[], unsigned *count,
	struct blkpr_error *error)
{
	*count = 0;
	for (unsigned i = 0; i < agent->list.count; i++) {
		const struct blkpr_device *device = agent->targets[i].device;
		const struct registration *known = coverage_find(&agent->coverage, device->wwid);

		if ((!known || !known->name) && !twins_is_second(agent, i))
			fresh[(*count)++] = (struct coverage_change){ device->wwid, device->name };
	}
	return *count ? coverage_update(&agent->coverage, fresh, *count, error) : 0;
}

static bool is_fresh(const struct coverage_change fresh[], unsigned count, const char *wwid)
{
	for (unsigned i = 0; i < count; i++)
		if (fresh[i].wwid == wwid)
			return true;
	return false;
}

/* Whether this node may be registered there, or come to be. */
static bool may_be_registered(const struct agent *agent, const char *wwid)
{
	for (unsigned i = 0; i < agent->list.count; i++) {
		const struct blkpr_verdict *verdict = &agent->verdicts[i];

		if (!strcmp(agent->targets[i].device->wwid, wwid) &&
			(verdict->result == BLKPR_OK || blkpr_result_unreachable(verdict->result) ||
				verdict->own_registrations))
			return true;
	}
	return false;
}

/* A disk keeps the name that it had while that is among those given for it. */
static bool is_named(const struct agent *agent, const struct registration *disk)
{
	for (unsigned i = 0; i < agent->list.count; i++)
		if (!strcmp(agent->targets[i].device->wwid, disk->wwid) &&
			!strcmp(agent->targets[i].device->name, disk->name))
			return true;
	return false;
}

/*
 * A disk that `on` has refused, and left without this node's key, is none of the set; others may
 * have a new name.
 */
static int settle_set(struct agent *agent, const struct coverage_change fresh[], unsigned count,
	struct blkpr_error *error)
{
	struct coverage_change *changes = calloc(agent->list.count + 1, sizeof(*changes));
	unsigned n = 0;
	int rc = changes ? 0 : -ENOMEM;

	for (unsigned i = 0; changes && i < agent->list.count; i++) {
		const struct blkpr_device *device = agent->targets[i].device;
		const struct registration *known = coverage_find(&agent->coverage, device->wwid);

		if (is_fresh(fresh, count, device->wwid) && !may_be_registered(agent, device->wwid))
			changes[n++] = (struct coverage_change){ .wwid = device->wwid };
		else if (known && known->name && !is_named(agent, known))
			changes[n++] = (struct coverage_change){ device->wwid, device->name };
	}
	if (rc)
		blkpr_error_set(error, "out of memory");
	else if (n)
		rc = coverage_update(&agent->coverage, changes, n, error);
	free(changes);
	return rc;
}

/* When, and with which key: of every disk on which it was proven. */
static int record_registrations(struct agent *agent, struct blkpr_error *error)
{
	struct registration *records = calloc(agent->list.count + 1, sizeof(*records));
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; records && i < agent->list.count; i++) {
		const struct blkpr_device *device = agent->targets[i].device;

		if (agent->verdicts[i].result != BLKPR_OK)
			continue;
		records[n] = (struct registration){ .wwid = device->wwid,
			.name = device->name,
			.key = agent->targets[i].own,
			.in_flight = agent->fence.in_flight,
			.since = registration_clock() };
		snprintf(records[n++].how, sizeof(records->how), "%s",
			agent->key ? REGISTRATION_EXPLICIT : blkpr_key_method_names[agent->method]);
	}
	if (!records)
		blkpr_error_set(error, "out of memory");
	rc = records ? coverage_record(&agent->coverage, records, n, error) : -ENOMEM;
	free(records);
	return rc;
}

/* --- disks that come late --- */

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
static const struct registration *find_late(const struct agent *agent)
{
	const char *spec = options_get(agent->options, "devices");

	for (unsigned i = 0; i < agent->coverage.count && spec; i++) {
		const struct registration *disk = &agent->coverage.disks[i];

		if (disk->name && !disk->key && !blkpr_list_find(&agent->list, disk->wwid) &&
			is_meant(spec, disk))
			return disk;
	}
	return NULL;
}

#define LOOK_AGAIN_MS 250

/* Until when it is worth to look again, by what agent_add_devices() has answered. */
static int64_t wait_until(
	const struct agent *agent, int rc, int64_t began, struct blkpr_error *error)
{
	const struct registration *late = rc ? NULL : find_late(agent);
	int64_t span = agent->deadline - began;

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
static int look_about(struct agent *agent, int64_t began, struct blkpr_error *error)
{
	struct blkpr_error reason;
	int64_t ms = blkpr_clock_ms() - began;

	qb_log(LOG_WARNING, "waited %.1f s for disks", (double)ms / 1000);
	coverage_clear(&agent->coverage);
	if (pacemaker_runs_us() && check_controller(agent, (long)(ms / 1000) + 1, &reason)) {
		blkpr_error_set(error,
			"the disks are there now, and this node may have been fenced meanwhile; "
			"repeat: %.300s",
			reason.text);
		return -EAGAIN;
	}
	return agent_load_coverage(agent, error);
}

/*
 * At boot disks may come later than Pacemaker, which gives up after a number of failures. What
 * devices names is worth three quarters of the time, since without it nothing can be done; what
 * only a glob does not match yet half of it.
 */
static int wait_for_devices(struct agent *agent, struct blkpr_error *error)
{
	int64_t began = blkpr_clock_ms(), until;
	bool told = false;
	int rc;

	while (true) {
		rc = agent_add_devices(agent, error);
		until = wait_until(agent, rc, began, error);
		if (blkpr_clock_ms() >= until)
			break;
		if (!told)
			qb_log(LOG_WARNING, "waiting for disks, at most %d s: %s",
				(int)((until - began + 999) / 1000), error->text);
		told = true;
		blkpr_list_clear(&agent->list);
		blkpr_clock_pause(LOOK_AGAIN_MS, until);
	}
	return rc || !told ? rc : look_about(agent, began, error);
}

static int prepare_on(struct agent *agent, struct blkpr_error *error)
{
	int rc;

	agent_load_cluster(agent);
	rc = settle_names(agent, error);
	if (!rc)
		rc = agent_load_coverage(agent, error);
	if (!rc)
		rc = wait_for_devices(agent, error);
	if (!rc)
		rc = agent_settle_devices(agent, error);
	if (!rc)
		rc = plan_on(agent, error);
	return rc ? rc : agent_know_others(agent, error);
}

static int register_all(struct agent *agent)
{
	int rc;

	rc = blkpr_fence_on(&agent->fence, agent->targets, agent->list.count, agent->verdicts);
	if (!rc && evicted_age(agent) >= 0 && was_taken_back(agent, evicted_age(agent))) {
		agent->fence.fenced = false;
		rc = blkpr_fence_on(&agent->fence, agent->targets, agent->list.count, agent->verdicts);
	}
	return rc;
}

/* What is not there cannot be registered; it is missed, and keeps "off" from succeeding. */
static void warn_absent(struct agent *agent)
{
	struct blkpr_error ignored;
	unsigned first = agent->list.count;

	if (agent_add_covered(agent, &ignored))
		return;
	for (unsigned i = first; i < agent->list.count; i++)
		if (!agent->list.devices[i].path)
			qb_log(LOG_WARNING,
				"%s: not there any more, and nobody has taken it away on purpose "
				"(%s): no \"off\" will "
				"succeed here; reconnect it, or say so on every node: fence_blkpr "
				"-o forget -d %s",
				agent->list.devices[i].name, agent->list.devices[i].wwid,
				agent->list.devices[i].name);
}

/* What there is to do before the disks are worked on all at once. */
static int begin_on(struct agent *agent, struct coverage_change fresh[], unsigned *count,
	struct blkpr_error *error)
{
	struct blkpr_error unwritten;
	int rc = expect_disks(agent, fresh, count, error);

	if (rc)
		return rc;
	agent->fence.fenced = pacemaker_runs_us();
	find_recorded(agent);
	agent_begin_work(agent);
	rc = twins_prove(agent, error);
	if (rc != -EXDEV)
		return rc;
	for (unsigned i = 0; i < agent->list.count; i++)
		agent->verdicts[i].result = BLKPR_UNTOUCHED;
	if (settle_set(agent, fresh, *count, &unwritten))
		*error = unwritten;
	return rc;
}

static enum outcome do_on(struct agent *agent, struct coverage_change fresh[])
{
	struct blkpr_error error;
	unsigned count;
	bool done;
	int rc;

	if (begin_on(agent, fresh, &count, &error))
		return refuse(&error);
	rc = register_all(agent);
	done = report(agent, rc, agent->list.count);
	if (replaced_remember(agent, &error))
		done = refuse(&error) == OUTCOME_DONE;
	if (settle_set(agent, fresh, count, &error) || record_registrations(agent, &error))
		done = refuse(&error) == OUTCOME_DONE;
	if (!done)
		return OUTCOME_FAILED;
	warn_fewer_paths(agent);
	warn_absent(agent); /* last: it adds to the list */
	peers_publish(agent);
	puts("Success: Powered ON");
	return OUTCOME_DONE;
}

static enum outcome act_on(struct agent *agent)
{
	struct coverage_change *fresh = NULL;
	struct blkpr_error error;
	enum outcome outcome;
	int rc = prepare_on(agent, &error);

	if (!rc && !(fresh = calloc(agent->list.count + 1, sizeof(*fresh)))) {
		blkpr_error_set(&error, "out of memory");
		rc = -ENOMEM;
	}
	outcome = rc ? refuse(&error) : do_on(agent, fresh);
	free(fresh);
	return outcome;
}

/* --- off ------------------------------------------------------------------------------------------ */

static bool victim_was_seen(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->list.count; i++)
		if (agent->verdicts[i].victim_seen)
			return true;
	return false;
}

/* S1: a disk that was open took commands of the victims that come, too, and of this one until the next look. */
static void remember_open(struct agent *agent)
{
	for (unsigned i = 0; i < agent->list.count; i++)
		agent->targets[i].open |= agent->verdicts[i].open;
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
			remember_open(agent);
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
	if (!report(agent, rc, agent->list.count))
		return OUTCOME_FAILED;
	return peers_compare(agent, &error) ? refuse(&error) : OUTCOME_DONE;
}

/* Every node that can be fenced, registered or not: who can run `on`, as remote nodes cannot. */
static int load_nodes(struct agent *agent, struct blkpr_error *error)
{
	const struct cluster_node *nameless;

	agent_load_cluster(agent);
	if (!agent->clustered) {
		*error = agent->unclustered;
		return -ENOTCONN;
	}
	nameless = cluster_nameless(&agent->cluster);
	if (nameless)
		qb_log(LOG_WARNING,
			"%s: corosync has no name for this node, and Pacemaker calls no node by an "
			"address; set nodelist.node.name in corosync.conf, or pcmk_host_map",
			nameless->name);
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

		if (agent->cluster.nodes[i].remote) /* learned meanwhile, for its key */
			continue;
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
	if (*agent->unlogged.text)
		return OUTCOME_FAILED; /* it has been told */
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
	{ "list", ACTION_BARE, act_list },
	{ "list-status", ACTION_ROOT, act_list_status },
	{ "monitor", ACTION_ROOT, act_monitor },
	{ "validate-all", 0, act_validate },
	{ "enable", ACTION_ROOT, act_on },
	{ "disable", ACTION_ROOT | ACTION_NODE | ACTION_DELAY, act_off },
	{ "forget", ACTION_ROOT,
		act_forget }, /* by hand; the metadata does not offer these two to a cluster */
	{ "release", ACTION_ROOT, act_release },
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
