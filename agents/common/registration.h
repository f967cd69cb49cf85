/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of one disk: that `on` registered this node there since it was started, with which
 * key, and when.
 */
#pragma once

#include <stdint.h>

#include "agents/common/store.h"
#include "lib/flight.h"

struct registration {
	char *wwid;
	char *name;   /* as the user wrote it; NULL: an old record, of an explicit key alone */
	uint64_t key; /* 0: not registered since this node was started */
	char how[16]; /* the key was derived: the key_value; REGISTRATION_EXPLICIT: it was given */
	enum blkpr_in_flight in_flight; /* as the fence device had it */
	long since;   /* seconds since this node was started, -1: not known */
};

#define REGISTRATION_EXPLICIT "key"

/* 0, or -ENOMEM. The strings are copied. */
int registration_set(struct registration *registration, const char *wwid, const char *name);
void registration_clear(struct registration *registration);

/* Seconds since this node was started: by no clock that somebody sets. */
long registration_clock(void);

/* The record of WWID. 0; -ENOENT: none; else -errno with text. */
int registration_load(const struct store *store, const char *wwid,
	struct registration *registration, struct blkpr_error *error);

/* Under the lock of STORE. 0, or -errno with text. */
int registration_store(const struct store *store, const struct registration *registration,
	struct blkpr_error *error);
