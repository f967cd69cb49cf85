// SPDX-License-Identifier: LGPL-2.1-or-later
// Watching what is held: writes nothing.
#include "lib/drain.h"
#include "lib/hold.h"
#include "lib/question.h"

static enum blkpr_result watch(const struct blkpr_hold *hold, const struct blkpr_hold_view *view,
	struct blkpr_verdict *verdict)
{
	if (!view->own)
		return BLKPR_EVICTED;
	if (!view->type)
		return BLKPR_UNRESERVED;
	if (hold->managed)
		return blkpr_hold_serves(hold->type, view->type) ? BLKPR_OK : BLKPR_FOREIGN_TYPE;
	if (blkpr_hold_by_another(view))
		return blkpr_hold_taken(view, verdict);
	if (!blkpr_hold_serves(hold->type, view->type))
		return BLKPR_FOREIGN_TYPE;
	return view->strangers && !hold->shared && blkpr_hold_for_registrants(view->type) ? BLKPR_STRANGERS : BLKPR_OK;
}

/* Whether what a watch came to means that this node may write. */
static bool may_write_by(enum blkpr_result watched, const struct blkpr_hold_view *view)
{
	return watched == BLKPR_OK || (watched == BLKPR_TAKEN && blkpr_hold_for_registrants(view->type));
}

/*
 * A path may not write: because something has changed since the look, or because the key stands for
 * another session.
 */
static enum blkpr_result barred(const struct blkpr_hold *hold, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct blkpr_hold_view view;
	enum blkpr_result result = blkpr_hold_look(hold, own, disk, &view, verdict);

	if (result == BLKPR_OK)
		result = watch(hold, &view, verdict);
	return may_write_by(result, &view) ? BLKPR_BARRED : result;
}

void blkpr_hold_watch_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct blkpr_hold *hold = context;
	struct blkpr_hold_view view;

	if (!hold->managed) {
		blkpr_drain_begin(disk, verdict);
		verdict->rests = blkpr_flight_rests(verdict->reach, hold->in_flight);
	}
	verdict->result = blkpr_hold_look(hold, target->own, disk, &view, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = watch(hold, &view, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = blkpr_question_shared_soon(target->own, disk, verdict);
}

void blkpr_hold_nexus_disk(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct blkpr_hold *hold = context;
	struct blkpr_hold_view view;

	verdict->result = blkpr_hold_look(hold, target->own, disk, &view, verdict);
	if (verdict->result == BLKPR_OK)
		verdict->result = watch(hold, &view, verdict);
	if (!may_write_by(verdict->result, &view))
		return;
	if (blkpr_nexus_check_shared(disk, target->own, &hold->others, verdict) != BLKPR_OK)
		verdict->result = BLKPR_SHARED_NEXUS;
	else if (blkpr_nexus_check_writes(disk, verdict) != BLKPR_OK)
		verdict->result = barred(hold, target->own, disk, verdict);
}
