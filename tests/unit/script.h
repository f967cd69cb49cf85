/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk that answers from an ordered script: for what no well-behaved device does. An operation that
 * is not the next one in the script, or with other arguments, fails the test; so does an unused rest.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdint.h>

#include "lib/disk.h"

/* What a read shows. KEYS ends with the first key that is 0. */
struct script_view {
	uint64_t keys[8];
	unsigned type;
	uint64_t holder;
	uint32_t generation;
};

void script_read(const struct script_view *view);
void script_read_fails(enum blkpr_result result);
void script_register(uint64_t old_key, uint64_t new_key, enum blkpr_result result);
void script_keys_of_self(uint64_t key, enum blkpr_result result);
void script_may_write(enum blkpr_result result);
void script_reserve(uint64_t own, unsigned type, enum blkpr_result result);
void script_preempt(uint64_t own, uint64_t victim, unsigned type, enum blkpr_result result);
void script_drain(enum blkpr_result result);
extern enum blkpr_reach script_reach; /* of a LUN RESET; at first BLKPR_REACH_TARGET */
void script_initiators(uint64_t key, unsigned initiators, enum blkpr_result result);
void script_capabilities(uint16_t types, enum blkpr_result result);

/* The disk, and setup and teardown of tests that use it. */
extern struct blkpr_disk script_disk;
int script_begin(void **state);
int script_end(void **state);

#define script_test(f) cmocka_unit_test_setup_teardown(f, script_begin, script_end)

#endif
