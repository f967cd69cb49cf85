/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A shared disk: what a name stands for, and an identity that is the same on every node. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"
#include "lib/result.h"

/* What those who worked on a map have found out about its paths. */
struct blkpr_learned {
	unsigned path;   /* by which it has answered */
	uint64_t silent; /* paths that do not answer, a bit each */
};

struct blkpr_device {
	char *name;     /* as the user wrote it */
	char *path;     /* the node to open: the disk itself, or the multipath map that its path
			   belongs to; NULL: not there */
	char *wwid;     /* identity, as multipath writes it ("36001405..."), or NVMe's ("eui...",
			   "uuid...") */
	dev_t number;   /* of PATH, 0: not there */
	enum blkpr_kind kind;
	bool multipath;
	bool unnamed;   /* no name that the user gave now stands for it: it is known otherwise */
	struct blkpr_learned *learned; /* of a map, owned; NULL: nothing is remembered */
	char (*path_names)[32]; /* of a map: kernel names of its paths ("sdb"), as many as `npaths`;
				   else NULL */
	unsigned npaths;
	unsigned paths; /* I_T nexuses that a REGISTER should reach now; 1 for NVMe, which registers
			   hosts */
};

/*
 * Finds out what NAME stands for, from stat() and sysfs alone: the device is neither opened nor
 * asked, so that a hung one does not block. On success the caller owns DEVICE (blkpr_device_clear).
 * Errors, all with text: -ENOENT no such file, -ENOTBLK no block device, -EPERM a partition (trap
 * 10), -EOPNOTSUPP a kind that has no persistent reservations, -ENODATA no identity, -ENOMEM.
 */
int blkpr_device_resolve(const char *name, struct blkpr_device *device, struct blkpr_error *error);

/*
 * The same below another sysfs directory of the block device (for tests); NUMBER is its device
 * number.
 */
int blkpr_device_inspect(const char *name, const char *sysfs, dev_t number,
	struct blkpr_device *device, struct blkpr_error *error);

/*
 * For whoever works on MAP next in this process. A path that was silent stays so: for the length of
 * an action.
 */
void blkpr_device_learn(const struct blkpr_device *map, unsigned path, uint64_t silent);

void blkpr_device_clear(struct blkpr_device *device);

/*
 * Opens PATH (O_RDONLY: enough for root, and udev does not re-probe the disk on close) and makes
 * sure that it still is the device that was resolved. Returns a descriptor or -errno. May block.
 */
int blkpr_device_open(const struct blkpr_device *device);

/*
 * The same for path I of a multipath map. -ENOLINK if it is not running (such a path fails, or
 * blocks until it is given up), -ENODEV if its name stands for another disk by now.
 */
int blkpr_device_open_path(const struct blkpr_device *map, unsigned i);
