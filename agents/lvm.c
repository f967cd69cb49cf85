// SPDX-License-Identifier: GPL-2.0-or-later
// What vgs prints: "  wz--ns:/dev/sda", a line for each disk of each volume group.
#include "agents/lvm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/run.h"

#define SHARED_BIT 5 /* of vg_attr: 's' shared (lvmlockd), 'c' clustered */

static int add_disk(char *line, struct blkpr_list *list, struct blkpr_error *error)
{
	char *attributes = line + strspn(line, " ");
	char *name = strchr(attributes, ':');

	if (!name) {
		blkpr_error_set(error, "vgs printed \"%.100s\", which cannot be read; set devices=", attributes);
		return -EPROTO;
	}
	*name++ = '\0';
	if (strlen(attributes) <= SHARED_BIT || !strchr("cs", attributes[SHARED_BIT]))
		return 0;
	return blkpr_list_add(list, name, error);
}

int lvm_add_shared(const char *vgs, int64_t deadline, struct blkpr_list *list, struct blkpr_error *error)
{
	/* --readonly: no locks, so that a hung lock manager holds nothing up; --shared: without lvmlockd too */
	const char *const argv[] = { vgs, "--readonly", "--shared", "--noheadings", "--separator", ":", "--options",
		"vg_attr,pv_name", "--config", "log { report_command_log = 0 }", NULL };
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
