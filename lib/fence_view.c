// SPDX-License-Identifier: LGPL-2.1-or-later
// What one fresh read shows, in the terms of the fencing protocols: the only source of conclusions.
#include "lib/fence_view.h"

/* Of a registrants-only type its all-registrants twin; any other type itself. */
static enum pr_type twin_of(enum pr_type type)
{
	switch (type) {
	case PR_WRITE_EXCLUSIVE_REG_ONLY:
		return PR_WRITE_EXCLUSIVE_ALL_REGS;
	case PR_EXCLUSIVE_ACCESS_REG_ONLY:
		return PR_EXCLUSIVE_ACCESS_ALL_REGS;
	default:
		return type;
	}
}

bool blkpr_fence_type_serves(enum pr_type type, unsigned held)
{
	return type >= PR_WRITE_EXCLUSIVE_REG_ONLY && twin_of(type) == twin_of(held);
}

enum pr_type blkpr_fence_preempt_type(const struct blkpr_verdict *verdict, enum pr_type held)
{
	return verdict->ignored && verdict->reach == BLKPR_REACH_NVME ? twin_of(held) : held;
}

static bool is_known(const struct blkpr_fence *fence, uint64_t own, uint64_t key)
{
	/* an NVMe host registered with key 0 can write and belongs to nobody (KERNEL.md trap 2) */
	if (!key)
		return false;
	if (key == own || key == fence->victim)
		return true;
	for (unsigned i = 0; i < fence->nknown; i++)
		if (fence->known[i] == key)
			return true;
	return false;
}

enum blkpr_result blkpr_fence_look(const struct blkpr_fence *fence, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_fence_view *view, struct blkpr_verdict *verdict)
{
	struct blkpr_report report;
	enum blkpr_result result;

	*view = (struct blkpr_fence_view){ 0 };
	verdict->step = BLKPR_STEP_READ;
	result = disk->ops->read(disk, &report);
	if (result != BLKPR_OK)
		return result;
	blkpr_verdict_observe(verdict, &report, own);
	view->own = blkpr_report_count(&report, own);
	view->victim = fence->victim && blkpr_report_count(&report, fence->victim);
	view->type = report.type;
	view->reserved = blkpr_fence_type_serves(fence->type, report.type) ||
			 (fence->any_type && blkpr_fence_type_serves(report.type, report.type));
	view->foreign = report.type && !view->reserved;
	/* key 0 cannot be evicted: look on */
	for (unsigned i = 0; i < report.nkeys && !view->offender; i++) {
		if (is_known(fence, own, report.keys[i]))
			continue;
		view->unknown = true;
		view->offender = verdict->offender = report.keys[i];
	}
	blkpr_report_clear(&report);
	return BLKPR_OK;
}

bool blkpr_fence_spoils_proof(const struct blkpr_fence *fence, const struct blkpr_fence_view *view)
{
	return view->unknown && fence->unknown != BLKPR_UNKNOWN_ALLOW;
}
