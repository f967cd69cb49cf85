// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the other nodes cover the same disks.
#include "agents/fence/peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static int64_t question_deadline(const struct agent *agent)
{
	int64_t share = agent_asking_deadline(agent),
		longest = blkpr_clock_ms() + LONGEST_QUESTION_MS;

	return share < longest ? share : longest;
}

void peers_publish(const struct agent *agent)
{
	char digest[DIGEST_TEXT];
	const char *const argv[] = { "attrd_updater", "--name", ATTRIBUTE, "--update", digest,
		"--private", NULL };
	struct blkpr_error error;
	char *output = NULL;

	if (pacemaker_age() < 0 || make_digest(&agent->coverage, digest))
		return;
	if (run_program(argv, question_deadline(agent), &output, &error))
		qb_log(LOG_INFO, "the other nodes are not told which disks this one covers: %s",
			error.text);
	free(output);
}

/* --- by the disks ----------------------------------------------------------------------------- */

static bool is_on(const struct agent *agent, const struct cluster_node *node, unsigned i)
{
	uint64_t key = agent_node_key(agent, agent->method, node);

	for (unsigned k = 0; k < agent->verdicts[i].nkeys; k++)
		if (agent->verdicts[i].keys[k].key == key)
			return true;
	return false;
}

static bool is_peer(const struct agent *agent, const struct cluster_node *node)
{
	return node->member && node != cluster_self(&agent->cluster);
}

/*
 * A disk that devices names and NODE is on (or is not on); the number of targets if there is none.
 */
static unsigned find_disk(const struct agent *agent, const struct cluster_node *node, bool on)
{
	unsigned i = 0;

	while (i < agent->ntargets &&
		(agent->targets[i].device->unnamed || is_on(agent, node, i) != on))
		i++;
	return i;
}

static int check_disks(const struct agent *agent, struct blkpr_error *error)
{
	for (unsigned i = 0; i < agent->cluster.count; i++) {
		const struct cluster_node *node = &agent->cluster.nodes[i];
		unsigned there, not_there;

		if (!is_peer(agent, node))
			continue;
		there = find_disk(agent, node, true);
		not_there = find_disk(agent, node, false);
		if (there == agent->ntargets || not_there == agent->ntargets)
			continue;
		blkpr_error_set(error,
			"%s: %s is registered on others of these disks (%s), and not there: see "
			"that it has this very "
			"disk (%s), then unfence it (stonith_admin --unfence %s); a disk that the "
			"nodes do not share must "
			"not be in devices",
			agent->targets[not_there].device->name, node->name,
			agent->targets[there].device->name, agent->targets[not_there].device->wwid,
			node->name);
		return -EXDEV;
	}
	return 0;
}

#define PAUSE_MS 200
#define LONGEST_WAIT_MS 3000

/* A node that is at its `on`, or is being fenced, is on some of the disks only for a moment. */
static int wait_for_disks(struct agent *agent, struct blkpr_error *error)
{
	int64_t until = blkpr_clock_ms() + LONGEST_WAIT_MS, share = agent_asking_deadline(agent);
	int rc = check_disks(agent, error);

	if (share < until)
		until = share;
	while (rc && blkpr_clock_ms() < until) {
		blkpr_clock_pause(PAUSE_MS, until);
		if (blkpr_fence_monitor(
			    &agent->fence, agent->targets, agent->ntargets, agent->verdicts) ||
			!agent_all_ok(agent))
			return 0; /* other things happen there, which the next monitor tells */
		if (cluster_load_members(&agent->cluster))
			return 0;
		rc = check_disks(agent, error);
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

static bool is_on_any(const struct agent *agent, const struct cluster_node *node)
{
	return find_disk(agent, node, true) < agent->ntargets;
}

/* Whether another node than this one is on any of the disks. */
static bool is_shared(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->cluster.count; i++)
		if (&agent->cluster.nodes[i] != cluster_self(&agent->cluster) &&
			is_on_any(agent, &agent->cluster.nodes[i]))
			return true;
	return false;
}

static void warn_different(const struct agent *agent, const char *output, const char *own)
{
	bool shared = is_shared(agent);

	for (unsigned i = 0; i < agent->cluster.count; i++) {
		const struct cluster_node *node = &agent->cluster.nodes[i];
		char value[DIGEST_TEXT];

		if (!is_peer(agent, node) || !find_value(output, node->name, value) ||
			!strcmp(value, own))
			continue;
		if (is_on_any(agent, node))
			qb_log(LOG_WARNING,
				"%s covers other disks than this node, %.*s there and %.*s here: "
				"an \"off\" is true of the "
				"disks of the node that runs it; compare fence_blkpr -o monitor -v "
				"on both",
				node->name, (int)strcspn(value, ":"), value, (int)strcspn(own, ":"),
				own);
		else if (!shared)
			qb_log(LOG_WARNING,
				"no other node is registered on any of these disks, and %s covers "
				"others: are they shared?",
				node->name);
	}
}

static void compare_digests(const struct agent *agent)
{
	static const char *const argv[] = { "attrd_updater", "--name", ATTRIBUTE, "--query",
		"--all", NULL };
	char own[DIGEST_TEXT], *output = NULL;
	struct blkpr_error error;

	if (!pacemaker_runs_us() || make_digest(&agent->coverage, own))
		return;
	if (run_program(argv, question_deadline(agent), &output, &error))
		qb_log(LOG_INFO, "which disks the other nodes cover is not known: %s", error.text);
	else
		warn_different(agent, output, own);
	free(output);
}

int peers_compare(struct agent *agent, struct blkpr_error *error)
{
	int rc;

	if (agent->key || !cluster_self(&agent->cluster) || cluster_load_members(&agent->cluster)) {
		qb_log(LOG_INFO, "which disks the other nodes are on cannot be told: %s",
			agent->key ? "keys are given by key=" : agent->unclustered.text);
		return 0;
	}
	rc = wait_for_disks(agent, error);
	if (!rc)
		compare_digests(agent);
	return rc;
}
