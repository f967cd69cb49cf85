// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the other nodes cover the same disks.
#include "agents/fence/peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/alarm.h"
#include "agents/common/log.h"
#include "agents/common/pacemaker.h"
#include "agents/common/run.h"
#include "lib/clock.h"

#define ATTRIBUTE "fence-blkpr-disks"
#define LONGEST_QUESTION_MS 2000

/* --- the digest ------------------------------------------------------------------------------- */

#define DIGEST_TEXT 48 /* "NUMBER:MD5" */

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * Of the identities of all covered disks, each with its NUL, in their order: the same wherever the
 * set is. 0, or -ENOMEM.
 */
static int make_digest(const struct coverage *coverage, char digest[DIGEST_TEXT])
{
	const char **wwids = calloc(coverage->count + 1, sizeof(*wwids));
	char sum[BLKPR_DIGEST_TEXT], *text = NULL;
	size_t size;
	FILE *all = wwids ? open_memstream(&text, &size) : NULL;
	unsigned n = 0;

	for (unsigned i = 0; all && i < coverage->count; i++)
		if (coverage->disks[i].name)
			wwids[n++] = coverage->disks[i].wwid;
	if (wwids)
		qsort(wwids, n, sizeof(*wwids), compare_strings);
	for (unsigned i = 0; i < n; i++)
		fwrite(wwids[i], 1, strlen(wwids[i]) + 1, all);
	free(wwids);
	if (!all || fclose(all))
		return -ENOMEM;
	blkpr_key_digest(text, size, sum);
	snprintf(digest, DIGEST_TEXT, "%u:%s", n, sum);
	free(text);
	return 0;
}

/* A cluster that does not answer costs no action. */
static int64_t question_deadline(const struct fencing *fencing)
{
	int64_t share = alarm_asking_by(fencing->fence.deadline),
		longest = blkpr_clock_ms() + LONGEST_QUESTION_MS;

	return share < longest ? share : longest;
}

void peers_publish(const struct fencing *fencing)
{
	char digest[DIGEST_TEXT];
	const char *const argv[] = { "attrd_updater", "--name", ATTRIBUTE, "--update", digest,
		"--private", NULL };
	struct blkpr_error error;
	char *output = NULL;

	if (pacemaker_age() < 0 || make_digest(&fencing->disks.coverage, digest))
		return;
	if (run_program(argv, question_deadline(fencing), &output, &error))
		qb_log(LOG_INFO, "the other nodes are not told which disks this one covers: %s",
			error.text);
	free(output);
}

/* --- by the disks ----------------------------------------------------------------------------- */

static bool is_on(const struct fencing *fencing, const struct cluster_node *node, unsigned i)
{
	uint64_t key = keyring_key(&fencing->keys, fencing->keys.method, node);

	for (unsigned k = 0; k < fencing->disks.verdicts[i].nkeys; k++)
		if (fencing->disks.verdicts[i].keys[k].key == key)
			return true;
	return false;
}

static bool is_peer(const struct fencing *fencing, const struct cluster_node *node)
{
	return node->member && node != cluster_self(&fencing->keys.cluster);
}

/*
 * A disk that devices names and NODE is on (or is not on); the number of targets if there is none.
 */
static unsigned find_disk(const struct fencing *fencing, const struct cluster_node *node, bool on)
{
	unsigned i = 0;

	while (i < fencing->disks.ntargets &&
		(fencing->disks.targets[i].device->unnamed || is_on(fencing, node, i) != on))
		i++;
	return i;
}

static int check_disks(const struct fencing *fencing, struct blkpr_error *error)
{
	for (unsigned i = 0; i < fencing->keys.cluster.count; i++) {
		const struct cluster_node *node = &fencing->keys.cluster.nodes[i];
		unsigned there, not_there;

		if (!is_peer(fencing, node))
			continue;
		there = find_disk(fencing, node, true);
		not_there = find_disk(fencing, node, false);
		if (there == fencing->disks.ntargets || not_there == fencing->disks.ntargets)
			continue;
		return blkpr_error_fail(error, -EXDEV,
			"%s: %s is registered on others of these disks (%s), and not there: see "
			"that it has this very disk (%s), then unfence it (stonith_admin --unfence "
			"%s); a disk that the nodes do not share must not be in devices",
			fencing->disks.targets[not_there].device->name, node->name,
			fencing->disks.targets[there].device->name,
			fencing->disks.targets[not_there].device->wwid, node->name);
	}
	return 0;
}

