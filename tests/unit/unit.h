/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every unit test includes: cmocka, and assertions on the library's enums that print names. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/result.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Compares by name, so that a failure reads "evicted" != "ok". */
#define assert_result(got, want) \
	assert_string_equal(blkpr_result_name(got), blkpr_result_name(want))

#endif
