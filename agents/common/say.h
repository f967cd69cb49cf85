/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts in words: what was found on a device, whose key is whose, and what to do about it. */
#pragma once

#include "agents/common/scene.h"

/*
 * One line a device that failed, at LOG_ERR, with the remedy; devices not touched are counted in
 * one.
 */
void say_failures(const struct story *story, unsigned arbiter);

/*
 * With -v: what was found and done on every device. ARBITER: its index, or the number of devices
 * for none.
 */
void say_story(const struct story *story, unsigned arbiter);

/* What is wrong with device I and what to do about it, for the caller to free; NULL: no memory. */
char *say_text(const struct story *story, unsigned i);

/* "0x6c9d0001 (node2)", of device I, for the caller to free; NULL: no memory. */
char *say_key(const struct story *story, unsigned i, uint64_t key);
