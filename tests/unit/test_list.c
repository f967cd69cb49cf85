// SPDX-License-Identifier: GPL-2.0-or-later
// Device lists. The test resolves names: "/dev/disk-X" has the identity "X", a name with "part" is a partition.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/list.h"
#include "tests/unit/fake_sysfs.h"
#include "tests/unit/unit.h"

int __wrap_blkpr_device_resolve(const char *name, struct blkpr_device *device, struct blkpr_error *error);

static struct blkpr_list list;
static struct blkpr_error error;

/* The identity is what follows the '-', so that "a-1" and "b-1" are one disk. */
int __wrap_blkpr_device_resolve(const char *name, struct blkpr_device *device, struct blkpr_error *err)
{
	const char *wwid = strchr(strrchr(name, '/'), '-');

	if (strstr(name, "part") || !wwid) {
		blkpr_error_set(err, "%s: refused by the test", name);
		return wwid ? -EPERM : -ENOENT;
	}
	*device = (struct blkpr_device){
		.name = strdup(name), .path = strdup(name), .wwid = strdup(wwid + 1), .paths = 1 };
	if (strstr(name, "twin")) /* another device with the identity of one */
		device->number = 1;
	return 0;
}

static int begin(void **state)
{
	(void)state;
	sysfs_create();
	error.text[0] = '\0';
	list = (struct blkpr_list){ 0 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	blkpr_list_clear(&list);
	sysfs_remove();
	return 0;
}

/* Adds SPEC in which '%' stands for the temporary directory. */
static int add(const char *spec)
{
	char text[1024] = "", *p = text;

	for (; *spec; spec++)
		p += *spec == '%' ? sprintf(p, "%s", sysfs_path("")) : sprintf(p, "%c", *spec);
	return blkpr_list_add(&list, text, &error);
}

/* The identities of the list, in its order. */
static void check_list(const char *identities)
{
	char text[256] = "";

	for (unsigned i = 0; i < list.count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, list.devices[i].wwid);
	}
	assert_string_equal(text, identities);
}

static void names_are_separated_by_commas_and_white_space(void **state)
{
	(void)state;
	assert_int_equal(add("/dev/d-1,/dev/d-2 /dev/d-3\t/dev/d-4\n, ,/dev/d-5,"), 0);
	check_list("1 2 3 4 5");
}

static void lists_can_be_added_to(void **state)
{
	(void)state;
	assert_int_equal(add("/dev/d-2"), 0);
	assert_int_equal(add("/dev/d-1"), 0);
	check_list("2 1");
}

static void nothing_is_an_empty_list(void **state)
{
	(void)state;
	assert_int_equal(add(""), 0);
	assert_int_equal(add(" ,\n"), 0);
	assert_int_equal(list.count, 0);
	blkpr_list_settle(&list);
	assert_int_equal(list.count, 0);
}

static void a_name_that_does_not_resolve_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(add("/dev/d-1,/dev/wrong"), -ENOENT);
	assert_non_null(strstr(error.text, "/dev/wrong"));
	assert_int_equal(add("/dev/part-1"), -EPERM);
}

/* --- globs ---------------------------------------------------------------------------------------- */

static void make_files(void)
{
	sysfs_write("d-1", "");
	sysfs_write("d-2", "");
	sysfs_write("part-3", "");
}

static void globs_are_expanded(void **state)
{
	(void)state;
	make_files();
	assert_int_equal(add("%d-*"), 0);
	check_list("1 2");
	assert_int_equal(add("%d-?"), 0);
	assert_int_equal(add("%d-[12]"), 0);
	check_list("1 2 1 2 1 2");
}

static void partitions_that_a_glob_matches_are_passed_over(void **state)
{
	(void)state;
	make_files();
	assert_int_equal(add("%*-*"), 0);
	check_list("1 2");
}

