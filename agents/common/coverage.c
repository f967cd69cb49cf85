// SPDX-License-Identifier: GPL-2.0-or-later
// The disks that this node has registered on.
#include "agents/common/coverage.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/disk_set.h"
#include "agents/common/run.h"
#include "lib/clock.h"

#define SET "disks" /* under /var/lib: a line "WWID NAME" for each disk */
/* The same under /run, where every other file but the old ones and the resources' is a record. */
#define SET_COPY ".disks"
#define RESOURCE "resource-"

#define FORMER_LIST "list-"

/* --- reading ---------------------------------------------------------------------------------- */

static int read_set(struct coverage *coverage, const struct store *store, const char *name,
	struct blkpr_error *error)
{
	char *text;
	int rc = store_read(store, name, &text, error);

	if (rc)
		return rc;
	rc = disk_set_parse(coverage, text);
	free(text);
	if (rc == -ENOMEM)
		return disk_set_no_memory(error);
	if (rc)
		blkpr_error_set(error,
			"%s/%s: holds a line that is no disk's; restore the file, or remove it and "
			"unfence this node again",
			store->path, name);
	return rc;
}

/*
 * Unless somebody else has made one since it was missed, of a newer set. What fails is read again.
 */
static void keep_copy(const struct store *run, const char *copy)
{
	struct blkpr_error ignored;
	char *theirs;

	if (store_read(run, SET_COPY, &theirs, &ignored) == -ENOENT)
		store_replace(run, SET_COPY, copy, &ignored);
	free(theirs);
}

#define WAIT_SHARE 4 /* of the time that is left */

/* In a process of its own: what the set is, checked. */
static int read_state(const void *path, int out, struct blkpr_error *error)
{
	struct coverage set = { 0 };
	struct store state;
	int rc = store_open(&state, path, false, error);
	char *text = NULL;

	if (!rc)
		rc = read_set(&set, &state, SET, error);
	if (!rc && !(text = disk_set_format(&set)))
		rc = disk_set_no_memory(error);
	if (!rc && dprintf(out, "%s", text) < 0)
		rc = -EIO;
	return rc;
}

/*
 * The first time since this node was started. A local disk that errs must not keep a victim from
 * being fenced.
 */
static int import_set(struct coverage *coverage, struct blkpr_error *error)
{
	int64_t now = blkpr_clock_ms();
	char *copy, *text = NULL;
	int rc = run_aside(read_state, coverage->state,
		now + (coverage->deadline - now) / WAIT_SHARE, &text, &coverage->doubt);

	if (!rc && text)
		rc = disk_set_parse(coverage, text);
	free(text);
	if (rc == -ENOMEM)
		return disk_set_no_memory(error);
	if (rc == -ETIME)
		blkpr_error_set(
			&coverage->doubt, "%s: the local disk does not answer", coverage->state);
	if (rc == -ENOENT)
		*coverage->doubt.text =
			'\0'; /* nothing was ever registered, or /var/lib will be mounted later */
	copy = rc ? NULL : disk_set_format(coverage);
	if (copy && store_try_lock(&coverage->run)) {
		keep_copy(&coverage->run, copy);
		store_unlock(&coverage->run);
	}
	free(copy);
	return 0;
}

static int take_record(struct coverage *coverage, struct registration *record)
{
	struct registration *disk = disk_set_find(coverage, record->wwid);
	int rc = 0;

	if (!disk)
		rc = disk_set_add(coverage, record->wwid, record->name);
	else if (record->name)
		rc = disk_set_rename(disk, record->name);
	if (rc)
		return rc;
	disk = disk ? disk : &coverage->disks[coverage->count - 1];
	disk->key = record->key;
	disk->since = record->since;
	disk->in_flight = record->in_flight;
	memcpy(disk->how, record->how, sizeof(disk->how));
	return 0;
}

bool coverage_is_former_list(const char *name)
{
	return !strncmp(name, FORMER_LIST, strlen(FORMER_LIST));
}

struct reading {
	struct coverage *coverage;
	struct blkpr_error *error;
	bool old; /* files of an older version are there */
};

static int visit_record(void *context, const char *name)
{
	struct reading *reading = context;
	struct registration record;
	int rc;

	if (coverage_is_former_list(name))
		reading->old = true;
	if (coverage_is_former_list(name) || !strncmp(name, RESOURCE, strlen(RESOURCE)))
		return 0;
	rc = registration_load(&reading->coverage->run, name, &record, reading->error);
	if (rc)
		return rc == -ENOENT ? 0 : rc; /* removed just now */
	rc = take_record(reading->coverage, &record);
	registration_clear(&record);
	return rc ? disk_set_no_memory(reading->error) : 0;
}

int coverage_read_all(struct coverage *coverage, bool *old, struct blkpr_error *error)
{
	struct reading reading = { .coverage = coverage, .error = error };
	int rc;

	disk_set_clear(coverage);
	rc = read_set(coverage, &coverage->run, SET_COPY, error);
	if (rc == -ENOENT)
		rc = import_set(coverage, error);
	blkpr_error_set(error, "%s: cannot be read", coverage->run.path);
	if (!rc)
		rc = store_visit(&coverage->run, visit_record, &reading);
	*old = reading.old;
	return rc;
}

