// SPDX-License-Identifier: LGPL-2.1-or-later
// The one rule of when a list is complete.
#include "lib/room.h"

enum blkpr_result blkpr_room_fit(struct blkpr_room *room, size_t needed, bool whole)
{
	size_t larger = 2 * room->size;

	if (needed + room->entry <= room->size)
		return whole ? BLKPR_OK : BLKPR_MALFORMED;
	if (needed + room->entry > room->most || room->size == room->most)
		return BLKPR_MALFORMED;
	if (larger < needed + room->entry)
		larger = needed + room->entry;
	room->size = larger < room->most ? larger : room->most;
	return BLKPR_UNSETTLED;
}
