// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/help.h"

#include <string.h>

#include "metadata/die.h"

enum {
	WIDTH = 79,
	ACTION_COLUMN = 16,
	OPTION_COLUMN = 30,
	COMPAT_COLUMN = 28,
};

static const char on_environment[] =
	"An OCF resource agent. Pacemaker passes each parameter NAME in the environment, as "
	"OCF_RESKEY_NAME.";
static const char on_stdin[] =
	"Without arguments, parameters are read from standard input as lines name=value. There, "
	"and in the cluster's configuration, a parameter is called like its long option, with _ "
	"for -.";

/* Words from COLUMN on, continued at INDENT; ends the line. */
static void write_wrapped(FILE *out, const char *text, int column, int indent)
{
	bool first = true;

	while (*(text += strspn(text, " \n"))) {
		int length = (int)strcspn(text, " \n");

		if (!first && column + 1 + length > WIDTH) {
			column = fprintf(out, "\n%*s", indent, "") - 1;
			first = true;
		}
		column += fprintf(out, "%s%.*s", first ? "" : " ", length, text);
		first = false;
		text += length;
	}
	fputc('\n', out);
}

/* LEFT, then TEXT in the second column, on the next line if LEFT reaches into it. */
static void write_row(FILE *out, const char *left, const char *text, int indent)
{
	int column = fprintf(out, "%s", left);

	if (column + 2 > indent) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", indent - column, "");
	write_wrapped(out, text, indent, indent);
}

static void write_option(FILE *out, const struct agent *agent, const struct param *param)
{
	const char *name = param->long_name;
	char left[256];
	int length;

	if (agent->resource)
		length = snprintf(left, sizeof(left), "  %s", param->name);
	else if (param->short_name)
		length = snprintf(left, sizeof(left), "  -%c, --%s", param->short_name, name);
	else
		length = snprintf(left, sizeof(left), "      --%s", name);
	if (length < (int)sizeof(left) && param->value)
		length += snprintf(left + length, sizeof(left) - (size_t)length, "=%s",
			param_value_name(param));
	if (length > WIDTH)
		die(agent->file, param->name, "option too long for the help text");
	write_row(out, left, param_description(param), OPTION_COLUMN);
}

/* One line: the option and the first sentence. */
static void write_compat(FILE *out, const struct agent *agent, const struct param *param)
{
	const char *end = strstr(param->text, ". ");
	int length = end ? (int)(end - param->text) + 1 : (int)strlen(param->text);
	int column = fprintf(out, "  --%s", param->long_name);

	if (column + 1 > COMPAT_COLUMN || COMPAT_COLUMN + length > WIDTH)
		die(agent->file, param->name,
			"first sentence too long for one line of the help text");
	fprintf(out, "%*s%.*s\n", COMPAT_COLUMN - column, "", length, param->text);
}

static void write_actions(FILE *out, const struct agent *agent)
{
	char left[64];

	fputs("\nActions:\n", out);
	for (size_t i = 0; i < agent->n_actions; i++) {
		if (model_is_repeated(agent, i))
			continue;
		snprintf(left, sizeof(left), "  %s", agent->actions[i].name);
		write_row(out, left, agent->actions[i].text, ACTION_COLUMN);
	}
}

static void write_resource(FILE *out, const struct agent *agent)
{
	fprintf(out, "Usage: %s ACTION\n%s.\n\n", agent->name, agent->shortdesc);
	write_wrapped(out, on_environment, 0, 0);
	fputs("\nParameters:\n", out);
	for (size_t i = 0; i < agent->n_params; i++)
		write_option(out, agent, &agent->params[i]);
	write_actions(out, agent);
}

static void write_fence(FILE *out, const struct agent *agent)
{
	fprintf(out, "Usage: %s -o ACTION [OPTION]...\n", agent->name);
	fprintf(out, "  or:  %s < PARAMETERS\n%s.\n\n", agent->name, agent->shortdesc);
	write_wrapped(out, on_stdin, 0, 0);
	fputs("\nOptions:\n", out);
	for (size_t i = 0; i < agent->n_params; i++)
		if (!agent->params[i].deprecated)
			write_option(out, agent, &agent->params[i]);
	write_actions(out, agent);
	fputs("\nExit status: 0 done, or status ON; 2 status OFF; 1 anything else.\n", out);
	fputs("\nAccepted for compatibility:\n", out);
	for (size_t i = 0; i < agent->n_params; i++)
		if (agent->params[i].deprecated && !param_shares_option(&agent->params[i]))
			write_compat(out, agent, &agent->params[i]);
}

static void write_daemon(FILE *out, const struct agent *agent)
{
	fprintf(out, "Usage: %s [OPTION]...\n%s.\n\nOptions:\n", agent->name, agent->shortdesc);
	for (size_t i = 0; i < agent->n_params; i++)
		write_option(out, agent, &agent->params[i]);
}

void help_write(FILE *out, const struct agent *agent)
{
	if (agent->daemon)
		write_daemon(out, agent);
	else if (agent->resource)
		write_resource(out, agent);
	else
		write_fence(out, agent);
}
