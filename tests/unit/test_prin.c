// SPDX-License-Identifier: GPL-2.0-or-later
// PERSISTENT RESERVE IN: parsers against replies that lie or end early, and the SG_IO around them.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/prin.h"
#include "tests/unit/mock_ioctl.h"
#include "tests/unit/replies.h"
#include "tests/unit/unit.h"

#define FIRST_ALLOCATION 520 /* room for 64 keys */

static const struct blkpr_port port = { MOCK_FD, BLKPR_SCSI };
static const uint64_t three[] = { 0x6c9d0000, UINT64_MAX, 0x6c9d0000 };

/* A copy of exactly LENGTH bytes on the heap: AddressSanitizer sees every byte read past it. */
static uint8_t *exactly(const uint8_t *reply, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, reply, length);
	return copy;
}

static enum blkpr_result parse_keys(
	const uint8_t *reply, size_t length, struct blkpr_report *report, size_t *needed)
{
	uint8_t *copy = exactly(reply, length);
	enum blkpr_result result = blkpr_prin_parse_keys(copy, length, report, needed);

	free(copy);
	return result;
}

/* --- READ KEYS, parsed ---------------------------------------------------------------------------- */

static void keys_are_parsed_with_their_generation(void **state)
{
	uint8_t reply[REPLY_KEYS_SIZE(3)];
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state;
	reply_keys(reply, 0xfffffffe, three, 3);
	assert_result(parse_keys(reply, sizeof(reply), &report, &needed), BLKPR_OK);
	assert_int_equal(report.generation, 0xfffffffe);
	assert_int_equal(report.nkeys, 3);
	assert_memory_equal(report.keys, three, sizeof(three));
	blkpr_report_clear(&report);
}

static void no_keys_are_no_keys(void **state)
{
	uint8_t reply[8];
	struct blkpr_report report = { 0 };
	size_t needed;

	(void)state;
	reply_keys(reply, 7, NULL, 0);
	assert_result(parse_keys(reply, sizeof(reply), &report, &needed), BLKPR_OK);
	assert_int_equal(report.nkeys, 0);
	assert_int_equal(report.generation, 7);
	blkpr_report_clear(&report);
}

static void keys_cut_off_at_any_byte_are_never_fewer_keys(void **state)
{
	uint8_t reply[REPLY_KEYS_SIZE(3)];

	(void)state;
	reply_keys(reply, 7, three, 3);
	for (size_t length = 0; length < sizeof(reply); length++) {
		struct blkpr_report report = { 0 };
		size_t needed = 0;
		enum blkpr_result result = parse_keys(reply, length, &report, &needed);

		assert_result(result, length < 8 ? BLKPR_MALFORMED : BLKPR_UNSETTLED);
		if (result == BLKPR_UNSETTLED)
			assert_int_equal(needed, sizeof(reply));
		blkpr_report_clear(&report);
	}
}

static void a_length_that_is_no_multiple_of_8_is_malformed(void **state)
{
	uint8_t reply[REPLY_KEYS_SIZE(3)];

	(void)state;
	for (uint32_t bytes = 0; bytes < 24; bytes++) {
		struct blkpr_report report = { 0 };
		size_t needed;

		reply_keys(reply, 7, three, 3);
		put_be32(reply + 4, bytes);
		assert_result(parse_keys(reply, sizeof(reply), &report, &needed),
			bytes % 8 ? BLKPR_MALFORMED : BLKPR_OK);
		blkpr_report_clear(&report);
	}
}

static void a_length_beyond_what_was_received_asks_for_more(void **state)
{
	static const uint32_t lies[] = { 32, 65528, 65536, 0x7ffffff8, 0xfffffff8 };
	uint8_t reply[REPLY_KEYS_SIZE(3)];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		struct blkpr_report report = { 0 };
		size_t needed = 0;

		reply_keys(reply, 7, three, 3);
		put_be32(reply + 4, lies[i]);
		assert_result(parse_keys(reply, sizeof(reply), &report, &needed), BLKPR_UNSETTLED);
		assert_true(needed == 8 + (size_t)lies[i]);
		blkpr_report_clear(&report);
	}
}

/* What a transfer that was cut short leaves behind, at the end or before it. */
static void key_0_is_malformed(void **state)
{
	static const uint64_t keys[][3] = { { 0, 5, 6 }, { 5, 0, 6 }, { 5, 6, 0 }, { 0, 0, 0 } };
	uint8_t reply[REPLY_KEYS_SIZE(3)];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		struct blkpr_report report = { 0 };
		size_t needed;

		reply_keys(reply, 7, keys[i], 3);
		assert_result(parse_keys(reply, sizeof(reply), &report, &needed), BLKPR_MALFORMED);
		blkpr_report_clear(&report);
	}
}

/* --- READ RESERVATION, parsed --------------------------------------------------------------------- */

static enum blkpr_result parse_reservation(const uint8_t *reply, size_t length, struct blkpr_report *report)
{
	uint8_t *copy = exactly(reply, length);
	enum blkpr_result result = blkpr_prin_parse_reservation(copy, length, report);

	free(copy);
	return result;
}

static void every_type_is_parsed_into_the_kernels_number(void **state)
{
	uint8_t reply[REPLY_RESERVATION_SIZE];

	(void)state;
	for (unsigned type = PR_WRITE_EXCLUSIVE; type <= PR_EXCLUSIVE_ACCESS_ALL_REGS; type++) {
		struct blkpr_report report = { 0 };
		size_t size = reply_reservation(reply, 9, UINT64_MAX, type);

		assert_result(parse_reservation(reply, size, &report), BLKPR_OK);
		assert_int_equal(report.type, type);
		assert_true(report.holder == UINT64_MAX);
		assert_int_equal(report.generation, 9);
	}
}

