/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a resource holds: a file for each under /run, gone with the next boot. */
#pragma once

#include "lib/error.h"

/*
 * What the resource INSTANCE holds, as text, the caller's. 0; -ENOENT: nothing; else -errno with
 * text.
 */
int record_resource_load(const char *instance, char **text, struct blkpr_error *error);
int record_resource_remove(const char *instance, struct blkpr_error *error);

/*
 * Over what is there. With FORMER only over that: if somebody has changed or removed it meanwhile,
 * nothing is done.
 */
int record_resource_store(const char *instance, const char *former, const char *text,
	struct blkpr_error *error);
