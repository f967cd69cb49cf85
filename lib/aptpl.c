// SPDX-License-Identifier: LGPL-2.1-or-later
// A REGISTER that failed, and may have been done.
#include "lib/aptpl.h"

/* Every REGISTER that is done moves the generation, also one of a key that was there before. */
static bool is_done(uint64_t key, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	uint32_t before = verdict->generation_after;
	struct blkpr_report report;

	if (disk->ops->read(disk, &report) != BLKPR_OK)
		return false;
	blkpr_verdict_observe(verdict, &report, key);
	blkpr_report_clear(&report);
	return verdict->own_registrations && verdict->generation_after != before;
}

enum blkpr_result blkpr_aptpl_settle(enum blkpr_result result, uint64_t key,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	if (result != BLKPR_IO_ERROR && result != BLKPR_INVALID)
		return result;
	if (is_done(key, disk, verdict)) {
		verdict->forgets = true;
		return BLKPR_OK;
	}
	return result == BLKPR_INVALID ? BLKPR_UNSTORABLE : result;
}
