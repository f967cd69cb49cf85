/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking another program: its output, within a deadline. */
#pragma once

#include <stdint.h>

#include "lib/error.h"

/*
 * Of a main(), first: opens what is closed of descriptors 0 to 2, since a device must never become
 * stdout; and a fencer that ignores SIGCHLD would hide how programs ended.
 */
void run_prepare(void);

/*
 * Runs ARGV (looked up in PATH, no shell, stdin empty, LC_ALL=C) and returns what it wrote to
 * stdout in *OUTPUT, for the caller to free. 0; -errno with text if it cannot be run, fails
 * (-ECHILD, with the last line of its stderr) or has not ended by DEADLINE (-ETIME; it is killed).
 */
int run_program(
	const char *const argv[], int64_t deadline, char **output, struct blkpr_error *error);

/*
 * Runs WORK in a process that is left behind if it has not ended by DEADLINE, since it may hang in
 * the kernel with a local disk. WORK writes to OUT, which comes back in *OUTPUT, for the caller to
 * free, and returns 0, or -errno with text, as this does; -ETIME: left behind. It changes nothing
 * in this process, and has no stdio.
 */
int run_aside(int (*work)(const void *context, int out, struct blkpr_error *error),
	const void *context, int64_t deadline, char **output, struct blkpr_error *error);
