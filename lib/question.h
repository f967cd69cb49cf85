/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a protocol asks a disk beside its looks. */
#pragma once

#include "lib/disk.h"
#include "lib/verdict.h"

/*
 * BLKPR_SHARED_KEY if the last look found own registered more than once, and that is not one
 * initiator by several paths (S4: the other one would be taken for this node). BLKPR_OK too where
 * the device cannot tell.
 */
enum blkpr_result blkpr_question_shared(
	uint64_t own, struct blkpr_disk *disk, struct blkpr_verdict *verdict);

/*
 * The same for who only watches: BLKPR_OK too where there is no answer soon (verdict.unanswered).
 */
enum blkpr_result blkpr_question_shared_soon(
	uint64_t own, struct blkpr_disk *disk, struct blkpr_verdict *verdict);

/*
 * A question that its action can do without (doc/safety.md, "What is asked of a disk") has a short
 * time, whatever else is to be done after it. Returns the deadline that blkpr_question_end() puts
 * back.
 */
int64_t blkpr_question_begin(struct blkpr_disk *disk);
void blkpr_question_end(
	bool answered, int64_t deadline, struct blkpr_disk *disk, struct blkpr_verdict *verdict);
