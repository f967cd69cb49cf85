// SPDX-License-Identifier: GPL-2.0-or-later
// What a command takes as a whole process, everything that it starts included.
//   measure COMMAND ARG...       "STATUS WALL CPU MEMORY": exit status, microseconds until it has ended, microseconds of
//                                user and system time, the largest resident set of its processes in KiB
//   measure -m COMMAND ARG...    "STATUS PSS PROCESSES": the most that all its processes had at one time, by their
//                                proportional set sizes, in KiB, and how many they were then. Looking slows it down.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t us_of(const struct timeval *time)
{
	return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(125);
}

/* What the command says is not wanted. */
static void __attribute__((noreturn)) become(int null, char *command[])
{
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(command[0], command);
	_exit(127);
}

static int open_null(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		die("/dev/null");
	return null;
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void measure_time(char *command[])
{
	int null = open_null(), status, exit_status = 125;
	int64_t began = now_us(), wall = 0, cpu = 0;
	pid_t leader = fork(), pid;
	struct rusage usage;
	long memory = 0;

	if (leader < 0)
		die("fork");
	if (!leader)
		become(null, command);
	while ((pid = wait4(-1, &status, 0, &usage)) > 0) {
		if (pid == leader) {
			wall = now_us() - began;
			exit_status = status_of(status);
		}
		cpu += us_of(&usage.ru_utime) + us_of(&usage.ru_stime);
		if (usage.ru_maxrss > memory)
			memory = usage.ru_maxrss;
	}
	printf("%d %lld %lld %ld\n", exit_status, (long long)wall, (long long)cpu, memory);
}

/* --- memory: of every process below this one --------------------------------------------------------- */

static bool read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, text, size - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

static long pss_of(const char *pid)
{
	char path[64], text[2048];
	const char *found;

	snprintf(path, sizeof(path), "/proc/%.20s/smaps_rollup", pid);
	if (!read_file(path, text, sizeof(text)))
		return 0;
	found = strstr(text, "\nPss:");
	return found ? strtol(found + 5, NULL, 10) : 0;
}

/* Whether a process is in the session that the command has begun. */
static bool is_of(const char *pid, pid_t session)
{
	char path[64], text[512];
	const char *rest;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	if (!read_file(path, text, sizeof(text)))
		return false;
	rest = strrchr(text, ')');
	return rest && sscanf(rest, ") %*c %*d %*d %d", &found) == 1 && found == session;
}

static long look(pid_t session, int *count)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	long sum = 0;

	*count = 0;
	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_of(entry->d_name, session)) {
			long pss = pss_of(entry->d_name);

			sum += pss;
			*count += pss > 0;
		}
	if (proc)
		closedir(proc);
	return sum;
}

static void measure_memory(char *command[])
{
	int null = open_null(), status = 0, most_processes = 0;
	pid_t leader = fork();
	long most = 0;

	if (leader < 0)
		die("fork");
	if (!leader) {
		setsid();
		become(null, command);
	}
	while (!waitpid(leader, &status, WNOHANG)) {
		int count;
		long sum = look(leader, &count);

		if (sum > most) {
			most = sum;
			most_processes = count;
		}
	}
	printf("%d %ld %d\n", status_of(status), most, most_processes);
}

int main(int argc, char *argv[])
{
	bool memory = argc > 1 && !strcmp(argv[1], "-m");
	char **command = argv + 1 + memory;

	if (argc < 2 + memory) {
		fputs("usage: measure [-m] COMMAND ARG...\n", stderr);
		return 2;
	}
	if (prctl(PR_SET_CHILD_SUBREAPER, 1)) /* so that what outlives its parent is measured, too */
		die("subreaper");
	(memory ? measure_memory : measure_time)(command);
	return 0;
}