static void no_reservation_is_type_0(void **state)
{
	uint8_t reply[REPLY_RESERVATION_SIZE];
	struct blkpr_report report = { .type = 3, .holder = 4 };

	(void)state;
	reply_reservation(reply, 9, 0, 0);
	assert_result(parse_reservation(reply, 8, &report), BLKPR_OK);
	assert_int_equal(report.type, 0);
	assert_true(report.holder == 0);
	assert_int_equal(report.generation, 9);
}

static void all_registrants_with_key_0_is_a_reservation(void **state)
{
	uint8_t reply[REPLY_RESERVATION_SIZE];
	struct blkpr_report report = { 0 };

	(void)state; /* trap 11 */
	reply_reservation(reply, 9, 0, PR_WRITE_EXCLUSIVE_ALL_REGS);
	assert_result(parse_reservation(reply, sizeof(reply), &report), BLKPR_OK);
	assert_int_equal(report.type, PR_WRITE_EXCLUSIVE_ALL_REGS);
}

static void numbers_that_are_no_type_are_malformed(void **state)
{
	static const uint8_t spc[] = { 0, 2, 4, 9, 10, 11, 12, 13, 14, 15 };
	uint8_t reply[REPLY_RESERVATION_SIZE];
	struct blkpr_report report = { 0 };

	(void)state;
	reply_reservation(reply, 9, 1, PR_WRITE_EXCLUSIVE);
	for (unsigned i = 0; i < ARRAY_SIZE(spc); i++) {
		reply[21] = spc[i];
		assert_result(parse_reservation(reply, sizeof(reply), &report), BLKPR_MALFORMED);
	}
}

static void a_reservation_cut_off_at_any_byte_is_malformed(void **state)
{
	uint8_t reply[REPLY_RESERVATION_SIZE];

	(void)state;
	reply_reservation(reply, 9, 1, PR_WRITE_EXCLUSIVE);
	for (size_t length = 0; length < sizeof(reply); length++) {
		struct blkpr_report report = { 0 };

		assert_result(parse_reservation(reply, length, &report), BLKPR_MALFORMED);
	}
}

static void a_reservation_with_a_short_length_is_malformed(void **state)
{
	uint8_t reply[REPLY_RESERVATION_SIZE];
	struct blkpr_report report = { 0 };

	(void)state;
	reply_reservation(reply, 9, 1, PR_WRITE_EXCLUSIVE);
	for (uint32_t bytes = 1; bytes < 16; bytes++) {
		put_be32(reply + 4, bytes);
		assert_result(parse_reservation(reply, sizeof(reply), &report), BLKPR_MALFORMED);
	}
}

/* --- READ FULL STATUS, parsed ---------------------------------------------------------------------- */

#define OURS 0x6c9d0001
#define THEIRS 0x6c9d0002
#define ISCSI 5
#define FIBRE_CHANNEL 0
#define SESSION_A ",i,0x00023d000001"
#define SESSION_B ",i,0x00023d000002"

/* A reply that is being put together. */
struct full_status {
	uint8_t bytes[1024];
	size_t size;
};

static void full_status_begin(struct full_status *reply)
{
	*reply = (struct full_status){ .size = 8 };
	put_be32(reply->bytes, 7);
}

/* One descriptor (SPC-4 table 225) with an iSCSI TransportID (table 461), padded to a multiple of 4. */
static void full_status_add(struct full_status *reply, uint64_t key, unsigned protocol, const char *name)
{
	uint8_t *descriptor = reply->bytes + reply->size;
	size_t name_size = (strlen(name) + 1 + 3) & ~(size_t)3, id_size = 4 + name_size;

	if (id_size < 24)
		id_size = 24;
	assert_true(reply->size + 24 + id_size <= sizeof(reply->bytes));
	put_be64(descriptor, key);
	put_be32(descriptor + 20, (uint32_t)id_size);
	descriptor[24] = protocol | (strstr(name, ",i,0x") ? 0x40 : 0);
	put_be16(descriptor + 26, (uint16_t)name_size);
	memcpy(descriptor + 28, name, strlen(name));
	reply->size += 24 + id_size;
	put_be32(reply->bytes + 4, (uint32_t)(reply->size - 8));
}

static enum blkpr_result parse_initiators(const struct full_status *reply, size_t length, unsigned *initiators)
{
	uint8_t *copy = exactly(reply->bytes, length);
	enum blkpr_result result = blkpr_prin_parse_initiators(copy, length, OURS, initiators);

	free(copy);
	return result;
}

static void check_initiators(const struct full_status *reply, unsigned want)
{
	unsigned initiators = 99;

	assert_result(parse_initiators(reply, reply->size, &initiators), BLKPR_OK);
	assert_int_equal(initiators, want);
}

static void nobody_registered_is_no_initiator(void **state)
{
	struct full_status reply;

	(void)state;
	full_status_begin(&reply);
	check_initiators(&reply, 0);
}

static void sessions_of_one_initiator_count_once(void **state)
{
	struct full_status reply;

	(void)state;
	full_status_begin(&reply);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_A);
	check_initiators(&reply, 1);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_B);
	check_initiators(&reply, 1);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1"); /* without a session */
	check_initiators(&reply, 1);
}

static void two_initiators_are_two(void **state)
{
	struct full_status reply;

	(void)state;
	full_status_begin(&reply);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_A);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node2" SESSION_A);
	check_initiators(&reply, 2);
}

static void a_name_that_begins_as_another_is_another(void **state)
{
	struct full_status reply;

	(void)state;
	full_status_begin(&reply);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_A);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node10" SESSION_A);
	check_initiators(&reply, 2);
	full_status_begin(&reply);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node10" SESSION_A);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_A);
	check_initiators(&reply, 2);
}

