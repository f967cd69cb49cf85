// SPDX-License-Identifier: GPL-2.0-or-later
// ocf:blkpr:reservation: an OCF resource agent (API 1.1) that holds the reservation of a service's disks.
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "config.h"

#include "agents/common/agent.h"
#include "agents/common/alarm.h"
#include "agents/reservation/fencer.h"
#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/common/record.h"
#include "agents/common/registration.h"
#include "agents/common/run.h"
#include "agents/common/say.h"
#include "lib/clock.h"
#include "lib/hold.h"
#include "metadata/reservation.h"

#define NAME "reservation"

/* OCF Resource Agent API 1.1, exit status */
enum ocf {
	OCF_SUCCESS = 0,
	OCF_ERR_GENERIC = 1,
	OCF_ERR_ARGS = 2,
	OCF_ERR_UNIMPLEMENTED = 3,
	OCF_ERR_PERM = 4,
	OCF_ERR_INSTALLED = 5,
	OCF_ERR_CONFIGURED = 6,
	OCF_NOT_RUNNING = 7,
	OCF_RUNNING_PROMOTED = 8,
	OCF_FAILED_PROMOTED = 9,
};

/* A disk that may be held or registered. */
struct remembered {
	char *wwid;
	char *name;           /* in devices, then */
	uint64_t key;         /* that was used there; 0: a fence agent's, the disk is its */
	bool keep;            /* it was registered before, by whomever */
};

/* What this node remembers of the resource until it is rebooted; written before a disk is changed. */
struct memory {
	bool exists;          /* start has been tried; with no disks: it has changed none */
	bool promoted;
	bool good;            /* start has run to its end */
	long long session;    /* pacemaker_executor_start() of then */
	long score, pending;  /* of promotion; what it will be when master_score_delay is over, -1: none */
	long pending_since;   /* registration_clock() */
	char *text;           /* as it was loaded, NULL: it was not */
	struct remembered *disks;
	unsigned ndisks;
};

struct resource {
	struct agent agent;
	struct options options;
	char *instance;       /* without a clone instance's number: one node has one */
	char *tag;            /* of the log: NAME(INSTANCE), as ocf-shellfuncs has it */
	long check_level;
	bool probe;           /* monitor, not a recurring one */
	bool promotable;
	bool clone;           /* a plain one */
	bool managed;         /* by a fence agent */
	enum { BY_ANYBODY, BY_PACEMAKER, BY_HAND } run; /* its executor; crm_resource --force-* */
	enum { EVICT_CLUSTER, EVICT_ALL, EVICT_NONE } evict; /* as in metadata/reservation.xml */
	long required, score_base, score_factor, score_delay;
	unsigned absent;      /* names in devices that stand for nothing here, and need not */
	struct blkpr_hold hold;
	uint64_t *fencers, *ours;
	struct memory memory;
	struct blkpr_error reason; /* for Pacemaker: why the action failed */
};

/* --- failing -------------------------------------------------------------------------------------- */

static enum ocf fail_with(struct resource *resource, enum ocf code, const struct blkpr_error *error)
{
	resource->reason = *error;
	return code;
}

/* --- memory --------------------------------------------------------------------------------------- */

static int remember_disk(struct memory *memory, const char *wwid, const char *name, uint64_t key, bool keep)
{
	struct remembered *disks = realloc(memory->disks, (memory->ndisks + 1) * sizeof(*disks));

	if (!disks)
		return -ENOMEM;
	memory->disks = disks;
	disks += memory->ndisks++;
	*disks = (struct remembered){ strdup(wwid), strdup(name), key, keep };
	return disks->wwid && disks->name ? 0 : -ENOMEM;
}

static const struct remembered *remembered(const struct memory *memory, const char *wwid)
{
	for (unsigned i = 0; i < memory->ndisks; i++)
		if (!strcmp(memory->disks[i].wwid, wwid))
			return &memory->disks[i];
	return NULL;
}

static void forget_disk(struct memory *memory, unsigned i)
{
	free(memory->disks[i].wwid);
	free(memory->disks[i].name);
	memory->disks[i] = memory->disks[--memory->ndisks];
}

static void forget_disks(struct memory *memory)
{
	while (memory->ndisks)
		forget_disk(memory, memory->ndisks - 1);
	free(memory->disks);
	memory->disks = NULL;
}

/* Of what an older version wrote, whose resources may still run: the executor's pid, a wall clock. */
static void take_older_line(struct memory *memory, const char *line)
{
	long pid;

	if (sscanf(line, "session %ld", &pid) == 1 && pid)
		memory->session = pacemaker_executor_start_of(pid);
	else
		sscanf(line, "score %ld", &memory->score);
}

static int take_line(struct memory *memory, const char *line)
{
	char wwid[256];
	int keep, name;
	uint64_t key;
	long long good;

	if (sscanf(line, "disk %255s %" SCNx64 " %d %n", wwid, &key, &keep, &name) == 3)
		return remember_disk(memory, wwid, line + name, key, keep);
	if (!strcmp(line, "role promoted"))
		memory->promoted = true;
	else if (sscanf(line, "good %lld", &good) == 1)
		memory->good = good;
	else if (sscanf(line, "executor %lld", &memory->session) != 1 &&
		 sscanf(line, "promotion %ld %ld %ld", &memory->score, &memory->pending,
			 &memory->pending_since) != 3)
		take_older_line(memory, line);
	return 0;
}

static int parse_memory(struct memory *memory, char *text)
{
	char *rest = NULL;
	int rc = 0;

	memory->exists = true;
	for (char *line = strtok_r(text, "\n", &rest); line && !rc;
		line = strtok_r(NULL, "\n", &rest))
		rc = take_line(memory, line);
	return rc;
}

static int recall(struct resource *resource, struct blkpr_error *error)
{
	char *text;
	int rc = record_resource_load(resource->instance, &text, error);

	resource->memory.pending = -1;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	resource->memory.text = strdup(text);
	rc = resource->memory.text ? parse_memory(&resource->memory, text) : -ENOMEM;
	free(text);
	if (rc)
		blkpr_error_set(error, "out of memory");
	return rc;
}

/* For the caller to free; NULL: no memory. */
static char *print_memory(const struct memory *memory)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "role %s\ngood %d\nexecutor %lld\npromotion %ld %ld %ld\n",
		memory->promoted ? "promoted" : "started", memory->good, memory->session,
		memory->score, memory->pending, memory->pending_since);
	for (unsigned i = 0; i < memory->ndisks; i++)
		fprintf(out, "disk %s %" PRIx64 " %d %s\n", memory->disks[i].wwid, memory->disks[i].key,
			memory->disks[i].keep, memory->disks[i].name);
	fclose(out);
	return text;
}

static int memorize_over(
	const struct resource *resource, const char *former, struct blkpr_error *error)
{
	char *text = print_memory(&resource->memory);
	int rc;

	if (!text) {
		blkpr_error_set(error, "out of memory");
		return -ENOMEM;
	}
	rc = former ? record_resource_update(resource->instance, former, text, error)
		    : record_resource_store(resource->instance, text, error);
	free(text);
	return rc;
}