/* --- changing --------------------------------------------------------------------------------- */

/* What is under /var/lib now, with the changes in it; whether it has to be written, or -errno. */
static int change_set(struct coverage *set, const struct store *state,
	const struct coverage_change changes[], unsigned count, struct blkpr_error *error)
{
	int rc = read_set(set, state, SET, error), changed = rc == -ENOENT;

	if (rc && rc != -ENOENT)
		return rc;
	for (unsigned i = 0; i < count; i++) {
		int differs = disk_set_apply(set, &changes[i]);

		if (differs < 0)
			return disk_set_no_memory(error);
		changed |= differs;
	}
	return changed;
}

/*
 * The copy is written in any case: whoever wrote the set last may have been killed before it was.
 * The lock of RUN is not held while a local disk is waited for, which may hang.
 */
static int write_set(const struct coverage *set, bool changed, const struct store *state,
	struct store *run, struct blkpr_error *error)
{
	char *text = disk_set_format(set);
	int rc = text ? 0 : disk_set_no_memory(error);

	if (!rc && changed)
		rc = store_replace(state, SET, text, error);
	if (!rc)
		rc = store_lock(run, error);
	if (!rc)
		rc = store_replace(run, SET_COPY, text, error);
	store_unlock(run);
	free(text);
	return rc;
}

static int remove_records(struct coverage *coverage, const struct coverage_change changes[],
	unsigned count, struct blkpr_error *error)
{
	int rc = store_lock(&coverage->run, error);

	for (unsigned i = 0; i < count && !rc; i++)
		if (!changes[i].name)
			rc = store_remove(&coverage->run, changes[i].wwid, error);
	store_unlock(&coverage->run);
	return rc;
}

/* Under the lock of /var/lib, which comes before that of RUN. */
static int update_here(struct coverage *coverage, const struct coverage_change changes[],
	unsigned count, struct blkpr_error *error)
{
	struct coverage set = { 0 };
	struct store state;
	int rc = store_open(&state, coverage->state, true, error);

	state.durable = true;
	if (!rc)
		rc = store_lock(&state, error);
	if (!rc)
		rc = change_set(&set, &state, changes, count, error);
	if (rc >= 0)
		rc = write_set(&set, rc, &state, &coverage->run, error);
	if (!rc)
		rc = remove_records(coverage, changes, count, error);
	store_close(&state);
	disk_set_clear(&set);
	return rc;
}

struct update {
	struct coverage *coverage;
	const struct coverage_change *changes;
	unsigned count;
};

static int update_aside(const void *context, int out, struct blkpr_error *error)
{
	const struct update *update = context;

	(void)out;
	return update_here(update->coverage, update->changes, update->count, error);
}

static int update_set(struct coverage *coverage, const struct coverage_change changes[],
	unsigned count, struct blkpr_error *error)
{
	struct update update = { coverage, changes, count };
	char *nothing;
	int rc = run_aside(update_aside, &update, coverage->deadline, &nothing, error);

	free(nothing);
	if (rc == -ETIME)
		blkpr_error_set(error,
			"%s: the local disk does not answer, so it cannot be kept which disks "
			"this node has registered on",
			coverage->state);
	return rc;
}

int coverage_add_all(struct coverage *coverage, struct blkpr_error *error)
{
	struct coverage_change *changes = calloc(coverage->count + 1, sizeof(*changes));
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; changes && i < coverage->count; i++)
		if (coverage->disks[i].name)
			changes[n++] = (struct coverage_change){ coverage->disks[i].wwid,
				coverage->disks[i].name };
	rc = changes ? update_set(coverage, changes, n, error) : disk_set_no_memory(error);
	free(changes);
	return rc;
}

int coverage_update(struct coverage *coverage, const struct coverage_change changes[],
	unsigned count, struct blkpr_error *error)
{
	int rc = update_set(coverage, changes, count, error);

	for (unsigned i = 0; i < count && !rc; i++)
		if (disk_set_apply(coverage, &changes[i]) < 0)
			rc = disk_set_no_memory(error);
	return rc;
}

void coverage_clear(struct coverage *coverage)
{
	if (coverage->run.path)
		store_close(&coverage->run);
	disk_set_clear(coverage);
}

/* --- asking ----------------------------------------------------------------------------------- */

const struct registration *coverage_find(const struct coverage *coverage, const char *wwid)
{
	return disk_set_find(coverage, wwid);
}

bool coverage_means(const struct registration *disk, const char *name)
{
	return disk->name && (!strcmp(disk->name, name) || !strcmp(disk->wwid, name) ||
				     !fnmatch(name, disk->name, FNM_PATHNAME));
}

bool coverage_knows(const struct coverage *coverage, const char *name)
{
	for (unsigned i = 0; i < coverage->count; i++)
		if (coverage_means(&coverage->disks[i], name))
			return true;
	return false;
}

int coverage_record(struct coverage *coverage, const struct registration registrations[],
	unsigned count, struct blkpr_error *error)
{
	int rc = store_lock(&coverage->run, error);

	for (unsigned i = 0; i < count && !rc; i++)
		rc = registration_store(&coverage->run, &registrations[i], error);
	store_unlock(&coverage->run);
	return rc;
}
