// SPDX-License-Identifier: GPL-2.0-or-later
// Turns among forked workers.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/turn.h"
#include "tests/unit/unit.h"

#define HOST 3
#define ANOTHER 4

/* A worker that takes a turn, says so, and keeps it until it is told to pass it on, or killed. */
struct worker {
	pid_t pid;
	int says, hears;
};

static struct worker hire(struct blkpr_turns *turns, unsigned host)
{
	int up[2], down[2];
	struct worker worker;
	char byte = 0;

	assert_int_equal(pipe(up) | pipe(down), 0);
	worker = (struct worker){ fork(), up[0], down[1] };
	assert_true(worker.pid >= 0);
	if (!worker.pid) {
		void *turn = blkpr_turns_take_host(turns, host);

		if (!turn || write(up[1], &byte, 1) != 1 || read(down[0], &byte, 1) != 1)
			_exit(1);
		blkpr_turns_pass(turn);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	return worker;
}

/* Whether it says within MS milliseconds that it has the turn. */
static bool has_turn(const struct worker *worker, int ms)
{
	struct pollfd says = { .fd = worker->says, .events = POLLIN };

	return poll(&says, 1, ms) == 1 && says.revents & POLLIN;
}

static void dismiss(const struct worker *worker, int signal)
{
	int status;

	if (signal)
		kill(worker->pid, signal);
	else
		assert_int_equal(write(worker->hears, "", 1), 1);
	assert_int_equal(waitpid(worker->pid, &status, 0), worker->pid);
	assert_int_equal(status, signal);
	close(worker->says);
	close(worker->hears);
}

#define PROMPT_MS 5000
#define WAITS_MS 100 /* nothing can be waited for: it is not to come */

static void one_worker_at_a_time_has_a_hosts_turn(void **state)
{
	struct blkpr_turns *turns = blkpr_turns_new();
	struct worker first = hire(turns, HOST), second;

	(void)state;
	assert_true(has_turn(&first, PROMPT_MS));
	second = hire(turns, HOST);
	assert_false(has_turn(&second, WAITS_MS));
	dismiss(&first, 0);
	assert_true(has_turn(&second, PROMPT_MS));
	dismiss(&second, 0);
	blkpr_turns_free(turns);
}

static void hosts_do_not_wait_for_each_other(void **state)
{
	struct blkpr_turns *turns = blkpr_turns_new();
	struct worker first = hire(turns, HOST), second = hire(turns, ANOTHER);

	(void)state;
	assert_true(has_turn(&first, PROMPT_MS));
	assert_true(has_turn(&second, PROMPT_MS));
	dismiss(&first, 0);
	dismiss(&second, 0);
	blkpr_turns_free(turns);
}

/* S5: at its deadline a worker is killed. */
static void a_killed_workers_turn_is_passed_on(void **state)
{
	struct blkpr_turns *turns = blkpr_turns_new();
	struct worker first = hire(turns, HOST), second;

	(void)state;
	assert_true(has_turn(&first, PROMPT_MS));
	second = hire(turns, HOST);
	dismiss(&first, SIGKILL);
	assert_true(has_turn(&second, PROMPT_MS));
	dismiss(&second, 0);
	second = hire(turns, HOST); /* and it is as good as new */
	assert_true(has_turn(&second, PROMPT_MS));
	dismiss(&second, 0);
	blkpr_turns_free(turns);
}

static void who_has_no_scsi_disk_waits_for_nobody(void **state)
{
	struct blkpr_turns *turns = blkpr_turns_new();
	int null = open("/dev/null", O_RDONLY);

	(void)state;
	assert_null(blkpr_turns_take(turns, null));
	assert_null(blkpr_turns_take(NULL, null));
	blkpr_turns_pass(NULL);
	close(null);
	blkpr_turns_free(turns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker_at_a_time_has_a_hosts_turn),
		cmocka_unit_test(hosts_do_not_wait_for_each_other),
		cmocka_unit_test(a_killed_workers_turn_is_passed_on),
		cmocka_unit_test(who_has_no_scsi_disk_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
