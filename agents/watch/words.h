/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the judge thinks, in words: in the log, once for each change, with what to do about it. */
#pragma once

#include "agents/watch/judge.h"

struct watch_words {
	bool told;
	struct watch_opinion opinion;
	enum blkpr_result result;
};

void words_tell(struct watch_words *words, const struct watch_look *look,
	struct watch_opinion opinion);

#define WORDS_EVICTION 400

/* Why this node is to go, into TEXT. */
void words_explain_eviction(const struct watch_look *look, char text[WORDS_EVICTION]);
