// SPDX-License-Identifier: GPL-2.0-or-later
// Parameters from stdin or the command line, by the generated table.
#include "agents/common/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct option_value {
	char *text;
	unsigned order; /* 0: not given */
	unsigned count;
};

#define LONG_ONLY 256 /* getopt_long() values of options without a short name */

static unsigned spec_count(const struct option_spec *specs)
{
	unsigned n = 0;

	while (specs[n].name)
		n++;
	return n;
}

int options_init(struct options *options, const struct option_spec *specs)
{
	options->specs = specs;
	options->given = 0;
	options->values = calloc(spec_count(specs) + 1, sizeof(*options->values));
	return options->values ? 0 : -ENOMEM;
}

void options_clear(struct options *options)
{
	for (unsigned i = 0; options->values && options->specs[i].name; i++)
		free(options->values[i].text);
	free(options->values);
	options->values = NULL;
}

static int give(struct options *options, unsigned i, const char *text)
{
	struct option_value *value = &options->values[i];
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(value->text);
	value->text = copy;
	value->order = ++options->given;
	value->count++;
	return 0;
}

/* --- command line ----------------------------------------------------------------------------- */

/* An old name shares the long option of the new one, which comes first in the table. */
static bool option_seen(const struct option_spec *specs, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (!strcmp(specs[j].long_name, specs[i].long_name))
			return true;
	return false;
}

static void prepare_getopt(const struct option_spec *specs, char *letters, struct option *longs)
{
	*letters++ = ':'; /* tell a missing value from an unknown option */
	for (unsigned i = 0; specs[i].name; i++) {
		if (option_seen(specs, i))
			continue;
		*longs++ = (struct option){
			.name = specs[i].long_name,
			.has_arg = specs[i].takes_value ? required_argument : optional_argument,
			.val = LONG_ONLY + (int)i,
		};
		if (specs[i].short_name) {
			*letters++ = specs[i].short_name;
			if (specs[i].takes_value)
				*letters++ = ':';
		}
	}
	*letters = '\0';
	*longs = (struct option){ 0 };
}

static unsigned index_of_short(const struct option_spec *specs, int letter)
{
	unsigned i = 0;

	while (specs[i].name && specs[i].short_name != letter)
		i++;
	return i;
}

static int refuse(int found, char *const argv[], struct blkpr_error *error)
{
	const char *word = argv[optind - 1];

	if (found == ':')
		blkpr_error_set(error, "option %s needs a value; see --help", word);
	else if (optopt && optopt < LONG_ONLY)
		blkpr_error_set(error, "unknown option -%c; see --help", optopt);
	else
		blkpr_error_set(error, "unknown or ambiguous option %s; see --help", word);
	return -EINVAL;
}

int options_parse_argv(struct options *options, int argc, char *argv[], struct blkpr_error *error)
{
	unsigned n = spec_count(options->specs);
	char *letters = malloc(2 * n + 2);
	struct option *longs = calloc(n + 1, sizeof(*longs));
	int rc = letters && longs ? 0 : -ENOMEM, found;

	if (!rc)
		prepare_getopt(options->specs, letters, longs);
	opterr = 0;
	while (!rc && (found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (found == '?' || found == ':')
			rc = refuse(found, argv, error);
		else
			rc = give(options,
				found >= LONG_ONLY ? (unsigned)found - LONG_ONLY
						   : index_of_short(options->specs, found),
				optarg ? optarg : "1");
	}
	if (!rc && optind < argc) {
		blkpr_error_set(error, "stray argument '%s'; see --help", argv[optind]);
		rc = -EINVAL;
	} else if (rc == -ENOMEM) {
		blkpr_error_set(error, "out of memory");
	}
	free(letters);
	free(longs);
	return rc;
}

/* --- stdin ------------------------------------------------------------------------------------ */

static char *trim(char *text)
{
	size_t length;

	while (isspace((unsigned char)*text))
		text++;
	length = strlen(text);
	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	return text;
}

static char *unquote(char *text)
{
	size_t length = strlen(text);

	if (length < 2 || (*text != '"' && *text != '\'') || text[length - 1] != *text)
		return text;
	text[length - 1] = '\0';
	return text + 1;
}

static bool same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	return *a == *b;
}

/* A parameter may also be called by its long option ("sg_persist-path"). */
static unsigned index_of_name(const struct option_spec *specs, const char *name)
{
	unsigned i = 0;

	while (specs[i].name && !same_name(specs[i].name, name))
		i++;
	if (specs[i].name)
		return i;
	for (i = 0; specs[i].name && !same_name(specs[i].long_name, name);)
		i++;
	return i;
}

static int parse_line(struct options *options, char *line, void (*unknown)(const char *name))
{
	char *equals = strchr(line, '='), *name, *value;
	unsigned i;

	if (equals)
		*equals = '\0';
	name = trim(line);
	value = equals ? unquote(trim(equals + 1)) : "";
	if (!*name && !equals)
		return 0;
	i = index_of_name(options->specs, name);
	if (options->specs[i].name)
		return give(options, i, value);
	unknown(name);
	return 0;
}

