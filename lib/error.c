// SPDX-License-Identifier: LGPL-2.1-or-later
// Error sentences.
#include "lib/error.h"

#include <stdarg.h>
#include <stdio.h>

void blkpr_error_set(struct blkpr_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
}
