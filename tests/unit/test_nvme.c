// SPDX-License-Identifier: GPL-2.0-or-later
// NVMe Reservation Report and Register by passthrough.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/nvme.h"
#include "tests/unit/mock_ioctl.h"
#include "tests/unit/replies.h"
#include "tests/unit/unit.h"

#define FIRST_ROOM 4096

static const struct blkpr_port port = { MOCK_FD, BLKPR_NVME };
static const uint64_t three[] = { 0x6c9d0000, UINT64_MAX, 0 };

static enum blkpr_result parse(
	const uint8_t *reply, size_t length, struct blkpr_report *report, size_t *needed)
{
	uint8_t *copy = malloc(length ? length : 1); /* of that size: AddressSanitizer sees reads past it */
	enum blkpr_result result;

	assert_non_null(copy);
	memcpy(copy, reply, length);
	result = blkpr_nvme_parse_report(BLKPR_NVME_EXTENDED, copy, length, NULL, report, needed);
	free(copy);
	return result;
}

static enum blkpr_result parse_keys_of(const uint8_t *reply, size_t length, const uint8_t *host,
	struct blkpr_report *report, size_t *needed)
{
	return blkpr_nvme_parse_report(
		BLKPR_NVME_EXTENDED, reply, length, host, report, needed);
}

static enum blkpr_result parse_short(
	const uint8_t *reply, size_t length, struct blkpr_report *report, size_t *needed)
{
	uint8_t *copy = malloc(length ? length : 1);
	enum blkpr_result result;

	assert_non_null(copy);
	memcpy(copy, reply, length);
	result = blkpr_nvme_parse_report(BLKPR_NVME_SHORT, copy, length, NULL, report, needed);
	free(copy);
	return result;
}

/* --- the parser ----------------------------------------------------------------------------------- */

static void a_report_is_parsed_whole(void **state)
{
	uint8_t reply[REPLY_NVME_SIZE(3)];
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state;
	reply_nvme(reply, 0xfffffffe, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 1);
	assert_result(parse(reply, sizeof(reply), &report, &needed), BLKPR_OK);
	assert_int_equal(report.generation, 0xfffffffe);
	assert_int_equal(report.type, PR_WRITE_EXCLUSIVE_REG_ONLY);
	assert_true(report.holder == UINT64_MAX);
	assert_int_equal(report.nkeys, 3);
	assert_memory_equal(report.keys, three, sizeof(three));
	blkpr_report_clear(&report);
}

static void every_type_is_the_kernels_number(void **state)
{
	uint8_t reply[REPLY_NVME_SIZE(1)];

	(void)state;
	for (unsigned type = 0; type <= PR_EXCLUSIVE_ACCESS_ALL_REGS; type++) {
		struct blkpr_report report = { 0 };
		size_t needed;

		reply_nvme(reply, 1, type, three, 1, type ? 0 : -1);
		assert_result(parse(reply, sizeof(reply), &report, &needed), BLKPR_OK);
		assert_int_equal(report.type, type);
		blkpr_report_clear(&report);
	}
}

static void numbers_that_are_no_type_are_malformed(void **state)
{
	uint8_t reply[REPLY_NVME_SIZE(1)];

	(void)state;
	for (unsigned type = 7; type < 0x100; type++) {
		struct blkpr_report report = { 0 };
		size_t needed;

		reply_nvme(reply, 1, type, three, 1, 0);
		assert_result(parse(reply, sizeof(reply), &report, &needed), BLKPR_MALFORMED);
		blkpr_report_clear(&report);
	}
}

static void a_host_with_key_0_is_a_registrant(void **state)
{
	uint8_t reply[REPLY_NVME_SIZE(3)];
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state; /* trap 2: it can write */
	reply_nvme(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0);
	assert_result(parse(reply, sizeof(reply), &report, &needed), BLKPR_OK);
	assert_int_equal(blkpr_report_count(&report, 0), 1);
	blkpr_report_clear(&report);
}

