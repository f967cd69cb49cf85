/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fence_blkpr can be asked to do. */
#pragma once

#include "agents/fence/fencing.h"

struct action {
	const char *name;
	unsigned needs; /* of the ACTION_ flags */
	enum outcome (*run)(struct fencing *fencing);
};

#define ACTION_ROOT 1U    /* works on disks */
#define ACTION_NODE 2U    /* needs plug or key */
#define ACTION_DELAY 4U   /* waits for delay first */
#define ACTION_BARE 8U    /* needs no parameter to be good */

/* The action of that name or alias, NULL: none. */
const struct action *action_find(const char *name);

/* All names for an error message: "on, off, ...". */
const char *action_names(void);

/* The action `on`: on.c. */
enum outcome act_on(struct fencing *fencing);
