// SPDX-License-Identifier: GPL-2.0-or-later
// The plan: everything here reads only, and nothing has been touched when it fails.
#include "agents/fence/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/alarm.h"
#include "agents/common/log.h"
#include "agents/fence/lvm.h"
#include "agents/fence/victim.h"

/* --- devices --------------------------------------------------------------------------------- */

int plan_add_devices(struct fencing *fencing, struct blkpr_error *error)
{
	const char *spec = options_get(fencing->options, "devices");
	/* vgs reads every disk, and may hang with one: where disks are known it gets a part */
	int64_t until = fencing->disks.list.is_known && fencing->disks.coverage.count
				? alarm_asking_by(fencing->fence.deadline)
				: fencing->fence.deadline;
	int rc;

	alarm_doing = spec ? "devices was looked up; does the file server of its @file answer?"
			   : "LVM was asked for disks; does vgs answer? Else set devices=";
	rc = spec ? blkpr_list_add(&fencing->disks.list, spec, error)
		  : lvm_add_shared(options_get(fencing->options, "vgs_path"), until,
			    &fencing->disks.list, error);
	if (rc || fencing->disks.list.count || fencing->disks.list.absent)
		return rc;
	return blkpr_error_fail(error, -ENODEV, "no devices: %s",
		spec ? "the list in devices is empty"
		     : "none given, and LVM has no shared volume group; set devices=");
}

static bool is_known(const void *disks, const char *name)
{
	return coverage_knows(&((const struct disks *)disks)->coverage, name);
}

/*
 * S9: the disks that devices names, and all others that this node has registered on. A name that
 * stands for nothing is refused unless it was such a disk's, since it might be the arbiter's. What
 * LVM cannot say is not refused where disks are known: these are fenced, and the action fails.
 */
static int find_devices(struct fencing *fencing, struct blkpr_error *error)
{
	int rc = disks_load_coverage(&fencing->disks, fencing->fence.deadline, error);

	if (rc)
		return rc;
	fencing->disks.list.is_known = is_known;
	fencing->disks.list.context = &fencing->disks;
	rc = plan_add_devices(fencing, error);
	if (rc && !options_get(fencing->options, "devices") && fencing->disks.coverage.count) {
		fencing->disks.incomplete = *error;
		rc = 0;
	}
	if (!rc)
		rc = disks_add_covered(&fencing->disks, error);
	return rc ? rc : disks_settle(&fencing->disks, error);
}

/* --- keys ------------------------------------------------------------------------------------ */

static int find_own_keys(struct fencing *fencing, struct blkpr_error *error)
{
	int rc = 0;

	for (unsigned i = 0; i < fencing->disks.list.count && !rc; i++) {
		rc = disks_find_own(&fencing->disks, &fencing->keys, i, error);
		if (!rc)
			rc = keyring_check_unique(&fencing->keys, fencing->disks.targets[i].own,
				cluster_self(&fencing->keys.cluster), error);
	}
	return rc;
}

/* The keys of all nodes but the victim: one that it would have besides the key meant is no
 * reassurance. */
static int know_keys_by(const struct fencing *fencing, enum blkpr_key_method method,
	struct blkpr_fence *fence, uint64_t **keys)
{
	size_t size = (fencing->keys.cluster.count + 1) * sizeof(**keys);
	uint64_t *known = realloc(*keys,
		size); /* NOLINT(clang-analyzer-unix.Malloc): it loses *KEYS of the round before */
	unsigned n = 0;

	if (!known)
		return -ENOMEM; /* what was known is known still */
	*keys = known;
	for (unsigned i = 0; i < fencing->keys.cluster.count; i++) {
		const struct cluster_node *node = &fencing->keys.cluster.nodes[i];

		if (!fencing->victim || !fencing->victim->name ||
			strcmp(fencing->victim->name, node->name) != 0)
			known[n++] = keyring_key(&fencing->keys, method, node);
	}
	fence->known = known;
	fence->nknown = n;
	return 0;
}

/* The victim's key where another fence device has registered the nodes, by its key_value. */
static uint64_t victim_key_by(const struct fencing *fencing, enum blkpr_key_method method)
{
	const struct victim *victim = fencing->victim;
	const struct cluster_node *node =
		victim && victim->name ? cluster_find(&fencing->keys.cluster, victim->name) : NULL;

	return node && !victim->self ? keyring_key(&fencing->keys, method, node)
				     : fencing->fence.victim;
}

/*
 * What a person has said of unknown keys and of commands in flight is about the disks that devices
 * names: elsewhere no unknown key is taken for anybody's, nor evicted.
 */
static void judge_elsewhere(
	struct fencing *fencing, enum blkpr_key_method method, const struct blkpr_fence *how)
{
	for (int in_flight = 0; in_flight < BLKPR_IN_FLIGHTS; in_flight++) {
		struct blkpr_fence *fence = &fencing->elsewhere[method].fences[in_flight];

		*fence = *how;
		fence->any_type = true;
		fence->unknown = BLKPR_UNKNOWN_FAIL;
		fence->in_flight = (enum blkpr_in_flight)in_flight;
		fence->victim = victim_key_by(fencing, method);
	}
}

