/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This node's Pacemaker: its daemons as the kernel knows them, and whether its controller answers. */
#ifndef BLKPR_PACEMAKER_H
#define BLKPR_PACEMAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

/* Whether its fencer has started this process, and not a person. */
bool pacemaker_runs_us(void);

/* Seconds since it was started as a whole. Only if it runs us. */
long pacemaker_age(void);

/* Seconds since its controller was started, which it may have been alone; -1: there is none. Only if it runs us. */
long pacemaker_controller_age(void);

/* 0: the controller of NODE, which is this one, answers. -errno with text: it has not until DEADLINE, or says that it cannot. */
int pacemaker_ask_controller(const char *node, int64_t deadline, struct blkpr_error *error);

#endif
