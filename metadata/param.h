/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A parameter of an agent, and what the table, the help text and the man page say of it. */
#ifndef BLKPR_METADATA_PARAM_H
#define BLKPR_METADATA_PARAM_H

#include <stdbool.h>

struct param {
	char *name;      /* as in the XML: "suppress-errors" */
	char *id;        /* the same with '_' for '-' */
	char *long_name;
	char *last_long; /* of getopt: an old name has the new parameter's option there */
	char *value;     /* what the option takes, for people: "seconds"; NULL: takes nothing */
	char short_name;
	char *type;      /* as in the XML: "boolean" */
	char **choices;  /* of a select, up to a NULL; else NULL */
	char *fallback;
	char *obsoletes;
	char *text;
	bool deprecated;
	const struct param *successor; /* of an old name, else NULL */
};

/* The C name of its type, as in agents/common/options.h; NULL: there is no such type. */
const char *param_option_type(const struct param *param);

bool param_is_select(const struct param *param);
bool param_is_number(const struct param *param);
bool param_has_choice(const struct param *param, const char *value);

/* "suppress-errors" beside "suppress_errors": the same on standard input and command line. */
bool param_is_same_as_successor(const struct param *param);

/* An old name without an option of its own. */
bool param_shares_option(const struct param *param);

/* "[seconds]" as GNU writes it: SECONDS; a list of values stays as it is. */
char *param_value_name(const struct param *param);

/* Its text; its choices, unless the option's form lists them; its default. */
char *param_description(const struct param *param);

#endif
