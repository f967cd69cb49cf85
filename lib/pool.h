/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pool: a process that can be left behind, and in it worker threads, each on a device at a
 * time. For lib/fleet.c, which is its parent.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/verdict.h"

/*
 * The first three are the caller's, and stay as they are until the fleet is stopped; so is the
 * fourth, which may change between two runs; the rest is zero at first.
 */
struct blkpr_fleet {
	unsigned parallel; /* workers at a time, at least 1; one that has stalled does not count */
	unsigned count;    /* devices, at most, that a run works on */
	void *context;     /* of the jobs, as it is when the first run begins */
	int64_t answer_by; /* a run is over then if no device has answered; 0: never */

	struct blkpr_board *board; /* shared with the pool */
	pid_t pool;                /* 0: there is none */
	int line;                  /* to the pool */
};

/*
 * Works on device INDEX, in a thread of the pool, which is a process besides the caller's, until
 * DEADLINE; leaves what it finds in VERDICT as it goes. No worker sees what another one does,
 * unless by CONTEXT.
 */
typedef void (*blkpr_fleet_job)(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict);

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

/*
 * Works on what the board has, reports by LINE, and waits there for the next run, until PARENT
 * ends.
 */
_Noreturn void blkpr_pool_run(const struct blkpr_fleet *fleet, int line, pid_t parent);
