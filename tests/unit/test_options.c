// SPDX-License-Identifier: GPL-2.0-or-later
// Parameters: from the command line, from stdin, their types and their old names.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "agents/common/options.h"
#include "tests/unit/unit.h"

static const char *const colours[] = { "red", "green", "blue", NULL };

static const struct option_spec specs[] = {
	{ .name = "plug", .long_name = "plug", .short_name = 'n', .type = OPTION_STRING, .takes_value = true },
	{ .name = "key_value", .long_name = "key-value", .type = OPTION_SELECT, .takes_value = true,
	  .fallback = "green", .choices = colours },
	{ .name = "verbose", .long_name = "verbose", .short_name = 'v', .type = OPTION_BOOLEAN },
	{ .name = "delay", .long_name = "delay", .type = OPTION_SECOND, .takes_value = true, .fallback = "7" },
	{ .name = "port", .long_name = "plug", .short_name = 'n', .type = OPTION_STRING, .takes_value = true,
	  .replaced_by = "plug" },
	{ .name = "sg_path", .long_name = "sg_odd-path", .type = OPTION_STRING, .takes_value = true },
	{ 0 }
};

static char unknown_names[256];

static void note_unknown(const char *name)
{
	strcat(strcat(unknown_names, name), ";");
}

static int setup(void **state)
{
	static struct options options;

	unknown_names[0] = '\0';
	*state = &options;
	return options_init(&options, specs);
}

static int teardown(void **state)
{
	options_clear(*state);
	return 0;
}

static void read_text(struct options *options, const char *text)
{
	FILE *stream = fmemopen((char *)text, strlen(text), "r");

	assert_non_null(stream);
	assert_int_equal(options_parse_stream(options, stream, note_unknown), 0);
	fclose(stream);
}

static int read_bytes(struct options *options, const char *bytes, size_t length)
{
	FILE *stream = fmemopen((char *)bytes, length, "r");
	int rc;

	assert_non_null(stream);
	rc = options_parse_stream(options, stream, note_unknown);
	fclose(stream);
	return rc;
}

static int read_words(struct options *options, char *words[], struct blkpr_error *error)
{
	int count = 0;

	while (words[count])
		count++;
	optind = 0;
	return options_parse_argv(options, count, words, error);
}

static void comments_and_blank_lines_are_passed_over(void **state)
{
	read_text(*state, "# plug=a\n\n   \n  # x\nplug=b\n#plug=c\n");
	assert_string_equal(options_get(*state, "plug"), "b");
	assert_string_equal(unknown_names, "");
}

static void blanks_around_names_and_values_do_not_count(void **state)
{
	read_text(*state, " \tplug \t=  node one \r\n");
	assert_string_equal(options_get(*state, "plug"), "node one");
}

static void quotes_around_a_value_are_removed(void **state)
{
	read_text(*state, "plug=\"two words\"\nsg_path='a\"b'\n");
	assert_string_equal(options_get(*state, "plug"), "two words");
	assert_string_equal(options_get(*state, "sg_path"), "a\"b");
}

static void quotes_that_do_not_match_stay(void **state)
{
	read_text(*state, "plug=\"half\nsg_path=\"\n");
	assert_string_equal(options_get(*state, "plug"), "\"half");
	assert_string_equal(options_get(*state, "sg_path"), "\"");
}

static void a_value_may_hold_equals_signs(void **state)
{
	read_text(*state, "plug=a=b=c");
	assert_string_equal(options_get(*state, "plug"), "a=b=c");
}

static void dash_and_underscore_are_alike(void **state)
{
	read_text(*state, "key-value=red\nsg-odd_path=x\n");
	assert_string_equal(options_get(*state, "key_value"), "red");
	assert_string_equal(options_get(*state, "sg_path"), "x");
}

/* A value that was cut short there could name another node. */
static void a_nul_byte_is_refused_wherever_it_stands(void **state)
{
	static const char text[] = "delay=3\n#a comment\nplug=node one\nverbose=1\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char bytes[sizeof(text)];

		options_clear(*state);
		options_init(*state, specs);
		memcpy(bytes, text, sizeof(text));
		bytes[i] = '\0';
		assert_int_equal(read_bytes(*state, bytes, sizeof(text) - 1), -EINVAL);
	}
	options_clear(*state);
	options_init(*state, specs);
	assert_int_equal(read_bytes(*state, text, sizeof(text) - 1), 0);
}

static void nothing_is_taken_from_a_line_with_a_nul_byte_or_after_it(void **state)
{
	static const char bytes[] = "delay=3\nplug=a\0b\ndelay=4\n";

	assert_int_equal(read_bytes(*state, bytes, sizeof(bytes) - 1), -EINVAL);
	assert_null(options_get(*state, "plug"));
	assert_int_equal(options_number(*state, "delay", 0), 3);
}

static void the_last_one_wins(void **state)
{
	read_text(*state, "plug=a\nplug=b\n");
	assert_string_equal(options_get(*state, "plug"), "b");
	read_text(*state, "port=c\n");
	assert_string_equal(options_get(*state, "plug"), "c");
	read_text(*state, "plug=d\n");
	assert_string_equal(options_get(*state, "plug"), "d");
}

static void a_given_name_is_told_from_its_old_name(void **state)
{
	read_text(*state, "port=c\n");
	assert_null(options_given(*state, "plug"));
	assert_string_equal(options_given(*state, "port"), "c");
}

