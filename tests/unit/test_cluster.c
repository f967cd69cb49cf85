// SPDX-License-Identifier: GPL-2.0-or-later
// Which node a name means, and what Pacemaker adds to corosync's list.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/cluster.h"
#include "agents/common/run.h"
#include "tests/unit/unit.h"

static const char *answer; /* of crmadmin, NULL: none */
static struct blkpr_error error;

int __wrap_run_program(const char *const argv[], int64_t deadline, char **output,
	struct blkpr_error *reason);

int __wrap_run_program(const char *const argv[], int64_t deadline, char **output,
	struct blkpr_error *reason)
{
	(void)deadline;
	assert_string_equal(argv[0], "crmadmin");
	blkpr_error_set(reason, "no answer");
	*output = answer ? strdup(answer) : NULL;
	return answer ? 0 : -ETIME;
}

static void add(struct cluster *cluster, const char *name, unsigned position, bool nameless)
{
	cluster->nodes = realloc(cluster->nodes, (cluster->count + 1) * sizeof(*cluster->nodes));
	assert_non_null(cluster->nodes);
	cluster->nodes[cluster->count++] =
		(struct cluster_node){ .name = strdup(name), .position = position, .nameless = nameless };
}

static const char *found(const struct cluster *cluster, const char *name)
{
	const struct cluster_node *node = cluster_find(cluster, name);

	return node ? node->name : "none";
}

static void capitals_are_the_same_to_pacemaker(void **state)
{
	struct cluster cluster = { .local = -1 };

	(void)state;
	add(&cluster, "Node1", 1, false);
	add(&cluster, "node10", 2, false);
	assert_string_equal(found(&cluster, "node1"), "Node1");
	assert_string_equal(found(&cluster, "NODE10"), "node10");
	assert_string_equal(found(&cluster, "node"), "none");
	cluster_clear(&cluster);
}

static void capitals_tell_nodes_apart_where_a_cluster_has_both(void **state)
{
	struct cluster cluster = { .local = -1 };

	(void)state;
	add(&cluster, "node", 1, false);
	add(&cluster, "NODE", 2, false);
	assert_string_equal(found(&cluster, "NODE"), "NODE");
	assert_string_equal(found(&cluster, "node"), "node");
	assert_string_equal(found(&cluster, "Node"), "none");
	cluster_clear(&cluster);
}

static void address_is_no_name_to_pacemaker(void **state)
{
	struct cluster cluster = { .local = -1 };

	(void)state;
	add(&cluster, "node1", 1, false);
	assert_null(cluster_nameless(&cluster));
	add(&cluster, "10.0.0.2", 2, true);
	assert_ptr_equal(cluster_nameless(&cluster), &cluster.nodes[1]);
	assert_string_equal(found(&cluster, "10.0.0.2"), "10.0.0.2");
	cluster_clear(&cluster);
}

static void pacemaker_adds_its_remote_nodes(void **state)
{
	struct cluster cluster = { .local = -1 };

	(void)state;
	add(&cluster, "node1", 1, false);
	answer = "cluster node: node1 (1)\nremote node: delta (delta)\nguest node: NODE1 (NODE1)\n";
	assert_int_equal(cluster_add_remotes(&cluster, 0, &error), 0);
	assert_int_equal(cluster.count, 2);
	assert_true(cluster_find(&cluster, "delta")->remote);
	answer = NULL;
	assert_int_equal(cluster_add_remotes(&cluster, 0, &error), -ETIME);
	cluster_clear(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capitals_are_the_same_to_pacemaker),
		cmocka_unit_test(capitals_tell_nodes_apart_where_a_cluster_has_both),
		cmocka_unit_test(address_is_no_name_to_pacemaker),
		cmocka_unit_test(pacemaker_adds_its_remote_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
