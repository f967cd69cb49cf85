// SPDX-License-Identifier: GPL-2.0-or-later
// The model disk itself, against KERNEL.md's table of return codes: what is proven on it is worth as much.
#include "tests/unit/model.h"
#include "tests/unit/unit.h"

#define A 0xa
#define B 0xb
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define ALL PR_WRITE_EXCLUSIVE_ALL_REGS

static struct model model;

/* A on nexus 0 and B on nexus 1, reservation TYPE held by HOLDER. */
static void both(enum blkpr_kind kind, int holder)
{
	model_init(&model, kind);
	model_set_key(&model, 0, A);
	model_set_key(&model, 1, B);
	if (holder != MODEL_NOBODY)
		model_set_reservation(&model, TYPE, holder);
}

static void preempt_by_an_unregistered_nexus_conflicts(void **state)
{
	(void)state;
	both(BLKPR_SCSI, 0);
	assert_result(model_preempt_abort(&model, 2, A, B, TYPE), BLKPR_CONFLICT);
	assert_true(model_has(&model, B));
}

static void preempt_with_a_wrong_own_key_conflicts(void **state)
{
	(void)state;
	both(BLKPR_SCSI, 0);
	assert_result(model_preempt_abort(&model, 0, 0xc, B, TYPE), BLKPR_CONFLICT);
}

static void preempt_of_an_absent_key_conflicts(void **state)
{
	(void)state;
	both(BLKPR_SCSI, 0);
	assert_result(model_preempt_abort(&model, 0, A, 0xc, TYPE), BLKPR_CONFLICT);
}

static void preempt_of_the_holder_takes_the_reservation_over(void **state)
{
	(void)state;
	both(BLKPR_SCSI, 1);
	assert_result(model_preempt_abort(&model, 0, A, B, TYPE), BLKPR_OK);
	assert_false(model_has(&model, B));
	assert_int_equal(model.holder, 0);
	assert_int_equal(model.type, TYPE);
}

static void preempt_of_a_registrant_leaves_the_holder(void **state)
{
	(void)state;
	both(BLKPR_SCSI, 0);
	model_set_key(&model, 2, 0xc);
	assert_result(model_preempt_abort(&model, 2, 0xc, B, TYPE), BLKPR_OK);
	assert_int_equal(model.holder, 0);
}

static void preempt_with_nothing_reserved_makes_no_reservation(void **state)
{
	(void)state;
	both(BLKPR_NVME, MODEL_NOBODY);
	assert_result(model_preempt_abort(&model, 0, A, B, TYPE), BLKPR_OK);
	assert_int_equal(model.type, 0);
	assert_false(model_has(&model, B));
}

static void the_quirk_makes_preempt_by_the_holder_change_the_type_and_nothing_else(void **state)
{
	uint32_t generation;

	(void)state;
	both(BLKPR_NVME, 0);
	model.noop_quirk = true;
	generation = model.generation;
	assert_result(model_preempt_abort(&model, 0, A, B, ALL), BLKPR_OK);
	assert_true(model_has(&model, B));
	assert_int_equal(model.generation, generation + 1);
	assert_int_equal(model.type, ALL);
	assert_result(model_preempt_abort(&model, 0, A, B, ALL), BLKPR_OK);
	assert_false(model_has(&model, B));
	both(BLKPR_NVME, 0);
	model.noop_quirk = true;
	assert_result(model_preempt_abort(&model, 1, B, A, TYPE), BLKPR_OK);
	assert_false(model_has(&model, A));
}

static void reserve_twice_is_right_for_the_holder_only(void **state)
{
	(void)state;
	both(BLKPR_SCSI, 0);
	assert_result(model_reserve(&model, 0, A, TYPE), BLKPR_OK);
	assert_result(model_reserve(&model, 0, A, ALL), BLKPR_CONFLICT);
	assert_result(model_reserve(&model, 1, B, TYPE), BLKPR_CONFLICT);
	assert_result(model_reserve(&model, 2, A, TYPE), BLKPR_CONFLICT);
}

static void the_holders_registration_takes_its_reservation_with_it(void **state)
{
	(void)state;
	both(BLKPR_SCSI, 0);
	model_unregister(&model, 1);
	assert_int_equal(model.type, TYPE);
	model_unregister(&model, 0);
	assert_int_equal(model.type, 0);
}

static void all_registrants_hold_until_the_last_is_gone(void **state)
{
	(void)state;
	both(BLKPR_SCSI, MODEL_NOBODY);
	assert_result(model_reserve(&model, 0, A, ALL), BLKPR_OK);
	assert_result(model_reserve(&model, 1, B, ALL), BLKPR_OK);
	model_unregister(&model, 0);
	assert_int_equal(model.type, ALL);
	model_unregister(&model, 1);
	assert_int_equal(model.type, 0);
}

static void register_replaces_the_old_key_only(void **state)
{
	(void)state;
	for (unsigned kind = BLKPR_SCSI; kind <= BLKPR_NVME; kind++) {
		both(kind, 0);
		assert_result(model_register(&model, 0, 0, 0xc), BLKPR_CONFLICT);
		assert_result(model_register(&model, 0, 0xc, 0xc), BLKPR_CONFLICT);
		assert_true(model_has(&model, A));
		assert_result(model_register(&model, 0, A, 0xc), BLKPR_OK);
		assert_true(model_has(&model, 0xc));
		assert_false(model_has(&model, A));
		assert_result(model_register(&model, 0, 0xc, 0), BLKPR_OK);
		assert_false(model.nexus[0].registered);
	}
}

