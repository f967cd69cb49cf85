// SPDX-License-Identifier: GPL-2.0-or-later
// The fan-out with real processes and threads: order, deadline, bound, crashes, and what a worker keeps of its parent.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/fleet.h"
#include "tests/unit/unit.h"

#define MOST 64
#define FAR_MS 10000  /* a deadline that no sound test reaches */
#define LATE_MS 1000  /* after its deadline, on a busy machine */
#define SOON_MS 100   /* and at least once in a while */

/* What jobs share with the test: they run in another process. */
struct shared {
	atomic_uint now, most;
	atomic_bool foreign_descriptor;
	pid_t pid[MOST];
	sem_t started;
	struct stat pipe;
};

static struct shared *shared;
static void (*fork_delay)(void); /* called in the parent before every fork() */

/* A mock: no limit makes pthread_create() fail when a test wants it to. */
static unsigned threads_left = UINT_MAX;
static bool threads_come_back;

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	if (!threads_left) {
		threads_left = threads_come_back;
		return EAGAIN;
	}
	threads_left--;
	return __real_pthread_create(thread, attributes, start, argument);
}

static void before_fork(void)
{
	if (fork_delay)
		fork_delay();
}

static int begin(void **state)
{
	(void)state;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return shared == MAP_FAILED || sem_init(&shared->started, 1, 0);
}

static int end(void **state)
{
	(void)state;
	fork_delay = NULL;
	threads_left = UINT_MAX;
	while (waitpid(-1, NULL, 0) > 0) /* the fleet leaves killed workers to whoever waits */
		;
	return munmap(shared, sizeof(*shared));
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

static void wait_for_start(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += FAR_MS / 1000;
	while (sem_timedwait(&shared->started, &until))
		if (errno != EINTR)
			fail_msg("no worker has started");
}

static int run(unsigned parallel, int64_t ms, unsigned count, blkpr_fleet_job job, void *context,
	struct blkpr_verdict verdicts[])
{
	struct blkpr_fleet fleet = { .parallel = parallel, .count = count, .context = context };
	int64_t deadline = blkpr_clock_ms() + ms;
	unsigned which[MOST];
	int rc;

	for (unsigned i = 0; i < count; i++)
		which[i] = i;
	memset(verdicts, 0xee, count * sizeof(*verdicts));
	rc = blkpr_fleet_run(&fleet, job, which, count, deadline, verdicts);
	blkpr_fleet_stop(&fleet);
	assert_true(blkpr_clock_ms() <= deadline + LATE_MS);
	return rc;
}

static _Noreturn void hang(void)
{
	for (;;)
		pause();
}

/* --- verdicts ------------------------------------------------------------------------------------- */

/* Leaves a verdict that only device INDEX has; later ones finish earlier. */
static void job_number(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	pause_ms(20 - index % 20);
	verdict->offender = *(uint64_t *)context + index;
	verdict->result = index % 2 ? BLKPR_EVICTED : BLKPR_OK;
}

static void verdicts_come_back_in_the_order_of_the_devices(void **state)
{
	struct blkpr_verdict verdicts[MOST];
	uint64_t base = 1000;

	(void)state;
	assert_int_equal(run(8, FAR_MS, MOST, job_number, &base, verdicts), 0);
	for (unsigned i = 0; i < MOST; i++) {
		assert_int_equal(verdicts[i].offender, base + i);
		assert_result(verdicts[i].result, i % 2 ? BLKPR_EVICTED : BLKPR_OK);
	}
}

static void no_devices_are_no_work(void **state)
{
	struct blkpr_verdict none;

	(void)state;
	assert_int_equal(run(8, FAR_MS, 0, job_number, NULL, &none), 0);
}

static void job_timed(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	(void)context;
	(void)index;
	pause_ms(50);
	verdict->result = BLKPR_OK;
}

static void a_verdict_says_how_long_it_took(void **state)
{
	struct blkpr_verdict verdict;

	(void)state;
	assert_int_equal(run(1, FAR_MS, 1, job_timed, NULL, &verdict), 0);
	assert_true(verdict.elapsed_ms >= 49 && verdict.elapsed_ms < FAR_MS);
}

/* --- workers that hang or die --------------------------------------------------------------------- */

static void job_third_hangs(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	(void)context;
	verdict->step = BLKPR_STEP_PREEMPT;
	if (index == 2)
		hang();
	verdict->result = BLKPR_OK;
}

static void a_worker_that_hangs_is_unfinished_at_its_step(void **state)
{
	struct blkpr_verdict verdicts[8];
	int64_t started = blkpr_clock_ms();

	(void)state;
	assert_int_equal(run(8, 600, 8, job_third_hangs, NULL, verdicts), 0);
	assert_true(blkpr_clock_ms() - started >= 600);
	for (unsigned i = 0; i < 8; i++)
		assert_result(verdicts[i].result, i == 2 ? BLKPR_UNFINISHED : BLKPR_OK);
	assert_int_equal(verdicts[2].step, BLKPR_STEP_PREEMPT);
	assert_true(verdicts[2].elapsed_ms >= 300 && verdicts[2].elapsed_ms <= 600 + LATE_MS);
}

static void job_success_without_an_end(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	(void)context;
	(void)index;
	verdict->result = BLKPR_OK;
	hang();
}

static void a_worker_that_hangs_after_success_is_unfinished(void **state)
{
	struct blkpr_verdict verdict;

	(void)state; /* S4: it has not returned */
	assert_int_equal(run(1, 100, 1, job_success_without_an_end, NULL, &verdict), 0);
	assert_result(verdict.result, BLKPR_UNFINISHED);
}

static void job_dies(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	int number = *(int *)context;

	verdict->result = BLKPR_OK;
	verdict->step = BLKPR_STEP_READ;
	if (index != 1)
		return;
	if (!number)
		_exit(0); /* success without having returned */
	kill(getpid(), number);
	hang(); /* another thread may be the one that is told */
}

/* What had been finished counts; the others cannot be told from the one that the pool died of. */
static void whom_the_pool_dies_with_has_crashed(void **state)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGABRT, 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
		struct blkpr_verdict verdicts[4];
		int number = signals[i];

		assert_int_equal(run(1, FAR_MS, 4, job_dies, &number, verdicts), 0);
		assert_result(verdicts[0].result, BLKPR_OK);
		assert_result(verdicts[1].result, BLKPR_CRASHED);
		assert_int_equal(verdicts[1].step, BLKPR_STEP_READ);
		for (unsigned k = 2; k < 4; k++) {
			assert_result(verdicts[k].result, BLKPR_CRASHED);
			assert_int_equal(verdicts[k].step, BLKPR_STEP_NONE);
		}
	}
}

