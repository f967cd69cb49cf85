// SPDX-License-Identifier: GPL-2.0-or-later
// This node's Pacemaker.
#include "agents/common/pacemaker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <crm_config.h>

#include "agents/common/run.h"

/*
 * Its daemons set this for what they start (lib/common/logging.c: set_identity; fence-agents'
 * fencing.py reads it, too). The parent would be another one once the fencer has ended.
 */
bool pacemaker_runs_us(void)
{
	const char *service = getenv("PCMK_service");

	return service && !strcmp(service, "pacemaker-fenced");
}

static bool shares_pid_namespace(int process)
{
	struct stat ours, theirs;

	return !stat("/proc/self/ns/pid", &ours) && !fstatat(process, "ns/pid", &theirs, 0) &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

/*
 * The owner of /proc/PID is the process's effective user (proc(5)); a name is anybody's to choose.
 * Pacemaker's own user is whom pacemakerd gives its directory below /run to
 * (daemons/pacemakerd/pacemakerd.c): to ask for CRM_DAEMON_USER may block, where users are in a
 * directory service.
 */
static bool is_trusted(int process)
{
	struct stat process_of, state_of;

	if (fstat(process, &process_of) || !shares_pid_namespace(process))
		return false;
	return !process_of.st_uid ||
	       (!stat(CRM_STATE_DIR, &state_of) && state_of.st_uid == process_of.st_uid);
}

/*
 * Of a process if it has NAME, as the kernel cuts it; -1: it has not. proc(5): name and starttime
 * are fields 2 and 22.
 */
static long long start_of(int process, const char *name)
{
	int fd = openat(process, "stat", O_RDONLY | O_CLOEXEC), fields;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	long long start;
	char found[16];

	if (!file) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	fields = fscanf(file,
		"%*d (%15[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
		"%*d %*d %lld",
		found, &start);
	fclose(file);
	return fields == 2 && !strcmp(found, name) ? start : -1;
}

/* The same of process PID, if it is to be believed. */
static long long trusted_start_of(DIR *proc, const char *pid, const char *name)
{
	int process = openat(dirfd(proc), pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long long start;

	if (process < 0)
		return -1;
	start = start_of(process, name);
	if (start >= 0 && !is_trusted(process))
		start = -1;
	close(process);
	return start;
}

/* In clock ticks since boot; -1: there is none. */
static long long find_start(const char *name)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	long long start = -1;

	while (proc && start < 0 && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			start = trusted_start_of(proc, entry->d_name, name);
	if (proc)
		closedir(proc);
	return start;
}

static long process_age(const char *name)
{
	long long start = find_start(name);
	struct timespec now;

	if (start < 0 || clock_gettime(CLOCK_BOOTTIME, &now))
		return -1;
	return now.tv_sec - (long)(start / sysconf(_SC_CLK_TCK));
}

#define EXECUTOR "pacemaker-execd"

long long pacemaker_executor_start(void)
{
	long long start = find_start(EXECUTOR);

	return start > 0 ? start : 0;
}

long long pacemaker_executor_start_of(long pid)
{
	DIR *proc = opendir("/proc");
	long long start = -1;
	char name[32];

	snprintf(name, sizeof(name), "%ld", pid);
	if (proc) {
		start = trusted_start_of(proc, name, EXECUTOR);
		closedir(proc);
	}
	return start;
}

/* Without the daemon that started them the others go on; the fencer is as old. */
long pacemaker_age(void)
{
	long age = process_age("pacemakerd");

	return age >= 0 ? age : process_age("pacemaker-fence");
}

long pacemaker_controller_age(void)
{
	return process_age("pacemaker-contr");
}

/*
 * "Controller on NODE in state S_NOT_DC: ok"; states of one that has joined (Pacemaker:
 * daemons/controld/controld_fsa.h).
 */
static bool has_joined(const char *answer)
{
	static const char *const states[] = { "S_NOT_DC", "S_IDLE", "S_POLICY_ENGINE",
		"S_TRANSITION_ENGINE", "S_INTEGRATION", "S_FINALIZE_JOIN" };

	for (unsigned i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strstr(answer, states[i]))
			return true;
	return false;
}

int pacemaker_ask_controller(const char *node, int64_t deadline, struct blkpr_error *error)
{
	const char *const argv[] = { "crmadmin", "--status", node, NULL };
	char *output = NULL;
	int rc = run_program(argv, deadline, &output, error);

	if (!rc && !has_joined(output)) {
		rc = -EAGAIN;
		blkpr_error_set(error, "it has not joined the cluster: %.*s",
			(int)strcspn(output, "\n"), output);
	}
	free(output);
	return rc;
}
