/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One protocol on many devices, a worker each: all at once, or the others after an arbiter has
 * decided.
 */
#pragma once

#include "lib/target.h"

/*
 * Both fill VERDICTS[COUNT], in the order of TARGETS[]. They return 0, or -errno if no worker could
 * be run (the verdicts of the devices that it concerns are failures then too), -EINVAL if COUNT is
 * 0.
 */

int blkpr_work_run(const struct blkpr_work *work, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/*
 * A second question, apart from the first one since each path has to answer it, and one that hangs
 * must not take with it what the disk has told: it has ASK_MS. It is asked of devices that may be
 * written to by VERDICTS[], and can only make a verdict worse; what does not answer keeps its own,
 * and is verdict.unasked.
 */
int blkpr_work_ask(const struct blkpr_work *work, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[]);

/* What ANSWER to that question makes of VERDICT. */
void blkpr_work_take(struct blkpr_verdict *verdict, const struct blkpr_verdict *answer);

/*
 * The first device of TARGETS[], which are in the order of identity that blkpr_list_settle() makes,
 * is the arbiter: only if the protocol leaves verdict.won there are the others touched. If it
 * cannot be asked for a while, all are looked at, at once, and the first one that answers decides;
 * so it does if nobody is registered on the first. With work.in_vain one whose answers are of no
 * use (malformed, unsupported, invalid, unsettled) is as good as one that cannot be asked. *ARBITER
 * is the index of the device that decided, COUNT if none did for this node; what was not touched
 * has the verdict BLKPR_UNTOUCHED.
 */
int blkpr_work_race(const struct blkpr_work *work, const struct blkpr_target targets[],
	unsigned count, struct blkpr_verdict verdicts[], unsigned *arbiter);
