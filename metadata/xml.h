/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements, attributes and texts of an XML file. What is needed and not there ends the program. */
#ifndef BLKPR_METADATA_XML_H
#define BLKPR_METADATA_XML_H

#include <stdbool.h>

#include <libxml/tree.h>

/* The document, and the file whose name errors begin with. */
struct xml {
	const char *file;
	xmlDoc *doc;
};

/* Returns the root element. */
xmlNode *xml_read(struct xml *xml, const char *file);

bool xml_is_element(const xmlNode *node, const char *name);

/* The first child element of that name, NULL: none. */
xmlNode *xml_find_child(const xmlNode *parent, const char *name);

/* The same; `where` as for die(). */
xmlNode *xml_need_child(
	const struct xml *xml, const char *where, const xmlNode *parent, const char *name);

/* Owned by the caller, as all strings here are. NULL: none. */
char *xml_attribute(const xmlNode *node, const char *name);

char *xml_need_attribute(
	const struct xml *xml, const char *where, const xmlNode *node, const char *name);

/* A node's text: lines joined and trimmed; an empty line, between paragraphs, becomes "\n\n". */
char *xml_folded(const xmlNode *node);

/* The folded text of a child, which from now on is also what xml_dump() has. */
char *xml_need_text(
	const struct xml *xml, const char *where, const xmlNode *parent, const char *name);

/* The document as text, without its comments. */
char *xml_dump(struct xml *xml);

#endif
