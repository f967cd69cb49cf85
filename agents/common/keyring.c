// SPDX-License-Identifier: GPL-2.0-or-later
// Which key a node has, and whose a key is.
#include "agents/common/keyring.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "agents/common/alarm.h"
#include "agents/common/log.h"

int keyring_take_key(struct keyring *keys, const struct options *options, struct blkpr_error *error)
{
	const char *text = options_get(options, "key");
	int rc = text ? blkpr_key_parse(text, &keys->given) : 0;

	if (rc == -ERANGE)
		blkpr_error_set(error, "key=%.100s: more than 16 hexadecimal digits", text);
	else if (rc == -EDOM)
		blkpr_error_set(
			error, "key=%s: 0 is no key; use 1 to 16 hexadecimal digits", text);
	else if (rc)
		blkpr_error_set(
			error, "key=%.100s: not a key; use 1 to 16 hexadecimal digits", text);
	return rc;
}

void keyring_take_method(struct keyring *keys, const struct options *options)
{
	/* in the order of the choices in metadata/ */
	static const enum blkpr_key_method methods[] = { BLKPR_KEY_NAME64, BLKPR_KEY_HASH,
		BLKPR_KEY_ID };

	keys->method = methods[options_choice(options, "key_value")];
}

void keyring_clear(struct keyring *keys)
{
	cluster_clear(&keys->cluster);
	free(keys->others);
}

/* --- the cluster ------------------------------------------------------------------------------ */

static void take_answer(struct keyring *keys, int rc)
{
	keys->clustered = !rc;
	if (rc)
		qb_log(LOG_INFO, "%s", keys->unclustered.text);
}

void keyring_load_cluster(struct keyring *keys)
{
	if (keys->clustered)
		return;
	alarm_doing = "corosync was asked; does it answer (corosync-cmapctl)?";
	take_answer(keys, cluster_load(&keys->cluster, &keys->unclustered));
}

void keyring_load_cluster_by(struct keyring *keys, int64_t until)
{
	if (!keys->clustered)
		take_answer(keys, cluster_load_by(&keys->cluster, until, &keys->unclustered));
}

int keyring_add_remotes(struct keyring *keys, int64_t until, struct blkpr_error *error)
{
	if (keys->remotes_asked) {
		blkpr_error_set(
			error, "%s", keys->remotes_answer ? "Pacemaker could not be asked" : "");
		return keys->remotes_answer;
	}
	keys->remotes_asked = true;
	keys->remotes_answer = cluster_add_remotes(&keys->cluster, until, error);
	return keys->remotes_answer;
}

/* --- keys ------------------------------------------------------------------------------------- */

uint64_t keyring_key_in(const struct keyring *keys, uint64_t domain, enum blkpr_key_method method,
	const struct cluster_node *node)
{
	if (node->remote && method == BLKPR_KEY_ID)
		return 0;
	return domain ^ blkpr_key_derive(method, keys->cluster.name, node->name, node->position);
}

uint64_t keyring_key(const struct keyring *keys, enum blkpr_key_method method,
	const struct cluster_node *node)
{
	return keyring_key_in(keys, keys->domain, method, node);
}

const char *keyring_owner(const struct keyring *keys, uint64_t domain, enum blkpr_key_method method,
	uint64_t key)
{
	for (unsigned i = 0; i < keys->cluster.count; i++)
		if (keyring_key_in(keys, domain, method, &keys->cluster.nodes[i]) == key)
			return keys->cluster.nodes[i].name;
	return NULL;
}

int keyring_derive_own(const struct keyring *keys, uint64_t *key, struct blkpr_error *error)
{
	const struct cluster_node *self = cluster_self(&keys->cluster);

	if (!keys->clustered) {
		*error = keys->unclustered;
		return -ENOTCONN;
	}
	if (!self)
		return blkpr_error_fail(error, -ENODATA,
			"corosync does not say which node this is (nodelist.local_node_pos)");
	*key = keyring_key(keys, keys->method, self);
	return 0;
}

int keyring_find_own(const struct keyring *keys, uint64_t *key, struct blkpr_error *error)
{
	int rc = 0;

	*key = keys->given;
	if (!keys->given)
		rc = keyring_derive_own(keys, key, error);
	if (!rc && keys->clustered)
		rc = keyring_check_unique(keys, *key, cluster_self(&keys->cluster), error);
	return rc;
}

/*
 * Hashes are short: two nodes with one key could not be told apart, and fencing one would evict
 * both.
 */
int keyring_check_unique(const struct keyring *keys, uint64_t key, const struct cluster_node *owner,
	struct blkpr_error *error)
{
	for (unsigned i = 0; i < keys->cluster.count; i++) {
		const struct cluster_node *other = &keys->cluster.nodes[i];

		if (other == owner || keyring_key(keys, keys->method, other) != key)
			continue;
		return blkpr_error_fail(error, -EEXIST,
			"the key 0x%" PRIx64 " of %s is also that of %s; use %s", key,
			owner ? owner->name : "this node", other->name,
			keys->given ? "another key" : "key_value=name64 on all nodes");
	}
	return 0;
}

static void add_keys_of(struct keyring *keys, const struct cluster_node *node, unsigned *count)
{
	static const uint64_t domains[] = { 0, BLKPR_KEY_OF_RESOURCE };

	for (unsigned i = 0; i < sizeof(domains) / sizeof(*domains); i++)
		for (int method = 0; method < BLKPR_KEY_METHODS; method++) {
			uint64_t key = keyring_key_in(keys, domains[i], method, node);

			if (key && key != keys->given)
				keys->others[(*count)++] = key;
		}
}

int keyring_others(struct keyring *keys, struct blkpr_others *others, struct blkpr_error *error)
{
	const struct cluster_node *self = cluster_self(&keys->cluster);
	unsigned most = 2 * BLKPR_KEY_METHODS * keys->cluster.count + 1;
	uint64_t *room = realloc(keys->others, most * sizeof(*room));

	if (!room)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	keys->others = room;
	/* with keys per node (key=) it cannot be known which keys are other nodes' */
	*others = (struct blkpr_others){ .keys = room, .all = keys->given && !keys->domain };
	for (unsigned i = 0; i < keys->cluster.count; i++)
		if (&keys->cluster.nodes[i] != self)
			add_keys_of(keys, &keys->cluster.nodes[i], &others->count);
	return 0;
}
