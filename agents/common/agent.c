// SPDX-License-Identifier: GPL-2.0-or-later
// What the agents share: from parameters to devices, cluster and keys.
#include "agents/common/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "agents/common/alarm.h"
#include "agents/common/log.h"
#include "agents/common/lvm.h"
#include "lib/clock.h"

/* Descriptors 0 to 2 must be open before anything else is opened: a device must never become stdout. */
void agent_secure_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* --- parameters ----------------------------------------------------------------------------------- */

int agent_take_key(struct agent *agent, const struct options *options, struct blkpr_error *error)
{
	const char *text = options_get(options, "key");
	int rc = text ? blkpr_key_parse(text, &agent->key) : 0;

	if (rc == -ERANGE)
		blkpr_error_set(error, "key=%.100s: more than 16 hexadecimal digits", text);
	else if (rc == -EDOM)
		blkpr_error_set(error, "key=%s: 0 is no key; use 1 to 16 hexadecimal digits", text);
	else if (rc)
		blkpr_error_set(error, "key=%.100s: not a key; use 1 to 16 hexadecimal digits", text);
	return rc;
}

int agent_take_number(const struct options *options, const char *name, long least, long most, long *value,
	struct blkpr_error *error)
{
	*value = options_number(options, name, least);
	if (*value >= least && *value <= most)
		return 0;
	blkpr_error_set(error, "%s=%ld: must be from %ld to %ld", name, *value, least, most);
	return -ERANGE;
}

/* --- devices, cluster, keys ----------------------------------------------------------------------- */

uint64_t agent_node_key(const struct agent *agent, enum blkpr_key_method method,
	const struct cluster_node *node)
{
	if (node->remote && method == BLKPR_KEY_ID)
		return 0;
	return agent->domain ^ blkpr_key_derive(method, agent->cluster.name, node->name, node->position);
}

#define TELLING_MS 500

/* The fleet keeps the deadline; the alarm goes off a little later, in case telling the verdicts blocks. */
void agent_begin_work(const struct agent *agent)
{
	alarm_during_work(agent->deadline - blkpr_clock_ms() + TELLING_MS);
}

int agent_settle_devices(struct agent *agent, struct blkpr_error *error)
{
	blkpr_list_settle(&agent->list);
	agent->targets = calloc(agent->list.count, sizeof(*agent->targets));
	agent->verdicts = calloc(agent->list.count, sizeof(*agent->verdicts));
	if (!agent->targets || !agent->verdicts) {
		blkpr_error_set(error, "out of memory");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < agent->list.count; i++)
		agent->targets[i].device = &agent->list.devices[i];
	agent->ntargets = agent->list.count;
	return 0;
}

#define ASKING_SHARE 4

int64_t agent_asking_deadline(const struct agent *agent)
{
	int64_t now = blkpr_clock_ms();

	return now + (agent->deadline - now) / ASKING_SHARE;
}

int agent_add_devices(struct agent *agent, struct blkpr_error *error)
{
	const char *spec = options_get(agent->options, "devices");
	/* vgs reads every disk, and may hang with one: where disks are known it gets a part */
	int64_t until = agent->list.is_known && agent->coverage.count ? agent_asking_deadline(agent)
								      : agent->deadline;
	int rc;

	alarm_doing = spec ? "devices was looked up; does the file server of its @file answer?"
			   : "LVM was asked for disks; does vgs answer? Else set devices=";
	rc = spec ? blkpr_list_add(&agent->list, spec, error)
		  : lvm_add_shared(
			    options_get(agent->options, "vgs_path"), until, &agent->list, error);
	if (rc || agent->list.count || agent->list.absent)
		return rc;
	blkpr_error_set(error, "no devices: %s",
		spec ? "the list in devices is empty"
		     : "none given, and LVM has no shared volume group; set devices=");
	return -ENODEV;
}

