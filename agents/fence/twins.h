/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that report one identity without being one device (S9): paths of one disk without a map,
 * or two disks whose target gives both one WWID. Each is worked on as a target of its own; where
 * they are two disks, nothing succeeds.
 */
#pragma once

#include "agents/fence/fencing.h"

/* Whether TARGET I reports the identity of the one before it. */
bool twins_is_second(const struct fencing *fencing, unsigned i);

/*
 * For `on`, before the other targets: registers this node by the first of each, and looks for that
 * by the others. 0: one disk each, or there are none. -EXDEV with text: two disks, which are as
 * they were. -EIO with text: that cannot be told, or not undone.
 */
int twins_prove(struct fencing *fencing, struct blkpr_error *error);

/* For what changes nothing more. 0: what they show is the same; -EXDEV, -EIO with text as above. */
int twins_compare(struct fencing *fencing, struct blkpr_error *error);
