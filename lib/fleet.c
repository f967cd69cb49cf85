// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fan-out: the crew, a process that can be left behind, and in it a thread a device. A thread that sleeps
 * uninterruptibly in the kernel keeps its process from being reaped, and that must not be the caller's; a process a
 * device would cost a copy of the caller's page tables each.
 */
#include "lib/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

/* A worker that runs longer than this share of the time left has stalled: it no longer keeps others waiting. */
#define STALL_SHARE 16

#define STACK_SIZE (256UL * 1024) /* bytes; only what a worker touches is real */
#define WORKERS_DESCRIPTORS 4   /* that a worker has open at a time: the disk, one more path, sysfs */
#define RETRY_MS 50             /* after a thread could not be created */

/* A worker's, seen by the parent. */
struct slot {
	struct blkpr_verdict verdict;
	_Atomic int64_t started; /* blkpr_clock_ms(); 0: not yet */
	atomic_bool done;
};

/* What the crew shares with the parent. */
struct board {
	atomic_int error; /* -errno: no worker could be run */
	struct slot slots[];
};

/* In the crew's process only. */
struct crew {
	const struct blkpr_fleet *fleet;
	unsigned count;
	blkpr_fleet_job job;
	void *context;
	struct board *board;
	int64_t patience_ms;
	atomic_uint taken; /* devices that a worker has */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t left;  /* ACTIVE has sunk to AWAITED */
	unsigned active, awaited;
	unsigned busy_most, active_most; /* at a time: by what the caller wants, and what there are descriptors for */
};

/* --- in the crew -------------------------------------------------------------------------------- */

/* It keeps nothing of the parent's but its end of the pipe: no stdio, so that no caller waits for it. */
static void shed_descriptors(int pipe_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		if (fd != pipe_fd && (null < 0 || dup2(null, fd) < 0)) /* the pipe: a parent without stdio */
			close(fd);
#ifdef SYS_close_range
	if (pipe_fd > 3)
		syscall(SYS_close_range, 3U, (unsigned)pipe_fd - 1, 0U);
	syscall(SYS_close_range, (unsigned)(pipe_fd > 2 ? pipe_fd : 2) + 1, ~0U, 0U);
#endif
}

/*
 * All workers have their descriptors in one table. It grows now: once it is shared by threads, each time that costs a grace
 * period of RCU (fs/file.c: expand_fdtable).
 */
static void make_room(struct crew *crew)
{
	unsigned wanted = crew->fleet->parallel < crew->count ? crew->fleet->parallel : crew->count;
	struct rlimit limit = { 0 };
	rlim_t room;
	int last;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	room = limit.rlim_cur / WORKERS_DESCRIPTORS;
	crew->active_most = room < 1 ? 1 : room < UINT_MAX ? (unsigned)room : UINT_MAX;
	crew->busy_most = wanted < crew->active_most ? wanted : crew->active_most;
	last = fcntl(0, F_DUPFD_CLOEXEC, (int)(crew->busy_most * WORKERS_DESCRIPTORS - 1));
	if (last >= 0)
		close(last);
}

