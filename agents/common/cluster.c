// SPDX-License-Identifier: GPL-2.0-or-later
// corosync's cmap, and crmadmin for what only the CIB knows.
#include "agents/common/cluster.h"

#include <arpa/inet.h>
#include <corosync/cmap.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agents/common/run.h"

/*
 * cmap_get_string() asks corosync twice, first for the length. NULL: there is none, or no memory.
 */
static char *get_string(cmap_handle_t cmap, const char *key)
{
	char text[256], *longer = NULL;
	size_t length = sizeof(text);
	cmap_value_types_t type;

	if (cmap_get(cmap, key, text, &length, &type) != CS_OK)
		return cmap_get_string(cmap, key, &longer) == CS_OK ? longer : NULL;
	return type == CMAP_VALUETYPE_STRING ? strndup(text, length) : NULL;
}

static struct cluster_node *add_node(struct cluster *cluster)
{
	struct cluster_node *nodes = realloc(cluster->nodes, (cluster->count + 1) * sizeof(*nodes));

	if (!nodes)
		return NULL;
	cluster->nodes = nodes;
	nodes[cluster->count] = (struct cluster_node){ 0 };
	return &nodes[cluster->count++];
}

static struct cluster_node *node_at(struct cluster *cluster, unsigned position)
{
	struct cluster_node *node;

	for (unsigned i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].position == position)
			return &cluster->nodes[i];
	node = add_node(cluster);
	if (node)
		node->position = position;
	return node;
}

/* Takes KEY = nodelist.node.POSITION.{name,ring0_addr} down; 0 or -ENOMEM. */
static int take_key(cmap_handle_t cmap, const char *key, struct cluster *cluster)
{
	struct cluster_node *node;
	unsigned position;
	int used = 0;
	char **field;

	if (sscanf(key, "nodelist.node.%u.%n", &position, &used) != 1 || !used)
		return 0;
	if (strcmp(key + used, "name") && strcmp(key + used, "ring0_addr"))
		return 0;
	node = node_at(cluster, position);
	if (!node)
		return -ENOMEM;
	field = strcmp(key + used, "name") ? &node->address : &node->name;
	if (!*field)
		*field = get_string(cmap, key);
	return 0;
}

static int take_nodes(cmap_handle_t cmap, struct cluster *cluster)
{
	char key[CMAP_KEYNAME_MAXLEN + 1];
	cmap_iter_handle_t iter;
	int rc = 0;

	if (cmap_iter_init(cmap, "nodelist.node.", &iter) != CS_OK)
		return -EIO;
	while (!rc && cmap_iter_next(cmap, iter, key, NULL, NULL) == CS_OK)
		rc = take_key(cmap, key, cluster);
	cmap_iter_finalize(cmap, iter);
	return rc;
}

static bool is_ip_address(const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, address) > 0 || inet_pton(AF_INET6, name, address) > 0;
}

/*
 * A node without a name goes by its address; one without either is none. Pacemaker does so, too,
 * but never calls a node by an IP address (lib/cluster/corosync.c: pcmk__corosync_name): it has the
 * host's own name then.
 */
static void settle_names(struct cluster *cluster)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < cluster->count; i++) {
		struct cluster_node node = cluster->nodes[i];

		cluster->nodes[i] = (struct cluster_node){ 0 };
		if (!node.name && node.address)
			node.name = strdup(node.address);
		node.nameless = node.name && is_ip_address(node.name);
		if (node.name)
			cluster->nodes[kept++] = node;
		else
			free(node.address);
	}
	cluster->count = kept;
}

static void find_self(cmap_handle_t cmap, struct cluster *cluster)
{
	uint32_t position;

	if (cmap_get_uint32(cmap, "nodelist.local_node_pos", &position) != CS_OK)
		return;
	for (unsigned i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].position == position)
			cluster->local = (int)i;
}

static int load(cmap_handle_t cmap, struct cluster *cluster, struct blkpr_error *error)
{
	cluster->name = get_string(cmap, "totem.cluster_name");
	if (!cluster->name)
		return blkpr_error_fail(error, -ENODATA,
			"corosync has no cluster name; set totem.cluster_name in corosync.conf");
	if (take_nodes(cmap, cluster) || !cluster->count)
		return blkpr_error_fail(error, -ENODATA,
			"corosync has no node list; set nodelist in corosync.conf");
	settle_names(cluster);
	find_self(cmap, cluster);
	return 0;
}

int cluster_load(struct cluster *cluster, struct blkpr_error *error)
{
	cmap_handle_t cmap;
	cs_error_t answer = cmap_initialize(&cmap);
	int rc;

	*cluster = (struct cluster){ .local = -1 };
	if (answer != CS_OK) {
		blkpr_error_set(error,
			"corosync cannot be asked for the cluster's name and nodes (error %d); %s",
			(int)answer,
			answer == CS_ERR_ACCESS
				? "run as root"
				: "is the cluster started on this node (pcs status)?");
		return answer == CS_ERR_ACCESS ? -EACCES : -ENOTCONN;
	}
	rc = load(cmap, cluster, error);
	cmap_finalize(cmap);
	if (rc)
		cluster_clear(cluster);
	return rc;
}

/* Lines of words with tabs between them, which no name has. */
static int load_and_print(const void *context, int out, struct blkpr_error *error)
{
	struct cluster cluster;
	int rc = cluster_load(&cluster, error);

	(void)context;
	if (rc)
		return rc;
	dprintf(out, "cluster\t%s\t%d\n", cluster.name, cluster.local);
	for (unsigned i = 0; i < cluster.count; i++)
		dprintf(out, "%u\t%s\t%s\n", cluster.nodes[i].position, cluster.nodes[i].name,
			cluster.nodes[i].address ? cluster.nodes[i].address : "");
	return 0;
}

