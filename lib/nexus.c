// SPDX-License-Identifier: LGPL-2.1-or-later
// Registering this node's own nexuses by compare and swap; asking what they may do.
#include "lib/nexus.h"

#include <stdlib.h>

struct claim {
	struct blkpr_disk *disk;
	uint64_t old, key;
	const struct blkpr_others *others;
	struct blkpr_verdict *verdict;
};

static bool is_others(const struct claim *claim, uint64_t key)
{
	for (unsigned i = 0; i < claim->others->count; i++)
		if (claim->others->keys[i] == key)
			return true;
	return claim->others->all && key != claim->key && key != claim->old && key != claim->others->former;
}

/* BLKPR_CONFLICT: the nexus of PATH is not registered with OLD, and nothing has changed. */
static enum blkpr_result swap(const struct claim *claim, unsigned path, uint64_t old, uint64_t key)
{
	if (blkpr_disk_over(claim->disk))
		return BLKPR_UNFINISHED;
	return claim->disk->ops->register_key(claim->disk, path, old, key);
}

/*
 * Whose key the nexus of PATH has. If only one other node is registered, it is that one's; else the
 * swap of a key for itself tells, which changes nothing but the PR generation.
 */
static enum blkpr_result accuse(const struct claim *claim, unsigned path, const struct blkpr_report *report)
{
	uint64_t suspect = 0;
	bool several = false;

	for (unsigned i = 0; i < report->nkeys; i++) {
		if (!is_others(claim, report->keys[i]))
			continue;
		several |= suspect && suspect != report->keys[i];
		suspect = report->keys[i];
	}
	if (several)
		suspect = 0;
	for (unsigned i = 0; several && !suspect && i < report->nkeys; i++)
		if (is_others(claim, report->keys[i])
				&& swap(claim, path, report->keys[i], report->keys[i]) == BLKPR_OK)
			suspect = report->keys[i];
	if (!suspect)
		return BLKPR_CONFLICT;
	claim->verdict->offender = suspect;
	return BLKPR_SHARED_NEXUS;
}

/*
 * The nexus of PATH has a key that is neither old nor new: one of this node's from before, or
 * another node's.
 */
static enum blkpr_result claim_unknown(const struct claim *claim, unsigned path, uint64_t *was)
{
	struct blkpr_report report;
	enum blkpr_result result = claim->disk->ops->read(claim->disk, &report);
	bool swapped = false;

	if (result != BLKPR_OK)
		return result;
	blkpr_verdict_observe(claim->verdict, &report, claim->key);
	for (unsigned i = 0; i < report.nkeys && !swapped; i++) {
		*was = report.keys[i];
		if (*was == claim->key || *was == claim->old || is_others(claim, *was))
			continue;
		result = swap(claim, path, *was, claim->key);
		swapped = result != BLKPR_CONFLICT;
	}
	if (swapped && result == BLKPR_OK)
		claim->verdict->replaced = *was;
	if (!swapped)
		result = accuse(claim, path, &report);
	blkpr_report_clear(&report);
	return result;
}

/*
 * BLKPR_OK: KEY is still there, if only for another nexus of this node (a dead session's).
 * BLKPR_EVICTED: not, somebody has evicted this node since the look: theirs is the newer decision.
 */
static enum blkpr_result check_registered(const struct claim *claim, uint64_t key)
{
	struct blkpr_report report;
	enum blkpr_result result = claim->disk->ops->read(claim->disk, &report);

	if (result != BLKPR_OK)
		return result; /* not read: nothing is registered anew */
	blkpr_verdict_observe(claim->verdict, &report, claim->key);
	if (!blkpr_report_count(&report, key))
		result = BLKPR_EVICTED;
	blkpr_report_clear(&report);
	return result;
}

/* *WAS: the key that the nexus of PATH had before it was registered, 0: none. */
static enum blkpr_result claim_path(const struct claim *claim, unsigned path, uint64_t *was)
{
	const uint64_t likely[] = { claim->old, claim->old ? 0 : claim->key, claim->key };
	unsigned count = claim->old && claim->old != claim->key ? 3 : 2;

	for (unsigned i = 0; i < count; i++) {
		enum blkpr_result result = swap(claim, path, likely[i], claim->key);

		*was = likely[i];
		if (result != BLKPR_CONFLICT)
			return result;
		if (i || claim->old != claim->key)
			continue;
		result = check_registered(claim, claim->key);
		if (result != BLKPR_OK)
			return result;
	}
	return claim_unknown(claim, path, was);
}

/*
 * Gives the nexus of PATH back what it had. If the path has failed meanwhile, own key stays on it,
 * at nobody's cost.
 */
