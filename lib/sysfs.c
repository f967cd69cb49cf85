// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading sysfs.
#include "lib/sysfs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char *blkpr_sysfs_read(const char *dir, const char *file, char *text, size_t size)
{
	char path[PATH_MAX];
	ssize_t length;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	length = read(fd, text, size - 1);
	close(fd);
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	if (length <= 0)
		return NULL;
	text[length] = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

const char *blkpr_sysfs_link(const char *dir, const char *link, char *target, size_t size)
{
	char path[PATH_MAX];
	const char *slash;
	ssize_t length;

	if (snprintf(path, sizeof(path), "%s/%s", dir, link) >= (int)sizeof(path))
		return NULL;
	length = readlink(path, target, size - 1);
	if (length <= 0)
		return NULL;
	target[length] = '\0';
	slash = strrchr(target, '/');
	return slash ? slash + 1 : target;
}

int blkpr_sysfs_visit(const char *dir, const char *sub,
	int (*visit)(const char *path, const char *entry, void *arg), void *arg)
{
	char path[PATH_MAX], full[PATH_MAX];
	struct dirent *entry;
	int rc = 0;
	DIR *d;

	if (snprintf(path, sizeof(path), "%s/%s", dir, sub) >= (int)sizeof(path))
		return 0;
	d = opendir(path);
	if (!d)
		return 0;
	while (!rc && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(full, sizeof(full), "%s/%s", path, entry->d_name) < (int)sizeof(full))
			rc = visit(full, entry->d_name, arg);
	}
	closedir(d);
	return rc;
}
