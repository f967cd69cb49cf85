/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disks that a run is about: their names, what is recorded of them, what to do there, and what
 * came of it.
 */
#pragma once

#include "agents/common/coverage.h"
#include "agents/common/keyring.h"
#include "lib/list.h"
#include "lib/work.h"

struct disks {
	struct blkpr_list list;
	struct coverage coverage;      /* that this node has registered on */
	struct blkpr_error incomplete; /* "": LIST has all of them; else why it may not */
	struct blkpr_target *targets;  /* the devices of LIST to work on, in its order */
	struct blkpr_verdict *verdicts;
	unsigned ntargets;
};

/* Everything here reads only. 0, or -errno with text. */

/* Reads the coverage. */
int disks_load_coverage(struct disks *disks, int64_t deadline, struct blkpr_error *error);

/*
 * Adds to the list the disks of the coverage that are not in it yet: by the name that each had
 * last, or wherever its identity is found; else as absent. 0, or -ENOMEM with text.
 */
int disks_add_covered(struct disks *disks, struct blkpr_error *error);

/*
 * Puts the list in order, and makes room for targets and verdicts; the targets are all of its
 * devices.
 */
int disks_settle(struct disks *disks, struct blkpr_error *error);

/* What is recorded of target I; NULL: nothing. */
const struct registration *disks_record(const struct disks *disks, unsigned i);

/* target.own of I: an explicit key that `on` recorded wins over the derived one, which is told. */
int disks_find_own(struct disks *disks, const struct keyring *keys, unsigned i,
	struct blkpr_error *error);

bool disks_all_ok(const struct disks *disks);

void disks_clear(struct disks *disks);
