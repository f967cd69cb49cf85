// SPDX-License-Identifier: GPL-2.0-or-later
// What the judge thinks, in words.
#include "agents/watch/words.h"

#include <inttypes.h>
#include <stdio.h>

#include "agents/common/log.h"

static const struct {
	int priority;
	const char *what, *remedy;
} doubts[WATCH_DOUBTS] = {
	[WATCH_UNRECORDED] = { LOG_NOTICE, "no disk is on record, or the first one is not",
		"nothing is watched until \"on\" of fence_blkpr has registered this node" },
	[WATCH_UNREADABLE] = { LOG_ERR, "cannot be read",
		"look after the disk and its paths; until then an eviction is not noticed" },
	[WATCH_AT_WORK] = { LOG_INFO, "a command of fence_blkpr is or was at work here",
		"nothing is concluded until this node is registered again" },
	[WATCH_EMPTIED] = { LOG_ERR, "nobody is registered any more",
		"the disk was cleared, or its target forgets: nobody is kept out. Unfence every "
		"node (fence_blkpr -o on), and see what \"monitor\" says" },
	[WATCH_STRANGERS] = { LOG_ERR,
		"this node's key is gone, and no key there is known to be another node's",
		"see whose keys these are (fence_blkpr -o monitor), and unfence this node" },
	[WATCH_UNRESERVED] = { LOG_ERR, "this node's key is gone, and nothing is reserved",
		"the disk keeps nobody out: unfence this node, and see what \"monitor\" says" },
	[WATCH_UNSEEN] = { LOG_ERR,
		"this node is not registered, and has not been since this daemon was started, or "
		"since it was told otherwise",
		"reset this node if it was fenced; if not, unfence it" },
	[WATCH_STOOD_STILL] = { LOG_ERR,
		"this node's key is gone, and the PR generation has not moved",
		"who removed it is not known: see what \"monitor\" says, and unfence this node" },
	[WATCH_WENT_BACK] = { LOG_ERR, "this node's key is gone, and the PR generation went back",
		"the target has forgotten its registrations: unfence every node" },
	[WATCH_NEWCOMERS] = { LOG_ERR,
		"this node's key is gone, and no node is registered that was beside it",
		"who removed it is not known: see what \"monitor\" says, and unfence this node" },
};

static bool is_told(const struct watch_words *words, struct watch_opinion opinion,
	const struct watch_look *look)
{
	return words->told && words->opinion.state == opinion.state &&
	       words->opinion.doubt == opinion.doubt &&
	       (opinion.doubt != WATCH_UNREADABLE || words->result == look->result);
}

static void tell_doubt(const struct watch_look *look, enum watch_doubt doubt)
{
	bool unreadable = doubt == WATCH_UNREADABLE;

	qb_log((uint8_t)doubts[doubt].priority, "%s%s%s%s%s; %s", look->name,
		*look->name ? ": " : "", doubts[doubt].what, unreadable ? ": " : "",
		unreadable ? blkpr_result_text(look->result) : "", doubts[doubt].remedy);
}

void words_tell(struct watch_words *words, const struct watch_look *look,
	struct watch_opinion opinion)
{
	if (is_told(words, opinion, look))
		return;
	*words = (struct watch_words){ true, opinion, look->result };
	if (opinion.doubt)
		tell_doubt(look, opinion.doubt);
	else if (opinion.state == WATCH_WELL)
		qb_log(LOG_NOTICE, "%s: this node is registered (key 0x%" PRIx64 ")", look->name,
			look->own);
	else if (opinion.state == WATCH_SUSPECTED)
		qb_log(LOG_WARNING, "%s: this node's key is gone; looking again", look->name);
}

void words_explain_eviction(const struct watch_look *look, char text[WORDS_EVICTION])
{
	snprintf(text, WORDS_EVICTION,
		"%.128s: this node has been evicted: its key 0x%" PRIx64 " is gone, 0x%" PRIx64
		" is registered, PR generation %" PRIu32,
		look->name, look->own, look->mates[0], look->generation);
}
