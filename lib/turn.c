// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns among worker processes: robust mutexes in shared memory.
#include "lib/turn.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "lib/host.h"

#define TURNS 256 /* hosts that share one wait for each other */

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

	return turns && !blkpr_host_of(fd, &host) ? blkpr_turns_take_host(turns, host) : NULL;
}

void blkpr_turns_pass(void *turn)
{
	if (turn)
		pthread_mutex_unlock(turn);
}
