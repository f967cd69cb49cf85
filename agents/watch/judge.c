// SPDX-License-Identifier: GPL-2.0-or-later
// Whether this node has been evicted.
#include "agents/watch/judge.h"

#include <string.h>

#include "lib/fence_view.h"

static struct watch_opinion doubt(enum watch_doubt why)
{
	return (struct watch_opinion){ .state = WATCH_UNKNOWN, .doubt = why };
}

/* From here on, own has to be seen again before it can be missed. */
static void forget(struct watch_judge *judge)
{
	judge->seen = false;
	judge->suspected = false;
}

static bool is_same_record(const struct watch_look *a, const struct watch_look *b)
{
	return a->own == b->own && a->since == b->since && !strcmp(a->wwid, b->wwid);
}

/* Whether somebody who is registered now was registered beside own. */
static bool may_have_been_evicted_by(const struct watch_look *last, const struct watch_look *look)
{
	for (unsigned i = 0; i < look->nmates; i++)
		for (unsigned j = 0; j < last->nmates; j++)
			if (look->mates[i] == last->mates[j])
				return true;
	return false;
}

/* Of a look that was read, and does not show own. */
static enum watch_doubt find_doubt(const struct watch_judge *judge, const struct watch_look *look)
{
	const struct watch_look *last = &judge->last;

	if (look->busy || (judge->seen && look->commands != last->commands))
		return WATCH_AT_WORK;
	if (!look->registrations)
		return WATCH_EMPTIED;
	if (!look->nmates)
		return WATCH_STRANGERS;
	if (!blkpr_fence_type_serves((enum pr_type)look->type, look->type))
		return WATCH_UNRESERVED;
	if (!judge->seen || !is_same_record(last, look))
		return WATCH_UNSEEN;
	if (look->generation == last->generation)
		return WATCH_STOOD_STILL;
	if (look->generation - last->generation > INT32_MAX) /* it may have wrapped */
		return WATCH_WENT_BACK;
	return may_have_been_evicted_by(last, look) ? WATCH_NO_DOUBT : WATCH_NEWCOMERS;
}

/* While a command is at work own may go with it. */
static struct watch_opinion be_well(struct watch_judge *judge, const struct watch_look *look)
{
	*judge = (struct watch_judge){ .seen = !look->busy, .last = *look };
	return (struct watch_opinion){ .state = WATCH_WELL };
}

static struct watch_opinion miss(struct watch_judge *judge, const struct watch_look *look)
{
	enum watch_doubt why = find_doubt(judge, look);
	bool confirmed = judge->suspected && look->at >= judge->suspected_at + WATCH_CONFIRM_MS;

	if (why) {
		forget(judge);
		return doubt(why);
	}
	if (!judge->suspected)
		judge->suspected_at = look->at;
	judge->suspected = true;
	return (struct watch_opinion){ .state = confirmed ? WATCH_EVICTED : WATCH_SUSPECTED };
}

struct watch_opinion watch_judge(struct watch_judge *judge, const struct watch_look *look)
{
	if (!look->own) {
		forget(judge);
		return doubt(WATCH_UNRECORDED);
	}
	if (look->result != BLKPR_OK) {
		judge->suspected = false;
		return doubt(WATCH_UNREADABLE);
	}
	return look->own_registrations ? be_well(judge, look) : miss(judge, look);
}
