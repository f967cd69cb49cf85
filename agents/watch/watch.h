/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon: its rhythm, what it makes of answers, and when it acts. */
#pragma once

#include "agents/watch/act.h"

/* Until it is told to end (SIGTERM, SIGINT): 0; or -errno with text: it could not begin. */
int watch_run(const struct watch_actor *actor, struct blkpr_error *error);
