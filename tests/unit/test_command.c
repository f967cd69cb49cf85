// SPDX-License-Identifier: GPL-2.0-or-later
// The commands: exactly one ioctl each, with exactly these arguments.
#include <errno.h>

#include "lib/command.h"
#include "tests/unit/mock_ioctl.h"
#include "tests/unit/unit.h"

#define OWN 0x6c9d0000aULL
#define VICTIM 0xfedcba9876543210ULL
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY

static const struct blkpr_port scsi = { MOCK_FD, BLKPR_SCSI };
static const struct blkpr_port nvme = { MOCK_FD, BLKPR_NVME };

static const enum pr_type types[] = { PR_WRITE_EXCLUSIVE, PR_EXCLUSIVE_ACCESS, PR_WRITE_EXCLUSIVE_REG_ONLY,
	PR_EXCLUSIVE_ACCESS_REG_ONLY, PR_WRITE_EXCLUSIVE_ALL_REGS, PR_EXCLUSIVE_ACCESS_ALL_REGS };

static void expect_register(uint64_t old_key, uint64_t new_key, int rc)
{
	struct pr_registration want = { .old_key = old_key, .new_key = new_key };

	mock_pr(IOC_PR_REGISTER, &want, sizeof(want), rc, 0);
}

static void expect_reservation(unsigned long request, uint64_t key, unsigned type, int rc)
{
	struct pr_reservation want = { .key = key, .type = type };

	mock_pr(request, &want, sizeof(want), rc, 0);
}

static void expect_preempt(unsigned type, int rc)
{
	struct pr_preempt want = { .old_key = OWN, .new_key = VICTIM, .type = type }; /* trap 0 */

	mock_pr(IOC_PR_PREEMPT_ABORT, &want, sizeof(want), rc, 0);
}

static void register_sends_old_and_new_key(void **state)
{
	(void)state;
	expect_register(OWN, VICTIM, 0);
	assert_result(blkpr_command_register(&scsi, OWN, VICTIM), BLKPR_OK);
}

static void register_of_key_0_is_refused_without_an_ioctl(void **state)
{
	(void)state;
	assert_result(blkpr_command_register(&scsi, OWN, 0), BLKPR_INVALID);
	assert_result(blkpr_command_register(&scsi, 0, 0), BLKPR_INVALID);
	assert_result(blkpr_command_register(&nvme, 0, 0), BLKPR_INVALID);
}

static void unregister_on_scsi_registers_key_0(void **state)
{
	(void)state;
	expect_register(OWN, 0, 0);
	assert_result(blkpr_command_unregister(&scsi, OWN), BLKPR_OK);
}

static void unregister_on_nvme_goes_by_passthrough(void **state)
{
	static const uint8_t keys[16] = { 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe };
	const struct mock_nvme call = { .opcode = 0x0d, .cdw10 = 1, .data = keys, .data_len = 16 };

	(void)state; /* trap 2: IOC_PR_REGISTER would leave the host registered with key 0 */
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&call);
	assert_result(blkpr_command_unregister(&nvme, VICTIM), BLKPR_OK);
}

static void unregister_of_key_0_is_refused_without_an_ioctl(void **state)
{
	(void)state;
	assert_result(blkpr_command_unregister(&scsi, 0), BLKPR_INVALID);
	assert_result(blkpr_command_unregister(&nvme, 0), BLKPR_INVALID);
}

static void unregister_on_nvme_gives_the_controllers_verdict(void **state)
{
	static const uint8_t keys[16] = { 0x0a, 0, 0xd0, 0xc9, 0x06 };
	const struct mock_nvme call = {
		.opcode = 0x0d, .cdw10 = 1, .data = keys, .data_len = 16, .rc = 0x4083 };

	(void)state;
	mock_nvme_id(MOCK_NSID, 0);
	mock_nvme(&call);
	assert_result(blkpr_command_unregister(&nvme, OWN), BLKPR_CONFLICT);
}

static void reserve_sends_key_and_each_type_without_flags(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		expect_reservation(IOC_PR_RESERVE, OWN, types[i], 0);
		assert_result(blkpr_command_reserve(&scsi, OWN, types[i]), BLKPR_OK);
	}
}

