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
#include "lib/scout.h"
#include "lib/turn.h"

#define MOST_ATTENTIONS 5 /* queued unit attentions are reported one a command (SAM-5 5.14) */
#define FIRST_PAUSE_MS 5
#define LONGEST_PAUSE_MS 250
#define LAST_WORD_MS 300 /* before the deadline: to say how it ended */
#define PATIENCE_MS 500  /* with a path that is asked, before the others are asked, too */
#define SURVEY_MS 1000   /* with paths that are asked, after the first of them has answered */
#define MOST_PATHS 64    /* of a map, of which it is remembered that they hang */

struct patience {
	unsigned attentions;
	bool ready; /* the device said so, directly before it was asked last */
	int64_t pause_ms;
	unsigned tried; /* paths that have failed, since one was busy */
};

/*
 * Whether RESULT is a CHECK CONDITION worth another try at once. After five TEST UNIT READY tells what they are:
 * BLKPR_BUSY if the device is not ready, or has one unit attention more; an error if it is ready, and so it is after the
 * next try. Repeating a command is safe although trap 7 and trap 15 know commands that failed and took effect: the
 * protocols conclude from reading, never from a status.
 */
static bool attention(struct patience *patience, enum blkpr_result *result, const struct blkpr_port *port)
{
	enum blkpr_result state;

	if (*result != BLKPR_ATTENTION)
		return false;
	if (++patience->attentions < MOST_ATTENTIONS)
		return true;
	state = blkpr_prin_test_ready(port);
	if (state == BLKPR_OK && !patience->ready) {
		patience->ready = true;
		patience->attentions = MOST_ATTENTIONS - 1;
		return true;
	}
	patience->ready = false;
	patience->attentions = 0;
	*result = state == BLKPR_BUSY ? BLKPR_BUSY : BLKPR_IO_ERROR;
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

/* --- the paths of a map --------------------------------------------------------------------------- */

/* Whether there is a choice, so that a path that hangs need not be waited for. */
static bool has_others(const struct blkpr_block_disk *block)
{
	return block->device->multipath && block->device->npaths > 1;
}

/*
 * Turns to the next path. Commands and reads go to one path at a time, past the map: dm would pick one itself, but tries no
 * other one for SG_IO, and on 6.1 for most PR commands. The path is opened when it is needed.
 */
static void step_aside(struct blkpr_block_disk *block)
{
	if (!has_others(block))
		return;
	if (block->port.fd >= 0)
		close(block->port.fd);
	block->port.fd = -1;
	block->path = (block->path + 1) % block->device->npaths;
}

/* Whether RESULT may be the path's rather than the disk's: on a map every answer but these is worth another path at once. */
static bool speaks_of_path(enum blkpr_result result)
{
	switch (result) {
	case BLKPR_OK:
	case BLKPR_CONFLICT:
	case BLKPR_ATTENTION:
	case BLKPR_BUSY:
	case BLKPR_DENIED:
	case BLKPR_NO_MEMORY:
	case BLKPR_UNFINISHED:
	case BLKPR_UNDRAINED: /* reset_again() */
		return false;
	default:
		return true;
	}
}

/* Asks by the path in use without a thread: nobody else could be asked. */
static void ask_alone(struct blkpr_block_disk *block, const struct blkpr_question *question, struct blkpr_answer *answer)
{
	*answer = (struct blkpr_answer){ .transport = question->transport };
	if (block->port.fd < 0)
		block->port.fd = block->device->multipath ? blkpr_device_open_path(block->device, block->path)
							  : blkpr_device_open(block->device);
	if (block->port.fd < 0)
		answer->result = blkpr_result_from_errno(-block->port.fd);
	else if (question->ask)
		answer->result = question->ask(&block->port, question, answer);
}

static int64_t share(const struct blkpr_block_disk *block, int64_t most_ms)
{
	int64_t now = blkpr_clock_ms(), left = (block->disk.deadline - now) / 8;

	return now + (left < most_ms ? left : most_ms);
}

/* Which of the answers of several paths counts: that the device lacks something for less than that it has an error. */
static int weight(enum blkpr_result result)
{
	if (blkpr_result_unreachable(result))
		return 0; /* the path's own trouble, maybe */
	return result == BLKPR_UNSUPPORTED || result == BLKPR_INVALID ? 1 : 2;
}

/*
 * The path whose answer is taken: the first one that is not about the path alone; -1: none before the deadline. Where one
 * has said something of the device, those that have said nothing are not waited for long.
 */
static int await_answer(const struct blkpr_block_disk *block, struct blkpr_scouts *scouts)
{
	int64_t until = block->disk.deadline;
	int path, best = -1;

	while ((path = blkpr_scouts_await(scouts, until)) >= 0) {
		enum blkpr_result result = blkpr_scouts_result(scouts, (unsigned)path);

		if (!speaks_of_path(result))
			return path;
		if (best < 0 || weight(result) > weight(blkpr_scouts_result(scouts, (unsigned)best)))
			best = path;
		if (until == block->disk.deadline && weight(result))
			until = share(block, PATIENCE_MS);
	}
	return best;
}

/* Asks by the path in use, and by all others if it does not answer at once; whichever has answered first is in use then. */
static void ask_by_scouts(struct blkpr_block_disk *block, struct blkpr_scouts *scouts, struct blkpr_answer *answer)
{
	int path;

	blkpr_scouts_send(scouts, block->path, block->port.fd);
	block->port.fd = -1;
	path = blkpr_scouts_await(scouts, share(block, PATIENCE_MS));
	if (path < 0) {
		for (unsigned i = 0; i < block->device->npaths; i++)
			if (i != block->path)
				blkpr_scouts_send(scouts, i, -1);
		path = await_answer(block, scouts);
	}
	if (path < 0) {
		*answer = (struct blkpr_answer){ .result = BLKPR_UNFINISHED };
		return;
	}
	block->path = (unsigned)path;
	block->port.fd = blkpr_scouts_take(scouts, block->path, answer);
}

static void consult(struct blkpr_block_disk *block, const struct blkpr_question *question, struct blkpr_answer *answer)
{
	struct blkpr_scouts *scouts = has_others(block) ? blkpr_scouts_muster(block->device, question) : NULL;

	if (!scouts) {
		ask_alone(block, question, answer);
		return;
	}
	ask_by_scouts(block, scouts, answer);
	blkpr_scouts_dismiss(scouts);
}

static enum blkpr_result ping(const struct blkpr_port *port, const struct blkpr_question *question,
	struct blkpr_answer *answer)
{
	(void)question;
	(void)answer;
	return blkpr_report_ping(port);
}

/*
 * Makes sure that the path in use is open, and has answered: a command that changes the device cannot be sent by another one
 * if it hangs.
 */
static enum blkpr_result find_path(struct blkpr_block_disk *block, const struct blkpr_question *question)
{
	struct blkpr_answer answer = { .result = BLKPR_PATH_FAILED };

	if (block->port.fd >= 0)
		return BLKPR_OK;
	for (unsigned i = 0; i < block->device->npaths; i++) {
		consult(block, question, &answer);
		if (block->port.fd >= 0 && !speaks_of_path(answer.result))
			return BLKPR_OK;
		step_aside(block);
	}
	return answer.result;
}

static enum blkpr_result be_ready(struct blkpr_block_disk *block)
{
	return find_path(block, &(struct blkpr_question){ .ask = ping });
}

static bool is_silent(const struct blkpr_block_disk *block, unsigned path)
{
	return path < MOST_PATHS && block->silent >> path & 1;
}

/* Finds out by which paths nothing can be had now: they are silent, while another one has answered. Once silent is enough. */
static void survey(struct blkpr_block_disk *block)
{
	struct blkpr_scouts *scouts = has_others(block) && !block->surveyed
		? blkpr_scouts_muster(block->device, &(struct blkpr_question){ .ask = ping }) : NULL;
	int64_t until = block->disk.deadline;
	uint64_t out = 0;
	int path;

	if (!scouts)
		return;
	block->surveyed = true;
	for (unsigned i = 0; i < block->device->npaths && i < MOST_PATHS; i++) {
		if (is_silent(block, i))
			continue;
		out |= 1ULL << i;
		blkpr_scouts_send(scouts, i, -1);
	}
	while (out && (path = blkpr_scouts_await(scouts, until)) >= 0) {
		out &= ~(1ULL << path);
		if (until == block->disk.deadline && !speaks_of_path(blkpr_scouts_result(scouts, (unsigned)path)))
			until = share(block, SURVEY_MS);
	}
	block->silent |= out;
	blkpr_scouts_dismiss(scouts);
}

/* Whether another path could do better than RESULT. */
static bool other_path(struct blkpr_block_disk *block, enum blkpr_result result, struct patience *patience)
{
	if (!speaks_of_path(result) || !has_others(block) || ++patience->tried >= block->device->npaths ||
	    blkpr_clock_ms() >= block->disk.deadline)
		return false;
	step_aside(block);
	return true;
}

/* A map's path that stays busy, or not ready, is not waited for alone. */
static bool settle(struct blkpr_block_disk *block, enum blkpr_result *result, struct patience *patience)
{
	if (!again(patience, result, &block->disk, &block->port))
		return other_path(block, *result, patience);
	if (*result == BLKPR_BUSY) {
		patience->tried = 0;
		if (patience->pause_ms > FIRST_PAUSE_MS)
			step_aside(block);
	}
	return true;
}

/* --- reads ---------------------------------------------------------------------------------------- */

/* Asks until that has settled. What one path has said of the device counts for more than that another one fails. */
static enum blkpr_result ask(struct blkpr_disk *disk, const struct blkpr_question *question, struct blkpr_answer *answer)
{
	struct blkpr_block_disk *block = block_of(disk);
	enum blkpr_result said = BLKPR_PATH_FAILED; /* by the paths before */
	struct patience patience = { 0 };
	bool more;

	do {
		consult(block, question, answer);
		more = settle(block, &answer->result, &patience);
		if (more && weight(answer->result) > weight(said))
			said = answer->result;
	} while (more);
	if (speaks_of_path(answer->result) && weight(said) > weight(answer->result))
		answer->result = said;
	return answer->result;
}

static enum blkpr_result ask_report(const struct blkpr_port *port, const struct blkpr_question *question,
	struct blkpr_answer *answer)
{
	(void)question;
	return blkpr_report_read(port, &answer->transport, &answer->report);
}

static enum blkpr_result block_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	const struct blkpr_question question = { .ask = ask_report, .transport = block_of(disk)->transport };
	struct blkpr_answer answer;
	enum blkpr_result result = ask(disk, &question, &answer);

	*report = answer.report;
	if (result == BLKPR_OK)
		block_of(disk)->transport = answer.transport;
	return result;
}

