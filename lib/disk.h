/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the protocols see a disk: a few calls, each settled (repeated while that makes sense) before
 * it returns.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/device.h"
#include "lib/host.h"
#include "lib/prin.h"
#include "lib/report.h"

struct blkpr_disk;

/* The same protocol code runs on a block device, on scripted replies and on a model disk. */
struct blkpr_disk_ops {
	enum blkpr_result (*read)(struct blkpr_disk *disk, struct blkpr_report *report);
	/*
	 * REGISTER by one path: NEW_KEY (0: none) in place of OLD_KEY (0: none; on NVMe also key
	 * 0). BLKPR_CONFLICT, and nothing changes, if the nexus has another key than that;
	 * lib/nexus.h is who calls this.
	 */
	enum blkpr_result (*register_key)(struct blkpr_disk *disk, unsigned path, uint64_t old_key, uint64_t new_key);
	/*
	 * The keys that the target has from whomever it takes for this node by PATH, into REPORT,
	 * which is filled with keys alone: of this iSCSI initiator name, of this NVMe host.
	 * BLKPR_UNSUPPORTED: that cannot be told.
	 */
	enum blkpr_result (*keys_of_self)(struct blkpr_disk *disk, unsigned path, struct blkpr_report *report);
	/*
	 * How many paths do not answer while others do; what is each path's own is not sent by
	 * these. Takes a second if there are any, once for an action: who will need that on many
	 * disks asks where they are worked on at once.
	 */
	unsigned (*silent)(struct blkpr_disk *disk);
	/*
	 * BLKPR_CONFLICT: the device refuses the writes of this path. Changes nothing
	 * (lib/probe.h).
	 */
	enum blkpr_result (*may_write)(struct blkpr_disk *disk, unsigned path);
	enum blkpr_result (*reserve)(struct blkpr_disk *disk, uint64_t own, enum pr_type type);
	enum blkpr_result (*preempt_abort)(
		struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type);
	enum blkpr_result (*release)(struct blkpr_disk *disk, uint64_t own, enum pr_type type);
	enum blkpr_result (*unregister)(struct blkpr_disk *disk, uint64_t own);
	/*
	 * How far a LUN RESET gets, by the path where it gets farthest, and that path's DRIVER ("":
	 * not known). Sends nothing.
	 */
	enum blkpr_reach (*reach)(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE]);
	/*
	 * Ends every command in flight, of all initiators: LUN RESET, by a path where it gets as
	 * far as LEAST.
	 */
	enum blkpr_result (*drain)(struct blkpr_disk *disk, enum blkpr_reach least);
	/* How many initiators are registered with KEY; BLKPR_UNSUPPORTED: that cannot be told. */
	enum blkpr_result (*initiators)(struct blkpr_disk *disk, uint64_t key, unsigned *initiators);
	enum blkpr_result (*capabilities)(struct blkpr_disk *disk, struct blkpr_capabilities *capabilities);
};

struct blkpr_disk {
	const struct blkpr_disk_ops *ops;
	int64_t deadline; /* blkpr_clock_ms(); no call is repeated past it */
	unsigned paths;   /* by which register_key and may_write can be asked for, at least 1 */
	pid_t parent;     /* of a worker: whom it works for; 0: nobody */
};

/*
 * Whether a worker has nothing to do on the disk any more: its parent is gone, or the time is over.
 * It is killed then, but a kernel may forget that: libiscsi's wait for a LUN RESET throws pending
 * signals away (iscsi_exec_task_mgmt_fn). So a protocol asks before each command that changes the
 * disk: what it was told to do may be wrong by now, since the victim may be back.
 */
bool blkpr_disk_over(const struct blkpr_disk *disk);
