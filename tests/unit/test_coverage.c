// SPDX-License-Identifier: GPL-2.0-or-later
// The disks that this node has registered on: what survives what.
#include "agents/common/coverage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "tests/unit/unit.h"

#define ENOUGH_MS 60000

static char top[64], run[96], state_dir[96];
static struct coverage coverage;
static struct blkpr_error error;

static int begin(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/blkpr-coverage-XXXXXX");
	assert_non_null(mkdtemp(top));
	snprintf(run, sizeof(run), "%s/run", top);
	snprintf(state_dir, sizeof(state_dir), "%s/state", top);
	coverage = (struct coverage){ .run = STORE_CLOSED };
	return 0;
}

static void shell(const char *format, ...)
{
	char command[512];
	va_list args;
	int length = snprintf(command, sizeof(command), "cd %s; umask 077; ", top);

	va_start(args, format);
	vsnprintf(command + length, sizeof(command) - (size_t)length, format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static int end(void **state)
{
	(void)state;
	coverage_clear(&coverage);
	shell("rm -rf %s", top);
	return 0;
}

static void load(void)
{
	coverage_clear(&coverage);
	assert_int_equal(coverage_load(&coverage, run, state_dir, blkpr_clock_ms() + ENOUGH_MS, &error), 0);
}

/* "on" on one disk: it comes into the set, and is recorded. */
static void register_on(const char *wwid, const char *name, uint64_t key)
{
	struct registration record = {
		.wwid = (char *)wwid, .name = (char *)name, .key = key, .how = "name64",
		.in_flight = BLKPR_IN_FLIGHT_ABORT, .since = 5
	};

	assert_int_equal(
		coverage_update(&coverage, &(struct coverage_change){ wwid, name }, 1, &error), 0);
	assert_int_equal(coverage_record(&coverage, &record, 1, &error), 0);
	load();
}

static void leave(const char *wwid)
{
	assert_int_equal(
		coverage_update(&coverage, &(struct coverage_change){ wwid, NULL }, 1, &error), 0);
	load();
}

static void reboot(void)
{
	shell("rm -rf run");
	load();
}

static void check_disk(const char *wwid, const char *name, uint64_t key)
{
	const struct registration *disk = coverage_find(&coverage, wwid);

	assert_non_null(disk);
	assert_string_equal(disk->name, name);
	assert_int_equal(disk->key, key);
}

static void nothing_is_known_at_first(void **state)
{
	(void)state;
	load();
	assert_int_equal(coverage.count, 0);
	assert_string_equal(coverage.doubt.text, "");
	assert_int_equal(access(state_dir, F_OK), -1);
}

static void disk_is_known_with_its_key(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/disk/by-id/a b", 0xabc);
	check_disk("3600a", "/dev/disk/by-id/a b", 0xabc);
	assert_string_equal(coverage.disks[0].how, "name64");
	assert_int_equal(coverage.disks[0].in_flight, BLKPR_IN_FLIGHT_ABORT);
	assert_int_equal(coverage.disks[0].since, 5);
}

static void set_survives_a_reboot_and_the_registration_does_not(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 0xabc);
	reboot();
	check_disk("3600a", "/dev/a", 0);
	assert_int_equal(coverage.disks[0].since, -1);
}

static void other_disks_are_left_alone(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 1);
	register_on("3600b", "/dev/b", 2);
	register_on("3600a", "/dev/other-name", 3);
	check_disk("3600a", "/dev/other-name", 3);
	check_disk("3600b", "/dev/b", 2);
	reboot();
	check_disk("3600a", "/dev/other-name", 0);
	check_disk("3600b", "/dev/b", 0);
}

/* A process that has found a lock taken writes a byte there; -1: nobody is to know. */
static int found_taken = -1;

int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);

int __wrap_flock(int fd, int how)
{
	if (found_taken >= 0 && __real_flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		assert_int_equal(write(found_taken, "", 1), 1);
	return __real_flock(fd, how);
}

/* In a process of its own that has found LOCK, which is the caller's, taken. */
static pid_t begin_in_a_process(void (*what)(void), int lock)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		close(lock);
		found_taken = ends[1];
		alarm(60);
		what();
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void add_b(void)
{
	coverage_update(&coverage, &(struct coverage_change){ "3600b", "/dev/b" }, 1, &error);
}

static int take_lock(const char *directory, int how)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/.lock", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	if (!flock(fd, how))
		return fd;
	close(fd);
	return -1;
}