static int memorize(const struct resource *resource, struct blkpr_error *error)
{
	return memorize_over(resource, NULL, error);
}

/* However start ends, stop knows that it was tried, and what it has changed. */
static int memorize_attempt(struct resource *resource, struct blkpr_error *error)
{
	if (resource->memory.exists)
		return 0;
	resource->memory.exists = true;
	return memorize(resource, error);
}

/* Of a monitor, beside which start or stop may have run: what they have left stays. */
static int memorize_score(const struct resource *resource, struct blkpr_error *error)
{
	return memorize_over(resource, resource->memory.text, error);
}

/* --- the plan: nothing is changed while it is made --------------------------------------------------- */

static int take_numbers(struct resource *resource, long *parallel, struct blkpr_error *error)
{
	const struct options *options = &resource->options;
	int rc = agent_take_number(options, "max_parallel", 1, 4096, parallel, error);

	if (!rc)
		rc = agent_take_number(options, "required_devices", 0, 100000, &resource->required, error);
	if (!rc)
		rc = agent_take_number(options, "master_score_base", 0, 1000000, &resource->score_base, error);
	if (!rc)
		rc = agent_take_number(options, "master_score_dev_factor", 0, 1000000, &resource->score_factor, error);
	if (!rc)
		rc = agent_take_number(options, "master_score_delay", 0, 1000000, &resource->score_delay, error);
	return rc;
}

/* What does not go with the kind of resource that it is. */
static int check_kind(const struct resource *resource, struct blkpr_error *error)
{
	if (resource->promotable && resource->agent.fence.type >= PR_WRITE_EXCLUSIVE_ALL_REGS) {
		blkpr_error_set(error, "reservation_type=%s: all instances would hold; for a promotable clone use "
			"WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS or a REG_ONLY type",
			options_get(&resource->options, "reservation_type"));
		return -EINVAL;
	}
	if (resource->clone && strcmp(options_get(&resource->options, "fence_blkpr"), "yes") != 0) {
		blkpr_error_set(error, "a plain clone: each instance would evict the others; make it promotable, or a primitive");
		return -EINVAL;
	}
	return 0;
}

static int take_parameters(struct resource *resource, struct blkpr_error *error)
{
	/* in the order of the choices in metadata/reservation.xml */
	static const enum pr_type types[] = { PR_WRITE_EXCLUSIVE, PR_EXCLUSIVE_ACCESS, PR_WRITE_EXCLUSIVE_REG_ONLY,
		PR_EXCLUSIVE_ACCESS_REG_ONLY, PR_WRITE_EXCLUSIVE_ALL_REGS, PR_EXCLUSIVE_ACCESS_ALL_REGS };
	static const enum blkpr_key_method methods[] = { BLKPR_KEY_NAME64, BLKPR_KEY_HASH, BLKPR_KEY_ID };
	const struct options *options = &resource->options;
	struct agent *agent = &resource->agent;
	long parallel = 0;
	int rc = options_check(options, error);

	if (!rc)
		rc = agent_take_key(agent, options, error);
	if (!rc)
		rc = take_numbers(resource, &parallel, error);
	if (rc)
		parallel = 64; /* stop goes on all the same */
	agent->method = methods[options_choice(options, "key_value")];
	agent->fence.type = types[options_choice(options, "reservation_type")];
	agent->fence.in_flight = (enum blkpr_in_flight)options_choice(options, "in_flight");
	resource->evict = options_choice(options, "other_registrants");
	resource->hold = (struct blkpr_hold){ .type = agent->fence.type,
		.parallel = (unsigned)parallel,
		.in_flight = agent->fence.in_flight,
		.shared = resource->promotable,
		.deadline = agent->deadline,
		/* a person may not know who runs the service: pcs resource debug-start */
		.evict = resource->run != BY_HAND &&
			 (resource->evict != EVICT_NONE || resource->promotable) };
	return rc ? rc : check_kind(resource, error);
}

/* With required_devices, a name that stands for nothing is one disk less. */
static int add_devices(struct resource *resource, struct blkpr_error *error)
{
	const char *spec = options_get(&resource->options, "devices");
	struct blkpr_list *list = &resource->agent.list;
	char *words, *rest = NULL;
	int rc = 0;

	if (!spec) {
		blkpr_error_set(error, "devices is not set: name the disks of the service");
		return -EINVAL;
	}
	if (!resource->required)
		return blkpr_list_add(list, spec, error);
	words = strdup(spec);
	if (!words) {
		blkpr_error_set(error, "out of memory");
		return -ENOMEM;
	}
	for (char *word = strtok_r(words, ", \t\n", &rest); word && !rc; word = strtok_r(NULL, ", \t\n", &rest)) {
		rc = blkpr_list_add(list, word, error);
		if (rc != -ENOENT)
			continue;
		qb_log(LOG_WARNING, "%s", error->text);
		resource->absent++;
		rc = 0;
	}
	free(words);
	return rc;
}

/* Pacemaker may not know the parameters any more (an orphan is demoted without them), or know newer ones. */
static int add_remembered(struct resource *resource, struct blkpr_error *error)
{
	int rc = 0, failure;

	for (unsigned i = 0; i < resource->memory.ndisks; i++) {
		failure = blkpr_list_add(&resource->agent.list, resource->memory.disks[i].name, error);
		if (failure)
			rc = failure;
	}
	return rc;
}

static int find_devices(struct resource *resource, bool remembered_ones, struct blkpr_error *error)
{
	struct agent *agent = &resource->agent;
	int rc = remembered_ones ? add_remembered(resource, error) : add_devices(resource, error);

	if (!rc && !agent->list.count) {
		blkpr_error_set(error, "no devices: devices names none that is there");
		rc = -ENOENT;
	}
	if (rc && !(remembered_ones && agent->list.count && resource->required))
		return rc;
	return agent_settle_devices(agent, error);
}

/* Whether fence_blkpr's `on` has registered this node there since its start, with which *KEY. */
static bool is_recorded(const struct agent *agent, const char *wwid, uint64_t *key)
{
	const struct registration *record = coverage_find(&agent->coverage, wwid);

	if (!record || !record->name || !record->key)
		return false;
	*key = record->key;
	return true;
}

/* What fence_blkpr's `on` has registered here is the fence agent's, all of the disks or none. */
static int find_manager(struct resource *resource, struct blkpr_error *error)
{
	enum { AUTO, YES, NO } said = options_choice(&resource->options, "fence_blkpr");
	struct agent *agent = &resource->agent;
	unsigned recorded = 0, stranger = 0;

	for (unsigned i = 0; i < agent->list.count && said != NO; i++) {
		if (is_recorded(agent, agent->list.devices[i].wwid, &agent->targets[i].own))
			recorded++;
		else
			stranger = i;
	}
	resource->managed = said == YES || recorded;
	if (recorded == agent->list.count || !resource->managed)
		return 0;
	blkpr_error_set(error, "%s: fence_blkpr has not registered this node there%s; unfence this node (stonith_admin "
		"--unfence NODE, or fence_blkpr -o on), or set fence_blkpr=no", agent->list.devices[stranger].name,
		recorded ? ", but on others of the devices" : "");
	return -EPERM;
}

