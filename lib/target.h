/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One device to work on, and what to do there. */
#pragma once

#include "lib/disk.h"
#include "lib/verdict.h"

struct blkpr_fence;

/* One device to work on, and the key that this node has there. */
struct blkpr_target {
	const struct blkpr_device *device;
	uint64_t own;
	bool keep; /* blkpr_hold_leave(): the registration was there before, and stays */
	bool recorded; /* blkpr_fence_on(): own was registered there for this very Pacemaker */
	uint64_t former; /* blkpr_fence_on(): what this node had there by its own record; 0:
			    nothing */
	const struct blkpr_fence *fence; /* lib/fence.h: what to do here; NULL: as on all */
	bool open; /* blkpr_fence_off(): as in the verdict of a call before, of the same action */
};

/* Runs in a worker, one of several threads, on an open disk; leaves its result in VERDICT. */
typedef void blkpr_protocol(const void *context, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict);

struct blkpr_work {
	blkpr_protocol *protocol;
	blkpr_protocol *proof; /* of blkpr_work_race(): what the arbiter is asked when all are done;
				  NULL: nothing */
	const void *context;   /* of both, shared by the workers */
	bool in_vain; /* of blkpr_work_race(): worth doing on the others where the first one
			 fails */
	unsigned parallel;     /* devices at a time */
	int64_t deadline;      /* blkpr_clock_ms(): both functions return by then */
};
