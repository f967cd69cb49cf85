/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last act: nothing is allocated, opened, forked, synced or waited for on the way. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* In the order of the choices of metadata/blkpr-watch.xml. */
enum watch_act { WATCH_RESET, WATCH_CRASH, WATCH_OFF, WATCH_NONE };

struct watch_actor {
	enum watch_act act;
	bool rehearse;
};

/*
 * At the start: what the act needs is opened, this process is kept in memory, spared by the OOM
 * killer, and run before ordinary ones. What of it fails is told in the log; reboot(2) remains.
 */
void watch_act_prepare(const struct watch_actor *actor);

/* Tells WHY, and does it. Returns if there is nothing to do, or it is a rehearsal. */
void watch_act(const struct watch_actor *actor, const char *why);
