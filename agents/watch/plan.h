/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to look at: the disks that `on` has recorded, and the cluster's keys. In a worker's
 * process.
 */
#pragma once

#include "agents/common/disks.h"

struct watch_plan {
	struct keyring keys;    /* what corosync said last: it may be down since */
	int64_t keys_until;     /* blkpr_clock_ms(): then it is asked again */
	struct disks disks;
	bool made;
	int64_t until;
	struct timespec changed; /* the directory of records, when it was read */
};

/* Zero at first, but for this. */
#define WATCH_PLAN { .keys.cluster.local = -1 }

/*
 * Reads anew what may have changed. 0; -errno with text: there is no plan, and nothing may be
 * concluded.
 */
int watch_plan_refresh(struct watch_plan *plan, struct blkpr_error *error);

/* What `on` of this boot recorded of disk I; NULL: nothing. */
const struct registration *watch_plan_record(const struct watch_plan *plan, unsigned i);

/*
 * Reads disk I, or with EVERY all disks after I, within 1.5 s. 0, or -errno: no worker could be
 * run.
 */
int watch_plan_read(const struct watch_plan *plan, unsigned i, bool every);
