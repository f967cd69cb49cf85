/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scouts: a question to a multipath map by several of its paths, in a thread each, so that one that
 * hangs keeps nobody waiting.
 */
#pragma once

#include "lib/device.h"
#include "lib/prin.h"
#include "lib/report.h"

struct blkpr_answer {
	enum blkpr_result result; /* what follows says nothing unless it is BLKPR_OK */
	enum blkpr_transport transport;
	struct blkpr_report report; /* owned */
	unsigned initiators;
	struct blkpr_capabilities capabilities;
};

/*
 * A question changes nothing on the device: so it may be asked by a second path while the first one
 * hangs, and forgotten. A command that changes the device must be neither.
 */
struct blkpr_question {
	/* Fills ANSWER, and touches nothing else. NULL: whether the path can be opened. */
	enum blkpr_result (*ask)(const struct blkpr_port *port,
		const struct blkpr_question *question, struct blkpr_answer *answer);
	enum blkpr_transport transport; /* that worked here before */
	uint64_t key;
};

/* What a scout does, in the caller's thread. PORT may have -errno for a descriptor. */
void blkpr_scout_ask(const struct blkpr_port *port, const struct blkpr_question *question,
	struct blkpr_answer *answer);

/*
 * For up to one scout a path of MAP, which must stay as long as any of them is out. NULL: no
 * memory.
 */
struct blkpr_scouts *blkpr_scouts_muster(const struct blkpr_device *map, const struct blkpr_question *question);

/*
 * Sends one by PATH. FD: a descriptor of that path, which the scout takes over, or -1: it opens
 * one. Where there can be no thread, the caller asks itself.
 */
void blkpr_scouts_send(struct blkpr_scouts *scouts, unsigned path, int fd);

/*
 * Waits for the next one that comes back, and returns its path; -1: none until UNTIL
 * (blkpr_clock_ms()), or none is out.
 */
int blkpr_scouts_await(struct blkpr_scouts *scouts, int64_t until);

/* What came back by PATH; it is the scouts' until it is taken. */
enum blkpr_result blkpr_scouts_result(const struct blkpr_scouts *scouts, unsigned path);

/*
 * Gives what came back by PATH to the caller, and its descriptor, which is returned; -1: it could
 * not be opened.
 */
int blkpr_scouts_take(struct blkpr_scouts *scouts, unsigned path, struct blkpr_answer *answer);

/* Who is still out finds nobody when he comes back, and leaves. */
void blkpr_scouts_dismiss(struct blkpr_scouts *scouts);
