/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The disk that is a block device. */
#pragma once

#include "lib/path.h"

/*
 * Opens DEVICE; of a map, the path that has answered before if that can be had (device.learned).
 * Returns BLKPR_OK, and the caller closes with blkpr_disk_close(), which remembers what was learned
 * of the paths; else nothing is open. Calls on the disk: unit attentions, BUSY, a device that is
 * not ready, and passing path failures are repeated until shortly before the deadline, but for
 * preempt_abort, whose caller must look at the disk before each attempt; CONFLICT comes back at
 * once.
 *
 * A multipath map is worked on by its paths: REGISTER goes to the one that is meant (sent to the
 * map, it would unregister the good paths when one is bad, KERNEL.md trap 4). RELEASE, which only
 * the path that reserved can do, and the end of a registration, each of which is one path's, go to
 * each one, and succeed if they do on one. Everything else goes to one path, and to the next one if
 * that fails.
 *
 * A path that hangs: a read that is not answered at once is asked of all other paths, too, and the
 * first answer counts; it is as fresh as any, since it was asked for after the call. A command that
 * changes the disk is sent once, by a path that has answered a read just before, and if it hangs
 * nevertheless it is not sent by another one: it may still be done.
 */
enum blkpr_result blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline);
void blkpr_disk_close(struct blkpr_block_disk *block);
