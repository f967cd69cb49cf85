/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a protocol found and did on one device. Flat, so that a worker can leave it in shared memory. */
#ifndef BLKPR_VERDICT_H
#define BLKPR_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/report.h"

/* What the worker was at, kept current so that a hung one can be told from its last step. */
enum blkpr_step {
	BLKPR_STEP_NONE,
	BLKPR_STEP_OPEN,
	BLKPR_STEP_READ,
	BLKPR_STEP_REGISTER,
	BLKPR_STEP_RESERVE,
	BLKPR_STEP_PREEMPT,
	BLKPR_STEP_RELEASE,
	BLKPR_STEP_UNREGISTER,
	BLKPR_STEP_SHED,
	BLKPR_STEP_DRAIN,
	BLKPR_STEP_INITIATORS,
	BLKPR_STEP_CAPABILITIES,
	BLKPR_STEPS
};

extern const char *const blkpr_step_names[BLKPR_STEPS];

#define BLKPR_VERDICT_KEYS 64 /* distinct keys that are kept for people to read; decisions see them all */

struct blkpr_verdict {
	enum blkpr_result result; /* BLKPR_OK only after a fresh read that proves it */
	enum blkpr_step step;     /* the last one begun */
	bool won;                 /* read: own key registered, victim's not, reservation not foreign */
	bool victim_seen;         /* the victim's key was registered when we came */
	bool kept;                /* own was registered when we came */
	bool touched;             /* a command that may have changed the device has been sent */
	bool drained;             /* a LUN RESET has ended what was in flight */
	uint32_t drained_at;      /* at this PR generation */
	bool undrainable;         /* it was refused at once: the driver or the device has none */
	bool restored;            /* the reservation was missing and has been made */
	bool capable;             /* the device confirmed that it can do the type */
	unsigned evicted;         /* keys removed */
	uint64_t offender;        /* the first unknown key; for lib/hold the first that is not own, a holder's before all */
	uint64_t replaced;        /* on: nobody's key, which is gone since own was registered; 0: none */
	uint32_t generation_before, generation_after;
	unsigned type;            /* enum pr_type held at the last read, 0: none */
	uint64_t holder;
	unsigned registrations;   /* at the last read */
	unsigned own_registrations;
	unsigned nkeys;           /* distinct keys below */
	struct {
		uint64_t key;
		unsigned count;
	} keys[BLKPR_VERDICT_KEYS];
	enum blkpr_transport transport;
	unsigned elapsed_ms;
};

/* Takes what REPORT shows into VERDICT; OWN is this node's key. */
void blkpr_verdict_observe(struct blkpr_verdict *verdict, const struct blkpr_report *report, uint64_t own);

#endif
