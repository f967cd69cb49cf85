/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one fresh read shows, in the terms of the protocols that hold. */
#pragma once

#include "lib/nexus.h"
#include "lib/target.h"

/* What to do, the same for all devices. */
struct blkpr_hold {
	enum pr_type type; /* any of the six; an exclusive one works with one path only */
	bool evict; /* take: others are evicted, promote: the holder is; else a failure, and no
		       change */
	const uint64_t *ours; /* take, promote: only these are evicted, others a failure; NULL:
				 all */
	unsigned nours;
	bool shared;       /* watch: other registrants are no strangers */
	bool managed;      /* watch: any registrant may hold */
	enum blkpr_in_flight in_flight; /* take, promote: what may end others' commands */
	const uint64_t *fencers; /* keys of fence agents: where one is registered nothing is
				    changed */
	unsigned nfencers;
	struct blkpr_others others; /* take, join, watch: who must not be taken for this node, nor
				       be replaced (S10) */
	unsigned parallel; /* devices at a time */
	int64_t deadline;  /* blkpr_clock_ms(): every function below returns by then */
};

struct blkpr_hold_view {
	bool own;
	bool passing;      /* left by a run that was killed inside blkpr_shed() */
	uint64_t fencer;   /* a fence agent's key, 0: none is registered */
	uint64_t alien;    /* a key that is not to be evicted; may be 0, as a stranger's */
	bool aliens;
	bool holds;        /* own holds the reservation, of whatever type */
	unsigned type;     /* of the reservation, 0: none */
	uint64_t stranger; /* the first other key: the holder's, if another one holds */
	bool strangers;    /* NVMe may have one with key 0 (KERNEL.md trap 2), which cannot be
			      evicted */
};

/* BLKPR_OK, or why it could not be read. */
enum blkpr_result blkpr_hold_look(const struct blkpr_hold *hold, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_hold_view *view, struct blkpr_verdict *verdict);

bool blkpr_hold_for_all(unsigned type);
bool blkpr_hold_for_registrants(unsigned type);

/* Whether a reservation of type HELD does the work of TYPE. */
bool blkpr_hold_serves(enum pr_type type, unsigned held);

/* Whether KEY may be evicted: what runs that were killed inside blkpr_shed() have left, too. */
bool blkpr_hold_is_ours(const struct blkpr_hold *hold, uint64_t own, uint64_t key);

bool blkpr_hold_by_another(const struct blkpr_hold_view *view);

/* By another one, who is named, whoever else is registered. */
enum blkpr_result blkpr_hold_taken(
	const struct blkpr_hold_view *view, struct blkpr_verdict *verdict);
