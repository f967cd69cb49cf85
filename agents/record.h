/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this node did to its disks: the explicit key that `on` registered, the disks of a list, what a resource holds.
 * Files under /run, gone with the next boot.
 */
#ifndef BLKPR_RECORD_H
#define BLKPR_RECORD_H

#include <stdint.h>

#include "lib/fence.h"
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
int record_list_store(const char *spec, const struct blkpr_target targets[], unsigned count,
	struct blkpr_error *error);

/* Whether `on` registered this node on the disk WWID since the node was started, and with which *KEY. */
bool record_list_has(const char *wwid, uint64_t *key);

/* That `on` has just registered this node. 0, or -errno with text. */
int record_unfenced_store(struct blkpr_error *error);

/* Seconds since then; -1: it has not since the node was started. */
long record_unfenced_age(void);

/* *MISSING: those that are not in LIST now, "NAME (WWID)" and a newline each, for the caller to free; NULL: none. */
int record_list_compare(
	const char *spec, const struct blkpr_list *list, char **missing, struct blkpr_error *error);

/* What the resource INSTANCE holds, as text. As record_load(); the caller frees *TEXT. */
int record_resource_load(const char *instance, char **text, struct blkpr_error *error);
int record_resource_store(const char *instance, const char *text, struct blkpr_error *error);
int record_resource_remove(const char *instance, struct blkpr_error *error);

#endif
