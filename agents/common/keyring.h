/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which key a node has, and whose a key is: by the parameters key and key_value, and the cluster's
 * names.
 */
#pragma once

#include "agents/common/cluster.h"
#include "agents/common/options.h"
#include "lib/key.h"
#include "lib/nexus.h"

struct keyring {
	uint64_t given; /* parameter key, 0: none */
	enum blkpr_key_method method;
	/* whose keys derived ones are: BLKPR_KEY_OF_RESOURCE, or 0, a fence agent's */
	uint64_t domain;
	struct cluster cluster;
	bool clustered;                 /* the cluster is loaded */
	struct blkpr_error unclustered; /* else why not */
	bool remotes_asked;             /* for Pacemaker's remote nodes */
	int remotes_answer;             /* 0: they are in the cluster; else why not, -errno */
	uint64_t *others;               /* keyring_others() */
};

/* Everything here reads only. 0, or -errno with text. */

/* The parameters key and key_value. */
int keyring_take_key(
	struct keyring *keys, const struct options *options, struct blkpr_error *error);
void keyring_take_method(struct keyring *keys, const struct options *options);

void keyring_clear(struct keyring *keys);

/*
 * Asks corosync, once. Without a cluster an action can still work with explicit keys: UNCLUSTERED
 * is why not. The second one waits until UNTIL (blkpr_clock_ms()) at most.
 */
void keyring_load_cluster(struct keyring *keys);
void keyring_load_cluster_by(struct keyring *keys, int64_t until);

/*
 * Adds Pacemaker's remote nodes, once, until UNTIL: later calls repeat the answer. -ETIME: it does
 * not answer.
 */
int keyring_add_remotes(struct keyring *keys, int64_t until, struct blkpr_error *error);

/* The key of NODE by METHOD; 0: it has none (a remote node has no position for `id`). */
uint64_t keyring_key(const struct keyring *keys, enum blkpr_key_method method,
	const struct cluster_node *node);
uint64_t keyring_key_in(const struct keyring *keys, uint64_t domain, enum blkpr_key_method method,
	const struct cluster_node *node);

/* The name of the first node that has KEY by METHOD in DOMAIN; NULL: none. */
const char *keyring_owner(const struct keyring *keys, uint64_t domain, enum blkpr_key_method method,
	uint64_t key);

/* This node's derived key; of which node the cluster says it is. */
int keyring_derive_own(const struct keyring *keys, uint64_t *key, struct blkpr_error *error);

/* The same, or the one that is given; -EEXIST: another node has it, too. */
int keyring_find_own(const struct keyring *keys, uint64_t *key, struct blkpr_error *error);

/* -EEXIST if another node than OWNER (NULL: unknown) has KEY. */
int keyring_check_unique(const struct keyring *keys, uint64_t key, const struct cluster_node *owner,
	struct blkpr_error *error);

/*
 * Every key that another node may have, by any method, a fence agent's or a resource agent's,
 * borrowed.
 */
int keyring_others(struct keyring *keys, struct blkpr_others *others, struct blkpr_error *error);