static void no_hosts_are_no_keys(void **state)
{
	uint8_t reply[REPLY_NVME_SIZE(0)];
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state;
	reply_nvme(reply, 1, 0, NULL, 0, -1);
	assert_result(parse(reply, sizeof(reply), &report, &needed), BLKPR_OK);
	assert_int_equal(report.nkeys, 0);
	blkpr_report_clear(&report);
}

static void keys_of_a_host_are_told_from_others(void **state)
{
	static const uint8_t host[BLKPR_NVME_HOST] = { 0x11, [15] = 0xaa };
	uint8_t reply[REPLY_NVME_SIZE(3)];
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state;
	reply_nvme(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0);
	memcpy(reply + 64 + 64 + 16, host, sizeof(host)); /* the second entry's HOSTID */
	assert_result(parse_keys_of(reply, sizeof(reply), host, &report, &needed), BLKPR_OK);
	assert_int_equal(report.nkeys, 1);
	assert_true(report.keys[0] == UINT64_MAX);
	assert_true(report.holder == 0x6c9d0000);
	reply[64 + 64 + 16 + 15] ^= 1;
	assert_result(parse_keys_of(reply, sizeof(reply), host, &report, &needed), BLKPR_OK);
	assert_int_equal(report.nkeys, 0);
	blkpr_report_clear(&report);
}

static void a_report_cut_off_at_any_byte_is_never_fewer_keys(void **state)
{
	uint8_t reply[REPLY_NVME_SIZE(3)];

	(void)state;
	reply_nvme(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0);
	for (size_t length = 0; length < sizeof(reply); length++) {
		struct blkpr_report report = { 0 };
		size_t needed = 0;

		assert_result(parse(reply, length, &report, &needed),
			length < 64 ? BLKPR_MALFORMED : BLKPR_UNSETTLED);
		if (length >= 64)
			assert_int_equal(needed, sizeof(reply));
		blkpr_report_clear(&report);
	}
}

static void the_most_hosts_of_16_bits_are_parsed(void **state)
{
	uint8_t *reply = calloc(1, REPLY_NVME_SIZE(65535));
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state;
	assert_non_null(reply);
	reply_nvme(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, NULL, 65535, 65534);
	assert_result(parse(reply, REPLY_NVME_SIZE(65535), &report, &needed), BLKPR_OK);
	assert_int_equal(report.nkeys, 65535);
	assert_true(report.holder == 65535);
	blkpr_report_clear(&report);
	free(reply);
}

/* --- the short form ------------------------------------------------------------------------- */

static void a_short_report_is_parsed_whole(void **state)
{
	uint8_t reply[REPLY_NVME_SHORT_SIZE(3)];
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state;
	reply_nvme_short(reply, 0xfffffffe, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 1);
	assert_result(parse_short(reply, sizeof(reply), &report, &needed), BLKPR_OK);
	assert_int_equal(report.generation, 0xfffffffe);
	assert_int_equal(report.type, PR_WRITE_EXCLUSIVE_REG_ONLY);
	assert_true(report.holder == UINT64_MAX);
	assert_int_equal(report.nkeys, 3);
	assert_memory_equal(report.keys, three, sizeof(three));
	blkpr_report_clear(&report);
}

static void a_short_report_cut_off_at_any_byte_is_never_fewer_keys(void **state)
{
	uint8_t reply[REPLY_NVME_SHORT_SIZE(3)];

	(void)state;
	reply_nvme_short(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0);
	for (size_t length = 0; length < sizeof(reply); length++) {
		struct blkpr_report report = { 0 };
		size_t needed = 0;

		assert_result(parse_short(reply, length, &report, &needed),
			length < 24 ? BLKPR_MALFORMED : BLKPR_UNSETTLED);
		blkpr_report_clear(&report);
	}
}

