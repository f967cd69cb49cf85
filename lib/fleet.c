// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fan-out: the crew, a process that can be left behind, and in it threads, each on a device at a time. A thread that sleeps
 * uninterruptibly in the kernel keeps its process from being reaped, and that must not be the caller's; a process a
 * device, or a run, would cost a copy of the caller's page tables each.
 */
#include "lib/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

/* A device's in a run, seen by the parent. */
struct slot {
	unsigned index; /* of the device */
	struct blkpr_verdict verdict;
	_Atomic int64_t started; /* blkpr_clock_ms(); 0: not yet */
	atomic_bool done;
};

/* What the crew shares with the parent: a run. */
struct blkpr_board {
	blkpr_fleet_job job;
	int64_t deadline;
	unsigned count;
	atomic_int error; /* -errno: no worker could be run */
	struct slot slots[];
};

/* In the crew's process only. */
struct crew {
	const struct blkpr_fleet *fleet;
	struct blkpr_board *board;
	pid_t parent;
	int64_t patience_ms;
	atomic_uint taken; /* slots that a worker has */

	pthread_attr_t detached;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t left;  /* ACTIVE has sunk to AWAITED */
	unsigned active, awaited;
	unsigned busy_most, active_most; /* at a time: by what the caller wants, and what there are descriptors for */
};

/* --- in the crew -------------------------------------------------------------------------------- */

/* It keeps nothing of the parent's but its end of the line: no stdio, so that no caller waits for it. */
static void shed_descriptors(int line)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		if (fd != line && (null < 0 || dup2(null, fd) < 0)) /* the line: a parent without stdio */
			close(fd);
#ifdef SYS_close_range
	if (line > 3)
		syscall(SYS_close_range, 3U, (unsigned)line - 1, 0U);
	syscall(SYS_close_range, (unsigned)(line > 2 ? line : 2) + 1, ~0U, 0U);
#endif
}

/*
 * All workers have their descriptors in one table. It grows now: once it is shared by threads, each time that costs a grace
 * period of RCU (fs/file.c: expand_fdtable).
 */