/* Every node's key by every method, but this node's, of the resource agent's DOMAIN or (0) of fence agents. */
static unsigned derive_keys(const struct agent *agent, uint64_t domain, uint64_t keys[])
{
	struct agent twin = *agent;
	unsigned count = 0;

	twin.domain = domain;
	for (unsigned i = 0; i < agent->cluster.count; i++)
		for (int method = 0; method < BLKPR_KEY_METHODS; method++) {
			uint64_t key = agent_node_key(&twin, method, &agent->cluster.nodes[i]);

			if (key && key != agent->key)
				keys[count++] = key;
		}
	return count;
}

/* Remote nodes have keys, too. */
static int know_remotes(struct resource *resource, struct blkpr_error *error)
{
	struct blkpr_error unasked;
	int rc = agent_add_remotes(&resource->agent, &unasked);

	if (rc)
		qb_log(LOG_INFO, "remote nodes are not known: %s", unasked.text);
	if (rc == -ETIME) /* it may have some, whose keys are not to be evicted */
		blkpr_error_set(error, "Pacemaker does not say which remote nodes it has: %.400s", unasked.text);
	return rc == -ETIME ? rc : 0;
}

/* Who may be evicted, and where nothing is changed: this cluster's resources' keys, and its fence agents'. */
static int find_keys(struct resource *resource, struct blkpr_error *error)
{
	struct agent *agent = &resource->agent;
	bool fencing = strcmp(options_get(&resource->options, "fence_blkpr"), "no") != 0;
	struct blkpr_hold *hold = &resource->hold;
	size_t most;
	int rc;

	if (!fencing && resource->evict == EVICT_ALL)
		return 0;
	if (!agent->clustered) { /* nobody can tell whose a key is, so none is evicted */
		hold->evict = false;
		return 0;
	}
	if (agent->key && resource->evict == EVICT_CLUSTER)
		qb_log(LOG_WARNING,
			"key is set: which keys the other nodes have is not known, so none of theirs is "
			"evicted, not even when this node takes over; set other_registrants=evict, or "
			"leave key out");
	rc = know_remotes(resource, error);
	if (rc)
		return rc;
	most = (size_t)agent->cluster.count * BLKPR_KEY_METHODS;
	resource->fencers = calloc(most + 1, sizeof(*resource->fencers));
	resource->ours = calloc(2 * most + 1, sizeof(*resource->ours));
	if (!resource->fencers || !resource->ours) {
		blkpr_error_set(error, "out of memory");
		return -ENOMEM;
	}
	if (fencing) {
		hold->nfencers = derive_keys(agent, 0, resource->fencers);
		hold->fencers = resource->fencers;
	}
	if (resource->evict != EVICT_ALL) {
		hold->nours = derive_keys(agent, BLKPR_KEY_OF_RESOURCE, resource->ours);
		if (!fencing)
			hold->nours += derive_keys(agent, 0, resource->ours + hold->nours);
		hold->ours = resource->ours;
	}
	return 0;
}

static int find_own(struct resource *resource, struct blkpr_error *error)
{
	struct agent *agent = &resource->agent;
	uint64_t own = agent->key;
	int rc = 0;

	if (resource->managed) {
		agent->domain = 0; /* the keys that `on` recorded */
		return 0;
	}
	if (!own)
		rc = agent_derive_own(agent, &own, error);
	if (!rc && agent->clustered)
		rc = agent_check_unique(agent, own, cluster_self(&agent->cluster), error);
	for (unsigned i = 0; i < agent->list.count && !rc; i++)
		agent->targets[i].own = own;
	return rc;
}

/* What stop would give back is remembered by identity: devices with one are not told apart. */
static int check_identities(const struct resource *resource, struct blkpr_error *error)
{
	const struct blkpr_list *list = &resource->agent.list;

	for (unsigned i = 1; i < list->count && !resource->managed; i++) {
		if (strcmp(list->devices[i - 1].wwid, list->devices[i].wwid) != 0)
			continue;
		blkpr_error_set(error,
			"%s and %s report one WWID; if they are paths of one disk name its "
			"multipath map, or one of them; "
			"if not, give each LUN a serial number of its own",
			list->devices[i - 1].name, list->devices[i].name);
		return -EINVAL;
	}
	return 0;
}

/* An exclusive reservation is one path's; the map's other paths could not write. */
static int check_paths(const struct resource *resource, struct blkpr_error *error)
{
	const struct agent *agent = &resource->agent;

	if (agent->fence.type >= PR_WRITE_EXCLUSIVE_REG_ONLY || resource->managed)
		return 0;
	for (unsigned i = 0; i < agent->list.count; i++) {
		if (agent->list.devices[i].npaths < 2)
			continue;
		blkpr_error_set(error, "%s: has %u paths, and reservation_type=%s lets only one of them write; use a REG_ONLY "
			"type", agent->list.devices[i].name, agent->list.devices[i].npaths,
			options_get(&resource->options, "reservation_type"));
		return -EINVAL;
	}
	return 0;
}

/* With which key a disk is held does not follow from today's parameters. */
static void keep_remembered(struct resource *resource)
{
	struct agent *agent = &resource->agent;
	unsigned n = 0;

	for (unsigned i = 0; i < agent->list.count; i++) {
		const struct blkpr_device *device = &agent->list.devices[i];
		const struct remembered *disk = remembered(&resource->memory, device->wwid);

		if (!disk)
			continue; /* the name stands for another disk now: lost_disk() */
		agent->targets[n] = (struct blkpr_target){ .device = device, .own = disk->key, .keep = disk->keep };
		resource->managed |= !disk->key;
		if (!disk->key)
			is_recorded(agent, disk->wwid, &agent->targets[n].own);
		n++;
	}
	agent->ntargets = n;
	if (resource->managed)
		agent->domain = 0;
}

#define WORDS_MS 1000

/*
 * To take disks, other nodes' keys must be known. What is remembered needs corosync for words, and to find that another
 * node has become this one's twin (S10): it is not waited for long.
 */
static void know_cluster(struct resource *resource, bool changes, bool anew)
{
	struct agent *agent = &resource->agent;
	int64_t words = blkpr_clock_ms() + WORDS_MS, until = agent_asking_deadline(agent);

	if (changes)
		agent_load_cluster(agent);
	else
		agent_load_cluster_by(agent, anew || until < words ? until : words);
}

/*
 * Devices, who manages them, keys. CHANGES: for start, by the parameters; else by what start has remembered, if it has.
 * OCF_SUCCESS, or with the reason.
 */
static enum ocf plan(struct resource *resource, bool changes)
{
	struct blkpr_error error;
	bool anew = changes || !resource->memory.ndisks;
	int rc;

