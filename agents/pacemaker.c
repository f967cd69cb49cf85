// SPDX-License-Identifier: GPL-2.0-or-later
// This node's Pacemaker.
#include "agents/pacemaker.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agents/run.h"

/* Processes' names, as the kernel cuts them. */
#define DAEMON "pacemakerd"
#define FENCER "pacemaker-fence"
#define CONTROLLER "pacemaker-contr"

struct process {
	char name[16];
	pid_t parent;
	long age; /* seconds */
};

/* proc(5): name, parent and starttime are fields 2, 4 and 22. */
static bool look_at(pid_t pid, struct process *process)
{
	unsigned long long start; /* clock ticks since boot */
	struct timespec now;
	char path[32];
	FILE *file;
	int found;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	found = fscanf(file, "%*d (%15[^)]) %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		process->name, &process->parent, &start);
	fclose(file);
	if (found != 3 || clock_gettime(CLOCK_BOOTTIME, &now))
		return false;
	process->age = now.tv_sec - (long)(start / (unsigned long long)sysconf(_SC_CLK_TCK));
	return true;
}

bool pacemaker_runs_us(void)
{
	struct process fencer;

	return look_at(getppid(), &fencer) && !strcmp(fencer.name, FENCER);
}

/* The fencer is as old if the daemon that had started it is gone. */
long pacemaker_age(void)
{
	struct process fencer, daemon;

	if (!look_at(getppid(), &fencer))
		return 0;
	return look_at(fencer.parent, &daemon) && !strcmp(daemon.name, DAEMON) ? daemon.age : fencer.age;
}

/* The controller has the fencer's parent. */
long pacemaker_controller_age(void)
{
	struct process fencer, process;
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	long age = -1;

	if (proc && look_at(getppid(), &fencer))
		while (age < 0 && (entry = readdir(proc))) {
			pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

			if (pid > 0 && look_at(pid, &process) && !strcmp(process.name, CONTROLLER) &&
				process.parent == fencer.parent)
				age = process.age;
		}
	if (proc)
		closedir(proc);
	return age;
}

int pacemaker_ask_controller(const char *node, int64_t deadline, struct blkpr_error *error)
{
	const char *const argv[] = { "crmadmin", "--status", node, NULL };
	char *output = NULL;
	int rc = run_program(argv, deadline, &output, error);

	free(output);
	return rc;
}
