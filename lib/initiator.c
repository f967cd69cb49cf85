// SPDX-License-Identifier: LGPL-2.1-or-later
// An iSCSI session's initiator name, from sysfs.
#include "lib/initiator.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/host.h"

static int read_name(const char *path, char name[BLKPR_INITIATOR_NAME])
{
	FILE *file = fopen(path, "re");
	bool read = file && fgets(name, BLKPR_INITIATOR_NAME, file);

	if (file)
		fclose(file);
	if (!read)
		return -ENODEV;
	name[strcspn(name, "\n")] = '\0';
	return *name && strcmp(name, "(null)") != 0 ? 0 : -ENODEV;
}

int blkpr_initiator_name(int fd, char name[BLKPR_INITIATOR_NAME])
{
	char pattern[128];
	unsigned host;
	glob_t found;
	int rc;

	if (blkpr_host_of(fd, &host))
		return -ENODEV;
	snprintf(pattern, sizeof(pattern), "/sys/class/scsi_host/host%u/device/session*/iscsi_session/session*/initiatorname",
		host);
	if (glob(pattern, 0, NULL, &found))
		return -ENODEV;
	rc = read_name(found.gl_pathv[0], name);
	globfree(&found);
	return rc;
}
