/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cluster's fencer knows: a hint, never a proof. The only part that knows libstonithd. */
#ifndef BLKPR_FENCER_H
#define BLKPR_FENCER_H

#include <time.h>

/*
 * When NODE was last fenced, as far as the fencer remembers; 0: it was not; -1: the fencer cannot be asked. TEXT says so, and
 * by whom, or why. Waits two seconds at most.
 */
time_t fencer_history(const char *node, char *text, unsigned size);

#endif
