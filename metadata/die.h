/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of the generator when something is wrong: a sentence on stderr and exit status 1. */
#ifndef BLKPR_METADATA_DIE_H
#define BLKPR_METADATA_DIE_H

/* `where` (NULL: none) names the parameter or action at fault. */
_Noreturn void die(const char *file, const char *where, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Returns `memory`; dies if it is NULL. */
void *must(void *memory);

#endif
