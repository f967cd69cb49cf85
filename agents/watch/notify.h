/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What systemd is told of the daemon (sd_notify(3)); nothing where it has not started it. */
#pragma once

#include <stdint.h>

/* Takes over what systemd has left in the environment, which workers do not see. */
void notify_begin(void);

/* "READY=1", "WATCHDOG=1". Never waits. */
void notify_tell(const char *what);

/* How often it wants to hear "WATCHDOG=1", in ms; 0: not at all. */
int64_t notify_interval(void);
