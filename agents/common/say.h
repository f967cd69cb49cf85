/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts in words: what was found on a device, whose key is whose, and what to do about it. */
#ifndef BLKPR_SAY_H
#define BLKPR_SAY_H

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

/* One line a device that failed, at LOG_ERR, with the remedy; devices not touched are counted in one. */
void say_failures(const struct story *story, unsigned arbiter);

/* With -v: what was found and done on every device. ARBITER: its index, or the number of devices for none. */
void say_story(const struct story *story, unsigned arbiter);

/* What is wrong with device I and what to do about it, for the caller to free; NULL: no memory. */
char *say_text(const struct story *story, unsigned i);

/* "0x6c9d0001 (node2)", of device I, for the caller to free; NULL: no memory. */
char *say_key(const struct story *story, unsigned i, uint64_t key);

#endif
