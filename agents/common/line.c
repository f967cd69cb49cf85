// SPDX-License-Identifier: GPL-2.0-or-later
// A line on stderr.
#include "agents/common/line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *word;
	size_t before, after; /* the hyphen: its place, and where the rest begins */
} words[] = {
	{ "timeout", 4, 4 },
	{ "timed out", 5, 6 },
};

/* How many characters of TEXT were written. */
static size_t write_some(FILE *out, const char *text)
{
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strncasecmp(text, words[i].word, strlen(words[i].word)) != 0)
			continue;
		fprintf(out, "%.*s-", (int)words[i].before, text);
		return words[i].after;
	}
	fputc(*text, out);
	return 1;
}

void line_write(FILE *out, const char *name, const char *text)
{
	char *line = NULL;
	size_t size;
	FILE *stream = open_memstream(&line, &size);

	if (!stream)
		return;
	fprintf(stream, "%s: ", name);
	while (*text)
		text += write_some(stream, text);
	fputc('\n', stream);
	if (!fclose(stream))
		fputs(line, out);
	free(line);
}
