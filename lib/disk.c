// SPDX-License-Identifier: LGPL-2.1-or-later
// The disk that is a block device: commands and reads, repeated where a repeat is right.
#include "lib/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/clock.h"

#define MOST_ATTENTIONS 5 /* queued unit attentions are reported one a command (SAM-5 5.14) */
#define FIRST_PAUSE_MS 5
#define LONGEST_PAUSE_MS 250

struct patience {
	unsigned attentions;
	int64_t pause_ms;
};

/*
 * Whether RESULT is worth another try. Repeating a command is safe although trap 7 and trap 15 know
 * commands that failed and took effect: the protocols conclude from reading, never from a status.
 */
static bool again(struct patience *patience, enum blkpr_result *result, const struct blkpr_disk *disk)
{
	if (*result == BLKPR_ATTENTION) {
		if (++patience->attentions < MOST_ATTENTIONS)
			return true;
		*result = BLKPR_IO_ERROR;
		return false;
	}
	if (*result != BLKPR_BUSY || blkpr_clock_ms() >= disk->deadline)
		return false;
	patience->pause_ms = patience->pause_ms ? 2 * patience->pause_ms : FIRST_PAUSE_MS;
	if (patience->pause_ms > LONGEST_PAUSE_MS)
		patience->pause_ms = LONGEST_PAUSE_MS;
	blkpr_clock_pause(patience->pause_ms, disk->deadline);
	return true;
}

static struct blkpr_block_disk *block_of(struct blkpr_disk *disk)
{
	return (struct blkpr_block_disk *)disk; /* its first member */
}

static enum blkpr_result block_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	struct blkpr_block_disk *block = block_of(disk);
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = blkpr_report_read(&block->port, &block->transport, report);
	while (again(&patience, &result, disk));
	return result;
}

static enum blkpr_result register_path(
	const struct blkpr_disk *disk, const struct blkpr_port *port, uint64_t old_key, uint64_t new_key)
{
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = blkpr_command_register(port, old_key, new_key, true);
	while (again(&patience, &result, disk));
	return result;
}

/* A path that is not running would fail, or block until it is given up (drivers/scsi/scsi_sysfs.c). */
static bool path_is_running(const char *name)
{
	char path[128], state[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/device/state", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true; /* NVMe has no such attribute */
	if (read(fd, state, sizeof(state) - 1) < 0)
		state[0] = '\0';
	close(fd);
	return !strncmp(state, "running", 7);
}

static enum blkpr_result register_path_by_name(
	struct blkpr_block_disk *block, const char *name, uint64_t old_key, uint64_t new_key)
{
	struct blkpr_port port = { .kind = block->port.kind };
	enum blkpr_result result;
	char path[64];

	if (!path_is_running(name))
		return BLKPR_PATH_FAILED;
	snprintf(path, sizeof(path), "/dev/%s", name);
	port.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (port.fd < 0)
		return blkpr_result_from_errno(errno);
	result = register_path(&block->disk, &port, old_key, new_key);
	close(port.fd);
	return result;
}

static enum blkpr_result block_register(struct blkpr_disk *disk, uint64_t old_key, uint64_t new_key)
{
	struct blkpr_block_disk *block = block_of(disk);
	enum blkpr_result worst = BLKPR_PATH_FAILED;
	bool done = false;

	if (!block->device || !block->device->multipath)
		return register_path(disk, &block->port, old_key, new_key);
	for (unsigned i = 0; i < block->device->npaths; i++) {
		enum blkpr_result result =
			register_path_by_name(block, block->device->path_names[i], old_key, new_key);

		if (result == BLKPR_OK)
			done = true;
		else
			worst = result;
	}
	return done ? BLKPR_OK : worst;
}

static enum blkpr_result block_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = blkpr_command_reserve(&block_of(disk)->port, own, type);
	while (again(&patience, &result, disk));
	return result;
}

static enum blkpr_result block_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = blkpr_command_preempt(&block_of(disk)->port, own, victim, type, true);
	while (result == BLKPR_ATTENTION && again(&patience, &result, disk));
	return result;
}

#ifndef SG_SCSI_RESET_NO_ESCALATE
#define SG_SCSI_RESET_NO_ESCALATE 0x100
#endif
#define REFUSED_AT_ONCE_MS 50

/*
 * A driver without a LUN RESET and one whose reset failed both answer EIO (drivers/scsi/scsi_error.c). One
 * that has none says so at once; one that waits for commands which do not end takes its time.
 */
static enum blkpr_result block_drain(struct blkpr_disk *disk)
{
	int operation = SG_SCSI_RESET_DEVICE | SG_SCSI_RESET_NO_ESCALATE;
	int64_t started = blkpr_clock_ms();

	if (block_of(disk)->port.kind == BLKPR_NVME)
		return BLKPR_UNSUPPORTED;
	if (!ioctl(block_of(disk)->port.fd, SG_SCSI_RESET, &operation))
		return BLKPR_OK;
	return blkpr_clock_ms() - started < REFUSED_AT_ONCE_MS ? BLKPR_UNSUPPORTED : BLKPR_UNDRAINED;
}

static enum blkpr_result block_initiators(struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	struct patience patience = { 0 };
	enum blkpr_result result;

	*initiators = 0;
	if (block_of(disk)->port.kind == BLKPR_NVME)
		return BLKPR_UNSUPPORTED;
	do
		result = blkpr_prin_read_initiators(&block_of(disk)->port, key, initiators);
	while (again(&patience, &result, disk));
	return result;
}

/* NVMe has no such report; it is not asked. */
static enum blkpr_result block_capabilities(
	struct blkpr_disk *disk, struct blkpr_capabilities *capabilities)
{
	struct patience patience = { 0 };
	enum blkpr_result result;

	*capabilities = (struct blkpr_capabilities){ 0 };
	if (block_of(disk)->port.kind == BLKPR_NVME)
		return BLKPR_OK;
	do
		result = blkpr_prin_read_capabilities(&block_of(disk)->port, capabilities);
	while (again(&patience, &result, disk));
	return result;
}

static const struct blkpr_disk_ops block_ops = {
	.read = block_read,
	.register_key = block_register,
	.reserve = block_reserve,
	.preempt_abort = block_preempt_abort,
	.drain = block_drain,
	.initiators = block_initiators,
	.capabilities = block_capabilities,
};

enum blkpr_result blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline)
{
	int fd = blkpr_device_open(device);

	if (fd < 0)
		return blkpr_result_from_errno(-fd);
	*block = (struct blkpr_block_disk){
		.disk = { .ops = &block_ops, .deadline = deadline },
		.port = { .fd = fd, .kind = device->kind },
		.device = device,
	};
	return BLKPR_OK;
}

void blkpr_disk_close(struct blkpr_block_disk *block)
{
	close(block->port.fd);
}
