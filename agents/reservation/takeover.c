// SPDX-License-Identifier: GPL-2.0-or-later
// Whose keys are evicted, for people.
#include "agents/reservation/takeover.h"

#include <stdlib.h>

#include "agents/common/log.h"
#include "lib/clock.h"

static bool told_before(const struct resource *resource, unsigned disk, uint64_t key)
{
	for (unsigned i = 0; i < disk; i++)
		for (unsigned k = 0; k < resource->disks.verdicts[i].nkeys; k++)
			if (resource->disks.verdicts[i].keys[k].key == key)
				return true;
	return false;
}

static void inquire(struct takeover *takeover, const char *node)
{
	if (takeover->count == sizeof(takeover->nodes) / sizeof(*takeover->nodes))
		return;
	takeover->nodes[takeover->count].node = node;
	takeover->nodes[takeover->count++].question = fencer_ask(node);
}

void takeover_tell_whose(const struct resource *resource, struct takeover *takeover)
{
	struct story story = resource_story(resource);

	for (unsigned i = 0; i < resource->disks.ntargets; i++)
		for (unsigned k = 0; k < resource->disks.verdicts[i].nkeys; k++) {
			uint64_t key = resource->disks.verdicts[i].keys[k].key;
			const char *owner = keyring_owner(
				&resource->keys, resource->keys.domain, resource->keys.method, key);
			char *text;

			if (key == resource->disks.targets[i].own || told_before(resource, i, key))
				continue;
			if (owner)
				inquire(takeover, owner);
			text = say_key(&story, i, key);
			qb_log(LOG_NOTICE, "%s: %s is registered, and will be evicted%s",
				resource->disks.targets[i].device->name, text ? text : "a key",
				owner ? "" : "; no node of the cluster has this key");
			free(text);
		}
}

#define HISTORY_MS 200

void takeover_tell_history(const struct takeover *takeover)
{
	int64_t until = blkpr_clock_ms() + HISTORY_MS;
	char history[256];

	for (unsigned i = 0; i < takeover->count; i++) {
		fencer_answer(&takeover->nodes[i].question, takeover->nodes[i].node, until, history,
			sizeof(history));
		qb_log(LOG_NOTICE, "%s", history);
	}
}
