// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void die(const char *file, const char *where, const char *format, ...)
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

void *must(void *memory)
{
	if (!memory) {
		fputs("generate: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}
