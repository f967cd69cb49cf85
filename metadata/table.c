// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/table.h"

#include <string.h>

#include "metadata/die.h"
#include "metadata/help.h"

enum { LITERAL_WIDTH = 88 };

/* text[0] inside a literal; returns its width. Octal: a hex escape swallows digits behind it. */
static int write_character(FILE *out, const char *text)
{
	unsigned char c = (unsigned char)text[0];

	if (c == '\n')
		return fprintf(out, "\\n");
	/* "??" may begin a trigraph, but only with its second mark in sight. */
	if (c == '"' || c == '\\' || (c == '?' && text[1] == '?'))
		return fprintf(out, "\\%c", c);
	if (c < ' ' || c > '~')
		return fprintf(out, "\\%03o", (unsigned int)c);
	return fprintf(out, "%c", c);
}

/* Quoted, on lines of its own, split after newlines and at the first space past LITERAL_WIDTH. */
static void write_lines(FILE *out, const char *text)
{
	int column = 0;

	for (; *text; text++) {
		if (!column)
			column = 8 + fprintf(out, "\t\"");
		column += write_character(out, text);
		if (text[1] && *text != '\n' && (*text != ' ' || column < LITERAL_WIDTH))
			continue;
		fputs(text[1] ? "\"\n" : "\"", out);
		column = 0;
	}
}

static void write_quoted(FILE *out, const char *field, const char *text)
{
	if (!text)
		return;
	fprintf(out, ", .%s = \"", field);
	for (; *text; text++)
		write_character(out, text);
	fputc('"', out);
}

static void write_choices(FILE *out, const struct param *param)
{
	if (!param->choices)
		return;
	fputs(",\n\t  .choices = (const char *const[]){", out);
	for (char **choice = param->choices; *choice; choice++)
		fprintf(out, "\n\t\t\"%s\",", *choice);
	fputs("\n\t\tNULL }", out);
}

static void write_spec(FILE *out, const struct param *param)
{
	fprintf(out, "\t{ .name = \"%s\"", param->id);
	write_quoted(out, "long_name", param->long_name);
	if (param->short_name)
		fprintf(out, ", .short_name = '%c'", param->short_name);
	fprintf(out, ",\n\t  .type = %s", param_option_type(param));
	if (param->value)
		fputs(", .takes_value = true", out);
	write_quoted(out, "fallback", param->fallback);
	if (param->successor)
		write_quoted(out, "replaced_by", param->successor->id);
	write_choices(out, param);
	fputs(" },\n", out);
}

static void write_options(FILE *out, const struct agent *agent)
{
	fprintf(out, "static const struct option_spec %s_options[] = {\n", agent->id);
	for (size_t i = 0; i < agent->n_params; i++)
		if (!param_is_same_as_successor(&agent->params[i]))
			write_spec(out, &agent->params[i]);
	fputs("\t{ .name = NULL },\n};\n", out);
}

static void write_metadata(FILE *out, const struct agent *agent)
{
	static const char start[] = "<?xml version=\"1.0\"?>";

	if (strncmp(agent->metadata, start, strlen(start)))
		die(agent->file, NULL, "must start with %s, without an encoding", start);
	fprintf(out, "static const char %s_metadata[] =\n", agent->id);
	write_lines(out, agent->metadata);
	fputs(";\n", out);
}

static void write_help(FILE *out, const struct agent *agent)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = must(open_memstream(&text, &size));

	help_write(memory, agent);
	if (fclose(memory))
		must(NULL);
	fprintf(out, "static const char %s_help[] =\n", agent->id);
	write_lines(out, text);
	fputs(";\n", out);
}

void table_write(FILE *out, const struct agent *agent)
{
	fputs("/* SPDX-License-Identifier: GPL-2.0-or-later */\n", out);
	fprintf(out,
		"/* Parameters, metadata output and help text of %s: generated, do not edit. */\n",
		agent->name);
	fprintf(out, "#ifndef BLKPR_METADATA_%s_H\n", agent->id);
	fprintf(out, "#define BLKPR_METADATA_%s_H\n\n", agent->id);
	fputs("#include \"agents/common/options.h\"\n\n", out);
	write_options(out, agent);
	fputc('\n', out);
	if (!agent->daemon)
		write_metadata(out, agent);
	fputc('\n', out);
	write_help(out, agent);
	fputs("\n#endif\n", out);
}
