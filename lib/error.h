/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sentence for people that goes with a -errno: what is wrong with which thing, and the remedy. */
#pragma once

struct blkpr_error {
	char text[512];
};

/* Writes the sentence, cut off if it is too long. */
void blkpr_error_set(struct blkpr_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same; its value is RC, as it was before. A macro, so that analyzers see what it is. */
#define blkpr_error_fail(error, rc, ...) \
	__extension__({ \
		int blkpr_error_rc = (rc); \
		blkpr_error_set(error, __VA_ARGS__); \
		blkpr_error_rc; \
	})