static int know_keys(struct fencing *fencing)
{
	int rc = know_keys_by(fencing, fencing->keys.method, &fencing->fence, &fencing->known);

	for (int method = 0; method < BLKPR_KEY_METHODS && !rc; method++) {
		struct blkpr_fence fence = fencing->fence;

		rc = know_keys_by(fencing, method, &fence, &fencing->elsewhere[method].known);
		judge_elsewhere(fencing, method, &fence);
	}
	return rc;
}

/* Of the disk's record: what ends commands in flight there; of one that has none: only what is
 * known. */
static enum blkpr_in_flight in_flight_on(const struct fencing *fencing, const char *wwid)
{
	const struct registration *record = coverage_find(&fencing->disks.coverage, wwid);

	return record ? record->in_flight : BLKPR_IN_FLIGHT_AUTO;
}

/*
 * Other fence devices may have another key_value, reservation_type and in_flight: own's key and its
 * record tell which.
 */
static void find_parameters(struct fencing *fencing)
{
	const struct cluster_node *self = cluster_self(&fencing->keys.cluster);

	for (unsigned i = 0; i < fencing->disks.ntargets; i++) {
		struct blkpr_target *target = &fencing->disks.targets[i];
		int method = 0;

		if (!target->device->unnamed)
			continue;
		while (self && method < BLKPR_KEY_METHODS &&
			keyring_key(&fencing->keys, method, self) != target->own)
			method++;
		target->fence = &fencing->elsewhere[self && method < BLKPR_KEY_METHODS
							    ? method
							    : (int)fencing->keys.method]
					 .fences[in_flight_on(fencing, target->device->wwid)];
	}
}

/* --- remote nodes ---------------------------------------------------------------------------- */

void plan_know_remotes(struct fencing *fencing)
{
	struct blkpr_error error;
	int rc = fencing->keys.clustered ? keyring_add_remotes(&fencing->keys,
						   alarm_asking_by(fencing->fence.deadline), &error)
					 : 0;

	if (!rc)
		return;
	qb_log(rc == -ETIME ? LOG_WARNING : LOG_INFO,
		"remote nodes are not known, and keys that are nobody's may be theirs: %s; does "
		"Pacemaker answer (crmadmin --nodes)?",
		error.text);
	if (rc == -ETIME && fencing->fence.unknown == BLKPR_UNKNOWN_EVICT) {
		qb_log(LOG_WARNING, "Pacemaker does not say who its remote nodes are: no unknown "
				    "key is evicted");
		fencing->fence.unknown = BLKPR_UNKNOWN_FAIL;
	}
}

static bool saw_unknown_keys(const struct fencing *fencing)
{
	for (unsigned i = 0; i < fencing->disks.list.count; i++)
		if (fencing->disks.verdicts[i].result == BLKPR_UNKNOWN_KEYS)
			return true;
	return false;
}

bool plan_learned_remotes(struct fencing *fencing)
{
	unsigned before = fencing->keys.cluster.count;

	if (fencing->keys.remotes_asked || !saw_unknown_keys(fencing))
		return false;
	plan_know_remotes(fencing);
	return fencing->keys.cluster.count > before && !know_keys(fencing);
}

/* --- all of it ------------------------------------------------------------------------------- */

int plan_make(struct fencing *fencing, struct blkpr_error *error)
{
	int rc;

	keyring_load_cluster(&fencing->keys);
	rc = victim_settle_names(fencing, error);
	if (!rc)
		rc = find_devices(fencing, error);
	if (!rc)
		rc = find_own_keys(fencing, error);
	for (unsigned i = 0; i < fencing->nvictims && !rc; i++)
		rc = victim_find(fencing, &fencing->victims[i], error);
	for (unsigned i = 0; i < fencing->nvictims && !rc; i++)
		rc = victim_check_named(fencing, &fencing->victims[i], error);
	if (!rc && fencing->fence.unknown == BLKPR_UNKNOWN_EVICT)
		plan_know_remotes(fencing);
	if (!rc)
		rc = keyring_others(&fencing->keys, &fencing->fence.others, error);
	if (rc)
		return rc;
	if (know_keys(fencing))
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	find_parameters(fencing);
	alarm_during_work(fencing->fence.deadline);
	return 0;
}

void plan_turn_to(struct fencing *fencing, const struct victim *victim)
{
	fencing->victim = victim;
	fencing->fence.victim = victim->key;
	if (!know_keys(fencing))
		return;
	fencing->fence.nknown = 0; /* out of memory: nobody is known, which spoils success */
	for (int method = 0; method < BLKPR_KEY_METHODS; method++)
		judge_elsewhere(fencing, method, &fencing->fence);
}
