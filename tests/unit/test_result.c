// SPDX-License-Identifier: GPL-2.0-or-later
// Result codes: every coding that KERNEL.md lists, and that nothing but rc 0 is success.
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "lib/pr.h"
#include "tests/unit/unit.h"

struct row {
	int rc, err;
	enum blkpr_result result;
};

static void check(enum blkpr_kind kind, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum blkpr_result got = blkpr_result_from_ioctl(kind, rows[i].rc, rows[i].err);

		if (got != rows[i].result)
			fail_msg("rc 0x%x errno %d: %s, expected %s", rows[i].rc, rows[i].err,
				blkpr_result_name(got), blkpr_result_name(rows[i].result));
	}
}

#define check_rows(kind, rows) check(kind, rows, ARRAY_SIZE(rows))

static void scsi_status_is_understood_on_every_kernel(void **state)
{
	static const struct row rows[] = {
		{ 0, 0, BLKPR_OK },
		{ 0x118, 0, BLKPR_CONFLICT }, /* trap 5: 6.1 */
		{ 0x18, 0, BLKPR_CONFLICT },  /* trap 5: 6.12 and later */
		{ 0x2, 0, BLKPR_ATTENTION },  /* trap 6 */
		{ 0x102, 0, BLKPR_ATTENTION },
		{ 0x402, 0, BLKPR_INVALID }, /* trap 5: invalid field on 6.1 */
		{ 0x08, 0, BLKPR_BUSY },
		{ 0x28, 0, BLKPR_BUSY },
		{ 0x40, 0, BLKPR_BUSY },
		{ 0x04, 0, BLKPR_IO_ERROR }, /* CONDITION MET: no answer to a PR command */
		{ 0x100, 0, BLKPR_IO_ERROR },
	};

	(void)state;
	check_rows(BLKPR_SCSI, rows);
}

static void nvme_status_is_understood_on_every_kernel(void **state)
{
	static const struct row rows[] = {
		{ 0, 0, BLKPR_OK },
		{ 0x4083, 0, BLKPR_CONFLICT }, /* trap 5: 6.1 */
		{ 0x83, 0, BLKPR_CONFLICT },
		{ 0x18, 0, BLKPR_CONFLICT }, /* trap 5: 6.18 and later */
		{ 0x4002, 0, BLKPR_INVALID },
		{ 0x2, 0, BLKPR_IO_ERROR }, /* PR_STS_IOERR */
		{ 0x4001, 0, BLKPR_UNSUPPORTED },
		{ 0x4183, 0, BLKPR_IO_ERROR }, /* status code 83h of another type */
		{ 0x82, 0, BLKPR_BUSY },
		{ 0x371, 0, BLKPR_BUSY },
		{ 0x300, 0, BLKPR_PATH_FAILED },
		{ 0x301, 0, BLKPR_PATH_FAILED },
		{ 0x302, 0, BLKPR_PATH_FAILED },
		{ 0x303, 0, BLKPR_BUSY },
		{ 0x370, 0, BLKPR_PATH_FAILED },
		{ 0x4000, 0, BLKPR_IO_ERROR },
		{ 0x6, 0, BLKPR_IO_ERROR },
	};

	(void)state;
	check_rows(BLKPR_NVME, rows);
}

static void conflict_is_seen_whatever_the_other_bits_say(void **state)
{
	(void)state;
	for (int high = 0; high < 0x100; high++)
		assert_result(blkpr_result_from_ioctl(BLKPR_SCSI, high << 8 | 0x18, 0), BLKPR_CONFLICT);
	for (int high = 0; high < 0x10; high++)
		assert_result(blkpr_result_from_ioctl(BLKPR_NVME, high << 11 | 0x83, 0), BLKPR_CONFLICT);
}

static void errno_is_understood(void **state)
{
	static const struct row rows[] = {
		{ -1, EINVAL, BLKPR_INVALID }, /* traps 5 and 9 */
		{ -1, ENOTTY, BLKPR_UNSUPPORTED },
		{ -1, EOPNOTSUPP, BLKPR_UNSUPPORTED },
		{ -1, EBADE, BLKPR_CONFLICT },
		{ -1, EPERM, BLKPR_DENIED }, /* traps 10 and 14 */
		{ -1, EACCES, BLKPR_DENIED },
		{ -1, ENXIO, BLKPR_GONE },
		{ -1, ENODEV, BLKPR_GONE },
		{ -1, ENOENT, BLKPR_GONE },
		{ -1, EAGAIN, BLKPR_BUSY },
		{ -1, EBUSY, BLKPR_BUSY },
		{ -1, EINTR, BLKPR_BUSY },
		{ -1, ENOTCONN, BLKPR_PATH_FAILED },
		{ -1, ENOLINK, BLKPR_PATH_FAILED },
		{ -1, ETIMEDOUT, BLKPR_PATH_FAILED },
		{ -1, ENOMEM, BLKPR_NO_MEMORY },
		{ -1, EIO, BLKPR_IO_ERROR },
		{ -1, EREMOTEIO, BLKPR_IO_ERROR },
		{ -1, 0, BLKPR_IO_ERROR },
	};

	(void)state;
	check_rows(BLKPR_SCSI, rows);
	check_rows(BLKPR_NVME, rows);
}

