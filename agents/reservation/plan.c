// SPDX-License-Identifier: GPL-2.0-or-later
// The plan: nothing is changed while it is made.
#include "agents/reservation/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/alarm.h"
#include "agents/common/log.h"
#include "lib/clock.h"

/* --- devices --------------------------------------------------------------------------------- */

/* With required_devices, a name that stands for nothing is one disk less. */
static int add_devices(struct resource *resource, struct blkpr_error *error)
{
	const char *spec = options_get(&resource->options, "devices");
	struct blkpr_list *list = &resource->disks.list;
	char *words, *rest = NULL;
	int rc = 0;

	if (!spec)
		return blkpr_error_fail(
			error, -EINVAL, "devices is not set: name the disks of the service");
	if (!resource->required)
		return blkpr_list_add(list, spec, error);
	words = strdup(spec);
	if (!words)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	for (char *word = strtok_r(words, ", \t\n", &rest); word && !rc;
		word = strtok_r(NULL, ", \t\n", &rest)) {
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

/* Pacemaker may not know the parameters any more (an orphan is demoted without them), or know newer
 * ones. */
static int add_remembered(struct resource *resource, struct blkpr_error *error)
{
	int rc = 0, failure;

	for (unsigned i = 0; i < resource->holding.ndisks; i++) {
		failure = blkpr_list_add(
			&resource->disks.list, resource->holding.disks[i].name, error);
		if (failure)
			rc = failure;
	}
	return rc;
}

static int find_devices(struct resource *resource, bool remembered_ones, struct blkpr_error *error)
{
	int rc = remembered_ones ? add_remembered(resource, error) : add_devices(resource, error);

	if (!rc && !resource->disks.list.count) {
		blkpr_error_set(error, "no devices: devices names none that is there");
		rc = -ENOENT;
	}
	if (rc && !(remembered_ones && resource->disks.list.count && resource->required))
		return rc;
	return disks_settle(&resource->disks, error);
}

/* Whether fence_blkpr's `on` has registered this node there since its start, with which *KEY. */
static bool is_recorded(const struct resource *resource, const char *wwid, uint64_t *key)
{
	const struct registration *record = coverage_find(&resource->disks.coverage, wwid);

	if (!record || !record->name || !record->key)
		return false;
	*key = record->key;
	return true;
}

/* What fence_blkpr's `on` has registered here is the fence agent's, all of the disks or none. */
static int find_manager(struct resource *resource, struct blkpr_error *error)
{
	enum { AUTO, YES, NO } said = options_choice(&resource->options, "fence_blkpr");
	unsigned recorded = 0, stranger = 0;

	for (unsigned i = 0; i < resource->disks.list.count && said != NO; i++) {
		if (is_recorded(resource, resource->disks.list.devices[i].wwid,
			    &resource->disks.targets[i].own))
			recorded++;
		else
			stranger = i;
	}
	resource->managed = said == YES || recorded;
	if (recorded == resource->disks.list.count || !resource->managed)
		return 0;
	return blkpr_error_fail(error, -EPERM,
		"%s: fence_blkpr has not registered this node there%s; unfence this node "
		"(stonith_admin --unfence NODE, or fence_blkpr -o on), or set fence_blkpr=no",
		resource->disks.list.devices[stranger].name,
		recorded ? ", but on others of the devices" : "");
}

/* With which key a disk is held does not follow from today's parameters. */
static void keep_remembered(struct resource *resource)
{
	unsigned n = 0;

	for (unsigned i = 0; i < resource->disks.list.count; i++) {
		const struct blkpr_device *device = &resource->disks.list.devices[i];
		const struct remembered *disk = holding_find(&resource->holding, device->wwid);

		if (!disk)
			continue; /* the name stands for another disk now: resource_lost_disk() */
		resource->disks.targets[n] = (struct blkpr_target){
			.device = device, .own = disk->key, .keep = disk->keep};
		resource->managed |= !disk->key;
		if (!disk->key)
			is_recorded(resource, disk->wwid, &resource->disks.targets[n].own);
		n++;
	}
	resource->disks.ntargets = n;
	if (resource->managed)
		resource->keys.domain = 0;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* Every node's key by every method, but this node's, of the resource agent's DOMAIN or (0) of fence
 * agents. */
static unsigned derive_keys(const struct resource *resource, uint64_t domain, uint64_t keys[])
{
	unsigned count = 0;

	for (unsigned i = 0; i < resource->keys.cluster.count; i++)
		for (int method = 0; method < BLKPR_KEY_METHODS; method++) {
			uint64_t key = keyring_key_in(
				&resource->keys, domain, method, &resource->keys.cluster.nodes[i]);

			if (key && key != resource->keys.given)
				keys[count++] = key;
		}
	return count;
}

/* Remote nodes have keys, too. */
static int know_remotes(struct resource *resource, struct blkpr_error *error)
{
	struct blkpr_error unasked;
	int rc =
		keyring_add_remotes(&resource->keys, alarm_asking_by(resource->deadline), &unasked);

	if (rc)
		qb_log(LOG_INFO, "remote nodes are not known: %s", unasked.text);
	if (rc == -ETIME) /* it may have some, whose keys are not to be evicted */
		blkpr_error_set(error, "Pacemaker does not say which remote nodes it has: %.400s",
			unasked.text);
	return rc == -ETIME ? rc : 0;
}

static void warn_given(const struct resource *resource)
{
	if (resource->keys.given && resource->evict == EVICT_CLUSTER)
		qb_log(LOG_WARNING, "key is set: which keys the other nodes have is not known, so "
				    "none of theirs is evicted, not even when this node takes "
				    "over; set other_registrants=evict, or leave key out");
}

int plan_find_keys(struct resource *resource, struct blkpr_error *error)
{
	bool fencing = strcmp(options_get(&resource->options, "fence_blkpr"), "no") != 0;
	struct blkpr_hold *hold = &resource->hold;
	size_t most;
	int rc;

	if (!fencing && resource->evict == EVICT_ALL)
		return 0;
	if (!resource->keys.clustered) { /* nobody can tell whose a key is, so none is evicted */
		hold->evict = false;
		return 0;
	}
	warn_given(resource);
	rc = know_remotes(resource, error);
	if (rc)
		return rc;
	most = (size_t)resource->keys.cluster.count * BLKPR_KEY_METHODS;
	resource->fencers = calloc(most + 1, sizeof(*resource->fencers));
	resource->ours = calloc(2 * most + 1, sizeof(*resource->ours));
	if (!resource->fencers || !resource->ours)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	if (fencing) {
		hold->nfencers = derive_keys(resource, 0, resource->fencers);
		hold->fencers = resource->fencers;
	}
	if (resource->evict != EVICT_ALL) {
		hold->nours = derive_keys(resource, BLKPR_KEY_OF_RESOURCE, resource->ours);
		if (!fencing)
			hold->nours += derive_keys(resource, 0, resource->ours + hold->nours);
		hold->ours = resource->ours;
	}
	return 0;
}

static int find_own(struct resource *resource, struct blkpr_error *error)
{
	uint64_t own;
	int rc;

	if (resource->managed) {
		resource->keys.domain = 0; /* the keys that `on` recorded */
		return 0;
	}
	rc = keyring_find_own(&resource->keys, &own, error);
	for (unsigned i = 0; i < resource->disks.list.count && !rc; i++)
		resource->disks.targets[i].own = own;
	return rc;
}

/* --- checks ---------------------------------------------------------------------------------- */

/* What stop would give back is remembered by identity: devices with one are not told apart. */
static int check_identities(const struct resource *resource, struct blkpr_error *error)
{
	const struct blkpr_list *list = &resource->disks.list;

	for (unsigned i = 1; i < list->count && !resource->managed; i++) {
		if (strcmp(list->devices[i - 1].wwid, list->devices[i].wwid) != 0)
			continue;
		return blkpr_error_fail(error, -EINVAL,
			"%s and %s report one WWID; if they are paths of one disk name its "
			"multipath map, or one of them; "
			"if not, give each LUN a serial number of its own",
			list->devices[i - 1].name, list->devices[i].name);
	}
	return 0;
}

/* An exclusive reservation is one path's; the map's other paths could not write. */
static int check_paths(const struct resource *resource, struct blkpr_error *error)
{
	if (resource->hold.type >= PR_WRITE_EXCLUSIVE_REG_ONLY || resource->managed)
		return 0;
	for (unsigned i = 0; i < resource->disks.list.count; i++) {
		if (resource->disks.list.devices[i].npaths < 2)
			continue;
		return blkpr_error_fail(error, -EINVAL,
			"%s: has %u paths, and reservation_type=%s lets only one of them write; "
			"use a REG_ONLY type",
			resource->disks.list.devices[i].name,
			resource->disks.list.devices[i].npaths,
			options_get(&resource->options, "reservation_type"));
	}
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------- */

#define WORDS_MS 1000

/*
 * To take disks, other nodes' keys must be known. What is remembered needs corosync for words, and
 * to find that another node has become this one's twin (S10): it is not waited for long.
 */
static void know_cluster(struct resource *resource, bool changes, bool anew)
{
	int64_t words = blkpr_clock_ms() + WORDS_MS, until = alarm_asking_by(resource->deadline);

	if (changes)
		keyring_load_cluster(&resource->keys);
	else
		keyring_load_cluster_by(&resource->keys, anew || until < words ? until : words);
}

enum ocf_exitcode plan_make(struct resource *resource, bool changes)
{
	struct blkpr_error error;
	bool anew = changes || !resource->holding.ndisks;
	int rc;

	know_cluster(resource, changes, anew);
	rc = find_devices(resource, !anew, &error);
	if (rc)
		return ocf_fail(&resource->ocf,
			rc == -EINVAL ? PCMK_OCF_NOT_CONFIGURED : PCMK_OCF_NOT_INSTALLED, &error);
	if (!anew) {
		keep_remembered(resource);
	} else {
		if (find_manager(resource, &error))
			return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
		if (find_own(resource, &error))
			return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	}
	if (changes && (check_identities(resource, &error) || check_paths(resource, &error)))
		return ocf_fail(&resource->ocf, PCMK_OCF_NOT_CONFIGURED, &error);
	if (keyring_others(&resource->keys, &resource->hold.others, &error))
		return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	resource->hold.managed = resource->managed;
	alarm_during_work(resource->deadline);
	return PCMK_OCF_OK;
}
