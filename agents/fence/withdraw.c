// SPDX-License-Identifier: GPL-2.0-or-later
// Disks that are taken away on purpose.
#include "agents/fence/withdraw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#include "agents/common/alarm.h"
#include "agents/common/at_work.h"
#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/fence/peers.h"
#include "agents/fence/report.h"
#include "lib/fence.h"
#include "lib/hold.h"

static int no_memory(struct blkpr_error *error)
{
	return blkpr_error_fail(error, -ENOMEM, "out of memory");
}

/* --- which disks ------------------------------------------------------------------------------ */

static int unknown_disk(const struct fencing *fencing, const char *word, struct blkpr_error *error)
{
	size_t used;

	blkpr_error_set(error,
		"%s: not one of the disks that this node has registered on, which are:", word);
	for (unsigned i = 0; i < fencing->disks.coverage.count; i++) {
		used = strlen(error->text);
		if (fencing->disks.coverage.disks[i].name)
			snprintf(error->text + used, sizeof(error->text) - used, " %s",
				fencing->disks.coverage.disks[i].name);
	}
	return -ENOENT;
}

/* Whether a disk of the set has that identity; it is chosen then. */
static bool choose_wwid(const struct fencing *fencing, const char *wwid, bool chosen[])
{
	const struct registration *disk = coverage_find(&fencing->disks.coverage, wwid);

	if (!disk || !disk->name)
		return false;
	return chosen[disk - fencing->disks.coverage.disks] = true;
}

/*
 * WORD is a name that stands for a disk now, the name that one had last, a glob of these, a WWID.
 */
static int choose_word(
	const struct fencing *fencing, const char *word, bool chosen[], struct blkpr_error *error)
{
	struct blkpr_device device;
	struct blkpr_error ignored;
	bool found = false;

	if (!blkpr_device_resolve(word, &device, &ignored)) {
		found = choose_wwid(fencing, device.wwid, chosen);
		blkpr_device_clear(&device);
	}
	for (unsigned i = 0; i < fencing->disks.coverage.count && !found; i++)
		if (coverage_means(&fencing->disks.coverage.disks[i], word))
			chosen[i] = true;
	for (unsigned i = 0; i < fencing->disks.coverage.count && !found; i++)
		found = chosen[i] && coverage_means(&fencing->disks.coverage.disks[i], word);
	return found ? 0 : unknown_disk(fencing, word, error);
}

static int choose(const struct fencing *fencing, bool chosen[], struct blkpr_error *error)
{
	const char *spec = options_get(fencing->options, "devices");
	char *words = strdup(spec ? spec : ""), *rest = NULL;
	int rc = words ? 0 : no_memory(error);

	for (unsigned i = 0; !spec && i < fencing->disks.coverage.count; i++)
		chosen[i] = fencing->disks.coverage.disks[i].name;
	for (char *word = words ? strtok_r(words, ", \t\n", &rest) : NULL; word && !rc;
		word = strtok_r(NULL, ", \t\n", &rest))
		rc = choose_word(fencing, word, chosen, error);
	free(words);
	return rc;
}

static int load(struct fencing *fencing, bool **chosen, struct blkpr_error *error)
{
	int rc = disks_load_coverage(&fencing->disks, fencing->fence.deadline, error);

	*chosen = rc ? NULL : calloc(fencing->disks.coverage.count + 1, sizeof(**chosen));
	if (rc)
		return rc;
	if (*fencing->disks.incomplete.text) {
		*error = fencing->disks.incomplete;
		return -EIO;
	}
	return *chosen ? choose(fencing, *chosen, error) : no_memory(error);
}

/* --- forget ----------------------------------------------------------------------------------- */