static void a_deadline_that_has_passed_starts_nothing(void **state)
{
	struct blkpr_verdict verdicts[4];
	uint64_t base = 0;

	(void)state;
	assert_int_equal(run(4, -1, 4, job_number, &base, verdicts), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_result(verdicts[i].result, BLKPR_UNFINISHED);
		assert_int_equal(verdicts[i].step, BLKPR_STEP_NONE);
	}
}

/* --- the bound ------------------------------------------------------------------------------------ */

static void job_counts(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	unsigned now = atomic_fetch_add(&shared->now, 1) + 1, most = atomic_load(&shared->most);

	(void)index;
	while (now > most && !atomic_compare_exchange_weak(&shared->most, &most, now))
		;
	for (unsigned i = 0; i < FAR_MS && atomic_load(&shared->most) < *(unsigned *)context; i++)
		pause_ms(1); /* for the others */
	pause_ms(10); /* for one too many */
	atomic_fetch_sub(&shared->now, 1);
	verdict->result = BLKPR_OK;
}

static void check_bound(unsigned parallel, unsigned count, unsigned want)
{
	struct blkpr_verdict verdicts[MOST];

	atomic_store(&shared->most, 0);
	assert_int_equal(run(parallel, 6 * FAR_MS, count, job_counts, &want, verdicts), 0);
	assert_int_equal(atomic_load(&shared->most), want);
}

static void no_more_workers_than_allowed_run_at_a_time(void **state)
{
	(void)state;
	check_bound(1, 5, 1);
	check_bound(3, 12, 3);
	check_bound(MOST, 4, 4);
}

static void job_first_two_hang(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	(void)context;
	if (index < 2)
		hang();
	verdict->result = BLKPR_OK;
}

