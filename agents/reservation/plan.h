/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From parameters to what there is to do: nothing is changed while that is found out. */
#pragma once

#include "agents/reservation/resource.h"

/* 0, or -errno with text; then stop and demote can go on all the same. */
int plan_take_parameters(struct resource *resource, struct blkpr_error *error);

/*
 * Devices, who manages them, keys. CHANGES: for start, by the parameters; else by what start has
 * remembered, if it has. PCMK_OCF_OK, or with the reason.
 */
enum ocf_exitcode plan_make(struct resource *resource, bool changes);

/*
 * Who may be evicted, and where nothing is changed: this cluster's resources' keys, and its fence
 * agents'. 0, or -errno with text.
 */
int plan_find_keys(struct resource *resource, struct blkpr_error *error);