static void set_is_read_while_somebody_else_has_the_lock(void **state)
{
	int lock;

	(void)state; /* whoever has the lock may be about to write it, and nobody waits for that to read */
	load();
	register_on("3600a", "/dev/a", 1);
	shell("rm -rf run/.disks run/3600a");
	lock = take_lock(run, LOCK_EX);
	load();
	check_disk("3600a", "/dev/a", 0);
	shell("test ! -e run/.disks");
	close(lock);
	load();
	shell("grep -q 3600a run/.disks");
}

static void records_do_not_wait_for_a_local_disk(void **state)
{
	int slow, lock;
	pid_t pid;

	(void)state; /* S5: the resources' are among them */
	load();
	register_on("3600a", "/dev/a", 1);
	slow = take_lock(state_dir, LOCK_EX); /* as if the one who has it waits for the disk */
	pid = begin_in_a_process(add_b, slow);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	lock = take_lock(run, LOCK_EX | LOCK_NB);
	assert_true(lock >= 0);
	close(lock);
	close(slow);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	load();
	check_disk("3600b", "/dev/b", 0);
}

static void local_disk_that_hangs_is_not_waited_for_without_an_end(void **state)
{
	int slow;

	(void)state; /* S5; whoever has the lock stands for the disk */
	load();
	register_on("3600a", "/dev/a", 1);
	slow = take_lock(state_dir, LOCK_EX);
	coverage.deadline = blkpr_clock_ms() + 300;
	assert_int_equal(coverage_update(&coverage, &(struct coverage_change){ "3600b", "/dev/b" }, 1, &error), -ETIME);
	assert_non_null(strstr(error.text, "the local disk does not answer"));
	close(slow);
}

static void set_that_holds_what_is_no_disk_is_not_believed(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 1);
	shell("echo rubbish >>state/disks; rm -f run/.disks");
	load();
	assert_non_null(strstr(coverage.doubt.text, "holds a line that is no disk's"));
	assert_int_not_equal(
		coverage_update(&coverage, &(struct coverage_change){ "3600b", "/dev/b" }, 1, &error), 0);
	shell("grep -q rubbish state/disks");
}

static void disk_that_is_taken_away_on_purpose_stays_away(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 1);
	register_on("3600b", "/dev/b", 2);
	leave("3600a");
	assert_null(coverage_find(&coverage, "3600a"));
	reboot();
	assert_int_equal(coverage.count, 1);
	check_disk("3600b", "/dev/b", 0);
}

static void change_that_was_interrupted_is_done_again(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 1);
	shell("cp run/.disks kept");
	leave("3600a");
	shell("cp kept run/.disks"); /* killed between the set and its copy */
	load();
	leave("3600a");
	assert_int_equal(coverage.count, 0);
}

static void change_of_another_process_is_not_lost(void **state)
{
	struct coverage other;

	(void)state;
	load();
	assert_int_equal(coverage_load(&other, run, state_dir, blkpr_clock_ms() + ENOUGH_MS, &error), 0);
	assert_int_equal(
		coverage_update(&other, &(struct coverage_change){ "3600b", "/dev/b" }, 1, &error),
		0);
	coverage_clear(&other);
	register_on("3600a", "/dev/a", 1);
	check_disk("3600b", "/dev/b", 0);
}

static void fencing_reads_no_local_disk(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 1);
	reboot();
	shell("rm -rf state");
	load();
	check_disk("3600a", "/dev/a", 0);
}

static void set_that_cannot_be_read_is_a_doubt_and_no_refusal(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 1);
	register_on("3600b", "/dev/b", 1);
	shell("rm run/.disks run/3600b; chmod 666 state/disks");
	load();
	assert_non_null(strstr(coverage.doubt.text, "cannot trust"));
	check_disk("3600a", "/dev/a", 1);
	assert_null(coverage_find(&coverage, "3600b"));
	shell("chmod 600 state/disks");
	load();
	assert_string_equal(coverage.doubt.text, "");
	check_disk("3600b", "/dev/b", 0);
}

static void set_that_cannot_be_read_is_not_overwritten(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 1);
	shell("chmod 666 state/disks");
	assert_int_equal(coverage_update(&coverage, &(struct coverage_change){ "3600b", "/dev/b" },
				 1, &error),
		-EPERM);
	shell("chmod 600 state/disks; grep -qx '3600a /dev/a' state/disks");
}

static void record_that_is_damaged_is_a_refusal(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/a", 1);
	shell("echo nonsense >run/3600a");
	coverage_clear(&coverage);
	assert_int_equal(coverage_load(&coverage, run, state_dir, blkpr_clock_ms() + ENOUGH_MS, &error), -EINVAL);
	assert_non_null(strstr(error.text, "3600a: holds no key"));
}