static void release_sends_key_and_each_type_without_flags(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		expect_reservation(IOC_PR_RELEASE, OWN, types[i], 0);
		assert_result(blkpr_command_release(&scsi, OWN, types[i]), BLKPR_OK);
	}
}

static void preempt_and_abort_puts_the_callers_key_first(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		expect_preempt(types[i], 0);
		assert_result(blkpr_command_preempt_abort(&nvme, OWN, VICTIM, types[i]), BLKPR_OK);
	}
}

static void preempt_of_oneself_is_refused_without_an_ioctl(void **state)
{
	(void)state; /* as a mere registrant it would remove the caller: return code table */
	assert_result(blkpr_command_preempt_abort(&scsi, OWN, OWN, TYPE), BLKPR_INVALID);
	assert_result(blkpr_command_preempt_abort(&nvme, OWN, OWN, TYPE), BLKPR_INVALID);
}

static void preempt_with_key_0_is_refused_without_an_ioctl(void **state)
{
	(void)state; /* victim 0 under an all-registrants type removes everybody */
	assert_result(blkpr_command_preempt_abort(&scsi, OWN, 0, PR_WRITE_EXCLUSIVE_ALL_REGS), BLKPR_INVALID);
	assert_result(blkpr_command_preempt_abort(&scsi, 0, VICTIM, TYPE), BLKPR_INVALID);
	assert_result(blkpr_command_preempt_abort(&scsi, 0, 0, TYPE), BLKPR_INVALID);
}

static void a_conflict_is_the_verdict_of_each_command(void **state)
{
	(void)state;
	expect_register(0, OWN, 0x18);
	assert_result(blkpr_command_register(&scsi, 0, OWN), BLKPR_CONFLICT);
	expect_register(OWN, 0, 0x18);
	assert_result(blkpr_command_unregister(&scsi, OWN), BLKPR_CONFLICT);
	expect_reservation(IOC_PR_RESERVE, OWN, TYPE, 0x118);
	assert_result(blkpr_command_reserve(&scsi, OWN, TYPE), BLKPR_CONFLICT);
	expect_reservation(IOC_PR_RELEASE, OWN, TYPE, 0x4083);
	assert_result(blkpr_command_release(&nvme, OWN, TYPE), BLKPR_CONFLICT);
	expect_preempt(TYPE, 0x18);
	assert_result(blkpr_command_preempt_abort(&nvme, OWN, VICTIM, TYPE), BLKPR_CONFLICT);
}

static void a_refused_system_call_gives_the_verdict_of_its_errno(void **state)
{
	struct pr_reservation want = { .key = OWN, .type = TYPE };

	(void)state;
	mock_pr(IOC_PR_RESERVE, &want, sizeof(want), -1, EOPNOTSUPP);
	assert_result(blkpr_command_reserve(&scsi, OWN, TYPE), BLKPR_UNSUPPORTED);
	mock_pr(IOC_PR_RESERVE, &want, sizeof(want), -1, EPERM);
	assert_result(blkpr_command_reserve(&scsi, OWN, TYPE), BLKPR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		mock_test(register_sends_old_and_new_key),
		mock_test(register_of_key_0_is_refused_without_an_ioctl),
		mock_test(unregister_on_scsi_registers_key_0),
		mock_test(unregister_on_nvme_goes_by_passthrough),
		mock_test(unregister_of_key_0_is_refused_without_an_ioctl),
		mock_test(unregister_on_nvme_gives_the_controllers_verdict),
		mock_test(reserve_sends_key_and_each_type_without_flags),
		mock_test(release_sends_key_and_each_type_without_flags),
		mock_test(preempt_and_abort_puts_the_callers_key_first),
		mock_test(preempt_of_oneself_is_refused_without_an_ioctl),
		mock_test(preempt_with_key_0_is_refused_without_an_ioctl),
		mock_test(a_conflict_is_the_verdict_of_each_command),
		mock_test(a_refused_system_call_gives_the_verdict_of_its_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
