/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which explicit key this node registered on a disk: a file a disk under /run, gone with the next boot. */
#ifndef BLKPR_RECORD_H
#define BLKPR_RECORD_H

#include <stdint.h>

#include "lib/error.h"

/* 0; -ENOENT: no record; else -errno with text: not readable, not root's alone, or no key in it. */
int record_load(const char *wwid, uint64_t *key, struct blkpr_error *error);

/* Replaces the record atomically. 0, or -errno with text. */
int record_store(const char *wwid, uint64_t key, struct blkpr_error *error);

/* 0 if there is no record any more, or -errno with text. */
int record_remove(const char *wwid, struct blkpr_error *error);

#endif