static void stalled_workers_do_not_keep_others_waiting(void **state)
{
	(void)state; /* S5: all places are taken by devices that hang */
	for (unsigned parallel = 1; parallel <= 3; parallel++) {
		struct blkpr_verdict verdicts[10];

		assert_int_equal(run(parallel, 1600, 10, job_first_two_hang, NULL, verdicts), 0);
		for (unsigned i = 0; i < 10; i++)
			assert_result(verdicts[i].result, i < 2 ? BLKPR_UNFINISHED : BLKPR_OK);
	}
}

static void job_first_comes_back(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	unsigned one = 1;

	(void)context;
	if (index)
		job_counts(&one, index, deadline, verdict);
	else
		pause_ms(FAR_MS / 16 + 150); /* stalled by then */
}

static void one_that_comes_back_is_not_one_too_many(void **state)
{
	struct blkpr_verdict verdicts[MOST];

	(void)state;
	assert_int_equal(run(1, FAR_MS, MOST, job_first_comes_back, NULL, verdicts), 0);
	assert_int_equal(atomic_load(&shared->most), 1);
}

static void job_tells(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	(void)context;
	(void)index;
	(void)verdict;
	sem_post(&shared->started);
}

static void slow_start(void)
{
	pause_ms(300);
}

static void a_pool_that_starts_after_the_deadline_does_nothing(void **state)
{
	struct blkpr_verdict verdicts[8];

	(void)state; /* S5 */
	fork_delay = slow_start;
	for (unsigned count = 1; count <= 8; count += 7) {
		assert_int_equal(run(8, 200, count, job_tells, NULL, verdicts), 0);
		for (unsigned i = 0; i < count; i++) {
			assert_result(verdicts[i].result, BLKPR_UNFINISHED);
			assert_int_equal(verdicts[i].step, BLKPR_STEP_NONE);
		}
	}
	assert_int_equal(sem_trywait(&shared->started), -1);
}

/* --- what a pool may run short of ----------------------------------------------------------------- */

static void job_opens(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	int fds[3]; /* one of WORKERS_DESCRIPTORS to spare, for stdio and the pipe */

	(void)context;
	(void)index;
	verdict->result = BLKPR_OK;
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = open("/dev/null", O_RDONLY);
		if (fds[i] < 0)
			verdict->result = BLKPR_IO_ERROR;
	}
	pause_ms(5);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static int in_child_with_few_descriptors(rlim_t soft, rlim_t hard)
{
	struct blkpr_verdict verdicts[MOST];
	struct rlimit limit = { soft, hard };

	if (setrlimit(RLIMIT_NOFILE, &limit) || run(MOST, FAR_MS, MOST, job_opens, NULL, verdicts))
		return 1;
	for (unsigned i = 0; i < MOST; i++)
		if (verdicts[i].result != BLKPR_OK)
			return 1;
	return getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur != soft; /* the caller's is left alone */
}

