// SPDX-License-Identifier: GPL-2.0-or-later
// Looking at the arbiter.
#include "agents/watch/look.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "config.h"

#include "agents/common/at_work.h"
#include "agents/common/log.h"
#include "agents/watch/plan.h"
#include "lib/clock.h"

/* Whose key derivation is not known (an explicit key) has no mates that could be told. */
static int find_method(const struct registration *record)
{
	for (int method = 0; method < BLKPR_KEY_METHODS; method++)
		if (!strcmp(record->how, blkpr_key_method_names[method]))
			return method;
	return -1;
}

static bool is_mates(const struct watch_plan *plan, int method, uint64_t own, uint64_t key)
{
	const struct cluster *cluster = &plan->keys.cluster;
	const struct cluster_node *self = cluster_self(cluster);

	if (method < 0 || !plan->keys.clustered || !self || !key || key == own)
		return false;
	for (unsigned i = 0; i < cluster->count; i++)
		if (&cluster->nodes[i] != self &&
			keyring_key(&plan->keys, (enum blkpr_key_method)method,
				&cluster->nodes[i]) == key)
			return true;
	return false;
}

/* This node's, derived in another way: an `on` that was killed has replaced the recorded one. */
static bool is_own(const struct watch_plan *plan, uint64_t key)
{
	const struct cluster_node *self = cluster_self(&plan->keys.cluster);

	for (int method = 0; plan->keys.clustered && self && method < BLKPR_KEY_METHODS; method++)
		if (keyring_key(&plan->keys, (enum blkpr_key_method)method, self) == key)
			return true;
	return false;
}

static void take_verdict(const struct watch_plan *plan, const struct registration *record,
	struct watch_look *look)
{
	const struct blkpr_verdict *verdict = &plan->disks.verdicts[0];
	int method = find_method(record);

	look->result = verdict->result;
	if (look->result != BLKPR_OK)
		return;
	look->generation = verdict->generation_after;
	look->type = verdict->type;
	look->registrations = verdict->registrations;
	look->own_registrations = verdict->own_registrations;
	for (unsigned i = 0; i < verdict->nkeys; i++) {
		uint64_t key = verdict->keys[i].key;

		if (key != record->key && is_own(plan, key))
			look->own_registrations += verdict->keys[i].count;
		if (is_mates(plan, method, record->key, key) && look->nmates < WATCH_MATES)
			look->mates[look->nmates++] = key;
	}
}

/* The next one of a map's paths is the first that is asked; if it fails, the others are. */
static void turn_path(const struct blkpr_device *device)
{
	if (device->learned && device->npaths)
		device->learned->path = (device->learned->path + 1) % device->npaths;
}

static void look_at(struct watch_plan *plan, char order, struct watch_look *look)
{
	const struct registration *record;
	struct blkpr_error error;
	int rc = watch_plan_refresh(plan, &error);

	if (rc)
		qb_log(LOG_ERR, "%s", error.text);
	record = rc ? NULL : watch_plan_record(plan, 0);
	if (!record)
		return;
	snprintf(look->wwid, sizeof(look->wwid), "%s", record->wwid);
	snprintf(look->name, sizeof(look->name), "%s", record->name ? record->name : record->wwid);
	look->own = record->key;
	look->since = record->since;
	if (order == LOOK_BY_ANOTHER)
		turn_path(plan->disks.targets[0].device);
	if (!watch_plan_read(plan, 0, false))
		take_verdict(plan, record, look);
}

void watch_look_serve(int line)
{
	struct watch_plan plan = WATCH_PLAN;
	char order;

	while (recv(line, &order, 1, 0) == 1) {
		struct watch_look look = { .at = blkpr_clock_ms(), .result = BLKPR_CRASHED };

		while (waitpid(-1, NULL, WNOHANG) > 0)
			; /* what was left behind, and has ended */
		look_at(&plan, order, &look);
		at_work_look(BLKPR_RUN_DIR, &look.commands, &look.busy); /* after the disk */
		if (send(line, &look, sizeof(look), MSG_NOSIGNAL) != sizeof(look))
			return;
	}
}