static void host_bytes_and_pr_status_are_understood(void **state)
{
	static const struct row rows[] = {
		{ BLKPR_STS_RETRY_PATH_FAILURE, 0, BLKPR_BUSY },
		{ BLKPR_STS_PATH_FAST_FAILED, 0, BLKPR_PATH_FAILED },
		{ 0x20000, 0, BLKPR_BUSY },
		{ 0x30000, 0, BLKPR_PATH_FAILED },
		{ 0x50000, 0, BLKPR_IO_ERROR }, /* DID_ABORT */
		{ 0x70000, 0, BLKPR_IO_ERROR }, /* DID_ERROR */
		{ 0x80000, 0, BLKPR_BUSY },
		{ 0xb0000, 0, BLKPR_BUSY },
		{ 0xc0000, 0, BLKPR_BUSY },
		{ 0xd0000, 0, BLKPR_BUSY },
		{ 0x140000, 0, BLKPR_PATH_FAILED },
		{ 0x70018, 0, BLKPR_IO_ERROR }, /* the host byte outranks the status */
		{ 0x8000002, 0, BLKPR_IO_ERROR }, /* a driver byte */
	};
	static const struct row scsi[] = { { BLKPR_STS_PATH_FAILED, 0, BLKPR_PATH_FAILED } };
	static const struct row nvme[] = { { BLKPR_STS_PATH_FAILED, 0, BLKPR_BUSY } }; /* an ANA transition, too */

	(void)state;
	check_rows(BLKPR_SCSI, rows);
	check_rows(BLKPR_NVME, rows);
	check_rows(BLKPR_SCSI, scsi);
	check_rows(BLKPR_NVME, nvme);
}

static void nothing_but_zero_is_success(void **state)
{
	static const int far[] = { INT_MAX, INT_MIN, -2, 0x1000000, 0x7f000000, 0x10000018 };

	(void)state;
	for (int rc = -1; rc < 0x200000; rc++) {
		if (!rc)
			continue;
		assert_true(blkpr_result_from_ioctl(BLKPR_SCSI, rc, 0) != BLKPR_OK);
		assert_true(blkpr_result_from_ioctl(BLKPR_NVME, rc, 0) != BLKPR_OK);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(far); i++) {
		assert_true(blkpr_result_from_ioctl(BLKPR_SCSI, far[i], 0) != BLKPR_OK);
		assert_true(blkpr_result_from_ioctl(BLKPR_NVME, far[i], 0) != BLKPR_OK);
	}
}

static void no_errno_is_success(void **state)
{
	(void)state;
	for (int err = -200; err < 1000; err++)
		assert_true(blkpr_result_from_errno(err) != BLKPR_OK);
}

static void zero_is_success_whatever_errno_says(void **state)
{
	(void)state;
	assert_result(blkpr_result_from_ioctl(BLKPR_SCSI, 0, EINVAL), BLKPR_OK);
	assert_result(blkpr_result_from_ioctl(BLKPR_NVME, 0, EINVAL), BLKPR_OK);
}

static void every_result_has_a_name_of_its_own_and_a_text(void **state)
{
	(void)state;
	for (int i = 0; i < BLKPR_RESULT_COUNT; i++) {
		assert_non_null(blkpr_result_name(i));
		assert_true(strlen(blkpr_result_name(i)) > 1);
		assert_non_null(blkpr_result_text(i));
		assert_true(strlen(blkpr_result_text(i)) > 1);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(blkpr_result_name(i), blkpr_result_name(j));
	}
}

static void numbers_that_are_no_result_have_a_name(void **state)
{
	(void)state;
	assert_string_equal(blkpr_result_name(BLKPR_RESULT_COUNT), "?");
	assert_string_equal(blkpr_result_name((enum blkpr_result)-1), "?");
	assert_string_equal(blkpr_result_text(BLKPR_RESULT_COUNT), "?");
}

/* The fencer reads these words on stderr as meaning something (STYLE.md). */
static void no_text_contains_words_that_the_fencer_interprets(void **state)
{
	(void)state;
	for (int i = 0; i < BLKPR_RESULT_COUNT; i++) {
		assert_null(strcasestr(blkpr_result_text(i), "timeout"));
		assert_null(strcasestr(blkpr_result_text(i), "timed out"));
		assert_null(strcasestr(blkpr_result_text(i), "unrecognised"));
		assert_null(strcasestr(blkpr_result_name(i), "timeout"));
	}
}

/* An answer about reservations is an answer: it must never let the search for an arbiter go on (S3). */
static void only_silence_is_unreachable(void **state)
{
	static const enum blkpr_result silent[] = { BLKPR_ATTENTION, BLKPR_BUSY, BLKPR_GONE,
		BLKPR_PATH_FAILED, BLKPR_IO_ERROR, BLKPR_UNFINISHED, BLKPR_CRASHED };

	(void)state;
	for (int i = 0; i < BLKPR_RESULT_COUNT; i++) {
		bool expected = false;

		for (unsigned j = 0; j < ARRAY_SIZE(silent); j++)
			expected |= silent[j] == (enum blkpr_result)i;
		assert_int_equal(!!blkpr_result_unreachable(i), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scsi_status_is_understood_on_every_kernel),
		cmocka_unit_test(nvme_status_is_understood_on_every_kernel),
		cmocka_unit_test(conflict_is_seen_whatever_the_other_bits_say),
		cmocka_unit_test(errno_is_understood),
		cmocka_unit_test(host_bytes_and_pr_status_are_understood),
		cmocka_unit_test(nothing_but_zero_is_success),
		cmocka_unit_test(no_errno_is_success),
		cmocka_unit_test(zero_is_success_whatever_errno_says),
		cmocka_unit_test(every_result_has_a_name_of_its_own_and_a_text),
		cmocka_unit_test(numbers_that_are_no_result_have_a_name),
		cmocka_unit_test(no_text_contains_words_that_the_fencer_interprets),
		cmocka_unit_test(only_silence_is_unreachable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
