/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks that come late: at boot, later than Pacemaker. */
#pragma once

#include "agents/fence/fencing.h"

/*
 * plan_add_devices() for `on`, repeated while disks are missing. What devices names is worth three
 * quarters of the time, since without it nothing can be done, and Pacemaker gives up after a number
 * of failures; what only a glob does not match yet half of it. 0, or -errno with text.
 */
int late_wait_for_devices(struct fencing *fencing, struct blkpr_error *error);
