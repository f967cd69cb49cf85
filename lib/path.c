// SPDX-License-Identifier: LGPL-2.1-or-later
// Commands and reads by the paths of a disk, repeated where a repeat is right.
#include "lib/path.h"

#include <unistd.h>

#include "lib/clock.h"

#define MOST_ATTENTIONS 5 /* queued unit attentions are reported one a command (SAM-5 5.14) */
#define FIRST_PAUSE_MS 5
#define LONGEST_PAUSE_MS 250
#define PATIENCE_MS 500  /* with a path that is asked, before the others are asked, too */
#define SURVEY_MS 1000   /* with paths that are asked, after the first of them has answered */
#define MOST_PATHS 64    /* of a map, of which it is remembered that they hang */

bool blkpr_path_retry_attention(struct blkpr_patience *patience, enum blkpr_result *result, const struct blkpr_port *port)
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

bool blkpr_path_retry(struct blkpr_patience *patience, enum blkpr_result *result,
	const struct blkpr_disk *disk, const struct blkpr_port *port)
{
	if (blkpr_path_retry_attention(patience, result, port))
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

/* --- the paths of a map ----------------------------------------------------------------------- */

/* Whether there is a choice, so that a path that hangs need not be waited for. */
static bool has_others(const struct blkpr_block_disk *block)
{
	return block->device->multipath && block->device->npaths > 1;
}

void blkpr_path_step_aside(struct blkpr_block_disk *block)
{
	if (!has_others(block))
		return;
	if (block->port.fd >= 0)
		close(block->port.fd);
	block->port.fd = -1;
	block->path = (block->path + 1) % block->device->npaths;
}

/*
 * Whether RESULT may be the path's rather than the disk's: on a map every answer but these is worth
 * another path at once.
 */
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
	if (block->port.fd < 0)
		block->port.fd = block->device->multipath ? blkpr_device_open_path(block->device, block->path)
							  : blkpr_device_open(block->device);
	blkpr_scout_ask(&block->port, question, answer);
}

static int64_t share(const struct blkpr_block_disk *block, int64_t most_ms)
{
	int64_t now = blkpr_clock_ms(), left = (block->disk.deadline - now) / 8;

	return now + (left < most_ms ? left : most_ms);
}

/*
 * Which of the answers of several paths counts: that the device lacks something for less than that
 * it has an error.
 */
static int weight(enum blkpr_result result)
{
	if (blkpr_result_unreachable(result))
		return 0; /* the path's own trouble, maybe */
	return result == BLKPR_UNSUPPORTED || result == BLKPR_INVALID ? 1 : 2;
}

/*
 * The path whose answer is taken: the first one that is not about the path alone; -1: none before
 * the deadline. Where one has said something of the device, those that have said nothing are not
 * waited for long.
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

/*
 * Asks by the path in use, and by all others if it does not answer at once; whichever has answered
 * first is in use then.
 */
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

enum blkpr_result blkpr_path_find(struct blkpr_block_disk *block, const struct blkpr_question *question)
{
	struct blkpr_answer answer = { .result = BLKPR_PATH_FAILED };

	if (block->port.fd >= 0)
		return BLKPR_OK;
	for (unsigned i = 0; i < block->device->npaths; i++) {
		consult(block, question, &answer);
		if (block->port.fd >= 0 && !speaks_of_path(answer.result))
			return BLKPR_OK;
		blkpr_path_step_aside(block);
	}
	return answer.result;
}

enum blkpr_result blkpr_path_be_ready(struct blkpr_block_disk *block)
{
	return blkpr_path_find(block, &(struct blkpr_question){ .ask = ping });
}

bool blkpr_path_is_silent(const struct blkpr_block_disk *block, unsigned path)
{
	return path < MOST_PATHS && block->silent >> path & 1;
}

void blkpr_path_survey(struct blkpr_block_disk *block)
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
		if (blkpr_path_is_silent(block, i))
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

bool blkpr_path_try_other(struct blkpr_block_disk *block, enum blkpr_result result, struct blkpr_patience *patience)
{
	if (!speaks_of_path(result) || !has_others(block) || ++patience->tried >= block->device->npaths ||
	    blkpr_clock_ms() >= block->disk.deadline)
		return false;
	blkpr_path_step_aside(block);
	return true;
}

bool blkpr_path_settle(struct blkpr_block_disk *block, enum blkpr_result *result, struct blkpr_patience *patience)
{
	if (!blkpr_path_retry(patience, result, &block->disk, &block->port))
		return blkpr_path_try_other(block, *result, patience);
	if (*result == BLKPR_BUSY) {
		patience->tried = 0;
		if (patience->pause_ms > FIRST_PAUSE_MS)
			blkpr_path_step_aside(block);
	}
	return true;
}

enum blkpr_result blkpr_path_ask(struct blkpr_disk *disk, const struct blkpr_question *question, struct blkpr_answer *answer)
{
	struct blkpr_block_disk *block = blkpr_path_block_of(disk);
	enum blkpr_result said = BLKPR_PATH_FAILED; /* by the paths before */
	struct blkpr_patience patience = { 0 };
	bool more;

	do {
		consult(block, question, answer);
		more = blkpr_path_settle(block, &answer->result, &patience);
		if (more && weight(answer->result) > weight(said))
			said = answer->result;
	} while (more);
	if (speaks_of_path(answer->result) && weight(said) > weight(answer->result))
		answer->result = said;
	return answer->result;
}