/* --- what an older version has left ----------------------------------------------------------- */

static void write_old_files(void)
{
	shell("mkdir -m 700 run; cd run; echo 7 >.unfenced; echo 0xabc >3600b; echo 'role started' "
	      ">resource-0123;"
	      "printf '3600a 0x1 /dev/a\\n3600b 0xabc /dev/b\\n' >list-aa; echo '3600c 0x1 /dev/c' "
	      ">list-bb");
}

static void old_lists_are_converted(void **state)
{
	(void)state;
	write_old_files();
	load();
	assert_int_equal(coverage.count, 3);
	check_disk("3600a", "/dev/a", 1);
	check_disk("3600b", "/dev/b", 0xabc);
	check_disk("3600c", "/dev/c", 1);
	assert_int_equal(coverage_find(&coverage, "3600a")->since, 7);
	assert_string_not_equal(coverage_find(&coverage, "3600a")->how, REGISTRATION_EXPLICIT);
	assert_string_equal(coverage_find(&coverage, "3600b")->how, REGISTRATION_EXPLICIT);
	shell("cd run; ! ls list-* 2>/dev/null; [ ! -e .unfenced ]; grep -q started resource-0123");
	reboot();
	assert_int_equal(coverage.count, 3);
}

static void conversion_that_was_interrupted_is_done_again(void **state)
{
	(void)state;
	write_old_files();
	shell("cp -a run before");
	load();
	shell("cp -a before/list-* before/.unfenced run; rm run/3600c");
	load();
	check_disk("3600b", "/dev/b", 0xabc);
	check_disk("3600c", "/dev/c", 1);
	assert_string_equal(coverage_find(&coverage, "3600b")->how, REGISTRATION_EXPLICIT);
}

static void old_files_are_used_where_the_set_cannot_be_written(void **state)
{
	(void)state;
	write_old_files();
	shell("touch state");
	load();
	assert_int_equal(coverage.count, 3);
	load();
	assert_int_equal(coverage.count, 3);
	check_disk("3600a", "/dev/a", 1);
}

static void old_record_of_a_key_alone_is_no_disk_of_the_set(void **state)
{
	(void)state;
	shell("mkdir -m 700 run; echo 0xabc >run/3600b");
	load();
	assert_null(coverage_find(&coverage, "3600b")->name);
	assert_int_equal(coverage_find(&coverage, "3600b")->key, 0xabc);
	assert_false(coverage_knows(&coverage, "3600b"));
}

/* --- names ------------------------------------------------------------------------------------ */

static void disk_is_known_by_name_glob_and_identity(void **state)
{
	(void)state;
	load();
	register_on("3600a", "/dev/disk/by-id/a1", 1);
	assert_true(coverage_knows(&coverage, "/dev/disk/by-id/a1"));
	assert_true(coverage_knows(&coverage, "/dev/disk/by-id/a*"));
	assert_true(coverage_knows(&coverage, "3600a"));
	assert_false(coverage_knows(&coverage, "/dev/disk/by-id/b*"));
	assert_false(coverage_knows(&coverage, "/dev/*"));
}

#define coverage_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		coverage_test(nothing_is_known_at_first),
		coverage_test(disk_is_known_with_its_key),
		coverage_test(set_survives_a_reboot_and_the_registration_does_not),
		coverage_test(other_disks_are_left_alone),
		coverage_test(set_is_read_while_somebody_else_has_the_lock),
		coverage_test(records_do_not_wait_for_a_local_disk),
		coverage_test(local_disk_that_hangs_is_not_waited_for_without_an_end),
		coverage_test(set_that_holds_what_is_no_disk_is_not_believed),
		coverage_test(disk_that_is_taken_away_on_purpose_stays_away),
		coverage_test(change_that_was_interrupted_is_done_again),
		coverage_test(change_of_another_process_is_not_lost),
		coverage_test(fencing_reads_no_local_disk),
		coverage_test(set_that_cannot_be_read_is_a_doubt_and_no_refusal),
		coverage_test(set_that_cannot_be_read_is_not_overwritten),
		coverage_test(record_that_is_damaged_is_a_refusal),
		coverage_test(old_lists_are_converted),
		coverage_test(conversion_that_was_interrupted_is_done_again),
		coverage_test(old_files_are_used_where_the_set_cannot_be_written),
		coverage_test(old_record_of_a_key_alone_is_no_disk_of_the_set),
		coverage_test(disk_is_known_by_name_glob_and_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
