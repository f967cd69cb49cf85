// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns among worker processes: robust mutexes in shared memory.
#include "lib/turn.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TURNS 64 /* hosts that share one wait for each other */

struct blkpr_turns {
	pthread_mutex_t hosts[TURNS];
};

struct blkpr_turns *blkpr_turns_new(void)
{
	struct blkpr_turns *turns =
		mmap(NULL, sizeof(*turns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attributes;

	if (turns == MAP_FAILED)
		return NULL;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	for (unsigned i = 0; i < TURNS; i++)
		pthread_mutex_init(&turns->hosts[i], &attributes);
	pthread_mutexattr_destroy(&attributes);
	return turns;
}

/* Not destroyed: a worker that hangs may still have one. */
void blkpr_turns_free(struct blkpr_turns *turns)
{
	if (turns)
		munmap(turns, sizeof(*turns));
}

/* sysfs has the disk's device as HOST:CHANNEL:TARGET:LUN. */
static int host_of(int fd, unsigned *host)
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

void *blkpr_turns_take_host(struct blkpr_turns *turns, unsigned host)
{
	pthread_mutex_t *turn = &turns->hosts[host % TURNS];
	int rc = pthread_mutex_lock(turn);

	if (rc == EOWNERDEAD)
		rc = pthread_mutex_consistent(turn);
	return rc ? NULL : turn;
}

void *blkpr_turns_take(struct blkpr_turns *turns, int fd)
{
	unsigned host;

	return turns && !host_of(fd, &host) ? blkpr_turns_take_host(turns, host) : NULL;
}

void blkpr_turns_pass(void *turn)
{
	if (turn)
		pthread_mutex_unlock(turn);
}
