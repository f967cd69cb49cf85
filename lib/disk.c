// SPDX-License-Identifier: LGPL-2.1-or-later
// The disk that is a block device: commands and reads, repeated where a repeat is right.
#include "lib/disk.h"

#include <errno.h>
#include <scsi/sg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/host.h"
#include "lib/initiator.h"
#include "lib/nvme.h"
#include "lib/probe.h"
#include "lib/turn.h"

#define MOST_ATTENTIONS 5 /* queued unit attentions are reported one a command (SAM-5 5.14) */
#define FIRST_PAUSE_MS 5
#define LONGEST_PAUSE_MS 250
#define LAST_WORD_MS 300 /* before the deadline: to say how it ended */

struct patience {
	unsigned attentions;
	bool unready; /* that is what the device was when it was asked last */
	int64_t pause_ms;
	unsigned tried; /* paths that have failed, since one was busy */
};

/*
 * Whether RESULT is a CHECK CONDITION worth another try at once. The fifth one is no unit attention: BLKPR_BUSY if
 * the device is not ready, else an error. Repeating a command is safe although trap 7 and trap 15 know commands that
 * failed and took effect: the protocols conclude from reading, never from a status.
 */
static bool attention(struct patience *patience, enum blkpr_result *result, const struct blkpr_port *port)
{
	if (*result != BLKPR_ATTENTION)
		return false;
	if (++patience->attentions < MOST_ATTENTIONS)
		return true;
	patience->attentions = 0;
	if (blkpr_prin_test_ready(port) == BLKPR_BUSY) {
		patience->unready = true;
		*result = BLKPR_BUSY;
		return false;
	}
	if (patience->unready) { /* it has become ready since the last try */
		patience->unready = false;
		return true;
	}
	*result = BLKPR_IO_ERROR;
	return false;
}

/* Whether RESULT is worth another try, after a pause if the device is busy. */
static bool again(struct patience *patience, enum blkpr_result *result, const struct blkpr_disk *disk,
	const struct blkpr_port *port)
{
	if (attention(patience, result, port))
		return true;
	if (*result != BLKPR_BUSY)
		return false;
	patience->pause_ms = patience->pause_ms ? 2 * patience->pause_ms : FIRST_PAUSE_MS;
	if (patience->pause_ms > LONGEST_PAUSE_MS)
		patience->pause_ms = LONGEST_PAUSE_MS;
	if (blkpr_clock_ms() + patience->pause_ms + LAST_WORD_MS >= disk->deadline)
		return false;
	blkpr_clock_pause(patience->pause_ms, disk->deadline);
	return !blkpr_disk_over(disk);
}

static struct blkpr_block_disk *block_of(struct blkpr_disk *disk)
{
	return (struct blkpr_block_disk *)disk; /* its first member */
}

/*
 * Turns to the next path of a map that can be opened. Commands and reads go to one path at a time, past the
 * map: dm would pick one itself, but tries no other one for SG_IO, and on 6.1 for most PR commands.
 */
static enum blkpr_result turn_to_next_path(struct blkpr_block_disk *block)
{
	const struct blkpr_device *device = block->device;
	enum blkpr_result worst = BLKPR_PATH_FAILED;

	for (unsigned step = 1; step <= device->npaths; step++) {
		unsigned i = (block->path + step) % device->npaths;
		int fd = blkpr_device_open_path(device, i);

		if (fd >= 0) {
			if (block->port.fd >= 0)
				close(block->port.fd);
			block->port.fd = fd;
			block->path = i;
			return BLKPR_OK;
		}
		worst = blkpr_result_from_errno(-fd);
	}
	return worst;
}

/* Whether RESULT speaks of the path rather than the disk, and another path could do better. */
static bool other_path(struct blkpr_block_disk *block, enum blkpr_result result, struct patience *patience)
{
	if (result != BLKPR_GONE && result != BLKPR_PATH_FAILED && result != BLKPR_IO_ERROR)
		return false;
	if (!block->device->multipath || ++patience->tried >= block->device->npaths)
		return false;
	return turn_to_next_path(block) == BLKPR_OK;
}

/* A map's path that stays busy, or not ready, is not waited for alone. */
static bool settle(struct blkpr_block_disk *block, enum blkpr_result *result, struct patience *patience)
{
	if (!again(patience, result, &block->disk, &block->port))
		return other_path(block, *result, patience);
	if (*result == BLKPR_BUSY) {
		patience->tried = 0;
		if (block->device->multipath && patience->pause_ms > FIRST_PAUSE_MS)
			turn_to_next_path(block);
	}
	return true;
}

static enum blkpr_result block_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	struct blkpr_block_disk *block = block_of(disk);
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = blkpr_report_read(&block->port, &block->transport, report);
	while (settle(block, &result, &patience));
	return result;
}

