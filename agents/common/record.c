// SPDX-License-Identifier: GPL-2.0-or-later
// What a resource holds.
#include "agents/common/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/store.h"
#include "config.h"
#include "lib/key.h"

/* A name that no WWID has, for an instance's, which may hold anything. */
static int open_record(
	const char *instance, struct store *store, char **name, struct blkpr_error *error)
{
	char sum[BLKPR_DIGEST_TEXT];
	int rc = store_open(store, BLKPR_RUN_DIR, true, error);

	*name = NULL;
	blkpr_key_digest(instance, strlen(instance), sum);
	if (rc || asprintf(name, "resource-%s", sum) >= 0)
		return rc;
	*name = NULL;
	return blkpr_error_fail(error, -ENOMEM, "out of memory");
}

static int close_record(struct store *store, char *name, int rc)
{
	store_close(store);
	free(name);
	return rc;
}

int record_resource_load(const char *instance, char **text, struct blkpr_error *error)
{
	struct store store;
	char *name;
	int rc = open_record(instance, &store, &name, error);

	*text = NULL;
	if (!rc)
		rc = store_read(&store, name, text, error);
	return close_record(&store, name, rc);
}

/* 0: it is there, and is TEXT; 1: it is not, or another one. */
static int compare(
	const struct store *store, const char *name, const char *text, struct blkpr_error *error)
{
	char *found = NULL;
	int rc = store_read(store, name, &found, error);

	if (!rc)
		rc = strcmp(found, text) ? 1 : 0;
	else if (rc == -ENOENT)
		rc = 1;
	free(found);
	return rc;
}

int record_resource_store(const char *instance, const char *former, const char *text,
	struct blkpr_error *error)
{
	struct store store;
	char *name;
	int rc = open_record(instance, &store, &name, error);

	if (!rc)
		rc = store_lock(&store, error);
	if (!rc && former)
		rc = compare(&store, name, former, error);
	if (!rc)
		rc = store_replace(&store, name, text, error);
	return close_record(&store, name, rc > 0 ? 0 : rc);
}

int record_resource_remove(const char *instance, struct blkpr_error *error)
{
	struct store store;
	char *name;
	int rc = open_record(instance, &store, &name, error);

	if (!rc)
		rc = store_lock(&store, error);
	if (!rc)
		rc = store_remove(&store, name, error);
	return close_record(&store, name, rc);
}
