/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the disks' verdicts to one for the resource, and a reason for Pacemaker. */
#pragma once

#include "agents/reservation/resource.h"

/* Whether a disk is as it should be. */
typedef bool judge(const struct resource *resource, const struct blkpr_verdict *verdict);

judge judge_ok;
judge judge_registered; /* of an instance that is not promoted: whoever holds */
judge judge_left;
bool judge_all_left(const struct resource *resource);

/*
 * What another node, or a device, has decided counts on every disk; silence only up to
 * required_devices.
 */
bool judge_enough(const struct resource *resource, int rc, judge *good);

/*
 * The reason is the first disk's; one that somebody decided about before one that does not answer.
 */
void judge_take_reason(struct resource *resource, int rc, judge *good);

/* PCMK_OCF_OK, or with the reason. RC: what the protocol returned. */
enum ocf_exitcode judge_all(struct resource *resource, int rc, judge *good);

/* To the log, beside the one reason that Pacemaker shows. */
void judge_tell(const struct resource *resource, unsigned arbiter);