#define PAUSE_MS 200
#define LONGEST_WAIT_MS 3000

/* A node that is at its `on`, or is being fenced, is on some of the disks only for a moment. */
static int wait_for_disks(struct fencing *fencing, struct blkpr_error *error)
{
	int64_t until = blkpr_clock_ms() + LONGEST_WAIT_MS,
		share = alarm_asking_by(fencing->fence.deadline);
	int rc = check_disks(fencing, error);

	if (share < until)
		until = share;
	while (rc && blkpr_clock_ms() < until) {
		blkpr_clock_pause(PAUSE_MS, until);
		if (blkpr_fence_monitor(&fencing->fence, fencing->disks.targets,
			    fencing->disks.ntargets, fencing->disks.verdicts) ||
			!disks_all_ok(&fencing->disks))
			return 0; /* other things happen there, which the next monitor tells */
		if (cluster_load_members(&fencing->keys.cluster))
			return 0;
		rc = check_disks(fencing, error);
	}
	return rc;
}

/* --- by what they tell ------------------------------------------------------------------------ */

/*
 * 'name="fence-blkpr-disks" host="n1" value="3:..."', a line each (Pacemaker:
 * tools/attrd_updater.c).
 */
static bool find_value(const char *output, const char *host, char value[DIGEST_TEXT])
{
	char *wanted;
	const char *found;

	if (asprintf(&wanted, "host=\"%s\" value=\"", host) < 0)
		return false;
	found = strstr(output, wanted);
	if (found)
		snprintf(value, DIGEST_TEXT, "%.*s", (int)strcspn(found + strlen(wanted), "\""),
			found + strlen(wanted));
	free(wanted);
	return found;
}

static bool is_on_any(const struct fencing *fencing, const struct cluster_node *node)
{
	return find_disk(fencing, node, true) < fencing->disks.ntargets;
}

/* Whether another node than this one is on any of the disks. */
static bool is_shared(const struct fencing *fencing)
{
	for (unsigned i = 0; i < fencing->keys.cluster.count; i++)
		if (&fencing->keys.cluster.nodes[i] != cluster_self(&fencing->keys.cluster) &&
			is_on_any(fencing, &fencing->keys.cluster.nodes[i]))
			return true;
	return false;
}

static void warn_different(const struct fencing *fencing, const char *output, const char *own)
{
	bool shared = is_shared(fencing);

	for (unsigned i = 0; i < fencing->keys.cluster.count; i++) {
		const struct cluster_node *node = &fencing->keys.cluster.nodes[i];
		char value[DIGEST_TEXT];

		if (!is_peer(fencing, node) || !find_value(output, node->name, value) ||
			!strcmp(value, own))
			continue;
		if (is_on_any(fencing, node))
			qb_log(LOG_WARNING,
				"%s covers other disks than this node, %.*s there and %.*s here: "
				"an \"off\" is true of the disks of the node that runs it; compare "
				"fence_blkpr -o monitor -v on both",
				node->name, (int)strcspn(value, ":"), value, (int)strcspn(own, ":"),
				own);
		else if (!shared)
			qb_log(LOG_WARNING,
				"no other node is registered on any of these disks, and %s covers "
				"others: are they shared?",
				node->name);
	}
}

static void compare_digests(const struct fencing *fencing)
{
	static const char *const argv[] = { "attrd_updater", "--name", ATTRIBUTE, "--query",
		"--all", NULL };
	char own[DIGEST_TEXT], *output = NULL;
	struct blkpr_error error;

	if (!pacemaker_runs_us() || make_digest(&fencing->disks.coverage, own))
		return;
	if (run_program(argv, question_deadline(fencing), &output, &error))
		qb_log(LOG_INFO, "which disks the other nodes cover is not known: %s", error.text);
	else
		warn_different(fencing, output, own);
	free(output);
}

int peers_compare(struct fencing *fencing, struct blkpr_error *error)
{
	int rc;

	if (fencing->keys.given || !cluster_self(&fencing->keys.cluster) ||
		cluster_load_members(&fencing->keys.cluster)) {
		qb_log(LOG_INFO, "which disks the other nodes are on cannot be told: %s",
			fencing->keys.given ? "keys are given by key="
					    : fencing->keys.unclustered.text);
		return 0;
	}
	rc = wait_for_disks(fencing, error);
	if (!rc)
		compare_digests(fencing);
	return rc;
}
