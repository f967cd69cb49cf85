// SPDX-License-Identifier: GPL-2.0-or-later
// Which processes are believed to be Pacemaker's daemons. Real ones, named like them; needs root, /proc, and no Pacemaker here.
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <crm_config.h>

#include "agents/common/pacemaker.h"
#include "tests/unit/unit.h"

#define NOBODY 65534

struct actor {
	const char *name;
	uid_t user;
	bool contained; /* in a pid namespace of its own */
};

static pid_t waiting;
static uid_t state_owner; /* of Pacemaker's directory below /run */

int __real_stat(const char *path, struct stat *found);
int __wrap_stat(const char *path, struct stat *found);

int __wrap_stat(const char *path, struct stat *found)
{
	if (strcmp(path, CRM_STATE_DIR) != 0)
		return __real_stat(path, found);
	*found = (struct stat){ .st_uid = state_owner };
	return 0;
}

/* Says by a byte that it plays its part, and plays it until it is killed. */
static _Noreturn void play(const struct actor *actor, int out)
{
	bool ready = !setuid(actor->user) && !prctl(PR_SET_PDEATHSIG, SIGKILL) && !prctl(PR_SET_NAME, actor->name);

	if (write(out, ready ? "y" : "n", 1) == 1)
		pause();
	_exit(0);
}

static void begin(const struct actor *actor)
{
	char answer = 'n';
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	waiting = fork();
	assert_true(waiting >= 0);
	if (!waiting) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (actor->contained && unshare(CLONE_NEWPID))
			_exit(1);
		if (actor->contained && fork())
			pause();
		play(actor, fds[1]);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &answer, 1), 1);
	close(fds[0]);
	assert_int_equal(answer, 'y');
}

static void end(void)
{
	kill(waiting, SIGKILL);
	waitpid(waiting, NULL, 0);
}

static int check_stage(void **state)
{
	(void)state;
	if (!geteuid() && !access("/proc/self/ns/pid", F_OK) && pacemaker_age() < 0 && !pacemaker_executor_start())
		return 0;
	print_message("skipped: needs root, /proc, and no Pacemaker on this machine\n");
	return -1;
}

static void roots_process_is_believed(void **state)
{
	const struct actor daemon = { .name = "pacemakerd" }, executor = { .name = "pacemaker-execd" };

	(void)state;
	if (check_stage(state))
		skip();
	begin(&daemon);
	assert_true(pacemaker_age() >= 0);
	assert_true(pacemaker_executor_start() == 0);
	end();
	begin(&executor);
	assert_true(pacemaker_executor_start() > 0);
	assert_true(pacemaker_executor_start_of(waiting) == pacemaker_executor_start());
	assert_true(pacemaker_executor_start_of(getpid()) < 0);
	assert_true(pacemaker_age() < 0);
	end();
}

static void a_local_users_process_is_not(void **state)
{
	static const char *const names[] = { "pacemakerd", "pacemaker-fence", "pacemaker-execd", "pacemaker-contr" };

	if (check_stage(state))
		skip();
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		begin(&(struct actor){ .name = names[i], .user = NOBODY });
		assert_true(pacemaker_age() < 0);
		assert_true(pacemaker_controller_age() < 0);
		assert_true(pacemaker_executor_start() == 0);
		end();
	}
}

static void pacemakers_own_users_process_is(void **state)
{
	const struct actor controller = { .name = "pacemaker-contr", .user = NOBODY };

	if (check_stage(state))
		skip();
	state_owner = NOBODY;
	begin(&controller);
	assert_true(pacemaker_controller_age() >= 0);
	state_owner = NOBODY - 1;
	assert_true(pacemaker_controller_age() < 0);
	end();
	state_owner = 0;
}

static void a_containers_cluster_is_not_this_nodes(void **state)
{
	const struct actor daemon = { .name = "pacemakerd", .contained = true };

	if (check_stage(state))
		skip();
	begin(&daemon);
	assert_true(pacemaker_age() < 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots_process_is_believed),
		cmocka_unit_test(a_local_users_process_is_not),
		cmocka_unit_test(pacemakers_own_users_process_is),
		cmocka_unit_test(a_containers_cluster_is_not_this_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
