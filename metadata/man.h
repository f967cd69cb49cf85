/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The man page of an agent. */
#ifndef BLKPR_METADATA_MAN_H
#define BLKPR_METADATA_MAN_H

#include <stdio.h>

#include "metadata/model.h"

/* TEMPLATE's text, with @LONGDESC@, @ACTIONS@ and @PARAMETERS@ replaced. */
void man_write(FILE *out, const struct agent *agent, const char *template);

#endif
