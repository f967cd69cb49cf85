/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a resource holds here, as this node remembers until it is rebooted: written before a disk is
 * changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

/* A disk that may be held or registered. */
struct remembered {
	char *wwid;
	char *name;           /* in devices, then */
	uint64_t key;         /* that was used there; 0: a fence agent's, the disk is its */
	bool keep;            /* it was registered before, by whomever */
};

struct holding {
	bool exists;          /* start has been tried; with no disks: it has changed none */
	bool promoted;
	bool good;            /* start has run to its end */
	long long session;    /* pacemaker_executor_start() of then */
	/* of promotion; what it will be when master_score_delay is over, -1: none */
	long score, pending;
	long pending_since;   /* registration_clock() */
	const char *instance; /* of the resource, borrowed */
	char *text;           /* as it was loaded, NULL: it was not */
	struct remembered *disks;
	unsigned ndisks;
};

/* Functions return 0, or -errno with text. */

/* What is remembered of the resource INSTANCE, which is borrowed; holding_clear() in any case. */
int holding_load(struct holding *holding, const char *instance, struct blkpr_error *error);
void holding_clear(struct holding *holding);

int holding_store(const struct holding *holding, struct blkpr_error *error);

/* However start ends, stop knows that it was tried, and what it has changed. */
int holding_store_attempt(struct holding *holding, struct blkpr_error *error);

/* Of a monitor, beside which start or stop may have run: what they have left stays. */
int holding_store_score(const struct holding *holding, struct blkpr_error *error);

/* One more disk; without text, -ENOMEM. */
int holding_add(
	struct holding *holding, const char *wwid, const char *name, uint64_t key, bool keep);

/* NULL: it is not remembered. */
const struct remembered *holding_find(const struct holding *holding, const char *wwid);
void holding_drop(struct holding *holding, unsigned i);

/* Whether a disk was held with a key of this resource's, not a fence agent's. */
bool holding_has_own(const struct holding *holding);
