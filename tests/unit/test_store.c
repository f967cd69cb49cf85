// SPDX-License-Identifier: GPL-2.0-or-later
// A directory of small files.
#include "agents/common/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static char parent[64], directory[96], path[128];
static struct store store;
static struct blkpr_error error;

static int begin(void **state)
{
	(void)state;
	snprintf(parent, sizeof(parent), "/tmp/blkpr-store-XXXXXX");
	assert_non_null(mkdtemp(parent));
	snprintf(directory, sizeof(directory), "%s/store", parent);
	snprintf(path, sizeof(path), "%s/file", directory);
	return store_open(&store, directory, true, &error);
}

static int end(void **state)
{
	char command[128];

	(void)state;
	store_close(&store);
	snprintf(command, sizeof(command), "rm -rf %s", parent);
	return system(command);
}

static void check_text(const char *name, const char *want)
{
	char *text;

	assert_int_equal(store_read(&store, name, &text, &error), 0);
	assert_string_equal(text, want);
	free(text);
}

static void directory_is_made_for_its_owner_alone(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(directory, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void directory_that_is_not_there_is_not_made_to_be_read(void **state)
{
	struct store other;

	(void)state;
	assert_int_equal(store_open(&other, path, false, &error), -ENOENT);
	store_close(&other);
	assert_int_equal(access(path, F_OK), -1);
}

static void directory_that_others_can_write_is_not_trusted(void **state)
{
	struct store other;

	(void)state;
	assert_int_equal(chmod(directory, 0720), 0);
	assert_int_equal(store_open(&other, directory, true, &error), -EPERM);
	assert_non_null(strstr(error.text, directory));
	assert_non_null(strstr(error.text, "others than root can write there"));
	store_close(&other);
}

static void link_in_place_of_the_directory_is_not_followed(void **state)
{
	struct store other;

	(void)state;
	assert_int_equal(symlink(parent, path), 0);
	assert_int_not_equal(store_open(&other, path, true, &error), 0);
	store_close(&other);
}

static void file_is_replaced_as_a_whole(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(store_replace(&store, "file", "a long text\n", &error), 0);
	check_text("file", "a long text\n");
	assert_int_equal(store_replace(&store, "file", "short", &error), 0);
	check_text("file", "short");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void reader_of_the_old_text_is_not_disturbed(void **state)
{
	char text[8] = "";
	int fd;

	(void)state;
	assert_int_equal(store_replace(&store, "file", "old", &error), 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(store_replace(&store, "file", "new", &error), 0);
	assert_int_equal(read(fd, text, sizeof(text)), 3);
	assert_string_equal(text, "old");
	close(fd);
}

static void what_one_that_was_killed_has_left_is_no_hindrance(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/.new", directory);
	assert_int_equal(symlink("/nowhere/at/all", path), 0);
	assert_int_equal(store_replace(&store, "file", "text", &error), 0);
	check_text("file", "text");
}

static void file_that_others_can_write_is_not_trusted(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(store_replace(&store, "file", "text", &error), 0);
	assert_int_equal(chmod(path, 0602), 0);
	assert_int_equal(store_read(&store, "file", &text, &error), -EPERM);
	assert_null(text);
	assert_non_null(strstr(error.text, "cannot trust the record"));
}

static void what_is_no_file_is_not_trusted(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(store_read(&store, "file", &text, &error), -EPERM);
}

static void removed_file_is_not_there(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(store_replace(&store, "file", "text", &error), 0);
	assert_int_equal(store_remove(&store, "file", &error), 0);
	assert_int_equal(store_remove(&store, "file", &error), 0);
	assert_int_equal(store_read(&store, "file", &text, &error), -ENOENT);
}

static void one_has_the_lock_at_a_time(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(store_lock(&store, &error), 0);
	snprintf(path, sizeof(path), "%s/.lock", directory);
	fd = open(path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	store_unlock(&store);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
}

static int count(void *context, const char *name)
{
	++*(unsigned *)context;
	return strcmp(name, "stop") ? 0 : 7;
}

static void hidden_files_are_not_visited(void **state)
{
	unsigned found = 0;

	(void)state;
	assert_int_equal(store_lock(&store, &error), 0);
	assert_int_equal(store_replace(&store, "a", "", &error), 0);
	assert_int_equal(store_replace(&store, ".b", "", &error), 0);
	assert_int_equal(store_visit(&store, count, &found), 0);
	assert_int_equal(found, 1);
	assert_int_equal(store_replace(&store, "stop", "", &error), 0);
	assert_int_equal(store_visit(&store, count, &found), 7);
}

#define store_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(directory_is_made_for_its_owner_alone),
		store_test(directory_that_is_not_there_is_not_made_to_be_read),
		store_test(directory_that_others_can_write_is_not_trusted),
		store_test(link_in_place_of_the_directory_is_not_followed),
		store_test(file_is_replaced_as_a_whole),
		store_test(reader_of_the_old_text_is_not_disturbed),
		store_test(what_one_that_was_killed_has_left_is_no_hindrance),
		store_test(file_that_others_can_write_is_not_trusted),
		store_test(what_is_no_file_is_not_trusted),
		store_test(removed_file_is_not_there),
		store_test(one_has_the_lock_at_a_time),
		store_test(hidden_files_are_not_visited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
