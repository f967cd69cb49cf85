/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a protocol found and did on one device. Flat, so that a worker can leave it in shared
 * memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/flight.h"
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
	BLKPR_STEP_ASK_WRITES,
	BLKPR_STEPS
};

extern const char *const blkpr_step_names[BLKPR_STEPS];

#define BLKPR_VERDICT_KEYS 64 /* distinct keys that are kept for people to read; decisions see them
				 all */

struct blkpr_verdict {
	enum blkpr_result result; /* BLKPR_OK only after a fresh read that proves it */
	enum blkpr_step step;     /* the last one begun */
	bool won;                 /* read: own key registered, victim's not, reservation not
				     foreign */
	bool victim_seen;         /* the victim's key was registered when we came */
	bool kept;                /* own was registered when we came */
	bool touched;             /* a command that may have changed the device has been sent */
	bool stuck;               /* a run of this action has not come back, although the device
				     answered it */
	bool put_off;             /* what would wait for such a run's command is to be left for
				     later */
	bool drained;             /* what was in flight has ended, as far as `rests` goes */
	uint32_t drained_at;      /* at this PR generation; whether that holds: lib/drain.h */
	uint64_t drained_under;   /* while this key held the reservation; 0: all registrants */
	unsigned resets;          /* LUN RESETs that were sent, in vain ones as well */
	enum blkpr_rests rests;   /* on what that rests; of a monitor, what it would rest on */
	enum blkpr_reach reach;   /* how far a LUN RESET gets */
	char driver[BLKPR_DRIVER_SIZE]; /* by this SCSI driver; "": not known, or not looked for */
	bool open;                /* nothing was reserved at a look of this action: anybody could
				     write */
	bool restored;            /* the reservation was missing and has been made */
	bool capable;             /* the device confirmed that it can do the type */
	bool forgets;             /* registrations are lost with the device's power */
	bool mute;                /* monitor: a LUN RESET will leave the survivors' commands without
				     an answer */
	uint64_t preempted;       /* by a command that returned 0, not looked at since; 0: none */
	bool ignored;             /* the last look shows it there, as if by nvmet before Linux 7.3,
				     and own holds */
	unsigned evicted;         /* keys that were preempted, and that a fresh read shows gone */
	bool uncounted;           /* a key came, or was evicted, and the PR generation has not
				     moved */
	uint64_t replaced;        /* a key of nobody known, which own has replaced in this node's
				     own nexus; 0: none */
	unsigned barred_path;     /* BLKPR_BARRED: the first path that may not write */
	bool unasked;             /* whether every path may write could not be told in time */
	enum blkpr_step unanswered; /* monitor: what failed, and can be done without; 0: nothing */
	uint64_t offender;        /* the first unknown key; for lib/hold the first that is not own,
				     a holder's before all */
	unsigned looks;           /* reads taken in */
	bool answered;            /* one at least, by this run */
	uint32_t generation_before, generation_after; /* at the first and the last one */
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
	unsigned path;   /* of a map: that the disk was reached by */
	uint64_t silent; /* of a map: paths that do not answer, as far as they were needed, a bit
			    each */
	unsigned elapsed_ms;
};

/* Takes REPORT into VERDICT, and what has changed since the last one; OWN is this node's key. */
void blkpr_verdict_observe(struct blkpr_verdict *verdict, const struct blkpr_report *report, uint64_t own);

/*
 * An action may run its protocol on a device more than once. PAST is what the next run begins with:
 * what all before it have seen and done. Takes VERDICT, the last run's, into PAST, and into VERDICT
 * what only PAST knows. Of a run that has not finished (BLKPR_UNFINISHED, BLKPR_CRASHED) nothing
 * counts but what makes the next one more careful: whatever it sent last may have been done, and
 * have been the end of a drain.
 */
void blkpr_verdict_carry(struct blkpr_verdict *past, struct blkpr_verdict *verdict);
