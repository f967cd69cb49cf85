// SPDX-License-Identifier: GPL-2.0-or-later
// Reading: which transport each kernel gets, and that keys and reservation belong to one generation.
#include <errno.h>
#include <string.h>

#include "lib/report.h"
#include "tests/unit/mock_ioctl.h"
#include "tests/unit/replies.h"
#include "tests/unit/unit.h"

#define ROOM 64
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY

static const struct blkpr_port scsi = { MOCK_FD, BLKPR_SCSI };
static const struct blkpr_port nvme = { MOCK_FD, BLKPR_NVME };
static const uint64_t two[] = { 0xa, 0xb };

static enum blkpr_result read_as(
	const struct blkpr_port *port, enum blkpr_transport *transport, struct blkpr_report *report)
{
	memset(report, 0xee, sizeof(*report)); /* read must not depend on what was there */
	return blkpr_report_read(port, transport, report);
}

static void check_two(struct blkpr_report *report)
{
	assert_int_equal(report->nkeys, 2);
	assert_memory_equal(report->keys, two, sizeof(two));
	assert_int_equal(report->type, TYPE);
	assert_true(report->holder == 0xa);
	assert_int_equal(report->generation, 5);
	blkpr_report_clear(report);
}

static void check_empty(const struct blkpr_report *report)
{
	assert_null(report->keys);
	assert_int_equal(report->nkeys, 0);
	assert_int_equal(report->type, 0);
}

static void expect_sgio_of_two(uint32_t generation)
{
	static uint8_t keys[REPLY_KEYS_SIZE(2)], reservation[REPLY_RESERVATION_SIZE];

	reply_keys(keys, generation, two, 2);
	reply_reservation(reservation, generation, 0xa, TYPE);
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_KEYS, .allocation = 520, .reply = keys,
		.length = sizeof(keys), .resid = 520 - sizeof(keys) });
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_RESERVATION, .allocation = 24,
		.reply = reservation, .length = 24 });
}

static void expect_sgio_fails(int err)
{
	mock_sgio(&(struct mock_sgio){
		.action = BLKPR_PRIN_READ_KEYS, .allocation = 520, .rc = -1, .err = err });
}

static void expect_nvme_of_two(void)
{
	static uint8_t reply[REPLY_NVME_SIZE(2)];

	reply_nvme(reply, 5, TYPE, two, 2, 0);
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&(struct mock_nvme){ .opcode = 0x0e, .cdw10 = 1023, .cdw11 = 1, .data_len = 4096,
		.reply = reply, .length = sizeof(reply) });
}

static void expect_ioctls_of_two(void)
{
	mock_read_keys(ROOM, two, 2, 5);
	mock_read_reservation(0xa, TYPE, 5);
}

/* --- the choice of a transport -------------------------------------------------------------------- */

static void linux_7_reads_by_ioctl(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	expect_ioctls_of_two();
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	assert_int_equal(transport, BLKPR_READ_IOCTL);
	check_two(&report);
}

static void check_sgio_after(int err)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	mock_read_keys_fails(ROOM, -1, err);
	expect_sgio_of_two(5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	assert_int_equal(transport, BLKPR_READ_SGIO);
	check_two(&report);
}

static void scsi_without_the_ioctls_is_read_by_sgio(void **state)
{
	(void)state;
	check_sgio_after(EINVAL); /* 6.1 and 6.12 */
	check_sgio_after(ENOTTY); /* dm with two segments */
	check_sgio_after(EOPNOTSUPP);
}

static void nvme_is_read_by_passthrough_whatever_the_kernel_has(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	expect_nvme_of_two();
	assert_result(read_as(&nvme, &transport, &report), BLKPR_OK);
	assert_int_equal(transport, BLKPR_READ_NVME);
	check_two(&report);
}

static void a_kernel_that_can_read_keys_only_is_read_otherwise(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	mock_read_keys(ROOM, two, 2, 5);
	mock_read_reservation_fails(-1, EINVAL);
	expect_sgio_of_two(5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	assert_int_equal(transport, BLKPR_READ_SGIO);
	check_two(&report);
}

static void a_transport_that_works_is_the_only_one_tried_again(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_SGIO;
	struct blkpr_report report;

	(void)state;
	expect_sgio_of_two(5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	check_two(&report);
	transport = BLKPR_READ_NVME;
	expect_nvme_of_two();
	assert_result(read_as(&nvme, &transport, &report), BLKPR_OK);
	check_two(&report);
}

static void a_transport_that_worked_is_not_given_up(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_IOCTL;
	struct blkpr_report report;

	(void)state;
	mock_read_keys_fails(ROOM, -1, EINVAL);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_INVALID);
	assert_int_equal(transport, BLKPR_READ_IOCTL);
	check_empty(&report);
}

static void nothing_works_is_unsupported(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	mock_read_keys_fails(ROOM, -1, EOPNOTSUPP); /* loop on 7.2 */
	expect_sgio_fails(EINVAL);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_UNSUPPORTED);
	assert_int_equal(transport, BLKPR_READ_UNTRIED);
	check_empty(&report);
	mock_nvme_id(-1, ENOTTY);
	assert_result(read_as(&nvme, &transport, &report), BLKPR_UNSUPPORTED);
	check_empty(&report);
}

