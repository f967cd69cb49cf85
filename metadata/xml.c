// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/xml.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>

#include "metadata/die.h"

xmlNode *xml_read(struct xml *xml, const char *file)
{
	xml->file = file;
	xml->doc = xmlReadFile(file, NULL, XML_PARSE_NOBLANKS | XML_PARSE_NONET);
	if (!xml->doc)
		die(file, NULL, "cannot be read as XML");
	return must(xmlDocGetRootElement(xml->doc));
}

bool xml_is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !strcmp((const char *)node->name, name);
}

xmlNode *xml_find_child(const xmlNode *parent, const char *name)
{
	for (xmlNode *node = parent->children; node; node = node->next)
		if (xml_is_element(node, name))
			return node;
	return NULL;
}

xmlNode *xml_need_child(
	const struct xml *xml, const char *where, const xmlNode *parent, const char *name)
{
	xmlNode *node = xml_find_child(parent, name);

	if (!node)
		die(xml->file, where, "no element <%s>", name);
	return node;
}

char *xml_attribute(const xmlNode *node, const char *name)
{
	return (char *)xmlGetProp((xmlNode *)node, (const xmlChar *)name);
}

char *xml_need_attribute(
	const struct xml *xml, const char *where, const xmlNode *node, const char *name)
{
	const char *element = (const char *)node->name;
	char *value = xml_attribute(node, name);

	if (!value || !*value)
		die(xml->file, where, "<%s> has no attribute \"%s\"", element, name);
	return value;
}

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

char *xml_folded(const xmlNode *node)
{
	return fold(must(xmlNodeGetContent((xmlNode *)node)));
}

char *xml_need_text(
	const struct xml *xml, const char *where, const xmlNode *parent, const char *name)
{
	xmlNode *node = xml_need_child(xml, where, parent, name);
	char *text = xml_folded(node);

	if (!*text)
		die(xml->file, where, "<%s> is empty", name);
	xmlNodeSetContent(node, NULL);
	xmlNodeAddContent(node, (const xmlChar *)text);
	return text;
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

char *xml_dump(struct xml *xml)
{
	xmlChar *text = NULL;
	int size = 0;

	drop_comments(xml->doc->children);
	xmlDocDumpFormatMemory(xml->doc, &text, &size, 1);
	return must(text);
}
