/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The help text of an agent. */
#ifndef BLKPR_METADATA_HELP_H
#define BLKPR_METADATA_HELP_H

#include <stdio.h>

#include "metadata/model.h"

void help_write(FILE *out, const struct agent *agent);

#endif
