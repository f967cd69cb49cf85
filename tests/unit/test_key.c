// SPDX-License-Identifier: GPL-2.0-or-later
// Keys: what parses, what is printed, and the derivations' vectors.
#include <errno.h>

#include "lib/key.h"
#include "tests/unit/unit.h"

static void hexadecimal_keys_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t key;
	} rows[] = {
		{ "1", 1 },
		{ "0x1", 1 },
		{ "0X1", 1 },
		{ "6c9d0000", 0x6c9d0000 },
		{ "0x6c9d0000", 0x6c9d0000 },
		{ "ABCDEF", 0xabcdef },
		{ "0xAbCdEf", 0xabcdef },
		{ "0123456789abcdef", 0x0123456789abcdef },
		{ "0xfedcba9876543210", 0xfedcba9876543210 },
		{ "ffffffffffffffff", UINT64_MAX },
		{ "0000000000000001", 1 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t key = 0;

		assert_int_equal(blkpr_key_parse(rows[i].text, &key), 0);
		assert_true(key == rows[i].key);
	}
}

static void check_refused(const char *text, int error)
{
	uint64_t key = 42;
	int rc = blkpr_key_parse(text, &key);

	if (rc != error)
		fail_msg("\"%s\": %d, expected %d", text, rc, error);
	assert_true(key == 42);
}

static void text_that_is_no_key_is_refused(void **state)
{
	static const char *const rows[] = { "", " ", "x", "0x", "0X", "x1", "1 ", " 1", "\t1", "1\n", "-1", "+1",
		"0x-1", "0x 1", "0x0x1", "g", "12g", "1,2", "1.0", "1_0", "0x1h", "\xc3\xa9" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		check_refused(rows[i], -EINVAL);
}

static void more_than_16_digits_are_refused(void **state)
{
	(void)state;
	check_refused("10000000000000000", -ERANGE);
	check_refused("0x10000000000000000", -ERANGE);
	check_refused("00000000000000001", -ERANGE);
	check_refused("0123456789abcdef0123456789abcdef0123456789abcdef", -ERANGE);
}

static void key_0_is_refused(void **state)
{
	(void)state;
	check_refused("0", -EDOM);
	check_refused("0x0", -EDOM);
	check_refused("0000000000000000", -EDOM);
}

static void keys_print_as_sg_persist_prints_them(void **state)
{
	char text[BLKPR_KEY_TEXT];

	(void)state;
	assert_string_equal(blkpr_key_format(0x6c9d0000, text), "0x6c9d0000");
	assert_string_equal(blkpr_key_format(0xABCDEF, text), "0xabcdef");
	assert_string_equal(blkpr_key_format(UINT64_MAX, text), "0xffffffffffffffff");
	assert_string_equal(blkpr_key_format(0, text), "0x0");
	assert_ptr_equal(blkpr_key_format(1, text), text);
}

static void what_is_printed_parses_to_the_same_key(void **state)
{
	char text[BLKPR_KEY_TEXT];

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t key = 0x8000000000000001ULL << bit | 0x5ULL << bit, parsed = 0;

		assert_int_equal(blkpr_key_parse(blkpr_key_format(key, text), &parsed), 0);
		assert_true(parsed == key);
	}
}

static void check_derived(enum blkpr_key_method method, const char *cluster, const char *node,
	unsigned position, uint64_t want)
{
	uint64_t got = blkpr_key_derive(method, cluster, node, position);

	if (got != want)
		fail_msg("%s of %s in %s at %u: %#llx, expected %#llx", blkpr_key_method_names[method], node,
			cluster, position, (unsigned long long)got, (unsigned long long)want);
}

static void id_is_fence_scsis(void **state)
{
	(void)state;
	check_derived(BLKPR_KEY_ID, "mycluster", "node1", 0, 0x6c9d0000);
	check_derived(BLKPR_KEY_ID, "mycluster", "node2", 1, 0x6c9d0001);
	check_derived(BLKPR_KEY_ID, "hacluster", "node2", 1, 0xfb0c0001);
}

static void id_reads_the_positions_decimal_digits_as_hex(void **state)
{
	(void)state;
	check_derived(BLKPR_KEY_ID, "mycluster", "node13", 12, 0x6c9d0012);
	check_derived(BLKPR_KEY_ID, "mycluster", "x", 9999, 0x6c9d9999);
	check_derived(BLKPR_KEY_ID, "mycluster", "x", 10000, 0x6c9d10000);
}

static void id_does_not_depend_on_the_nodes_name(void **state)
{
	(void)state;
	assert_true(blkpr_key_derive(BLKPR_KEY_ID, "mycluster", "a", 3) ==
		    blkpr_key_derive(BLKPR_KEY_ID, "mycluster", "b", 3));
}

static void hash_is_fence_scsis(void **state)
{
	(void)state;
	check_derived(BLKPR_KEY_HASH, "mycluster", "node1", 0, 0x6c9d1645);
	check_derived(BLKPR_KEY_HASH, "mycluster", "node2", 1, 0x6c9d7888);
	check_derived(BLKPR_KEY_HASH, "hacluster", "node2", 1, 0xfb0c7888);
}

/* md5sum: mycluster 6c9d58de..., hacluster fb0ccf27..., node1 164546f6..., node2 78882aae... */
static void name64_is_half_cluster_half_node(void **state)
{
	(void)state;
	check_derived(BLKPR_KEY_NAME64, "mycluster", "node1", 0, 0x6c9d58de164546f6);
	check_derived(BLKPR_KEY_NAME64, "mycluster", "node2", 1, 0x6c9d58de78882aae);
	check_derived(BLKPR_KEY_NAME64, "hacluster", "node1", 0, 0xfb0ccf27164546f6);
}

static void names_decide_name64_and_hash_and_positions_do_not(void **state)
{
	(void)state;
	assert_true(blkpr_key_derive(BLKPR_KEY_NAME64, "c", "n", 0) ==
		    blkpr_key_derive(BLKPR_KEY_NAME64, "c", "n", 7));
	assert_true(blkpr_key_derive(BLKPR_KEY_HASH, "c", "n", 0) ==
		    blkpr_key_derive(BLKPR_KEY_HASH, "c", "n", 7));
}

static void methods_have_fence_scsis_names(void **state)
{
	(void)state;
	assert_string_equal(blkpr_key_method_names[BLKPR_KEY_NAME64], "name64");
	assert_string_equal(blkpr_key_method_names[BLKPR_KEY_HASH], "hash");
	assert_string_equal(blkpr_key_method_names[BLKPR_KEY_ID], "id");
	assert_null(blkpr_key_method_names[BLKPR_KEY_METHODS]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hexadecimal_keys_parse),
		cmocka_unit_test(text_that_is_no_key_is_refused),
		cmocka_unit_test(more_than_16_digits_are_refused),
		cmocka_unit_test(key_0_is_refused),
		cmocka_unit_test(keys_print_as_sg_persist_prints_them),
		cmocka_unit_test(what_is_printed_parses_to_the_same_key),
		cmocka_unit_test(id_is_fence_scsis),
		cmocka_unit_test(id_reads_the_positions_decimal_digits_as_hex),
		cmocka_unit_test(id_does_not_depend_on_the_nodes_name),
		cmocka_unit_test(hash_is_fence_scsis),
		cmocka_unit_test(name64_is_half_cluster_half_node),
		cmocka_unit_test(names_decide_name64_and_hash_and_positions_do_not),
		cmocka_unit_test(methods_have_fence_scsis_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
