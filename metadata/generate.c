/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Build-time generator: from an agent's metadata XML to its option table, metadata output, help text and man page. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

/* Nothing is freed: the program writes one file and ends. */

enum {
	HELP_WIDTH = 79,
	HELP_COLUMN = 30,
	COMPAT_COLUMN = 28,
	LITERAL_WIDTH = 88,
};

struct param {
	xmlNode *content;
	char *name;              /* as in the XML: "suppress-errors" */
	char *id;                /* the same with '_' for '-' */
	char *long_name;
	char *last_long;         /* of getopt: an old name has the new parameter's option there */
	char *value;             /* what the option takes, for people: "seconds"; NULL: takes nothing */
	char short_name;
	char *type;
	char *fallback;
	char *obsoletes;
	char *text;
	bool deprecated;
	const struct param *successor; /* of an old name, else NULL */
};

struct action {
	char *name;
	char *text;
};

struct agent {
	const char *file;
	xmlDoc *doc;
	char *name;
	char *id;
	bool resource;           /* an OCF resource agent (parameters in the environment), else a fence agent */
	char *shortdesc;
	char *longdesc;
	struct param *params;
	size_t n_params;
	struct action *actions;
	size_t n_actions;
};

static const struct type {
	const char *xml;
	const char *c;
} types[] = {
	{ "string", "OPTION_STRING" },   { "boolean", "OPTION_BOOLEAN" }, { "integer", "OPTION_INTEGER" },
	{ "second", "OPTION_SECOND" },   { "select", "OPTION_SELECT" },   { NULL, NULL },
};

/* --- errors and memory */