static void restore_path(const struct claim *claim, unsigned path, uint64_t was)
{
	if (was != claim->key)
		swap(claim, path, claim->key, was);
}

static enum blkpr_result claim_all(const struct claim *claim, uint64_t was[], bool done[])
{
	enum blkpr_result worst = BLKPR_PATH_FAILED;
	bool any = false;

	for (unsigned i = 0; i < claim->disk->paths; i++) {
		enum blkpr_result result = claim_path(claim, i, &was[i]);

		done[i] = result == BLKPR_OK;
		any |= done[i];
		if (result == BLKPR_SHARED_NEXUS || result == BLKPR_CONFLICT) {
			while (i--)
				if (done[i])
					restore_path(claim, i, was[i]);
			claim->verdict->replaced = 0;
			return result;
		}
		if (!done[i])
			worst = result;
	}
	return any ? BLKPR_OK : worst;
}

/* Every REGISTER that is done moves the generation, also one of a key that was there before. */
static bool is_done(const struct claim *claim)
{
	struct blkpr_verdict *verdict = claim->verdict;
	uint32_t before = verdict->generation_after;
	struct blkpr_report report;

	if (claim->disk->ops->read(claim->disk, &report) != BLKPR_OK)
		return false;
	blkpr_verdict_observe(verdict, &report, claim->key);
	blkpr_report_clear(&report);
	return verdict->own_registrations && verdict->generation_after != before;
}

/*
 * APTPL is the wish, in every REGISTER of sd and of the NVMe driver (CPTPL), that registrations
 * survive a power loss of the target. Some targets refuse it; some register, cannot store that, and
 * say that they have failed.
 */
static enum blkpr_result settle_failed(const struct claim *claim, enum blkpr_result result)
{
	if (result != BLKPR_IO_ERROR && result != BLKPR_INVALID)
		return result;
	if (is_done(claim)) {
		claim->verdict->forgets = true;
		return BLKPR_OK;
	}
	return result == BLKPR_INVALID ? BLKPR_UNSTORABLE : result;
}

enum blkpr_result blkpr_nexus_register(struct blkpr_disk *disk, uint64_t old, uint64_t key,
	const struct blkpr_others *others, struct blkpr_verdict *verdict)
{
	const struct claim claim = { disk, old, key, others, verdict };
	uint64_t *was = calloc(disk->paths, sizeof(*was));
	bool *done = calloc(disk->paths, sizeof(*done));
	enum blkpr_result result = was && done ? claim_all(&claim, was, done) : BLKPR_NO_MEMORY;

	free(was);
	free(done);
	return settle_failed(&claim, result);
}

static bool check_path(struct blkpr_disk *disk, unsigned path, const struct claim *claim)
{
	struct blkpr_report report;
	bool shared = false;

	if (disk->ops->keys_of_self(disk, path, &report) != BLKPR_OK)
		return false;
	for (unsigned i = 0; i < report.nkeys && !shared; i++) {
		shared = is_others(claim, report.keys[i]);
		if (shared)
			claim->verdict->offender = report.keys[i];
	}
	blkpr_report_clear(&report);
	return shared;
}

/*
 * Of the keys that are registered now, a verdict keeps so many that for more nothing is concluded
 * from them.
 */
static bool has_others(const struct claim *claim)
{
	const struct blkpr_verdict *verdict = claim->verdict;

	for (unsigned i = 0; i < verdict->nkeys; i++)
		if (is_others(claim, verdict->keys[i].key))
			return true;
	return verdict->nkeys == BLKPR_VERDICT_KEYS;
}

enum blkpr_result blkpr_nexus_check_shared(struct blkpr_disk *disk, uint64_t own,
	const struct blkpr_others *others, struct blkpr_verdict *verdict)
{
	struct claim claim = { .key = own, .disk = disk, .others = others, .verdict = verdict };

	if (!has_others(&claim))
		return BLKPR_OK;
	verdict->step = BLKPR_STEP_INITIATORS;
	for (unsigned i = 0; i < disk->paths; i++)
		if (check_path(disk, i, &claim))
			return BLKPR_SHARED_NEXUS;
	return BLKPR_OK;
}

enum blkpr_result blkpr_nexus_check_writes(struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	verdict->step = BLKPR_STEP_ASK_WRITES;
	for (unsigned i = 0; i < disk->paths; i++) {
		if (disk->ops->may_write(disk, i) != BLKPR_CONFLICT)
			continue;
		verdict->barred_path = i;
		return BLKPR_BARRED;
	}
	return BLKPR_OK;
}
