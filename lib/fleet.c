// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fan-out: the pool, a process that can be left behind, and in it threads, each on a device at a
 * time. A thread that sleeps uninterruptibly in the kernel keeps its process from being reaped, and
 * that must not be the caller's; a process a device, or a run, would cost a copy of the caller's
 * page tables each.
 */
#include "lib/fleet.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"

/* Each pool has a board of its own: one that was left behind may still write on its. */
static int map_board(struct blkpr_fleet *fleet)
{
	void *board = mmap(NULL, sizeof(*fleet->board) + fleet->count * sizeof(struct blkpr_slot),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (board == MAP_FAILED)
		return -ENOMEM;
	fleet->board = board;
	return 0;
}

static void unmap_board(struct blkpr_fleet *fleet)
{
	munmap(fleet->board, sizeof(*fleet->board) + fleet->count * sizeof(struct blkpr_slot));
	fleet->board = NULL;
}

static void write_board(struct blkpr_board *board, blkpr_fleet_job job, const unsigned which[],
	unsigned count, int64_t deadline)
{
	board->job = job;
	board->deadline = deadline;
	board->count = count;
	atomic_store(&board->error, 0);
	for (unsigned i = 0; i < count; i++)
		board->slots[i] = (struct blkpr_slot){ .index = which[i] };
}

/* Forks the pool, which begins with what is on the board. */
static int start_pool(struct blkpr_fleet *fleet)
{
	pid_t parent = getpid(), pid;
	int line[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line))
		return -errno;
	pid = fork();
	if (!pid) {
		close(line[0]);
		blkpr_pool_run(fleet, line[1], parent);
	}
	if (pid < 0) {
		pid = -errno;
		close(line[0]);
	}
	close(line[1]);
	fleet->line = line[0];
	fleet->pool = pid < 0 ? 0 : pid;
	return pid < 0 ? pid : 0;
}

void blkpr_fleet_stop(struct blkpr_fleet *fleet)
{
	if (!fleet->pool)
		return;
	close(fleet->line); /* the end of an idle pool */
	waitpid(fleet->pool, NULL, WNOHANG); /* never waited for: it may sleep in the kernel */
	fleet->pool = 0;
	unmap_board(fleet);
}

static int begin(struct blkpr_fleet *fleet, blkpr_fleet_job job, const unsigned which[],
	unsigned count, int64_t deadline)
{
	int rc;

	if (fleet->pool) {
		write_board(fleet->board, job, which, count, deadline);
		if (send(fleet->line, "", 1, MSG_NOSIGNAL) == 1)
			return 0;
		blkpr_fleet_stop(fleet); /* it has died since the last run */
	}
	rc = map_board(fleet);
	if (rc)
		return rc;
	write_board(fleet->board, job, which, count, deadline);
	rc = start_pool(fleet);
	if (rc)
		unmap_board(fleet);
	return rc;
}

enum end { REPORTED, DIED, OVER };

static bool any_answered(const struct blkpr_board *board)
{
	for (unsigned i = 0; i < board->count; i++)
		if (board->slots[i].verdict.answered)
			return true;
	return false;
}

/* How the run ends, or where it is at DEADLINE. */
static enum end await_until(int line, int64_t deadline)
{
	struct pollfd news = { .fd = line, .events = POLLIN };
	int64_t left;
	char report;

	while ((left = deadline - blkpr_clock_ms()) > 0) {
		if (poll(&news, 1, left < INT_MAX ? (int)left : INT_MAX) <= 0)
			continue;
		if (blkpr_clock_ms() >= deadline)
			return OVER;
		return recv(line, &report, 1, 0) == 1 ? REPORTED : DIED;
	}
	return OVER;
}

static enum end await(const struct blkpr_fleet *fleet, int64_t deadline)
{
	if (fleet->answer_by && fleet->answer_by < deadline) {
		enum end end = await_until(fleet->line, fleet->answer_by);

		if (end != OVER || !any_answered(fleet->board))
			return end;
	}
	return await_until(fleet->line, deadline);
}

static void take_verdict(const struct blkpr_slot *slot, bool over, struct blkpr_verdict *verdict)
{
	bool done = atomic_load(&slot->done);
	int64_t started = atomic_load(&slot->started);

	*verdict = slot->verdict;
	if (done)
		return;
	verdict->result = over ? BLKPR_UNFINISHED : BLKPR_CRASHED;
	verdict->elapsed_ms = started ? (unsigned)(blkpr_clock_ms() - started) : 0;
}

static bool any_started(const struct blkpr_board *board)
{
	for (unsigned i = 0; i < board->count; i++)
		if (atomic_load(&board->slots[i].started))
			return true;
	return false;
}

int blkpr_fleet_run(struct blkpr_fleet *fleet, blkpr_fleet_job job, const unsigned which[],
	unsigned count, int64_t deadline, struct blkpr_verdict verdicts[])
{
	enum end end;
	bool again;
	int rc;

	for (unsigned i = 0; i < count; i++)
		verdicts[which[i]] = (struct blkpr_verdict){ .result = BLKPR_UNFINISHED };
	if (!count || blkpr_clock_ms() >= deadline)
		return 0;
	do {
		again = fleet->pool;
		rc = begin(fleet, job, which, count, deadline);
		if (rc)
			return rc;
		end = await(fleet, deadline);
		/* dying when it got the order */
		again = again && end == DIED && !any_started(fleet->board);
		if (again)
			blkpr_fleet_stop(fleet);
	} while (again);
	for (unsigned i = 0; i < count; i++)
		take_verdict(&fleet->board->slots[i], end == OVER, &verdicts[which[i]]);
	rc = atomic_load(&fleet->board->error);
	if (end == OVER)
		kill(fleet->pool, SIGKILL);
	if (end != REPORTED)
		blkpr_fleet_stop(fleet);
	return rc;
}
