// SPDX-License-Identifier: GPL-2.0-or-later
// One order at a time to a worker.
#include "agents/watch/errand.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

#define NS_PER_MS UINT64_C(1000000)

static void leave(struct watch_errand *errand)
{
	if (errand->worker.line >= 0)
		qb_loop_poll_del(errand->loop, errand->worker.line);
	watch_worker_leave(&errand->worker);
}

static void end(struct watch_errand *errand, const void *answer, ssize_t size)
{
	bool out = errand->out;

	errand->out = false;
	if (errand->overdue)
		qb_loop_timer_del(errand->loop, errand->overdue);
	errand->overdue = 0;
	if (size < 0)
		leave(errand);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		; /* workers that were left behind, and have ended */
	if (out)
		errand->came_back(errand->context, answer, size);
}

static int32_t on_answer(int32_t fd, int32_t events, void *context)
{
	struct watch_errand *errand = context;
	static _Alignas(16) char answer[ERRAND_ANSWER];
	ssize_t size = watch_worker_take(&errand->worker, answer, sizeof(answer));

	(void)fd;
	(void)events;
	if (size != -EAGAIN)
		end(errand, answer, size);
	return 0;
}

static void on_overdue(void *context)
{
	struct watch_errand *errand = context;

	errand->overdue = 0;
	end(errand, NULL, -ETIME);
}

/* The end of a worker that could not be started comes by the loop, too, and not at once. */
static void on_failure(void *context)
{
	struct watch_errand *errand = context;

	errand->overdue = 0;
	end(errand, NULL, -EPIPE);
}

static int start(struct watch_errand *errand)
{
	int rc = watch_worker_start(&errand->worker);

	if (!rc)
		rc = qb_loop_poll_add(errand->loop, QB_LOOP_HIGH, errand->worker.line, POLLIN,
			errand, on_answer);
	return rc;
}

void errand_send(struct watch_errand *errand, char order)
{
	int rc = errand->worker.pid && errand->worker.line >= 0 ? 0 : start(errand);

	if (!rc)
		rc = watch_worker_order(&errand->worker, order);
	errand->out = true;
	qb_loop_timer_add(errand->loop, QB_LOOP_HIGH,
		(rc ? 0 : errand->patience_ms) * NS_PER_MS, errand, rc ? on_failure : on_overdue,
		&errand->overdue);
}
