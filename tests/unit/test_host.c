// SPDX-License-Identifier: GPL-2.0-or-later
// SCSI hosts: their drivers' names, and how far a LUN RESET gets by them.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/flight.h"
#include "tests/unit/fake_sysfs.h"
#include "tests/unit/unit.h"

static int create(void **state)
{
	(void)state;
	sysfs_create();
	return 0;
}

static int clean(void **state)
{
	(void)state;
	sysfs_remove();
	return 0;
}

static void check_driver(unsigned host, int rc, const char *name)
{
	char driver[BLKPR_DRIVER_SIZE] = "?", sysfs[256];

	snprintf(sysfs, sizeof(sysfs), "%s", sysfs_path(""));
	assert_int_equal(blkpr_host_driver(sysfs, host, driver), rc);
	assert_string_equal(driver, name);
}

static void a_drivers_name_is_its_proc_name(void **state)
{
	(void)state;
	sysfs_write("class/scsi_host/host0/proc_name", "iscsi_tcp\n");
	sysfs_write("class/scsi_host/host12/proc_name", "virtio_scsi\n");
	check_driver(0, 0, "iscsi_tcp");
	check_driver(12, 0, "virtio_scsi");
	check_driver(1, -ENODEV, "");
}

static void a_driver_without_proc_name_is_the_adapters(void **state)
{
	(void)state; /* qla2xxx, fnic; host 5 is a virtual port (NPIV) of host 4 */
	sysfs_write("class/scsi_host/host4/proc_name", "(null)\n");
	sysfs_link("class/scsi_host/host4/device", "../../../devices/pci0000:00/0000:05:00.0/host4");
	sysfs_write("devices/pci0000:00/0000:05:00.0/host4/uevent", "");
	sysfs_link("devices/pci0000:00/0000:05:00.0/driver", "../../../bus/pci/drivers/qla2xxx");
	sysfs_link("devices/pci0000:00/driver", "../../bus/pci/drivers/pcieport");
	sysfs_write("class/scsi_host/host5/proc_name", "<NULL>\n");
	sysfs_link("class/scsi_host/host5/device", "../../../devices/pci0000:00/0000:05:00.0/host4/vport-4:0-0/host5");
	sysfs_write("devices/pci0000:00/0000:05:00.0/host4/vport-4:0-0/host5/uevent", "");
	check_driver(4, 0, "qla2xxx");
	check_driver(5, 0, "qla2xxx");
}

static void a_driver_that_nobody_names_is_unknown(void **state)
{
	(void)state;
	sysfs_write("class/scsi_host/host4/proc_name", "(null)\n");
	check_driver(4, -ENODEV, "");
	sysfs_link("class/scsi_host/host4/device", "../../../devices/platform/host4");
	check_driver(4, -ENODEV, "");
	sysfs_write("devices/platform/host4/uevent", "");
	check_driver(4, -ENODEV, "");
	sysfs_write("class/scsi_host/host6/proc_name", "\n");
	check_driver(6, -ENODEV, "");
}

static void the_kernels_names_are_in_the_table(void **state)
{
	static const struct {
		const char *driver;
		enum blkpr_reach reach;
	} drivers[] = {
		{ "iscsi_tcp", BLKPR_REACH_TARGET },
		{ "iscsi_iser", BLKPR_REACH_TARGET },
		{ "qla2xxx", BLKPR_REACH_TARGET },
		{ "lpfc", BLKPR_REACH_TARGET },
		{ "mpt3sas", BLKPR_REACH_TARGET },
		{ "virtio_scsi", BLKPR_REACH_ELSEWHERE },
		{ "vmw_pvscsi", BLKPR_REACH_ELSEWHERE },
		{ "scsifront", BLKPR_REACH_ELSEWHERE },
		{ "ibmvscsi", BLKPR_REACH_ELSEWHERE },
		{ "storvsc_host", BLKPR_REACH_NONE },
		{ "megaraid_sas", BLKPR_REACH_NONE },
		{ "storvsc", BLKPR_REACH_UNKNOWN }, /* not its proc_name */
		{ "zfcp", BLKPR_REACH_UNKNOWN },
		{ "iscsi_tcp2", BLKPR_REACH_UNKNOWN },
		{ "iscsi", BLKPR_REACH_UNKNOWN },
		{ "", BLKPR_REACH_UNKNOWN },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++)
		assert_int_equal(blkpr_host_driver_reach(drivers[i].driver), drivers[i].reach);
}

static void everything_has_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BLKPR_RESTS; i++)
		assert_non_null(blkpr_rests_texts[i]);
	for (unsigned i = 0; i < BLKPR_REACH_NVME; i++)
		assert_non_null(blkpr_reach_texts[i]);
}

#define host_test(f) cmocka_unit_test_setup_teardown(f, create, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		host_test(a_drivers_name_is_its_proc_name),
		host_test(a_driver_without_proc_name_is_the_adapters),
		host_test(a_driver_that_nobody_names_is_unknown),
		cmocka_unit_test(the_kernels_names_are_in_the_table),
		cmocka_unit_test(everything_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
