/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of the resource agent: its parameters, and what has been found out so far. */
#pragma once

#include "agents/common/disks.h"
#include "agents/common/keyring.h"
#include "agents/common/say.h"
#include "agents/reservation/holding.h"
#include "agents/reservation/ocf.h"
#include "lib/hold.h"

struct resource {
	struct options options;
	struct ocf ocf;
	int64_t deadline; /* blkpr_clock_ms() */
	bool managed;     /* by a fence agent */
	enum { EVICT_CLUSTER, EVICT_ALL, EVICT_NONE } evict; /* as in metadata/reservation.xml */
	long required;    /* disks */
	unsigned absent;  /* names in devices that stand for nothing here, and need not */
	struct {
		long base, factor, delay;
	} scoring; /* of promotion */
	struct keyring keys;
	struct disks disks;
	struct blkpr_hold hold;
	uint64_t *fencers, *ours; /* of the hold */
	struct holding holding;
};

void resource_clear(struct resource *resource);

/* For the words. */
struct story resource_story(const struct resource *resource);

/* The action has done all that it should. */
enum ocf_exitcode resource_good_now(struct resource *resource);

/* What cannot be started does not run. */
enum ocf_exitcode resource_cannot_run(struct resource *resource);

/*
 * The identity of a disk that is remembered, and that no name in devices stands for any more; NULL:
 * none.
 */
const char *resource_lost_disk(const struct resource *resource);
void resource_take_lost_as_reason(struct resource *resource);
