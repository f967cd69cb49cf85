/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of devices: from the names that a user gives to distinct disks in an order that every node shares. */
#ifndef BLKPR_LIST_H
#define BLKPR_LIST_H

#include "lib/device.h"

struct blkpr_list {
	struct blkpr_device *devices;
	unsigned count;
};

/*
 * Adds every device that SPEC names: names separated by commas or white space, shell globs, and @FILE
 * with the same in a file ('#' starts a comment). Partitions that a glob matches are passed over, since
 * a glob means disks; a glob that matches nothing is an error. 0, or -errno with text.
 */
int blkpr_list_add(struct blkpr_list *list, const char *spec, struct blkpr_error *error);

/* Orders by identity, the same on every node, and merges several names of one disk into one. */
void blkpr_list_settle(struct blkpr_list *list);

void blkpr_list_clear(struct blkpr_list *list);

#endif
