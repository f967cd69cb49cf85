/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person does when disks are taken away, or a cluster is taken apart (S9). Pacemaker never
 * asks for it.
 */
#pragma once

#include "agents/fence/fencing.h"

/* Takes the disks that devices names out of the set of this node. No disk is touched. */
enum outcome act_forget(struct fencing *fencing);

/*
 * Ends this node's registration on the disks of its set (only those that devices names, if it is
 * given), then forgets them. The reservation goes with the last registration: who holds it is
 * last.
 */
enum outcome act_release(struct fencing *fencing);
