// SPDX-License-Identifier: GPL-2.0-or-later
// Records of keys and lists.
#include "agents/record.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <md5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
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
	blkpr_error_set(error, "%s: cannot %s the record of what this node registered: %s", path, what, strerror(-rc));
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

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%s", text) < 0 || fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

/* Written beside, then renamed: a reader sees the old text or the new one. */
static int replace_file(const char *name, const char *text, struct blkpr_error *error)
{
	char path[PATH_MAX], fresh[PATH_MAX], suffix[32];
	int rc;

	snprintf(suffix, sizeof(suffix), ".%ld", (long)getpid());
	rc = path_of(name, "", path);
	if (!rc)
		rc = path_of(name, suffix, fresh);
	if (!rc && mkdir(BLKPR_RUN_DIR, 0700) && errno != EEXIST)
		rc = -errno;
	if (!rc)
		rc = write_file(fresh, text);
	if (!rc && rename(fresh, path))
		rc = -errno;
	if (rc)
		unlink(fresh);
	return rc ? fail(BLKPR_RUN_DIR, rc, "write", error) : 0;
}

int record_store(const char *wwid, uint64_t key, struct blkpr_error *error)
{
	char digits[BLKPR_KEY_TEXT], text[BLKPR_KEY_TEXT + 1];

	snprintf(text, sizeof(text), "%s\n", blkpr_key_format(key, digits));
	return replace_file(wwid, text, error);
}

int record_remove(const char *wwid, struct blkpr_error *error)
{
	char path[PATH_MAX];
	int rc = path_of(wwid, "", path);

	if (!rc && unlink(path) && errno != ENOENT)
		rc = -errno;
	return rc ? fail(path, rc, "remove", error) : 0;
}

/* A name that no WWID has, for what TEXT is about, which may hold anything. */
static char *file_of(const char *kind, const char *text)
{
	char sum[MD5_DIGEST_STRING_LENGTH], *name;

	MD5Data((const uint8_t *)text, strlen(text), sum);
	return asprintf(&name, "%s-%s", kind, sum) < 0 ? NULL : name;
}

static char *list_file(const char *spec)
{
	return file_of("list", spec);
}

static int no_memory(struct blkpr_error *error)
{
	blkpr_error_set(error, "out of memory");
	return -ENOMEM;
}

