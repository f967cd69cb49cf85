/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The drain: a LUN RESET that ends what is in flight on a disk, whoever sent it, before a protocol
 * succeeds (S1). One set of rules for all protocols.
 *
 * It holds while nobody can have sent anything since the look before it: until the PR generation
 * moves, since somebody came, and until a command of ours says that the disk was open, or that
 * somebody was there, whatever its status.
 */
#ifndef BLKPR_DRAIN_H
#define BLKPR_DRAIN_H

#include "lib/disk.h"
#include "lib/verdict.h"

/* Whether no drain holds at the last look, and the device has one. */
bool blkpr_drain_needed(const struct blkpr_verdict *verdict);

/*
 * Drains, directly after a look that shows nobody who should not be there. BLKPR_OK also where
 * there is no LUN RESET (verdict.undrainable). BLKPR_UNFINISHED: the worker's time is over, it
 * touches nothing more.
 */
enum blkpr_result blkpr_drain_run(struct blkpr_disk *disk, struct blkpr_verdict *verdict);

/* To be called with every RESERVE, RELEASE and PREEMPT of a protocol that drains. */
void blkpr_drain_void(struct blkpr_verdict *verdict);

/*
 * To be asked where blkpr_drain_needed() is false. BLKPR_OK: the drain ended what was in flight.
 * BLKPR_UNCOUNTED: the PR generation was seen to stand still where it had to move, so it proves
 * nothing about who came and went.
 */
enum blkpr_result blkpr_drain_prove(const struct blkpr_verdict *verdict);

#endif