int options_parse_stream(struct options *options, FILE *stream, void (*unknown)(const char *name))
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	int rc = 0;

	while (!rc && (length = getline(&line, &size, stream)) >= 0) {
		/* a NUL byte would cut a value short */
		bool whole = strlen(line) == (size_t)length;
		char *text = trim(line);

		if (!whole)
			rc = -EINVAL;
		else if (*text != '#')
			rc = parse_line(options, text, unknown);
	}
	if (!rc && ferror(stream))
		rc = -EIO;
	free(line);
	return rc;
}

/* --- environment ------------------------------------------------------------------------------ */

int options_parse_environment(struct options *options, const char *prefix)
{
	char *name;
	int rc = 0;

	for (unsigned i = 0; options->specs[i].name && !rc; i++) {
		const char *value;

		if (asprintf(&name, "%s%s", prefix, options->specs[i].name) < 0)
			return -ENOMEM;
		value = getenv(name);
		if (value)
			rc = give(options, i, value);
		free(name);
	}
	return rc;
}

/* --- values ----------------------------------------------------------------------------------- */

/* 1: yes, 0: no, -1: neither. */
static int truth(const char *text)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true", "0", "1" };

	for (int i = 0; i < 8; i++)
		if (!strcasecmp(text, words[i]))
			return i & 1;
	return -1;
}

static bool is_number(const char *text)
{
	return *text && strlen(text) <= 9 && text[strspn(text, "0123456789")] == '\0';
}

static int choice_of(const struct option_spec *spec, const char *text)
{
	for (int i = 0; spec->choices[i]; i++)
		if (!strcasecmp(spec->choices[i], text))
			return i;
	return -1;
}

static int refuse_choice(
	const struct option_spec *spec, const char *text, struct blkpr_error *error)
{
	size_t used;

	blkpr_error_set(error, "%s=%.100s: not one of", spec->name, text);
	for (int i = 0; spec->choices[i]; i++) {
		used = strlen(error->text);
		snprintf(error->text + used, sizeof(error->text) - used, "%s %s", i ? "," : "",
			spec->choices[i]);
	}
	return -EINVAL;
}

static int check_value(const struct option_spec *spec, const char *text, struct blkpr_error *error)
{
	switch (spec->type) {
	case OPTION_BOOLEAN:
		if (truth(text) >= 0)
			return 0;
		return blkpr_error_fail(error, -EINVAL,
			"%s=%.100s: neither yes nor no (1, yes, on, true or 0, no, off, false)",
			spec->name, text);
	case OPTION_INTEGER:
	case OPTION_SECOND:
		if (is_number(text))
			return 0;
		return blkpr_error_fail(error, -EINVAL, "%s=%.100s: not a whole number%s",
			spec->name, text, spec->type == OPTION_SECOND ? " of seconds" : "");
	case OPTION_SELECT:
		return choice_of(spec, text) >= 0 ? 0 : refuse_choice(spec, text, error);
	default:
		return 0;
	}
}

int options_check(const struct options *options, struct blkpr_error *error)
{
	for (unsigned i = 0; options->specs[i].name; i++) {
		const char *text = options->values[i].text;
		int rc = text && *text ? check_value(&options->specs[i], text, error) : 0;

		if (rc)
			return rc;
	}
	return 0;
}

/*
 * The entry of NAME or of an old name of it that was given last; the entry of NAME itself if none
 * was.
 */
static unsigned index_of_last(const struct options *options, const char *name)
{
	unsigned last = index_of_name(options->specs, name);

	for (unsigned i = 0; options->specs[i].name; i++) {
		const char *replaced_by = options->specs[i].replaced_by;

		if (replaced_by && !strcmp(replaced_by, name) &&
			options->values[i].order > options->values[last].order)
			last = i;
	}
	return last;
}

const char *options_get(const struct options *options, const char *name)
{
	unsigned i = index_of_last(options, name);
	const char *text = options->values[i].text;

	if (text && *text)
		return text;
	return options->specs[i].fallback;
}

const char *options_given(const struct options *options, const char *name)
{
	const char *text = options->values[index_of_name(options->specs, name)].text;

	return text && *text ? text : NULL;
}

bool options_flag(const struct options *options, const char *name)
{
	const char *text = options_get(options, name);

	return text && truth(text) == 1;
}

unsigned options_count(const struct options *options, const char *name)
{
	return options->values[index_of_name(options->specs, name)].count;
}

long options_number(const struct options *options, const char *name, long otherwise)
{
	const char *text = options_get(options, name);

	return text ? strtol(text, NULL, 10) : otherwise;
}

int options_take_number(const struct options *options, const char *name, long least, long most,
	long *value, struct blkpr_error *error)
{
	*value = options_number(options, name, least);
	if (*value >= least && *value <= most)
		return 0;
	return blkpr_error_fail(
		error, -ERANGE, "%s=%ld: must be from %ld to %ld", name, *value, least, most);
}

unsigned options_choice(const struct options *options, const char *name)
{
	const char *text = options_get(options, name);
	int choice =
		text ? choice_of(&options->specs[index_of_name(options->specs, name)], text) : 0;

	return choice > 0 ? (unsigned)choice : 0;
}
