/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading sysfs. */
#pragma once

#include <stddef.h>

/*
 * The content of DIR/FILE without the newline and blanks around it; NULL if it cannot be read or is
 * empty.
 */
char *blkpr_sysfs_read(const char *dir, const char *file, char *text, size_t size);

/* The last component of where the link DIR/LINK points: a subsystem's name, a kernel name. */
const char *blkpr_sysfs_link(const char *dir, const char *link, char *target, size_t size);

/*
 * Calls VISIT for every entry of the directory DIR/SUB until it returns non-zero, which is
 * returned; 0 if none does or there is no such directory.
 */
int blkpr_sysfs_visit(const char *dir, const char *sub,
	int (*visit)(const char *path, const char *entry, void *arg), void *arg);
