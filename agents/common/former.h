/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an older version has left under /run: a list of disks for each devices parameter. */
#ifndef BLKPR_FORMER_H
#define BLKPR_FORMER_H

#include "agents/common/coverage.h"

bool former_is_list(const char *name);

/*
 * Makes records and a set of it, and reads all anew. The old files go last: whoever is killed before has
 * done it in vain, and the next one does it again. 0, or -errno with text.
 */
int former_convert(struct coverage *coverage, struct blkpr_error *error);

#endif
