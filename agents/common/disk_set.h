/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of disks in memory, and as text: what coverage.c and former.c work with. */
#ifndef BLKPR_DISK_SET_H
#define BLKPR_DISK_SET_H

#include "agents/common/coverage.h"

struct registration *disk_set_find(const struct coverage *coverage, const char *wwid);

int disk_set_add(struct coverage *coverage, const char *wwid, const char *name);

int disk_set_rename(struct registration *disk, const char *name);

/* Whether that changes the set; -ENOMEM. */
int disk_set_apply(struct coverage *coverage, const struct coverage_change *change);

/* A line that is none may have been a disk's. */
int disk_set_parse(struct coverage *coverage, char *text);

char *disk_set_format(const struct coverage *coverage);

void disk_set_clear(struct coverage *coverage);

/* -ENOMEM, with text. */
int disk_set_no_memory(struct blkpr_error *error);

/* Of coverage.c: the set and the records; *OLD: an older version has left something. */
int coverage_read_all(struct coverage *coverage, bool *old, struct blkpr_error *error);
/* All disks that COVERAGE has, to those that others have added meanwhile. */
int coverage_add_all(struct coverage *coverage, struct blkpr_error *error);

#endif