static void an_nvme_host_may_register_its_key_again(void **state)
{
	(void)state;
	both(BLKPR_NVME, 0);
	assert_result(model_register(&model, 0, 0, A), BLKPR_OK);
	both(BLKPR_SCSI, 0);
	assert_result(model_register(&model, 0, 0, A), BLKPR_CONFLICT);
}

static void only_those_who_may_write_do(void **state)
{
	(void)state;
	both(BLKPR_SCSI, 0);
	assert_true(model_may_write(&model, 1));
	assert_false(model_may_write(&model, 2));
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 0);
	assert_true(model_may_write(&model, 0));
	assert_false(model_may_write(&model, 1));
	model_set_reservation(&model, 0, MODEL_NOBODY);
	assert_true(model_may_write(&model, 2));
}

/* Whether the victim's write is in flight after its eviction from a disk held by HOLDER (MODEL_NOBODY: all). */
static bool outlives_preempt(enum blkpr_kind kind, int holder, bool aborts_all)
{
	both(kind, holder);
	if (holder == MODEL_NOBODY)
		model_set_reservation(&model, ALL, MODEL_NOBODY);
	model.aborts_all = aborts_all;
	model_write(&model);
	assert_true(model.nexus[1].in_flight);
	assert_result(model_preempt_abort(&model, 0, A, B, TYPE), BLKPR_OK);
	assert_false(model_has(&model, B));
	assert_true(model.nexus[0].in_flight);
	return model.nexus[1].in_flight;
}

static void preempt_and_abort_ends_what_a_holder_has_in_flight(void **state)
{
	(void)state; /* LIO */
	assert_false(outlives_preempt(BLKPR_SCSI, 1, false));
	assert_true(outlives_preempt(BLKPR_SCSI, 0, false));
	assert_true(outlives_preempt(BLKPR_SCSI, MODEL_NOBODY, false));
}

static void preempt_and_abort_ends_what_any_victim_has_in_flight_elsewhere(void **state)
{
	(void)state; /* SPC-4, NVMe */
	for (int holder = MODEL_NOBODY; holder <= 1; holder++) {
		assert_false(outlives_preempt(BLKPR_SCSI, holder, true));
		assert_false(outlives_preempt(BLKPR_NVME, holder, false));
	}
}

static void a_drain_ends_what_everybody_has_in_flight(void **state)
{
	(void)state;
	both(BLKPR_SCSI, MODEL_NOBODY);
	model_write(&model);
	model.drain_result = BLKPR_UNDRAINED;
	assert_result(model_drain(&model), BLKPR_UNDRAINED);
	for (unsigned i = 0; i < MODEL_NEXUSES; i++)
		assert_true(model.nexus[i].in_flight);
	model.drain_result = BLKPR_OK;
	assert_result(model_drain(&model), BLKPR_OK);
	for (unsigned i = 0; i < MODEL_NEXUSES; i++)
		assert_false(model.nexus[i].in_flight);
	assert_true(model_has(&model, A) && model_has(&model, B));
	model.kind = BLKPR_NVME;
	assert_result(model_drain(&model), BLKPR_UNDRAINED);
}

static void initiators_are_hosts_not_nexuses(void **state)
{
	unsigned initiators = 9;

	(void)state;
	both(BLKPR_SCSI, 0);
	assert_result(model_initiators(&model, 0xc, &initiators), BLKPR_OK);
	assert_int_equal(initiators, 0);
	model_set_key(&model, 2, A);
	model_set_key(&model, 3, A);
	assert_result(model_initiators(&model, A, &initiators), BLKPR_OK);
	assert_int_equal(initiators, 3);
	model_connect(&model, 2, 2);
	assert_result(model_initiators(&model, A, &initiators), BLKPR_OK);
	assert_int_equal(initiators, 2);
	model.kind = BLKPR_NVME;
	assert_result(model_initiators(&model, A, &initiators), BLKPR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preempt_by_an_unregistered_nexus_conflicts),
		cmocka_unit_test(preempt_with_a_wrong_own_key_conflicts),
		cmocka_unit_test(preempt_of_an_absent_key_conflicts),
		cmocka_unit_test(preempt_of_the_holder_takes_the_reservation_over),
		cmocka_unit_test(preempt_of_a_registrant_leaves_the_holder),
		cmocka_unit_test(preempt_with_nothing_reserved_makes_no_reservation),
		cmocka_unit_test(the_quirk_makes_preempt_by_the_holder_change_the_type_and_nothing_else),
		cmocka_unit_test(reserve_twice_is_right_for_the_holder_only),
		cmocka_unit_test(the_holders_registration_takes_its_reservation_with_it),
		cmocka_unit_test(all_registrants_hold_until_the_last_is_gone),
		cmocka_unit_test(register_replaces_the_old_key_only),
		cmocka_unit_test(an_nvme_host_may_register_its_key_again),
		cmocka_unit_test(only_those_who_may_write_do),
		cmocka_unit_test(preempt_and_abort_ends_what_a_holder_has_in_flight),
		cmocka_unit_test(preempt_and_abort_ends_what_any_victim_has_in_flight_elsewhere),
		cmocka_unit_test(a_drain_ends_what_everybody_has_in_flight),
		cmocka_unit_test(initiators_are_hosts_not_nexuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