/* S4: read as the other form, own key may stand where it is not, and the victim's be missed. */
static void neither_form_is_taken_for_the_other(void **state)
{
	static uint8_t reply[REPLY_NVME_SIZE(65)];

	(void)state;
	for (unsigned count = 1; count <= 64; count++) {
		struct blkpr_report report = { 0 };
		size_t needed;

		memset(reply, 0, sizeof(reply));
		reply_nvme_short(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, NULL, count, -1);
		assert_result(parse(reply, sizeof(reply), &report, &needed), BLKPR_INVALID);
		memset(reply + 32, 0, 8); /* it has no host identifier */
		assert_result(parse(reply, sizeof(reply), &report, &needed), BLKPR_INVALID);
		reply_nvme(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, NULL, count, 0);
		assert_result(parse_short(reply, sizeof(reply), &report, &needed), BLKPR_INVALID);
		blkpr_report_clear(&report);
	}
}

static void without_hosts_the_forms_are_alike(void **state)
{
	static uint8_t reply[REPLY_NVME_SIZE(0)];
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state;
	reply_nvme_short(reply, 7, 0, NULL, 0, -1);
	assert_result(parse(reply, sizeof(reply), &report, &needed), BLKPR_OK);
	assert_int_equal(report.nkeys, 0);
	assert_int_equal(report.generation, 7);
	assert_result(parse_short(reply, sizeof(reply), &report, &needed), BLKPR_OK);
	assert_int_equal(report.nkeys, 0);
	blkpr_report_clear(&report);
}

/* --- the command ---------------------------------------------------------------------------------- */

static struct mock_nvme report_command(uint32_t room)
{
	return (struct mock_nvme){ .opcode = 0x0e, .cdw10 = room / 4 - 1, .cdw11 = 1, .data_len = room };
}

static void expect_report(uint32_t room, const uint8_t *reply, size_t size)
{
	struct mock_nvme call = report_command(room);

	call.reply = reply;
	call.length = size;
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&call);
}

