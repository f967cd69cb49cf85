// SPDX-License-Identifier: LGPL-2.1-or-later
// Device lists: globs, files, order, duplicates.
#include "lib/list.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS ", \t\r\n"

/* Room for one more; NULL: no memory. */
static struct blkpr_device *next_device(struct blkpr_list *list)
{
	struct blkpr_device *devices = realloc(list->devices, (list->count + 1) * sizeof(*devices));

	if (!devices)
		return NULL;
	list->devices = devices;
	return &devices[list->count];
}

static bool is_known(struct blkpr_list *list, const char *name)
{
	bool known = list->is_known && list->is_known(list->context, name);

	list->absent += known;
	return known;
}

static int add_device(struct blkpr_list *list, const char *name, struct blkpr_error *error)
{
	struct blkpr_device *device = next_device(list);
	int rc;

	if (!device)
		return blkpr_error_fail(error, -ENOMEM, "%s: out of memory", name);
	rc = blkpr_device_resolve(name, device, error);
	if (!rc)
		list->count++;
	return rc && rc != -ENOMEM && is_known(list, name) ? 0 : rc;
}

int blkpr_list_move(struct blkpr_list *list, struct blkpr_device *device)
{
	struct blkpr_device *place = next_device(list);

	if (!place)
		return -ENOMEM;
	*place = *device;
	*device = (struct blkpr_device){ 0 };
	list->count++;
	return 0;
}

int blkpr_list_add_absent(struct blkpr_list *list, const char *name, const char *wwid)
{
	struct blkpr_device device = {
		.name = strdup(name), .wwid = strdup(wwid), .paths = 1, .unnamed = true
	};
	int rc = device.name && device.wwid ? blkpr_list_move(list, &device) : -ENOMEM;

	blkpr_device_clear(&device);
	return rc;
}

void blkpr_list_scan(struct blkpr_list *list)
{
	struct blkpr_error ignored;
	const struct dirent *entry;
	DIR *blocks = opendir("/sys/block");
	char name[sizeof("/dev/") + 256];

	while (blocks && (entry = readdir(blocks))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "/dev/%s", entry->d_name);
		for (char *p = name; (p = strchr(p, '!'));)
			*p = '/'; /* as the kernel writes one in sysfs */
		add_device(list, name, &ignored);
	}
	if (blocks)
		closedir(blocks);
}

const struct blkpr_device *blkpr_list_find(const struct blkpr_list *list, const char *wwid)
{
	for (unsigned i = 0; i < list->count; i++)
		if (!strcmp(list->devices[i].wwid, wwid))
			return &list->devices[i];
	return NULL;
}

static int add_glob(struct blkpr_list *list, const char *pattern, struct blkpr_error *error)
{
	unsigned before = list->count + list->absent;
	glob_t matches;
	int rc = 0;

	if (glob(pattern, 0, NULL, &matches)) {
		if (is_known(list, pattern))
			return 0;
		return blkpr_error_fail(error, -ENOENT,
			"%s: no device matches; check the pattern and that the disks are connected",
			pattern);
	}
	for (size_t i = 0; i < matches.gl_pathc && !rc; i++) {
		rc = add_device(list, matches.gl_pathv[i], error);
		if (rc == -EPERM) /* a partition; its disk matches too or is not meant */
			rc = 0;
	}
	globfree(&matches);
	if (!rc && list->count + list->absent == before)
		return blkpr_error_fail(error, -EPERM,
			"%s: matches partitions only; reservations belong to whole disks", pattern);
	return rc;
}

static int add_file(struct blkpr_list *list, const char *path, struct blkpr_error *error)
{
	FILE *file = fopen(path, "re");
	unsigned before = list->count + list->absent;
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	if (!file)
		return blkpr_error_fail(error, -errno,
			"@%s: cannot read the list of devices: %s", path, strerror(errno));
	while (!rc && getline(&line, &size, file) >= 0) {
		line[strcspn(line, "#\n")] = '\0';
		if (strchr(line, '@'))
			rc = blkpr_error_fail(error, -EINVAL,
				"@%s: a list of devices cannot name another list: %.200s", path, line);
		else
			rc = blkpr_list_add(list, line, error);
	}
	if (!rc && ferror(file))
		rc = blkpr_error_fail(error, -EIO,
			"@%s: cannot read the list of devices: %s", path, strerror(errno));
	else if (!rc && list->count + list->absent == before)
		rc = blkpr_error_fail(error, -ENODEV, "@%s: names no device", path);
	free(line);
	fclose(file);
	return rc;
}

int blkpr_list_add(struct blkpr_list *list, const char *spec, struct blkpr_error *error)
{
	char *copy = strdup(spec), *rest = NULL;
	int rc = 0;

	if (!copy)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	for (char *name = strtok_r(copy, SEPARATORS, &rest); name && !rc; name = strtok_r(NULL, SEPARATORS, &rest)) {
		if (name[0] == '@')
			rc = add_file(list, name + 1, error);
		else if (strpbrk(name, "*?["))
			rc = add_glob(list, name, error);
		else
			rc = add_device(list, name, error);
	}
	free(copy);
	return rc;
}

static int compare(const void *a, const void *b)
{
	const struct blkpr_device *left = a, *right = b;
	int order = strcmp(left->wwid, right->wwid);

	return order ? order : (left->number > right->number) - (left->number < right->number);
}

void blkpr_list_settle(struct blkpr_list *list)
{
	unsigned kept = 0;

	if (!list->count)
		return;
	qsort(list->devices, list->count, sizeof(*list->devices), compare);
	for (unsigned i = 1; i < list->count; i++) {
		if (compare(&list->devices[kept], &list->devices[i]))
			list->devices[++kept] = list->devices[i];
		else
			blkpr_device_clear(&list->devices[i]);
	}
	list->count = kept + 1;
}

void blkpr_list_clear(struct blkpr_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		blkpr_device_clear(&list->devices[i]);
	free(list->devices);
	*list = (struct blkpr_list){ 0 };
}