static enum blkpr_result ask_initiators(const struct blkpr_port *port, const struct blkpr_question *question,
	struct blkpr_answer *answer)
{
	return blkpr_prin_read_initiators(port, question->key, &answer->initiators);
}

static enum blkpr_result block_initiators(struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	const struct blkpr_question question = { .ask = ask_initiators, .key = key };
	struct blkpr_answer answer = { .result = BLKPR_UNSUPPORTED };

	if (block_of(disk)->port.kind != BLKPR_NVME)
		ask(disk, &question, &answer);
	*initiators = answer.initiators;
	return answer.result;
}

/* NVMe tells only of power loss, and elsewhere. Who does not tell has not said that it forgets, or is mute. */
static enum blkpr_result ask_capabilities(const struct blkpr_port *port, const struct blkpr_question *question,
	struct blkpr_answer *answer)
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

	ask(disk, &question, &answer);
	*capabilities = answer.capabilities;
	return answer.result;
}

/* --- commands that every nexus has to send for itself ----------------------------------------------- */

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

/* Each path has its share of the time that is left, and so has what comes after them; one that hangs has none. */
static enum blkpr_result send_by_path(struct blkpr_disk *disk, unsigned path, const struct order *order)
{
	const struct blkpr_device *device = block_of(disk)->device;
	struct blkpr_port port = block_of(disk)->port;
	struct blkpr_disk hurried;
	enum blkpr_result result;

