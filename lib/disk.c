// SPDX-License-Identifier: LGPL-2.1-or-later
// The disk that is a block device: commands and reads, repeated where a repeat is right.
#include "lib/disk.h"

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

static enum blkpr_result block_register(struct blkpr_disk *disk, uint64_t old_key, uint64_t new_key)
{
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = blkpr_command_register(&block_of(disk)->port, old_key, new_key, true);
	while (again(&patience, &result, disk));
	return result;
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
	};
	return BLKPR_OK;
}

void blkpr_disk_close(struct blkpr_block_disk *block)
{
	close(block->port.fd);
}
