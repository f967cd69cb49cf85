// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/model.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "metadata/die.h"
#include "metadata/xml.h"

static char *underscored(const char *name)
{
	char *copy = must(strdup(name));

	for (char *c = copy; *c; c++)
		if (*c == '-')
			*c = '_';
	return copy;
}

/* "-o, --action=[action]": the names, and what stands behind the '='. */
static void read_getopt(const struct xml *xml, struct param *param, const xmlNode *node)
{
	const xmlNode *getopt = xml_need_child(xml, param->name, node, "getopt");
	const char *mixed = xml_need_attribute(xml, param->name, getopt, "mixed");
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
		die(xml->file, param->name, "no long option in getopt \"%s\"", mixed);
	if (param->value && !*param->value)
		die(xml->file, param->name, "no value named in getopt \"%s\"", mixed);
}

static void read_choices(const struct xml *xml, struct param *param, const xmlNode *content)
{
	size_t room = xmlChildElementCount((xmlNode *)content), n = 0;

	param->choices = must(calloc(room + 1, sizeof(*param->choices)));
	for (xmlNode *node = content->children; node; node = node->next)
		if (xml_is_element(node, "option"))
			param->choices[n++] = xml_need_attribute(xml, param->name, node, "value");
}

static void check_content(const struct agent *agent, const struct param *param)
{
	const char *fallback = param->fallback;

	if (!param_option_type(param))
		die(agent->file, param->name, "bad type \"%s\"", param->type);
	if (!agent->resource && !strcmp(param->type, "boolean") == !!param->value)
		die(agent->file, param->name,
			"a boolean's option takes no value, any other's does");
	if (param_is_select(param) && !*param->choices)
		die(agent->file, param->name, "a select without options");
	if (!fallback)
		return;
	if (param_is_select(param) && !param_has_choice(param, fallback))
		die(agent->file, param->name, "default \"%s\" is none of the options", fallback);
	if (param_is_number(param) && (!*fallback || fallback[strspn(fallback, "0123456789")]))
		die(agent->file, param->name, "default \"%s\" is not a number", fallback);
}

static void read_param(
	const struct xml *xml, const struct agent *agent, struct param *param, const xmlNode *node)
{
	char *deprecated = xml_attribute(node, "deprecated");
	const xmlNode *content;

	param->name = xml_need_attribute(xml, "a parameter", node, "name");
	param->id = underscored(param->name);
	param->deprecated = deprecated && !strcmp(deprecated, "1");
	param->obsoletes = xml_attribute(node, "obsoletes");
	if (agent->resource)
		param->long_name = param->last_long = param->id; /* no command line */
	else
		read_getopt(xml, param, node);
	content = xml_need_child(xml, param->name, node, "content");
	param->type = xml_need_attribute(xml, param->name, content, "type");
	param->fallback = xml_attribute(content, "default");
	param->text = xml_need_text(xml, param->name, node, "shortdesc");
	if (agent->resource)
		param->text = xml_need_text(xml, param->name, node, "longdesc");
	if (param_is_select(param))
		read_choices(xml, param, content);
	check_content(agent, param);
}

/* Whether NEW replaces OLD: it says so, or the getopt of OLD closes with the option of NEW. */
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

static void check_unique(const struct agent *agent, const struct param *a, const struct param *b)
{
	if (!param_is_same_as_successor(a) && !param_is_same_as_successor(b) &&
		!strcmp(a->id, b->id))
		die(agent->file, a->name, "parameter given twice");
	if (param_shares_option(a) || param_shares_option(b))
		return;
	if (!strcmp(a->long_name, b->long_name))
		die(agent->file, a->name, "--%s is also the option of %s", a->long_name, b->name);
	if (a->short_name && a->short_name == b->short_name)
		die(agent->file, a->name, "-%c is also the option of %s", a->short_name, b->name);
}

static void check_obsoletes(const struct agent *agent, const struct param *param)
{
	const char *old = param->obsoletes;

	if (!old)
		return;
	for (size_t i = 0; i < agent->n_params; i++)
		if (!strcmp(agent->params[i].name, old) && agent->params[i].successor == param)
			return;
	die(agent->file, param->name, "obsoletes \"%s\", which is not a deprecated parameter", old);
}

static void read_params(const struct xml *xml, struct agent *agent, const xmlNode *parameters)
{
	size_t room = xmlChildElementCount((xmlNode *)parameters);

	agent->params = must(calloc(room + 1, sizeof(*agent->params)));
	for (xmlNode *node = parameters->children; node; node = node->next)
		if (xml_is_element(node, "parameter"))
			read_param(xml, agent, &agent->params[agent->n_params++], node);
	if (!agent->n_params)
		die(agent->file, NULL, "no parameters");
	find_successors(agent);
	for (size_t i = 0; i < agent->n_params; i++) {
		check_obsoletes(agent, &agent->params[i]);
		for (size_t j = 0; j < i; j++)
			check_unique(agent, &agent->params[i], &agent->params[j]);
	}
}

/* The schema allows an action no text, so that stands in the comment before it. */
static void read_actions(const struct xml *xml, struct agent *agent, const xmlNode *actions)
{
	size_t room = xmlChildElementCount((xmlNode *)actions);

	agent->actions = must(calloc(room + 1, sizeof(*agent->actions)));
	for (xmlNode *node = actions->children; node; node = node->next) {
		struct action *action = &agent->actions[agent->n_actions];

		if (!xml_is_element(node, "action"))
			continue;
		action->name = xml_need_attribute(xml, "an action", node, "name");
		if (!node->prev || node->prev->type != XML_COMMENT_NODE)
			die(agent->file, action->name,
				"no comment before the action to say what it does");
		action->text = xml_folded(node->prev);
		agent->n_actions++;
	}
}

void model_read(struct agent *agent, const char *file)
{
	struct xml xml;
	const xmlNode *root = xml_read(&xml, file);

	agent->file = file;
	if (!xml_is_element(root, "resource-agent"))
		die(file, NULL, "the root element is not <resource-agent>");
	agent->name = xml_need_attribute(&xml, NULL, root, "name");
	agent->id = underscored(agent->name);
	agent->resource = xml_find_child(root, "version");
	agent->shortdesc = agent->resource ? xml_need_text(&xml, NULL, root, "shortdesc")
					   : xml_need_attribute(&xml, NULL, root, "shortdesc");
	agent->longdesc = xml_need_text(&xml, NULL, root, "longdesc");
	read_params(&xml, agent, xml_need_child(&xml, NULL, root, "parameters"));
	agent->daemon = !xml_find_child(root, "actions");
	if (!agent->daemon)
		read_actions(&xml, agent, xml_need_child(&xml, NULL, root, "actions"));
	agent->metadata = xml_dump(&xml);
}

bool model_is_repeated(const struct agent *agent, size_t i)
{
	return i && !strcmp(agent->actions[i].name, agent->actions[i - 1].name);
}
