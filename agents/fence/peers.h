/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the other nodes cover the same disks (S9): by what the disks show, and by what the nodes
 * tell each other.
 */
#pragma once

#include "agents/fence/fencing.h"

/*
 * Tells the other nodes which disks this one covers, where Pacemaker runs: a number and a digest,
 * in a private attribute of the node, which is in no CIB and ends with the node's membership. What
 * fails costs nobody an action.
 */
void peers_publish(const struct fencing *fencing);

/*
 * After a monitor that has found all disks well. 0, or -EXDEV with text: a member of the cluster
 * is registered on some of the disks that devices names, and not on the others, and that stays so
 * for a while. That other nodes' digests differ is told in the log alone: they may cover more on
 * purpose. What cannot be compared (explicit keys, no corosync) is not.
 */
int peers_compare(struct fencing *fencing, struct blkpr_error *error);
