/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parameters of an agent: their table (generated from metadata/), and their values from stdin or
 * the command line.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

enum option_type { OPTION_STRING, OPTION_BOOLEAN, OPTION_INTEGER, OPTION_SECOND, OPTION_SELECT };

/*
 * One parameter, as metadata/NAME.xml has it. The generator writes arrays of these, closed by one
 * with a NULL name.
 */
struct option_spec {
	const char *name;           /* on stdin, with '_' for every '-': "key_value" */
	const char *long_name;      /* on the command line, without the dashes: "key-value" */
	char short_name;            /* 0: none */
	enum option_type type;
	bool takes_value;           /* on the command line; a boolean without takes none */
	const char *fallback;       /* default, NULL: none */
	/* the parameter that this old name stands for ("port" -> "plug"), NULL: itself */
	const char *replaced_by;
	const char *const *choices; /* OPTION_SELECT: the values, closed by NULL */
};

#include "lib/error.h"

struct option_value;

/* The values given to one run of an agent. */
struct options {
	const struct option_spec *specs; /* borrowed */
	struct option_value *values;     /* one a spec */
	unsigned given;                  /* counts what was given, to tell which came last */
};

/* 0 or -ENOMEM. */
int options_init(struct options *options, const struct option_spec *specs);
void options_clear(struct options *options);

/*
 * GNU options; 0, or -EINVAL with text for an unknown option, a missing value or a stray argument.
 */
int options_parse_argv(struct options *options, int argc, char *argv[], struct blkpr_error *error);

/*
 * Lines "name=value" as the fencer sends them: blank lines and '#' comments are passed over, quotes
 * around a value removed, '-' and '_' are alike, the last one wins. UNKNOWN is called with every
 * name that is not a parameter (FenceAgentAPI: warn and go on). 0, -ENOMEM, -EIO, or -EINVAL for a
 * NUL byte.
 */
int options_parse_stream(struct options *options, FILE *stream, void (*unknown)(const char *name));

/*
 * Takes NAME of every parameter from the environment variable PREFIX followed by NAME. 0 or
 * -ENOMEM.
 */
int options_parse_environment(struct options *options, const char *prefix);

/* Checks every value given against its type and choices: 0, or -EINVAL with text. */
int options_check(const struct options *options, struct blkpr_error *error);

/* The value given last for NAME or an old name of it, else the default; NULL if empty or none. */
const char *options_get(const struct options *options, const char *name);

/* The value given for exactly NAME, no default and no old name; NULL if empty or none. */
const char *options_given(const struct options *options, const char *name);

bool options_flag(const struct options *options, const char *name);

/* How often NAME was given (-vvv). */
unsigned options_count(const struct options *options, const char *name);

/*
 * A whole number that options_check() has passed; OTHERWISE if there is neither value nor default.
 */
long options_number(const struct options *options, const char *name, long otherwise);

/* The same, or LEAST; -ERANGE with text if it is not LEAST to MOST. */
int options_take_number(const struct options *options, const char *name, long least, long most,
	long *value, struct blkpr_error *error);

/* The position of the value of NAME among its choices; 0 if there is none. */
unsigned options_choice(const struct options *options, const char *name);
