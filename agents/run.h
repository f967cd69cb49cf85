/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking another program: its output, within a deadline. */
#ifndef BLKPR_RUN_H
#define BLKPR_RUN_H

#include <stdint.h>

#include "lib/error.h"

/*
 * Runs ARGV (looked up in PATH, no shell, stdin empty, LC_ALL=C) and returns what it wrote to stdout in
 * *OUTPUT, for the caller to free. 0; -errno with text if it cannot be run, fails (-ECHILD, with the last
 * line of its stderr) or has not ended by DEADLINE (-ETIME; it is killed).
 */
int run_program(const char *const argv[], int64_t deadline, char **output, struct blkpr_error *error);

#endif
