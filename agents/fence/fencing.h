/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of the fence agent: its parameters, and what has been found out so far. */
#pragma once

#include "agents/common/disks.h"
#include "agents/common/keyring.h"
#include "lib/fence.h"

/* Exit status of a fence agent (FenceAgentAPI). */
enum outcome { OUTCOME_DONE = 0, OUTCOME_FAILED = 1, OUTCOME_OFF = 2 };

/* A node that off or status is about. */
struct victim {
	const char *name; /* NULL: known by its key only */
	uint64_t key;     /* 0: this node's own key, whatever it is on each device */
	bool self;
};

struct fencing {
	const struct options *options;
	char *names;                 /* of the victims */
	const char *nodename;        /* Pacemaker's name of the one it means, NULL: not given */
	/* the nodes that plug names; one without a name for an explicit key */
	struct victim *victims;
	unsigned nvictims;
	const struct victim *victim; /* the one that is being worked on, NULL: none */
	struct keyring keys;
	struct disks disks;
	struct blkpr_fence fence;
	uint64_t *known;             /* fence.known */
	/*
	 * on disks that devices does not name: by the key_value and in_flight of who registered
	 * there
	 */
	struct elsewhere {
		struct blkpr_fence fences[BLKPR_IN_FLIGHTS];
		uint64_t *known; /* fence.known */
	} elsewhere[BLKPR_KEY_METHODS];
	struct blkpr_error unlogged; /* "": the log files are open; else why not */
};

void fencing_clear(struct fencing *fencing);
