/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an OCF resource agent is told by its environment, and tells by its exit code and a reason
 * (API 1.1).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <crm/services.h>

#include "lib/error.h"

#define OCF_NAME "reservation"
#define OCF_REASON "ocf-exit-reason:"

struct ocf {
	char *instance; /* without a clone instance's number: one node has one; NULL: no memory */
	char *tag;      /* of the log: NAME(INSTANCE), as ocf-shellfuncs has it; NULL: no memory */
	long check_level;
	bool probe; /* monitor, not a recurring one */
	bool promotable;
	bool clone;                                     /* a plain one */
	enum { BY_ANYBODY, BY_PACEMAKER, BY_HAND } run; /* its executor; crm_resource --force-* */
	struct blkpr_error reason;                      /* for Pacemaker: why the action failed */
};

/*
 * What the executor passes, and what crm_resource --force-* does (Pacemaker 2.1.5 to 3.0.2,
 * tools/crm_resource_runtime.c and lib/pengine/complex.c: get_meta_attributes): the meta-attributes
 * of the resource and its clone as they are configured (promotable, no promoted-max that is not
 * set), the attributes of its element (id, which is the primitive's even if the clone's was named,
 * as OCF_RESOURCE_INSTANCE then is), `clone` (an instance's number), no interval. Both say in
 * PCMK_service who they are (lib/common/logging.c).
 */
void ocf_read_environment(struct ocf *ocf);
void ocf_clear(struct ocf *ocf);

/*
 * The action's deadline (blkpr_clock_ms()), which an alarm keeps from here on. A tenth of the time
 * is left for the process to be started and to tell.
 */
int64_t ocf_set_deadline(int64_t began);

/* ERROR is the reason why the action fails with CODE. */
enum ocf_exitcode ocf_fail(
	struct ocf *ocf, enum ocf_exitcode code, const struct blkpr_error *error);

void ocf_print_reason(const struct ocf *ocf, enum ocf_exitcode code);
