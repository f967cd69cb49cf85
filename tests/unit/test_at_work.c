// SPDX-License-Identifier: GPL-2.0-or-later
// Commands at work, as blkpr-watch sees them.
#include "agents/common/at_work.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char parent[64], run[96];
static struct blkpr_error error;

static int begin(void **state)
{
	(void)state;
	snprintf(parent, sizeof(parent), "/tmp/blkpr-at-work-XXXXXX");
	assert_non_null(mkdtemp(parent));
	snprintf(run, sizeof(run), "%s/run", parent);
	return 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", parent);
	return system(command);
}

static void check(uint64_t want, bool want_busy)
{
	uint64_t commands;
	bool busy;

	at_work_look(run, &commands, &busy);
	assert_int_equal(busy, want_busy);
	if (!busy)
		assert_int_equal(commands, want);
}

/* A command that has begun, and waits to be killed. */
static pid_t start_command(void)
{
	int line[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(line), 0);
	pid = fork();
	if (!pid) {
		if (at_work_begin(run, &error) || write(line[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(line[1]);
	assert_int_equal(read(line[0], &byte, 1), 1);
	close(line[0]);
	return pid;
}

static void kill_command(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void command_is_seen_while_it_runs_and_counted_when_it_was_killed(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir(run, 0700), 0);
	check(0, false);
	pid = start_command();
	check(0, true);
	kill_command(pid);
	check(1, false);
}

static void two_commands_are_at_work_until_both_have_ended(void **state)
{
	pid_t first, second;

	(void)state;
	first = start_command();
	second = start_command();
	kill_command(first);
	check(0, true);
	kill_command(second);
	check(2, false);
}

static void what_cannot_be_told_is_at_work(void **state)
{
	(void)state;
	check(0, true); /* no directory of records: no `on` either */
	kill_command(start_command());
	check(1, false);
	assert_int_equal(chmod(run, 0777), 0);
	check(0, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			command_is_seen_while_it_runs_and_counted_when_it_was_killed, begin, end),
		cmocka_unit_test_setup_teardown(
			two_commands_are_at_work_until_both_have_ended, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_told_is_at_work, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
