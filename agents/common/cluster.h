/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is in the cluster: corosync's node list, and the remote nodes of Pacemaker's CIB. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

struct cluster_node {
	char *name;        /* nodelist.node.N.name, else its first address */
	char *address;     /* nodelist.node.N.ring0_addr, NULL: none */
	bool nameless;     /* NAME is an IP address: Pacemaker calls it otherwise */
	unsigned position; /* N of nodelist.node.N */
	bool remote;       /* a remote or guest node: no corosync, no position */
	bool member;       /* corosync has it in its membership: cluster_load_members() */
};

struct cluster {
	char *name; /* totem.cluster_name */
	struct cluster_node *nodes;
	unsigned count;
	int local; /* index of this node, -1: unknown */
};

/*
 * Asks corosync. 0, the caller then owns CLUSTER (cluster_clear); or -errno with text. May block
 * while corosync does.
 */
int cluster_load(struct cluster *cluster, struct blkpr_error *error);

/*
 * The same by a process that is left behind if corosync has not answered by DEADLINE
 * (blkpr_clock_ms()): -ETIME.
 */
int cluster_load_by(struct cluster *cluster, int64_t deadline, struct blkpr_error *error);

/* Who of the nodes is a member now. 0, or -EIO. May block while corosync does. */
int cluster_load_members(struct cluster *cluster);

/*
 * Adds the remote and guest nodes that Pacemaker knows. 0, or -errno with text if Pacemaker cannot
 * be asked.
 */
int cluster_add_remotes(struct cluster *cluster, int64_t deadline, struct blkpr_error *error);

/*
 * The node of that name or address; NULL: none. Names that differ in upper and lower case only are
 * one to Pacemaker, and here, too, unless the cluster has both.
 */
const struct cluster_node *cluster_find(const struct cluster *cluster, const char *name);

/* The first node whose name in Pacemaker is not known; NULL: none. */
const struct cluster_node *cluster_nameless(const struct cluster *cluster);

/* This node; NULL: unknown. */
const struct cluster_node *cluster_self(const struct cluster *cluster);

void cluster_clear(struct cluster *cluster);
