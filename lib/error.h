/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sentence for people that goes with a -errno: what is wrong with which thing, and the remedy. */
#pragma once

struct blkpr_error {
	char text[512];
};

/* Writes the sentence, cut off if it is too long. */
void blkpr_error_set(struct blkpr_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, and returns RC. */
int blkpr_error_fail(struct blkpr_error *error, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
