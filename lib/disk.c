// SPDX-License-Identifier: LGPL-2.1-or-later
// What is the same of every disk.
#include "lib/disk.h"

#include <unistd.h>

#include "lib/clock.h"

bool blkpr_disk_over(const struct blkpr_disk *disk)
{
	return disk->parent && (getppid() != disk->parent || blkpr_clock_ms() >= disk->deadline);
}
