/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands and reads by the paths of a block disk, repeated where a repeat is right: for block.c
 * and reset.c.
 */
#pragma once

#include "lib/disk.h"
#include "lib/scout.h"

#define LAST_WORD_MS 300 /* before the deadline: to say how it ended */

/* A block device as a disk. */
struct blkpr_block_disk {
	struct blkpr_disk disk;
	struct blkpr_port port;
	enum blkpr_transport transport;
	const struct blkpr_device *device; /* borrowed */
	unsigned path;                     /* of a map: the path that PORT is open on, or will be:
					      its fd may be -1 */
	bool surveyed;
	uint64_t silent; /* of a map: paths that do not answer, a bit each, as far as they were
			    needed */
};

struct blkpr_patience {
	unsigned attentions;
	bool ready; /* the device said so, directly before it was asked last */
	int64_t pause_ms;
	unsigned tried; /* paths that have failed, since one was busy */
};

/*
 * Whether RESULT is a CHECK CONDITION worth another try at once. After five TEST UNIT READY tells
 * what they are: BLKPR_BUSY if the device is not ready, or has one unit attention more; an error if
 * it is ready, and so it is after the next try. Repeating a command is safe although trap 7 and
 * trap 15 know commands that failed and took effect: the protocols conclude from reading, never
 * from a status.
 */
bool blkpr_path_retry_attention(struct blkpr_patience *patience, enum blkpr_result *result,
	const struct blkpr_port *port);

/* Whether RESULT is worth another try, after a pause if the device is busy. */
bool blkpr_path_retry(struct blkpr_patience *patience, enum blkpr_result *result,
	const struct blkpr_disk *disk, const struct blkpr_port *port);

/*
 * Turns to the next path. Commands and reads go to one path at a time, past the map: dm would pick
 * one itself, but tries no other one for SG_IO, and on 6.1 for most PR commands. The path is opened
 * when it is needed.
 */
void blkpr_path_step_aside(struct blkpr_block_disk *block);

/*
 * Makes sure that the path in use is open, and has answered: a command that changes the device
 * cannot be sent by another one if it hangs.
 */
enum blkpr_result blkpr_path_find(
	struct blkpr_block_disk *block, const struct blkpr_question *question);
enum blkpr_result blkpr_path_be_ready(struct blkpr_block_disk *block);

/*
 * Finds out by which paths nothing can be had now: they are silent, while another one has answered.
 * Once silent is enough.
 */
void blkpr_path_survey(struct blkpr_block_disk *block);
bool blkpr_path_is_silent(const struct blkpr_block_disk *block, unsigned path);

/* Whether another path could do better than RESULT. */
bool blkpr_path_try_other(struct blkpr_block_disk *block, enum blkpr_result result,
	struct blkpr_patience *patience);

/* A map's path that stays busy, or not ready, is not waited for alone. */
bool blkpr_path_settle(struct blkpr_block_disk *block, enum blkpr_result *result,
	struct blkpr_patience *patience);

/*
 * Asks until that has settled. What one path has said of the device counts for more than that
 * another one fails.
 */
enum blkpr_result blkpr_path_ask(struct blkpr_disk *disk, const struct blkpr_question *question,
	struct blkpr_answer *answer);

static inline struct blkpr_block_disk *blkpr_path_block_of(struct blkpr_disk *disk)
{
	return (struct blkpr_block_disk *)disk; /* its first member */
}
