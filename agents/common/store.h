/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory of small files: root's alone, opened by descriptor, each file replaced as a whole,
 * under one lock.
 */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

struct store {
	const char *path;
	int fd;	      /* of the directory, -1: it is not open */
	int lock;     /* of its lock, -1: not held */
	bool durable; /* what is written outlasts a loss of power */
};

#define STORE_CLOSED                                                                               \
	{                                                                                          \
		.fd = -1, .lock = -1                                                               \
	}

/*
 * Opens PATH, which is borrowed. MAKE: makes it if need be; else -ENOENT if it is not there. 0, or
 * -errno with text: a directory that others can write proves nothing (-EPERM). Close with
 * store_close(), in any case.
 */
int store_open(struct store *store, const char *path, bool make, struct blkpr_error *error);
void store_close(struct store *store);

/*
 * One process at a time has the lock; whoever writes must. Never hold it while workers are
 * started.
 */
int store_lock(struct store *store, struct blkpr_error *error);
bool store_try_lock(struct store *store); /* false: somebody else has it, or it cannot be had */
void store_unlock(struct store *store);

/*
 * *TEXT is the caller's. 0; -ENOENT: there is none; else -errno with text: not to be read, or not
 * root's alone.
 */
int store_read(const struct store *store, const char *name, char **text, struct blkpr_error *error);

/* Under the lock. A reader sees the old text or the new one. 0, or -errno with text. */
int store_replace(
	const struct store *store, const char *name, const char *text, struct blkpr_error *error);

/* 0 if there is no such file any more, or -errno with text. */
int store_remove(const struct store *store, const char *name, struct blkpr_error *error);

/*
 * Calls VISIT for every file but hidden ones until it returns non-zero, which is returned; else 0.
 */
int store_visit(
	const struct store *store, int (*visit)(void *context, const char *name), void *context);