static void initiators_with_other_keys_do_not_count(void **state)
{
	struct full_status reply;

	(void)state;
	full_status_begin(&reply);
	full_status_add(&reply, THEIRS, ISCSI, "iqn.2026-01.org.example:node2" SESSION_A);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_A);
	full_status_add(&reply, THEIRS, FIBRE_CHANNEL, "12345678");
	check_initiators(&reply, 1);
}

static void check_keys_of(const struct full_status *reply, size_t length, enum blkpr_result want, unsigned nkeys)
{
	uint8_t *copy = exactly(reply->bytes, length);
	struct blkpr_report report = { 0 };

	assert_result(blkpr_prin_parse_keys_of(copy, length, "iqn.2026-01.org.example:Node1", &report), want);
	if (want == BLKPR_OK)
		assert_int_equal(report.nkeys, nkeys);
	blkpr_report_clear(&report);
	free(copy);
}

static void keys_of_an_initiator_are_those_of_all_its_sessions(void **state)
{
	struct full_status reply;

	(void)state;
	full_status_begin(&reply);
	check_keys_of(&reply, reply.size, BLKPR_OK, 0);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_A);
	full_status_add(&reply, THEIRS, ISCSI, "iqn.2026-01.org.example:NODE1" SESSION_B); /* names have no case */
	full_status_add(&reply, THEIRS, ISCSI, "iqn.2026-01.org.example:node10" SESSION_A);
	full_status_add(&reply, THEIRS, ISCSI, "iqn.2026-01.org.example:node" SESSION_A);
	full_status_add(&reply, THEIRS, FIBRE_CHANNEL, "iqn.2026-01.org.example:node1");
	check_keys_of(&reply, reply.size, BLKPR_OK, 2);
	for (size_t length = 0; length < reply.size; length++)
		check_keys_of(&reply, length, BLKPR_MALFORMED, 0);
}

static void initiators_of_other_transports_cannot_be_told(void **state)
{
	struct full_status reply;
	unsigned initiators;

	(void)state;
	for (unsigned protocol = 0; protocol < 16; protocol++) {
		full_status_begin(&reply);
		full_status_add(&reply, OURS, protocol, "iqn.2026-01.org.example:node1" SESSION_A);
		assert_result(parse_initiators(&reply, reply.size, &initiators),
			protocol == ISCSI ? BLKPR_OK : BLKPR_UNSUPPORTED);
	}
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_A);
	assert_result(parse_initiators(&reply, reply.size, &initiators), BLKPR_UNSUPPORTED);
}

static void full_status_of_two(struct full_status *reply)
{
	full_status_begin(reply);
	full_status_add(reply, OURS, ISCSI, "iqn.2026-01.org.example:node1" SESSION_A);
	full_status_add(reply, OURS, ISCSI, "iqn.2026-01.org.example:node2" SESSION_A);
}

static void full_status_cut_off_at_any_byte_is_malformed(void **state)
{
	struct full_status reply;
	unsigned initiators;

	(void)state;
	full_status_of_two(&reply);
	for (size_t length = 0; length < reply.size; length++)
		assert_result(parse_initiators(&reply, length, &initiators), BLKPR_MALFORMED);
	assert_result(parse_initiators(&reply, reply.size, &initiators), BLKPR_OK);
}

/* The length is right only where a descriptor ends. */
static void full_status_with_any_other_length_is_malformed(void **state)
{
	struct full_status reply;
	size_t one, two;
	unsigned initiators;

	(void)state;
	full_status_of_two(&reply);
	two = reply.size - 8;
	one = two / 2;
	for (uint32_t bytes = 0; bytes < 2 * two; bytes++) {
		put_be32(reply.bytes + 4, bytes);
		assert_result(parse_initiators(&reply, reply.size, &initiators),
			!bytes || bytes == one || bytes == two ? BLKPR_OK : BLKPR_MALFORMED);
	}
	put_be32(reply.bytes + 4, UINT32_MAX);
	assert_result(parse_initiators(&reply, reply.size, &initiators), BLKPR_MALFORMED);
}

static void a_descriptor_that_ends_beyond_the_reply_is_malformed(void **state)
{
	struct full_status reply;
	size_t second;
	unsigned initiators;

	(void)state;
	full_status_of_two(&reply);
	second = 8 + (reply.size - 8) / 2;
	for (uint32_t more = 1; more < 64; more++) {
		put_be32(reply.bytes + second + 20, (uint32_t)(reply.size - second - 24) + more);
		assert_result(parse_initiators(&reply, reply.size, &initiators), BLKPR_MALFORMED);
	}
	put_be32(reply.bytes + second + 20, UINT32_MAX);
	assert_result(parse_initiators(&reply, reply.size, &initiators), BLKPR_MALFORMED);
	put_be32(reply.bytes + 8 + 20, UINT32_MAX - 23); /* 24 more would be 0 in 32 bits */
	assert_result(parse_initiators(&reply, reply.size, &initiators), BLKPR_MALFORMED);
}

/* No length of a descriptor ever makes two initiators one. */
static void a_descriptor_of_any_length_is_read_within_it(void **state)
{
	struct full_status reply;
	unsigned initiators;
	uint32_t right;

	(void)state;
	full_status_of_two(&reply);
	right = (uint32_t)((reply.size - 8) / 2 - 24);
	for (uint32_t bytes = 0; bytes < 2 * (right + 24); bytes++) {
		enum blkpr_result result;

		put_be32(reply.bytes + 8 + 20, bytes);
		result = parse_initiators(&reply, reply.size, &initiators);
		if (bytes == right)
			assert_result(result, BLKPR_OK);
		else
			assert_true(result != BLKPR_OK || initiators <= 2);
	}
}

