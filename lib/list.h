/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A list of devices: from the names that a user gives to distinct disks in an order that every node
 * shares.
 */
#pragma once

#include "lib/device.h"

struct blkpr_list {
	struct blkpr_device *devices;
	unsigned count;
	/* Whether a name or a glob that stands for no disk (any more) means a known one; NULL: none
	 * does. */
	bool (*is_known)(const void *context, const char *name);
	const void *context; /* of it */
	unsigned absent;     /* how many such names there were */
};

/*
 * Adds every device that SPEC names: names separated by commas or white space, shell globs, and
 * @FILE with the same in a file ('#' starts a comment). Partitions that a glob matches are passed
 * over, since a glob means disks; a glob that matches nothing is an error, unless it is known. 0,
 * or -errno with text.
 */
int blkpr_list_add(struct blkpr_list *list, const char *spec, struct blkpr_error *error);

/* Adds every disk that the kernel has and that can have reservations; a map for its paths. */
void blkpr_list_scan(struct blkpr_list *list);

/* Adds a disk that is known and not there. 0, or -ENOMEM. */
int blkpr_list_add_absent(struct blkpr_list *list, const char *name, const char *wwid);

/* Moves DEVICE to the end of LIST, and leaves it empty. 0, or -ENOMEM. */
int blkpr_list_move(struct blkpr_list *list, struct blkpr_device *device);

/* The device with that identity, NULL: none. */
const struct blkpr_device *blkpr_list_find(const struct blkpr_list *list, const char *wwid);

/*
 * Orders by identity, the same on every node, and merges several names of one device into one.
 * Devices that report one identity and are not one device stay, next to each other: they may be
 * paths of one disk, or disks (S9).
 */
void blkpr_list_settle(struct blkpr_list *list);

void blkpr_list_clear(struct blkpr_list *list);
