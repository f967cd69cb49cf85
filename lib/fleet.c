// SPDX-License-Identifier: LGPL-2.1-or-later
// Fan-out by processes: a thread in uninterruptible sleep would keep its whole process from being reaped.
#include "lib/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"

/* A worker that runs longer than this share of the time left has stalled: it no longer keeps others waiting. */
#define STALL_SHARE 16

/* What a worker shares with its parent. */
struct slot {
	struct blkpr_verdict verdict;
	atomic_bool done;
};

struct worker {
	pid_t pid;
	unsigned index;
	int64_t started;
	bool stalled;
};

struct crew {
	const struct blkpr_fleet *fleet;
	struct slot *slots;
	struct blkpr_verdict *verdicts; /* the caller's; a slot's worker may still write into the slot */
	struct worker *workers; /* the active ones, and their pipes in the same order */
	struct pollfd *pipes;
	unsigned active, stalled;
	int64_t patience_ms;
	int null;
};

/* The worker keeps nothing of its parent's but its own pipe: no stdio, so that no caller waits for it. */
static void shed_descriptors(int null, int pipe_fd)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fd != pipe_fd) /* a parent without stdio */
			dup2(null, fd);
#ifdef SYS_close_range
	if (pipe_fd > 3)
		syscall(SYS_close_range, 3U, (unsigned)pipe_fd - 1, 0U);
	syscall(SYS_close_range, (unsigned)pipe_fd + 1, ~0U, 0U);
#endif
}

static void __attribute__((noreturn)) work(struct crew *crew, unsigned index, int pipe_fd, pid_t parent,
	blkpr_fleet_job job, void *context)
{
	struct slot *slot = &crew->slots[index];
	int64_t started = blkpr_clock_ms();

	/* a worker must not act for a parent that is gone: the victim may be back by then */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	shed_descriptors(crew->null, pipe_fd);
	job(context, index, &slot->verdict);
	slot->verdict.elapsed_ms = (unsigned)(blkpr_clock_ms() - started);
	atomic_store(&slot->done, true);
	_exit(0);
}

static int hire(struct crew *crew, unsigned index, blkpr_fleet_job job, void *context)
{
	pid_t parent = getpid(), pid;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int err = errno;

		close(fds[0]);
		close(fds[1]);
		return -err;
	}
	if (!pid)
		work(crew, index, fds[1], parent, job, context);
	close(fds[1]);
	crew->workers[crew->active] = (struct worker){ pid, index, blkpr_clock_ms(), false };
	crew->pipes[crew->active++] = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	return 0;
}

/* Ends worker number I, at the end of its pipe or at the deadline. */
static void dismiss(struct crew *crew, unsigned i)
{
	struct worker *worker = &crew->workers[i];
	struct slot *slot = &crew->slots[worker->index];
	struct blkpr_verdict *verdict = &crew->verdicts[worker->index];
	bool done = atomic_load(&slot->done);

	close(crew->pipes[i].fd);
	*verdict = slot->verdict;
	if (!done) {
		kill(worker->pid, SIGKILL);
		verdict->result = blkpr_clock_ms() >= crew->fleet->deadline ? BLKPR_UNFINISHED : BLKPR_CRASHED;
		verdict->elapsed_ms = (unsigned)(blkpr_clock_ms() - worker->started);
	}
	waitpid(worker->pid, NULL, WNOHANG); /* never waited for: it may sleep in the kernel */
	crew->stalled -= worker->stalled;
	crew->active--;
	crew->workers[i] = crew->workers[crew->active];
	crew->pipes[i] = crew->pipes[crew->active];
}

/* Marks the workers that have stalled; returns the time until the next one may, at most until the deadline. */
static int64_t mark_stalled(struct crew *crew)
{
	int64_t now = blkpr_clock_ms(), wait = crew->fleet->deadline - now;

	for (unsigned i = 0; i < crew->active; i++) {
		struct worker *worker = &crew->workers[i];
		int64_t left = worker->started + crew->patience_ms - now;

		if (worker->stalled)
			continue;
		if (left <= 0) {
			worker->stalled = true;
			crew->stalled++;
			wait = 0; /* its place is free now */
		} else if (left < wait) {
			wait = left;
		}
	}
	return wait > 0 ? wait : 0;
}

static void wait_for_one(struct crew *crew)
{
	int64_t wait = mark_stalled(crew);
	int ready = poll(crew->pipes, crew->active, (int)wait);

	for (unsigned i = crew->active; ready > 0 && i-- > 0;)
		if (crew->pipes[i].revents)
			dismiss(crew, i);
}

/* A device whose turn does not come before the deadline keeps the verdict BLKPR_UNFINISHED. */
static int run(struct crew *crew, unsigned count, blkpr_fleet_job job, void *context)
{
	unsigned next = 0;
	int rc = 0;

	while ((next < count || crew->active) && blkpr_clock_ms() < crew->fleet->deadline) {
		while (next < count && crew->active - crew->stalled < crew->fleet->parallel &&
			blkpr_clock_ms() < crew->fleet->deadline) {
			rc = hire(crew, next, job, context);
			if (rc && !crew->active)
				return rc;
			if (rc)
				break; /* out of processes or descriptors: go on as the others finish */
			next++;
		}
		wait_for_one(crew);
	}
	while (crew->active)
		dismiss(crew, crew->active - 1);
	return 0;
}

int blkpr_fleet_run(const struct blkpr_fleet *fleet, unsigned count, blkpr_fleet_job job, void *context,
	struct blkpr_verdict verdicts[])
{
	size_t size = (count ? count : 1) * sizeof(struct slot);
	struct crew crew = {
		.fleet = fleet,
		.verdicts = verdicts,
		.slots = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		.workers = calloc(count ? count : 1, sizeof(struct worker)),
		.pipes = calloc(count ? count : 1, sizeof(struct pollfd)),
		.patience_ms = (fleet->deadline - blkpr_clock_ms()) / STALL_SHARE,
		.null = open("/dev/null", O_RDWR | O_CLOEXEC),
	};
	int rc = -ENOMEM;

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = (struct blkpr_verdict){ .result = BLKPR_UNFINISHED };
	if (crew.slots != MAP_FAILED && crew.workers && crew.pipes && crew.null >= 0)
		rc = run(&crew, count, job, context);
	if (crew.null >= 0)
		close(crew.null);
	free(crew.workers);
	free(crew.pipes);
	if (crew.slots != MAP_FAILED)
		munmap(crew.slots, size);
	return rc;
}
