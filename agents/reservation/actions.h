/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the resource agent can be asked to do. */
#pragma once

#include "agents/reservation/resource.h"

struct action {
	const char *name;
	bool disks; /* works on disks: for root */
	bool gives; /* gives back what is remembered: with bad parameters, too */
	enum ocf_exitcode (*run)(struct resource *resource);
};

const struct action *action_find(const char *name);

/* start.c, monitor.c */
enum ocf_exitcode act_start(struct resource *resource);
enum ocf_exitcode act_monitor(struct resource *resource);

/* Nothing is held here, and the cluster knows no score. */
enum ocf_exitcode act_forget(struct resource *resource);
