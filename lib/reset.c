// SPDX-License-Identifier: LGPL-2.1-or-later
// LOGICAL UNIT RESET: how far it gets, and by which path.
#include "lib/reset.h"

#include <errno.h>
#include <scsi/sg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/clock.h"
#include "lib/turn.h"

#ifndef SG_SCSI_RESET_NO_ESCALATE
#define SG_SCSI_RESET_NO_ESCALATE 0x100
#endif
#define RESET_PAUSE_MS 100

/*
 * EIO says that the reset failed, for whatever reason. The three others are never given
 * (scsi_ioctl_reset); whatever they mean, nothing has ended (S1). EAGAIN is for O_NONBLOCK while
 * the host is busy with another.
 */
static enum blkpr_result reset_lun(int fd)
{
	int operation = SG_SCSI_RESET_DEVICE | SG_SCSI_RESET_NO_ESCALATE;

	if (!ioctl(fd, SG_SCSI_RESET, &operation))
		return BLKPR_OK;
	if (errno == EIO || errno == EINVAL || errno == ENOTTY || errno == EOPNOTSUPP)
		return BLKPR_UNDRAINED;
	return blkpr_result_from_errno(errno);
}

static enum blkpr_reach reach_by_fd(int fd, char driver[BLKPR_DRIVER_SIZE])
{
	unsigned host;

	*driver = '\0';
	return blkpr_host_of(fd, &host) ? BLKPR_REACH_UNKNOWN : blkpr_host_reach(host, driver);
}

static enum blkpr_reach reach_by_name(const char *path, char driver[BLKPR_DRIVER_SIZE])
{
	unsigned host;

	*driver = '\0';
	return blkpr_host_of_disk(path, &host) ? BLKPR_REACH_UNKNOWN
					       : blkpr_host_reach(host, driver);
}

/* The paths of a map may have different drivers. They are asked by name: to open one may block. */
enum blkpr_reach blkpr_reset_reach(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE])
{
	const struct blkpr_block_disk *block = blkpr_path_block_of(disk);
	enum blkpr_reach best = BLKPR_REACH_NONE;

	*driver = '\0';
	if (block->port.kind == BLKPR_NVME)
		return BLKPR_REACH_NVME;
	if (!block->device->multipath)
		return reach_by_fd(block->port.fd, driver);
	for (unsigned i = 0; i < block->device->npaths; i++) {
		char name[BLKPR_DRIVER_SIZE] = "";
		enum blkpr_reach reach = reach_by_name(block->device->path_names[i], name);

		if (i && reach <= best)
			continue;
		best = reach;
		memcpy(driver, name, sizeof(name));
	}
	return best;
}

/*
 * Turns to a path by which a LUN RESET gets as far as LEAST, and that has answered; false: there is
 * none.
 */
static bool turn_to_reaching_path(struct blkpr_block_disk *block, enum blkpr_reach least)
{
	char driver[BLKPR_DRIVER_SIZE];

	for (unsigned i = 0; i < block->device->npaths && blkpr_path_be_ready(block) == BLKPR_OK; i++) {
		if (reach_by_fd(block->port.fd, driver) >= least)
			return true;
		blkpr_path_step_aside(block);
	}
	return false;
}

/*
 * A reset fails, quickly or not, while the driver is at another one, aborts a command, or logs in
 * again (drivers/scsi/libiscsi.c: iscsi_eh_device_reset). It is worth repeating, by another path if
 * there is one.
 */
static bool reset_again(struct blkpr_block_disk *block, enum blkpr_result result)
{
	if (result != BLKPR_UNDRAINED || blkpr_clock_ms() + LAST_WORD_MS >= block->disk.deadline)
		return false;
	blkpr_clock_pause(RESET_PAUSE_MS, block->disk.deadline);
	blkpr_path_step_aside(block);
	return !blkpr_disk_over(&block->disk);
}

static enum blkpr_result reset_in_turn(struct blkpr_block_disk *block, enum blkpr_reach least)
{
	enum blkpr_result result;
	void *turn;

	if (block->device->multipath && !turn_to_reaching_path(block, least))
		return BLKPR_UNDRAINED;
	turn = blkpr_turn_take(block->port.fd);
	result = reset_lun(block->port.fd);
	blkpr_turn_pass(turn);
	return result;
}

enum blkpr_result blkpr_reset_drain(struct blkpr_disk *disk, enum blkpr_reach least)
{
	struct blkpr_block_disk *block = blkpr_path_block_of(disk);
	struct blkpr_patience patience = { 0 };
	enum blkpr_result result;

	if (block->port.kind == BLKPR_NVME)
		return BLKPR_UNDRAINED;
	do
		result = reset_in_turn(block, least);
	while (blkpr_path_settle(block, &result, &patience) || reset_again(block, result));
	return result;
}
