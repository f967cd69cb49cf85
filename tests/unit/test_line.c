// SPDX-License-Identifier: GPL-2.0-or-later
// Words on stderr that the fencer would take for something else.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/line.h"
#include "tests/unit/unit.h"

static void assert_written(const char *text, const char *expected)
{
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	line_write(out, "agent", text);
	fclose(out);
	assert_string_equal(line, expected);
	assert_null(strcasestr(line, "timeout"));
	assert_null(strcasestr(line, "timed out"));
	free(line);
}

static void a_parameters_name_is_no_limit_that_has_passed(void **state)
{
	(void)state;
	assert_written("power_timeout=0: must be from 1 to 86400",
		"agent: power_time-out=0: must be from 1 to 86400\n");
	assert_written("TimeOut=timeout", "agent: Time-Out=time-out\n");
}

static void another_programs_message_is_no_limit_that_has_passed(void **state)
{
	(void)state;
	assert_written("vgs failed: Connection timed out",
		"agent: vgs failed: Connection timed-out\n");
	assert_written("Timed Out", "agent: Timed-Out\n");
}

static void other_words_stay(void **state)
{
	(void)state;
	assert_written("", "agent: \n");
	assert_written("time out of mind: out, timed", "agent: time out of mind: out, timed\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parameters_name_is_no_limit_that_has_passed),
		cmocka_unit_test(another_programs_message_is_no_limit_that_has_passed),
		cmocka_unit_test(other_words_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
