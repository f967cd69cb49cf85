// SPDX-License-Identifier: GPL-2.0-or-later
// The block device as a disk: what is repeated, how often, and what never is. Time is a counter here.
#include <errno.h>

#include "lib/clock.h"
#include "lib/disk.h"
#include "tests/unit/mock_ioctl.h"
#include "tests/unit/unit.h"

#define OWN 0xa
#define VICTIM 0xb
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define DEADLINE 1000
#define ROOM 64

int64_t __wrap_blkpr_clock_ms(void);
void __wrap_blkpr_clock_pause(int64_t ms, int64_t deadline);
int __wrap_blkpr_device_open(const struct blkpr_device *device);

static int64_t now;
static unsigned pauses;
static int opened;

int64_t __wrap_blkpr_clock_ms(void)
{
	return now;
}

void __wrap_blkpr_clock_pause(int64_t ms, int64_t deadline)
{
	assert_true(ms > 0);
	pauses++;
	now = now + ms < deadline ? now + ms : deadline;
}

int __wrap_blkpr_device_open(const struct blkpr_device *device)
{
	(void)device;
	return opened;
}

static struct blkpr_disk *open_disk(enum blkpr_kind kind)
{
	static struct blkpr_block_disk block;
	struct blkpr_device device = { .kind = kind };

	now = pauses = 0;
	opened = MOCK_FD;
	assert_result(blkpr_disk_open(&block, &device, DEADLINE), BLKPR_OK);
	return &block.disk;
}

static void expect_reserve(int rc, int err)
{
	struct pr_reservation want = { .key = OWN, .type = TYPE };

	mock_pr(IOC_PR_RESERVE, &want, sizeof(want), rc, err);
}

static void expect_preempt(int rc)
{
	struct pr_preempt want = { .old_key = OWN, .new_key = VICTIM, .type = TYPE };

	mock_pr(IOC_PR_PREEMPT_ABORT, &want, sizeof(want), rc, 0);
}

static void expect_register(uint64_t old_key, int rc)
{
	struct pr_registration want = { .old_key = old_key, .new_key = OWN, .flags = PR_FL_IGNORE_KEY };

	mock_pr(IOC_PR_REGISTER, &want, sizeof(want), rc, 0);
}

/* --- unit attentions ------------------------------------------------------------------------------ */

static void a_unit_attention_is_worth_another_try(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	expect_reserve(2, 0);
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	expect_preempt(2);
	expect_preempt(0);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_OK);
	expect_register(0, 2);
	expect_register(0, 0);
	assert_result(disk->ops->register_key(disk, 0, OWN), BLKPR_OK);
	assert_int_equal(pauses, 0);
}

static void a_read_with_a_unit_attention_starts_again_with_the_keys(void **state)
{
	static const uint64_t keys[] = { OWN };
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	struct blkpr_report report;

	(void)state;
	mock_read_keys(ROOM, keys, 1, 5);
	mock_read_reservation_fails(2, 0);
	mock_read_keys(ROOM, keys, 1, 6);
	mock_read_reservation(OWN, TYPE, 6);
	assert_result(disk->ops->read(disk, &report), BLKPR_OK);
	assert_int_equal(report.generation, 6);
	blkpr_report_clear(&report);
}

static void four_unit_attentions_are_bearable(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		expect_reserve(2, 0);
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
}

static void five_unit_attentions_are_an_io_error(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		expect_reserve(2, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_IO_ERROR);
}

static void a_read_ends_after_five_unit_attentions(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	struct blkpr_report report;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		mock_read_keys_fails(ROOM, 2, 0);
	assert_result(disk->ops->read(disk, &report), BLKPR_IO_ERROR);
	assert_null(report.keys);
}

/* --- BUSY ----------------------------------------------------------------------------------------- */

static void busy_is_repeated_after_a_pause(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	expect_reserve(8, 0);
	expect_reserve(0x28, 0);
	expect_reserve(BLKPR_STS_RETRY_PATH_FAILURE, 0);
	expect_reserve(-1, EAGAIN);
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	assert_int_equal(pauses, 4);
}

/* Pauses of 5, 10, ... 160, 250, 250, 185: nine, the last one cut at the deadline, then one last try. */
static void busy_ends_at_the_deadline(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		expect_preempt(8);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_BUSY);
	assert_int_equal(now, DEADLINE);
}

