/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agents share: one run, from its parameters to devices, cluster and keys. */
#ifndef BLKPR_AGENT_H
#define BLKPR_AGENT_H

#include "agents/common/cluster.h"
#include "agents/common/coverage.h"
#include "agents/common/options.h"
#include "lib/fence.h"
#include "lib/key.h"
#include "lib/list.h"

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
	const char *nodename;          /* Pacemaker's name of the one it means, NULL: not given */
	struct victim *victims;        /* the nodes that plug names; one without a name for an explicit key */
	unsigned nvictims;
	const struct victim *victim;   /* the one that is being worked on, NULL: none */
	uint64_t key;                  /* parameter key, 0: not given */
	enum blkpr_key_method method;
	uint64_t domain;               /* BLKPR_KEY_OF_RESOURCE, or 0: whose keys derived ones are */
	int64_t deadline;              /* blkpr_clock_ms() */
	struct cluster cluster;
	bool clustered;                /* cluster is loaded */
	bool remotes_asked;            /* for Pacemaker's remote nodes */
	int remotes_answer;            /* 0: they are in cluster; else why not, -errno */
	struct blkpr_error unclustered; /* else why not */
	struct blkpr_list list;
	struct blkpr_target *targets;  /* the devices of LIST that this run is about, in its order */
	unsigned ntargets;
	struct blkpr_verdict *verdicts;
	struct blkpr_fence fence;
	uint64_t *known;               /* fence.known */
	uint64_t *others;              /* fence.others */
	/* on disks that devices does not name: by the key_value and in_flight of who registered there */
	struct elsewhere {
		struct blkpr_fence fences[BLKPR_IN_FLIGHTS];
		uint64_t *known; /* fence.known */
	} elsewhere[BLKPR_KEY_METHODS];
	struct coverage coverage;      /* the disks that this node has registered on */
	struct blkpr_error unlogged;   /* "": the log files are open; else why not */
	struct blkpr_error incomplete; /* "": LIST has all of them; else why it may not */
};

/* Opens what is closed of descriptors 0 to 2, before anything else is opened: a device must never become stdout. */
void agent_secure_stdio(void);

/* Everything below reads only. 0, or -errno with text. */

/* The parameter key; agent.key stays 0 if it is not given. */
int agent_take_key(struct agent *agent, const struct options *options, struct blkpr_error *error);

/* The whole number NAME, or LEAST without one; -ERANGE if it is not LEAST to MOST. */
int agent_take_number(const struct options *options, const char *name, long least, long most, long *value,
	struct blkpr_error *error);

/* Adds to agent.list what the parameter devices names, or without it LVM. */
int agent_add_devices(struct agent *agent, struct blkpr_error *error);

/* Reads agent.coverage. */
int agent_load_coverage(struct agent *agent, struct blkpr_error *error);

/*
 * Adds to agent.list the disks of agent.coverage that are not in it yet: by the name that each had
 * last, or wherever its identity is found; else as absent. 0, or -ENOMEM with text.
 */
int agent_add_covered(struct agent *agent, struct blkpr_error *error);

/* Puts agent.list in order, and makes room for targets and verdicts; the targets are all of its devices. */
int agent_settle_devices(struct agent *agent, struct blkpr_error *error);

/* Asks corosync, once. Without a cluster an action can still work with explicit keys: agent.unclustered is why not. */
void agent_load_cluster(struct agent *agent);

/* The same, and not for longer than until UNTIL. */
void agent_load_cluster_by(struct agent *agent, int64_t until);

/* Until when Pacemaker may be asked something: it is worth a part of the time that is left, not all of it. */
int64_t agent_asking_deadline(const struct agent *agent);

/* Adds Pacemaker's remote nodes, once, by agent_asking_deadline(): later calls repeat the answer.
 * -ETIME if it does not answer. */
int agent_add_remotes(struct agent *agent, struct blkpr_error *error);

/* The key of NODE by METHOD; 0: it has none (a remote node has no position for `id`). */
uint64_t agent_node_key(const struct agent *agent, enum blkpr_key_method method,
	const struct cluster_node *node);

/* This node's key by agent.method. */
int agent_derive_own(const struct agent *agent, uint64_t *key, struct blkpr_error *error);

/*
 * Every key that another node of the cluster may have, by any method, a fence agent's or a resource agent's, into
 * agent.fence.others. -ENOMEM with text.
 */
int agent_know_others(struct agent *agent, struct blkpr_error *error);

/* target.own: an explicit key that `on` recorded wins over the derived one, which is told. */
int agent_find_own(
	const struct agent *agent, struct blkpr_target *target, struct blkpr_error *error);

/* -EEXIST if another node than OWNER (NULL: unknown) has KEY. */
int agent_check_unique(const struct agent *agent, uint64_t key, const struct cluster_node *owner,
	struct blkpr_error *error);

/* The fleet keeps the deadline; an alarm goes off a little later, in case telling the verdicts blocks. */
void agent_begin_work(const struct agent *agent);

bool agent_all_ok(const struct agent *agent);

void agent_clear(struct agent *agent);

#endif