static void a_glob_that_matches_nothing_is_an_error(void **state)
{
	(void)state;
	make_files();
	assert_int_equal(add("%none-*"), -ENOENT);
	assert_non_null(strstr(error.text, "none-*"));
	assert_int_equal(list.count, 0);
}

static void a_glob_that_matches_partitions_only_is_an_error(void **state)
{
	(void)state;
	make_files();
	assert_int_equal(add("%part-*"), -EPERM);
	assert_non_null(strstr(error.text, "partitions only"));
}

static void a_match_that_is_refused_otherwise_is_an_error(void **state)
{
	(void)state;
	make_files();
	sysfs_write("dwrong", ""); /* no identity: ENOENT from the test's resolve */
	assert_int_equal(add("%d*"), -ENOENT);
}

/* --- files ---------------------------------------------------------------------------------------- */

static void a_file_lists_names_with_comments(void **state)
{
	(void)state;
	make_files();
	sysfs_write("list", "# our disks\n\n/dev/d-7 # the first\n  /dev/d-8,/dev/d-9\r\n#/dev/d-0\n/dev/d-6");
	assert_int_equal(add("@%list,/dev/d-5"), 0);
	check_list("7 8 9 6 5");
}

static void a_file_may_contain_globs(void **state)
{
	char text[256];

	(void)state;
	make_files();
	snprintf(text, sizeof(text), "%s\n", sysfs_path("d-*"));
	sysfs_write("list", text);
	assert_int_equal(add("@%list"), 0);
	check_list("1 2");
}

static void a_missing_file_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(add("@%none"), -ENOENT);
	assert_non_null(strstr(error.text, "none"));
}

static void check_names_no_device(const char *content)
{
	error.text[0] = '\0';
	sysfs_write("list", content);
	assert_int_equal(add("@%list"), -ENODEV);
	assert_non_null(strstr(error.text, "/list: names no device"));
}

static void a_file_that_names_no_device_is_an_error(void **state)
{
	(void)state; /* cut off, or not written yet: not "no devices" */
	check_names_no_device("");
	check_names_no_device("# nothing yet\n");
	check_names_no_device(" ,\n\n");
	assert_int_equal(list.count, 0);
	assert_int_equal(add("/dev/d-1"), 0);
	check_names_no_device("# those before it do not count\n");
	assert_int_equal(add("@%list,/dev/d-2"), -ENODEV);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	sysfs_write("directory/file", "");
	assert_int_equal(add("@%directory"), -EIO);
	assert_non_null(strstr(error.text, "/directory: cannot read the list of devices: Is a directory"));
}

static void a_file_cannot_name_another(void **state)
{
	(void)state;
	sysfs_write("list", "/dev/d-1\n@/some/file\n");
	assert_int_equal(add("@%list"), -EINVAL);
	assert_non_null(strstr(error.text, "@/some/file"));
}

static void a_file_with_a_wrong_name_is_an_error(void **state)
{
	(void)state;
	sysfs_write("list", "/dev/wrong\n/dev/d-1\n");
	assert_int_equal(add("@%list"), -ENOENT);
	assert_non_null(strstr(error.text, "/dev/wrong"));
}

/* --- order and duplicates ------------------------------------------------------------------------- */

static void devices_are_ordered_by_identity_whatever_they_are_called(void **state)
{
	(void)state;
	assert_int_equal(add("/dev/a-3600b,/dev/b-20,/dev/c-3600a,/dev/d-eui.1"), 0);
	blkpr_list_settle(&list);
	check_list("20 3600a 3600b eui.1");
}

static void names_of_one_disk_are_merged(void **state)
{
	(void)state;
	assert_int_equal(add("/dev/a-2,/dev/b-1,/dev/c-2,/dev/d-2,/dev/e-3,/dev/f-3"), 0);
	blkpr_list_settle(&list);
	check_list("1 2 3");
}

