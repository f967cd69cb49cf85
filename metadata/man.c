// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/man.h"

#include <errno.h>
#include <string.h>

#include "metadata/die.h"

/* As roff text: '-' is the ASCII one, to be copied with options and paths; paragraphs are .PP. */
static void write_roff(FILE *out, const char *text)
{
	bool line_start = true;

	for (; *text; text++) {
		if (line_start && strchr(".'", *text))
			fputs("\\&", out);
		line_start = *text == '\n';
		if (text[0] == '\n' && text[1] == '\n') {
			fputs("\n.PP\n", out);
			text++;
		} else if (*text == '-') {
			fputs("\\-", out);
		} else if (*text == '\\') {
			fputs("\\e", out);
		} else {
			fputc(*text, out);
		}
	}
}

static void write_actions(FILE *out, const struct agent *agent)
{
	for (size_t i = 0; i < agent->n_actions; i++) {
		if (model_is_repeated(agent, i))
			continue;
		fputs(".TP\n\\fB", out);
		write_roff(out, agent->actions[i].name);
		fputs("\\fR\n", out);
		write_roff(out, agent->actions[i].text);
		fputc('\n', out);
	}
}

static void write_option(FILE *out, const struct param *param)
{
	fputs(" (", out);
	if (param->short_name)
		fprintf(out, "\\fB\\-%c\\fR, ", param->short_name);
	fputs("\\fB\\-\\-", out);
	write_roff(out, param->long_name);
	fputs("\\fR", out);
	if (param->value) {
		fputs("=\\fI", out);
		write_roff(out, param_value_name(param));
		fputs("\\fR", out);
	}
	fputc(')', out);
}

static void write_params(FILE *out, const struct agent *agent, bool deprecated)
{
	for (size_t i = 0; i < agent->n_params; i++) {
		const struct param *param = &agent->params[i];

		if (param->deprecated != deprecated || param_is_same_as_successor(param))
			continue;
		fputs(".TP\n\\fB", out);
		write_roff(out, param->name);
		fputs("\\fR", out);
		if (!agent->resource && !param_shares_option(param))
			write_option(out, param);
		fputc('\n', out);
		write_roff(out, param_description(param));
		fputc('\n', out);
	}
}

/* Returns false if the line is no marker. */
static bool write_marker(FILE *out, const struct agent *agent, const char *line)
{
	if (!strcmp(line, "@LONGDESC@\n")) {
		write_roff(out, agent->longdesc);
		fputc('\n', out);
	} else if (!strcmp(line, "@ACTIONS@\n")) {
		write_actions(out, agent);
	} else if (!strcmp(line, "@PARAMETERS@\n")) {
		write_params(out, agent, false);
		if (agent->resource || agent->daemon)
			return true;
		fputs(".SS Accepted for compatibility\n", out);
		write_params(out, agent, true);
	} else {
		return false;
	}
	return true;
}

void man_write(FILE *out, const struct agent *agent, const char *template)
{
	FILE *in = fopen(template, "r");
	char *line = NULL;
	size_t size = 0;
	int markers = 0;

	if (!in)
		die(template, NULL, "%s", strerror(errno));
	while (getline(&line, &size, in) > 0) {
		if (write_marker(out, agent, line))
			markers++;
		else
			fputs(line, out);
	}
	if (ferror(in))
		die(template, NULL, "%s", strerror(errno));
	if (markers != (agent->daemon ? 2 : 3))
		die(template, NULL,
			"needs @LONGDESC@, @ACTIONS@ (not of a daemon) and @PARAMETERS@, each on "
			"a line of its own");
	fclose(in);
}
