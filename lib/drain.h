/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The drain: what ends the commands in flight on a disk before a protocol succeeds (S1). One set of
 * rules for all protocols.
 *
 * It holds while nobody can have sent anything since the look before it: until the PR generation
 * moves, since somebody came; until another one holds the reservation, since the disk was open in
 * between; and until a command of ours says that it was open, or that somebody was there, whatever
 * its status. So it holds for the runs that come after the one that drained, too
 * (blkpr_verdict_carry()).
 */
#pragma once

#include "lib/disk.h"
#include "lib/verdict.h"

struct blkpr_drain {
	enum blkpr_in_flight in_flight;
	uint64_t own, victim; /* 0: nobody in particular */
	enum pr_type type;    /* of the reservation that is held */
	bool ours;            /* whoever had to go went by a PREEMPT AND ABORT of ours */
};

/* To be called first: how far a LUN RESET gets here, for verdict.reach. Sends nothing. */
void blkpr_drain_begin(struct blkpr_disk *disk, struct blkpr_verdict *verdict);

/* Whether no drain holds at the last look. */
bool blkpr_drain_needed(const struct blkpr_verdict *verdict);

/*
 * Drains the disk, directly after a look that shows nobody who should not be there: by a LUN RESET
 * or, as lib/flight.h decides, by waiting for the PREEMPT AND ABORT that has removed whoever had to
 * go. verdict.rests: what it rests on. BLKPR_UNDRAINABLE: on nothing that is known.
 * BLKPR_UNFINISHED: the worker's time is over, it touches nothing more; or it would have to wait,
 * which is put off.
 */
enum blkpr_result blkpr_drain_run(
	const struct blkpr_drain *drain, struct blkpr_disk *disk, struct blkpr_verdict *verdict);

/*
 * To be called with every RESERVE, RELEASE and PREEMPT of a protocol that drains, before it is
 * sent.
 */
void blkpr_drain_void(struct blkpr_verdict *verdict);

/*
 * A PREEMPT AND ABORT was done, after which nobody is left who had to go, and HOLDER holds the
 * reservation: where that ends commands in flight, they have.
 */
void blkpr_drain_aborted(
	enum blkpr_in_flight in_flight, uint64_t holder, struct blkpr_verdict *verdict);

/*
 * To be asked where blkpr_drain_needed() is false. BLKPR_OK: the drain ended what was in flight.
 * BLKPR_UNCOUNTED: the PR generation was seen to stand still where it had to move, so it proves
 * nothing about who came and went.
 */
enum blkpr_result blkpr_drain_prove(const struct blkpr_verdict *verdict);