static void devices_that_report_one_identity_are_not_merged(void **state)
{
	(void)state;
	assert_int_equal(add("/dev/twin-1,/dev/d-2,/dev/d-1,/dev/e-1"), 0);
	blkpr_list_settle(&list);
	check_list("1 1 2");
	assert_string_equal(list.devices[1].name, "/dev/twin-1");
}

/* --- disks that are known and not there ----------------------------------------------------------- */

static bool knows_gone(const void *context, const char *name)
{
	return strstr(name, context);
}

static void known_name_that_stands_for_nothing_is_no_error(void **state)
{
	(void)state;
	list.is_known = knows_gone;
	list.context = "gone";
	assert_int_equal(add("/dev/d-1,/dev/gone"), 0);
	check_list("1");
	assert_int_equal(list.absent, 1);
	assert_int_equal(add("%gone*"), 0);
	assert_int_equal(list.absent, 2);
	assert_int_equal(add("/dev/wrong"), -ENOENT);
	assert_int_equal(add("%wrong*"), -ENOENT);
}

static void known_name_that_stands_for_no_disk_any_more_is_no_error(void **state)
{
	(void)state;
	list.is_known = knows_gone;
	list.context = "part-gone";
	assert_int_equal(add("/dev/d-1,/dev/part-gone"), 0);
	check_list("1");
	assert_int_equal(list.absent, 1);
	assert_int_equal(add("/dev/part-of-another"), -EPERM);
}

static void file_that_names_only_known_disks_names_some(void **state)
{
	(void)state;
	list.is_known = knows_gone;
	list.context = "gone";
	sysfs_write("disks", "/dev/gone\n");
	assert_int_equal(add("@%disks"), 0);
	assert_int_equal(list.count, 0);
}

static void absent_disk_keeps_its_place(void **state)
{
	(void)state;
	assert_int_equal(add("/dev/d-3,/dev/d-1"), 0);
	assert_int_equal(blkpr_list_add_absent(&list, "/dev/was", "2"), 0);
	assert_int_equal(blkpr_list_add_absent(&list, "/dev/arbiter", "0"), 0);
	blkpr_list_settle(&list);
	check_list("0 1 2 3");
	assert_null(list.devices[0].path);
	assert_int_equal(blkpr_device_open(&list.devices[0]), -ENODEV);
	assert_ptr_equal(blkpr_list_find(&list, "2"), &list.devices[2]);
	assert_null(blkpr_list_find(&list, "4"));
}

static void one_device_settles_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(add("/dev/a-1,/dev/b-1"), 0);
	blkpr_list_settle(&list);
	check_list("1");
	blkpr_list_settle(&list);
	check_list("1");
}

#define list_test(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		list_test(names_are_separated_by_commas_and_white_space),
		list_test(lists_can_be_added_to),
		list_test(nothing_is_an_empty_list),
		list_test(a_name_that_does_not_resolve_is_an_error),
		list_test(globs_are_expanded),
		list_test(partitions_that_a_glob_matches_are_passed_over),
		list_test(a_glob_that_matches_nothing_is_an_error),
		list_test(a_glob_that_matches_partitions_only_is_an_error),
		list_test(a_match_that_is_refused_otherwise_is_an_error),
		list_test(a_file_lists_names_with_comments),
		list_test(a_file_may_contain_globs),
		list_test(a_missing_file_is_an_error),
		list_test(a_file_that_names_no_device_is_an_error),
		list_test(a_file_that_cannot_be_read_is_an_error),
		list_test(a_file_cannot_name_another),
		list_test(a_file_with_a_wrong_name_is_an_error),
		list_test(devices_are_ordered_by_identity_whatever_they_are_called),
		list_test(names_of_one_disk_are_merged),
		list_test(devices_that_report_one_identity_are_not_merged),
		list_test(known_name_that_stands_for_nothing_is_no_error),
		list_test(file_that_names_only_known_disks_names_some),
		list_test(known_name_that_stands_for_no_disk_any_more_is_no_error),
		list_test(absent_disk_keeps_its_place),
		list_test(one_device_settles_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