/* Those that are CHOSEN leave the set. */
static int forget(struct fencing *fencing, const bool chosen[], struct blkpr_error *error)
{
	struct coverage *coverage = &fencing->disks.coverage;
	struct coverage_change *changes = calloc(coverage->count + 1, sizeof(*changes));
	char **wwids = calloc(coverage->count + 1, sizeof(*wwids));
	unsigned n = 0;
	int rc = changes && wwids ? 0 : no_memory(error);

	for (unsigned i = 0; i < coverage->count && !rc; i++) {
		if (!chosen[i])
			continue;
		printf("forgetting %s (%s)\n", coverage->disks[i].name, coverage->disks[i].wwid);
		wwids[n] = strdup(coverage->disks[i].wwid); /* the set's own goes with it */
		rc = wwids[n] ? 0 : no_memory(error);
		changes[n].wwid = wwids[n];
		n++;
	}
	if (!rc && n)
		rc = coverage_update(coverage, changes, n, error);
	for (unsigned i = 0; wwids && i < n; i++)
		free(wwids[i]);
	free(wwids);
	free(changes);
	return rc;
}

enum outcome act_forget(struct fencing *fencing)
{
	struct blkpr_error error;
	bool *chosen = NULL;
	int rc = 0;

	if (pacemaker_runs_us() || !options_get(fencing->options, "devices")) {
		blkpr_error_set(&error, "forget: for a person who names in devices (-d) the disks "
					"that have been taken away");
		rc = -EINVAL;
	}
	if (!rc)
		rc = load(fencing, &chosen, &error);
	if (!rc)
		rc = forget(fencing, chosen, &error);
	free(chosen);
	if (rc)
		return report_refuse(&error);
	peers_publish(fencing);
	puts("Success: Forgotten");
	return OUTCOME_DONE;
}

/* --- release ---------------------------------------------------------------------------------- */

/*
 * What release ends it may have to evict (sessions that are over): so a key must be this node's
 * own.
 */
static int check_own(
	const struct fencing *fencing, const struct blkpr_target *target, struct blkpr_error *error)
{
	const struct registration *record =
		coverage_find(&fencing->disks.coverage, target->device->wwid);

	if (record && record->key && record->key != fencing->keys.given)
		return blkpr_error_fail(error, -EINVAL,
			"key=0x%" PRIx64 ": this node registered 0x%" PRIx64
			" on %s; release without key=",
			fencing->keys.given, record->key, target->device->name);
	for (unsigned i = 0; i < fencing->keys.cluster.count; i++)
		for (int method = 0; method < BLKPR_KEY_METHODS; method++) {
			const struct cluster_node *node = &fencing->keys.cluster.nodes[i];

			if (node == cluster_self(&fencing->keys.cluster) ||
				keyring_key(&fencing->keys, method, node) != fencing->keys.given)
				continue;
			return blkpr_error_fail(error, -EINVAL, "key=0x%" PRIx64 ": that is %s's",
				fencing->keys.given, node->name);
		}
	return 0;
}

/* Its own record knows with which key, without a cluster too. */
static int plan(struct fencing *fencing, const bool chosen[], struct blkpr_error *error)
{
	int rc = disks_add_covered(&fencing->disks, error);
	unsigned kept = 0;

	for (unsigned i = 0; i < fencing->disks.list.count && !rc; i++) {
		const struct registration *disk = coverage_find(
			&fencing->disks.coverage, fencing->disks.list.devices[i].wwid);

		if (chosen[disk - fencing->disks.coverage.disks])
			fencing->disks.list.devices[kept++] = fencing->disks.list.devices[i];
		else
			blkpr_device_clear(&fencing->disks.list.devices[i]);
	}
	if (rc)
		return rc;
	fencing->disks.list.count = kept;
	if (!kept)
		return blkpr_error_fail(
			error, -ENODEV, "this node has registered on no disk: nothing to release");
	rc = disks_settle(&fencing->disks, error);
	for (unsigned i = 0; i < fencing->disks.ntargets && !rc; i++) {
		fencing->disks.targets[i].own = fencing->keys.given;
		rc = fencing->keys.given ? check_own(fencing, &fencing->disks.targets[i], error)
				: disks_find_own(&fencing->disks, &fencing->keys, i, error);
	}
	return rc;
}

