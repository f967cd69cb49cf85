/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts in words: what was found on a device, whose key is whose, and what to do about it. */
#ifndef BLKPR_SAY_H
#define BLKPR_SAY_H

#include "agents/agent.h"

/* One line a device that failed, at LOG_ERR, with the remedy; devices not touched are counted in one. */
void say_failures(const struct agent *agent, unsigned arbiter);

/* With -v: what was found and done on every device. ARBITER: its index, or the number of devices for none. */
void say_story(const struct agent *agent, unsigned arbiter);

#endif
