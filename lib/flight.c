// SPDX-License-Identifier: LGPL-2.1-or-later
// Commands in flight: the decision table. doc/safety.md argues it.
#include "lib/flight.h"

const char *const blkpr_rests_texts[BLKPR_RESTS] = {
	[BLKPR_RESTS_ON_NOTHING] = "nothing that is known",
	[BLKPR_RESTS_ON_EARLIER] = "the PREEMPT AND ABORT of whoever removed the key",
	[BLKPR_RESTS_ON_ABORT] = "PREEMPT AND ABORT alone",
	[BLKPR_RESTS_ON_WORD] = "a LUN RESET that reaches the disk as in_flight=reset says",
	[BLKPR_RESTS_ON_RESET] = "a LUN RESET",
};

#define NOTHING BLKPR_RESTS_ON_NOTHING
#define ABORT BLKPR_RESTS_ON_ABORT
#define WORD BLKPR_RESTS_ON_WORD
#define RESET BLKPR_RESTS_ON_RESET

enum blkpr_rests blkpr_flight_rests(enum blkpr_reach reach, enum blkpr_in_flight in_flight)
{
	static const enum blkpr_rests table[BLKPR_REACHES][BLKPR_IN_FLIGHTS] = {
		/* in_flight=                auto     reset    abort */
		[BLKPR_REACH_TARGET] =    { RESET,   RESET,   ABORT },
		[BLKPR_REACH_UNKNOWN] =   { NOTHING, WORD,    ABORT },
		[BLKPR_REACH_ELSEWHERE] = { NOTHING, NOTHING, ABORT },
		[BLKPR_REACH_NONE] =      { NOTHING, NOTHING, ABORT },
		[BLKPR_REACH_NVME] =      { ABORT,   ABORT,   ABORT },
	};

	return table[reach][in_flight];
}
