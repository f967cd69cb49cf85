// SPDX-License-Identifier: GPL-2.0-or-later
// A directory of small files.
#include "agents/common/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK ".lock"
#define FRESH ".new"
#define LONGEST (16L << 20)

static int fail(const struct store *store, const char *name, int rc, const char *what,
	struct blkpr_error *error)
{
	blkpr_error_set(error, "%s%s%s: cannot %s the record of what this node registered: %s",
		store->path, *name ? "/" : "", name, what,
		rc == -EPERM ? "others than root can write there" : strerror(-rc));
	return rc;
}

static bool is_ours_alone(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & 022);
}

int store_open(struct store *store, const char *path, bool make, struct blkpr_error *error)
{
	struct stat st;

	*store = (struct store){ .path = path, .fd = -1, .lock = -1 };
	if (make && mkdir(path, 0700) && errno != EEXIST)
		return fail(store, "", -errno, "keep", error);
	store->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (store->fd < 0)
		return errno == ENOENT ? -ENOENT : fail(store, "", -errno, "read", error);
	if (fstat(store->fd, &st))
		return fail(store, "", -errno, "read", error);
	return is_ours_alone(&st) ? 0 : fail(store, "", -EPERM, "trust", error);
}

void store_close(struct store *store)
{
	store_unlock(store);
	if (store->fd >= 0)
		close(store->fd);
	store->fd = -1;
}

int store_lock(struct store *store, struct blkpr_error *error)
{
	store->lock = openat(store->fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (store->lock >= 0 && flock(store->lock, LOCK_EX))
		if (errno != EINTR)
			return fail(store, LOCK, -errno, "lock", error);
	return store->lock < 0 ? fail(store, LOCK, -errno, "lock", error) : 0;
}

bool store_try_lock(struct store *store)
{
	store->lock = openat(store->fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock >= 0 && !flock(store->lock, LOCK_EX | LOCK_NB))
		return true;
	store_unlock(store);
	return false;
}

void store_unlock(struct store *store)
{
	if (store->lock >= 0)
		close(store->lock);
	store->lock = -1;
}

static int read_all(int fd, char *text, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, text + done, size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO; /* files are replaced, never shortened */
		done += (size_t)got;
	}
	return 0;
}

static int read_file(int fd, char **text)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || !is_ours_alone(&st) || st.st_size > LONGEST)
		return -EPERM;
	*text = calloc(1, (size_t)st.st_size + 1);
	rc = *text ? read_all(fd, *text, (size_t)st.st_size) : -ENOMEM;
	if (rc) {
		free(*text);
		*text = NULL;
	}
	return rc;
}

int store_read(const struct store *store, const char *name, char **text, struct blkpr_error *error)
{
	int fd = openat(store->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;

	*text = NULL;
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : fail(store, name, -errno, "read", error);
	rc = read_file(fd, text);
	close(fd);
	return rc ? fail(store, name, rc, rc == -EPERM ? "trust" : "read", error) : 0;
}

static int write_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t put = write(fd, text, left);

		if (put < 0 && errno != EINTR)
			return -errno;
		if (put > 0) {
			text += put;
			left -= (size_t)put;
		}
	}
	return 0;
}

static int write_fresh(const struct store *store, const char *text)
{
	int fd, rc;

	unlinkat(store->fd, FRESH, 0); /* of one that was killed */
	fd = openat(store->fd, FRESH, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, text);
	if (!rc && store->durable && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

int store_replace(
	const struct store *store, const char *name, const char *text, struct blkpr_error *error)
{
	int rc = write_fresh(store, text);

	if (!rc && renameat(store->fd, FRESH, store->fd, name))
		rc = -errno;
	if (!rc && store->durable && fsync(store->fd))
		rc = -errno;
	return rc ? fail(store, name, rc, "write", error) : 0;
}

int store_remove(const struct store *store, const char *name, struct blkpr_error *error)
{
	int rc = unlinkat(store->fd, name, 0) && errno != ENOENT ? -errno : 0;

	return rc ? fail(store, name, rc, "remove", error) : 0;
}

int store_visit(
	const struct store *store, int (*visit)(void *context, const char *name), void *context)
{
	int fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!directory) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (!rc && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			rc = visit(context, entry->d_name);
	closedir(directory);
	return rc;
}
