/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This node's Pacemaker: its daemons as the kernel knows them, and whether its controller answers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

/*
 * Whether its fencer has started this process, rather than a person; true still when the fencer has
 * ended.
 */
bool pacemaker_runs_us(void);

/*
 * A daemon is believed to be one only if it runs in this process's pid namespace as root, or as
 * Pacemaker's own user: any local user can give a process its name, and a container can have a
 * cluster of its own.
 */

/* Seconds since it was started as a whole; -1: it does not run. */
long pacemaker_age(void);

/* Seconds since its controller was started, which it may have been alone; -1: it does not run. */
long pacemaker_controller_age(void);

/*
 * When its executor was started, in clock ticks since this node was: another one, another life. 0:
 * it does not run.
 */
long long pacemaker_executor_start(void);
long long pacemaker_executor_start_of(long pid); /* -1: PID is not it, or not any more */

/*
 * 0: the controller of NODE, which is this one, answers, and has joined the cluster. -errno with
 * text: it has not, or does not answer before DEADLINE (blkpr_clock_ms()).
 */
int pacemaker_ask_controller(const char *node, int64_t deadline, struct blkpr_error *error);
