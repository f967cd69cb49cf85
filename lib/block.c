// SPDX-License-Identifier: LGPL-2.1-or-later
// The disk that is a block device: its commands and reads.
#include "lib/block.h"

#include <unistd.h>

#include "lib/clock.h"
#include "lib/initiator.h"
#include "lib/nvme.h"
#include "lib/probe.h"
#include "lib/reset.h"

/* --- reads ------------------------------------------------------------------------------------ */

static enum blkpr_result ask_report(const struct blkpr_port *port,
	const struct blkpr_question *question, struct blkpr_answer *answer)
{
	(void)question;
	return blkpr_report_read(port, &answer->transport, &answer->report);
}

static enum blkpr_result block_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	const struct blkpr_question question = { .ask = ask_report, .transport = blkpr_path_block_of(disk)->transport };
	struct blkpr_answer answer;
	enum blkpr_result result = blkpr_path_ask(disk, &question, &answer);

	*report = answer.report;
	if (result == BLKPR_OK)
		blkpr_path_block_of(disk)->transport = answer.transport;
	return result;
}

static enum blkpr_result ask_initiators(const struct blkpr_port *port,
	const struct blkpr_question *question, struct blkpr_answer *answer)
{
	return blkpr_prin_read_initiators(port, question->key, &answer->initiators);
}

static enum blkpr_result block_initiators(struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	const struct blkpr_question question = { .ask = ask_initiators, .key = key };
	struct blkpr_answer answer = { .result = BLKPR_UNSUPPORTED };

	if (blkpr_path_block_of(disk)->port.kind != BLKPR_NVME)
		blkpr_path_ask(disk, &question, &answer);
	*initiators = answer.initiators;
	return answer.result;
}

/*
 * NVMe tells only of power loss, and elsewhere. Who does not tell has not said that it forgets, or
 * is mute.
 */
static enum blkpr_result ask_capabilities(const struct blkpr_port *port,
	const struct blkpr_question *question, struct blkpr_answer *answer)
{
	enum blkpr_result result;

	(void)question;
	if (port->kind == BLKPR_NVME) {
		blkpr_nvme_read_forgets(port, &answer->capabilities.forgets);
		return BLKPR_OK;
	}
	result = blkpr_prin_read_capabilities(port, &answer->capabilities);
	if (result != BLKPR_ATTENTION)
		blkpr_prin_read_mute(port, &answer->capabilities.mute);
	return result;
}

static enum blkpr_result block_capabilities(
	struct blkpr_disk *disk, struct blkpr_capabilities *capabilities)
{
	const struct blkpr_question question = { .ask = ask_capabilities };
	struct blkpr_answer answer;

	blkpr_path_ask(disk, &question, &answer);
	*capabilities = answer.capabilities;
	return answer.result;
}

/* --- commands that every nexus has to send for itself ----------------------------------------- */

/* No NEW_KEY: the end of the registration. */
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
	result = blkpr_command_register(port, order->old_key, order->new_key);
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

static enum blkpr_result send_by_nexus(
	const struct blkpr_disk *disk, const struct blkpr_port *port, const struct order *order)
{
	struct blkpr_patience patience = { 0 };
	enum blkpr_result result;

	do
		result = order->send(port, order);
	while (blkpr_path_retry(&patience, &result, disk, port));
	return result;
}

/*
 * Each path has its share of the time that is left, and so has what comes after them; one that
 * hangs has none.
 */
static enum blkpr_result send_by_path(struct blkpr_disk *disk, unsigned path, const struct order *order)
{
	const struct blkpr_device *device = blkpr_path_block_of(disk)->device;
	struct blkpr_port port = blkpr_path_block_of(disk)->port;
	struct blkpr_disk hurried;
	enum blkpr_result result;

	if (!device->multipath)
		return send_by_nexus(disk, &port, order);
	blkpr_path_survey(blkpr_path_block_of(disk));
	if (path >= device->npaths || blkpr_path_is_silent(blkpr_path_block_of(disk), path))
		return BLKPR_PATH_FAILED;
	hurried = *disk;
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
	return send_by_path(disk, path,
		&(struct order){ .send = send_register, .old_key = old_key, .new_key = new_key });
}

