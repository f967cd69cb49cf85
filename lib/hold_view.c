// SPDX-License-Identifier: LGPL-2.1-or-later
// What one fresh read shows, in the terms of the protocols that hold.
#include "lib/hold_view.h"

#include "lib/fence_view.h"
#include "lib/shed.h"

bool blkpr_hold_for_all(unsigned type)
{
	return type == PR_WRITE_EXCLUSIVE_ALL_REGS || type == PR_EXCLUSIVE_ACCESS_ALL_REGS;
}

bool blkpr_hold_for_registrants(unsigned type)
{
	return type >= PR_WRITE_EXCLUSIVE_REG_ONLY;
}

bool blkpr_hold_serves(enum pr_type type, unsigned held)
{
	return type == held || blkpr_fence_type_serves(type, held);
}

static bool is_fencers(const struct blkpr_hold *hold, uint64_t key)
{
	for (unsigned i = 0; i < hold->nfencers; i++)
		if (hold->fencers[i] == key)
			return true;
	return false;
}

bool blkpr_hold_is_ours(const struct blkpr_hold *hold, uint64_t own, uint64_t key)
{
	if (!hold->ours || key == blkpr_shed_passing_key(own))
		return true;
	for (unsigned i = 0; i < hold->nours; i++)
		if (hold->ours[i] == key || blkpr_shed_passing_key(hold->ours[i]) == key)
			return true;
	return false;
}

static uint64_t offender(const struct blkpr_hold_view *view)
{
	if (view->fencer)
		return view->fencer;
	return view->aliens ? view->alien : view->stranger;
}

enum blkpr_result blkpr_hold_look(const struct blkpr_hold *hold, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_hold_view *view, struct blkpr_verdict *verdict)
{
	struct blkpr_report report;
	enum blkpr_result result;
	bool first = !verdict->looks;

	*view = (struct blkpr_hold_view){ 0 };
	verdict->step = BLKPR_STEP_READ;
	verdict->won = false;
	result = disk->ops->read(disk, &report);
	if (result != BLKPR_OK)
		return result;
	blkpr_verdict_observe(verdict, &report, own);
	view->own = blkpr_report_count(&report, own);
	view->passing = blkpr_report_count(&report, blkpr_shed_passing_key(own));
	view->type = report.type;
	view->holds = view->own && report.type && (blkpr_hold_for_all(report.type) || report.holder == own);
	if (report.type && report.holder != own)
		view->stranger = report.holder;
	for (unsigned i = 0; i < report.nkeys; i++) {
		if (report.keys[i] == own)
			continue;
		view->strangers = true;
		if (is_fencers(hold, report.keys[i]))
			view->fencer = report.keys[i];
		if (!view->aliens && !blkpr_hold_is_ours(hold, own, report.keys[i])) {
			view->aliens = true;
			view->alien = report.keys[i];
		}
		if (!view->stranger)
			view->stranger = report.keys[i];
	}
	if (first)
		verdict->kept = view->own;
	verdict->offender = offender(view);
	blkpr_report_clear(&report);
	return BLKPR_OK;
}

bool blkpr_hold_by_another(const struct blkpr_hold_view *view)
{
	return view->type && !view->holds;
}

enum blkpr_result blkpr_hold_taken(const struct blkpr_hold_view *view, struct blkpr_verdict *verdict)
{
	verdict->offender = view->stranger;
	return BLKPR_TAKEN;
}
