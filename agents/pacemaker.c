// SPDX-License-Identifier: GPL-2.0-or-later
// This node's Pacemaker.
#include "agents/pacemaker.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agents/run.h"

/*
 * Its daemons set this for what they start (lib/common/logging.c: set_identity; fence-agents' fencing.py reads it, too). The
 * parent would be another one once the fencer has ended.
 */
bool pacemaker_runs_us(void)
{
	const char *service = getenv("PCMK_service");

	return service && !strcmp(service, "pacemaker-fenced");
}

/* Of the process PID if it has NAME, as the kernel cuts it; -1: it has not. proc(5): name and starttime are fields 2 and 22. */
static long age_of(const char *pid, const char *name)
{
	unsigned long long start; /* clock ticks since boot */
	char path[64], found[16];
	struct timespec now;
	FILE *file;
	int fields;

	if (snprintf(path, sizeof(path), "/proc/%s/stat", pid) >= (int)sizeof(path))
		return -1;
	file = fopen(path, "re");
	if (!file)
		return -1;
	fields = fscanf(file, "%*d (%15[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		found, &start);
	fclose(file);
	if (fields != 2 || strcmp(found, name) != 0 || clock_gettime(CLOCK_BOOTTIME, &now))
		return -1;
	return now.tv_sec - (long)(start / (unsigned long long)sysconf(_SC_CLK_TCK));
}

static long process_age(const char *name)
{
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	long age = -1;

	while (proc && age < 0 && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			age = age_of(entry->d_name, name);
	if (proc)
		closedir(proc);
	return age;
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

/* "Controller on NODE in state S_NOT_DC: ok"; states of one that has joined (Pacemaker: daemons/controld/controld_fsa.h). */
static bool has_joined(const char *answer)
{
	static const char *const states[] = { "S_NOT_DC", "S_IDLE", "S_POLICY_ENGINE", "S_TRANSITION_ENGINE", "S_INTEGRATION",
		"S_FINALIZE_JOIN" };

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
		blkpr_error_set(error, "it has not joined the cluster: %.*s", (int)strcspn(output, "\n"), output);
	}
	free(output);
	return rc;
}
