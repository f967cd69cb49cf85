/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cluster's fencer knows: a hint for people, never a proof. The only part that knows libstonithd. */
#ifndef BLKPR_FENCER_H
#define BLKPR_FENCER_H

/*
 * Says in TEXT when and by whom NODE was last fenced, as far as the fencer remembers; that it was not; or why the
 * fencer cannot be asked. Waits two seconds at most.
 */
void fencer_history(const char *node, char *text, unsigned size);

#endif
