/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one fresh read shows, in the terms of the fencing protocols: the only source of conclusions. */
#ifndef BLKPR_FENCE_VIEW_H
#define BLKPR_FENCE_VIEW_H

#include "lib/fence.h"

struct blkpr_fence_view {
	bool own, victim;
	bool reserved; /* by a type that serves */
	bool foreign;  /* by another type */
	bool unknown;
	uint64_t offender; /* the first unknown key */
	unsigned type;     /* as held */
};

/* BLKPR_OK, or why it could not be read. */
enum blkpr_result blkpr_fence_look(const struct blkpr_fence *fence, uint64_t own,
	struct blkpr_disk *disk, struct blkpr_fence_view *view, struct blkpr_verdict *verdict);

/*
 * S4: an unknown key may be one that the victim uses, whether or not the key that we expect of it
 * was there: that may have been left by a dead session, or by the cluster's node list before it
 * changed.
 */
bool blkpr_fence_spoils_proof(const struct blkpr_fence *fence, const struct blkpr_fence_view *view);

#endif