static void workers_have_the_descriptors_they_need(void **state)
{
	static const struct rlimit limits[] = { { 16, 1024 }, { 40, 40 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (!pid)
			_exit(in_child_with_few_descriptors(limits[i].rlim_cur, limits[i].rlim_max));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void where_threads_are_few_devices_wait_for_each_other(void **state)
{
	struct blkpr_verdict verdicts[MOST];
	uint64_t base = 1000;

	(void)state;
	threads_left = 3;
	threads_come_back = true;
	assert_int_equal(run(MOST, FAR_MS, MOST, job_number, &base, verdicts), 0);
	for (unsigned i = 0; i < MOST; i++)
		assert_int_equal(verdicts[i].offender, base + i);
}

static void a_pool_that_gets_its_first_thread_late_works(void **state)
{
	struct blkpr_verdict verdicts[4];
	uint64_t base = 1000;

	(void)state;
	threads_left = 0;
	threads_come_back = true;
	assert_int_equal(run(MOST, FAR_MS, 4, job_number, &base, verdicts), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(verdicts[i].offender, base + i);
}

static void a_pool_without_any_thread_is_an_error(void **state)
{
	struct blkpr_verdict verdicts[4];
	uint64_t base = 1000;

	(void)state;
	threads_left = 0;
	threads_come_back = false;
	assert_int_equal(run(MOST, 300, 4, job_number, &base, verdicts), -EAGAIN);
	for (unsigned i = 0; i < 4; i++)
		assert_result(verdicts[i].result, BLKPR_UNFINISHED);
}

/* --- one run after the other ---------------------------------------------------------------------- */

static void job_tells_who(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	shared->pid[index] = getpid();
	verdict->offender = *(uint64_t *)context + index;
	verdict->result = BLKPR_OK;
}

static void job_hangs(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	(void)context;
	(void)verdict;
	shared->pid[index] = getpid();
	sem_post(&shared->started);
	hang();
}

static void check_run(struct blkpr_fleet *fleet, const unsigned which[], unsigned count, struct blkpr_verdict verdicts[])
{
	int64_t deadline = blkpr_clock_ms() + FAR_MS;

	assert_int_equal(blkpr_fleet_run(fleet, job_tells_who, which, count, deadline, verdicts), 0);
	for (unsigned i = 0; i < count; i++) {
		assert_result(verdicts[which[i]].result, BLKPR_OK);
		assert_int_equal(verdicts[which[i]].offender, *(uint64_t *)fleet->context + which[i]);
	}
}

static void the_next_run_is_the_same_pools(void **state)
{
	static const unsigned first[] = { 5 }, others[] = { 7, 0, 3, 1, 2, 4, 6 };
	struct blkpr_verdict verdicts[8];
	uint64_t base = 1000;
	struct blkpr_fleet fleet = { .parallel = 3, .count = 8, .context = &base };

	(void)state;
	memset(verdicts, 0xee, sizeof(verdicts));
	check_run(&fleet, first, 1, verdicts);
	assert_int_equal(verdicts[7].offender, 0xeeeeeeeeeeeeeeee); /* not in that run */
	check_run(&fleet, others, 7, verdicts);
	check_run(&fleet, first, 1, verdicts);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(shared->pid[i], fleet.pool);
	blkpr_fleet_stop(&fleet);
	assert_int_equal(fleet.pool, 0);
	assert_true(waitpid(shared->pid[0], NULL, 0) == shared->pid[0] || errno == ECHILD); /* it ends by itself */
}

static void a_pool_that_has_died_meanwhile_is_replaced(void **state)
{
	static const unsigned which[] = { 0, 1 };
	struct blkpr_verdict verdicts[2];
	uint64_t base = 1000;
	struct blkpr_fleet fleet = { .parallel = 2, .count = 2, .context = &base };
	pid_t dead;

	(void)state;
	check_run(&fleet, which, 2, verdicts);
	dead = fleet.pool;
	assert_true(dead > 0);
	kill(dead, SIGKILL);
	assert_int_equal(waitpid(dead, NULL, 0), dead);
	check_run(&fleet, which, 2, verdicts);
	assert_int_not_equal(fleet.pool, dead);
	blkpr_fleet_stop(&fleet);
}

static void a_pool_that_dies_with_the_order_in_its_hands_is_replaced(void **state)
{
	static const unsigned which[] = { 0, 1 };
	struct blkpr_verdict verdicts[2];
	uint64_t base = 1000;
	struct blkpr_fleet fleet = { .parallel = 2, .count = 2, .context = &base };

	(void)state; /* the OOM killer may come between two runs */
	for (unsigned i = 0; i < 20; i++) {
		check_run(&fleet, which, 2, verdicts);
		assert_true(fleet.pool > 0);
		kill(fleet.pool, SIGKILL); /* it is not dead at once */
	}
	blkpr_fleet_stop(&fleet);
}

static void a_pool_that_has_not_finished_is_left_behind(void **state)
{
	static const unsigned which[] = { 0, 1 };
	struct blkpr_verdict verdicts[2];
	uint64_t base = 1000;
	struct blkpr_fleet fleet = { .parallel = 2, .count = 2, .context = &base };

	(void)state; /* S5 */
	for (unsigned count = 1; count <= 2; count++) {
		int64_t deadline = blkpr_clock_ms() + 100;

		assert_int_equal(blkpr_fleet_run(&fleet, job_hangs, which, count, deadline, verdicts), 0);
		assert_result(verdicts[0].result, BLKPR_UNFINISHED);
		assert_int_equal(fleet.pool, 0);
		check_run(&fleet, which, 2, verdicts);
	}
	blkpr_fleet_stop(&fleet);
}

/* --- the deadline --------------------------------------------------------------------------------- */

static void devices_that_all_hang_end_at_the_deadline(void **state)
{
	struct blkpr_verdict verdicts[MOST];

	(void)state;
	assert_int_equal(run(4, 400, MOST, job_hangs, NULL, verdicts), 0);
	for (unsigned i = 0; i < MOST; i++)
		assert_result(verdicts[i].result, BLKPR_UNFINISHED);
}

/* Device 1 answers, and then takes its time. */
static void job_answers_late(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)context;
	(void)deadline;
	if (index != 1)
		hang();
	verdict->answered = true;
	pause_ms(3 * SOON_MS);
}

static void a_run_that_nobody_answers_ends_before_its_deadline(void **state)
{
	struct blkpr_fleet fleet = { .parallel = 2, .count = 2 };
	const unsigned silent = 0, slow = 1;
	struct blkpr_verdict verdicts[2];
	int64_t started = blkpr_clock_ms();

	(void)state;
	fleet.answer_by = started + SOON_MS;
	assert_int_equal(
		blkpr_fleet_run(&fleet, job_answers_late, &silent, 1, started + FAR_MS, verdicts), 0);
	assert_true(blkpr_clock_ms() < started + FAR_MS / 2);
	assert_result(verdicts[0].result, BLKPR_UNFINISHED);
	fleet.answer_by = blkpr_clock_ms() + SOON_MS;
	assert_int_equal(blkpr_fleet_run(&fleet, job_answers_late, &slow, 1, started + FAR_MS, verdicts), 0);
	assert_result(verdicts[1].result, BLKPR_OK); /* it has answered by then, and has all the time there is */
	blkpr_fleet_stop(&fleet);
}

static void the_fleet_returns_within_100_ms_of_its_deadline(void **state)
{
	int64_t best = LATE_MS;

	(void)state; /* the best of five: the machine may be busy with something else */
	for (unsigned i = 0; i < 5; i++) {
		int64_t deadline = blkpr_clock_ms() + 100, late;
		struct blkpr_verdict verdicts[8];

		run(8, 100, 8, job_hangs, NULL, verdicts);
		late = blkpr_clock_ms() - deadline;
		best = late < best ? late : best;
	}
	assert_true(best >= 0 && best <= SOON_MS);
}

static void a_worker_that_hangs_is_killed_at_the_deadline(void **state)
{
	struct blkpr_verdict verdict;
	int status;

	(void)state;
	assert_int_equal(run(1, 100, 1, job_hangs, NULL, &verdict), 0);
	if (waitpid(shared->pid[0], &status, 0) == shared->pid[0]) {
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
	} else {
		assert_int_equal(errno, ECHILD); /* the fleet has waited for it */
	}
}

/* --- what a worker keeps of its parent ------------------------------------------------------------ */

static void job_looks_for_the_pipe(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	(void)deadline;
	struct stat st;

	(void)context;
	(void)index;
	for (int fd = 0; fd < 256; fd++)
		if (!fstat(fd, &st) && st.st_dev == shared->pipe.st_dev && st.st_ino == shared->pipe.st_ino)
			atomic_store(&shared->foreign_descriptor, true);
	verdict->result = BLKPR_OK;
}

/* In a child, so that the test keeps its own stdio: stdio and more are the pipe OUT. */
static int in_child_with_pipe(int out)
{
	struct blkpr_verdict verdicts[4];

	if (fstat(out, &shared->pipe))
		return 1;
	for (int fd = 0; fd <= 2; fd++)
		dup2(out, fd);
	dup2(out, 100);
	return run(4, FAR_MS, 4, job_looks_for_the_pipe, NULL, verdicts) ||
	       verdicts[3].result != BLKPR_OK;
}

static void a_worker_holds_no_descriptor_of_its_parent(void **state)
{
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(in_child_with_pipe(fds[1]));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(status, 0);
	assert_false(atomic_load(&shared->foreign_descriptor));
}

/* A worker that outlives its parent, as one that sleeps in the kernel does. */
static void job_outlives(void *context, unsigned index, int64_t deadline, struct blkpr_verdict *verdict)
{
	prctl(PR_SET_PDEATHSIG, 0);
	job_hangs(context, index, deadline, verdict);
}

/* Forks a parent of one worker that does JOB; its stdout is OUT, if that is one. */
static pid_t fork_parent(blkpr_fleet_job job, int out)
{
	struct blkpr_verdict verdict;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	run(1, FAR_MS, 1, job, NULL, &verdict);
	_exit(0);
}

static bool reaches_eof(int fd)
{
	struct pollfd pipe = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&pipe, 1, FAR_MS) == 1 && read(fd, &byte, 1) == 0;
}

static void an_abandoned_worker_does_not_keep_the_callers_pipe_open(void **state)
{
	int fds[2];
	pid_t parent;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(fds), 0);
	parent = fork_parent(job_outlives, fds[1]);
	close(fds[1]);
	wait_for_start();
	kill(parent, SIGKILL);
	assert_true(reaches_eof(fds[0]));
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	assert_int_equal(kill(shared->pid[0], 0), 0); /* it lives */
	kill(shared->pid[0], SIGKILL);
	assert_int_equal(waitpid(shared->pid[0], NULL, 0), shared->pid[0]);
	close(fds[0]);
}

static void workers_die_with_their_parent(void **state)
{
	pid_t parent;
	int status;

	(void)state; /* a worker must not fence for a caller that is gone */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	parent = fork_parent(job_hangs, -1);
	wait_for_start();
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	assert_int_equal(waitpid(shared->pid[0], &status, 0), shared->pid[0]);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static unsigned count_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void the_parent_is_left_without_extra_descriptors(void **state)
{
	struct blkpr_verdict verdicts[8];
	unsigned before = count_descriptors();

	(void)state;
	assert_int_equal(run(4, 200, 8, job_third_hangs, NULL, verdicts), 0);
	assert_int_equal(count_descriptors(), before);
}

static int in_child_without_stdio(void)
{
	struct blkpr_verdict verdict;
	uint64_t base = 0;

	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	return run(1, FAR_MS, 1, job_number, &base, &verdict) || verdict.result != BLKPR_OK;
}

static void a_parent_without_stdio_gets_its_verdicts(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(in_child_without_stdio());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define fleet_test(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fleet_test(verdicts_come_back_in_the_order_of_the_devices),
		fleet_test(no_devices_are_no_work),
		fleet_test(a_verdict_says_how_long_it_took),
		fleet_test(a_worker_that_hangs_is_unfinished_at_its_step),
		fleet_test(a_worker_that_hangs_after_success_is_unfinished),
		fleet_test(whom_the_pool_dies_with_has_crashed),
		fleet_test(a_deadline_that_has_passed_starts_nothing),
		fleet_test(no_more_workers_than_allowed_run_at_a_time),
		fleet_test(stalled_workers_do_not_keep_others_waiting),
		fleet_test(one_that_comes_back_is_not_one_too_many),
		fleet_test(a_pool_that_starts_after_the_deadline_does_nothing),
		fleet_test(workers_have_the_descriptors_they_need),
		fleet_test(where_threads_are_few_devices_wait_for_each_other),
		fleet_test(a_pool_that_gets_its_first_thread_late_works),
		fleet_test(a_pool_without_any_thread_is_an_error),
		fleet_test(the_next_run_is_the_same_pools),
		fleet_test(a_pool_that_has_died_meanwhile_is_replaced),
		fleet_test(a_pool_that_dies_with_the_order_in_its_hands_is_replaced),
		fleet_test(a_pool_that_has_not_finished_is_left_behind),
		fleet_test(devices_that_all_hang_end_at_the_deadline),
		fleet_test(a_run_that_nobody_answers_ends_before_its_deadline),
		fleet_test(the_fleet_returns_within_100_ms_of_its_deadline),
		fleet_test(a_worker_that_hangs_is_killed_at_the_deadline),
		fleet_test(a_worker_holds_no_descriptor_of_its_parent),
		fleet_test(an_abandoned_worker_does_not_keep_the_callers_pipe_open),
		fleet_test(workers_die_with_their_parent),
		fleet_test(the_parent_is_left_without_extra_descriptors),
		fleet_test(a_parent_without_stdio_gets_its_verdicts),
	};

	pthread_atfork(before_fork, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