/* Exits 1; `where` (NULL: none) names the parameter or action at fault. */
__attribute__((format(printf, 3, 4))) static _Noreturn void die(const char *file, const char *where,
								 const char *format, ...)
{
	va_list args;

	fprintf(stderr, "generate: %s: ", file);
	if (where)
		fprintf(stderr, "%s: ", where);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *must(void *memory)
{
	if (!memory) {
		fputs("generate: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

static char *underscored(const char *name)
{
	char *copy = must(strdup(name));

	for (char *c = copy; *c; c++)
		if (*c == '-')
			*c = '_';
	return copy;
}

/* Joins lines and trims; an empty line, which separates paragraphs, becomes "\n\n". */
static char *fold(const char *text)
{
	char *folded = must(malloc(2 * strlen(text) + 1));
	char *end = folded;

	while (*text) {
		int newlines = 0;
		bool space = isspace((unsigned char)*text);

		for (; isspace((unsigned char)*text); text++)
			newlines += *text == '\n';
		if (*text && space && end != folded)
			end += sprintf(end, "%s", newlines > 1 ? "\n\n" : " ");
		while (*text && !isspace((unsigned char)*text))
			*end++ = *text++;
	}
	*end = '\0';
	return folded;
}

/* --- reading the XML */

static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !strcmp((const char *)node->name, name);
}

static xmlNode *find_child(const xmlNode *parent, const char *name)
{
	for (xmlNode *node = parent->children; node; node = node->next)
		if (is_element(node, name))
			return node;
	return NULL;
}

static xmlNode *need_child(const struct agent *agent, const char *where, const xmlNode *parent,
			   const char *name)
{
	xmlNode *node = find_child(parent, name);

	if (!node)
		die(agent->file, where, "no element <%s>", name);
	return node;
}

static char *get_attribute(const xmlNode *node, const char *name)
{
	return (char *)xmlGetProp((xmlNode *)node, (const xmlChar *)name);
}

static char *need_attribute(const struct agent *agent, const char *where, const xmlNode *node,
			    const char *name)
{
	char *value = get_attribute(node, name);

	if (!value || !*value)
		die(agent->file, where, "<%s> has no attribute \"%s\"", (const char *)node->name, name);
	return value;
}

/* The folded text of a child, which from now on is also what the metadata output has. */
static char *need_text(const struct agent *agent, const char *where, const xmlNode *parent,
		       const char *name)
{
	xmlNode *node = need_child(agent, where, parent, name);
	char *text = fold(must(xmlNodeGetContent(node)));

	if (!*text)
		die(agent->file, where, "<%s> is empty", name);
	xmlNodeSetContent(node, NULL);
	xmlNodeAddContent(node, (const xmlChar *)text);
	return text;
}

/* "-o, --action=[action]": the names, and what stands behind the '='. */
static void read_getopt(const struct agent *agent, struct param *param, const xmlNode *node)
{
	const xmlNode *getopt = need_child(agent, param->name, node, "getopt");
	const char *mixed = need_attribute(agent, param->name, getopt, "mixed");
	const char *option;

	if (mixed[0] == '-' && isalnum((unsigned char)mixed[1]) && (mixed[2] == ',' || !mixed[2]))
		param->short_name = mixed[1];
	for (option = strstr(mixed, "--"); option; option = strstr(option, "--")) {
		size_t length = strcspn(option += 2, "=, ");

		param->last_long = must(strndup(option, length));
		if (param->long_name)
			continue;
		param->long_name = param->last_long;
		if (option[length] != '=')
			continue;
		option += length + 1;
		option += *option == '[';
		param->value = must(strndup(option, strcspn(option, "],")));
	}
	if (!param->long_name || !*param->long_name || !*param->last_long)
		die(agent->file, param->name, "no long option in getopt \"%s\"", mixed);
	if (param->value && !*param->value)
		die(agent->file, param->name, "no value named in getopt \"%s\"", mixed);
}

static bool has_choice(const struct agent *agent, const struct param *param, const char *value)
{
	for (xmlNode *node = param->content->children; node; node = node->next)
		if (is_element(node, "option") &&
		    !strcmp(need_attribute(agent, param->name, node, "value"), value))
			return true;
	return false;
}

static void check_content(const struct agent *agent, const struct param *param)
{
	const struct type *type = types;
	const char *fallback = param->fallback;

	while (type->xml && strcmp(type->xml, param->type))
		type++;
	if (!type->xml)
		die(agent->file, param->name, "bad type \"%s\"", param->type);
	if (!agent->resource && !strcmp(param->type, "boolean") == !!param->value)
		die(agent->file, param->name, "a boolean's option takes no value, any other's does");
	if (!strcmp(param->type, "select") && !find_child(param->content, "option"))
		die(agent->file, param->name, "a select without options");
	if (!fallback)
		return;
	if (!strcmp(param->type, "select") && !has_choice(agent, param, fallback))
		die(agent->file, param->name, "default \"%s\" is none of the options", fallback);
	if ((!strcmp(param->type, "integer") || !strcmp(param->type, "second")) &&
	    (!*fallback || fallback[strspn(fallback, "0123456789")]))
		die(agent->file, param->name, "default \"%s\" is not a number", fallback);
}

static void read_param(const struct agent *agent, struct param *param, const xmlNode *node)
{
	char *deprecated = get_attribute(node, "deprecated");

	param->name = need_attribute(agent, "a parameter", node, "name");
	param->id = underscored(param->name);
	param->deprecated = deprecated && !strcmp(deprecated, "1");
	param->obsoletes = get_attribute(node, "obsoletes");
	if (agent->resource)
		param->long_name = param->last_long = param->id; /* no command line */
	else
		read_getopt(agent, param, node);
	param->content = need_child(agent, param->name, node, "content");
	param->type = need_attribute(agent, param->name, param->content, "type");
	param->fallback = get_attribute(param->content, "default");
	param->text = need_text(agent, param->name, node, "shortdesc");
	if (agent->resource)
		param->text = need_text(agent, param->name, node, "longdesc");
	check_content(agent, param);
}

/* Whether `new` replaces `old`: it says so, or the old one's getopt closes with the new one's option. */
static bool replaces(const struct param *new, const struct param *old)
{
	if (new == old || new->deprecated || !old->deprecated)
		return false;
	if (new->obsoletes && !strcmp(new->obsoletes, old->name))
		return true;
	return !strcmp(new->long_name, old->last_long);
}

static void find_successors(struct agent *agent)
{
	for (size_t i = 0; i < agent->n_params; i++)
		for (size_t j = 0; j < agent->n_params; j++)
			if (replaces(&agent->params[j], &agent->params[i]))
				agent->params[i].successor = &agent->params[j];
}

/* "suppress-errors" beside "suppress_errors": one and the same on standard input and on the command line. */
static bool is_same_as_successor(const struct param *param)
{
	return param->successor && !strcmp(param->successor->id, param->id);
}

/* An old name without an option of its own. */
static bool shares_option(const struct param *param)
{
	return param->successor && !strcmp(param->successor->long_name, param->long_name);
}

static void check_unique(const struct agent *agent, const struct param *a, const struct param *b)
{
	if (!is_same_as_successor(a) && !is_same_as_successor(b) && !strcmp(a->id, b->id))
		die(agent->file, a->name, "parameter given twice");
	if (shares_option(a) || shares_option(b))
		return;
	if (!strcmp(a->long_name, b->long_name))
		die(agent->file, a->name, "--%s is also the option of %s", a->long_name, b->name);
	if (a->short_name && a->short_name == b->short_name)
		die(agent->file, a->name, "-%c is also the option of %s", a->short_name, b->name);
}

static void check_obsoletes(const struct agent *agent, const struct param *param)
{
	for (size_t i = 0; i < agent->n_params; i++)
		if (!strcmp(agent->params[i].name, param->obsoletes) && agent->params[i].successor == param)
			return;
	die(agent->file, param->name, "obsoletes \"%s\", which is not a deprecated parameter", param->obsoletes);
}

static void read_params(struct agent *agent, const xmlNode *parameters)
{
	size_t room = xmlChildElementCount((xmlNode *)parameters);

	agent->params = must(calloc(room + 1, sizeof(*agent->params)));
	for (xmlNode *node = parameters->children; node; node = node->next)
		if (is_element(node, "parameter"))
			read_param(agent, &agent->params[agent->n_params++], node);
	if (!agent->n_params)
		die(agent->file, NULL, "no parameters");
	find_successors(agent);
	for (size_t i = 0; i < agent->n_params; i++) {
		if (agent->params[i].obsoletes)
			check_obsoletes(agent, &agent->params[i]);
		for (size_t j = 0; j < i; j++)
			check_unique(agent, &agent->params[i], &agent->params[j]);
	}
}

/* The schema allows an action no text, so that stands in the comment before it. */
static void read_actions(struct agent *agent, const xmlNode *actions)
{
	size_t room = xmlChildElementCount((xmlNode *)actions);

	agent->actions = must(calloc(room + 1, sizeof(*agent->actions)));
	for (xmlNode *node = actions->children; node; node = node->next) {
		struct action *action = &agent->actions[agent->n_actions];

		if (!is_element(node, "action"))
			continue;
		action->name = need_attribute(agent, "an action", node, "name");
		if (!node->prev || node->prev->type != XML_COMMENT_NODE)
			die(agent->file, action->name, "no comment before the action to say what it does");
		action->text = fold(must(xmlNodeGetContent(node->prev)));
		agent->n_actions++;
	}
}

static void drop_comments(xmlNode *node)
{
	for (xmlNode *next; node; node = next) {
		next = node->next;
		if (node->type == XML_COMMENT_NODE) {
			xmlUnlinkNode(node);
			xmlFreeNode(node);
		} else if (node->type == XML_ELEMENT_NODE) {
			drop_comments(node->children);
		}
	}
}

static void read_agent(struct agent *agent, const char *file)
{
	const xmlNode *root;

	agent->file = file;
	agent->doc = xmlReadFile(file, NULL, XML_PARSE_NOBLANKS | XML_PARSE_NONET);
	if (!agent->doc)
		die(file, NULL, "cannot be read as XML");
	root = xmlDocGetRootElement(agent->doc);
	if (!root || !is_element(root, "resource-agent"))
		die(file, NULL, "the root element is not <resource-agent>");
	agent->name = need_attribute(agent, NULL, root, "name");
	agent->id = underscored(agent->name);
	agent->resource = find_child(root, "version");
	agent->shortdesc = agent->resource ? need_text(agent, NULL, root, "shortdesc")
					   : need_attribute(agent, NULL, root, "shortdesc");
	agent->longdesc = need_text(agent, NULL, root, "longdesc");
	read_params(agent, need_child(agent, NULL, root, "parameters"));
	read_actions(agent, need_child(agent, NULL, root, "actions"));
	drop_comments(agent->doc->children);
}

/* --- C source */

/* text[0] inside a literal; returns its width. Octal, because a hex escape would swallow digits behind it. */
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

/* Quoted, on lines of its own, split after each newline and at the first space past LITERAL_WIDTH. */
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

static void write_choices(FILE *out, const struct agent *agent, const struct param *param)
{
	if (strcmp(param->type, "select"))
		return;
	fputs(",\n\t  .choices = (const char *const[]){", out);
	for (xmlNode *node = param->content->children; node; node = node->next)
		if (is_element(node, "option"))
			fprintf(out, "\n\t\t\"%s\",", need_attribute(agent, param->name, node, "value"));
	fputs("\n\t\tNULL }", out);
}

static void write_spec(FILE *out, const struct agent *agent, const struct param *param)
{
	const struct type *type = types;

	while (strcmp(type->xml, param->type))
		type++;
	fprintf(out, "\t{ .name = \"%s\"", param->id);
	write_quoted(out, "long_name", param->long_name);
	if (param->short_name)
		fprintf(out, ", .short_name = '%c'", param->short_name);
	fprintf(out, ",\n\t  .type = %s", type->c);
	if (param->value)
		fputs(", .takes_value = true", out);
	write_quoted(out, "fallback", param->fallback);
	if (param->successor)
		write_quoted(out, "replaced_by", param->successor->id);
	write_choices(out, agent, param);
	fputs(" },\n", out);
}

static void write_options(FILE *out, const struct agent *agent)
{
	fprintf(out, "static const struct option_spec %s_options[] = {\n", agent->id);
	for (size_t i = 0; i < agent->n_params; i++)
		if (!is_same_as_successor(&agent->params[i]))
			write_spec(out, agent, &agent->params[i]);
	fputs("\t{ .name = NULL },\n};\n", out);
}

static void write_metadata(FILE *out, const struct agent *agent)
{
	static const char start[] = "<?xml version=\"1.0\"?>";
	xmlChar *text = NULL;
	int size = 0;

	xmlDocDumpFormatMemory(agent->doc, &text, &size, 1);
	must(text);
	if (strncmp((char *)text, start, strlen(start)))
		die(agent->file, NULL, "must start with %s, without an encoding", start);
	fprintf(out, "static const char %s_metadata[] =\n", agent->id);
	write_lines(out, (char *)text);
	fputs(";\n", out);
}

/* --- help text */

/* Words from `column` on, continued at `indent`; ends the line. */
static void write_wrapped(FILE *out, const char *text, int column, int indent)
{
	bool first = true;

	while (*(text += strspn(text, " \n"))) {
		int length = (int)strcspn(text, " \n");

		if (!first && column + 1 + length > HELP_WIDTH) {
			column = fprintf(out, "\n%*s", indent, "") - 1;
			first = true;
		}
		column += fprintf(out, "%s%.*s", first ? "" : " ", length, text);
		first = false;
		text += length;
	}
	fputc('\n', out);
}

/* `left`, then `text` in the second column, on the next line if `left` reaches into it. */
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

/* "[seconds]" as GNU writes it: SECONDS; a list of values stays as it is. */
static char *value_name(const struct param *param)
{
	char *name = must(strdup(param->value));

	if (!strpbrk(name, "|/"))
		for (char *c = name; *c; c++)
			*c = (char)toupper((unsigned char)*c);
	return name;
}

/* The description with what the XML says beside it: values, unless the option's form lists them, and default. */
static char *full_text(const struct agent *agent, const struct param *param)
{
	const char *separator = " One of ";
	char *text = NULL;
	size_t size = 0;
	FILE *out = must(open_memstream(&text, &size));

	fputs(param->text, out);
	if (!strcmp(param->type, "select") && (!param->value || !strchr(param->value, '|'))) {
		for (xmlNode *node = param->content->children; node; node = node->next, separator = ", ")
			fprintf(out, "%s%s", separator, need_attribute(agent, param->name, node, "value"));
		fputc('.', out);
	}
	if (param->fallback && !param->deprecated)
		fprintf(out, " Default: %s", param->fallback);
	if (fclose(out))
		must(NULL);
	return text;
}

static void write_help_option(FILE *out, const struct agent *agent, const struct param *param)
{
	char left[256];
	int length;

	if (agent->resource)
		length = snprintf(left, sizeof(left), "  %s", param->name);
	else if (param->short_name)
		length = snprintf(left, sizeof(left), "  -%c, --%s", param->short_name, param->long_name);
	else
		length = snprintf(left, sizeof(left), "      --%s", param->long_name);
	if (length < (int)sizeof(left) && param->value)
		length += snprintf(left + length, sizeof(left) - (size_t)length, "=%s", value_name(param));
	if (length > HELP_WIDTH)
		die(agent->file, param->name, "option too long for the help text");
	write_row(out, left, full_text(agent, param), HELP_COLUMN);
}

/* One line: the option and the first sentence. */
static void write_help_compat(FILE *out, const struct agent *agent, const struct param *param)
{
	const char *end = strstr(param->text, ". ");
	int length = end ? (int)(end - param->text) + 1 : (int)strlen(param->text);
	int column = fprintf(out, "  --%s", param->long_name);

	if (column + 1 > COMPAT_COLUMN || COMPAT_COLUMN + length > HELP_WIDTH)
		die(agent->file, param->name, "first sentence too long for one line of the help text");
	fprintf(out, "%*s%.*s\n", COMPAT_COLUMN - column, "", length, param->text);
}

static void write_help_actions(FILE *out, const struct agent *agent)
{
	char left[64];

	fputs("\nActions:\n", out);
	for (size_t i = 0; i < agent->n_actions; i++) {
		snprintf(left, sizeof(left), "  %s", agent->actions[i].name);
		if (i && !strcmp(agent->actions[i].name, agent->actions[i - 1].name))
			continue; /* monitor, for each role and depth */
		write_row(out, left, agent->actions[i].text, 16);
	}
}

static void write_resource_help(FILE *out, const struct agent *agent)
{
	fprintf(out, "Usage: %s ACTION\n%s.\n\n", agent->name, agent->shortdesc);
	write_wrapped(out, "An OCF resource agent. Pacemaker passes each parameter NAME in the environment, as "
		      "OCF_RESKEY_NAME.", 0, 0);
	fputs("\nParameters:\n", out);
	for (size_t i = 0; i < agent->n_params; i++)
		write_help_option(out, agent, &agent->params[i]);
	write_help_actions(out, agent);
}

static void write_help_text(FILE *out, const struct agent *agent)
{
	if (agent->resource) {
		write_resource_help(out, agent);
		return;
	}
	fprintf(out, "Usage: %s -o ACTION [OPTION]...\n", agent->name);
	fprintf(out, "  or:  %s < PARAMETERS\n%s.\n\n", agent->name, agent->shortdesc);
	write_wrapped(out, "Without arguments, parameters are read from standard input as lines name=value. There, and in "
		      "the cluster's configuration, a parameter is called like its long option, with _ for -.", 0, 0);
	fputs("\nOptions:\n", out);
	for (size_t i = 0; i < agent->n_params; i++)
		if (!agent->params[i].deprecated)
			write_help_option(out, agent, &agent->params[i]);
	write_help_actions(out, agent);
	fputs("\nExit status: 0 done, or status ON; 2 status OFF; 1 anything else.\n", out);
	fputs("\nAccepted for compatibility:\n", out);
	for (size_t i = 0; i < agent->n_params; i++)
		if (agent->params[i].deprecated && !shares_option(&agent->params[i]))
			write_help_compat(out, agent, &agent->params[i]);
}

static void write_help(FILE *out, const struct agent *agent)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = must(open_memstream(&text, &size));

	write_help_text(memory, agent);
	if (fclose(memory))
		must(NULL);
	fprintf(out, "static const char %s_help[] =\n", agent->id);
	write_lines(out, text);
	fputs(";\n", out);
}

static void write_table(FILE *out, const struct agent *agent)
{
	fputs("/* SPDX-License-Identifier: GPL-2.0-or-later */\n", out);
	fprintf(out, "/* Parameters, metadata output and help text of %s: generated, do not edit. */\n", agent->name);
	fprintf(out, "#ifndef BLKPR_METADATA_%s_H\n#define BLKPR_METADATA_%s_H\n\n", agent->id, agent->id);
	fputs("#include \"agents/common/options.h\"\n\n", out);
	write_options(out, agent);
	fputc('\n', out);
	write_metadata(out, agent);
	fputc('\n', out);
	write_help(out, agent);
	fputs("\n#endif\n", out);
}

/* --- man page */

/* As roff text: '-' is the ASCII one, so that options and paths can be copied; paragraphs become .PP. */
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

static void write_man_actions(FILE *out, const struct agent *agent)
{
	for (size_t i = 0; i < agent->n_actions; i++) {
		if (i && !strcmp(agent->actions[i].name, agent->actions[i - 1].name))
			continue;
		fputs(".TP\n\\fB", out);
		write_roff(out, agent->actions[i].name);
		fputs("\\fR\n", out);
		write_roff(out, agent->actions[i].text);
		fputc('\n', out);
	}
}

static void write_man_option(FILE *out, const struct param *param)
{
	fputs(" (", out);
	if (param->short_name)
		fprintf(out, "\\fB\\-%c\\fR, ", param->short_name);
	fputs("\\fB\\-\\-", out);
	write_roff(out, param->long_name);
	fputs("\\fR", out);
	if (param->value) {
		fputs("=\\fI", out);
		write_roff(out, value_name(param));
		fputs("\\fR", out);
	}
	fputc(')', out);
}

static void write_man_params(FILE *out, const struct agent *agent, bool deprecated)
{
	for (size_t i = 0; i < agent->n_params; i++) {
		const struct param *param = &agent->params[i];

		if (param->deprecated != deprecated || is_same_as_successor(param))
			continue;
		fputs(".TP\n\\fB", out);
		write_roff(out, param->name);
		fputs("\\fR", out);
		if (!agent->resource && !shares_option(param))
			write_man_option(out, param);
		fputc('\n', out);
		write_roff(out, full_text(agent, param));
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
		write_man_actions(out, agent);
	} else if (!strcmp(line, "@PARAMETERS@\n")) {
		write_man_params(out, agent, false);
		if (agent->resource)
			return true;
		fputs(".SS Accepted for compatibility\n", out);
		write_man_params(out, agent, true);
	} else {
		return false;
	}
	return true;
}

static void write_man(FILE *out, const struct agent *agent, const char *file)
{
	FILE *template = fopen(file, "r");
	char *line = NULL;
	size_t size = 0;
	int markers = 0;

	if (!template)
		die(file, NULL, "%s", strerror(errno));
	while (getline(&line, &size, template) > 0) {
		if (write_marker(out, agent, line))
			markers++;
		else
			fputs(line, out);
	}
	if (ferror(template))
		die(file, NULL, "%s", strerror(errno));
	if (markers != 3)
		die(file, NULL, "needs @LONGDESC@, @ACTIONS@ and @PARAMETERS@, each on a line of its own");
	fclose(template);
}

int main(int argc, char **argv)
{
	struct agent agent = { 0 };

	if (argc == 3 && !strcmp(argv[1], "table")) {
		read_agent(&agent, argv[2]);
		write_table(stdout, &agent);
	} else if (argc == 4 && !strcmp(argv[1], "man")) {
		read_agent(&agent, argv[2]);
		write_man(stdout, &agent, argv[3]);
	} else {
		fputs("usage: generate table FILE.xml\n       generate man FILE.xml TEMPLATE\n", stderr);
		return 1;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the process ends here, and frees nothing */
	if (fflush(stdout) || ferror(stdout)) {
		perror("generate: standard output");
		return 1;
	}
	return 0;
}