static void a_name_without_an_end_ends_with_its_descriptor(void **state)
{
	struct full_status reply;

	(void)state;
	full_status_begin(&reply);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:1234567"); /* 31 and a NUL */
	reply.bytes[reply.size - 1] = '8';
	check_initiators(&reply, 1);
	full_status_add(&reply, OURS, ISCSI, "iqn.2026-01.org.example:12345678" SESSION_B);
	check_initiators(&reply, 1);
}

/* --- REPORT CAPABILITIES, parsed ------------------------------------------------------------------ */

static enum blkpr_result parse_capabilities(
	const uint8_t *reply, size_t length, struct blkpr_capabilities *capabilities)
{
	uint8_t *copy = exactly(reply, length);
	enum blkpr_result result = blkpr_prin_parse_capabilities(copy, length, capabilities);

	free(copy);
	return result;
}

static void each_bit_of_the_type_mask_is_its_type(void **state)
{
	static const struct {
		uint8_t low, high;
		enum pr_type type;
	} rows[] = {
		{ 0x02, 0, PR_WRITE_EXCLUSIVE },
		{ 0x08, 0, PR_EXCLUSIVE_ACCESS },
		{ 0x20, 0, PR_WRITE_EXCLUSIVE_REG_ONLY },
		{ 0x40, 0, PR_EXCLUSIVE_ACCESS_REG_ONLY },
		{ 0x80, 0, PR_WRITE_EXCLUSIVE_ALL_REGS },
		{ 0, 0x01, PR_EXCLUSIVE_ACCESS_ALL_REGS },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const uint8_t reply[8] = { 0, 8, 0, 0x80, rows[i].low, rows[i].high };
		struct blkpr_capabilities capabilities;

		assert_result(parse_capabilities(reply, sizeof(reply), &capabilities), BLKPR_OK);
		assert_int_equal(capabilities.types, 1 << rows[i].type);
	}
}

static void a_mask_that_is_not_valid_says_nothing(void **state)
{
	const uint8_t reply[8] = { 0, 8, 1, 0x00, 0xea, 0x01 };
	struct blkpr_capabilities capabilities;

	(void)state;
	assert_result(parse_capabilities(reply, sizeof(reply), &capabilities), BLKPR_OK);
	assert_int_equal(capabilities.types, 0);
}

static void a_device_forgets_unless_ptpl_is_active(void **state)
{
	const uint8_t rows[][8] = { /* PTPL_C says only that it could be */
		{ 0, 8, 0, 0x00 }, { 0, 8, 1, 0x00 }, { 0, 8, 1, 0x80, 0xea, 0x01 },
		{ 0, 8, 0, 0x01 }, { 0, 8, 1, 0x01 }, { 0, 8, 1, 0x81, 0xea, 0x01 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct blkpr_capabilities capabilities;

		assert_result(parse_capabilities(rows[i], sizeof(rows[i]), &capabilities), BLKPR_OK);
		assert_int_equal(capabilities.forgets, i < 3);
	}
}

static void capabilities_cut_off_at_any_byte_are_malformed(void **state)
{
	const uint8_t reply[8] = { 0, 8, 1, 0x80, 0xea, 0x01 };
	struct blkpr_capabilities capabilities;

	(void)state;
	for (size_t length = 0; length < sizeof(reply); length++)
		assert_result(parse_capabilities(reply, length, &capabilities), BLKPR_MALFORMED);
}

static void capabilities_with_a_short_length_are_malformed(void **state)
{
	uint8_t reply[8] = { 0, 8, 1, 0x80, 0xea, 0x01 };
	struct blkpr_capabilities capabilities;

	(void)state;
	for (uint8_t length = 0; length < 8; length++) {
		reply[1] = length;
		assert_result(parse_capabilities(reply, sizeof(reply), &capabilities), BLKPR_MALFORMED);
	}
}

/* --- the Control mode page ------------------------------------------------------------------------- */

static void tas_is_found_behind_block_descriptors_too(void **state)
{
	(void)state;
	for (unsigned descriptors = 0; descriptors <= 16; descriptors += 8)
		for (unsigned tas = 0; tas < 2; tas++) {
			uint8_t reply[4 + 16 + 12] = { 0 };
			bool mute = tas;

			reply[3] = (uint8_t)descriptors;
			reply[4 + descriptors] = 0x8a; /* PS */
			reply[4 + descriptors + 5] = tas ? 0x40 : 0xbf;
			assert_result(blkpr_prin_parse_mute(reply, sizeof(reply), &mute), BLKPR_OK);
			assert_int_equal(mute, !tas);
		}
}

static void what_is_no_control_page_says_nothing_of_tas(void **state)
{
	uint8_t reply[16] = { 15, [4] = 0x0a, 10 };
	bool mute = true;

	(void)state;
	for (size_t length = 0; length < 10; length++) {
		assert_result(blkpr_prin_parse_mute(reply, length, &mute), BLKPR_MALFORMED);
		assert_false(mute);
	}
	assert_result(blkpr_prin_parse_mute(reply, 10, &mute), BLKPR_OK);
	reply[4] = 0x0b;
	assert_result(blkpr_prin_parse_mute(reply, sizeof(reply), &mute), BLKPR_MALFORMED);
	reply[4] = 0x0a;
	reply[3] = 255;
	assert_result(blkpr_prin_parse_mute(reply, sizeof(reply), &mute), BLKPR_MALFORMED);
}

/* --- sense data ----------------------------------------------------------------------------------- */

static const struct {
	uint8_t key, asc, ascq;
	enum blkpr_result result;
} senses[] = {
	{ 0x6, 0x2a, 0x03, BLKPR_ATTENTION }, /* reservations preempted */
	{ 0x6, 0x2a, 0x04, BLKPR_ATTENTION },
	{ 0x6, 0x2a, 0x05, BLKPR_ATTENTION }, /* registrations preempted */
	{ 0x6, 0x29, 0x00, BLKPR_ATTENTION },
	{ 0x5, 0x20, 0x00, BLKPR_UNSUPPORTED },
	{ 0x5, 0x24, 0x00, BLKPR_INVALID },
	{ 0x5, 0x1a, 0x00, BLKPR_INVALID }, /* parameter list length */
	{ 0x5, 0x26, 0x00, BLKPR_INVALID },
	{ 0x5, 0x25, 0x00, BLKPR_PATH_FAILED }, /* the LUN is not mapped there */
	{ 0x5, 0x20, 0x02, BLKPR_IO_ERROR },    /* no access rights */
	{ 0x5, 0x24, 0x01, BLKPR_IO_ERROR },
	{ 0x5, 0x2c, 0x00, BLKPR_IO_ERROR }, /* command sequence error */
	{ 0x5, 0x94, 0x01, BLKPR_IO_ERROR }, /* a vendor's: not owned by this controller */
	{ 0x2, 0x04, 0x01, BLKPR_BUSY },
	{ 0x2, 0x04, 0x0a, BLKPR_BUSY },
	{ 0x2, 0x04, 0x0c, BLKPR_IO_ERROR }, /* port in unavailable state */
	{ 0x2, 0x3a, 0x00, BLKPR_IO_ERROR },
	{ 0x3, 0x11, 0x00, BLKPR_IO_ERROR },
	{ 0x4, 0x44, 0x00, BLKPR_IO_ERROR },
	{ 0xb, 0x00, 0x00, BLKPR_BUSY },
	{ 0x0, 0x00, 0x00, BLKPR_IO_ERROR }, /* CHECK CONDITION is no success, whatever the sense says */
};

static void fixed_sense_is_understood(void **state)
{
	uint8_t sense[18];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(senses); i++) {
		size_t length = sense_fixed(sense, senses[i].key, senses[i].asc, senses[i].ascq);

		assert_result(blkpr_prin_parse_sense(sense, length), senses[i].result);
	}
}