static void reading_asks_for_extended_data_of_the_namespace(void **state)
{
	uint8_t reply[REPLY_NVME_SIZE(3)];
	struct blkpr_report report = { 0 };

	(void)state;
	expect_report(FIRST_ROOM, reply, reply_nvme(reply, 5, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0));
	assert_result(blkpr_nvme_read_report(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 3);
	assert_int_equal(report.generation, 5);
	blkpr_report_clear(&report);
}

static void the_buffer_grows_to_the_size_that_the_controller_states(void **state)
{
	uint8_t *reply = calloc(1, REPLY_NVME_SIZE(200));
	struct blkpr_report report = { 0 };
	size_t size = reply_nvme(reply, 5, PR_WRITE_EXCLUSIVE_REG_ONLY, NULL, 200, 0);

	(void)state;
	expect_report(FIRST_ROOM, reply, size);
	expect_report(size + 64, reply, size);
	assert_result(blkpr_nvme_read_report(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 200);
	assert_true(report.keys[199] == 200);
	blkpr_report_clear(&report);
	free(reply);
}

/* A controller that states how many hosts it has returned, not how many there are. */
static void a_report_that_fills_the_buffer_is_asked_for_with_more_room(void **state)
{
	uint8_t *replies[2] = { calloc(1, REPLY_NVME_SIZE(63)), calloc(1, REPLY_NVME_SIZE(71)) };
	struct blkpr_report report = { 0 };

	(void)state;
	reply_nvme(replies[0], 5, PR_WRITE_EXCLUSIVE_REG_ONLY, NULL, 63, 0);
	expect_report(FIRST_ROOM, replies[0], REPLY_NVME_SIZE(63));
	reply_nvme(replies[1], 5, PR_WRITE_EXCLUSIVE_REG_ONLY, NULL, 71, 0);
	expect_report(2 * FIRST_ROOM, replies[1], REPLY_NVME_SIZE(71));
	assert_result(blkpr_nvme_read_report(&port, &report), BLKPR_OK);
	assert_int_equal(blkpr_report_count(&report, 71), 1);
	blkpr_report_clear(&report);
	free(replies[0]);
	free(replies[1]);
}

static void a_report_that_grows_every_time_ends_with_the_largest_buffer(void **state)
{
	static uint8_t replies[16][REPLY_NVME_SIZE(0)];
	struct blkpr_report report = { 0 };
	size_t room = FIRST_ROOM;
	unsigned i = 0;

	(void)state;
	for (; room < REPLY_NVME_SIZE(65536); i++) {
		unsigned hosts = (unsigned)(room / 64) - 1; /* they fill it */

		reply_nvme(replies[i], 5, 0, NULL, 0, -1);
		replies[i][5] = hosts & 0xff;
		replies[i][6] = hosts >> 8;
		expect_report((uint32_t)room, replies[i], sizeof(replies[i]));
		room = 2 * room < REPLY_NVME_SIZE(65536) ? 2 * room : REPLY_NVME_SIZE(65536);
	}
	replies[i][5] = replies[i][6] = 0xff; /* the most that can be stated */
	expect_report((uint32_t)room, replies[i], sizeof(replies[i]));
	assert_result(blkpr_nvme_read_report(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 65535);
	blkpr_report_clear(&report);
}

/* The report in the form that EDS asks for fails, although a reply comes. */
static void expect_failure(uint32_t eds, int rc, int err)
{
	static uint8_t reply[REPLY_NVME_SIZE(3)];
	struct mock_nvme call = report_command(FIRST_ROOM);

	reply_nvme(reply, 5, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0);
	call.cdw11 = eds;
	call.reply = reply;
	call.length = sizeof(reply);
	call.rc = rc;
	call.err = err;
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&call);
}

static void check_fails(int rc, int err, enum blkpr_result want)
{
	struct blkpr_report report = { 0 };

	expect_failure(1, rc, err);
	if (want == BLKPR_INVALID)
		expect_failure(0, rc, err);
	assert_result(blkpr_nvme_read_report(&port, &report), want);
	blkpr_report_clear(&report);
}

static void a_status_of_the_controller_is_no_report(void **state)
{
	(void)state;
	check_fails(0x4001, 0, BLKPR_UNSUPPORTED);
	check_fails(0x4002, 0, BLKPR_INVALID);
	check_fails(0x0002, 0, BLKPR_INVALID); /* no PR_STS_IOERR */
	check_fails(0x4018, 0, BLKPR_INVALID);
	check_fails(0x0018, 0, BLKPR_INVALID); /* no PR_STS_RESERVATION_CONFLICT */
	check_fails(0x4083, 0, BLKPR_CONFLICT);
	check_fails(0x371, 0, BLKPR_BUSY);
	check_fails(0x370, 0, BLKPR_PATH_FAILED);
	check_fails(0x4006, 0, BLKPR_IO_ERROR);
	check_fails(-1, EACCES, BLKPR_DENIED);
	check_fails(-1, ENODEV, BLKPR_GONE);
}

static void expect_short_report(uint32_t room, const uint8_t *reply, size_t size)
{
	struct mock_nvme call = report_command(room);

	call.cdw11 = 0;
	call.reply = reply;
	call.length = size;
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&call);
}

/* Host Identifier Inconsistent Format, or Invalid Field; with Do Not Retry and without. */
static void a_controller_that_refuses_one_form_is_asked_for_the_other(void **state)
{
	static const int refusals[] = { 0x4018, 0x0018, 0x4002, 0x0002 };
	static uint8_t reply[REPLY_NVME_SHORT_SIZE(3)];
	size_t size = reply_nvme_short(reply, 5, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct blkpr_report report = { 0 };

		expect_failure(1, refusals[i], 0);
		expect_short_report(FIRST_ROOM, reply, size);
		assert_result(blkpr_nvme_read_report(&port, &report), BLKPR_OK);
		assert_int_equal(report.nkeys, 3);
		assert_memory_equal(report.keys, three, sizeof(three));
		blkpr_report_clear(&report);
	}
}

/* As old ones do. Five hosts: the last one's key stands where an extended entry has its own. */
static void a_controller_that_does_not_look_at_eds_is_understood(void **state)
{
	static uint8_t reply[REPLY_NVME_SHORT_SIZE(200)];
	struct blkpr_report report = { 0 };

	(void)state;
	expect_report(FIRST_ROOM, reply,
		reply_nvme_short(reply, 5, PR_WRITE_EXCLUSIVE_REG_ONLY, NULL, 5, 0));
	expect_short_report(FIRST_ROOM, reply, REPLY_NVME_SHORT_SIZE(5));
	assert_result(blkpr_nvme_read_report(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 5);
	for (uint64_t key = 1; key <= 5; key++)
		assert_int_equal(blkpr_report_count(&report, key), 1);
	blkpr_report_clear(&report);
}

static void the_buffer_grows_for_a_short_report_too(void **state)
{
	static uint8_t reply[REPLY_NVME_SHORT_SIZE(400)];
	struct blkpr_report report = { 0 };
	size_t size = reply_nvme_short(reply, 5, PR_WRITE_EXCLUSIVE_REG_ONLY, NULL, 400, 0);

	(void)state;
	expect_failure(1, 0x4018, 0);
	expect_short_report(FIRST_ROOM, reply, size);
	expect_short_report((uint32_t)size + 24, reply, size);
	assert_result(blkpr_nvme_read_report(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 400);
	assert_int_equal(blkpr_report_count(&report, 400), 1);
	blkpr_report_clear(&report);
}

static void power_loss_is_asked_about_in_either_form(void **state)
{
	static const uint8_t persists[64] = { [9] = 1 };
	struct mock_nvme call = {
		.opcode = 0x0e, .cdw10 = 15, .cdw11 = 1, .data_len = 64, .rc = 0x4018 };
	bool forgets = true;

	(void)state;
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&call);
	call.cdw11 = 0;
	call.rc = 0;
	call.reply = persists;
	call.length = sizeof(persists);
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&call);
	assert_result(blkpr_nvme_read_forgets(&port, &forgets), BLKPR_OK);
	assert_false(forgets);
}

static void check_no_namespace(int nsid, int err, enum blkpr_result want)
{
	struct blkpr_report report = { 0 };

	mock_nvme_id(nsid, err);
	if (want == BLKPR_INVALID)
		mock_nvme_id(nsid, err); /* for the other form */
	assert_result(blkpr_nvme_read_report(&port, &report), want);
	blkpr_report_clear(&report);
}

static void without_a_namespace_nothing_is_sent(void **state)
{
	(void)state;
	check_no_namespace(-1, ENOTTY, BLKPR_UNSUPPORTED);
	check_no_namespace(-1, EINVAL, BLKPR_INVALID);
	check_no_namespace(0, 0, BLKPR_INVALID);
}

static void unregistering_sends_the_current_key_and_no_new_one(void **state)
{
	static const uint8_t keys[16] = { 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01 };

	(void)state;
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&(struct mock_nvme){ .opcode = 0x0d, .cdw10 = 1, .data = keys, .data_len = 16 });
	assert_result(blkpr_nvme_unregister(MOCK_FD, 0x0102030405060708), BLKPR_OK);
}

