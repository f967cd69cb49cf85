// SPDX-License-Identifier: GPL-2.0-or-later
// What a device is, read from a fake sysfs tree: kind, identity, map, and every refusal.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/device.h"
#include "tests/unit/fake_sysfs.h"
#include "tests/unit/unit.h"

#define NUMBER makedev(8, 16)

static struct blkpr_device device;
static struct blkpr_error error;

static int begin(void **state)
{
	(void)state;
	sysfs_create();
	return 0;
}

static int end(void **state)
{
	(void)state;
	sysfs_remove();
	return 0;
}

static int inspect(const char *disk)
{
	char name[64] = "/dev/";

	error.text[0] = '\0';
	strncat(name, disk, sizeof(name) - sizeof("/dev/"));
	return blkpr_device_inspect(name, sysfs_path(disk), NUMBER, &device, &error);
}

static void check_wwid(const char *disk, const char *wwid)
{
	if (inspect(disk))
		fail_msg("%s", error.text);
	assert_string_equal(device.wwid, wwid);
	blkpr_device_clear(&device);
}

static void check_refused(const char *disk, int rc, const char *word)
{
	assert_int_equal(inspect(disk), rc);
	if (!strstr(error.text, word) || !strstr(error.text, disk))
		fail_msg("\"%s\" does not contain \"%s\" and the name", error.text, word);
	assert_null(device.name);
	assert_null(device.wwid);
}

/* --- identity ------------------------------------------------------------------------------------- */

static void a_scsi_disk_is_what_it_says(void **state)
{
	(void)state;
	sysfs_scsi_disk("sdb", "naa.60014051234567890abcdef012345678");
	assert_int_equal(inspect("sdb"), 0);
	assert_int_equal(device.kind, BLKPR_SCSI);
	assert_string_equal(device.name, "/dev/sdb");
	assert_string_equal(device.path, "/dev/sdb");
	assert_true(device.number == NUMBER);
	assert_false(device.multipath);
	assert_int_equal(device.paths, 1);
	blkpr_device_clear(&device);
}

static void scsi_identities_are_written_as_multipath_writes_them(void **state)
{
	(void)state;
	sysfs_scsi_disk("sda", "naa.60014051234567890abcdef012345678");
	check_wwid("sda", "360014051234567890abcdef012345678");
	sysfs_scsi_disk("sdb", "eui.0025385b71b0a0d1");
	check_wwid("sdb", "20025385b71b0a0d1");
	sysfs_scsi_disk("sdc", "t10.ATA     QEMU HARDDISK   QM00001 ");
	check_wwid("sdc", "1ATA_QEMU_HARDDISK_QM00001");
	sysfs_scsi_disk("sdd", "t10.VENDOR a/b");
	check_wwid("sdd", "1VENDOR_a_b");
}

static void an_nvme_namespace_is_what_it_says(void **state)
{
	(void)state;
	sysfs_nvme_disk("nvme0n1", "nvme", "eui.0025385b71b0a0d1");
	assert_int_equal(inspect("nvme0n1"), 0);
	assert_int_equal(device.kind, BLKPR_NVME);
	assert_string_equal(device.wwid, "eui.0025385b71b0a0d1");
	assert_int_equal(device.paths, 1);
	blkpr_device_clear(&device);
}

static void an_nvme_multipath_namespace_is_an_nvme_namespace(void **state)
{
	(void)state;
	sysfs_nvme_disk("nvme1n1", "nvme-subsystem", "uuid.6a2f0ad4-6b1a-4b0b-8f07-2a3c5d7e9f10");
	assert_int_equal(inspect("nvme1n1"), 0);
	assert_int_equal(device.kind, BLKPR_NVME);
	assert_string_equal(device.wwid, "uuid.6a2f0ad4-6b1a-4b0b-8f07-2a3c5d7e9f10");
	blkpr_device_clear(&device);
}

/* --- multipath ------------------------------------------------------------------------------------ */

#define WWID "360014051234567890abcdef012345678"

/* dm-0 over sda and sdb, all the same LUN. */
static void make_map(void)
{
	sysfs_scsi_disk("sda", "naa." "60014051234567890abcdef012345678");
	sysfs_scsi_disk("sdb", "naa." "60014051234567890abcdef012345678");
	sysfs_dm("dm-0", "mpatha", "mpath-" WWID, "253:7");
	sysfs_stack("dm-0", "sda");
	sysfs_stack("dm-0", "sdb");
}

static void a_map_counts_its_paths(void **state)
{
	(void)state;
	make_map();
	assert_int_equal(inspect("dm-0"), 0);
	assert_true(device.multipath);
	assert_int_equal(device.paths, 2);
	assert_int_equal(device.kind, BLKPR_SCSI);
	assert_string_equal(device.path, "/dev/dm-0");
	assert_true(device.number == NUMBER);
	blkpr_device_clear(&device);
}

static bool has_path(const char *name)
{
	for (unsigned i = 0; i < device.npaths; i++)
		if (!strcmp(device.path_names[i], name))
			return true;
	return false;
}

