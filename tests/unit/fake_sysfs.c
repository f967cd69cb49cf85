// SPDX-License-Identifier: GPL-2.0-or-later
// The fake sysfs tree.
#include "tests/unit/fake_sysfs.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char root[64];

void sysfs_create(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/blkpr-sysfs-XXXXXX", tmp && strlen(tmp) < 30 ? tmp : "/tmp");
	assert_non_null(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void sysfs_remove(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *sysfs_path(const char *path)
{
	static char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s/%s", root, path);
	return full;
}

static void make_parents(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s", sysfs_path(path));
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
}

void sysfs_write(const char *path, const char *text)
{
	FILE *file;

	make_parents(path);
	file = fopen(sysfs_path(path), "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

void sysfs_link(const char *path, const char *target)
{
	make_parents(path);
	assert_int_equal(symlink(target, sysfs_path(path)), 0);
}

/* As sysfs writes an attribute: with a newline. */
static void write_attribute(const char *disk, const char *attribute, const char *text)
{
	char path[256], line[512];

	snprintf(path, sizeof(path), "%s/%s", disk, attribute);
	snprintf(line, sizeof(line), "%s\n", text);
	sysfs_write(path, line);
}

static void link_subsystem(const char *disk, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/device/subsystem", disk);
	sysfs_link(path, target);
}

void sysfs_scsi_disk(const char *disk, const char *wwid)
{
	link_subsystem(disk, "../../../../../../bus/scsi");
	write_attribute(disk, "device/type", "0");
	if (wwid)
		write_attribute(disk, "device/wwid", wwid);
}

void sysfs_nvme_disk(const char *disk, const char *subsystem, const char *wwid)
{
	char target[128];

	snprintf(target, sizeof(target), "../../../class/%s", subsystem);
	link_subsystem(disk, target);
	if (wwid)
		write_attribute(disk, "wwid", wwid);
}

void sysfs_dm(const char *disk, const char *name, const char *uuid, const char *number)
{
	write_attribute(disk, "dm/name", name);
	write_attribute(disk, "dm/uuid", uuid);
	write_attribute(disk, "dev", number);
}

void sysfs_stack(const char *map, const char *path_disk)
{
	char path[256], target[256];

	snprintf(path, sizeof(path), "%s/slaves/%s", map, path_disk);
	snprintf(target, sizeof(target), "../../%s", path_disk);
	sysfs_link(path, target);
	snprintf(path, sizeof(path), "%s/holders/%s", path_disk, map);
	snprintf(target, sizeof(target), "../../%s", map);
	sysfs_link(path, target);
}
