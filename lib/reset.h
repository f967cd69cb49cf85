/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* LOGICAL UNIT RESET of a block disk: reach and drain of its struct blkpr_disk_ops. */
#pragma once

#include "lib/path.h"

enum blkpr_reach blkpr_reset_reach(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE]);
enum blkpr_result blkpr_reset_drain(struct blkpr_disk *disk, enum blkpr_reach least);
