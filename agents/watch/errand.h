/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One order at a time to a worker, by the daemon's loop: each comes back, if only as overdue. */
#pragma once

#include <stdint.h>

#include <qb/qbloop.h>

#include "agents/watch/worker.h"

/* The longest answer. */
#define ERRAND_ANSWER 4096

struct watch_errand {
	qb_loop_t *loop;
	struct watch_worker worker; /* of whom SERVE is set */
	uint64_t patience_ms;
	/*
	 * SIZE: of ANSWER, or -errno: -ETIME: overdue, the worker has been left behind; -EPIPE: it
	 * has died. May send the next one.
	 */
	void (*came_back)(void *context, const void *answer, ssize_t size);
	void *context;
	bool out;
	qb_loop_timer_handle overdue;
};

/* With none out. Starts a worker if there is none. */
void errand_send(struct watch_errand *errand, char order);
