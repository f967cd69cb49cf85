/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nodes that an action is about: from names to keys. */
#pragma once

#include "agents/fence/fencing.h"

/* All of them read only. 0, or -errno with text. */

/*
 * Pacemaker means nodename, and plug is what pcmk_host_map makes of that: a name that corosync has.
 * S1: of a map that leads to another node Pacemaker would believe that it has fenced the one that
 * it means.
 */
int victim_settle_names(struct fencing *fencing, struct blkpr_error *error);

/* The key of one node that off or status is about. */
int victim_find(struct fencing *fencing, struct victim *victim, struct blkpr_error *error);

/* A node cannot fence itself. */
int victim_check_not_self(const struct fencing *fencing, const struct victim *victim,
	struct blkpr_error *error);

/* A key alone does not say whose the keys on other fence devices' disks are. */
int victim_check_named(const struct fencing *fencing, const struct victim *victim,
	struct blkpr_error *error);

/* NAME is this node. Without corosync the host's name has to do. */
int victim_check_local(struct fencing *fencing, const char *name, struct blkpr_error *error);
