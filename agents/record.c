// SPDX-License-Identifier: GPL-2.0-or-later
// Records of explicit keys.
#include "agents/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "lib/key.h"

static int path_of(const char *wwid, const char *suffix, char path[PATH_MAX])
{
	int length = snprintf(path, PATH_MAX, "%s/%s%s", BLKPR_RUN_DIR, wwid, suffix);

	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int fail(const char *path, int rc, const char *what, struct blkpr_error *error)
{
	blkpr_error_set(error, "%s: cannot %s the record of this node's key: %s", path, what, strerror(-rc));
	return rc;
}

/* A record that others can write proves nothing. */
static int read_record(int fd, char *text, size_t size)
{
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid || st.st_mode & 022)
		return -EPERM;
	got = read(fd, text, size - 1);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int record_load(const char *wwid, uint64_t *key, struct blkpr_error *error)
{
	char path[PATH_MAX], text[64];
	int rc = path_of(wwid, "", path), fd;

	if (rc)
		return fail(wwid, rc, "read", error);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : fail(path, -errno, "read", error);
	rc = read_record(fd, text, sizeof(text));
	close(fd);
	if (rc)
		return fail(path, rc, "trust", error);
	if (!blkpr_key_parse(text, key))
		return 0;
	blkpr_error_set(error, "%s: holds no key; unfence this node again to have it rewritten", path);
	return -EINVAL;
}

static int write_record(const char *path, uint64_t key)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	char text[BLKPR_KEY_TEXT];
	int rc = 0;

	if (fd < 0)
		return -errno;
	blkpr_key_format(key, text);
	if (dprintf(fd, "%s\n", text) < 0 || fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

int record_store(const char *wwid, uint64_t key, struct blkpr_error *error)
{
	char path[PATH_MAX], fresh[PATH_MAX], suffix[32];
	int rc;

	snprintf(suffix, sizeof(suffix), ".%ld", (long)getpid());
	rc = path_of(wwid, "", path);
	if (!rc)
		rc = path_of(wwid, suffix, fresh);
	if (!rc && mkdir(BLKPR_RUN_DIR, 0700) && errno != EEXIST)
		rc = -errno;
	if (!rc)
		rc = write_record(fresh, key);
	if (!rc && rename(fresh, path)) {
		rc = -errno;
		unlink(fresh);
	}
	return rc ? fail(BLKPR_RUN_DIR, rc, "write", error) : 0;
}

int record_remove(const char *wwid, struct blkpr_error *error)
{
	char path[PATH_MAX];
	int rc = path_of(wwid, "", path);

	if (!rc && unlink(path) && errno != ENOENT)
		rc = -errno;
	return rc ? fail(path, rc, "remove", error) : 0;
}