static void make_room(struct crew *crew)
{
	const struct blkpr_fleet *fleet = crew->fleet;
	unsigned wanted = fleet->parallel < fleet->count ? fleet->parallel : fleet->count;
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

/*
 * The crew ends with the time, and with its parent. It is killed then, but libiscsi may throw that away (lib/disk.h), and others
 * may have been killed with a lock.
 */
static int64_t end_with_time(const struct crew *crew, int64_t now)
{
	if (now >= crew->board->deadline || getppid() != crew->parent)
		_exit(0);
	return now;
}

static int64_t now_or_never(const struct crew *crew)
{
	return end_with_time(crew, blkpr_clock_ms());
}

/* NOW, and then. */
static int64_t work_on(const struct crew *crew, struct slot *slot, int64_t now)
{
	int64_t end;

	atomic_store(&slot->started, now);
	crew->board->job(crew->fleet->context, slot->index, crew->board->deadline, &slot->verdict);
	end = blkpr_clock_ms();
	slot->verdict.elapsed_ms = (unsigned)(end - now);
	atomic_store(&slot->done, true);
	return end_with_time(crew, end);
}

/* One slot after the other; when there is none left, or when others have taken its place, a worker leaves. */
static void *work(void *argument)
{
	struct crew *crew = argument;
	int64_t now = now_or_never(crew);
	unsigned next;

	pthread_mutex_lock(&crew->lock);
	do {
		pthread_mutex_unlock(&crew->lock);
		next = atomic_fetch_add(&crew->taken, 1);
		if (next < crew->board->count)
			now = work_on(crew, &crew->board->slots[next], now);
		pthread_mutex_lock(&crew->lock);
	} while (next < crew->board->count && crew->active <= crew->busy_most);
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

/* Slots that a worker has, or has had. */
static unsigned count_taken(const struct crew *crew)
{
	unsigned taken = atomic_load(&crew->taken), count = crew->board->count;

	return taken < count ? taken : count;
}

/* How many workers keep others waiting; *UNTIL is when the next of them may have stalled. */
static unsigned busy(const struct crew *crew, int64_t *until)
{
	int64_t now = blkpr_clock_ms();
	unsigned stalled = 0, taken = count_taken(crew);

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
	*until = crew->board->deadline;
	if (crew->active >= crew->active_most)
		return false;
	return crew->active < crew->busy_most || busy(crew, until) < crew->busy_most;
}

/* With the lock held, which it gives away meanwhile: whoever is created should not have to wait for it. */
static int add_worker(struct crew *crew)
{
	pthread_t thread;
	int rc;

	crew->active++;
	pthread_mutex_unlock(&crew->lock);
	rc = pthread_create(&thread, &crew->detached, work, crew);
	sched_yield(); /* whoever is new begins: where disks answer at once, a few workers do for all */
	pthread_mutex_lock(&crew->lock);
	if (rc)
		crew->active--;
	return rc;
}

/* A device whose turn does not come before the deadline is left without a worker. */
static void lead(struct crew *crew)
{
	unsigned added = 0, count = crew->board->count;

	pthread_mutex_lock(&crew->lock);
	while (added < count && count_taken(crew) < count) { /* each takes one at least, if there is one left */
		int64_t until;
		int rc;

		if (!has_place(crew, &until)) {
			wait_for(crew, crew->active - 1, until);
			now_or_never(crew);
			continue;
		}
		rc = add_worker(crew);
		if (!added)
			atomic_store(&crew->board->error, -rc);
		if (!rc)
			added++;
		else if (crew->active) /* out of processes or memory */
			wait_for(crew, crew->active - 1, now_or_never(crew) + RETRY_MS);
		else
			blkpr_clock_pause(RETRY_MS, now_or_never(crew) + RETRY_MS);
	}
	while (crew->active)
		pthread_cond_wait(&crew->left, &crew->lock); /* at the deadline the parent ends it */
	pthread_mutex_unlock(&crew->lock);
}

static void prepare_threads(struct crew *crew)
{
	pthread_condattr_t monotonic;

	make_room(crew);
	mallopt(M_ARENA_MAX, 1); /* one for each worker is mapping without need */
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&crew->left, &monotonic);
	pthread_mutex_init(&crew->lock, NULL);
	pthread_attr_init(&crew->detached);
	pthread_attr_setdetachstate(&crew->detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&crew->detached, STACK_SIZE);
}

static void serve(struct crew *crew)
{
	atomic_store(&crew->taken, 0);
	crew->patience_ms = (crew->board->deadline - now_or_never(crew)) / STALL_SHARE;
	if (crew->board->count == 1) { /* needs no other thread */
		work_on(crew, &crew->board->slots[0], now_or_never(crew));
		return;
	}
	if (!crew->active_most)
		prepare_threads(crew);
	lead(crew);
}

static void __attribute__((noreturn)) be_the_crew(const struct blkpr_fleet *fleet, int line, pid_t parent)
{
	struct crew crew = { .fleet = fleet, .board = fleet->board, .parent = parent };
	char order = 0;

	/* a worker must not act for a parent that is gone: the victim may be back by then */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	shed_descriptors(line);
	do
		serve(&crew);
	while (send(line, &order, 1, MSG_NOSIGNAL) == 1 && recv(line, &order, 1, 0) == 1);
	_exit(0);
}

/* --- in the parent ------------------------------------------------------------------------------ */

/* Each crew has a board of its own: one that was left behind may still write on its. */
static int put_up_board(struct blkpr_fleet *fleet)
{
	void *board = mmap(NULL, sizeof(*fleet->board) + fleet->count * sizeof(struct slot), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (board == MAP_FAILED)
		return -ENOMEM;
	fleet->board = board;
	return 0;
}

static void take_down_board(struct blkpr_fleet *fleet)
{
	munmap(fleet->board, sizeof(*fleet->board) + fleet->count * sizeof(struct slot));
	fleet->board = NULL;
}

static void write_board(struct blkpr_board *board, blkpr_fleet_job job, const unsigned which[], unsigned count,
	int64_t deadline)
{
	board->job = job;
	board->deadline = deadline;
	board->count = count;
	atomic_store(&board->error, 0);
	for (unsigned i = 0; i < count; i++)
		board->slots[i] = (struct slot){ .index = which[i] };
}

/* Forks the crew, which begins with what is on the board. */
static int hire(struct blkpr_fleet *fleet)
{
	pid_t parent = getpid(), pid;
	int line[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line))
		return -errno;
	pid = fork();
	if (!pid) {
		close(line[0]);
		be_the_crew(fleet, line[1], parent);
	}
	if (pid < 0) {
		pid = -errno;
		close(line[0]);
	}
	close(line[1]);
	fleet->line = line[0];
	fleet->crew = pid < 0 ? 0 : pid;
	return pid < 0 ? pid : 0;
}

void blkpr_fleet_dismiss(struct blkpr_fleet *fleet)
{
	if (!fleet->crew)
		return;
	close(fleet->line); /* the end of an idle crew */
	waitpid(fleet->crew, NULL, WNOHANG); /* never waited for: it may sleep in the kernel */
	fleet->crew = 0;
	take_down_board(fleet);
}

static int begin(struct blkpr_fleet *fleet, blkpr_fleet_job job, const unsigned which[], unsigned count,
	int64_t deadline)
{
	int rc;

	if (fleet->crew) {
		write_board(fleet->board, job, which, count, deadline);
		if (send(fleet->line, "", 1, MSG_NOSIGNAL) == 1)
			return 0;
		blkpr_fleet_dismiss(fleet); /* it has died since the last run */
	}
	rc = put_up_board(fleet);
	if (rc)
		return rc;
	write_board(fleet->board, job, which, count, deadline);
	rc = hire(fleet);
	if (rc)
		take_down_board(fleet);
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

static bool any_started(const struct blkpr_board *board)
{
	for (unsigned i = 0; i < board->count; i++)
		if (atomic_load(&board->slots[i].started))
			return true;
	return false;
}

int blkpr_fleet_run(struct blkpr_fleet *fleet, blkpr_fleet_job job, const unsigned which[], unsigned count,
	int64_t deadline, struct blkpr_verdict verdicts[])
{
	enum end end;
	bool again;
	int rc;

	for (unsigned i = 0; i < count; i++)
		verdicts[which[i]] = (struct blkpr_verdict){ .result = BLKPR_UNFINISHED };
	if (!count || blkpr_clock_ms() >= deadline)
		return 0;
	do {
		again = fleet->crew;
		rc = begin(fleet, job, which, count, deadline);
		if (rc)
			return rc;
		end = await(fleet, deadline);
		again = again && end == DIED && !any_started(fleet->board); /* dying when it got the order */
		if (again)
			blkpr_fleet_dismiss(fleet);
	} while (again);
	for (unsigned i = 0; i < count; i++)
		take_verdict(&fleet->board->slots[i], end == OVER, &verdicts[which[i]]);
	rc = atomic_load(&fleet->board->error);
	if (end == OVER)
		kill(fleet->crew, SIGKILL);
	if (end != REPORTED)
		blkpr_fleet_dismiss(fleet);
	return rc;
}
