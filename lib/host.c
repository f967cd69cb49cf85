// SPDX-License-Identifier: LGPL-2.1-or-later
// SCSI hosts in sysfs.
#include "lib/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* sysfs has the disk's device as HOST:CHANNEL:TARGET:LUN. */
int blkpr_host_of(int fd, unsigned *host)
{
	char path[64], target[512];
	const char *slash;
	struct stat st;
	ssize_t length;

	if (fstat(fd, &st) || !S_ISBLK(st.st_mode))
		return -ENODEV;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/device", major(st.st_rdev), minor(st.st_rdev));
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0)
		return -ENODEV;
	target[length] = '\0';
	slash = strrchr(target, '/');
	return sscanf(slash ? slash + 1 : target, "%u:%*u:%*u:%*u", host) == 1 ? 0 : -ENODEV;
}

bool blkpr_host_lacks_reset(unsigned host)
{
	/* a name that is missing makes off fail, one that is wrong makes it lie: only those that are certain */
	static const char *const drivers[] = { "storvsc" };
	char path[64], name[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/scsi_host/host%u/proc_name", host);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, name, sizeof(name) - 1);
	close(fd);
	name[length > 0 ? length : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	for (unsigned i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(name, drivers[i]))
			return true;
	return false;
}
