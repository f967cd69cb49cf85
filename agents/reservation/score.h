/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The promotion score of this node's instance, by the disks' verdicts; of a promotable clone only.
 */
#pragma once

#include "agents/reservation/judge.h"

/*
 * Tells the cluster. A change that would move the promoted role has to last for master_score_delay.
 * True: what is to be remembered has changed.
 */
bool score_update(struct resource *resource, judge *good);

void score_delete(const struct resource *resource);
