/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sentence for people that goes with a -errno: what is wrong with which thing, and the remedy. */
#ifndef BLKPR_ERROR_H
#define BLKPR_ERROR_H

#include <stdio.h>

struct blkpr_error {
	char text[512];
};

#define blkpr_error_set(error, ...) ((void)snprintf((error)->text, sizeof((error)->text), __VA_ARGS__))

#endif