static void descriptor_sense_is_understood(void **state)
{
	uint8_t sense[8];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(senses); i++) {
		size_t length = sense_descriptor(sense, senses[i].key, senses[i].asc, senses[i].ascq);

		assert_result(blkpr_prin_parse_sense(sense, length), senses[i].result);
	}
}

static void sense_that_ends_before_its_codes_is_an_io_error(void **state)
{
	uint8_t sense[18];

	(void)state;
	sense_fixed(sense, 6, 0x2a, 5);
	for (size_t length = 0; length < 14; length++) {
		uint8_t *copy = exactly(sense, length);

		assert_result(blkpr_prin_parse_sense(copy, length), BLKPR_IO_ERROR);
		free(copy);
	}
	sense_descriptor(sense, 6, 0x2a, 5);
	for (size_t length = 0; length < 4; length++) {
		uint8_t *copy = exactly(sense, length);

		assert_result(blkpr_prin_parse_sense(copy, length), BLKPR_IO_ERROR);
		free(copy);
	}
}

static void no_sense_is_ever_success(void **state)
{
	uint8_t sense[18];

	(void)state;
	for (unsigned response = 0; response < 0x100; response++)
		for (uint8_t key = 0; key < 16; key++) {
			sense_fixed(sense, key, 0, 0);
			sense[0] = response;
			assert_true(blkpr_prin_parse_sense(sense, sizeof(sense)) != BLKPR_OK);
		}
}

/* --- READ KEYS over SG_IO ------------------------------------------------------------------------- */

static void expect_keys(unsigned allocation, const uint8_t *reply, size_t size)
{
	unsigned length = size < allocation ? size : allocation;

	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_KEYS, .allocation = allocation, .reply = reply,
		.length = length, .resid = (int)(allocation - length) });
}

static void reading_keys_sends_one_command(void **state)
{
	uint8_t reply[REPLY_KEYS_SIZE(3)];
	struct blkpr_report report = { 0 };

	(void)state;
	expect_keys(FIRST_ALLOCATION, reply, reply_keys(reply, 7, three, 3));
	assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 3);
	assert_memory_equal(report.keys, three, sizeof(three));
	blkpr_report_clear(&report);
}

static void the_buffer_grows_to_the_size_that_the_device_states(void **state)
{
	uint8_t reply[REPLY_KEYS_SIZE(500)];
	size_t size = reply_keys(reply, 7, NULL, 500);
	struct blkpr_report report = { 0 };

	(void)state;
	expect_keys(FIRST_ALLOCATION, reply, size);
	expect_keys(size + 8, reply, size);
	assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 500);
	assert_true(report.keys[499] == 500);
	blkpr_report_clear(&report);
}

static void a_list_that_grows_meanwhile_is_asked_for_again(void **state)
{
	static const uint8_t first[FIRST_ALLOCATION] = { [6] = 0x20 }; /* 1024 keys */
	uint8_t reply[REPLY_KEYS_SIZE(1025)];
	struct blkpr_report report = { 0 };

	(void)state;
	reply_keys(reply, 7, NULL, 1025);
	expect_keys(FIRST_ALLOCATION, first, sizeof(first));
	expect_keys(REPLY_KEYS_SIZE(1025), reply, sizeof(reply));
	expect_keys(2 * REPLY_KEYS_SIZE(1025), reply, sizeof(reply));
	assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 1025);
	blkpr_report_clear(&report);
}