	know_cluster(resource, changes, anew);
	rc = find_devices(resource, !anew, &error);
	if (rc)
		return fail_with(resource, rc == -EINVAL ? OCF_ERR_CONFIGURED : OCF_ERR_INSTALLED, &error);
	if (!anew) {
		keep_remembered(resource);
	} else {
		if (find_manager(resource, &error))
			return fail_with(resource, OCF_ERR_GENERIC, &error);
		if (find_own(resource, &error))
			return fail_with(resource, OCF_ERR_GENERIC, &error);
	}
	if (changes && (check_identities(resource, &error) || check_paths(resource, &error)))
		return fail_with(resource, OCF_ERR_CONFIGURED, &error);
	if (agent_know_others(&resource->agent, &error))
		return fail_with(resource, OCF_ERR_GENERIC, &error);
	resource->hold.others = resource->agent.fence.others;
	resource->hold.managed = resource->managed;
	agent_begin_work(&resource->agent);
	return OCF_SUCCESS;
}

/* --- judging -------------------------------------------------------------------------------------- */

typedef bool judge(const struct resource *resource, const struct blkpr_verdict *verdict);

static bool is_ok(const struct resource *resource, const struct blkpr_verdict *verdict)
{
	(void)resource;
	return verdict->result == BLKPR_OK;
}

/* Of an instance that is not promoted: registered, whoever holds. */
static bool is_registered(const struct resource *resource, const struct blkpr_verdict *verdict)
{
	(void)resource;
	return verdict->result == BLKPR_OK || verdict->result == BLKPR_TAKEN || verdict->result == BLKPR_UNRESERVED;
}

/* What another node, or a device, has decided counts on every disk; silence only up to required_devices. */
static bool enough(const struct resource *resource, int rc, judge *good)
{
	const struct agent *agent = &resource->agent;
	unsigned count = 0, decided = 0;

	for (unsigned i = 0; i < agent->ntargets; i++) {
		if (good(resource, &agent->verdicts[i]))
			count++;
		else if (!blkpr_result_unreachable(agent->verdicts[i].result))
			decided++;
	}
	if (rc || decided)
		return false;
	return count >= (resource->required ? (unsigned)resource->required : agent->ntargets + resource->absent);
}

/* What Pacemaker keeps of a reason (lib/services/services_linux.c: EXIT_REASON_MAX_LEN). */
#define REASON_KEPT 128

/* Where and what first, in what Pacemaker keeps; then what to do about it. The log has each disk's whole name. */
static void set_reason(struct resource *resource, unsigned disk, unsigned more)
{
	const struct agent *agent = &resource->agent;
	const char *name = agent->targets[disk].device->name, *last = strrchr(name, '/');
	char *text = say_text(agent, disk), others[32] = "";
	const char *what = text ? text + strlen(name) + strlen(": ")
				: blkpr_result_text(agent->verdicts[disk].result);

	if (more)
		snprintf(others, sizeof(others), " and %u more", more);
	if (last && strlen(name) + strlen(others) + strlen(": ") + strcspn(what, ";") > REASON_KEPT)
		name = last + 1;
	blkpr_error_set(&resource->reason, "%s%s: %.400s", name, others, what);
	free(text);
}

/* The reason is the first disk's; one that somebody decided about before one that does not answer. */
static void take_reason(struct resource *resource, int rc, judge *good)
{
	const struct agent *agent = &resource->agent;
	unsigned bad = 0, worst = agent->ntargets;

	for (unsigned i = 0; i < agent->ntargets; i++) {
		if (good(resource, &agent->verdicts[i]) || agent->verdicts[i].result == BLKPR_UNTOUCHED)
			continue;
		bad++;
		if (worst == agent->ntargets || (blkpr_result_unreachable(agent->verdicts[worst].result) &&
							  !blkpr_result_unreachable(agent->verdicts[i].result)))
			worst = i;
	}
	if (worst < agent->ntargets)
		set_reason(resource, worst, bad - 1);
	else if (rc)
		blkpr_error_set(&resource->reason,
			"no process to work on the disks: %s; free memory, or raise the limits",
			strerror(-rc));
	else
		blkpr_error_set(&resource->reason,
			"%u of the disks in devices are there, and required_devices=%ld; reconnect "
			"the others, or lower it",
			agent->ntargets, resource->required);
}

static enum ocf judge_all(struct resource *resource, int rc, judge *good)
{
	if (enough(resource, rc, good))
		return OCF_SUCCESS;
	take_reason(resource, rc, good);
	return OCF_ERR_GENERIC;
}

/* To the log, beside the one reason that Pacemaker shows. */
static void tell(const struct resource *resource, unsigned arbiter)
{
	say_story(&resource->agent, arbiter);
	if (*resource->reason.text)
		say_failures(&resource->agent, arbiter);
}

static int watch(struct resource *resource)
{
	struct agent *agent = &resource->agent;

	return blkpr_hold_watch(&resource->hold, agent->targets, agent->ntargets, agent->verdicts);
}

#define LOOKING_SHARE 4

/* A look before the work takes only a part of the time: a disk that hangs must not take it all. */
static int watch_first(struct resource *resource)
{
	int64_t now = blkpr_clock_ms();
	int rc;

	resource->hold.deadline = now + (resource->agent.deadline - now) / LOOKING_SHARE;
	rc = watch(resource);
	resource->hold.deadline = resource->agent.deadline;
	return rc;
}

/* --- promotion score ------------------------------------------------------------------------------ */

#define ATTRIBUTE_MS 3000

/* crm_attribute knows the resource from the environment. A cluster that does not answer costs no action. */
static bool set_attribute(const struct resource *resource, const char *score)
{
	const char *const update[] = { "crm_attribute", "--promotion", "--lifetime", "reboot", "--update", score, NULL };
	const char *const delete[] = { "crm_attribute", "--promotion", "--lifetime", "reboot", "--delete", NULL };
	int64_t now = blkpr_clock_ms(), half = (resource->agent.deadline - now) / 2;
	struct blkpr_error error;
	char *output = NULL;
	int rc = run_program(score ? update : delete,
		now + (half < ATTRIBUTE_MS ? half : ATTRIBUTE_MS), &output, &error);

	if (rc)
		qb_log(LOG_INFO, "promotion score: %s", error.text);
	free(output);
	return !rc;
}

static long find_score(const struct resource *resource, judge *good)
{
	long score = resource->score_base;

	for (unsigned i = 0; i < resource->agent.ntargets; i++)
		if (good(resource, &resource->agent.verdicts[i]))
			score += resource->score_factor;
	return score;
}

/*
 * A change that would move the promoted role has to last for master_score_delay. True: what is to be
 * remembered has changed.
 */
