/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pool: a process that can be left behind, and in it worker threads, each on a device at a time.
 * For lib/fleet.c, which is its parent.
 */
#ifndef BLKPR_POOL_H
#define BLKPR_POOL_H

#include <stdatomic.h>

#include "lib/fleet.h"

/* A device's in a run, seen by the parent. */
struct blkpr_slot {
	unsigned index; /* of the device */
	struct blkpr_verdict verdict;
	_Atomic int64_t started; /* blkpr_clock_ms(); 0: not yet */
	atomic_bool done;
};

/* What the pool shares with the parent: a run. */
struct blkpr_board {
	blkpr_fleet_job job;
	int64_t deadline;
	unsigned count;
	atomic_int error; /* -errno: no worker could be run */
	struct blkpr_slot slots[];
};

/* Works on what the board has, reports by LINE, and waits there for the next run, until PARENT ends. */
_Noreturn void blkpr_pool_run(const struct blkpr_fleet *fleet, int line, pid_t parent);

#endif
