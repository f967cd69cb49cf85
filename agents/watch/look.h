/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at the arbiter, in a worker's process. */
#pragma once

#include "agents/watch/judge.h"

#define LOOK_BY_ANY 'a'     /* the path that answered before, or whichever answers now */
#define LOOK_BY_ANOTHER 'b' /* another path first, if there is one */

/* Answers each order (one of the above) that comes by LINE with a struct watch_look. */
void watch_look_serve(int line);
