// SPDX-License-Identifier: GPL-2.0-or-later
// Commands at work: each adds a byte to a file, and has a lock on it as long as it runs.
#include "agents/common/at_work.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agents/common/store.h"

#define FILE_NAME ".at-work"

int at_work_begin(const char *run, struct blkpr_error *error)
{
	struct store store;
	int rc = store_open(&store, run, true, error), fd;

	if (rc) {
		store_close(&store);
		return rc;
	}
	fd = openat(store.fd, FILE_NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		0600);
	/* the byte after the lock: whoever sees no lock sees the byte */
	if (fd < 0 || flock(fd, LOCK_SH) || write(fd, "\n", 1) != 1)
		rc = blkpr_error_fail(error, errno ? -errno : -EIO,
			"%s/" FILE_NAME ": cannot be written: %s", run, strerror(errno));
	store_close(&store);
	return rc; /* FD is open until the process ends */
}

void at_work_look(const char *run, uint64_t *commands, bool *busy)
{
	struct blkpr_error ignored;
	struct store store;
	struct stat st;
	int rc = store_open(&store, run, false, &ignored), fd = -1;

	*commands = 0;
	*busy = true;
	if (!rc)
		fd = openat(store.fd, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (!rc && fd < 0)
		*busy = errno != ENOENT;
	else if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &st)) {
		*commands = (uint64_t)st.st_size;
		*busy = false;
	}
	if (fd >= 0)
		close(fd);
	store_close(&store);
}
