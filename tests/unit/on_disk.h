/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fencing protocols on a disk where this node has the key OWN, and nothing is special. */
#ifndef ON_DISK_H
#define ON_DISK_H

#include "lib/fence.h"

static inline void on_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	const struct blkpr_target target = {
		.own = own, .recorded = true, .former = fence->others.former
	};

	blkpr_fence_on_disk(fence, &target, disk, verdict);
}

static inline void off_disk(const struct blkpr_fence *fence, uint64_t own, struct blkpr_disk *disk,
	struct blkpr_verdict *verdict)
{
	blkpr_fence_off_disk(fence, &(struct blkpr_target){ .own = own }, disk, verdict);
}

static inline void status_disk(const struct blkpr_fence *fence, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	blkpr_fence_status_disk(fence, &(struct blkpr_target){ .own = own }, disk, verdict);
}

/* PATHS: registrations that own should have. */
static inline void monitor_disk(const struct blkpr_fence *fence, uint64_t own, unsigned paths,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	const struct blkpr_device device = { .paths = paths };
	const struct blkpr_target target = { .own = own, .device = &device };

	blkpr_fence_monitor_disk(fence, &target, disk, verdict);
}

static inline void nexus_disk(const struct blkpr_fence *fence, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	blkpr_fence_nexus_disk(fence, &(struct blkpr_target){ .own = own }, disk, verdict);
}

#endif
