/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an agent's messages go: stderr, syslog, files. Messages themselves are written with
 * qb_log().
 */
#pragma once

#include <qb/qblog.h>

#include "lib/error.h"

struct log_options {
	const char *name;
	unsigned verbosity;     /* 0: warnings and errors, 1: the story, 2: everything */
	int quiet;              /* nothing on stderr unless VERBOSITY says so */
	const char *logfile;    /* NULL: none; gets what stderr gets */
	const char *debug_file; /* NULL: none; gets everything */
};

/* 0, or -errno with text if a file cannot be opened; the other targets are open then. */
int log_open(const struct log_options *options, struct blkpr_error *error);
void log_close(void);