static void check_no_other_transport_after(const struct blkpr_port *port, int rc, int err, enum blkpr_result want)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	mock_read_keys_fails(ROOM, rc, err);
	assert_result(read_as(port, &transport, &report), want);
	assert_int_equal(transport, BLKPR_READ_UNTRIED);
	check_empty(&report);
}

static void a_device_in_trouble_is_not_a_device_without_the_ioctls(void **state)
{
	(void)state;
	check_no_other_transport_after(&scsi, 2, 0, BLKPR_ATTENTION);
	check_no_other_transport_after(&scsi, 8, 0, BLKPR_BUSY);
	check_no_other_transport_after(&scsi, 0x18, 0, BLKPR_CONFLICT);
	check_no_other_transport_after(&scsi, 0x10000, 0, BLKPR_PATH_FAILED);
	check_no_other_transport_after(&scsi, -1, EPERM, BLKPR_DENIED);
	check_no_other_transport_after(&scsi, -1, ENODEV, BLKPR_GONE);
}

/* --- the READ ioctls ------------------------------------------------------------------------------ */

static void no_keys_and_no_reservation_are_read(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	mock_read_keys(ROOM, NULL, 0, 0);
	mock_read_reservation(0, 0, 0);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 0);
	assert_int_equal(report.type, 0);
	blkpr_report_clear(&report);
}

/* COUNT keys are there; the second time there is room for ROOM. */
static void check_many(unsigned count, unsigned room)
{
	static uint64_t keys[8190];
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	for (unsigned i = 0; i < count; i++)
		keys[i] = i + 1;
	mock_read_keys(ROOM, keys, count, 5);
	if (room)
		mock_read_keys(room, keys, count, 5);
	mock_read_reservation(1, TYPE, 5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, count);
	assert_memory_equal(report.keys, keys, count * sizeof(*keys));
	blkpr_report_clear(&report);
}

static void the_list_grows_until_it_fits(void **state)
{
	(void)state;
	check_many(63, 0);
	check_many(64, 2 * ROOM); /* there may be more */
	check_many(65, 2 * ROOM);
	check_many(1000, 1001);
}

static void as_many_keys_as_can_be_known_to_be_all_are_read(void **state)
{
	(void)state;
	check_many(8189, 8190); /* sd has 16 bits for the length of a list */
}

/* A driver or a device that states how many keys it has returned, not how many there are. */
static void a_list_that_fills_the_room_is_asked_for_with_more(void **state)
{
	static uint64_t keys[71];
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		keys[i] = i + 1;
	mock_read_keys(ROOM, keys, ROOM, 5);
	mock_read_keys(2 * ROOM, keys, ARRAY_SIZE(keys), 5);
	mock_read_reservation(1, TYPE, 5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	assert_int_equal(blkpr_report_count(&report, 71), 1);
	blkpr_report_clear(&report);
}

static void more_keys_than_a_list_has_room_for_are_malformed(void **state)
{
	static const unsigned counts[] = { 8190, 65536, 65537, 0x7fffffff, 0xffffffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		enum blkpr_transport transport = BLKPR_READ_UNTRIED;
		struct blkpr_report report;

		mock_read_keys(ROOM, NULL, counts[i], 5);
		assert_result(read_as(&scsi, &transport, &report), BLKPR_MALFORMED);
		check_empty(&report);
	}
}

static void a_list_that_grows_every_time_ends(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;
	unsigned room = ROOM;

	(void)state;
	for (; room < 8190; room = 2 * room < 8190 ? 2 * room : 8190)
		mock_read_keys(room, NULL, room, 5);
	mock_read_keys(room, NULL, room, 5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_MALFORMED);
	check_empty(&report);
}

static void every_type_is_read(void **state)
{
	(void)state;
	for (unsigned type = PR_WRITE_EXCLUSIVE; type <= PR_EXCLUSIVE_ACCESS_ALL_REGS; type++) {
		enum blkpr_transport transport = BLKPR_READ_UNTRIED;
		struct blkpr_report report;

		mock_read_keys(ROOM, two, 2, 5);
		mock_read_reservation(0xb, type, 5);
		assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
		assert_int_equal(report.type, type);
		assert_true(report.holder == 0xb);
		blkpr_report_clear(&report);
	}
}

static void key_0_is_malformed(void **state)
{
	static const uint64_t keys[] = { 0xa, 0 };
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state; /* on NVMe it is a host: tests/unit/test_nvme.c */
	mock_read_keys(ROOM, keys, 2, 5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_MALFORMED);
	check_empty(&report);
}

static void all_registrants_with_key_0_is_a_reservation(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state; /* trap 11 */
	mock_read_keys(ROOM, two, 2, 5);
	mock_read_reservation(0, PR_WRITE_EXCLUSIVE_ALL_REGS, 5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	assert_int_equal(report.type, PR_WRITE_EXCLUSIVE_ALL_REGS);
	blkpr_report_clear(&report);
}

static void a_number_that_is_no_type_is_malformed(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	mock_read_keys(ROOM, two, 2, 5);
	mock_read_reservation(0xa, 7, 5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_MALFORMED);
	check_empty(&report);
}

/* --- one generation ------------------------------------------------------------------------------- */

static void keys_and_reservation_are_read_again_if_the_generation_changes(void **state)
{
	static const uint64_t before[] = { 0xa, 0xb, 0xc };
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	mock_read_keys(ROOM, before, 3, 4);
	mock_read_reservation(0xc, TYPE, 5);
	mock_read_keys(ROOM, two, 2, 5);
	mock_read_reservation(0xa, TYPE, 5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	check_two(&report);
}

static void sgio_is_read_again_if_the_generation_changes(void **state)
{
	uint8_t keys[REPLY_KEYS_SIZE(2)];
	uint8_t reservation[REPLY_RESERVATION_SIZE];
	enum blkpr_transport transport = BLKPR_READ_SGIO;
	struct blkpr_report report;

	(void)state;
	reply_keys(keys, 4, two, 2);
	reply_reservation(reservation, 5, 0xa, TYPE);
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_KEYS, .allocation = 520, .reply = keys,
		.length = sizeof(keys), .resid = 520 - sizeof(keys) });
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_RESERVATION, .allocation = 24,
		.reply = reservation, .length = 24 });
	expect_sgio_of_two(5);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	check_two(&report);
}