	if (!device->multipath)
		return send_by_nexus(disk, &port, order);
	survey(block_of(disk));
	if (path >= device->npaths || is_silent(block_of(disk), path))
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
	struct order order = { .send = send_register, .old_key = old_key, .new_key = new_key };

	return send_by_path(disk, path, &order);
}

static enum blkpr_result block_may_write(struct blkpr_disk *disk, unsigned path)
{
	struct order order = { .send = send_probe };

	return send_by_path(disk, path, &order);
}

static unsigned block_silent(struct blkpr_disk *disk)
{
	survey(block_of(disk));
	return (unsigned)__builtin_popcountll(block_of(disk)->silent);
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

/* --- commands by one path -------------------------------------------------------------------------- */

/* A nexus that came back is not registered; another path of the map may be. The caller looks, and repeats. */
static enum blkpr_result settle_conflict(struct blkpr_block_disk *block, enum blkpr_result result)
{
	if (result == BLKPR_CONFLICT)
		step_aside(block);
	return result;
}

static enum blkpr_result block_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	struct blkpr_block_disk *block = block_of(disk);
	struct patience patience = { 0 };
	enum blkpr_result result;

	do {
		result = be_ready(block);
		if (result == BLKPR_OK)
			result = blkpr_command_reserve(&block->port, own, type);
	} while (settle(block, &result, &patience));
	return settle_conflict(block, result);
}

