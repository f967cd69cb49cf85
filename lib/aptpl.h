/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * APTPL: the wish, in every REGISTER of sd and of the NVMe driver (CPTPL), that registrations
 * survive a power loss of the target. Some targets refuse it; some register, cannot store that, and
 * say that they have failed.
 */
#pragma once

#include "lib/disk.h"
#include "lib/verdict.h"

/*
 * What a REGISTER of KEY that came to RESULT has done, by a fresh read. BLKPR_OK: it was done; with
 * an error, so that it is not stored, if verdict.forgets. BLKPR_UNSTORABLE: it was refused, since
 * APTPL is all that a device can find wrong with a REGISTER. Anything else is RESULT.
 */
enum blkpr_result blkpr_aptpl_settle(enum blkpr_result result, uint64_t key,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict);