/* A target that states the length of what it has returned, not of what there is. */
static void a_list_that_fills_the_buffer_is_asked_for_with_more_room(void **state)
{
	uint8_t first[REPLY_KEYS_SIZE(64)], whole[REPLY_KEYS_SIZE(71)];
	struct blkpr_report report = { 0 };

	(void)state;
	expect_keys(FIRST_ALLOCATION, first, reply_keys(first, 7, NULL, 64));
	expect_keys(2 * FIRST_ALLOCATION, whole, reply_keys(whole, 7, NULL, 71));
	assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_OK);
	assert_int_equal(blkpr_report_count(&report, 71), 1);
	blkpr_report_clear(&report);
	expect_keys(FIRST_ALLOCATION, first, sizeof(first)); /* there are no more */
	expect_keys(2 * FIRST_ALLOCATION, first, sizeof(first));
	assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 64);
	blkpr_report_clear(&report);
}

static void a_list_that_fills_every_buffer_is_never_whole(void **state)
{
	static uint8_t replies[8][REPLY_KEYS_SIZE(8190)];
	struct blkpr_report report = { 0 };
	unsigned room = FIRST_ALLOCATION;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(replies) - 1; i++) {
		reply_keys(replies[i], 7, NULL, (room - 8) / 8);
		expect_keys(room, replies[i], room);
		room = 2 * room < 65535 ? 2 * room : 65535;
	}
	reply_keys(replies[7], 7, NULL, 8190);
	expect_keys(room, replies[7], sizeof(replies[7]));
	assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_MALFORMED);
	blkpr_report_clear(&report);
}

static void the_longest_list_of_16_bits_is_read(void **state)
{
	static uint8_t reply[REPLY_KEYS_SIZE(8189)];
	struct blkpr_report report = { 0 };

	(void)state; /* there is room for 8190: this one is known to be whole */
	reply_keys(reply, 7, NULL, 8189);
	expect_keys(FIRST_ALLOCATION, reply, sizeof(reply));
	expect_keys(sizeof(reply) + 8, reply, sizeof(reply));
	assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 8189);
	assert_true(report.keys[8188] == 8189);
	blkpr_report_clear(&report);
}

static void lists_beyond_16_bits_of_allocation_length_are_an_error(void **state)
{
	static const unsigned counts[] = { 8190, 8191, 65535, 0x1fffffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		uint8_t reply[FIRST_ALLOCATION] = { 0 };
		struct blkpr_report report = { 0 };

		put_be32(reply + 4, 8 * counts[i]);
		expect_keys(FIRST_ALLOCATION, reply, sizeof(reply));
		assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_MALFORMED);
		blkpr_report_clear(&report);
	}
}

static void a_reply_shorter_than_its_length_says_is_malformed(void **state)
{
	uint8_t reply[REPLY_KEYS_SIZE(3)];

	(void)state;
	reply_keys(reply, 7, three, 3);
	for (size_t length = 0; length < sizeof(reply); length++) {
		struct blkpr_report report = { 0 };

		expect_keys(FIRST_ALLOCATION, reply, length);
		assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_MALFORMED);
		blkpr_report_clear(&report);
	}
}

static void a_residue_larger_than_the_buffer_is_malformed(void **state)
{
	static const int residues[] = { FIRST_ALLOCATION, FIRST_ALLOCATION + 1, 1 << 30 };
	uint8_t reply[REPLY_KEYS_SIZE(3)];

	(void)state;
	reply_keys(reply, 7, three, 3);
	for (unsigned i = 0; i < ARRAY_SIZE(residues); i++) {
		struct blkpr_report report = { 0 };

		mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_KEYS, .allocation = FIRST_ALLOCATION,
			.reply = reply, .length = sizeof(reply), .resid = residues[i] });
		assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_MALFORMED);
		blkpr_report_clear(&report);
	}
}

static void a_negative_residue_is_no_more_than_the_buffer(void **state)
{
	uint8_t reply[REPLY_KEYS_SIZE(3)];
	struct blkpr_report report = { 0 };

	(void)state;
	reply_keys(reply, 7, three, 3);
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_KEYS, .allocation = FIRST_ALLOCATION,
		.reply = reply, .length = sizeof(reply), .resid = -4096 });
	assert_result(blkpr_prin_read_keys(&port, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 3);
	blkpr_report_clear(&report);
}

/* --- statuses of SG_IO ---------------------------------------------------------------------------- */

static void check_status(const struct mock_sgio *how, enum blkpr_result want)
{
	uint8_t reply[REPLY_KEYS_SIZE(3)];
	struct blkpr_report report = { 0 };
	struct mock_sgio call = *how;

	call.action = BLKPR_PRIN_READ_KEYS;
	call.allocation = FIRST_ALLOCATION;
	call.reply = reply; /* a whole reply, so that nothing but the status can make it fail */
	call.length = reply_keys(reply, 7, three, 3);
	mock_sgio(&call);
	assert_result(blkpr_prin_read_keys(&port, &report), want);
	blkpr_report_clear(&report);
}

static void scsi_status_decides(void **state)
{
	(void)state;
	check_status(&(struct mock_sgio){ .status = 0x00 }, BLKPR_OK);
	check_status(&(struct mock_sgio){ .status = 0x08 }, BLKPR_BUSY);
	check_status(&(struct mock_sgio){ .status = 0x28 }, BLKPR_BUSY);
	check_status(&(struct mock_sgio){ .status = 0x40 }, BLKPR_BUSY);
	check_status(&(struct mock_sgio){ .status = 0x18 }, BLKPR_CONFLICT);
	check_status(&(struct mock_sgio){ .status = 0x30 }, BLKPR_IO_ERROR);
}