static bool update_score(struct resource *resource, judge *good)
{
	struct memory *memory = &resource->memory;
	long score = find_score(resource, good), now = registration_clock();
	long former = memory->score, pending = memory->pending;
	bool wait = former && resource->score_delay && (score < former) == memory->promoted;
	char text[32];

	if (!resource->promotable)
		return false;
	memory->pending = -1;
	if (score == former)
		return pending != -1;
	if (wait && pending < 0)
		memory->pending_since = now;
	if (wait && (pending < 0 || now - memory->pending_since < resource->score_delay)) {
		memory->pending = score;
		return pending != score;
	}
	snprintf(text, sizeof(text), "%ld", score);
	memory->score = set_attribute(resource, text) ? score : 0;
	return memory->score != former || pending != -1;
}

/* --- start ---------------------------------------------------------------------------------------- */

static const char *owner_of(const struct resource *resource, uint64_t key)
{
	const struct agent *agent = &resource->agent;

	for (unsigned i = 0; i < agent->cluster.count; i++)
		if (agent_node_key(agent, agent->method, &agent->cluster.nodes[i]) == key)
			return agent->cluster.nodes[i].name;
	return NULL;
}

static bool told_before(const struct agent *agent, unsigned disk, uint64_t key)
{
	for (unsigned i = 0; i < disk; i++)
		for (unsigned k = 0; k < agent->verdicts[i].nkeys; k++)
			if (agent->verdicts[i].keys[k].key == key)
				return true;
	return false;
}

/* What the fencer knows of the nodes whose keys go: asked meanwhile, as a hint for people. */
struct inquiry {
	unsigned count;
	struct {
		const char *node;
		struct fencer_question question;
	} nodes[8];
};

static void inquire(struct inquiry *inquiry, const char *node)
{
	if (inquiry->count == sizeof(inquiry->nodes) / sizeof(*inquiry->nodes))
		return;
	inquiry->nodes[inquiry->count].node = node;
	inquiry->nodes[inquiry->count++].question = fencer_ask(node);
}

/* Before keys go: whose they are. */
static void tell_whose(const struct resource *resource, struct inquiry *inquiry)
{
	const struct agent *agent = &resource->agent;

	for (unsigned i = 0; i < agent->ntargets; i++)
		for (unsigned k = 0; k < agent->verdicts[i].nkeys; k++) {
			uint64_t key = agent->verdicts[i].keys[k].key;
			const char *owner = owner_of(resource, key);
			char *text;

			if (key == agent->targets[i].own || told_before(agent, i, key))
				continue;
			if (owner)
				inquire(inquiry, owner);
			text = say_key(agent, &agent->targets[i], key);
			qb_log(LOG_NOTICE, "%s: %s is registered, and will be evicted%s",
				agent->targets[i].device->name, text ? text : "a key",
				owner ? "" : "; no node of the cluster has this key");
			free(text);
		}
}

#define HISTORY_MS 200

/* When they are gone. */
static void tell_history(const struct inquiry *inquiry)
{
	int64_t until = blkpr_clock_ms() + HISTORY_MS;
	char history[256];

	for (unsigned i = 0; i < inquiry->count; i++) {
		fencer_answer(&inquiry->nodes[i].question, inquiry->nodes[i].node, until, history,
			sizeof(history));
		qb_log(LOG_NOTICE, "%s", history);
	}
}

static bool takes_over(const struct resource *resource)
{
	return !resource->promotable && resource->hold.evict;
}

/* A derived key is nobody's but this agent's; an explicit one that was there before is not ended by stop. */
static int begin_memory(struct resource *resource, struct blkpr_error *error)
{
	struct memory *memory = &resource->memory;
	const struct agent *agent = &resource->agent;
	bool fresh = !memory->ndisks;
	int rc = 0;

	memory->promoted = false;
	memory->good = false;
	memory->session = resource->managed ? pacemaker_executor_start() : 0;
	for (unsigned i = 0; i < agent->ntargets && !rc; i++) {
		const char *wwid = agent->targets[i].device->wwid;
		uint64_t key = resource->managed ? 0 : agent->targets[i].own;
		bool keep = fresh && agent->key && key && agent->verdicts[i].kept;

		if (!remembered(memory, wwid))
			rc = remember_disk(memory, wwid, agent->targets[i].device->name, key, keep);
	}
	if (rc) {
		blkpr_error_set(error, "out of memory");
		return rc;
	}
	return memorize(resource, error);
}

static enum ocf good_now(struct resource *resource)
{
	struct blkpr_error error;

	resource->memory.good = true;
	if (memorize(resource, &error))
		return fail_with(resource, OCF_ERR_GENERIC, &error);
	return OCF_SUCCESS;
}

/* A disk to which nothing was sent is not this resource's, and stop need not reach it. */
static void forget_untouched(struct resource *resource)
{
	const struct agent *agent = &resource->agent;
	struct blkpr_error error;

	for (unsigned i = 0; i < agent->ntargets; i++) {
		const struct remembered *disk = remembered(&resource->memory, agent->targets[i].device->wwid);

		if (!disk || agent->verdicts[i].touched || agent->verdicts[i].kept)
			continue;
		forget_disk(&resource->memory, (unsigned)(disk - resource->memory.disks));
	}
	if (memorize(resource, &error))
		qb_log(LOG_WARNING, "%s", error.text);
}

static enum ocf change(struct resource *resource)
{
	struct agent *agent = &resource->agent;
	unsigned arbiter = agent->ntargets;
	enum ocf code;
	int rc;

	if (resource->promotable)
		rc = blkpr_hold_join(&resource->hold, agent->targets, agent->ntargets, agent->verdicts);
	else
		rc = blkpr_hold_take(&resource->hold, agent->targets, agent->ntargets, agent->verdicts, &arbiter);
	code = judge_all(resource, rc, is_ok);
	say_story(agent, arbiter);
	say_failures(agent, arbiter); /* or what could not be done as well as it should */
	forget_untouched(resource);
	return code;
}

/* Disks that fail at once get a second look; ones that are busy or do not answer have this part of the time. */
#define MOST_LOOKS 2
#define WAITING_SHARE(ms) ((ms) / 4 * 3)
#define LOOKS_PAUSE_MS 500

/* Whether what is missing has only not answered. */
static bool only_silence(const struct resource *resource)
{
	const struct agent *agent = &resource->agent;

	for (unsigned i = 0; i < agent->ntargets; i++)
		if (agent->verdicts[i].result != BLKPR_OK &&
			!blkpr_result_unreachable(agent->verdicts[i].result))
			return false;
	return true;
}

/* Whether a disk has not answered yet, rather than failed. */
static bool is_waited_for(const struct resource *resource)
{
	const struct agent *agent = &resource->agent;

	for (unsigned i = 0; i < agent->ntargets; i++)
		if (agent->verdicts[i].result == BLKPR_BUSY ||
			agent->verdicts[i].result == BLKPR_UNFINISHED ||
			agent->verdicts[i].result == BLKPR_ATTENTION)
			return true;
	return false;
}

