/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One disk of a story, in words: what say.c puts its lines together from. */
#pragma once

#include <stdio.h>

#include "agents/common/disks.h"
#include "agents/common/keyring.h"

/* What the words are about; all of it is borrowed. */
struct story {
	const struct keyring *keys;
	const struct disks *disks;
	const char *victim_name; /* NULL: nobody, or known by its key only */
	uint64_t victim;
	enum pr_type type; /* that is asked for */
	enum blkpr_in_flight in_flight;
};

struct scene {
	const struct story *story;
	const struct blkpr_target *target;
	const struct blkpr_verdict *verdict;
};

const char *scene_type_name(unsigned type);

/* What two nodes share there, which is known by different names. */
const char *scene_nexus_name(const struct scene *scene);

/* "0x6c9d0001 (node2)"; a key that a node would have under another key_value says so. */
void scene_print_key(FILE *out, const struct scene *scene, uint64_t key);

/* What is wrong there, and what to do about it. */
void scene_explain(FILE *out, const struct scene *scene);
