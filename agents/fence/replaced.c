// SPDX-License-Identifier: GPL-2.0-or-later
// One record a disk: the keys that were replaced there, one a line.
#include "agents/fence/replaced.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/log.h"
#include "agents/common/record.h"

static char *name_of(const char *wwid)
{
	char *name;

	return asprintf(&name, "replaced %s", wwid) < 0 ? NULL : name;
}

/*
 * The record's text, for the caller to free; NULL: there is none. One that cannot be read is told,
 * and no reassurance.
 */
static char *load(const char *wwid, int *rc)
{
	char *name = name_of(wwid), *text = NULL;
	struct blkpr_error error;

	*rc = name ? record_resource_load(name, &text, &error) : -ENOMEM;
	if (*rc && *rc != -ENOENT && name)
		qb_log(LOG_ERR, "%s", error.text);
	free(name);
	return text;
}

/* TEXT without KEY, and with it at the end if ADD. */
static char *edit(const char *text, uint64_t key, bool add)
{
	char *edited = NULL, line[BLKPR_KEY_TEXT + 1], digits[BLKPR_KEY_TEXT];
	const char *found;
	size_t size;
	FILE *out = open_memstream(&edited, &size);

	if (!out)
		return NULL;
	snprintf(line, sizeof(line), "%s\n", blkpr_key_format(key, digits));
	found = text ? strstr(text, line) : NULL;
	if (found)
		fprintf(out, "%.*s%s", (int)(found - text), text, found + strlen(line));
	else if (text)
		fputs(text, out);
	if (add)
		fputs(line, out);
	fclose(out);
	return edited;
}

static bool has(const char *text, uint64_t key)
{
	char line[BLKPR_KEY_TEXT + 1], digits[BLKPR_KEY_TEXT];

	snprintf(line, sizeof(line), "%s\n", blkpr_key_format(key, digits));
	return strstr(text, line);
}

static int store(
	const char *wwid, const char *old, uint64_t key, bool add, struct blkpr_error *error)
{
	char *name = name_of(wwid), *text = edit(old, key, add);
	int rc = -ENOMEM;

	if (name && text)
		rc = *text ? record_resource_store(name, NULL, text, error)
			   : record_resource_remove(name, error);
	else
		blkpr_error_set(error, "out of memory");
	free(name);
	free(text);
	return rc;
}

int replaced_remember(const struct fencing *fencing, struct blkpr_error *error)
{
	int rc = 0;

	for (unsigned i = 0; i < fencing->disks.ntargets && !rc; i++) {
		uint64_t key = fencing->disks.verdicts[i].replaced;
		const char *wwid = fencing->disks.targets[i].device->wwid;
		char *old;
		int ignored;

		if (!key)
			continue;
		old = load(wwid, &ignored);
		rc = store(wwid, old, key, true, error);
		free(old);
	}
	return rc;
}

void replaced_judge(struct fencing *fencing)
{
	for (unsigned i = 0; i < fencing->disks.ntargets; i++) {
		struct blkpr_verdict *verdict = &fencing->disks.verdicts[i];
		const char *wwid = fencing->disks.targets[i].device->wwid;
		uint64_t key = fencing->fence.victim;
		struct blkpr_error ignored;
		char *text;
		int rc;

		if (!key || verdict->result != BLKPR_OK)
			continue;
		text = load(wwid, &rc);
		if (verdict->victim_seen && text && has(text, key))
			store(wwid, text, key, false, &ignored);
		else if (!verdict->victim_seen &&
			 ((rc && rc != -ENOENT) || (text && has(text, key))))
			verdict->result = BLKPR_REPLACED;
		free(text);
	}
}
