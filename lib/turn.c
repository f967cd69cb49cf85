// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns among the workers of a process: a mutex a host.
#include "lib/turn.h"

#include <pthread.h>

#include "lib/host.h"

#define TURNS 256 /* hosts that share one wait for each other */

static pthread_mutex_t turns[TURNS] = { [0 ... TURNS - 1] = PTHREAD_MUTEX_INITIALIZER };

void *blkpr_turn_take_host(unsigned host)
{
	pthread_mutex_t *turn = &turns[host % TURNS];

	return pthread_mutex_lock(turn) ? NULL : turn;
}

void *blkpr_turn_take(int fd)
{
	unsigned host;

	return blkpr_host_of(fd, &host) ? NULL : blkpr_turn_take_host(host);
}

void blkpr_turn_pass(void *turn)
{
	if (turn)
		pthread_mutex_unlock(turn);
}