static enum blkpr_result block_may_write(struct blkpr_disk *disk, unsigned path)
{
	return send_by_path(disk, path, &(struct order){ .send = send_probe });
}

static unsigned block_silent(struct blkpr_disk *disk)
{
	blkpr_path_survey(blkpr_path_block_of(disk));
	return (unsigned)__builtin_popcountll(blkpr_path_block_of(disk)->silent);
}

static enum blkpr_result block_keys_of_self(struct blkpr_disk *disk, unsigned path, struct blkpr_report *report)
{
	const struct order order = { .send = send_keys_of_self, .report = report };
	enum blkpr_result result;

	*report = (struct blkpr_report){ 0 };
	result = send_by_path(disk, path, &order);
	if (result != BLKPR_OK)
		blkpr_report_clear(report);
	return result;
}

static enum blkpr_result block_release(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	const struct order order = { .send = send_release, .old_key = own, .type = type };

	return send_by_all(disk, &order);
}

static enum blkpr_result block_unregister(struct blkpr_disk *disk, uint64_t own)
{
	return send_by_all(disk, &(struct order){ .send = send_register, .old_key = own });
}

/* --- commands by one path --------------------------------------------------------------------- */

/*
 * A nexus that came back is not registered; another path of the map may be. The caller looks, and
 * repeats.
 */
static enum blkpr_result settle_conflict(struct blkpr_block_disk *block, enum blkpr_result result)
{
	if (result == BLKPR_CONFLICT)
		blkpr_path_step_aside(block);
	return result;
}

static enum blkpr_result block_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	struct blkpr_block_disk *block = blkpr_path_block_of(disk);
	struct blkpr_patience patience = { 0 };
	enum blkpr_result result;

	do {
		result = blkpr_path_be_ready(block);
		if (result == BLKPR_OK)
			result = blkpr_command_reserve(&block->port, own, type);
	} while (blkpr_path_settle(block, &result, &patience));
	return settle_conflict(block, result);
}

static enum blkpr_result block_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	struct blkpr_block_disk *block = blkpr_path_block_of(disk);
	struct blkpr_patience patience = { 0 };
	enum blkpr_result result;

	do {
		result = blkpr_path_be_ready(block);
		if (result == BLKPR_OK)
			result = blkpr_command_preempt_abort(&block->port, own, victim, type);
	} while (blkpr_path_retry_attention(&patience, &result, &block->port) || blkpr_path_try_other(block, result, &patience));
	return settle_conflict(block, result);
}

static const struct blkpr_disk_ops block_ops = {
	.read = block_read,
	.register_key = block_register,
	.silent = block_silent,
	.may_write = block_may_write,
	.keys_of_self = block_keys_of_self,
	.reserve = block_reserve,
	.preempt_abort = block_preempt_abort,
	.release = block_release,
	.unregister = block_unregister,
	.reach = blkpr_reset_reach,
	.drain = blkpr_reset_drain,
	.initiators = block_initiators,
	.capabilities = block_capabilities,
};

enum blkpr_result blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline)
{
	*block = (struct blkpr_block_disk){
		.disk = { .ops = &block_ops, .deadline = deadline, .paths = device->multipath ? device->npaths : 1 },
		.port = { .fd = -1, .kind = device->kind },
		.device = device,
		.path = device->learned ? device->learned->path : 0,
		.silent = device->learned ? device->learned->silent : 0,
	};
	if (device->multipath)
		return blkpr_path_find(block, &(struct blkpr_question){ .ask = NULL });
	block->port.fd = blkpr_device_open(device);
	return block->port.fd < 0 ? blkpr_result_from_errno(-block->port.fd) : BLKPR_OK;
}

void blkpr_disk_close(struct blkpr_block_disk *block)
{
	blkpr_device_learn(block->device, block->path, block->silent);
	if (block->port.fd >= 0)
		close(block->port.fd);
}