/* A nexus that came back is not registered; another path of the map may be. The caller looks, and repeats. */
static enum blkpr_result settle_conflict(struct blkpr_block_disk *block, enum blkpr_result result)
{
	if (result == BLKPR_CONFLICT && block->device->multipath)
		turn_to_next_path(block);
	return result;
}

/* A command that every nexus of this node has to send for itself. */
struct order {
	enum blkpr_result (*send)(const struct blkpr_port *port, const struct order *order);
	uint64_t old_key, new_key;
	enum pr_type type;
	struct blkpr_report *report;
};

static enum blkpr_result send_register(const struct blkpr_port *port, const struct order *order)
{
	enum blkpr_result result;

	if (!order->new_key)
		return blkpr_command_unregister(port, order->old_key);
	result = blkpr_command_register(port, order->old_key, order->new_key, false);
	if (result == BLKPR_CONFLICT && port->kind == BLKPR_NVME && !order->old_key)
		result = blkpr_nvme_replace_zero(port->fd, order->new_key);
	return result;
}

static enum blkpr_result send_probe(const struct blkpr_port *port, const struct order *order)
{
	(void)order;
	return blkpr_probe_writes(port);
}

static enum blkpr_result send_keys_of_self(const struct blkpr_port *port, const struct order *order)
{
	char name[BLKPR_INITIATOR_NAME];

	if (port->kind == BLKPR_NVME)
		return blkpr_nvme_read_keys_of_self(port, order->report);
	if (blkpr_initiator_name(port->fd, name))
		return BLKPR_UNSUPPORTED;
	return blkpr_prin_read_keys_of(port, name, order->report);
}

static enum blkpr_result send_release(const struct blkpr_port *port, const struct order *order)
{
	return blkpr_command_release(port, order->old_key, order->type);
}

static enum blkpr_result send_unregister(const struct blkpr_port *port, const struct order *order)
{
	return blkpr_command_unregister(port, order->old_key);
}

static enum blkpr_result send_by_nexus(
	const struct blkpr_disk *disk, const struct blkpr_port *port, const struct order *order)
{
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = order->send(port, order);
	while (again(&patience, &result, disk, port));
	return result;
}

/* Each path has its share of the time that is left, and so has what comes after them. */
static enum blkpr_result send_by_path(struct blkpr_disk *disk, unsigned path, const struct order *order)
{
	const struct blkpr_device *device = block_of(disk)->device;
	struct blkpr_port port = block_of(disk)->port;
	struct blkpr_disk hurried = *disk;
	enum blkpr_result result;

	if (!device->multipath)
		return send_by_nexus(disk, &port, order);
	hurried.deadline = disk->deadline - (disk->deadline - blkpr_clock_ms()) / (device->npaths - path + 1)
		* (device->npaths - path);
	port.fd = blkpr_device_open_path(device, path);
	if (port.fd < 0)
		return blkpr_result_from_errno(-port.fd);
	result = send_by_nexus(&hurried, &port, order);
	close(port.fd);
	return result;
}

/* BLKPR_OK if one of them did it. */
static enum blkpr_result send_by_all(struct blkpr_disk *disk, const struct order *order)
{
	enum blkpr_result worst = BLKPR_PATH_FAILED;
	bool done = false;

	for (unsigned i = 0; i < disk->paths; i++) {
		enum blkpr_result result = send_by_path(disk, i, order);

		if (result == BLKPR_OK)
			done = true;
		else
			worst = result;
	}
	return done ? BLKPR_OK : worst;
}

static enum blkpr_result block_register(struct blkpr_disk *disk, unsigned path, uint64_t old_key, uint64_t new_key)
{
	struct order order = { .send = send_register, .old_key = old_key, .new_key = new_key };

	return send_by_path(disk, path, &order);
}

static enum blkpr_result block_may_write(struct blkpr_disk *disk, unsigned path)
{
	struct order order = { .send = send_probe };

	return send_by_path(disk, path, &order);
}

static enum blkpr_result block_keys_of_self(struct blkpr_disk *disk, unsigned path, struct blkpr_report *report)
{
	struct order order = { .send = send_keys_of_self, .report = report };
	enum blkpr_result result;

	*report = (struct blkpr_report){ 0 };
	result = send_by_path(disk, path, &order);
	if (result != BLKPR_OK)
		blkpr_report_clear(report);
	return result;
}

static enum blkpr_result block_release(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	struct order order = { .send = send_release, .old_key = own, .type = type };

	return send_by_all(disk, &order);
}

static enum blkpr_result block_unregister(struct blkpr_disk *disk, uint64_t own)
{
	struct order order = { .send = send_unregister, .old_key = own };

	return send_by_all(disk, &order);
}

