/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands in flight: what ends those of an evicted node, and what success rests on (S1). */
#pragma once

#include "lib/host.h"

/* What the administrator says of the disks: parameter in_flight, in the order of its choices. */
enum blkpr_in_flight {
	BLKPR_IN_FLIGHT_AUTO,  /* nothing: only what is known counts */
	BLKPR_IN_FLIGHT_RESET, /* a LUN RESET by a driver that is not known reaches the target */
	BLKPR_IN_FLIGHT_ABORT, /* PREEMPT AND ABORT ends them before it is answered */
	BLKPR_IN_FLIGHTS
};

/* On what success rests, the weakest first. */
enum blkpr_rests {
	BLKPR_RESTS_ON_NOTHING, /* no success, then */
	BLKPR_RESTS_ON_EARLIER, /* PREEMPT AND ABORT of whoever removed the key, and it is over */
	BLKPR_RESTS_ON_ABORT,   /* our PREEMPT AND ABORT */
	BLKPR_RESTS_ON_WORD,    /* a LUN RESET that the administrator says to reach the target */
	BLKPR_RESTS_ON_RESET,   /* a LUN RESET that reaches the target */
	BLKPR_RESTS
};

/* "a LUN RESET": what ends commands in flight. Never NULL. */
extern const char *const blkpr_rests_texts[BLKPR_RESTS];

/* The decision: on what success can rest at best, of a disk that a LUN RESET reaches so far. */
enum blkpr_rests blkpr_flight_rests(enum blkpr_reach reach, enum blkpr_in_flight in_flight);
