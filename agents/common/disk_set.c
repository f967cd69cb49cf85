// SPDX-License-Identifier: GPL-2.0-or-later
// A set of disks in memory.
#include "agents/common/disk_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct registration *disk_set_find(const struct coverage *coverage, const char *wwid)
{
	for (unsigned i = 0; i < coverage->count; i++)
		if (!strcmp(coverage->disks[i].wwid, wwid))
			return &coverage->disks[i];
	return NULL;
}

int disk_set_add(struct coverage *coverage, const char *wwid, const char *name)
{
	struct registration *disks =
		realloc(coverage->disks, (coverage->count + 1) * sizeof(*disks));

	if (!disks)
		return -ENOMEM;
	coverage->disks = disks;
	if (registration_set(&disks[coverage->count], wwid, name))
		return -ENOMEM;
	coverage->count++;
	return 0;
}

int disk_set_rename(struct registration *disk, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	free(disk->name);
	disk->name = copy;
	return 0;
}

static void drop(struct coverage *coverage, struct registration *disk)
{
	registration_clear(disk);
	*disk = coverage->disks[--coverage->count];
}

int disk_set_apply(struct coverage *coverage, const struct coverage_change *change)
{
	struct registration *disk = coverage->count ? disk_set_find(coverage, change->wwid) : NULL;

	if (!disk)
		return change->name ? disk_set_add(coverage, change->wwid, change->name) ?: 1 : 0;
	if (!change->name)
		drop(coverage, disk);
	else if (disk->name && !strcmp(disk->name, change->name))
		return 0;
	else
		return disk_set_rename(disk, change->name) ?: 1;
	return 1;
}

int disk_set_parse(struct coverage *coverage, char *text)
{
	char *rest = NULL;
	int rc = 0;

	for (char *line = strtok_r(text, "\n", &rest); line && rc >= 0;
		line = strtok_r(NULL, "\n", &rest)) {
		char *name, *wwid = strtok_r(line, " ", &name);

		rc = wwid && *name
			     ? disk_set_apply(coverage, &(struct coverage_change){ wwid, name })
			     : -EINVAL;
	}
	return rc < 0 ? rc : 0;
}

char *disk_set_format(const struct coverage *coverage)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (unsigned i = 0; out && i < coverage->count; i++)
		if (coverage->disks[i].name)
			fprintf(out, "%s %s\n", coverage->disks[i].wwid, coverage->disks[i].name);
	if (out)
		fclose(out);
	return text;
}

void disk_set_clear(struct coverage *coverage)
{
	for (unsigned i = 0; i < coverage->count; i++)
		registration_clear(&coverage->disks[i]);
	free(coverage->disks);
	coverage->disks = NULL;
	coverage->count = 0;
}

int disk_set_no_memory(struct blkpr_error *error)
{
	return blkpr_error_fail(error, -ENOMEM, "out of memory");
}