static enum blkpr_result block_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	struct blkpr_block_disk *block = block_of(disk);
	struct patience patience = { 0 };
	enum blkpr_result result;

	do {
		result = be_ready(block);
		if (result == BLKPR_OK)
			result = blkpr_command_preempt(&block->port, own, victim, type, true);
	} while (attention(&patience, &result, &block->port) || other_path(block, result, &patience));
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

/* Turns to a path by which a LUN RESET gets as far as LEAST, and that has answered; false: there is none. */
static bool turn_to_reaching_path(struct blkpr_block_disk *block, enum blkpr_reach least)
{
	char driver[BLKPR_DRIVER_SIZE];

	for (unsigned i = 0; i < block->device->npaths && be_ready(block) == BLKPR_OK; i++) {
		if (reach_by_fd(block->port.fd, driver) >= least)
			return true;
		step_aside(block);
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
	step_aside(block);
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
	const struct blkpr_question whether_it_opens = { .ask = NULL };

	*block = (struct blkpr_block_disk){
		.disk = { .ops = &block_ops, .deadline = deadline, .paths = device->multipath ? device->npaths : 1 },
		.port = { .fd = -1, .kind = device->kind },
		.device = device,
		.path = device->learned ? device->learned->path : 0,
		.silent = device->learned ? device->learned->silent : 0,
	};
	if (device->multipath)
		return find_path(block, &whether_it_opens);
	block->port.fd = blkpr_device_open(device);
	return block->port.fd < 0 ? blkpr_result_from_errno(-block->port.fd) : BLKPR_OK;
}

void blkpr_disk_close(struct blkpr_block_disk *block)
{
	blkpr_device_learn(block->device, block->path, block->silent);
	if (block->port.fd >= 0)
		close(block->port.fd);
}
