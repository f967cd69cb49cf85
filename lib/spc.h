/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all parsers of PERSISTENT RESERVE IN share: prin.c, full_status.c. */
#ifndef BLKPR_SPC_H
#define BLKPR_SPC_H

#include "lib/prin.h"

#define HEADER 8            /* PRGENERATION, ADDITIONAL LENGTH */
#define MOST_BYTES 0xffff   /* ALLOCATION LENGTH has 16 bits: 8190 keys */

static inline uint32_t blkpr_spc_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t blkpr_spc_be64(const uint8_t *p)
{
	return (uint64_t)blkpr_spc_be32(p) << 32 | blkpr_spc_be32(p + 4);
}

/* One PERSISTENT RESERVE IN: *LENGTH is the room in REPLY, then the bytes received. */
enum blkpr_result blkpr_spc_ask(const struct blkpr_port *port, enum blkpr_prin_action action,
	uint8_t *reply, size_t *length);

#endif
