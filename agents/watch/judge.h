/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether this node has been evicted: from a sequence of looks at the arbiter, and from nothing
 * else. What keeps it from being told is a doubt, never an eviction (doc/safety.md, "The watch
 * daemon").
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/result.h"

#define WATCH_WWID 128
#define WATCH_MATES 64

/* What one look at the arbiter has shown, and what was on record just after it. */
struct watch_look {
	int64_t at;             /* blkpr_clock_ms(), when it was begun */
	char wwid[WATCH_WWID];  /* of the arbiter */
	char name[WATCH_WWID];
	uint64_t own;           /* this node's key, as `on` of this boot has recorded it; 0: not */
	long since;             /* of that record */
	uint64_t commands;      /* that have been begun on this node (agents/common/at_work.h) */
	bool busy;              /* one is at work */
	enum blkpr_result result; /* BLKPR_OK: what follows was read, completely */
	uint32_t generation;
	unsigned type;          /* of the reservation, 0: none */
	unsigned registrations, own_registrations;
	unsigned nmates;        /* keys of other nodes of this cluster that are registered */
	uint64_t mates[WATCH_MATES];
};

enum watch_state {
	WATCH_UNKNOWN,   /* cannot be told: the doubt says why */
	WATCH_WELL,      /* registered */
	WATCH_SUSPECTED, /* evicted by one look, to be confirmed by another one */
	WATCH_EVICTED,
};

/* In the order in which they are looked for. */
enum watch_doubt {
	WATCH_NO_DOUBT,
	WATCH_UNRECORDED,   /* no `on` of this boot is on record there */
	WATCH_UNREADABLE,   /* look.result says why */
	WATCH_AT_WORK,      /* a command is at work, or has been since own was seen */
	WATCH_EMPTIED,      /* nobody is registered */
	WATCH_STRANGERS,    /* keys are, but none that is known to be another node's */
	WATCH_UNRESERVED,   /* no reservation for registrants */
	WATCH_UNSEEN,       /* own has not been seen there, by this daemon, on this record */
	WATCH_STOOD_STILL,  /* the generation is what it was */
	WATCH_WENT_BACK,    /* it has been reset: the target has forgotten */
	WATCH_NEWCOMERS,    /* who is registered now was not when own was: it cannot have evicted */
	WATCH_DOUBTS
};

/* Zero at first. */
struct watch_judge {
	bool seen;              /* own was registered, by LAST */
	struct watch_look last;
	bool suspected;
	int64_t suspected_at;
};

struct watch_opinion {
	enum watch_state state;
	enum watch_doubt doubt;
};

#define WATCH_CONFIRM_MS 1000 /* between the look that suspects and the one that confirms */

struct watch_opinion watch_judge(struct watch_judge *judge, const struct watch_look *look);
