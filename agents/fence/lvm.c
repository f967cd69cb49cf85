// SPDX-License-Identifier: GPL-2.0-or-later
// What vgs prints: "  wz--ns:/dev/sda", a line for each disk of each volume group.
#include "agents/fence/lvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/run.h"

#define SHARED_BIT 5 /* of vg_attr: 's' shared (lvmlockd), 'c' clustered */

static int add_disk(const char *line, struct blkpr_list *list, struct blkpr_error *error)
{
	const char *attributes = line + strspn(line, " ");
	size_t length = strspn(attributes, "abcdefghijklmnopqrstuvwxyz-");
	const char *disk = attributes + length + 1;

	if (length <= SHARED_BIT || attributes[length] != ':')
		return blkpr_error_fail(error, -EPROTO,
			"vgs printed \"%.100s\", which is no volume group's disk; set devices=",
			line);
	if (!strchr("cs", attributes[SHARED_BIT]))
		return 0;
	if (*disk != '[')
		return blkpr_list_add(list, disk, error);
	return blkpr_error_fail(error, -ENOENT,
		"a disk of a shared volume group is not there (vgs says %.50s); reconnect it, or "
		"take it out of the group (vgreduce --removemissing)",
		disk);
}

/* The disks in OUTPUT, all that there are; the first error is the answer. */
static int add_disks(char *output, struct blkpr_list *list, struct blkpr_error *error)
{
	struct blkpr_error ignored;
	char *rest;
	int first = 0;

	for (char *line = strtok_r(output, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		int rc = add_disk(line, list, first ? &ignored : error);

		first = first ? first : rc;
	}
	return first;
}

int lvm_add_shared(
	const char *vgs, int64_t deadline, struct blkpr_list *list, struct blkpr_error *error)
{
	/*
	 * --readonly: no locks, so that a hung lock manager holds nothing up; --shared: without
	 * lvmlockd too
	 */
	const char *const argv[] = { vgs, "--readonly", "--shared", "--reportformat", "basic",
		"--noheadings", "--separator", ":", "--options", "vg_attr,pv_name", "--config",
		"log { report_command_log = 0 } report { prefixes = 0 columns_as_rows = 0 }",
		NULL };
	struct blkpr_error reason;
	char *output;
	int rc = run_program(argv, deadline, &output, &reason);

	if (rc) {
		blkpr_error_set(error,
			"no devices given; set devices=, or see why LVM cannot name shared ones: "
			"%.300s",
			reason.text);
		return rc;
	}
	rc = add_disks(output, list, error);
	free(output);
	return rc;
}
