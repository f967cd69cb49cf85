/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a node that was evicted may be registered again (S1). A cluster unfences a node that it
 * has fenced a moment ago if that is a member still, because its controller hangs, or has not read
 * yet that it was fenced, or has been started anew. But what the node ran runs on, and elsewhere,
 * too. So a key that `on` registered for this very Pacemaker, and that is gone, is not registered
 * again at once.
 */
#pragma once

#include "agents/fence/fencing.h"

/* target.recorded and former, by what `on` has recorded. */
void unfencing_find_recorded(struct fencing *fencing);

/*
 * Whether the cluster knows what this node runs: its controller has run for longer than AGE
 * seconds, and answers. One that is told of a fencing of its node ends at once, and the fencer
 * tells it before it unfences, so one that was hung ends instead. 0, or -errno with text.
 */
int unfencing_check_controller(struct fencing *fencing, long age, struct blkpr_error *error);

/* blkpr_fence_on(), once more where the cluster has taken this node back. */
int unfencing_register_all(struct fencing *fencing);