static void no_status_but_good_is_success(void **state)
{
	(void)state;
	for (unsigned status = 1; status < 0x100; status++) {
		uint8_t reply[REPLY_KEYS_SIZE(3)];
		struct blkpr_report report = { 0 };
		size_t length = reply_keys(reply, 7, three, 3);

		mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_KEYS, .allocation = FIRST_ALLOCATION,
			.reply = reply, .length = length, .status = status });
		assert_true(blkpr_prin_read_keys(&port, &report) != BLKPR_OK);
		blkpr_report_clear(&report);
	}
}

static void check_condition_is_read_from_the_sense_data(void **state)
{
	uint8_t sense[18];

	(void)state;
	sense_fixed(sense, 6, 0x2a, 3);
	check_status(&(struct mock_sgio){ .status = 2, .driver_status = 8, .sense = sense, .sense_length = 18 },
		BLKPR_ATTENTION);
	sense_descriptor(sense, 6, 0x2a, 5);
	check_status(&(struct mock_sgio){ .status = 2, .sense = sense, .sense_length = 8 }, BLKPR_ATTENTION);
	sense_fixed(sense, 5, 0x20, 0);
	check_status(
		&(struct mock_sgio){ .status = 2, .sense = sense, .sense_length = 18 }, BLKPR_UNSUPPORTED);
	check_status(&(struct mock_sgio){ .status = 2 }, BLKPR_IO_ERROR);
}

static void host_and_driver_bytes_decide(void **state)
{
	(void)state;
	check_status(&(struct mock_sgio){ .host_status = 0x01 }, BLKPR_PATH_FAILED);
	check_status(&(struct mock_sgio){ .host_status = 0x03 }, BLKPR_PATH_FAILED);
	check_status(&(struct mock_sgio){ .host_status = 0x07 }, BLKPR_IO_ERROR);
	check_status(&(struct mock_sgio){ .host_status = 0x0e }, BLKPR_BUSY);
	check_status(&(struct mock_sgio){ .host_status = 0x0f }, BLKPR_PATH_FAILED);
	check_status(&(struct mock_sgio){ .host_status = 0x01, .status = 0x18 }, BLKPR_PATH_FAILED);
	check_status(&(struct mock_sgio){ .driver_status = 0x08 }, BLKPR_OK);
	check_status(&(struct mock_sgio){ .driver_status = 0x06 }, BLKPR_IO_ERROR);
	check_status(&(struct mock_sgio){ .driver_status = 0x04 }, BLKPR_IO_ERROR);
}

static void a_refused_system_call_is_told_from_a_refused_command(void **state)
{
	(void)state;
	check_status(&(struct mock_sgio){ .rc = -1, .err = ENOTTY }, BLKPR_UNSUPPORTED);
	check_status(&(struct mock_sgio){ .rc = -1, .err = EINVAL }, BLKPR_INVALID);
	check_status(&(struct mock_sgio){ .rc = -1, .err = EPERM }, BLKPR_DENIED);
	check_status(&(struct mock_sgio){ .rc = -1, .err = ENODEV }, BLKPR_GONE);
}

/* --- the other two over SG_IO --------------------------------------------------------------------- */

static void reading_the_reservation_sends_one_command(void **state)
{
	uint8_t reply[REPLY_RESERVATION_SIZE];
	struct blkpr_report report = { 0 };

	(void)state;
	reply_reservation(reply, 7, 5, PR_EXCLUSIVE_ACCESS_REG_ONLY);
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_RESERVATION, .allocation = 24, .reply = reply,
		.length = 24 });
	assert_result(blkpr_prin_read_reservation(&port, &report), BLKPR_OK);
	assert_int_equal(report.type, PR_EXCLUSIVE_ACCESS_REG_ONLY);
}

static void a_reservation_with_a_residue_is_malformed(void **state)
{
	uint8_t reply[REPLY_RESERVATION_SIZE];
	struct blkpr_report report = { 0 };

	(void)state;
	reply_reservation(reply, 7, 5, PR_EXCLUSIVE_ACCESS_REG_ONLY);
	for (int resid = 1; resid < 30; resid++) {
		mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_RESERVATION, .allocation = 24,
			.reply = reply, .length = 24, .resid = resid });
		assert_result(blkpr_prin_read_reservation(&port, &report), BLKPR_MALFORMED);
	}
}

static void expect_full_status(const struct mock_sgio *how)
{
	struct mock_sgio call = *how;

	call.action = BLKPR_PRIN_READ_FULL_STATUS;
	call.allocation = 65535;
	mock_sgio(&call);
}

static void reading_initiators_sends_one_command(void **state)
{
	struct full_status reply;
	unsigned initiators = 99;

	(void)state;
	full_status_of_two(&reply);
	expect_full_status(&(struct mock_sgio){
		.reply = reply.bytes, .length = (unsigned)reply.size, .resid = 65535 - (int)reply.size });
	assert_result(blkpr_prin_read_initiators(&port, OURS, &initiators), BLKPR_OK);
	assert_int_equal(initiators, 2);
}

static void initiators_that_were_not_received_are_malformed(void **state)
{
	struct full_status reply;
	unsigned initiators;

	(void)state;
	full_status_of_two(&reply);
	for (unsigned length = 0; length < reply.size; length++) {
		expect_full_status(&(struct mock_sgio){
			.reply = reply.bytes, .length = length, .resid = 65535 - (int)length });
		assert_result(blkpr_prin_read_initiators(&port, OURS, &initiators), BLKPR_MALFORMED);
	}
}

