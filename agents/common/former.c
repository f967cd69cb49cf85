// SPDX-License-Identifier: GPL-2.0-or-later
// What an older version has left under /run: a list for each devices parameter.
#include "agents/common/coverage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/key.h"

#define OLD_TIME ".unfenced"

struct conversion {
	struct coverage *coverage;
	struct blkpr_error *error;
};

/*
 * A line is "WWID KEY NAME"; a record of the disk alone meant an explicit key, and all were of the
 * last `on`.
 */
static int convert_line(
	struct coverage *coverage, char *line, long since, struct blkpr_error *error)
{
	char *rest, *wwid = strtok_r(line, " ", &rest), *key = strtok_r(NULL, " ", &rest);
	struct registration record = { 0 };
	bool done, given;
	int rc = key && *rest ? registration_load(&coverage->run, wwid, &record, error) : 0;

	if (rc && rc != -ENOENT)
		return rc;
	done = !key || !*rest || record.name;
	given = record.key;
	registration_clear(&record);
	if (done)
		return 0;
	rc = registration_set(&record, wwid, rest);
	if (rc)
		return disk_set_no_memory(error);
	record.since = since;
	snprintf(record.how, sizeof(record.how), given ? REGISTRATION_EXPLICIT : "derived");
	if (!blkpr_key_parse(key, &record.key))
		rc = registration_store(&coverage->run, &record, error);
	registration_clear(&record);
	return rc;
}

static int convert_list(void *context, const char *name)
{
	struct conversion *conversion = context;
	struct coverage *coverage = conversion->coverage;
	char *text, *when = NULL, *rest = NULL;
	long since = -1;
	int rc;

	if (!coverage_is_former_list(name))
		return 0;
	if (!store_read(&coverage->run, OLD_TIME, &when, conversion->error) &&
		sscanf(when, "%ld", &since) != 1)
		since = -1;
	free(when);
	rc = store_read(&coverage->run, name, &text, conversion->error);
	for (char *line = rc ? NULL : strtok_r(text, "\n", &rest); line && !rc;
		line = strtok_r(NULL, "\n", &rest))
		rc = convert_line(coverage, line, since, conversion->error);
	free(text);
	return rc == -ENOENT ? 0 : rc;
}

static int remove_list(void *context, const char *name)
{
	struct conversion *conversion = context;

	return coverage_is_former_list(name)
		       ? store_remove(&conversion->coverage->run, name, conversion->error)
		       : 0;
}

/*
 * The old files go last: whoever is killed before has done it in vain, and the next one does it
 * again.
 */
static int convert(struct coverage *coverage, struct blkpr_error *error)
{
	struct conversion conversion = { .coverage = coverage, .error = error };
	struct blkpr_error unwritten;
	bool old;
	int rc = store_lock(&coverage->run, error);

	if (!rc)
		rc = store_visit(&coverage->run, convert_list, &conversion);
	store_unlock(&coverage->run);
	if (!rc)
		rc = coverage_read_all(coverage, &old, error);
	/* where the set cannot be written the records of this boot do until `on` says so */
	if (rc || *coverage->doubt.text || coverage_add_all(coverage, &unwritten))
		return rc;
	rc = store_lock(&coverage->run, error);
	if (!rc)
		rc = store_visit(&coverage->run, remove_list, &conversion);
	if (!rc)
		rc = store_remove(&coverage->run, OLD_TIME, error);
	store_unlock(&coverage->run);
	return rc;
}

int coverage_load(struct coverage *coverage, const char *run, const char *state, int64_t deadline,
	struct blkpr_error *error)
{
	bool old = false;
	int rc;

	*coverage = (struct coverage){ .run = STORE_CLOSED, .state = state, .deadline = deadline };
	rc = store_open(&coverage->run, run, true, error);
	if (!rc)
		rc = coverage_read_all(coverage, &old, error);
	return !rc && old ? convert(coverage, error) : rc;
}