/*
 * A registrants-only reservation goes with its holder's registration, and the others would be left
 * without one.
 */
static bool leaves_others_open(const struct fencing *fencing, unsigned i)
{
	const struct blkpr_verdict *verdict = &fencing->disks.verdicts[i];
	bool for_all = verdict->type == PR_WRITE_EXCLUSIVE_ALL_REGS ||
		       verdict->type == PR_EXCLUSIVE_ACCESS_ALL_REGS;

	return verdict->type && !for_all && verdict->holder == fencing->disks.targets[i].own &&
	       verdict->registrations > verdict->own_registrations;
}

/* What is not to be read, or held for others, is told before any disk is touched. */
static int check(struct fencing *fencing, struct blkpr_error *error)
{
	int rc = blkpr_fence_monitor(&fencing->fence, fencing->disks.targets,
		fencing->disks.ntargets, fencing->disks.verdicts);

	for (unsigned i = 0; i < fencing->disks.ntargets && !rc; i++) {
		if (leaves_others_open(fencing, i))
			return blkpr_error_fail(error, -EBUSY,
				"%s: this node holds the reservation, and others are registered: "
				"release on them first, and here last",
				fencing->disks.targets[i].device->name);
		if (blkpr_result_unreachable(fencing->disks.verdicts[i].result)) {
			char *text = report_text(fencing, i);

			blkpr_error_set(
				error, "%s", text ? text : fencing->disks.targets[i].device->name);
			free(text);
			return -EIO;
		}
	}
	if (rc)
		blkpr_error_set(error, "no worker can be run: %s", strerror(-rc));
	return rc;
}

/* What is still registered is not forgotten. */
static int release(struct fencing *fencing, bool chosen[], struct blkpr_error *error)
{
	struct blkpr_hold hold = { .type = fencing->fence.type,
		.parallel = fencing->fence.parallel,
		.deadline = fencing->fence.deadline };
	int rc = blkpr_hold_run(&hold, blkpr_hold_leave_disk, fencing->disks.targets,
		fencing->disks.ntargets, fencing->disks.verdicts);

	report_tell(fencing, fencing->disks.ntargets);
	for (unsigned i = 0; i < fencing->disks.ntargets; i++) {
		const struct registration *disk =
			disks_record(&fencing->disks, i);

		if (!rc && fencing->disks.verdicts[i].result == BLKPR_OK)
			continue;
		chosen[disk - fencing->disks.coverage.disks] = false;
		rc = rc ? rc : -EIO;
	}
	blkpr_error_set(error,
		"this node is registered on some disks still; repeat when the cause is gone");
	return rc;
}

enum outcome act_release(struct fencing *fencing)
{
	struct blkpr_error error, unwritten;
	bool *chosen = NULL;
	int rc;

	if (pacemaker_runs_us() || pacemaker_age() >= 0) {
		blkpr_error_set(&error, "release: Pacemaker runs on this node, which would lose "
					"its disks; stop the cluster here first");
		return report_refuse(&error);
	}
	keyring_load_cluster(&fencing->keys);
	rc = load(fencing, &chosen, &error);
	if (!rc)
		rc = plan(fencing, chosen, &error);
	if (!rc)
		rc = at_work_begin(BLKPR_RUN_DIR, &error);
	if (!rc) {
		alarm_during_work(fencing->fence.deadline);
		rc = check(fencing, &error);
	}
	if (!rc) {
		rc = release(fencing, chosen, &error);
		if (forget(fencing, chosen, &unwritten)) {
			error = unwritten;
			rc = -EIO;
		}
	}
	free(chosen);
	if (rc)
		return report_refuse(&error);
	puts("Success: Released");
	return OUTCOME_DONE;
}