static void keys_of_self_are_by_the_controllers_host_id(void **state)
{
	static const uint8_t host[BLKPR_NVME_HOST] = { 0x22, [15] = 0xbb };
	static uint8_t reply[REPLY_NVME_SIZE(3)];
	struct mock_nvme call = { .opcode = 0x0e, .cdw10 = FIRST_ROOM / 4 - 1, .cdw11 = 1, .data_len = FIRST_ROOM,
		.reply = reply, .length = sizeof(reply) };
	struct blkpr_report report = { 0 };

	(void)state;
	reply_nvme(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0);
	memcpy(reply + 64 + 16, host, sizeof(host));
	mock_nvme_host_id(host, 0);
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&call);
	assert_result(blkpr_nvme_read_keys_of_self(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 1);
	assert_true(report.keys[0] == three[0]);
	blkpr_report_clear(&report);
}

static void keys_of_self_are_by_a_short_host_id_where_that_is_used(void **state)
{
	static const uint8_t host[8] = { 0x33, [7] = 0xcc };
	static uint8_t reply[REPLY_NVME_SHORT_SIZE(3)];
	struct blkpr_report report = { 0 };

	(void)state;
	reply_nvme_short(reply, 1, PR_WRITE_EXCLUSIVE_REG_ONLY, three, 3, 0);
	memcpy(reply + 24 + 24 + 8, host, sizeof(host));
	mock_nvme_host_id(host, 0x4018);
	mock_nvme_short_host_id(host, 0);
	expect_failure(1, 0x4018, 0);
	expect_short_report(FIRST_ROOM, reply, sizeof(reply));
	assert_result(blkpr_nvme_read_keys_of_self(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 1);
	assert_true(report.keys[0] == three[1]);
	blkpr_report_clear(&report);
}

static void a_host_without_an_id_is_not_told_from_others(void **state)
{
	static const uint8_t unset[BLKPR_NVME_HOST];
	struct blkpr_report report = { 0 };

	(void)state;
	mock_nvme_host_id(unset, 0);
	assert_result(blkpr_nvme_read_keys_of_self(&port, &report), BLKPR_UNSUPPORTED);
	mock_nvme_host_id(unset, 0x4002);
	mock_nvme_short_host_id(unset, 0);
	assert_result(blkpr_nvme_read_keys_of_self(&port, &report), BLKPR_UNSUPPORTED);
	mock_nvme_host_id(unset, 0x4002);
	mock_nvme_short_host_id(unset, 0x4002);
	assert_result(blkpr_nvme_read_keys_of_self(&port, &report), BLKPR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_is_parsed_whole),
		cmocka_unit_test(every_type_is_the_kernels_number),
		cmocka_unit_test(numbers_that_are_no_type_are_malformed),
		cmocka_unit_test(a_host_with_key_0_is_a_registrant),
		cmocka_unit_test(no_hosts_are_no_keys),
		cmocka_unit_test(keys_of_a_host_are_told_from_others),
		cmocka_unit_test(a_report_cut_off_at_any_byte_is_never_fewer_keys),
		cmocka_unit_test(the_most_hosts_of_16_bits_are_parsed),
		cmocka_unit_test(a_short_report_is_parsed_whole),
		cmocka_unit_test(a_short_report_cut_off_at_any_byte_is_never_fewer_keys),
		cmocka_unit_test(neither_form_is_taken_for_the_other),
		cmocka_unit_test(without_hosts_the_forms_are_alike),
		mock_test(reading_asks_for_extended_data_of_the_namespace),
		mock_test(the_buffer_grows_to_the_size_that_the_controller_states),
		mock_test(a_report_that_fills_the_buffer_is_asked_for_with_more_room),
		mock_test(a_report_that_grows_every_time_ends_with_the_largest_buffer),
		mock_test(a_status_of_the_controller_is_no_report),
		mock_test(a_controller_that_refuses_one_form_is_asked_for_the_other),
		mock_test(a_controller_that_does_not_look_at_eds_is_understood),
		mock_test(the_buffer_grows_for_a_short_report_too),
		mock_test(power_loss_is_asked_about_in_either_form),
		mock_test(without_a_namespace_nothing_is_sent),
		mock_test(unregistering_sends_the_current_key_and_no_new_one),
		mock_test(keys_of_self_are_by_the_controllers_host_id),
		mock_test(keys_of_self_are_by_a_short_host_id_where_that_is_used),
		mock_test(a_host_without_an_id_is_not_told_from_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
