/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that may take this node's own registration away, or exchange it: blkpr-watch must not
 * take that for an eviction, not even if one is killed half-way.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

/*
 * Before the first disk is touched. From here on a command is at work until this process has ended,
 * with what it has left behind in the kernel. RUN is the directory of records. 0, or -errno with
 * text.
 */
int at_work_begin(const char *run, struct blkpr_error *error);

/* How many have been begun since this node was started, and whether one is at work. What cannot be
 * told is BUSY. */
void at_work_look(const char *run, uint64_t *commands, bool *busy);
