/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one clock of deadlines: CLOCK_MONOTONIC in milliseconds. */
#pragma once

#include <stdint.h>

int64_t blkpr_clock_ms(void);

/* Sleeps MS milliseconds, but never past DEADLINE. */
void blkpr_clock_pause(int64_t ms, int64_t deadline);
