/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one fresh read shows, in the terms of the fencing protocols: the only source of conclusions.
 */
#pragma once

#include "lib/nexus.h"
#include "lib/target.h"

/* What off and status make of registered keys that belong to no cluster node (S4). */
enum blkpr_unknown {
	BLKPR_UNKNOWN_FAIL,  /* no success where they might be the victim's */
	BLKPR_UNKNOWN_ALLOW, /* take them for somebody else's */
	BLKPR_UNKNOWN_EVICT, /* off removes them too */
};

/* What to do, the same for all devices. */
struct blkpr_fence {
	enum pr_type type;       /* a registrants-only or all-registrants type */
	bool any_type;           /* a reservation of any such type does, where one is held */
	uint64_t victim;         /* off and status: the key in question; 0 for status: this node's
				    own; else 0 */
	const uint64_t *known;   /* keys of the other cluster nodes, in any order; not another one
				    of the victim's */
	unsigned nknown;
	enum blkpr_unknown unknown;
	enum blkpr_in_flight in_flight; /* off, monitor: what may end the victim's commands */
	struct blkpr_others others; /* on, monitor: who must not be taken for this node, nor be
				       replaced (S10) */
	bool fenced;             /* on: this node may have been fenced: nothing is registered anew
				    where target.recorded says that it was */
	unsigned parallel;       /* devices at a time */
	int64_t deadline;        /* blkpr_clock_ms(): every function below returns by then */
};

struct blkpr_fence_view {
	bool own, victim;
	bool reserved; /* by a type that serves */
	bool foreign;  /* by another type */
	bool unknown;
	uint64_t offender; /* the first unknown key */
	unsigned type;     /* as held */
};

/* BLKPR_OK, or why it could not be read. */
enum blkpr_result blkpr_fence_look(const struct blkpr_fence *fence, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_fence_view *view, struct blkpr_verdict *verdict);

/*
 * S4: an unknown key may be one that the victim uses, whether or not the key that we expect of it
 * was there: that may have been left by a dead session, or by the cluster's node list before it
 * changed.
 */
bool blkpr_fence_spoils_proof(const struct blkpr_fence *fence, const struct blkpr_fence_view *view);

/*
 * Whether a reservation of type HELD does the work of TYPE: the same, or its all-registrants twin.
 */
bool blkpr_fence_type_serves(enum pr_type type, unsigned held);

/*
 * The type for the next PREEMPT of a key under a reservation of type HELD: that, or where the last
 * one was ignored its all-registrants twin (doc/safety.md, "A holder that cannot evict").
 */
enum pr_type blkpr_fence_preempt_type(const struct blkpr_verdict *verdict, enum pr_type held);
