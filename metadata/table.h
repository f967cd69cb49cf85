/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option table, the metadata output and the help text of an agent as a C header. */
#ifndef BLKPR_METADATA_TABLE_H
#define BLKPR_METADATA_TABLE_H

#include <stdio.h>

#include "metadata/model.h"

void table_write(FILE *out, const struct agent *agent);

#endif
