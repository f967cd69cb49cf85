// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/param.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "metadata/die.h"

static const struct {
	const char *xml;
	const char *c;
} types[] = {
	{ "string", "OPTION_STRING" },
	{ "boolean", "OPTION_BOOLEAN" },
	{ "integer", "OPTION_INTEGER" },
	{ "second", "OPTION_SECOND" },
	{ "select", "OPTION_SELECT" },
};

const char *param_option_type(const struct param *param)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i].xml, param->type))
			return types[i].c;
	return NULL;
}

bool param_is_select(const struct param *param)
{
	return !strcmp(param->type, "select");
}

bool param_is_number(const struct param *param)
{
	return !strcmp(param->type, "integer") || !strcmp(param->type, "second");
}

bool param_has_choice(const struct param *param, const char *value)
{
	for (char **choice = param->choices; *choice; choice++)
		if (!strcmp(*choice, value))
			return true;
	return false;
}

bool param_is_same_as_successor(const struct param *param)
{
	return param->successor && !strcmp(param->successor->id, param->id);
}

bool param_shares_option(const struct param *param)
{
	return param->successor && !strcmp(param->successor->long_name, param->long_name);
}

char *param_value_name(const struct param *param)
{
	char *name = must(strdup(param->value));

	if (!strpbrk(name, "|/"))
		for (char *c = name; *c; c++)
			*c = (char)toupper((unsigned char)*c);
	return name;
}

char *param_description(const struct param *param)
{
	const char *separator = " One of ";
	char *text = NULL;
	size_t size = 0;
	FILE *out = must(open_memstream(&text, &size));

	fputs(param->text, out);
	if (param_is_select(param) && (!param->value || !strchr(param->value, '|'))) {
		for (char **choice = param->choices; *choice; choice++, separator = ", ")
			fprintf(out, "%s%s", separator, *choice);
		fputc('.', out);
	}
	if (param->fallback && !param->deprecated)
		fprintf(out, " Default: %s", param->fallback);
	if (fclose(out))
		must(NULL);
	return text;
}
