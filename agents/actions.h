/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fence_blkpr can be asked to do. */
#ifndef BLKPR_ACTIONS_H
#define BLKPR_ACTIONS_H

#include "agents/cluster.h"
#include "agents/options.h"
#include "lib/fence.h"
#include "lib/key.h"
#include "lib/list.h"

/* Exit status of a fence agent (FenceAgentAPI). */
enum outcome { OUTCOME_DONE = 0, OUTCOME_FAILED = 1, OUTCOME_OFF = 2 };

/* A node that off or status is about. */
struct victim {
	const char *name; /* NULL: known by its key only */
	uint64_t key;     /* 0: this node's own key, whatever it is on each device */
	bool self;
};

/* One run of the agent: its parameters, and what has been found out so far. */
struct agent {
	const struct options *options;
	char *names;                   /* of the victims */
	struct victim *victims;        /* the nodes that plug names; one without a name for an explicit key */
	unsigned nvictims;
	const struct victim *victim;   /* the one that is being worked on, NULL: none */
	uint64_t key;                  /* parameter key, 0: not given */
	enum blkpr_key_method method;
	int64_t deadline;              /* blkpr_clock_ms() */
	struct cluster cluster;
	bool clustered;                /* cluster is loaded */
	struct blkpr_error unclustered; /* else why not */
	struct blkpr_list list;
	struct blkpr_target *targets;  /* one a device of LIST, in its order */
	struct blkpr_verdict *verdicts;
	struct blkpr_fence fence;
	uint64_t *known;               /* fence.known */
	char *missing;                 /* disks of the last `on` that are not in LIST, a line each; NULL: none */
};

struct action {
	const char *name;
	unsigned needs; /* of the ACTION_ flags */
	enum outcome (*run)(struct agent *agent);
};

#define ACTION_ROOT 1U    /* works on disks */
#define ACTION_NODE 2U    /* needs plug or key */
#define ACTION_DELAY 4U   /* waits for delay first */

/* The action of that name or alias, NULL: none. */
const struct action *action_find(const char *name);

/* All names for an error message: "on, off, ...". */
const char *action_names(void);

/* The key of NODE by METHOD; 0: it has none (a remote node has no position for `id`). */
uint64_t agent_node_key(const struct agent *agent, enum blkpr_key_method method,
	const struct cluster_node *node);

void agent_clear(struct agent *agent);

#endif