static void a_full_status_that_fills_the_buffer_is_malformed(void **state)
{
	static struct {
		uint8_t bytes[65535];
	} reply;
	struct full_status two;
	unsigned initiators;

	(void)state; /* whoever else is registered with this node's key may be what is missing */
	full_status_of_two(&two);
	memcpy(reply.bytes, two.bytes, two.size);
	put_be32(reply.bytes + 4, sizeof(reply.bytes) - 8);
	/* a third one, of another key, fills it */
	put_be32(reply.bytes + two.size + 20, (uint32_t)(sizeof(reply.bytes) - two.size - 24));
	expect_full_status(&(struct mock_sgio){ .reply = reply.bytes, .length = sizeof(reply.bytes) });
	assert_result(blkpr_prin_read_initiators(&port, OURS, &initiators), BLKPR_MALFORMED);
}

static void a_device_without_full_status_has_no_initiators_to_tell(void **state)
{
	uint8_t sense[18];
	unsigned initiators = 99;

	(void)state;
	sense_fixed(sense, 5, 0x24, 0);
	expect_full_status(&(struct mock_sgio){ .status = 2, .sense = sense, .sense_length = 18 });
	assert_result(blkpr_prin_read_initiators(&port, OURS, &initiators), BLKPR_INVALID);
	assert_int_equal(initiators, 0);
}

static void reading_capabilities_sends_one_command(void **state)
{
	const uint8_t reply[8] = { 0, 8, 1, 0x80, 0xea, 0x01 };
	struct blkpr_capabilities capabilities;

	(void)state;
	mock_sgio(&(struct mock_sgio){
		.action = BLKPR_PRIN_REPORT_CAPABILITIES, .allocation = 8, .reply = reply, .length = 8 });
	assert_result(blkpr_prin_read_capabilities(&port, &capabilities), BLKPR_OK);
	assert_int_equal(capabilities.types, 0x7e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_parsed_with_their_generation),
		cmocka_unit_test(no_keys_are_no_keys),
		cmocka_unit_test(keys_cut_off_at_any_byte_are_never_fewer_keys),
		cmocka_unit_test(a_length_that_is_no_multiple_of_8_is_malformed),
		cmocka_unit_test(a_length_beyond_what_was_received_asks_for_more),
		cmocka_unit_test(key_0_is_malformed),
		cmocka_unit_test(every_type_is_parsed_into_the_kernels_number),
		cmocka_unit_test(no_reservation_is_type_0),
		cmocka_unit_test(all_registrants_with_key_0_is_a_reservation),
		cmocka_unit_test(numbers_that_are_no_type_are_malformed),
		cmocka_unit_test(a_reservation_cut_off_at_any_byte_is_malformed),
		cmocka_unit_test(a_reservation_with_a_short_length_is_malformed),
		cmocka_unit_test(nobody_registered_is_no_initiator),
		cmocka_unit_test(sessions_of_one_initiator_count_once),
		cmocka_unit_test(two_initiators_are_two),
		cmocka_unit_test(a_name_that_begins_as_another_is_another),
		cmocka_unit_test(initiators_with_other_keys_do_not_count),
		cmocka_unit_test(keys_of_an_initiator_are_those_of_all_its_sessions),
		cmocka_unit_test(initiators_of_other_transports_cannot_be_told),
		cmocka_unit_test(full_status_cut_off_at_any_byte_is_malformed),
		cmocka_unit_test(full_status_with_any_other_length_is_malformed),
		cmocka_unit_test(a_descriptor_that_ends_beyond_the_reply_is_malformed),
		cmocka_unit_test(a_descriptor_of_any_length_is_read_within_it),
		cmocka_unit_test(a_name_without_an_end_ends_with_its_descriptor),
		cmocka_unit_test(each_bit_of_the_type_mask_is_its_type),
		cmocka_unit_test(a_mask_that_is_not_valid_says_nothing),
		cmocka_unit_test(a_device_forgets_unless_ptpl_is_active),
		cmocka_unit_test(capabilities_cut_off_at_any_byte_are_malformed),
		cmocka_unit_test(capabilities_with_a_short_length_are_malformed),
		cmocka_unit_test(tas_is_found_behind_block_descriptors_too),
		cmocka_unit_test(what_is_no_control_page_says_nothing_of_tas),
		cmocka_unit_test(fixed_sense_is_understood),
		cmocka_unit_test(descriptor_sense_is_understood),
		cmocka_unit_test(sense_that_ends_before_its_codes_is_an_io_error),
		cmocka_unit_test(no_sense_is_ever_success),
		mock_test(reading_keys_sends_one_command),
		mock_test(the_buffer_grows_to_the_size_that_the_device_states),
		mock_test(a_list_that_grows_meanwhile_is_asked_for_again),
		mock_test(a_list_that_fills_the_buffer_is_asked_for_with_more_room),
		mock_test(a_list_that_fills_every_buffer_is_never_whole),
		mock_test(the_longest_list_of_16_bits_is_read),
		mock_test(lists_beyond_16_bits_of_allocation_length_are_an_error),
		mock_test(a_reply_shorter_than_its_length_says_is_malformed),
		mock_test(a_residue_larger_than_the_buffer_is_malformed),
		mock_test(a_negative_residue_is_no_more_than_the_buffer),
		mock_test(scsi_status_decides),
		mock_test(no_status_but_good_is_success),
		mock_test(check_condition_is_read_from_the_sense_data),
		mock_test(host_and_driver_bytes_decide),
		mock_test(a_refused_system_call_is_told_from_a_refused_command),
		mock_test(reading_the_reservation_sends_one_command),
		mock_test(a_reservation_with_a_residue_is_malformed),
		mock_test(reading_initiators_sends_one_command),
		mock_test(initiators_that_were_not_received_are_malformed),
		mock_test(a_full_status_that_fills_the_buffer_is_malformed),
		mock_test(a_device_without_full_status_has_no_initiators_to_tell),
		mock_test(reading_capabilities_sends_one_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