int agent_load_coverage(struct agent *agent, struct blkpr_error *error)
{
	int rc;

	alarm_doing = BLKPR_RUN_DIR " and " BLKPR_STATE_DIR " were read; do they answer?";
	rc = coverage_load(
		&agent->coverage, BLKPR_RUN_DIR, BLKPR_STATE_DIR, agent->deadline, error);
	agent->incomplete = agent->coverage.doubt;
	return rc;
}

static bool is_to_add(const struct agent *agent, const struct registration *disk)
{
	return disk->name && !blkpr_list_find(&agent->list, disk->wwid);
}

/* By the names that they had last. *LEFT: how many these names do not stand for any more. */
static int add_by_name(struct agent *agent, unsigned *left)
{
	struct blkpr_error ignored;
	int rc = 0;

	for (unsigned i = 0; i < agent->coverage.count && !rc; i++) {
		const struct registration *disk = &agent->coverage.disks[i];
		struct blkpr_device device;

		if (!is_to_add(agent, disk))
			continue;
		if (blkpr_device_resolve(disk->name, &device, &ignored)) {
			++*left;
			continue;
		}
		device.unnamed = true;
		if (strcmp(device.wwid, disk->wwid))
			++*left;
		else
			rc = blkpr_list_move(&agent->list, &device);
		blkpr_device_clear(&device);
	}
	return rc;
}

/* By their identity, among all that there are; what is not found is absent, and keeps its place. */
static int add_by_identity(struct agent *agent)
{
	struct blkpr_list all = { 0 };
	int rc = 0;

	blkpr_list_scan(&all);
	for (unsigned i = 0; i < all.count && !rc; i++) {
		const struct registration *disk =
			coverage_find(&agent->coverage, all.devices[i].wwid);

		if (!disk || !is_to_add(agent, disk))
			continue;
		all.devices[i].unnamed = true;
		rc = blkpr_list_move(&agent->list, &all.devices[i]);
		all.devices[i] = all.devices[--all.count];
		i--;
	}
	for (unsigned i = 0; i < agent->coverage.count && !rc; i++) {
		const struct registration *disk = &agent->coverage.disks[i];

		if (is_to_add(agent, disk))
			rc = blkpr_list_add_absent(&agent->list, disk->name, disk->wwid);
	}
	blkpr_list_clear(&all);
	return rc;
}

int agent_add_covered(struct agent *agent, struct blkpr_error *error)
{
	unsigned left = 0;
	int rc = add_by_name(agent, &left);

	if (!rc && left)
		rc = add_by_identity(agent);
	if (rc)
		blkpr_error_set(error, "out of memory");
	return rc;
}

/* Without a cluster an action can still work with explicit keys: the reason is kept for those that cannot. */
void agent_load_cluster(struct agent *agent)
{
	if (agent->clustered)
		return;
	alarm_doing = "corosync was asked; does it answer (corosync-cmapctl)?";
	agent->clustered = !cluster_load(&agent->cluster, &agent->unclustered);
	if (!agent->clustered)
		qb_log(LOG_INFO, "%s", agent->unclustered.text);
}

void agent_load_cluster_by(struct agent *agent, int64_t until)
{
	if (agent->clustered)
		return;
	agent->clustered = !cluster_load_by(&agent->cluster, until, &agent->unclustered);
	if (!agent->clustered)
		qb_log(LOG_INFO, "%s", agent->unclustered.text);
}

int agent_derive_own(const struct agent *agent, uint64_t *key, struct blkpr_error *error)
{
	const struct cluster_node *self = cluster_self(&agent->cluster);

	if (!agent->clustered) {
		*error = agent->unclustered;
		return -ENOTCONN;
	}
	if (!self) {
		blkpr_error_set(error, "corosync does not say which node this is (nodelist.local_node_pos)");
		return -ENODATA;
	}
	*key = agent_node_key(agent, agent->method, self);
	return 0;
}

