/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks that this node has registered on, and that nobody has taken away on purpose (S9): the
 * set under /var/lib, which survives reboots, and the records of this boot under /run. Nothing
 * here is proof; it only makes actions stricter.
 */
#pragma once

#include "agents/common/disk_set.h"

/*
 * Reads both; what an older version has left under RUN is converted first. The paths are borrowed.
 * 0, or -errno with text. coverage_clear() in any case. Once a boot the set is copied to RUN, so
 * that a fencing reads no local disk; the first time it waits for one a part of the time at most.
 */
int coverage_load(struct coverage *coverage, const char *run, const char *state, int64_t deadline,
	struct blkpr_error *error);
void coverage_clear(struct coverage *coverage);

/*
 * The disk with that identity, NULL: not known. Its name is NULL if it is not covered, only its
 * key is recorded.
 */
const struct registration *coverage_find(const struct coverage *coverage, const char *wwid);

/* Whether NAME, a name or a glob, means a disk of the set by the name that it had last. */
bool coverage_means(const struct registration *disk, const char *name);
bool coverage_knows(const struct coverage *coverage, const char *name);

/* Changes the set durably, what others have changed meanwhile included. 0, or -errno with text. */
int coverage_update(struct coverage *coverage, const struct coverage_change changes[],
	unsigned count, struct blkpr_error *error);

/* Records of this boot, COUNT of them, each of a disk of the set. 0, or -errno with text. */
int coverage_record(struct coverage *coverage, const struct registration registrations[],
	unsigned count, struct blkpr_error *error);

/* For former.c. */

/* The set and the records; *OLD: an older version has left something. */
int coverage_read_all(struct coverage *coverage, bool *old, struct blkpr_error *error);
/* All disks that COVERAGE has, to those that others have added meanwhile. */
int coverage_add_all(struct coverage *coverage, struct blkpr_error *error);

/* Whether a file under /run is one of those that an older version has left. */
bool coverage_is_former_list(const char *name);
