// SPDX-License-Identifier: GPL-2.0-or-later
// Running a program, or a part of this one, with a deadline.
#include "agents/common/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"

extern char **environ;

struct text {
	char *data;
	size_t length;
};

/* Takes what FD has; 1: more may come, 0: end, -errno. */
static int take(int fd, struct text *text)
{
	char chunk[4096], *larger;
	ssize_t got = read(fd, chunk, sizeof(chunk));

	if (got < 0)
		return errno == EINTR ? 1 : -errno;
	if (!got)
		return 0;
	larger = realloc(text->data, text->length + (size_t)got + 1);
	if (!larger)
		return -ENOMEM;
	text->data = larger;
	memcpy(text->data + text->length, chunk, (size_t)got);
	text->length += (size_t)got;
	text->data[text->length] = '\0';
	return 1;
}

/* Reads both ends until both are at their end. */
static int collect(const int fds[2], struct text texts[2], int64_t deadline)
{
	struct pollfd polls[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };

	while (polls[0].fd >= 0 || polls[1].fd >= 0) {
		int64_t left = deadline - blkpr_clock_ms();

		if (left <= 0)
			return -ETIME;
		if (poll(polls, 2, (int)left) < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < 2; i++) {
			int rc = polls[i].fd >= 0 && polls[i].revents ? take(fds[i], &texts[i]) : 1;

			if (rc < 0)
				return rc;
			if (!rc)
				polls[i].fd = -1;
		}
	}
	return 0;
}

/* PATH may be empty under a fencer that cleans its environment. */
static int spawn(const char *const argv[], int out, int err, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int rc;

	if (!getenv("PATH"))
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, err, 2);
	rc = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -rc;
}

static const char *last_line(struct text *text)
{
	char *newline;

	while (text->length && text->data[text->length - 1] == '\n')
		text->data[--text->length] = '\0';
	newline = text->length ? strrchr(text->data, '\n') : NULL;
	return newline ? newline + 1 : text->length ? text->data : "no message";
}

static int finish(
	const char *name, pid_t pid, int rc, struct text *stderr_text, struct blkpr_error *error)
{
	int status = 0;

	if (rc) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG); /* never waited for: it may sleep in the kernel */
		blkpr_error_set(error, "%s: %s", name,
			rc == -ETIME ? "no answer before the deadline" : strerror(-rc));
		return rc;
	}
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return blkpr_error_fail(error, -ECHILD, "%s failed (status %d): %.300s", name,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		last_line(stderr_text));
}

static int make_pipes(int out[2], int err[2])
{
	if (pipe2(out, O_CLOEXEC))
		return -1;
	if (!pipe2(err, O_CLOEXEC))
		return 0;
	close(out[0]);
	close(out[1]);
	return -1;
}

int run_program(
	const char *const argv[], int64_t deadline, char **output, struct blkpr_error *error)
{
	int out[2], err[2], rc;
	struct text texts[2] = { { 0 } };
	pid_t pid;

	if (make_pipes(out, err)) {
		rc = -errno;
		blkpr_error_set(error, "%s: no pipe: %s", argv[0], strerror(-rc));
		return rc;
	}
	rc = spawn(argv, out[1], err[1], &pid);
	close(out[1]);
	close(err[1]);
	if (rc)
		blkpr_error_set(error, "%s: cannot be run: %s", argv[0], strerror(-rc));
	else
		rc = finish(argv[0], pid, collect((int[]){ out[0], err[0] }, texts, deadline),
			&texts[1], error);
	close(out[0]);
	close(err[0]);
	free(texts[1].data);
	if (rc)
		free(texts[0].data);
	else
		*output = texts[0].data ? texts[0].data : strdup("");
	if (rc || *output)
		return rc;
	return blkpr_error_fail(error, -ENOMEM, "%s: out of memory", argv[0]);
}

void run_prepare(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
	signal(SIGCHLD, SIG_DFL);
}

/* --- aside ------------------------------------------------------------------------------------ */

/* Nobody waits for its end of a pipe but the one that it was made for. */
static void shed_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
}

/* Its text is at the end of the file, so that it comes with the end of the process. */
static _Noreturn void be_aside(int (*work)(const void *context, int out, struct blkpr_error *error),
	const void *context, int out, int err)
{
	struct blkpr_error error = { "" };
	int rc;

	shed_stdio();
	rc = work(context, out, &error);
	if (rc)
		dprintf(err, "%s", error.text);
	_exit(-rc);
}

static int finish_aside(pid_t pid, int rc, const struct text *text, struct blkpr_error *error)
{
	int status = 0;

	if (rc) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG); /* never waited for: it may sleep in the kernel */
		blkpr_error_set(error, "%s",
			rc == -ETIME ? "no answer before the deadline" : strerror(-rc));
		return rc;
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return blkpr_error_fail(error, -ECHILD, "its process died");
	if (WEXITSTATUS(status))
		blkpr_error_set(
			error, "%s", text->data ? text->data : strerror(WEXITSTATUS(status)));
	return -WEXITSTATUS(status);
}

int run_aside(int (*work)(const void *context, int out, struct blkpr_error *error),
	const void *context, int64_t deadline, char **output, struct blkpr_error *error)
{
	int out[2], err[2], rc;
	struct text texts[2] = { { 0 } };
	pid_t pid;

	if (make_pipes(out, err)) {
		rc = -errno;
		blkpr_error_set(error, "no pipe: %s", strerror(-rc));
		return rc;
	}
	pid = fork();
	if (!pid)
		be_aside(work, context, out[1], err[1]);
	rc = pid < 0 ? -errno : 0;
	close(out[1]);
	close(err[1]);
	if (rc)
		blkpr_error_set(error, "no process: %s", strerror(-rc));
	else
		rc = finish_aside(
			pid, collect((int[]){ out[0], err[0] }, texts, deadline), &texts[1], error);
	close(out[0]);
	close(err[0]);
	free(texts[1].data);
	*output = texts[0].data;
	return rc;
}
