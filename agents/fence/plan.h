/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From parameters to what there is to do: devices, cluster, keys. */
#pragma once

#include "agents/fence/fencing.h"

/* Adds to the list what the parameter devices names, or without it LVM. 0, or -errno with text. */
int plan_add_devices(struct fencing *fencing, struct blkpr_error *error);

/*
 * Devices, cluster, keys: what off, status and monitor start from. All victims, before any disk is
 * touched. 0, or -errno with text.
 */
int plan_make(struct fencing *fencing, struct blkpr_error *error);

/* Turns to one victim. */
void plan_turn_to(struct fencing *fencing, const struct victim *victim);

/* Before keys are evicted, or taken for nobody's: they may be remote nodes'. */
void plan_know_remotes(struct fencing *fencing);

/*
 * Whether it is worth looking again: the keys that nobody has may be remote nodes', which are
 * looked up only then, since to ask Pacemaker costs more than a fencing.
 */
bool plan_learned_remotes(struct fencing *fencing);
