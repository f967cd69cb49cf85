/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the protocols see a disk: four calls, each settled (repeated while that makes sense) before it returns. */
#ifndef BLKPR_DISK_H
#define BLKPR_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/device.h"
#include "lib/prin.h"
#include "lib/report.h"

struct blkpr_disk;

/* The same protocol code runs on a block device, on scripted replies and on a model disk. */
struct blkpr_disk_ops {
	enum blkpr_result (*read)(struct blkpr_disk *disk, struct blkpr_report *report);
	enum blkpr_result (*register_key)(struct blkpr_disk *disk, uint64_t old_key, uint64_t new_key);
	enum blkpr_result (*reserve)(struct blkpr_disk *disk, uint64_t own, enum pr_type type);
	enum blkpr_result (*preempt_abort)(
		struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type);
	enum blkpr_result (*capabilities)(struct blkpr_disk *disk, struct blkpr_capabilities *capabilities);
};

struct blkpr_disk {
	const struct blkpr_disk_ops *ops;
	int64_t deadline; /* blkpr_clock_ms(); no call is repeated past it */
};

/* A block device as a disk. */
struct blkpr_block_disk {
	struct blkpr_disk disk;
	struct blkpr_port port;
	enum blkpr_transport transport;
};

/*
 * Opens DEVICE. Returns BLKPR_OK, and the caller closes with blkpr_disk_close(); else nothing is open.
 * Calls on the disk: a unit attention is worth five tries, BUSY and passing path failures are repeated
 * until the deadline; CONFLICT comes back at once. register_key always ignores an existing key.
 */
enum blkpr_result blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline);
void blkpr_disk_close(struct blkpr_block_disk *block);

#endif
