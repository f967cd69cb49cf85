// SPDX-License-Identifier: LGPL-2.1-or-later
// A pool of workers: threads in one process.
#include "lib/pool.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

/*
 * A worker that runs longer than this share of the time left has stalled: it no longer keeps others
 * waiting.
 */
#define STALL_SHARE 16

#define STACK_SIZE (256UL * 1024) /* bytes; only what a worker touches is real */
#define WORKERS_DESCRIPTORS 4   /* that a worker has open at a time: the disk, one more path,
				   sysfs */
#define RETRY_MS 50             /* after a thread could not be created */

/* In the pool's process only. */
struct pool {
	const struct blkpr_fleet *fleet;
	struct blkpr_board *board;
	pid_t parent;
	int64_t patience_ms;
	atomic_uint taken; /* slots that a worker has */

	pthread_attr_t detached;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t left;  /* ACTIVE has sunk to AWAITED */
	unsigned active, awaited;
	/* at a time: by what the caller wants, and what there are descriptors for */
	unsigned busy_most, active_most;
};

/*
 * It keeps nothing of the parent's but its end of the line: no stdio, so that no caller waits for
 * it.
 */
static void shed_descriptors(int line)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		/* the line: a parent without stdio */
		if (fd != line && (null < 0 || dup2(null, fd) < 0))
			close(fd);
#ifdef SYS_close_range
	if (line > 3)
		syscall(SYS_close_range, 3U, (unsigned)line - 1, 0U);
	syscall(SYS_close_range, (unsigned)(line > 2 ? line : 2) + 1, ~0U, 0U);
#endif
}

/*
 * All workers have their descriptors in one table. It grows now: once it is shared by threads, each
 * time that costs a grace period of RCU (fs/file.c: expand_fdtable).
 */
static void make_room(struct pool *pool)
{
	const struct blkpr_fleet *fleet = pool->fleet;
	unsigned wanted = fleet->parallel < fleet->count ? fleet->parallel : fleet->count;
	struct rlimit limit = { 0 };
	rlim_t room;
	int last;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	room = limit.rlim_cur / WORKERS_DESCRIPTORS;
	pool->active_most = room < 1 ? 1 : room < UINT_MAX ? (unsigned)room : UINT_MAX;
	pool->busy_most = wanted < pool->active_most ? wanted : pool->active_most;
	last = fcntl(0, F_DUPFD_CLOEXEC, (int)(pool->busy_most * WORKERS_DESCRIPTORS - 1));
	if (last >= 0)
		close(last);
}

/*
 * The pool ends with the time, and with its parent. It is killed then, but libiscsi may throw that
 * away (lib/disk.h), and others may have been killed with a lock.
 */
static int64_t end_with_time(const struct pool *pool, int64_t now)
{
	if (now >= pool->board->deadline || getppid() != pool->parent)
		_exit(0);
	return now;
}

static int64_t now_or_end(const struct pool *pool)
{
	return end_with_time(pool, blkpr_clock_ms());
}

/* NOW, and then. */
static int64_t work_on(const struct pool *pool, struct blkpr_slot *slot, int64_t now)
{
	int64_t end;

	atomic_store(&slot->started, now);
	pool->board->job(pool->fleet->context, slot->index, pool->board->deadline, &slot->verdict);
	end = blkpr_clock_ms();
	slot->verdict.elapsed_ms = (unsigned)(end - now);
	atomic_store(&slot->done, true);
	return end_with_time(pool, end);
}

/*
 * One slot after the other; when there is none left, or when others have taken its place, a worker
 * leaves.
 */
