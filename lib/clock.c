// SPDX-License-Identifier: LGPL-2.1-or-later
// Monotonic time.
#include "lib/clock.h"

#include <time.h>

int64_t blkpr_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void blkpr_clock_pause(int64_t ms, int64_t deadline)
{
	int64_t left = deadline - blkpr_clock_ms();
	struct timespec pause;

	if (ms > left)
		ms = left;
	if (ms <= 0)
		return;
	pause.tv_sec = ms / 1000;
	pause.tv_nsec = ms % 1000 * 1000000;
	nanosleep(&pause, NULL);
}
