/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at the disks that change nothing. */
#pragma once

#include "agents/reservation/judge.h"

int look_watch(struct resource *resource);

/* A look before the work takes only a part of the time: a disk that hangs must not take it all. */
int look_watch_first(struct resource *resource);

/* PCMK_OCF_OK: nothing is known that would make the protocol fail that LOOK is about. */
enum ocf_exitcode look_foresee(struct resource *resource, blkpr_protocol *look);