static void busy_after_the_deadline_is_not_repeated(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	now = DEADLINE;
	expect_reserve(8, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_BUSY);
	assert_int_equal(pauses, 0);
}

/* --- what is final -------------------------------------------------------------------------------- */

static void a_conflict_is_never_repeated(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	struct blkpr_report report;

	(void)state;
	expect_reserve(0x18, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_CONFLICT);
	expect_preempt(0x118);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_CONFLICT);
	expect_register(0, 0x18);
	assert_result(disk->ops->register_key(disk, 0, OWN), BLKPR_CONFLICT);
	mock_read_keys_fails(ROOM, 0x18, 0);
	assert_result(disk->ops->read(disk, &report), BLKPR_CONFLICT);
}

static void a_conflict_after_a_unit_attention_is_not_repeated(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state; /* return code table: the loser of two preempts on 6.1 */
	expect_preempt(2);
	expect_preempt(0x118);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_CONFLICT);
}

static void errors_are_not_repeated(void **state)
{
	static const struct {
		int rc, err;
		enum blkpr_result result;
	} rows[] = {
		{ -1, EINVAL, BLKPR_INVALID },
		{ -1, EPERM, BLKPR_DENIED },
		{ -1, ENODEV, BLKPR_GONE },
		{ -1, EIO, BLKPR_IO_ERROR },
		{ 0x10000, 0, BLKPR_PATH_FAILED },
	};
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		expect_reserve(rows[i].rc, rows[i].err);
		assert_result(disk->ops->reserve(disk, OWN, TYPE), rows[i].result);
	}
}

/* --- the rest ------------------------------------------------------------------------------------- */

static void register_ignores_the_key_that_is_there(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);

	(void)state;
	expect_register(0, 0);
	assert_result(disk->ops->register_key(disk, 0, OWN), BLKPR_OK);
	expect_register(OWN, 0);
	assert_result(disk->ops->register_key(disk, OWN, OWN), BLKPR_OK);
}

static void eviction_aborts_the_victims_commands(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);

	(void)state; /* S1: PREEMPT alone would leave them in flight */
	expect_preempt(0);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_OK);
}

static void capabilities_are_asked_of_scsi_only(void **state)
{
	static const uint8_t reply[8] = { 0, 8, 0, 0x80, 0x20, 0 };
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);
	struct blkpr_capabilities capabilities = { .types = 1 };

	(void)state;
	assert_result(disk->ops->capabilities(disk, &capabilities), BLKPR_OK);
	assert_int_equal(capabilities.types, 0);
	disk = open_disk(BLKPR_SCSI);
	mock_sgio(&(struct mock_sgio){
		.action = BLKPR_PRIN_REPORT_CAPABILITIES, .allocation = 8, .reply = reply, .length = 8 });
	assert_result(disk->ops->capabilities(disk, &capabilities), BLKPR_OK);
	assert_int_equal(capabilities.types, 1 << PR_WRITE_EXCLUSIVE_REG_ONLY);
}

static void a_device_that_cannot_be_opened_gives_its_errnos_verdict(void **state)
{
	struct blkpr_block_disk block;
	struct blkpr_device device = { .kind = BLKPR_SCSI };

	(void)state;
	opened = -ENXIO;
	assert_result(blkpr_disk_open(&block, &device, DEADLINE), BLKPR_GONE);
	opened = -EACCES;
	assert_result(blkpr_disk_open(&block, &device, DEADLINE), BLKPR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		mock_test(a_unit_attention_is_worth_another_try),
		mock_test(a_read_with_a_unit_attention_starts_again_with_the_keys),
		mock_test(four_unit_attentions_are_bearable),
		mock_test(five_unit_attentions_are_an_io_error),
		mock_test(a_read_ends_after_five_unit_attentions),
		mock_test(busy_is_repeated_after_a_pause),
		mock_test(busy_ends_at_the_deadline),
		mock_test(busy_after_the_deadline_is_not_repeated),
		mock_test(a_conflict_is_never_repeated),
		mock_test(a_conflict_after_a_unit_attention_is_not_repeated),
		mock_test(errors_are_not_repeated),
		mock_test(register_ignores_the_key_that_is_there),
		mock_test(eviction_aborts_the_victims_commands),
		mock_test(capabilities_are_asked_of_scsi_only),
		mock_test(a_device_that_cannot_be_opened_gives_its_errnos_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