static int take_printed(struct cluster *cluster, char *line)
{
	const char *first = strsep(&line, "\t"), *second = strsep(&line, "\t"),
		   *third = strsep(&line, "\t");
	struct cluster_node *node;

	if (!second || !third)
		return -EIO;
	if (!strcmp(first, "cluster")) {
		cluster->name = strdup(second);
		cluster->local = atoi(third);
		return cluster->name ? 0 : -ENOMEM;
	}
	node = add_node(cluster);
	if (!node)
		return -ENOMEM;
	node->position = (unsigned)strtoul(first, NULL, 10);
	node->name = strdup(second);
	node->address = *third ? strdup(third) : NULL;
	return node->name && (node->address || !*third) ? 0 : -ENOMEM;
}

int cluster_load_by(struct cluster *cluster, int64_t deadline, struct blkpr_error *error)
{
	char *output = NULL, *rest = NULL;
	int rc = run_aside(load_and_print, NULL, deadline, &output, error);

	*cluster = (struct cluster){ .local = -1 };
	if (rc == -ETIME)
		blkpr_error_set(error, "corosync does not answer (corosync-cmapctl)");
	for (char *line = rc ? NULL : strtok_r(output, "\n", &rest); line && !rc;
		line = strtok_r(NULL, "\n", &rest)) {
		rc = take_printed(cluster, line);
		if (rc)
			blkpr_error_set(error, "corosync's answer: %s", strerror(-rc));
	}
	free(output);
	if (rc)
		cluster_clear(cluster);
	return rc;
}

/* By corosync 3, and by corosync 2. */
static bool is_member(cmap_handle_t cmap, unsigned position)
{
	static const char *const keys[] = { "runtime.members.%u.status",
		"runtime.totem.pg.mrp.srp.members.%u.status" };
	char key[CMAP_KEYNAME_MAXLEN + 1], *status = NULL;
	uint32_t id;
	bool joined;

	snprintf(key, sizeof(key), "nodelist.node.%u.nodeid", position);
	if (cmap_get_uint32(cmap, key, &id) != CS_OK)
		return false;
	for (unsigned i = 0; i < sizeof(keys) / sizeof(*keys) && !status; i++) {
		snprintf(key, sizeof(key), keys[i], id);
		status = get_string(cmap, key);
	}
	joined = status && !strcmp(status, "joined");
	free(status);
	return joined;
}

int cluster_load_members(struct cluster *cluster)
{
	cmap_handle_t cmap;

	if (cmap_initialize(&cmap) != CS_OK)
		return -EIO;
	for (unsigned i = 0; i < cluster->count; i++)
		cluster->nodes[i].member =
			!cluster->nodes[i].remote && is_member(cmap, cluster->nodes[i].position);
	cmap_finalize(cmap);
	return 0;
}

/* "remote node: NAME (ID)" and "guest node: NAME (ID)" of crmadmin --nodes. */
static int take_remote(struct cluster *cluster, const char *line)
{
	char kind[16], name[256];
	struct cluster_node *node;

	if (sscanf(line, "%15s node: %255s", kind, name) != 2)
		return 0;
	if ((strcmp(kind, "remote") && strcmp(kind, "guest")) || cluster_find(cluster, name))
		return 0;
	node = add_node(cluster);
	if (!node)
		return -ENOMEM;
	node->remote = true;
	node->name = strdup(name);
	if (node->name)
		return 0;
	cluster->count--;
	return -ENOMEM;
}

int cluster_add_remotes(struct cluster *cluster, int64_t deadline, struct blkpr_error *error)
{
	static const char *const argv[] = { "crmadmin", "--nodes", NULL };
	char *output = NULL, *rest = NULL;
	int rc = run_program(argv, deadline, &output, error);

	if (rc)
		return rc;
	for (char *line = strtok_r(output, "\n", &rest); line && !rc;
		line = strtok_r(NULL, "\n", &rest))
		rc = take_remote(cluster, line);
	free(output);
	if (rc)
		blkpr_error_set(error, "out of memory");
	return rc;
}

static bool goes_by(const struct cluster_node *node, const char *name,
	int (*compare)(const char *a, const char *b))
{
	return !compare(node->name, name) || (node->address && !compare(node->address, name));
}

const struct cluster_node *cluster_find(const struct cluster *cluster, const char *name)
{
	const struct cluster_node *found = NULL;

	for (unsigned i = 0; i < cluster->count; i++)
		if (!strcmp(cluster->nodes[i].name, name))
			return &cluster->nodes[i];
	for (unsigned i = 0; i < cluster->count; i++)
		if (goes_by(&cluster->nodes[i], name, strcmp))
			return &cluster->nodes[i];
	for (unsigned i = 0; i < cluster->count; i++) {
		if (!goes_by(&cluster->nodes[i], name, strcasecmp))
			continue;
		if (found)
			return NULL;
		found = &cluster->nodes[i];
	}
	return found;
}

const struct cluster_node *cluster_nameless(const struct cluster *cluster)
{
	for (unsigned i = 0; i < cluster->count; i++)
		if (cluster->nodes[i].nameless)
			return &cluster->nodes[i];
	return NULL;
}

const struct cluster_node *cluster_self(const struct cluster *cluster)
{
	return cluster->local >= 0 ? &cluster->nodes[cluster->local] : NULL;
}

void cluster_clear(struct cluster *cluster)
{
	for (unsigned i = 0; i < cluster->count; i++) {
		free(cluster->nodes[i].name);
		free(cluster->nodes[i].address);
	}
	free(cluster->nodes);
	free(cluster->name);
	*cluster = (struct cluster){ .local = -1 };
}