static bool file_has(const char *path, const char *wwid, uint64_t *key)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (file && !found && getline(&line, &room, file) >= 0) {
		char *rest, *name = strtok_r(line, " \n", &rest), *text = strtok_r(NULL, " \n", &rest);

		found = name && text && !strcmp(name, wwid) && !blkpr_key_parse(text, key);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* One that shares a disk is of a configuration that has been changed: what it says of its other disks may be over. */
static void remove_older_lists(const char *newest, const struct blkpr_target targets[], unsigned count)
{
	uint64_t key;
	glob_t lists;

	if (glob(BLKPR_RUN_DIR "/list-*", 0, NULL, &lists))
		return;
	for (size_t i = 0; i < lists.gl_pathc; i++) {
		const char *path = lists.gl_pathv[i];
		bool shares = false;

		for (unsigned k = 0; k < count && !shares; k++)
			shares = file_has(path, targets[k].device->wwid, &key);
		if (shares && strcmp(strrchr(path, '/') + 1, newest) != 0)
			unlink(path);
	}
	globfree(&lists);
}

/* A line is "WWID KEY NAME". */
int record_list_store(const char *spec, const struct blkpr_target targets[], unsigned count,
	struct blkpr_error *error)
{
	char *name = list_file(spec), *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int rc;

	for (unsigned i = 0; out && i < count; i++)
		fprintf(out, "%s 0x%" PRIx64 " %s\n", targets[i].device->wwid, targets[i].own, targets[i].device->name);
	if (out)
		fclose(out);
	rc = name && text ? replace_file(name, text, error) : no_memory(error);
	if (!rc)
		remove_older_lists(name, targets, count);
	free(name);
	free(text);
	return rc;
}

static bool in_list(const struct blkpr_list *list, const char *wwid)
{
	for (unsigned i = 0; i < list->count; i++)
		if (!strcmp(list->devices[i].wwid, wwid))
			return true;
	return false;
}

static int collect_missing(FILE *file, const struct blkpr_list *list, char **missing, struct blkpr_error *error)
{
	char *line = NULL;
	size_t room = 0, size;
	FILE *out = open_memstream(missing, &size);

	if (!out)
		return no_memory(error);
	while (getline(&line, &room, file) >= 0) {
		char *name, *wwid = strtok_r(line, " \n", &name);

		strtok_r(NULL, " \n", &name); /* the key */
		if (wwid && !in_list(list, wwid))
			fprintf(out, "%.*s (%s)\n", (int)strcspn(name, "\n"), name, wwid);
	}
	free(line);
	fclose(out);
	if (size)
		return 0;
	free(*missing);
	*missing = NULL;
	return 0;
}

int record_list_compare(
	const char *spec, const struct blkpr_list *list, char **missing, struct blkpr_error *error)
{
	char *name = list_file(spec), path[PATH_MAX];
	FILE *file;
	int rc;

	*missing = NULL;
	rc = name ? path_of(name, "", path) : no_memory(error);
	free(name);
	if (rc)
		return rc;
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : fail(path, -errno, "read", error);
	rc = collect_missing(file, list, missing, error);
	fclose(file);
	return rc;
}

bool record_list_has(const char *wwid, uint64_t *key)
{
	glob_t lists;
	bool found = false;

	if (glob(BLKPR_RUN_DIR "/list-*", 0, NULL, &lists))
		return false;
	for (size_t i = 0; i < lists.gl_pathc && !found; i++)
		found = file_has(lists.gl_pathv[i], wwid, key);
	globfree(&lists);
	return found;
}

#define UNFENCED ".unfenced" /* a name that no WWID has */

/* In seconds since the node was started: no clock that somebody sets. */
static long uptime(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

int record_unfenced_store(struct blkpr_error *error)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", uptime());
	return replace_file(UNFENCED, text, error);
}

long record_unfenced_age(void)
{
	FILE *file = fopen(BLKPR_RUN_DIR "/" UNFENCED, "re");
	long when = -1;

	if (file && fscanf(file, "%ld", &when) != 1)
		when = -1;
	if (file)
		fclose(file);
	return when >= 0 ? uptime() - when : -1;
}

/* --- resources ------------------------------------------------------------------------------------ */

static char *resource_file(const char *instance)
{
	return file_of("resource", instance);
}

#define LONGEST_RECORD (1 << 20)

int record_resource_load(const char *instance, char **text, struct blkpr_error *error)
{
	char *name = resource_file(instance), path[PATH_MAX];
	int rc = name ? path_of(name, "", path) : -ENOMEM, fd;
	struct stat st;

	*text = NULL;
	free(name);
	if (rc)
		return fail(instance, rc, "read", error);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : fail(path, -errno, "read", error);
	rc = fstat(fd, &st) ? -errno : 0;
	if (!rc && (st.st_uid || st.st_mode & 022 || st.st_size > LONGEST_RECORD))
		rc = -EPERM;
	if (!rc) {
		*text = calloc(1, (size_t)st.st_size + 1);
		if (!*text)
			rc = -ENOMEM;
		else if (read(fd, *text, (size_t)st.st_size) != st.st_size)
			rc = -EIO;
	}
	close(fd);
	if (!rc)
		return 0;
	free(*text);
	*text = NULL;
	return fail(path, rc, rc == -EPERM ? "trust" : "read", error);
}

int record_resource_store(const char *instance, const char *text, struct blkpr_error *error)
{
	char *name = resource_file(instance);
	int rc = name ? replace_file(name, text, error) : no_memory(error);

	free(name);
	return rc;
}

int record_resource_remove(const char *instance, struct blkpr_error *error)
{
	char *name = resource_file(instance);
	int rc = name ? record_remove(name, error) : no_memory(error);

	free(name);
	return rc;
}
