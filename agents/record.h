/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `on` did: the explicit key of a disk, the disks of a list; files under /run, gone with the next boot. */
#ifndef BLKPR_RECORD_H
#define BLKPR_RECORD_H

#include <stdint.h>

#include "lib/list.h"

/* 0; -ENOENT: no record; else -errno with text: not readable, not root's alone, or no key in it. */
int record_load(const char *wwid, uint64_t *key, struct blkpr_error *error);

/* Replaces the record atomically. 0, or -errno with text. */
int record_store(const char *wwid, uint64_t key, struct blkpr_error *error);

/* 0 if there is no record any more, or -errno with text. */
int record_remove(const char *wwid, struct blkpr_error *error);

/*
 * The set of disks that `on` registered for the devices parameter SPEC, so that a disk which a glob, a file
 * or LVM no longer names is missed. 0, or -errno with text.
 */
int record_list_store(const char *spec, const struct blkpr_list *list, struct blkpr_error *error);

/* *MISSING: those that are not in LIST now, "NAME (WWID)" and a newline each, for the caller to free; NULL: none. */
int record_list_compare(
	const char *spec, const struct blkpr_list *list, char **missing, struct blkpr_error *error);

#endif
