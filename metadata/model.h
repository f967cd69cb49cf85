/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An agent: what its metadata XML says. */
#ifndef BLKPR_METADATA_MODEL_H
#define BLKPR_METADATA_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "metadata/param.h"

struct action {
	char *name;
	char *text;
};

/* Nothing in it is freed: the program writes one file and ends. */
struct agent {
	const char *file;
	char *name;
	char *id;
	bool resource; /* OCF resource agent (parameters in the environment), else fence agent */
	bool daemon;   /* neither: it has no actions */
	char *shortdesc;
	char *longdesc;
	struct param *params;
	size_t n_params;
	struct action *actions; /* "monitor" for each role and depth, one after the other */
	size_t n_actions;
	char *metadata; /* the XML as the agent prints it */
};

/* Ends the program if the XML lacks something, or contradicts itself. */
void model_read(struct agent *agent, const char *file);

/* Whether action I has the name of the one before it, whose text speaks for both. */
bool model_is_repeated(const struct agent *agent, size_t i);

#endif
