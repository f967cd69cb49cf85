// SPDX-License-Identifier: GPL-2.0-or-later
// What vgs prints: "  wz--ns:/dev/sda", a line for each disk of each volume group.
#include "agents/lvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/run.h"

#define SHARED_BIT 5 /* of vg_attr: 's' shared (lvmlockd), 'c' clustered */

static int add_disk(const char *line, struct blkpr_list *list, struct blkpr_error *error)
{
	const char *attributes = line + strspn(line, " ");
	size_t length = strspn(attributes, "abcdefghijklmnopqrstuvwxyz-");

	if (length <= SHARED_BIT || attributes[length] != ':') {
		blkpr_error_set(error, "vgs printed \"%.100s\", which is no volume group's disk; set devices=", line);
		return -EPROTO;
	}
	return strchr("cs", attributes[SHARED_BIT]) ? blkpr_list_add(list, attributes + length + 1, error) : 0;
}

int lvm_add_shared(const char *vgs, int64_t deadline, struct blkpr_list *list, struct blkpr_error *error)
{
	/* --readonly: no locks, so that a hung lock manager holds nothing up; --shared: without lvmlockd too */
	const char *const argv[] = { vgs, "--readonly", "--shared", "--reportformat", "basic", "--noheadings",
		"--separator", ":", "--options", "vg_attr,pv_name", "--config",
		"log { report_command_log = 0 } report { prefixes = 0 columns_as_rows = 0 }", NULL };
	struct blkpr_error reason;
	char *output, *rest;
	int rc = run_program(argv, deadline, &output, &reason);

	if (rc) {
		blkpr_error_set(error, "no devices given, and LVM cannot name shared ones (%.300s); set devices=",
			reason.text);
		return rc;
	}
	for (char *line = strtok_r(output, "\n", &rest); line && !rc; line = strtok_r(NULL, "\n", &rest))
		rc = add_disk(line, list, error);
	free(output);
	return rc;
}
