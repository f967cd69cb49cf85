// SPDX-License-Identifier: LGPL-2.1-or-later
// Draining a disk, and when a drain holds.
#include "lib/drain.h"

bool blkpr_drain_needed(const struct blkpr_verdict *verdict)
{
	bool holds = verdict->drained && verdict->drained_at == verdict->generation_after;

	return !holds && !verdict->undrainable;
}

enum blkpr_result blkpr_drain_run(struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	enum blkpr_result result;

	if (blkpr_disk_over(disk))
		return BLKPR_UNFINISHED;
	verdict->step = BLKPR_STEP_DRAIN;
	result = disk->ops->drain(disk);
	if (blkpr_disk_over(disk)) /* its SIGKILL may be lost: it touches nothing more, no lock */
		return BLKPR_UNFINISHED;
	verdict->drained = result == BLKPR_OK;
	verdict->drained_at = verdict->generation_after; /* of the look before it */
	verdict->undrainable = result == BLKPR_UNSUPPORTED;
	return verdict->undrainable ? BLKPR_OK : result;
}

void blkpr_drain_void(struct blkpr_verdict *verdict)
{
	verdict->drained = false;
}

enum blkpr_result blkpr_drain_prove(const struct blkpr_verdict *verdict)
{
	return verdict->drained && verdict->uncounted ? BLKPR_UNCOUNTED : BLKPR_OK;
}