static void unknown_names_are_told_and_ignored(void **state)
{
	read_text(*state, "strange=1\nplug=a\nodd\n=x\n");
	assert_string_equal(unknown_names, "strange;odd;;");
	assert_string_equal(options_get(*state, "plug"), "a");
}

static void an_empty_value_is_none(void **state)
{
	read_text(*state, "plug=a\nplug=\ndelay=\"\"\n");
	assert_null(options_get(*state, "plug"));
	assert_string_equal(options_get(*state, "delay"), "7");
}

static void defaults_are_used(void **state)
{
	assert_null(options_get(*state, "plug"));
	assert_string_equal(options_get(*state, "key_value"), "green");
	assert_int_equal(options_number(*state, "delay", 1), 7);
	assert_int_equal(options_choice(*state, "key_value"), 1);
	assert_false(options_flag(*state, "verbose"));
}

static void booleans_are_spelt_in_eight_ways(void **state)
{
	static const struct {
		const char *line;
		bool truth;
	} rows[] = { { "verbose=1", true }, { "verbose=yes", true }, { "verbose=ON", true },
		{ "verbose=True", true }, { "verbose=0", false }, { "verbose=no", false },
		{ "verbose=Off", false }, { "verbose=FALSE", false } };
	struct blkpr_error error;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		read_text(*state, rows[i].line);
		assert_int_equal(options_check(*state, &error), 0);
		assert_int_equal(options_flag(*state, "verbose"), rows[i].truth);
	}
}

static void wrong_values_are_refused_by_name(void **state)
{
	static const char *const rows[][2] = {
		{ "verbose=maybe", "verbose=maybe: neither yes nor no" },
		{ "delay=soon", "delay=soon: not a whole number of seconds" },
		{ "delay=-1", "delay=-1: not a whole number" },
		{ "delay=1.5", "delay=1.5: not a whole number" },
		{ "delay=99999999999999999999", "not a whole number" },
		{ "key_value=mauve", "key_value=mauve: not one of red, green, blue" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct blkpr_error error = { "" };

		options_clear(*state);
		options_init(*state, specs);
		read_text(*state, rows[i][0]);
		assert_int_equal(options_check(*state, &error), -EINVAL);
		if (!strstr(error.text, rows[i][1]))
			fail_msg("\"%s\" for %s", error.text, rows[i][0]);
	}
}

static void choices_are_found_in_any_case(void **state)
{
	read_text(*state, "key_value=BLUE\n");
	assert_int_equal(options_choice(*state, "key_value"), 2);
}

static void gnu_options_are_understood(void **state)
{
	char *words[] = { "agent", "-n", "a", "--key-value=red", "-vv", "--verbose", "--delay", "3", NULL };
	struct blkpr_error error;

	assert_int_equal(read_words(*state, words, &error), 0);
	assert_string_equal(options_get(*state, "plug"), "a");
	assert_int_equal(options_choice(*state, "key_value"), 0);
	assert_int_equal(options_count(*state, "verbose"), 3);
	assert_int_equal(options_number(*state, "delay", 0), 3);
}

static void a_long_boolean_may_say_no(void **state)
{
	char *words[] = { "agent", "--verbose=0", NULL };
	struct blkpr_error error;

	assert_int_equal(read_words(*state, words, &error), 0);
	assert_false(options_flag(*state, "verbose"));
}

static void bad_words_are_refused(void **state)
{
	static char *rows[][4] = {
		{ "agent", "--nonsense", NULL, "option --nonsense" },
		{ "agent", "-x", NULL, "unknown option -x" },
		{ "agent", "-n", NULL, "option -n needs a value" },
		{ "agent", "--plug", NULL, "option --plug needs a value" },
		{ "agent", "stray", NULL, "stray argument 'stray'" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct blkpr_error error = { "" };

		assert_int_equal(read_words(*state, rows[i], &error), -EINVAL);
		if (!strstr(error.text, rows[i][3]))
			fail_msg("\"%s\" for %s", error.text, rows[i][1]);
	}
}

#define OPTION_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPTION_TEST(comments_and_blank_lines_are_passed_over),
		OPTION_TEST(blanks_around_names_and_values_do_not_count),
		OPTION_TEST(quotes_around_a_value_are_removed),
		OPTION_TEST(quotes_that_do_not_match_stay),
		OPTION_TEST(a_value_may_hold_equals_signs),
		OPTION_TEST(dash_and_underscore_are_alike),
		OPTION_TEST(a_nul_byte_is_refused_wherever_it_stands),
		OPTION_TEST(nothing_is_taken_from_a_line_with_a_nul_byte_or_after_it),
		OPTION_TEST(the_last_one_wins),
		OPTION_TEST(a_given_name_is_told_from_its_old_name),
		OPTION_TEST(unknown_names_are_told_and_ignored),
		OPTION_TEST(an_empty_value_is_none),
		OPTION_TEST(defaults_are_used),
		OPTION_TEST(booleans_are_spelt_in_eight_ways),
		OPTION_TEST(wrong_values_are_refused_by_name),
		OPTION_TEST(choices_are_found_in_any_case),
		OPTION_TEST(gnu_options_are_understood),
		OPTION_TEST(a_long_boolean_may_say_no),
		OPTION_TEST(bad_words_are_refused),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
