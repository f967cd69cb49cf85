/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of disks in memory, and as text: what coverage.c and former.c work with. */
#pragma once

#include "agents/common/registration.h"

struct coverage {
	struct store run;
	const char *state;          /* the directory of the set */
	/* blkpr_clock_ms(): a local disk that hangs is waited for no longer */
	int64_t deadline;
	struct registration *disks; /* a key of 0: not registered since this node was started */
	unsigned count;
	struct blkpr_error doubt; /* "": none; else why disks of earlier boots may be missing */
};

/* One disk that comes into the set, or (NAME is NULL) leaves it with its record. */
struct coverage_change {
	const char *wwid, *name;
};

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
