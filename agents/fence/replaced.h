/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unknown keys that `on` has replaced in this node's own nexus (S10): if one was another host's,
 * that it is not registered any more does not say that the host is off. Kept with the records under
 * /run.
 */
#pragma once

#include "agents/fence/fencing.h"

/* Takes down what the verdicts of `on` have replaced. 0, or -errno with text. */
int replaced_remember(const struct fencing *fencing, struct blkpr_error *error);

/*
 * Of a run of off or status that is over: BLKPR_REPLACED for a disk where the victim's key was not
 * seen and this node has replaced it. Where it was seen, it stands for another nexus by now, and
 * that it was replaced once is forgotten.
 */
void replaced_judge(struct fencing *fencing);
