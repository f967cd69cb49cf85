// SPDX-License-Identifier: GPL-2.0-or-later
// Turns among workers.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>
#include <unistd.h>

#include "lib/turn.h"
#include "tests/unit/unit.h"

#define HOST 3
#define ANOTHER 4

#define PROMPT_MS 5000
#define WAITS_MS 100 /* nothing can be waited for: it is not to come */

/* Takes a turn, says so, and keeps it until it is told to pass it on. */
struct worker {
	unsigned host;
	pthread_t thread;
	sem_t has_it, enough;
};

static void *keep_turn(void *argument)
{
	struct worker *worker = argument;
	void *turn = blkpr_turn_take_host(worker->host);

	if (turn)
		sem_post(&worker->has_it);
	while (sem_wait(&worker->enough) && errno == EINTR)
		;
	blkpr_turn_pass(turn);
	return NULL;
}

static void hire(struct worker *worker, unsigned host)
{
	worker->host = host;
	assert_int_equal(sem_init(&worker->has_it, 0, 0) | sem_init(&worker->enough, 0, 0), 0);
	assert_int_equal(pthread_create(&worker->thread, NULL, keep_turn, worker), 0);
}

static bool has_turn(struct worker *worker, int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ms % 1000 * 1000000L;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return !sem_timedwait(&worker->has_it, &until);
}

static void dismiss(struct worker *worker)
{
	sem_post(&worker->enough);
	assert_int_equal(pthread_join(worker->thread, NULL), 0);
}

static void one_worker_at_a_time_has_a_hosts_turn(void **state)
{
	struct worker first, second;

	(void)state;
	hire(&first, HOST);
	assert_true(has_turn(&first, PROMPT_MS));
	hire(&second, HOST);
	assert_false(has_turn(&second, WAITS_MS));
	dismiss(&first);
	assert_true(has_turn(&second, PROMPT_MS));
	dismiss(&second);
}

static void hosts_do_not_wait_for_each_other(void **state)
{
	struct worker first, second;

	(void)state;
	hire(&first, HOST);
	hire(&second, ANOTHER);
	assert_true(has_turn(&first, PROMPT_MS));
	assert_true(has_turn(&second, PROMPT_MS));
	dismiss(&first);
	dismiss(&second);
}

static void who_has_no_scsi_disk_waits_for_nobody(void **state)
{
	int null = open("/dev/null", O_RDONLY);

	(void)state;
	assert_null(blkpr_turn_take(null));
	blkpr_turn_pass(NULL);
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker_at_a_time_has_a_hosts_turn),
		cmocka_unit_test(hosts_do_not_wait_for_each_other),
		cmocka_unit_test(who_has_no_scsi_disk_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
