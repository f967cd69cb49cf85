/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether a nexus may write, asked with commands that a reservation refuses and that write nothing.
 */
#pragma once

#include "lib/command.h"

/*
 * BLKPR_CONFLICT: the device refuses the writes of this nexus. BLKPR_OK: it did not say so.
 * BLKPR_ATTENTION and BLKPR_BUSY are worth another try; anything else says nothing. Neither the
 * medium, nor a mode parameter, nor the PR generation changes.
 */
enum blkpr_result blkpr_probe_writes(const struct blkpr_port *port);
