/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of a run, in words. */
#pragma once

#include "agents/fence/fencing.h"

/* Says why; the action has failed. */
enum outcome report_refuse(const struct blkpr_error *error);

/*
 * Tells what came of a run of a protocol, and whether it was all right. RC: what the run returned;
 * ARBITER: the index of the disk that decided, the number of disks for none.
 */
bool report_run(struct fencing *fencing, int rc, unsigned arbiter);

/* The same of a run that needs no comparison of twins. */
void report_tell(const struct fencing *fencing, unsigned arbiter);

/* What is wrong with disk I, for the caller to free; NULL: no memory. */
char *report_text(const struct fencing *fencing, unsigned i);