static enum blkpr_result block_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	struct blkpr_block_disk *block = block_of(disk);
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = blkpr_command_reserve(&block->port, own, type);
	while (settle(block, &result, &patience));
	return settle_conflict(block, result);
}

static enum blkpr_result block_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	struct blkpr_block_disk *block = block_of(disk);
	struct patience patience = { 0 };
	enum blkpr_result result;

	do
		result = blkpr_command_preempt(&block->port, own, victim, type, true);
	while (attention(&patience, &result, &block->port) || other_path(block, result, &patience));
	return settle_conflict(block, result);
}

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
static enum blkpr_reach block_reach(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE])
{
	const struct blkpr_block_disk *block = block_of(disk);
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

/* Turns to a path by which a LUN RESET gets as far as LEAST; false: none can be opened. */
static bool turn_to_reaching_path(struct blkpr_block_disk *block, enum blkpr_reach least)
{
	char driver[BLKPR_DRIVER_SIZE];

	for (unsigned i = 0; i < block->device->npaths; i++) {
		if (reach_by_fd(block->port.fd, driver) >= least)
			return true;
		if (turn_to_next_path(block) != BLKPR_OK)
			return false;
	}
	return false;
}

/*
 * A reset fails, quickly or not, while the driver is at another one, aborts a command, or logs in again
 * (drivers/scsi/libiscsi.c: iscsi_eh_device_reset). It is worth repeating, by another path if there is one.
 */
static bool reset_again(struct blkpr_block_disk *block, enum blkpr_result result)
{
	if (result != BLKPR_UNDRAINED || blkpr_clock_ms() + LAST_WORD_MS >= block->disk.deadline)
		return false;
	blkpr_clock_pause(RESET_PAUSE_MS, block->disk.deadline);
	if (block->device->multipath)
		turn_to_next_path(block);
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

static enum blkpr_result block_drain(struct blkpr_disk *disk, enum blkpr_reach least)
{
	struct blkpr_block_disk *block = block_of(disk);
	struct patience patience = { 0 };
	enum blkpr_result result;

	if (block->port.kind == BLKPR_NVME)
		return BLKPR_UNDRAINED;
	do
		result = reset_in_turn(block, least);
	while (settle(block, &result, &patience) || reset_again(block, result));
	return result;
}

static enum blkpr_result block_initiators(struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	struct blkpr_block_disk *block = block_of(disk);
	struct patience patience = { 0 };
	enum blkpr_result result;

	*initiators = 0;
	if (block->port.kind == BLKPR_NVME)
		return BLKPR_UNSUPPORTED;
	do
		result = blkpr_prin_read_initiators(&block->port, key, initiators);
	while (settle(block, &result, &patience));
	return result;
}

/* NVMe tells only of power loss, and elsewhere. Who does not tell has not said that it forgets. */
static enum blkpr_result block_capabilities(
	struct blkpr_disk *disk, struct blkpr_capabilities *capabilities)
{
	struct patience patience = { 0 };
	enum blkpr_result result;

	*capabilities = (struct blkpr_capabilities){ 0 };
	if (block_of(disk)->port.kind == BLKPR_NVME) {
		blkpr_nvme_read_forgets(&block_of(disk)->port, &capabilities->forgets);
		return BLKPR_OK;
	}
	do
		result = blkpr_prin_read_capabilities(&block_of(disk)->port, capabilities);
	while (again(&patience, &result, disk, &block_of(disk)->port));
	return result;
}

static const struct blkpr_disk_ops block_ops = {
	.read = block_read,
	.register_key = block_register,
	.may_write = block_may_write,
	.keys_of_self = block_keys_of_self,
	.reserve = block_reserve,
	.preempt_abort = block_preempt_abort,
	.release = block_release,
	.unregister = block_unregister,
	.reach = block_reach,
	.drain = block_drain,
	.initiators = block_initiators,
	.capabilities = block_capabilities,
};

bool blkpr_disk_over(const struct blkpr_disk *disk)
{
	return disk->parent && (getppid() != disk->parent || blkpr_clock_ms() >= disk->deadline);
}

enum blkpr_result blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline)
{
	*block = (struct blkpr_block_disk){
		.disk = { .ops = &block_ops, .deadline = deadline, .paths = device->multipath ? device->npaths : 1 },
		.port = { .fd = -1, .kind = device->kind },
		.device = device,
		.path = device->npaths ? device->npaths - 1 : 0, /* the one before the first */
	};
	if (device->multipath)
		return turn_to_next_path(block);
	block->port.fd = blkpr_device_open(device);
	return block->port.fd < 0 ? blkpr_result_from_errno(-block->port.fd) : BLKPR_OK;
}

void blkpr_disk_close(struct blkpr_block_disk *block)
{
	close(block->port.fd);
}
