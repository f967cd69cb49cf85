// SPDX-License-Identifier: LGPL-2.1-or-later
// Registrations of this node that no living path has.
#include "lib/shed.h"

#include "lib/drain.h"
#include "lib/rounds.h"

uint64_t blkpr_shed_passing_key(uint64_t own)
{
	return own ^ 0xb1d6e5a95c3f7281;
}

enum blkpr_result blkpr_shed(uint64_t own, enum pr_type held, const struct blkpr_others *others,
	bool again, struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	uint64_t passing = blkpr_shed_passing_key(own);
	enum blkpr_result result;

	if (blkpr_disk_over(disk))
		return BLKPR_UNFINISHED;
	verdict->step = BLKPR_STEP_SHED;
	verdict->touched = true;
	blkpr_drain_void(verdict); /* a dead session may have sent commands */
	result = blkpr_nexus_register(disk, own, passing, others, verdict);
	if (result != BLKPR_OK)
		return result;
	result = disk->ops->preempt_abort(
		disk, passing, own, held ? held : PR_WRITE_EXCLUSIVE_REG_ONLY);
	if (result != BLKPR_OK && result != BLKPR_CONFLICT) /* a conflict: nobody has it any more */
		return result;
	if (again)
		return blkpr_nexus_register(disk, passing, own, others, verdict);
	return blkpr_rounds_leave_to_look(disk->ops->unregister(disk, passing));
}
