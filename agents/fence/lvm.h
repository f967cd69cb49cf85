/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks of shared and clustered volume groups, as LVM tells them. */
#pragma once

#include <stdint.h>

#include "lib/list.h"

/* Adds them to LIST. 0 (also if there are none), or -errno with text. */
int lvm_add_shared(
	const char *vgs, int64_t deadline, struct blkpr_list *list, struct blkpr_error *error);