static void a_generation_that_never_stands_still_is_unsettled(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		mock_read_keys(ROOM, two, 2, 2 * i);
		mock_read_reservation(0xa, TYPE, 2 * i + 1);
	}
	assert_result(read_as(&scsi, &transport, &report), BLKPR_UNSETTLED);
	check_empty(&report);
}

static void without_a_reservation_there_is_no_generation_to_compare(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_UNTRIED;
	struct blkpr_report report;

	(void)state; /* measured on 7.2: generation 0 */
	mock_read_keys(ROOM, two, 2, 5);
	mock_read_reservation(0, 0, 0);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_OK);
	assert_int_equal(report.nkeys, 2);
	assert_int_equal(report.generation, 5);
	assert_int_equal(report.type, 0);
	blkpr_report_clear(&report);
}

static void a_reservation_that_cannot_be_read_makes_the_report_empty(void **state)
{
	enum blkpr_transport transport = BLKPR_READ_IOCTL;
	struct blkpr_report report;

	(void)state;
	mock_read_keys(ROOM, two, 2, 5);
	mock_read_reservation_fails(2, 0);
	assert_result(read_as(&scsi, &transport, &report), BLKPR_ATTENTION);
	check_empty(&report);
}

/* --- counting ------------------------------------------------------------------------------------- */

static void a_key_is_counted_once_for_every_nexus(void **state)
{
	uint64_t keys[] = { 1, 2, 1, 0 };
	struct blkpr_report report = { .nkeys = 4, .keys = keys };

	(void)state;
	assert_int_equal(blkpr_report_count(&report, 1), 2);
	assert_int_equal(blkpr_report_count(&report, 2), 1);
	assert_int_equal(blkpr_report_count(&report, 0), 1);
	assert_int_equal(blkpr_report_count(&report, 3), 0);
}

static void every_transport_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BLKPR_READ_TRANSPORTS; i++)
		assert_non_null(blkpr_transport_names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		mock_test(linux_7_reads_by_ioctl),
		mock_test(scsi_without_the_ioctls_is_read_by_sgio),
		mock_test(nvme_is_read_by_passthrough_whatever_the_kernel_has),
		mock_test(a_kernel_that_can_read_keys_only_is_read_otherwise),
		mock_test(a_transport_that_works_is_the_only_one_tried_again),
		mock_test(a_transport_that_worked_is_not_given_up),
		mock_test(nothing_works_is_unsupported),
		mock_test(a_device_in_trouble_is_not_a_device_without_the_ioctls),
		mock_test(no_keys_and_no_reservation_are_read),
		mock_test(the_list_grows_until_it_fits),
		mock_test(as_many_keys_as_can_be_known_to_be_all_are_read),
		mock_test(a_list_that_fills_the_room_is_asked_for_with_more),
		mock_test(more_keys_than_a_list_has_room_for_are_malformed),
		mock_test(a_list_that_grows_every_time_ends),
		mock_test(every_type_is_read),
		mock_test(key_0_is_malformed),
		mock_test(all_registrants_with_key_0_is_a_reservation),
		mock_test(a_number_that_is_no_type_is_malformed),
		mock_test(keys_and_reservation_are_read_again_if_the_generation_changes),
		mock_test(sgio_is_read_again_if_the_generation_changes),
		mock_test(a_generation_that_never_stands_still_is_unsettled),
		mock_test(without_a_reservation_there_is_no_generation_to_compare),
		mock_test(a_reservation_that_cannot_be_read_makes_the_report_empty),
		cmocka_unit_test(a_key_is_counted_once_for_every_nexus),
		cmocka_unit_test(every_transport_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
