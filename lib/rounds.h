/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine of all protocols on one disk: look, one step that acts on what is seen, look again.
 * Success is only ever concluded from a look (S4). One set of rules for BUSY, conflicts, drains and
 * deadlines.
 */
#pragma once

#include "lib/disk.h"
#include "lib/nexus.h"
#include "lib/verdict.h"

struct blkpr_rounds {
	struct blkpr_disk *disk;
	struct blkpr_verdict *verdict;
	void *errand; /* what the two below are given */

	enum blkpr_result (*look)(void *errand); /* all but BLKPR_OK is the end */
	/* Sends one command; or, *DONE, its result is the end. */
	enum blkpr_result (*step)(void *errand, bool *done);
};

/*
 * A step that came to BLKPR_OK or BLKPR_CONFLICT is followed by another look. A BUSY device did
 * nothing: the next look decides what to do, until the deadline. Anything else is the end. *SPENT:
 * somebody else keeps changing the disk, or it refuses for good; the result is the last step's.
 */
enum blkpr_result blkpr_rounds_run(const struct blkpr_rounds *rounds, bool *spent);

/* For a step: RESULT is the end. */
enum blkpr_result blkpr_rounds_end(bool *done, enum blkpr_result result);

/*
 * The commands of a step. Each asks first whether the worker still has anything to do here
 * (lib/disk.h), BLKPR_UNFINISHED; looks need not: they change nothing. RESERVE, RELEASE and PREEMPT
 * void the drain: what anybody sent while the disk was open is in flight, and whoever is preempted
 * was there, whatever comes back.
 */
enum blkpr_result blkpr_rounds_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type,
	struct blkpr_verdict *verdict);
enum blkpr_result blkpr_rounds_release(struct blkpr_disk *disk, uint64_t own, enum pr_type type,
	struct blkpr_verdict *verdict);
/* PREEMPT AND ABORT; verdict.preempted is KEY if it is done. */
enum blkpr_result blkpr_rounds_preempt(struct blkpr_disk *disk, uint64_t own, uint64_t key,
	enum pr_type type, struct blkpr_verdict *verdict);
/*
 * A path may be down, or the device cannot store it, or (LIO: RELEASE, 02/08/00) the path is not
 * registered: such an error says nothing, the next look tells.
 */
enum blkpr_result blkpr_rounds_unregister(
	struct blkpr_disk *disk, uint64_t key, struct blkpr_verdict *verdict);
enum blkpr_result blkpr_rounds_leave_to_look(enum blkpr_result result);

/*
 * Before the rounds. A compare and swap for each nexus: OLD is never dropped on the way, nor
 * another node's replaced (S10).
 */
enum blkpr_result blkpr_rounds_register(struct blkpr_disk *disk, uint64_t old, uint64_t key,
	const struct blkpr_others *others, struct blkpr_verdict *verdict);