static void *work(void *argument)
{
	struct crew *crew = argument;
	unsigned index = atomic_fetch_add(&crew->taken, 1);
	struct slot *slot = &crew->board->slots[index];
	int64_t started = blkpr_clock_ms();

	atomic_store(&slot->started, started);
	crew->job(crew->context, index, &slot->verdict);
	slot->verdict.elapsed_ms = (unsigned)(blkpr_clock_ms() - started);
	atomic_store(&slot->done, true);
	if (blkpr_clock_ms() >= crew->fleet->deadline)
		_exit(0); /* others may have been killed with a lock; libiscsi throws a signal away (lib/disk.h) */
	pthread_mutex_lock(&crew->lock);
	if (--crew->active <= crew->awaited)
		pthread_cond_signal(&crew->left);
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

/* Waits until no more than AWAITED workers are active, or until UNTIL. */
static void wait_for(struct crew *crew, unsigned awaited, int64_t until)
{
	struct timespec time = { until / 1000, until % 1000 * 1000000 };

	crew->awaited = awaited;
	while (crew->active > awaited && !pthread_cond_timedwait(&crew->left, &crew->lock, &time))
		;
	crew->awaited = 0;
}

/* How many workers keep others waiting; *UNTIL is when the next of them may have stalled. */
static unsigned busy(const struct crew *crew, int64_t *until)
{
	int64_t now = blkpr_clock_ms();
	unsigned stalled = 0, taken = atomic_load(&crew->taken);

	*until = now + crew->patience_ms; /* one may begin just now */
	for (unsigned i = 0; i < taken; i++) {
		const struct slot *slot = &crew->board->slots[i];
		int64_t stalls = atomic_load(&slot->started) + crew->patience_ms;

		if (stalls == crew->patience_ms || atomic_load(&slot->done))
			continue;
		if (stalls <= now)
			stalled++;
		else if (stalls < *until)
			*until = stalls;
	}
	return crew->active - stalled;
}

/* Whether there may be one more worker now; if not, *UNTIL is when that may change though none has left. */
static bool has_place(const struct crew *crew, int64_t *until)
{
	*until = crew->fleet->deadline;
	if (crew->active >= crew->active_most)
		return false;
	return crew->active < crew->busy_most || busy(crew, until) < crew->busy_most;
}

/* A device whose turn does not come before the deadline is left without a worker. */
static void lead(struct crew *crew, const pthread_attr_t *attributes)
{
	unsigned started = 0;

	pthread_mutex_lock(&crew->lock);
	while (started < crew->count && blkpr_clock_ms() < crew->fleet->deadline) {
		pthread_t thread;
		int64_t until;
		int rc;

		if (!has_place(crew, &until)) {
			wait_for(crew, crew->active - 1, until);
			continue;
		}
		rc = pthread_create(&thread, attributes, work, crew);
		if (!started)
			atomic_store(&crew->board->error, -rc);
		if (!rc) {
			crew->active++;
			started++;
		} else if (crew->active) { /* out of processes or memory */
			wait_for(crew, crew->active - 1, blkpr_clock_ms() + RETRY_MS);
		} else {
			blkpr_clock_pause(RETRY_MS, crew->fleet->deadline);
		}
	}
	while (crew->active)
		pthread_cond_wait(&crew->left, &crew->lock); /* at the deadline the parent ends it */
	pthread_mutex_unlock(&crew->lock);
}

static void __attribute__((noreturn)) be_the_crew(struct crew *crew, int pipe_fd, pid_t parent)
{
	pthread_condattr_t monotonic;
	pthread_attr_t detached;

	/* a worker must not act for a parent that is gone: the victim may be back by then */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	shed_descriptors(pipe_fd);
	if (crew->count == 1 && blkpr_clock_ms() < crew->fleet->deadline) { /* needs no other thread */
		crew->active = 1;
		work(crew);
		_exit(0);
	}
	make_room(crew);
	mallopt(M_ARENA_MAX, 1); /* one for each worker is mapping without need */
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&crew->left, &monotonic);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&detached, STACK_SIZE);
	lead(crew, &detached);
	_exit(0);
}

/* --- in the parent ------------------------------------------------------------------------------ */

/* Whether the crew has ended before the deadline. */
static bool has_ended(int pipe_fd, int64_t deadline)
{
	struct pollfd pipe = { .fd = pipe_fd, .events = POLLIN };
	int64_t left;

	while ((left = deadline - blkpr_clock_ms()) > 0)
		if (poll(&pipe, 1, left < INT_MAX ? (int)left : INT_MAX) > 0)
			return blkpr_clock_ms() < deadline;
	return false;
}

static void take_verdict(const struct slot *slot, bool over, struct blkpr_verdict *verdict)
{
	bool done = atomic_load(&slot->done);
	int64_t started = atomic_load(&slot->started);

	*verdict = slot->verdict;
	if (done)
		return;
	verdict->result = over ? BLKPR_UNFINISHED : BLKPR_CRASHED;
	verdict->elapsed_ms = started ? (unsigned)(blkpr_clock_ms() - started) : 0;
}

/* Forks the crew; *PIPE_FD reaches its end when the crew does. The crew's process id, or -errno. */
static pid_t hire(struct crew *crew, int *pipe_fd)
{
	pid_t parent = getpid(), pid;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		be_the_crew(crew, fds[1], parent);
	if (pid < 0) {
		pid = -errno;
		close(fds[0]);
	}
	close(fds[1]);
	*pipe_fd = fds[0];
	return pid;
}

static int run(struct crew *crew, struct blkpr_verdict verdicts[])
{
	int pipe_fd = -1;
	pid_t pid = hire(crew, &pipe_fd);
	bool ended;

	if (pid < 0)
		return pid;
	ended = has_ended(pipe_fd, crew->fleet->deadline);
	for (unsigned i = 0; i < crew->count; i++)
		take_verdict(&crew->board->slots[i], !ended, &verdicts[i]);
	if (!ended)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, WNOHANG); /* never waited for: it may sleep in the kernel */
	close(pipe_fd);
	return atomic_load(&crew->board->error);
}

int blkpr_fleet_run(const struct blkpr_fleet *fleet, unsigned count, blkpr_fleet_job job, void *context,
	struct blkpr_verdict verdicts[])
{
	size_t size = sizeof(struct board) + count * sizeof(struct slot);
	struct crew crew = {
		.fleet = fleet,
		.count = count,
		.job = job,
		.context = context,
		.patience_ms = (fleet->deadline - blkpr_clock_ms()) / STALL_SHARE,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.left = PTHREAD_COND_INITIALIZER,
	};
	int rc;

	for (unsigned i = 0; i < count; i++)
		verdicts[i] = (struct blkpr_verdict){ .result = BLKPR_UNFINISHED };
	if (!count || blkpr_clock_ms() >= fleet->deadline)
		return 0;
	crew.board = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crew.board == MAP_FAILED)
		return -errno;
	rc = run(&crew, verdicts);
	munmap(crew.board, size);
	return rc;
}
