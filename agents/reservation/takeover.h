/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose keys are evicted, and what the fencer knows of these nodes: asked meanwhile, as a hint for people. */
#ifndef BLKPR_TAKEOVER_H
#define BLKPR_TAKEOVER_H

#include "agents/reservation/fencer.h"
#include "agents/reservation/resource.h"

struct takeover {
	unsigned count;
	struct {
		const char *node;
		struct fencer_question question;
	} nodes[8];
};

/* Before keys go: whose they are. */
void takeover_tell_whose(const struct resource *resource, struct takeover *takeover);

/* When they are gone. */
void takeover_tell_history(const struct takeover *takeover);

#endif
