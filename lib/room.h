/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Room for a list of unknown length from a device, and when what was received is the whole list. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/result.h"

/* All in one unit: bytes, or keys. */
struct blkpr_room {
	size_t size;  /* of the buffer */
	size_t entry; /* the longest that the list may have */
	size_t most;  /* the largest buffer that can be asked for */
};

/*
 * Judges a list that came into ROOM and, by its own account, needs NEEDED of it; WHOLE: that much
 * was received. A device may state what it has returned instead of what there is: so a list is
 * complete only if one entry more would have had room. BLKPR_OK: it is. BLKPR_UNSETTLED: that is
 * not known, and ROOM has grown: ask again. BLKPR_MALFORMED: it was cut short although there was
 * room, or no buffer is large enough to tell.
 */
enum blkpr_result blkpr_room_fit(struct blkpr_room *room, size_t needed, bool whole);
