// SPDX-License-Identifier: GPL-2.0-or-later
// The nodes that an action is about: from names to keys.
#include "agents/fence/victim.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agents/common/alarm.h"
#include "agents/common/log.h"

/* REMOTES: why Pacemaker's remote nodes are not known, "": they are. */
static int unknown_node(const struct fencing *fencing, const char *name,
	const struct blkpr_error *remotes, struct blkpr_error *error)
{
	size_t used;

	blkpr_error_set(error,
		"%.200s: no such node in the cluster '%.100s'; use one of its names, a fence "
		"device needs no pcmk_host_list",
		name, fencing->keys.cluster.name);
	used = strlen(error->text);
	if (cluster_nameless(&fencing->keys.cluster))
		snprintf(error->text + used, sizeof(error->text) - used,
			"; give the nodes names (nodelist.node.name in corosync.conf)");
	used = strlen(error->text);
	if (*remotes->text)
		snprintf(error->text + used, sizeof(error->text) - used,
			"; its remote nodes are not known (%.100s)", remotes->text);
	used = strlen(error->text);
	snprintf(error->text + used, sizeof(error->text) - used, "; it has");
	for (unsigned i = 0; i < fencing->keys.cluster.count; i++) {
		used = strlen(error->text);
		if (!fencing->keys.cluster.nodes[i].remote)
			snprintf(error->text + used, sizeof(error->text) - used, " %s",
				fencing->keys.cluster.nodes[i].name);
	}
	return -ENOENT;
}

/* It could never run `on`: that there is no key of its own says nothing about what it does. */
static int remote_node(const char *name, struct blkpr_error *error)
{
	return blkpr_error_fail(error, -EOPNOTSUPP,
		"%s: a remote or guest node, which has no corosync: it cannot register with the "
		"disks, and is not cut off by them; give it a fence device of its own (a guest "
		"node: one for the node that its machine runs on)",
		name);
}

/*
 * The node that NAME means; Pacemaker is asked only when corosync does not have it. NULL: none,
 * REMOTES may say why.
 */
static const struct cluster_node *look_up(
	struct fencing *fencing, const char *name, struct blkpr_error *remotes)
{
	const struct cluster_node *node = cluster_find(&fencing->keys.cluster, name);

	if (!node && !keyring_add_remotes(
		&fencing->keys, alarm_asking_by(fencing->fence.deadline), remotes))
		node = cluster_find(&fencing->keys.cluster, name);
	return node;
}

/* The node that NAME means. */
static int find_node(struct fencing *fencing, const char *name, const struct cluster_node **node,
	struct blkpr_error *error)
{
	struct blkpr_error remotes = { "" };

	if (!fencing->keys.clustered) {
		*error = fencing->keys.unclustered;
		return -ENOTCONN;
	}
	*node = look_up(fencing, name, &remotes);
	if (*node && (*node)->remote)
		return remote_node(name, error);
	return *node ? 0 : unknown_node(fencing, name, &remotes, error);
}

static void take_nodename(struct fencing *fencing)
{
	qb_log(LOG_INFO, "plug=%s is no node of the cluster, nodename=%s is meant",
		fencing->victims[0].name, fencing->nodename);
	fencing->victims[0] = (struct victim){ .name = fencing->nodename };
	fencing->nvictims = 1;
}

int victim_settle_names(struct fencing *fencing, struct blkpr_error *error)
{
	const struct cluster_node *target, *node, *other = NULL;
	struct blkpr_error remotes = { "" };

	if (!fencing->nodename || !fencing->nvictims || !fencing->victims[0].name)
		return 0;
	for (unsigned i = 0; i < fencing->nvictims; i++)
		if (!strcmp(fencing->victims[i].name, fencing->nodename))
			return 0;
	target = fencing->keys.clustered ? look_up(fencing, fencing->nodename, &remotes) : NULL;
	if (fencing->keys.clustered && !target && *remotes.text)
		return blkpr_error_fail(error, -ENOTCONN,
			"nodename=%.200s: no name of corosync's, and it cannot be asked whether "
			"it is a remote node's (%.200s); does Pacemaker answer (crmadmin --nodes)?",
			fencing->nodename, remotes.text);
	for (unsigned i = 0; i < fencing->nvictims && target; i++) {
		node = cluster_find(&fencing->keys.cluster, fencing->victims[i].name);
		if (node == target)
			return 0;
		other = node ? node : other;
	}
	if (other)
		return blkpr_error_fail(error, -EINVAL,
			"plug=%s: another node than nodename=%s, which Pacemaker means; correct "
			"pcmk_host_map",
			other->name, fencing->nodename);
	if (target || !fencing->keys.clustered)
		take_nodename(fencing);
	return 0;
}

int victim_find(struct fencing *fencing, struct victim *victim, struct blkpr_error *error)
{
	const struct cluster_node *node;
	int rc;

	victim->key = fencing->keys.given;
	if (fencing->keys.given && (!victim->name || !fencing->keys.clustered))
		return 0;
	rc = find_node(fencing, victim->name, &node, error);
	if (rc)
		return rc;
	victim->name = node->name;
	victim->self = node == cluster_self(&fencing->keys.cluster);
	if (fencing->keys.given)
		return keyring_check_unique(&fencing->keys, fencing->keys.given, node, error);
	if (victim->self)
		return 0; /* its key is each device's own */
	victim->key = keyring_key(&fencing->keys, fencing->keys.method, node);
	return keyring_check_unique(&fencing->keys, victim->key, node, error);
}

int victim_check_not_self(
	const struct fencing *fencing, const struct victim *victim, struct blkpr_error *error)
{
	bool own = victim->self;

	for (unsigned i = 0; i < fencing->disks.list.count; i++)
		own |= fencing->disks.targets[i].own == victim->key;
	if (!own)
		return 0;
	return blkpr_error_fail(error, -EINVAL,
		"%s: the key 0x%" PRIx64 " is this node's own; a node cannot fence itself",
		victim->name ? victim->name : "key",
		victim->key ? victim->key : fencing->disks.targets[0].own);
}

int victim_check_named(
	const struct fencing *fencing, const struct victim *victim, struct blkpr_error *error)
{
	for (unsigned i = 0; i < fencing->disks.list.count && !victim->name; i++) {
		if (!fencing->disks.list.devices[i].unnamed)
			continue;
		return blkpr_error_fail(error, -EINVAL,
			"key=0x%" PRIx64
			": the node that has it may have another key on disks that devices does "
			"not name (%s); say which node it is (-n), or name those disks, too",
			victim->key, fencing->disks.list.devices[i].name);
	}
	return 0;
}

int victim_check_local(struct fencing *fencing, const char *name, struct blkpr_error *error)
{
	const struct cluster_node *node;
	char host[HOST_NAME_MAX + 1] = "";
	bool local;
	int rc;

	if (fencing->keys.clustered) {
		rc = find_node(fencing, name, &node, error);
		if (rc)
			return rc;
		local = node == cluster_self(&fencing->keys.cluster);
	} else {
		gethostname(host, sizeof(host) - 1);
		local = !strcmp(host, name) ||
			(!strncmp(host, name, strlen(name)) && host[strlen(name)] == '.');
	}
	if (local)
		return 0;
	return blkpr_error_fail(error, -EINVAL,
		"%s: not this node; \"on\" registers the local node only, run it there", name);
}