static void a_map_knows_its_paths_by_name(void **state)
{
	(void)state;
	make_map();
	assert_int_equal(inspect("dm-0"), 0);
	assert_int_equal(device.npaths, 2);
	assert_true(has_path("sda") && has_path("sdb"));
	blkpr_device_clear(&device);
	assert_null(device.path_names);
	assert_int_equal(inspect("sdb"), 0); /* which stands for the map */
	assert_int_equal(device.npaths, 2);
	assert_true(has_path("sda") && has_path("sdb"));
	blkpr_device_clear(&device);
	sysfs_scsi_disk("sdz", "naa." "60014051234567890abcdef012345678");
	assert_int_equal(inspect("sdz"), 0);
	assert_int_equal(device.npaths, 0);
	assert_null(device.path_names);
	blkpr_device_clear(&device);
}

/* "/sys/block/NAME" and "/dev/NAME" both are PATH in the tree. */
static void lead_to(struct blkpr_device *map, const char *path)
{
	static char names[1][32];

	assert_true(snprintf(names[0], sizeof(names[0]), "../../tmp/b%u/%s", (unsigned)getpid(), path) < 32);
	*map = (struct blkpr_device){ .name = "map", .wwid = "3" "60014051234567890abcdef012345678",
		.multipath = true, .path_names = names, .npaths = 1 };
}

static void check_path(const char *path, int want)
{
	struct blkpr_device map;
	int fd;

	lead_to(&map, path);
	fd = blkpr_device_open_path(&map, 0);
	assert_int_equal(fd < 0 ? fd : 0, want);
	if (fd >= 0)
		close(fd);
}

static void a_path_is_opened_if_it_is_running_and_still_the_same_disk(void **state)
{
	char link[64];

	(void)state;
	snprintf(link, sizeof(link), "/tmp/b%u", (unsigned)getpid());
	assert_int_equal(symlink(sysfs_path(""), link), 0);
	make_map();
	check_path("sda", -ENOLINK); /* a SCSI disk without a state is gone */
	sysfs_write("sda/device/state", "offline\n");
	check_path("sda", -ENOLINK);
	sysfs_write("sda/device/state", "running\n");
	check_path("sda", 0);
	sysfs_scsi_disk("sdc", "naa." "60014050000000000000000000000000");
	sysfs_write("sdc/device/state", "running\n");
	check_path("sdc", -ENODEV);
	check_path("sdx", -ENOLINK);
	assert_int_equal(unlink(link), 0);
}

static void a_lun_has_one_identity_as_plain_disk_and_as_map(void **state)
{
	(void)state;
	make_map();
	sysfs_scsi_disk("sdz", "naa." "60014051234567890abcdef012345678"); /* a node without multipath */
	check_wwid("dm-0", WWID);
	check_wwid("sda", WWID);
	check_wwid("sdz", WWID);
}

static void a_path_of_a_map_stands_for_the_map(void **state)
{
	(void)state;
	make_map();
	assert_int_equal(inspect("sdb"), 0);
	assert_string_equal(device.name, "/dev/sdb");
	assert_string_equal(device.path, "/dev/dm-0");
	assert_true(device.number == makedev(253, 7));
	assert_true(device.multipath);
	assert_int_equal(device.paths, 2);
	blkpr_device_clear(&device);
}

static void a_map_without_paths_keeps_its_identity(void **state)
{
	(void)state;
	sysfs_dm("dm-0", "mpatha", "mpath-" WWID, "253:7");
	assert_int_equal(inspect("dm-0"), 0);
	assert_string_equal(device.wwid, WWID);
	assert_int_equal(device.paths, 0);
	blkpr_device_clear(&device);
}

static void a_map_of_nvme_paths_registers_once(void **state)
{
	(void)state;
	sysfs_nvme_disk("nvme0n1", "nvme", "eui.0025385b71b0a0d1");
	sysfs_nvme_disk("nvme1n1", "nvme", "eui.0025385b71b0a0d1");
	sysfs_dm("dm-0", "mpatha", "mpath-eui.0025385b71b0a0d1", "253:7");
	sysfs_stack("dm-0", "nvme0n1");
	sysfs_stack("dm-0", "nvme1n1");
	assert_int_equal(inspect("dm-0"), 0);
	assert_int_equal(device.kind, BLKPR_NVME);
	assert_int_equal(device.paths, 1);
	assert_string_equal(device.wwid, "eui.0025385b71b0a0d1");
	blkpr_device_clear(&device);
}

static void a_map_whose_number_cannot_be_read_is_refused(void **state)
{
	(void)state;
	make_map();
	sysfs_write("dm-0/dev", "nonsense\n");
	check_refused("sda", -ENODATA, "dm-0");
}

static void a_disk_below_a_logical_volume_is_a_disk(void **state)
{
	(void)state;
	sysfs_scsi_disk("sda", "naa.1");
	sysfs_dm("dm-3", "vg-lv", "LVM-abcdef", "253:3");
	sysfs_stack("dm-3", "sda");
	check_wwid("sda", "31");
}

/* --- refusals ------------------------------------------------------------------------------------- */