static void *work(void *argument)
{
	struct pool *pool = argument;
	int64_t now = now_or_end(pool);
	unsigned next;

	pthread_mutex_lock(&pool->lock);
	do {
		pthread_mutex_unlock(&pool->lock);
		next = atomic_fetch_add(&pool->taken, 1);
		if (next < pool->board->count)
			now = work_on(pool, &pool->board->slots[next], now);
		pthread_mutex_lock(&pool->lock);
	} while (next < pool->board->count && pool->active <= pool->busy_most);
	if (--pool->active <= pool->awaited)
		pthread_cond_signal(&pool->left);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Waits until no more than AWAITED workers are active, or until UNTIL. */
static void wait_for(struct pool *pool, unsigned awaited, int64_t until)
{
	struct timespec time = { until / 1000, until % 1000 * 1000000 };

	pool->awaited = awaited;
	while (pool->active > awaited && !pthread_cond_timedwait(&pool->left, &pool->lock, &time))
		;
	pool->awaited = 0;
}

/* Slots that a worker has, or has had. */
static unsigned count_taken(const struct pool *pool)
{
	unsigned taken = atomic_load(&pool->taken), count = pool->board->count;

	return taken < count ? taken : count;
}

/* How many workers keep others waiting; *UNTIL is when the next of them may have stalled. */
static unsigned busy(const struct pool *pool, int64_t *until)
{
	int64_t now = blkpr_clock_ms();
	unsigned stalled = 0, taken = count_taken(pool);

	*until = now + pool->patience_ms; /* one may begin just now */
	for (unsigned i = 0; i < taken; i++) {
		const struct blkpr_slot *slot = &pool->board->slots[i];
		int64_t stalls = atomic_load(&slot->started) + pool->patience_ms;

		if (stalls == pool->patience_ms || atomic_load(&slot->done))
			continue;
		if (stalls <= now)
			stalled++;
		else if (stalls < *until)
			*until = stalls;
	}
	return pool->active - stalled;
}

/*
 * Whether there may be one more worker now; if not, *UNTIL is when that may change though none has
 * left.
 */
static bool has_place(const struct pool *pool, int64_t *until)
{
	*until = pool->board->deadline;
	if (pool->active >= pool->active_most)
		return false;
	return pool->active < pool->busy_most || busy(pool, until) < pool->busy_most;
}

/*
 * With the lock held, which it gives away meanwhile: whoever is created should not have to wait for
 * it.
 */
static int add_worker(struct pool *pool)
{
	pthread_t thread;
	int rc;

	pool->active++;
	pthread_mutex_unlock(&pool->lock);
	rc = pthread_create(&thread, &pool->detached, work, pool);
	/* whoever is new begins: where disks answer at once, a few workers do for all */
	sched_yield();
	pthread_mutex_lock(&pool->lock);
	if (rc)
		pool->active--;
	return rc;
}

/* A device whose turn does not come before the deadline is left without a worker. */
static void start_workers(struct pool *pool)
{
	unsigned added = 0, count = pool->board->count;

	pthread_mutex_lock(&pool->lock);
	/* each takes one at least, if there is one left */
	while (added < count && count_taken(pool) < count) {
		int64_t until;
		int rc;

		if (!has_place(pool, &until)) {
			wait_for(pool, pool->active - 1, until);
			now_or_end(pool);
			continue;
		}
		rc = add_worker(pool);
		if (!added)
			atomic_store(&pool->board->error, -rc);
		if (!rc)
			added++;
		else if (pool->active) /* out of processes or memory */
			wait_for(pool, pool->active - 1, now_or_end(pool) + RETRY_MS);
		else
			blkpr_clock_pause(RETRY_MS, now_or_end(pool) + RETRY_MS);
	}
	while (pool->active) /* at the deadline the parent ends it */
		pthread_cond_wait(&pool->left, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

static void prepare_threads(struct pool *pool)
{
	pthread_condattr_t monotonic;

	make_room(pool);
	mallopt(M_ARENA_MAX, 1); /* one for each worker is mapping without need */
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->left, &monotonic);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_attr_init(&pool->detached);
	pthread_attr_setdetachstate(&pool->detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&pool->detached, STACK_SIZE);
}

static void serve(struct pool *pool)
{
	atomic_store(&pool->taken, 0);
	pool->patience_ms = (pool->board->deadline - now_or_end(pool)) / STALL_SHARE;
	if (pool->board->count == 1) { /* needs no other thread */
		work_on(pool, &pool->board->slots[0], now_or_end(pool));
		return;
	}
	if (!pool->active_most)
		prepare_threads(pool);
	start_workers(pool);
}

_Noreturn void blkpr_pool_run(const struct blkpr_fleet *fleet, int line, pid_t parent)
{
	struct pool pool = { .fleet = fleet, .board = fleet->board, .parent = parent };
	char order = 0;

	/* a worker must not act for a parent that is gone: the victim may be back by then */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	shed_descriptors(line);
	do
		serve(&pool);
	while (send(line, &order, 1, MSG_NOSIGNAL) == 1 && recv(line, &order, 1, 0) == 1);
	_exit(0);
}