typedef int look_ahead(const struct blkpr_hold *hold, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/* A disk that hangs must not take all of the time. */
static enum ocf look_once(struct resource *resource, look_ahead *look, int64_t until)
{
	struct agent *agent = &resource->agent;
	int64_t now = blkpr_clock_ms(), share = now + (agent->deadline - now) / LOOKING_SHARE;
	int rc;

	resource->hold.deadline = share < until ? share : until;
	rc = look(&resource->hold, agent->targets, agent->ntargets, agent->verdicts);
	resource->hold.deadline = agent->deadline;
	*resource->reason.text = '\0';
	return judge_all(resource, rc, is_ok);
}

/* OCF_SUCCESS: nothing is known that would make it fail. */
static enum ocf foresee(struct resource *resource, look_ahead *look)
{
	struct agent *agent = &resource->agent;
	int64_t now = blkpr_clock_ms(), until = now + WAITING_SHARE(agent->deadline - now);
	enum ocf code = OCF_ERR_GENERIC;

	if (resource->required > (long)agent->ntargets) {
		take_reason(resource, 0, is_ok);
		return code;
	}
	for (int looks = 0; code != OCF_SUCCESS && blkpr_clock_ms() < until; looks++) {
		if (looks && (!only_silence(resource) ||
				     (looks >= MOST_LOOKS && !is_waited_for(resource))))
			break;
		if (looks)
			blkpr_clock_pause(LOOKS_PAUSE_MS, until);
		code = look_once(resource, look, until);
	}
	if (code != OCF_SUCCESS)
		tell(resource, agent->ntargets);
	return code;
}

static enum ocf start_anew(struct resource *resource, judge *good)
{
	struct inquiry inquiry = { 0 };
	struct blkpr_error error;
	enum ocf code = foresee(resource, blkpr_hold_foresee);

	if (code != OCF_SUCCESS)
		return code;
	if (begin_memory(resource, &error))
		return fail_with(resource, OCF_ERR_GENERIC, &error);
	if (takes_over(resource))
		tell_whose(resource, &inquiry);
	code = change(resource);
	tell_history(&inquiry);
	if (code == OCF_SUCCESS) /* all at one time, after the last change */
		code = judge_all(resource, watch(resource), good);
	return code;
}

static enum ocf start(struct resource *resource)
{
	judge *good = resource->promotable ? is_registered : is_ok;
	struct blkpr_error error;
	enum ocf code = plan(resource, true);

	if (code == OCF_SUCCESS && find_keys(resource, &error))
		code = fail_with(resource, OCF_ERR_GENERIC, &error);
	if (code != OCF_SUCCESS)
		return code;
	if (resource->managed) {
		code = judge_all(resource, watch(resource), good);
		if (code == OCF_SUCCESS && begin_memory(resource, &error))
			return fail_with(resource, OCF_ERR_GENERIC, &error);
	} else if (!resource->memory.good || !enough(resource, watch_first(resource), good)) {
		code = start_anew(resource, good);
		if (code != OCF_SUCCESS)
			return code;
	} /* else started before, to its end */
	tell(resource, resource->agent.ntargets);
	if (code != OCF_SUCCESS)
		return code;
	resource->memory.score = 0; /* whatever the cluster knows of it */
	update_score(resource, good);
	return good_now(resource);
}

/* --- stop ----------------------------------------------------------------------------------------- */

static bool is_left(const struct resource *resource, const struct blkpr_verdict *verdict)
{
	const struct agent *agent = &resource->agent;
	const char *wwid = agent->targets[verdict - agent->verdicts].device->wwid;

	/* what it has not changed need not be reached; without a memory only the disk knows */
	return verdict->result == BLKPR_OK ||
	       (resource->memory.exists && !remembered(&resource->memory, wwid));
}

static bool all_left(const struct resource *resource)
{
	for (unsigned i = 0; i < resource->agent.ntargets; i++)
		if (!is_left(resource, &resource->agent.verdicts[i]))
			return false;
	return true;
}

/* The identity of a disk that is remembered, and that no name in devices stands for any more; NULL: none. */
static const char *lost_disk(const struct resource *resource)
{
	const struct blkpr_list *list = &resource->agent.list;

	for (unsigned i = 0; i < resource->memory.ndisks; i++) {
		unsigned k = 0;

		while (k < list->count && strcmp(list->devices[k].wwid, resource->memory.disks[i].wwid) != 0)
			k++;
		if (k == list->count)
			return resource->memory.disks[i].wwid;
	}
	return NULL;
}

static void take_lost_as_reason(struct resource *resource)
{
	const char *lost = *resource->reason.text ? NULL : lost_disk(resource);

	if (lost)
		blkpr_error_set(&resource->reason, "%s: held by this resource, and no name in devices stands for it any more; "
			"reconnect it, or put its name back", lost);
}

static enum ocf forget(struct resource *resource)
{
	struct blkpr_error error;

	if (resource->promotable)
		set_attribute(resource, NULL);
	if (record_resource_remove(resource->instance, &error))
		return fail_with(resource, OCF_ERR_GENERIC, &error);
	return OCF_SUCCESS;
}

static enum ocf leave(struct resource *resource)
{
	struct agent *agent = &resource->agent;
	int rc = 0;

	if (agent->ntargets)
		rc = blkpr_hold_leave(&resource->hold, agent->targets, agent->ntargets, agent->verdicts);
	if (rc || !all_left(resource))
		take_reason(resource, rc, is_left);
	take_lost_as_reason(resource);
	tell(resource, agent->ntargets);
	return *resource->reason.text ? OCF_ERR_GENERIC : forget(resource);
}

/* Whether a disk that is remembered was held with a key of this resource's, not a fence agent's. */
static bool holds_of_its_own(const struct memory *memory)
{
	for (unsigned i = 0; i < memory->ndisks; i++)
		if (memory->disks[i].key)
			return true;
	return false;
}

/*
 * A disk that is remembered, and whose state is not known now, is no reason to say that all is stopped; nor is one of a
 * resource of which nothing is remembered. What start was tried of, and has changed nothing, needs no disk to be stopped.
 */
static enum ocf stop(struct resource *resource)
{
	enum ocf code;

	/* start has changed nothing, and a key that is not derived may have been somebody's before */
	if (resource->agent.key && resource->memory.exists && !resource->memory.ndisks)
		return forget(resource);
	code = plan(resource, false);
	if (code == OCF_SUCCESS)
		return resource->managed ? forget(resource) : leave(resource);
	if (!resource->memory.exists || holds_of_its_own(&resource->memory))
		return OCF_ERR_GENERIC;
	qb_log(LOG_NOTICE, "%s; nothing is held here", resource->reason.text);
	*resource->reason.text = '\0';
	return forget(resource);
}

/* --- monitor -------------------------------------------------------------------------------------- */

/* Every path registered: what monitor with OCF_CHECK_LEVEL 10 adds. */
static void check_deeply(struct resource *resource)
{
	struct agent *agent = &resource->agent;

	for (unsigned i = 0; i < agent->ntargets && resource->check_level >= 10; i++)
		if (agent->verdicts[i].result == BLKPR_OK &&
			agent->verdicts[i].own_registrations < agent->targets[i].device->paths)
			agent->verdicts[i].result = BLKPR_FEWER_PATHS;
}

/* Nothing of this node's is on the disk. */
static bool is_away(const struct resource *resource, const struct blkpr_verdict *verdict)
{
	(void)resource;
	return verdict->result == BLKPR_EVICTED;
}

static bool all_away(const struct resource *resource)
{
	for (unsigned i = 0; i < resource->agent.ntargets; i++)
		if (!is_away(resource, &resource->agent.verdicts[i]))
			return false;
	return true;
}

/* Started here, as this node remembers: it must be on the disks. */
static enum ocf monitor_started(struct resource *resource, int rc)
{
	bool held = enough(resource, rc, is_ok);
	judge *good = resource->promotable ? is_registered : is_ok;
	struct blkpr_error error;
	enum ocf code;

	if (resource->managed)
		held = resource->memory.promoted && held;
	code = judge_all(resource, rc, good);
	if (code == OCF_SUCCESS && resource->memory.promoted && resource->promotable && !held) {
		take_reason(resource, rc, is_ok);
		code = OCF_FAILED_PROMOTED;
	}
	take_lost_as_reason(resource);
	if (!*resource->reason.text && !resource->memory.good)
		blkpr_error_set(&resource->reason, "start was interrupted, and has not proven that nobody else writes; start it again");
	if (code == OCF_SUCCESS && *resource->reason.text)
		code = OCF_ERR_GENERIC;
	tell(resource, resource->agent.ntargets);
	if (resource->run == BY_PACEMAKER && update_score(resource, good) &&
		memorize_score(resource, &error))
		qb_log(LOG_WARNING, "%s", error.text); /* the disks are what they are */
	if (code != OCF_SUCCESS)
		return code;
	return resource->promotable && held ? OCF_RUNNING_PROMOTED : OCF_SUCCESS;
}

/*
 * Not started here since the node was, so nothing of this boot is held. A disk may still have this node's key from before;
 * whether it holds by a path that lives only start can tell, so to be registered is not to run, for a primitive.
 */
static enum ocf monitor_unknown(struct resource *resource, int rc)
{
	if (resource->managed || all_away(resource))
		return OCF_NOT_RUNNING;
	if (enough(resource, rc, is_ok) || enough(resource, rc, is_registered)) {
		qb_log(LOG_NOTICE, "this node's key is on the disks, from before its last boot; start makes it good");
		return OCF_NOT_RUNNING;
	}
	judge_all(resource, rc, is_ok);
	tell(resource, resource->agent.ntargets);
	return OCF_ERR_INSTALLED; /* for a probe: it does not run here, and cannot */
}

/* Whether Pacemaker is not the one any more that started it; what cannot be told is no. */
static bool is_of_an_earlier_session(const struct resource *resource)
{
	long long now =
		pacemaker_executor_start(); /* what a managed disk shows is the same before and after */

	return now && resource->memory.session && resource->memory.session != now;
}

/* Pacemaker died here, the node was evicted, and Pacemaker came back: what was started in that life does not run. */
static bool was_ended(const struct resource *resource)
{
	if (!resource->probe)
		return false;
	if (resource->managed)
		return is_of_an_earlier_session(resource);
	return resource->agent.ntargets && !lost_disk(resource) && all_away(resource);
}

/* What cannot be started does not run. */
static enum ocf cannot_run(struct resource *resource)
{
	qb_log(LOG_INFO, "%s", resource->reason.text);
	*resource->reason.text = '\0';
	return OCF_NOT_RUNNING;
}

static enum ocf monitor(struct resource *resource)
{
	bool started = resource->memory.ndisks;
	enum ocf code = plan(resource, false);
	int rc;

	if (code != OCF_SUCCESS && !started)
		return resource->probe ? cannot_run(resource) : code;
	if (code != OCF_SUCCESS)
		return OCF_ERR_GENERIC; /* it ran, and its disk has gone */
	rc = resource->agent.ntargets ? watch(resource) : -ENODEV;
	check_deeply(resource);
	if (started && was_ended(resource)) {
		if (resource->run != BY_PACEMAKER) /* only looked at: crm_resource --force-check */
			return OCF_NOT_RUNNING;
		return forget(resource) == OCF_SUCCESS ? OCF_NOT_RUNNING : OCF_ERR_GENERIC;
	}
	return started ? monitor_started(resource, rc) : monitor_unknown(resource, rc);
}

/* --- promote, demote ------------------------------------------------------------------------------ */

static enum ocf promote(struct resource *resource)
{
	struct agent *agent = &resource->agent;
	unsigned arbiter = agent->ntargets;
	struct blkpr_error error;
	enum ocf code;
	int rc = 0;

	agent_load_cluster(agent);
	code = plan(resource, false);
	if (code == OCF_SUCCESS && find_keys(resource, &error))
		code = fail_with(resource, OCF_ERR_GENERIC, &error);
	if (code != OCF_SUCCESS)
		return code;
	if (!resource->managed && !resource->hold.evict && !resource->agent.clustered)
		return fail_with(resource, OCF_ERR_GENERIC, &agent->unclustered);
	if (!resource->managed)
		code = foresee(resource, blkpr_hold_foresee_promotion);
	if (code != OCF_SUCCESS)
		return code;
	if (!resource->managed) {
		rc = blkpr_hold_promote(&resource->hold, agent->targets, agent->ntargets, agent->verdicts, &arbiter);
		code = judge_all(resource, rc, is_ok);
		tell(resource, arbiter);
	}
	if (code == OCF_SUCCESS)
		code = judge_all(resource, watch(resource), is_ok);
	tell(resource, agent->ntargets);
	resource->memory.promoted = code == OCF_SUCCESS;
	return code == OCF_SUCCESS ? good_now(resource) : code;
}

static enum ocf demote(struct resource *resource)
{
	struct agent *agent = &resource->agent;
	enum ocf code = plan(resource, false);
	int rc = 0;

	if (code != OCF_SUCCESS)
		return code;
	if (!resource->managed) {
		rc = blkpr_hold_demote(&resource->hold, agent->targets, agent->ntargets, agent->verdicts);
		if (rc || !all_left(resource))
			take_reason(resource, rc, is_left);
		take_lost_as_reason(resource);
		tell(resource, agent->ntargets);
	}
	if (*resource->reason.text)
		return OCF_ERR_GENERIC;
	resource->memory.promoted = false;
	return good_now(resource);
}

/* --- the rest ------------------------------------------------------------------------------------- */

static enum ocf validate(struct resource *resource)
{
	if (resource->check_level >= 10)
		return plan(resource, true);
	if (options_get(&resource->options, "devices"))
		return OCF_SUCCESS;
	blkpr_error_set(&resource->reason, "devices is not set: name the disks of the service");
	return OCF_ERR_CONFIGURED;
}

static enum ocf nothing(struct resource *resource)
{
	(void)resource;
	return OCF_SUCCESS;
}

static const struct action {
	const char *name;
	bool disks; /* works on disks: for root */
	enum ocf (*run)(struct resource *resource);
} actions[] = {
	{ "start", true, start },
	{ "stop", true, stop },
	{ "monitor", true, monitor },
	{ "promote", true, promote },
	{ "demote", true, demote },
	{ "notify", false, nothing },
	{ "reload-agent", false, nothing },
	{ "validate-all", false, validate },
};

static const struct action *find_action(const char *name)
{
	for (unsigned i = 0; name && i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(actions[i].name, name))
			return &actions[i];
	return NULL;
}

static long number_in_environment(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtol(text, NULL, 10) : otherwise;
}

#define USUAL_TIMEOUT_MS 20000
#define LEAST_TIME_MS 500

/* A tenth is left for the process to be started and to tell. */
static void set_deadline(struct resource *resource, int64_t began)
{
	long ms = number_in_environment("OCF_RESKEY_CRM_meta_timeout", USUAL_TIMEOUT_MS);

	ms -= ms / 10 > LEAST_TIME_MS ? ms / 10 : LEAST_TIME_MS;
	if (ms < LEAST_TIME_MS)
		ms = LEAST_TIME_MS;
	resource->agent.deadline = began + ms;
	alarm_before_work(ms);
}

/* As Pacemaker reads booleans. */
static bool is_true(const char *text)
{
	static const char *const words[] = { "true", "on", "yes", "y", "1" };

	for (unsigned i = 0; text && i < sizeof(words) / sizeof(*words); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

static char *make_tag(const char *instance)
{
	char *tag;

	return asprintf(&tag, "%s(%s)", NAME, instance) < 0 ? NULL : tag;
}

/*
 * What the executor passes, and what crm_resource --force-* does (Pacemaker 2.1.5 to 3.0.2, tools/crm_resource_runtime.c and
 * lib/pengine/complex.c: get_meta_attributes): the meta-attributes of the resource and its clone as they are configured
 * (promotable, no promoted-max that is not set), the attributes of its element (id, which is the primitive's even if the clone's
 * was named, as OCF_RESOURCE_INSTANCE then is), `clone` (an instance's number), no interval. Both say in PCMK_service who
 * they are (lib/common/logging.c).
 */
static void read_environment(struct resource *resource)
{
	const char *instance = getenv("OCF_RESKEY_CRM_meta_id"), *service = getenv("PCMK_service");

	if (service &&
		(!strcmp(service, "pacemaker-execd") || !strcmp(service, "pacemaker-remoted")))
		resource->run = BY_PACEMAKER;
	else if (service && !strcmp(service, "crm_resource"))
		resource->run = BY_HAND;
	if (!instance)
		instance = getenv("OCF_RESOURCE_INSTANCE");
	resource->instance = strdup(instance && *instance ? instance : "default");
	if (resource->instance)
		resource->instance[strcspn(resource->instance, ":")] = '\0';
	resource->tag = resource->instance ? make_tag(resource->instance) : NULL;
	resource->check_level = number_in_environment("OCF_CHECK_LEVEL", 0);
	resource->promotable = getenv("OCF_RESKEY_CRM_meta_promoted_max") ||
			       getenv("OCF_RESKEY_CRM_meta_master_max") ||
			       is_true(getenv("OCF_RESKEY_CRM_meta_promotable"));
	resource->clone = !resource->promotable && (getenv("OCF_RESKEY_CRM_meta_clone_max") ||
							   getenv("OCF_RESKEY_CRM_meta_clone"));
	resource->probe = number_in_environment("OCF_RESKEY_CRM_meta_interval", 0) == 0;
}

/* For bad parameters. A probe that fails would be taken for a resource that runs, and must be stopped. */
static enum ocf refuse(
	struct resource *resource, const struct action *action, const struct blkpr_error *error)
{
	enum ocf code = fail_with(resource, OCF_ERR_CONFIGURED, error);

	return action->run == monitor && resource->probe && !resource->memory.ndisks
		       ? cannot_run(resource)
		       : code;
}

static enum ocf run(struct resource *resource, const struct action *action)
{
	int64_t began = blkpr_clock_ms();
	struct blkpr_error error;
	struct log_options log = { 0 };

	read_environment(resource);
	resource->agent.options = &resource->options;
	resource->agent.domain = BLKPR_KEY_OF_RESOURCE;
	if (!resource->instance || !resource->tag ||
		options_init(&resource->options, reservation_options) ||
		options_parse_environment(&resource->options, "OCF_RESKEY_")) {
		blkpr_error_set(&resource->reason, "out of memory");
		return OCF_ERR_GENERIC;
	}
	if (action->disks && geteuid()) {
		blkpr_error_set(&resource->reason, "must run as root: only root may use persistent reservations");
		return OCF_ERR_PERM;
	}
	log.name = resource->tag;
	log.verbosity = options_flag(&resource->options, "verbose");
	if (log_open(&log, &error))
		return fail_with(resource, OCF_ERR_GENERIC, &error);
	set_deadline(resource, began);
	if (action->disks && recall(resource, &error))
		return fail_with(resource, OCF_ERR_GENERIC, &error);
	if (action->run == start && memorize_attempt(resource, &error))
		return fail_with(resource, OCF_ERR_GENERIC, &error);
	if (take_parameters(resource, &error) && action->run != stop && action->run != demote)
		return refuse(resource, action, &error);
	if (action->disks && agent_load_coverage(&resource->agent, &error))
		qb_log(LOG_WARNING, "%s",
			error.text); /* then no disk is known to be a fence agent's */
	return action->run(resource);
}

static enum ocf act(struct resource *resource, int argc, char *argv[])
{
	const struct action *action = argc == 2 ? find_action(argv[1]) : NULL;
	enum ocf code;

	if (argc != 2) {
		fputs(reservation_help, stderr);
		return OCF_ERR_ARGS;
	}
	if (!strcmp(argv[1], "meta-data")) {
		fputs(reservation_metadata, stdout);
		return OCF_SUCCESS;
	}
	if (!strcmp(argv[1], "usage") || !strcmp(argv[1], "help") || !strcmp(argv[1], "--help")) {
		fputs(reservation_help, stdout);
		return OCF_SUCCESS;
	}
	if (!action) {
		blkpr_error_set(&resource->reason, "no action '%s'; see " NAME " --help", argv[1]);
		return OCF_ERR_UNIMPLEMENTED;
	}
	code = run(resource, action);
	log_close();
	return code;
}

int main(int argc, char *argv[])
{
	struct resource resource = { .agent.cluster.local = -1 };
	enum ocf code;

	agent_secure_stdio();
	signal(SIGCHLD, SIG_DFL);
	alarm_prefix = "ocf-exit-reason:";
	code = act(&resource, argc, argv);
	fflush(stdout);
	if (code != OCF_SUCCESS && *resource.reason.text)
		fprintf(stderr, "ocf-exit-reason:%s\n", resource.reason.text); /* the last line, API 1.1 */
	agent_clear(&resource.agent);
	forget_disks(&resource.memory);
	free(resource.memory.text);
	free(resource.fencers);
	free(resource.ours);
	free(resource.instance);
	free(resource.tag);
	options_clear(&resource.options);
	return code;
}