static void know_other(struct agent *agent, const struct cluster_node *node)
{
	static const uint64_t domains[] = { 0, BLKPR_KEY_OF_RESOURCE };
	struct blkpr_others *others = &agent->fence.others;

	for (unsigned i = 0; i < sizeof(domains) / sizeof(*domains); i++)
		for (int method = 0; method < BLKPR_KEY_METHODS; method++) {
			uint64_t key = domains[i]
				^ blkpr_key_derive(method, agent->cluster.name, node->name, node->position);

			if (node->remote && method == BLKPR_KEY_ID) /* it has no position */
				continue;
			if (key && key != agent->key)
				agent->others[others->count++] = key;
		}
}

int agent_know_others(struct agent *agent, struct blkpr_error *error)
{
	const struct cluster_node *self = cluster_self(&agent->cluster);
	unsigned most = 2 * BLKPR_KEY_METHODS * agent->cluster.count + 1;
	uint64_t *others = realloc(agent->others, most * sizeof(*others));

	if (!others) {
		blkpr_error_set(error, "out of memory");
		return -ENOMEM;
	}
	agent->others = others;
	/* with keys per node (key=) it cannot be known which keys are other nodes' */
	agent->fence.others = (struct blkpr_others){ .keys = others, .all = agent->key && !agent->domain };
	for (unsigned i = 0; i < agent->cluster.count; i++)
		if (&agent->cluster.nodes[i] != self)
			know_other(agent, &agent->cluster.nodes[i]);
	return 0;
}

int agent_find_own(
	const struct agent *agent, struct blkpr_target *target, struct blkpr_error *error)
{
	const struct registration *record = coverage_find(&agent->coverage, target->device->wwid);
	uint64_t recorded = record ? record->key : 0, derived = 0;
	struct blkpr_error underived;
	int derivation = agent_derive_own(agent, &derived, &underived);

	bool given = recorded && !strcmp(record->how, REGISTRATION_EXPLICIT);

	if (recorded && (derivation || given || target->device->unnamed)) {
		target->own = recorded;
		if (!derivation && given && derived != recorded)
			qb_log(LOG_WARNING,
				"%s: this node registered the explicit key 0x%" PRIx64
				" there, not 0x%" PRIx64
				" as key_value gives; unfence it without key= to change that",
				target->device->name, recorded, derived);
		return 0;
	}
	if (derivation) {
		blkpr_error_set(error,
			"this node's own key cannot be derived, and none is recorded: %.400s",
			underived.text);
		return derivation;
	}
	target->own = derived;
	return 0;
}

/* Hashes are short: two nodes with one key could not be told apart, and fencing one would evict both. */
int agent_check_unique(const struct agent *agent, uint64_t key, const struct cluster_node *owner,
	struct blkpr_error *error)
{
	for (unsigned i = 0; i < agent->cluster.count; i++) {
		const struct cluster_node *other = &agent->cluster.nodes[i];

		if (other == owner || agent_node_key(agent, agent->method, other) != key)
			continue;
		blkpr_error_set(error, "the key 0x%" PRIx64 " of %s is also that of %s; use %s", key,
			owner ? owner->name : "this node", other->name,
			agent->key ? "another key" : "key_value=name64 on all nodes");
		return -EEXIST;
	}
	return 0;
}

int agent_add_remotes(struct agent *agent, struct blkpr_error *error)
{
	if (agent->remotes_asked) {
		blkpr_error_set(
			error, "%s", agent->remotes_answer ? "Pacemaker could not be asked" : "");
		return agent->remotes_answer;
	}
	agent->remotes_asked = true;
	agent->remotes_answer = cluster_add_remotes(&agent->cluster, agent_asking_deadline(agent), error);
	return agent->remotes_answer;
}

bool agent_all_ok(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->ntargets; i++)
		if (agent->verdicts[i].result != BLKPR_OK)
			return false;
	return true;
}

void agent_clear(struct agent *agent)
{
	blkpr_list_clear(&agent->list);
	cluster_clear(&agent->cluster);
	free(agent->victims);
	free(agent->names);
	free(agent->targets);
	free(agent->verdicts);
	free(agent->known);
	free(agent->others);
	for (int method = 0; method < BLKPR_KEY_METHODS; method++)
		free(agent->elsewhere[method].known);
	coverage_clear(&agent->coverage);
}