static void a_partition_is_refused(void **state)
{
	(void)state; /* trap 10; it has no "device" (drivers/base/core.c: device_add_class_symlinks) */
	sysfs_write("sda1/partition", "1\n");
	check_refused("sda1", -EPERM, "partition");
}

static void a_partition_of_a_map_is_refused(void **state)
{
	(void)state;
	make_map();
	sysfs_dm("dm-5", "mpatha1", "part1-mpath-" WWID, "253:5");
	sysfs_stack("dm-5", "dm-0");
	check_refused("dm-5", -EPERM, "partition");
	check_wwid("dm-0", WWID);
}

static void a_logical_volume_is_refused(void **state)
{
	(void)state;
	sysfs_dm("dm-3", "vg-lv", "LVM-abcdef", "253:3");
	check_refused("dm-3", -EOPNOTSUPP, "logical volume");
}

static void another_device_mapper_device_is_refused(void **state)
{
	(void)state;
	sysfs_dm("dm-4", "secret", "CRYPT-LUKS2-0123", "253:4");
	check_refused("dm-4", -EOPNOTSUPP, "device-mapper");
	sysfs_dm("dm-6", "no-uuid", "", "253:6");
	check_refused("dm-6", -EOPNOTSUPP, "device-mapper");
}

static void a_loop_device_is_refused(void **state)
{
	(void)state;
	sysfs_write("loop0/size", "1\n");
	check_refused("loop0", -EOPNOTSUPP, "no persistent reservations");
}

static void a_virtio_disk_is_refused(void **state)
{
	(void)state;
	sysfs_link("vda/device/subsystem", "../../../../bus/virtio");
	check_refused("vda", -EOPNOTSUPP, "no persistent reservations");
}

static void a_scsi_device_that_is_no_disk_is_refused(void **state)
{
	(void)state;
	sysfs_scsi_disk("st0", "naa.1");
	sysfs_write("st0/device/type", "1\n");
	check_refused("st0", -EOPNOTSUPP, "no disk");
}

static void a_disk_without_identity_is_refused(void **state)
{
	(void)state;
	sysfs_scsi_disk("sda", NULL);
	check_refused("sda", -ENODATA, "WWID");
	sysfs_scsi_disk("sdb", "");
	check_refused("sdb", -ENODATA, "WWID");
	sysfs_nvme_disk("nvme0n1", "nvme", NULL);
	check_refused("nvme0n1", -ENODATA, "WWID");
}

/* --- names ---------------------------------------------------------------------------------------- */

static void check_unresolved(const char *name, int rc, const char *word)
{
	assert_int_equal(blkpr_device_resolve(name, &device, &error), rc);
	assert_non_null(strstr(error.text, word));
	assert_non_null(strstr(error.text, name));
}

static void a_name_that_is_no_block_device_is_refused(void **state)
{
	(void)state;
	check_unresolved("/dev/no-such-disk", -ENOENT, "no such device");
	check_unresolved("/dev/null", -ENOTBLK, "not a block device");
	check_unresolved("/etc/passwd", -ENOTBLK, "not a block device");
	check_unresolved("/dev", -ENOTBLK, "not a block device");
}

static void what_is_no_longer_the_device_is_not_opened(void **state)
{
	char null[] = "/dev/null", gone[] = "/dev/no-such-disk";
	struct blkpr_device other = { .path = null, .number = NUMBER };
	struct blkpr_device missing = { .path = gone, .number = NUMBER };

	(void)state;
	assert_int_equal(blkpr_device_open(&other), -ENODEV);
	assert_int_equal(blkpr_device_open(&missing), -ENOENT);
}

#define device_test(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		device_test(a_scsi_disk_is_what_it_says),
		device_test(scsi_identities_are_written_as_multipath_writes_them),
		device_test(an_nvme_namespace_is_what_it_says),
		device_test(an_nvme_multipath_namespace_is_an_nvme_namespace),
		device_test(a_map_counts_its_paths),
		device_test(a_map_knows_its_paths_by_name),
		device_test(a_path_is_opened_if_it_is_running_and_still_the_same_disk),
		device_test(a_lun_has_one_identity_as_plain_disk_and_as_map),
		device_test(a_path_of_a_map_stands_for_the_map),
		device_test(a_map_without_paths_keeps_its_identity),
		device_test(a_map_of_nvme_paths_registers_once),
		device_test(a_map_whose_number_cannot_be_read_is_refused),
		device_test(a_disk_below_a_logical_volume_is_a_disk),
		device_test(a_partition_is_refused),
		device_test(a_partition_of_a_map_is_refused),
		device_test(a_logical_volume_is_refused),
		device_test(another_device_mapper_device_is_refused),
		device_test(a_loop_device_is_refused),
		device_test(a_virtio_disk_is_refused),
		device_test(a_scsi_device_that_is_no_disk_is_refused),
		device_test(a_disk_without_identity_is_refused),
		cmocka_unit_test(a_name_that_is_no_block_device_is_refused),
		cmocka_unit_test(what_is_no_longer_the_device_is_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
