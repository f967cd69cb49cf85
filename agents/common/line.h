/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line on stderr, where the fencer looks for words that tell it what has gone wrong. */
#pragma once

#include <stdio.h>

/*
 * Writes "NAME: TEXT", at once. The fencer takes "timeout" and "timed out", in any letters, for a
 * limit of its own that has passed (Pacemaker: lib/fencing/st_actions.c, stonith__result2rc),
 * though it may be a parameter's name, or another program's message: they get a hyphen,
 * "power_time-out".
 */
void line_write(FILE *out, const char *name, const char *text);
