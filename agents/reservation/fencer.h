/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cluster's fencer knows: a hint for people, never a proof. The only part that knows libstonithd. */
#ifndef BLKPR_FENCER_H
#define BLKPR_FENCER_H

#include <stdint.h>
#include <sys/types.h>

/* A process that asks. */
struct fencer_question {
	pid_t pid;
	int answer; /* its end of a pipe, -1: none */
};

/* Begins to ask when and by whom NODE was last fenced; waits for nothing. End it with fencer_answer(). */
struct fencer_question fencer_ask(const char *node);

/*
 * Says in TEXT what has come of it by DEADLINE (blkpr_clock_ms()): a fencing, as far as the fencer remembers; that there was
 * none; or why it cannot be asked.
 */
void fencer_answer(const struct fencer_question *question, const char *node, int64_t deadline,
	char *text, unsigned size);

#endif
