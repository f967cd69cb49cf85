// SPDX-License-Identifier: GPL-2.0-or-later
// The resource agent's protocols on the model disk.
#include <string.h>

#include "lib/clock.h"
#include "lib/hold.h"
#include "tests/unit/model.h"
#include "tests/unit/unit.h"

#define OWN 0xa
#define OTHER 0xb
#define THIRD 0xc
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY

static const enum pr_type types[] = { PR_WRITE_EXCLUSIVE, PR_EXCLUSIVE_ACCESS, PR_WRITE_EXCLUSIVE_REG_ONLY,
	PR_EXCLUSIVE_ACCESS_REG_ONLY, PR_WRITE_EXCLUSIVE_ALL_REGS, PR_EXCLUSIVE_ACCESS_ALL_REGS };

static const struct blkpr_hold alone = { .type = TYPE, .evict = true };
static const struct blkpr_hold polite = { .type = TYPE };
static const struct blkpr_hold shared = { .type = PR_WRITE_EXCLUSIVE, .evict = true, .shared = true };
static const struct blkpr_hold managed = { .type = TYPE, .managed = true };

static struct model model;
static struct blkpr_verdict verdict;

static enum blkpr_result run_as(blkpr_protocol *protocol, const struct blkpr_hold *hold, unsigned nexus, uint64_t key,
	bool keep)
{
	struct model_disk node = model_connect(&model, nexus, 1);
	struct blkpr_target target = { .own = key, .keep = keep };

	verdict = (struct blkpr_verdict){ 0 };
	protocol(hold, &target, &node.disk, &verdict);
	return verdict.result;
}

static enum blkpr_result run(blkpr_protocol *protocol, const struct blkpr_hold *hold)
{
	return run_as(protocol, hold, 0, OWN, false);
}

static void fresh(void)
{
	model_init(&model, BLKPR_SCSI);
}

static void check_holds_alone(enum pr_type type)
{
	assert_int_equal(model.type, type);
	assert_true(model_has(&model, OWN));
	assert_false(model_has(&model, OTHER));
	assert_false(model_has(&model, THIRD));
	assert_true(model_may_write(&model, 0));
	assert_false(model_may_write(&model, 1));
	for (unsigned i = 1; i < MODEL_NEXUSES; i++)
		assert_false(model.nexus[i].in_flight);
}

/* --- take ----------------------------------------------------------------------------------------- */

static void take_of_a_virgin_disk_registers_and_reserves(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct blkpr_hold hold = { .type = types[i], .evict = true };

		fresh();
		model_write(&model);
		assert_result(run(blkpr_hold_take_disk, &hold), BLKPR_OK);
		check_holds_alone(types[i]);
		assert_true(verdict.won);
		assert_false(verdict.kept);
	}
}

/* Whatever another one holds, and whatever we want: at the end it is ours, and nobody else writes. */
static void take_gets_the_reservation_from_whoever_holds_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		for (unsigned j = 0; j < ARRAY_SIZE(types); j++) {
			struct blkpr_hold hold = { .type = types[i], .evict = true };

			fresh();
			model_set_key(&model, 1, OTHER);
			model_set_key(&model, 2, THIRD);
			model_set_reservation(&model, types[j], 1);
			model_write(&model);
			assert_result(run(blkpr_hold_take_disk, &hold), BLKPR_OK);
			assert_true(model_may_write(&model, 0));
			assert_false(model_has(&model, OTHER));
			assert_false(model_has(&model, THIRD));
			assert_false(model_may_write(&model, 1));
			for (unsigned k = 1; k < MODEL_NEXUSES; k++)
				assert_false(model.nexus[k].in_flight);
			assert_result(run(blkpr_hold_watch_disk, &hold), BLKPR_OK);
		}
}

/* nvmet before Linux 7.3 (KERNEL.md trap 1). Plain types let nobody but the holder in, so no other type is taken meanwhile. */
static void take_evicts_where_a_holders_preempt_only_changes_the_type(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct blkpr_hold hold = { .type = types[i], .evict = true };
		bool plain = types[i] < PR_WRITE_EXCLUSIVE_REG_ONLY;

		model_init(&model, BLKPR_NVME);
		model.noop_quirk = true;
		model_set_key(&model, 1, OTHER);
		model_set_reservation(&model, types[i], 1);
		model_write(&model);
		assert_result(run(blkpr_hold_take_disk, &hold), BLKPR_OK); /* the holder */
		check_holds_alone(types[i]);
		model_set_key(&model, 2, THIRD);
		model_write(&model);
		assert_result(run(blkpr_hold_take_disk, &hold), plain ? BLKPR_UNEVICTED : BLKPR_OK);
		if (plain) {
			assert_int_equal(model.type, types[i]);
			assert_false(model_may_write(&model, 2));
			continue;
		}
		check_holds_alone(types[i] & 1 ? PR_WRITE_EXCLUSIVE_ALL_REGS : PR_EXCLUSIVE_ACCESS_ALL_REGS);
		assert_result(run(blkpr_hold_watch_disk, &hold), BLKPR_OK);
		assert_result(run(blkpr_hold_leave_disk, &hold), BLKPR_OK);
		assert_int_equal(model.type, 0);
	}
}

static void take_evicts_registrants_of_an_open_disk(void **state)
{
	(void)state;
	fresh();
	for (unsigned i = 1; i < MODEL_NEXUSES; i++)
		model_set_key(&model, i, OTHER + i);
	model_write(&model);
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_OK);
	assert_int_equal(verdict.evicted, MODEL_NEXUSES - 1);
	check_holds_alone(TYPE);
}

static void take_again_changes_nothing_but_the_registration(void **state)
{
	(void)state;
	fresh();
	run(blkpr_hold_take_disk, &alone);
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_OK);
	check_holds_alone(TYPE);
	assert_true(verdict.kept);
	assert_int_equal(model_count(&model, 'S'), 1);
	assert_int_equal(verdict.evicted, 0);
}

static void polite_take_changes_nothing_where_others_are(void **state)
{
	(void)state;
	fresh();
	model_set_key(&model, 1, OTHER);
	assert_result(run(blkpr_hold_take_disk, &polite), BLKPR_STRANGERS);
	assert_true(model_only_read(&model));
	model_set_reservation(&model, TYPE, 1);
	assert_result(run(blkpr_hold_take_disk, &polite), BLKPR_TAKEN);
	assert_int_equal(verdict.offender, OTHER);
	assert_true(model_only_read(&model));
	model_unregister(&model, 1);
	assert_result(run(blkpr_hold_take_disk, &polite), BLKPR_OK);
	check_holds_alone(TYPE);
}

/* A backup host's, another cluster's: whoever holds, and whatever else is registered. */
static void take_and_promote_evict_nobody_elses_key(void **state)
{
	static const uint64_t ours[] = { OTHER };
	const struct blkpr_hold cluster = { .type = TYPE, .evict = true, .ours = ours, .nours = ARRAY_SIZE(ours) };

	(void)state;
	for (unsigned holder = 0; holder < 3; holder++) {
		fresh();
		model_set_key(&model, 1, OTHER);
		model_set_key(&model, 2, THIRD);
		if (holder)
			model_set_reservation(&model, TYPE, holder);
		assert_result(run(blkpr_hold_foresee_disk, &cluster), BLKPR_STRANGERS);
		assert_result(run(blkpr_hold_take_disk, &cluster), BLKPR_STRANGERS);
		assert_int_equal(verdict.offender, THIRD);
		assert_true(model_only_read(&model));
	}
	model_set_key(&model, 0, OWN);
	assert_result(run(blkpr_hold_foresee_promotion_disk, &cluster), BLKPR_TAKEN);
	assert_result(run(blkpr_hold_promote_disk, &cluster), BLKPR_TAKEN);
	assert_int_equal(verdict.offender, THIRD);
	assert_true(model_only_read(&model));
	model_unregister(&model, 2);
	assert_result(run(blkpr_hold_foresee_disk, &cluster), BLKPR_OK);
	assert_result(run(blkpr_hold_take_disk, &cluster), BLKPR_OK);
	check_holds_alone(TYPE);
}

static bool register_a_stranger_after_ours(struct model *m, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'R' && model_count(m, 'G') && !model_has(m, THIRD))
		model_set_key(m, 2, THIRD);
	return false;
}

static void take_evicts_no_strangers_key_that_comes_meanwhile(void **state)
{
	static const uint64_t ours[] = { OTHER };
	const struct blkpr_hold cluster = { .type = TYPE, .evict = true, .ours = ours, .nours = ARRAY_SIZE(ours) };

	(void)state;
	fresh();
	model_set_key(&model, 1, OTHER);
	model.before = register_a_stranger_after_ours;
	assert_result(run(blkpr_hold_take_disk, &cluster), BLKPR_STRANGERS);
	assert_true(model_has(&model, THIRD));
	assert_true(model_has(&model, OTHER));
}

static bool evict_us_after_register(struct model *m, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'R' && model_count(m, 'G') && model_has(m, OWN)) {
		model_unregister(m, 0);
		model_set_key(m, 1, OTHER);
		model_set_reservation(m, TYPE, 1);
	}
	return false;
}

static void take_that_is_evicted_meanwhile_has_lost(void **state)
{
	(void)state;
	fresh();
	model.before = evict_us_after_register;
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_EVICTED);
	assert_int_equal(model_count(&model, 'G'), 1);
	assert_true(model_has(&model, OTHER));
	assert_false(verdict.won);
}

static void take_and_promote_fail_where_commands_in_flight_do_not_end(void **state)
{
	static blkpr_protocol *const protocols[] = { blkpr_hold_take_disk, blkpr_hold_promote_disk };

	(void)state; /* S1 */
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
		fresh();
		model_set_key(&model, 0, OWN);
		model_set_key(&model, 1, OTHER);
		model_set_reservation(&model, TYPE, 1);
		model.drain_result = BLKPR_UNDRAINED;
		assert_result(run(protocols[i], &alone), BLKPR_UNDRAINED);
	}
}

static void take_and_promote_rest_on_what_is_known_or_said(void **state)
{
	static blkpr_protocol *const protocols[] = { blkpr_hold_take_disk, blkpr_hold_promote_disk };

	(void)state; /* S1 */
	for (unsigned n = 0; n < ARRAY_SIZE(protocols) * BLKPR_REACHES * BLKPR_IN_FLIGHTS * 2; n++) {
		enum blkpr_reach reach = n / 4 % BLKPR_REACHES;
		struct blkpr_hold how = alone;
		enum blkpr_rests best;
		bool other = n & 1;

		how.in_flight = n / 4 / BLKPR_REACHES;
		best = blkpr_flight_rests(reach, how.in_flight);
		if (best == BLKPR_RESTS_ON_ABORT && !other)
			best = BLKPR_RESTS_ON_EARLIER;
		fresh();
		model.kind = reach == BLKPR_REACH_NVME ? BLKPR_NVME : BLKPR_SCSI;
		model.reach = reach;
		model_set_key(&model, 0, OWN);
		model_set_reservation(&model, TYPE, 0);
		if (other) {
			model_set_key(&model, 1, OTHER);
			model_set_reservation(&model, TYPE, 1);
		} else {
			model.nexus[1].in_flight = model.aborting = true; /* somebody is at it */
		}
		assert_result(run(protocols[n / 2 % 2], &how), best ? BLKPR_OK : BLKPR_UNDRAINABLE);
		assert_int_equal(verdict.rests, best);
		assert_int_equal(model_count(&model, 'D'), best >= BLKPR_RESTS_ON_WORD);
		assert_false(best == BLKPR_RESTS_ON_EARLIER && model.nexus[1].in_flight);
	}
}

/* Somebody registers and writes after the drain; that it is evicted is not reported. */
static bool come_after_the_drain(struct model *m, char op, enum blkpr_result *result)
{
	if (op == 'R' && model_count(m, 'D') == 1 && model_count(m, 'P') == 1) {
		model_set_key(m, 2, THIRD);
		m->nexus[2].in_flight = true;
	}
	if (op != 'P' || model_count(m, 'P') != 2)
		return false;
	model_preempt_abort(m, 0, OWN, THIRD, TYPE);
	*result = BLKPR_CONFLICT; /* of the command repeated after a unit attention */
	return true;
}

static void take_drains_after_an_eviction_that_was_not_reported(void **state)
{
	(void)state; /* S1 */
	fresh();
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	model_write(&model);
	model.before = come_after_the_drain;
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_OK);
	check_holds_alone(TYPE);
	assert_int_equal(model_count(&model, 'D'), 2);
}

/* Somebody registers after the drain, writes, and is gone before the next look. */
static bool come_and_go_after_the_drain(struct model *m, char op, enum blkpr_result *result)
{
	(void)result;
	if (op != 'R' || model_count(m, 'D') != 1 || m->nexus[2].in_flight)
		return false;
	model_set_key(m, 2, THIRD);
	model_write(m);
	model_unregister(m, 2);
	return false;
}

static void a_drain_does_not_hold_for_who_came_and_went_unseen(void **state)
{
	static blkpr_protocol *const protocols[] = { blkpr_hold_take_disk, blkpr_hold_promote_disk };

	(void)state; /* S1: the generation alone tells */
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
		fresh();
		model_set_key(&model, 0, OWN);
		model_set_reservation(&model, TYPE, 0);
		model.before = come_and_go_after_the_drain;
		assert_result(run(protocols[i], &alone), BLKPR_OK);
		check_holds_alone(TYPE);
		assert_int_equal(model_count(&model, 'D'), 2);
	}
}

/* LIO without its directory (KERNEL.md trap 7): it does it, cannot store that, and fails. */
static bool do_and_fail(struct model *m, char op, enum blkpr_result *result)
{
	const uint64_t passing = OWN ^ 0xb1d6e5a95c3f7281; /* that shed() takes for a moment */

	if (op == 'G')
		model_set_key(m, 0, model_has(m, OWN) ? passing : OWN);
	else if (op == 'U')
		model_unregister(m, 0);
	else
		return false;
	*result = BLKPR_IO_ERROR;
	return true;
}

static void what_a_target_does_and_cannot_store_is_done(void **state)
{
	(void)state;
	fresh();
	model.before = do_and_fail;
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_OK);
	assert_true(verdict.forgets);
	check_holds_alone(TYPE);
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_OK); /* sheds own, and comes back */
	check_holds_alone(TYPE);
	assert_result(run(blkpr_hold_leave_disk, &alone), BLKPR_OK);
	assert_false(model_has(&model, OWN));
	assert_result(run(blkpr_hold_join_disk, &shared), BLKPR_OK);
	assert_true(verdict.forgets);
}

/* --- interrupted and interleaved ------------------------------------------------------------------ */

static unsigned stop_at;

static bool answer_nothing(struct model *m, char op, enum blkpr_result *result)
{
	(void)op;
	if (m->ops != stop_at)
		return false;
	*result = BLKPR_IO_ERROR;
	return true;
}

/* Killed before any of its operations, and repeated. */
static void take_and_leave_converge_from_anywhere(void **state)
{
	enum blkpr_result result;

	(void)state;
	for (stop_at = 1;; stop_at++) {
		fresh();
		model_set_key(&model, 1, OTHER);
		model_set_reservation(&model, PR_EXCLUSIVE_ACCESS, 1);
		model_write(&model);
		model.before = answer_nothing;
		result = run(blkpr_hold_take_disk, &alone);
		model.before = NULL;
		assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_OK);
		check_holds_alone(TYPE);
		model.ops = 0;
		model.before = answer_nothing;
		result = run(blkpr_hold_leave_disk, &alone) == BLKPR_OK ? result : BLKPR_IO_ERROR;
		model.before = NULL;
		assert_result(run(blkpr_hold_leave_disk, &alone), BLKPR_OK);
		assert_false(model_has(&model, OWN));
		assert_int_equal(model.type, 0);
		if (result == BLKPR_OK)
			break;
	}
	assert_true(stop_at > 5);
}

/* Own key was there before, of this session or of a dead one: it is shed under a key that passes, wherever that ends. */
static void what_a_killed_run_has_left_is_given_back(void **state)
{
	static blkpr_protocol *const protocols[] = { blkpr_hold_take_disk, blkpr_hold_leave_disk };

	(void)state;
	for (unsigned p = 0; p < ARRAY_SIZE(protocols); p++)
		for (unsigned nexus = 0; nexus <= 5; nexus += 5)
			for (stop_at = 1; stop_at < 15; stop_at++) {
				fresh();
				model_set_key(&model, nexus, OWN);
				model_set_reservation(&model, TYPE, (int)nexus);
				model.before = answer_nothing;
				run(protocols[p], &alone);
				model.before = NULL;
				assert_result(run(blkpr_hold_leave_disk, &alone), BLKPR_OK);
				for (unsigned i = 0; i < MODEL_NEXUSES; i++)
					assert_false(model.nexus[i].registered);
				assert_int_equal(model.type, 0);
			}
}

static enum blkpr_result others_result;

static bool let_other_take(struct model *m, char op, enum blkpr_result *result)
{
	struct model_disk node;
	struct blkpr_target target = { .own = OTHER };
	struct blkpr_verdict others = { 0 };

	(void)op;
	(void)result;
	if (m->ops != stop_at)
		return false;
	m->before = NULL;
	node = model_connect(m, 1, 1);
	blkpr_hold_take_disk(&alone, &target, &node.disk, &others);
	others_result = others.result;
	return false;
}

/* nvmet before Linux 7.3; our own reservation, and others are registered, so that each has to be evicted by its holder. */
static void fresh_where_a_holder_cannot_evict(void)
{
	model_init(&model, BLKPR_NVME);
	model.noop_quirk = true;
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 2, THIRD);
	model_set_reservation(&model, TYPE, 0);
	model_write(&model);
}

/* Whoever is not registered may not write at any moment, wherever it is killed. */
static void take_converges_where_a_holder_cannot_evict(void **state)
{
	enum blkpr_result result = BLKPR_IO_ERROR;

	(void)state;
	for (stop_at = 1; result != BLKPR_OK; stop_at++) {
		fresh_where_a_holder_cannot_evict();
		model.before = answer_nothing;
		result = run(blkpr_hold_take_disk, &alone);
		assert_false(model_may_write(&model, 5));
		model.before = NULL;
		assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_OK);
		check_holds_alone(PR_WRITE_EXCLUSIVE_ALL_REGS);
	}
	assert_true(stop_at > 10);
}

/* Another node takes, all of it, between any two operations of ours: one of both holds at the end, and knows. */
static void check_of_two_that_take_one_holds(void (*begin)(void))
{
	bool interrupted = true, lost = false, won = false;

	for (stop_at = 1; interrupted; stop_at++) {
		enum blkpr_result result;

		begin();
		model.before = let_other_take;
		others_result = BLKPR_UNTOUCHED;
		result = run(blkpr_hold_take_disk, &alone);
		interrupted = others_result != BLKPR_UNTOUCHED;
		if (!interrupted)
			break;
		assert_true(model_has(&model, OWN) != model_has(&model, OTHER));
		assert_result(others_result, BLKPR_OK);
		if (result == BLKPR_OK) {
			assert_true(model_has(&model, OWN)); /* we came after */
			won = true;
		} else {
			assert_result(result, BLKPR_EVICTED);
			assert_true(model_has(&model, OTHER));
			lost = true;
		}
		assert_false(model_has(&model, THIRD) || model_may_write(&model, 5));
	}
	assert_true(won && lost);
}

static void of_two_that_take_one_holds(void **state)
{
	(void)state;
	check_of_two_that_take_one_holds(fresh);
	check_of_two_that_take_one_holds(fresh_where_a_holder_cannot_evict);
}

/* --- leave ---------------------------------------------------------------------------------------- */

static void leave_gives_all_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct blkpr_hold hold = { .type = types[i], .evict = true };

		fresh();
		run(blkpr_hold_take_disk, &hold);
		assert_result(run(blkpr_hold_leave_disk, &hold), BLKPR_OK);
		assert_int_equal(model.type, 0);
		assert_false(model_has(&model, OWN));
	}
}

static void leave_keeps_a_registration_that_was_there_before(void **state)
{
	(void)state;
	fresh();
	run(blkpr_hold_take_disk, &alone);
	assert_result(run_as(blkpr_hold_leave_disk, &alone, 0, OWN, true), BLKPR_OK);
	assert_int_equal(model.type, 0);
	assert_true(model_has(&model, OWN));
}

static void leave_touches_nothing_of_others(void **state)
{
	(void)state;
	fresh();
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	assert_result(run(blkpr_hold_leave_disk, &alone), BLKPR_OK); /* evicted: nothing left to give back */
	assert_true(model_only_read(&model));
	model_set_key(&model, 0, OWN);
	assert_result(run(blkpr_hold_leave_disk, &alone), BLKPR_OK);
	assert_false(model_has(&model, OWN));
	assert_true(model_has(&model, OTHER));
	assert_int_equal(model.type, TYPE);
	model_set_key(&model, 0, OWN);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE_ALL_REGS, MODEL_NOBODY);
	assert_result(run(blkpr_hold_leave_disk, &alone), BLKPR_OK); /* all hold: it must not be released */
	assert_false(model_has(&model, OWN));
	assert_int_equal(model.type, PR_WRITE_EXCLUSIVE_ALL_REGS);
}

static bool refuse_all_reads(struct model *m, char op, enum blkpr_result *result)
{
	(void)m;
	*result = BLKPR_PATH_FAILED;
	return op == 'R';
}

static void nothing_is_concluded_from_a_disk_that_cannot_be_read(void **state)
{
	static blkpr_protocol *const protocols[] = { blkpr_hold_take_disk, blkpr_hold_join_disk,
		blkpr_hold_promote_disk, blkpr_hold_demote_disk, blkpr_hold_leave_disk, blkpr_hold_watch_disk };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
		fresh();
		model.before = refuse_all_reads;
		assert_result(run(protocols[i], &alone), BLKPR_PATH_FAILED);
		assert_true(model_only_read(&model));
	}
}

/* --- run again ------------------------------------------------------------------------------------ */

static bool errs_once_after_its_drain(struct model *ours, char op, enum blkpr_result *result)
{
	*result = BLKPR_IO_ERROR;
	return op == 'R' && model_count(ours, 'D') == 1 && ours->trace[ours->ops - 2] == 'D';
}

static void take_that_is_run_again_drains_once(void **state)
{
	struct blkpr_verdict past = { 0 };
	struct model_disk node;
	struct blkpr_target target = { .own = OWN };

	(void)state;
	fresh();
	node = model_connect(&model, 0, 1);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	model_write(&model);
	model.before = errs_once_after_its_drain;
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_IO_ERROR);
	blkpr_verdict_carry(&past, &verdict);
	verdict = past;
	blkpr_hold_take_disk(&alone, &target, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	check_holds_alone(TYPE);
	assert_int_equal(model_count(&model, 'D'), 1);
	assert_int_equal(model_count(&model, 'G'), 1); /* a REGISTER would have undone the drain */
	assert_int_equal(verdict.evicted, 1);
	blkpr_verdict_carry(&past, &verdict);
	assert_false(verdict.kept); /* own was not there when we came */
}

static bool conflicts_on_other_paths(struct model *ours, char op, enum blkpr_result *result)
{
	unsigned *paths = ours->context;

	*result = BLKPR_CONFLICT;
	return op == 'P' && --*paths;
}

static void promote_tries_as_many_paths_as_there_are(void **state)
{
	struct blkpr_target target = { .own = OWN };
	struct model_disk node;
	unsigned paths = 20;

	(void)state;
	fresh();
	node = model_connect(&model, 0, 1);
	node.disk.paths = paths;
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	model.before = conflicts_on_other_paths;
	model.context = &paths;
	verdict = (struct blkpr_verdict){ 0 };
	blkpr_hold_promote_disk(&alone, &target, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
}

static bool refuse_changes(struct model *m, char op, enum blkpr_result *result)
{
	(void)m;
	*result = BLKPR_OK; /* says so, and does nothing */
	return strchr("GSPLU", op);
}

/* A device that says yes and does nothing (KERNEL.md trap 1 for all commands). */
static void nothing_is_concluded_from_a_status(void **state)
{
	(void)state;
	fresh();
	model.before = refuse_changes;
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_EVICTED);
	fresh();
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	model.before = refuse_changes;
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_UNSETTLED);
	assert_int_equal(verdict.evicted, 0);
	model_set_reservation(&model, TYPE, 0);
	assert_result(run(blkpr_hold_leave_disk, &alone), BLKPR_UNSETTLED);
	assert_result(run(blkpr_hold_demote_disk, &alone), BLKPR_UNSETTLED);
}

/* --- registrations that no living path has ------------------------------------------------------------ */

/* Own key and reservation are those of a nexus from before the last boot. */
static void dead_nexus_holds(enum pr_type type)
{
	fresh();
	model_set_key(&model, 5, OWN);
	model_set_reservation(&model, type, 5);
	model_write(&model);
}

static void take_inherits_from_a_dead_nexus(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct blkpr_hold hold = { .type = types[i], .evict = true };

		dead_nexus_holds(types[i]);
		assert_result(run(blkpr_hold_take_disk, &hold), BLKPR_OK);
		assert_true(model_may_write(&model, 0));
		assert_false(model.nexus[5].registered || model.nexus[5].in_flight);
		assert_true(model.nexus[0].registered && model.nexus[0].key == OWN);
	}
}

static void leave_gives_back_what_a_dead_nexus_holds(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct blkpr_hold hold = { .type = types[i], .evict = true };

		dead_nexus_holds(types[i]);
		assert_result(run(blkpr_hold_leave_disk, &hold), BLKPR_OK);
		assert_false(model.nexus[0].registered || model.nexus[5].registered);
		assert_int_equal(model.type, 0);
		dead_nexus_holds(types[i]);
		model_set_key(&model, 0, OWN);
		assert_result(run(blkpr_hold_leave_disk, &hold), BLKPR_OK);
		assert_false(model.nexus[0].registered || model.nexus[5].registered);
	}
}

/* LIO: RELEASE by a nexus that is not registered is 02/08/00, where SPC-4 has a conflict. */
static bool err_at_a_release_by_who_is_not_registered(struct model *model_, char op, enum blkpr_result *result)
{
	*result = BLKPR_IO_ERROR;
	return op == 'L' && !model_->nexus[0].registered;
}

static void leave_gives_back_what_a_dead_nexus_holds_although_its_release_errs(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct blkpr_hold hold = { .type = types[i], .evict = true };

		dead_nexus_holds(types[i]);
		model.before = err_at_a_release_by_who_is_not_registered;
		assert_result(run(blkpr_hold_leave_disk, &hold), BLKPR_OK);
		assert_false(model.nexus[0].registered || model.nexus[5].registered);
		assert_int_equal(model.type, 0);
	}
}

/* The key is kept, and the reservation with it. */
static void leave_that_keeps_the_key_fails_where_its_release_errs(void **state)
{
	(void)state;
	dead_nexus_holds(TYPE);
	model.before = err_at_a_release_by_who_is_not_registered;
	assert_result(run_as(blkpr_hold_leave_disk, &alone, 0, OWN, true), BLKPR_IO_ERROR);
}

static void a_key_that_nodes_share_is_no_success(void **state)
{
	(void)state;
	fresh();
	model_set_key(&model, 1, OWN); /* another node */
	model_set_reservation(&model, TYPE, 1);
	model_write(&model);
	assert_result(run(blkpr_hold_join_disk, &alone), BLKPR_SHARED_KEY);
	assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_SHARED_KEY);
	assert_result(run(blkpr_hold_take_disk, &alone), BLKPR_OK); /* as from a dead nexus: it is out */
	assert_false(model_may_write(&model, 1) || model.nexus[1].in_flight);
}

/* Who changes a disk, or holds it, has to know who shares the key; who watches it has not. */
static void only_who_watches_does_without_knowing_who_shares_the_key(void **state)
{
	static const enum blkpr_result silences[] = { BLKPR_IO_ERROR, BLKPR_BUSY, BLKPR_MALFORMED };

	(void)state;
	for (unsigned i = 0; i < sizeof(silences) / sizeof(*silences); i++) {
		fresh();
		model_set_key(&model, 0, OWN);
		model_set_key(&model, 4, OWN);
		model.host[4] = 0;
		model_set_reservation(&model, TYPE, 0);
		model.initiators_result = silences[i];
		assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_OK);
		assert_int_equal(verdict.unanswered, BLKPR_STEP_INITIATORS);
		assert_result(run(blkpr_hold_promote_disk, &alone), silences[i]);
		assert_result(run(blkpr_hold_join_disk, &alone), silences[i]);
	}
}

#define PATHS 20

static unsigned at; /* the path that commands go by */

/* Own key is on the last path; what one refuses goes by the next one, the next time. */
static bool only_the_last_path_is_registered(struct model *m, char op, enum blkpr_result *result)
{
	(void)m;
	if (!strchr("SPL", op) || at == PATHS - 1)
		return false;
	at++;
	*result = BLKPR_CONFLICT;
	return true;
}

static void promote_has_a_round_for_every_path(void **state)
{
	struct blkpr_target target = { .own = OWN };

	(void)state;
	for (int holder = MODEL_NOBODY; holder <= 1; holder += 2) { /* nobody, another */
		struct model_disk node;

		fresh();
		model_set_key(&model, 0, OWN);
		model_set_key(&model, 1, OTHER);
		if (holder != MODEL_NOBODY)
			model_set_reservation(&model, TYPE, holder);
		node = model_connect(&model, 0, 1);
		node.disk.paths = PATHS;
		at = 0;
		model.before = only_the_last_path_is_registered;
		verdict = (struct blkpr_verdict){ 0 };
		blkpr_hold_promote_disk(&alone, &target, &node.disk, &verdict);
		assert_result(verdict.result, BLKPR_OK);
		assert_int_equal(model.holder, 0);
	}
}

static unsigned busy;

static bool answer_busy(struct model *m, char op, enum blkpr_result *result)
{
	(void)m;
	if (op != 'P' || !busy)
		return false;
	busy--;
	*result = BLKPR_BUSY;
	return true;
}

static void a_busy_device_is_asked_again(void **state)
{
	struct model_disk node;
	struct blkpr_target target = { .own = OWN };

	(void)state;
	fresh();
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	model.before = answer_busy;
	busy = 20;
	node = model_connect(&model, 0, 1);
	node.disk.deadline = blkpr_clock_ms() + 60000;
	verdict = (struct blkpr_verdict){ 0 };
	blkpr_hold_take_disk(&alone, &target, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(busy, 0);
}

/* --- fence agents' keys --------------------------------------------------------------------------- */

static const uint64_t fencers[] = { 0x77, THIRD };
static const struct blkpr_hold beside = { .type = TYPE, .evict = true, .fencers = fencers, .nfencers = ARRAY_SIZE(fencers) };

static void a_fence_agents_registration_is_never_touched(void **state)
{
	static blkpr_protocol *const protocols[] = { blkpr_hold_take_disk, blkpr_hold_join_disk, blkpr_hold_promote_disk };

	(void)state; /* whoever else is there, whoever holds */
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++)
		for (int holder = MODEL_NOBODY; holder < 3; holder++) {
			fresh();
			model_set_key(&model, 0, OWN);
			model_set_key(&model, 1, OTHER);
			model_set_key(&model, 2, THIRD);
			model_set_reservation(&model, holder == MODEL_NOBODY ? 0 : TYPE, holder);
			assert_result(run(protocols[i], &beside), BLKPR_UNDER_FENCING);
			assert_int_equal(verdict.offender, THIRD);
			assert_true(model_only_read(&model));
		}
}

static bool let_fencer_register(struct model *m, char op, enum blkpr_result *result)
{
	(void)op;
	(void)result;
	if (m->ops == stop_at)
		model_set_key(m, 2, THIRD);
	return false;
}

/* It comes between any two operations of ours: its registration stays. */
static void a_fence_agents_registration_that_comes_meanwhile_stays(void **state)
{
	(void)state;
	for (stop_at = 1; stop_at < 12; stop_at++) {
		fresh();
		model_set_key(&model, 1, OTHER);
		model_set_reservation(&model, TYPE, 1);
		model.before = let_fencer_register;
		run(blkpr_hold_take_disk, &beside);
		assert_true(model.ops < stop_at || model_has(&model, THIRD));
	}
}

/* --- watch ---------------------------------------------------------------------------------------- */

static void watch_tells_apart(void **state)
{
	(void)state;
	fresh();
	assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_EVICTED);
	model_set_key(&model, 0, OWN);
	assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_UNRESERVED);
	model_set_reservation(&model, TYPE, 0);
	assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_OK);
	model_set_key(&model, 1, OTHER);
	assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_STRANGERS);
	assert_int_equal(verdict.offender, OTHER);
	model_set_reservation(&model, PR_EXCLUSIVE_ACCESS, 0);
	assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_FOREIGN_TYPE);
	model_set_reservation(&model, TYPE, 1);
	assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_TAKEN);
	model_unregister(&model, 0);
	assert_result(run(blkpr_hold_watch_disk, &alone), BLKPR_EVICTED);
	assert_int_equal(verdict.offender, OTHER);
	assert_true(model_only_read(&model));
}

static void watch_of_an_exclusive_reservation_allows_registrants(void **state)
{
	struct blkpr_hold hold = { .type = PR_WRITE_EXCLUSIVE };

	(void)state; /* they cannot write */
	fresh();
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 0);
	assert_result(run(blkpr_hold_watch_disk, &hold), BLKPR_OK);
}

static void watch_of_a_managed_disk_asks_for_any_holder(void **state)
{
	(void)state;
	fresh();
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	assert_result(run(blkpr_hold_watch_disk, &managed), BLKPR_EVICTED);
	model_set_key(&model, 0, OWN);
	assert_result(run(blkpr_hold_watch_disk, &managed), BLKPR_OK);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE_ALL_REGS, 0);
	assert_result(run(blkpr_hold_watch_disk, &managed), BLKPR_OK);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 1);
	assert_result(run(blkpr_hold_watch_disk, &managed), BLKPR_FOREIGN_TYPE);
	model_set_reservation(&model, 0, MODEL_NOBODY);
	assert_result(run(blkpr_hold_watch_disk, &managed), BLKPR_UNRESERVED);
	assert_true(model_only_read(&model));
}

/* --- promotable ----------------------------------------------------------------------------------- */

static void join_registers_and_disturbs_nobody(void **state)
{
	(void)state;
	fresh();
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 1);
	assert_result(run(blkpr_hold_join_disk, &shared), BLKPR_OK);
	assert_true(model_has(&model, OWN));
	assert_int_equal(model.holder, 1);
	assert_result(run(blkpr_hold_watch_disk, &shared), BLKPR_TAKEN);
}

static void promote_takes_from_the_holder_and_leaves_the_others(void **state)
{
	(void)state;
	fresh();
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_key(&model, 2, THIRD);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 1);
	model_write(&model);
	assert_result(run(blkpr_hold_promote_disk, &shared), BLKPR_OK);
	assert_int_equal(model.holder, 0);
	assert_false(model_has(&model, OTHER));
	assert_true(model_has(&model, THIRD));
	assert_false(model.nexus[1].in_flight);
	assert_result(run(blkpr_hold_watch_disk, &shared), BLKPR_OK);
}

/* By hand: the service may run where it is held. A holder is named, whoever else is registered. */
static void promote_that_may_not_evict_takes_only_what_nobody_holds(void **state)
{
	static const uint64_t ours[] = { OTHER };
	const struct blkpr_hold polite_one = { .type = PR_WRITE_EXCLUSIVE, .shared = true, .ours = ours, .nours = 1 };
	static blkpr_protocol *const protocols[] = { blkpr_hold_foresee_promotion_disk, blkpr_hold_promote_disk };

	(void)state;
	fresh();
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_key(&model, 2, THIRD);
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
		model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 1);
		assert_result(run(protocols[i], &polite_one), BLKPR_TAKEN);
		assert_int_equal(verdict.offender, OTHER);
		assert_true(model_only_read(&model));
	}
	model_set_reservation(&model, 0, 0);
	assert_result(run(blkpr_hold_foresee_promotion_disk, &polite_one), BLKPR_OK);
	assert_result(run(blkpr_hold_promote_disk, &polite_one), BLKPR_OK);
	assert_true(model_has(&model, OTHER) && model_has(&model, THIRD));
	model_unregister(&model, 0);
	assert_result(run(blkpr_hold_foresee_promotion_disk, &polite_one), BLKPR_EVICTED);
}

static void promote_registers_nobody(void **state)
{
	(void)state; /* S2: who was evicted stays so until start */
	fresh();
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 1);
	assert_result(run(blkpr_hold_promote_disk, &shared), BLKPR_EVICTED);
	assert_true(model_only_read(&model));
}

static void demote_gives_back_what_it_holds_only(void **state)
{
	(void)state;
	fresh();
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 1);
	assert_result(run(blkpr_hold_demote_disk, &shared), BLKPR_OK);
	assert_true(model_only_read(&model));
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 0);
	assert_result(run(blkpr_hold_demote_disk, &shared), BLKPR_OK);
	assert_int_equal(model.type, 0);
	assert_true(model_has(&model, OWN) && model_has(&model, OTHER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_of_a_virgin_disk_registers_and_reserves),
		cmocka_unit_test(take_gets_the_reservation_from_whoever_holds_it),
		cmocka_unit_test(take_evicts_where_a_holders_preempt_only_changes_the_type),
		cmocka_unit_test(take_evicts_registrants_of_an_open_disk),
		cmocka_unit_test(take_again_changes_nothing_but_the_registration),
		cmocka_unit_test(polite_take_changes_nothing_where_others_are),
		cmocka_unit_test(take_and_promote_evict_nobody_elses_key),
		cmocka_unit_test(take_evicts_no_strangers_key_that_comes_meanwhile),
		cmocka_unit_test(take_that_is_evicted_meanwhile_has_lost),
		cmocka_unit_test(take_drains_after_an_eviction_that_was_not_reported),
		cmocka_unit_test(a_drain_does_not_hold_for_who_came_and_went_unseen),
		cmocka_unit_test(what_a_target_does_and_cannot_store_is_done),
		cmocka_unit_test(take_and_promote_fail_where_commands_in_flight_do_not_end),
		cmocka_unit_test(take_and_promote_rest_on_what_is_known_or_said),
		cmocka_unit_test(take_and_leave_converge_from_anywhere),
		cmocka_unit_test(what_a_killed_run_has_left_is_given_back),
		cmocka_unit_test(take_converges_where_a_holder_cannot_evict),
		cmocka_unit_test(of_two_that_take_one_holds),
		cmocka_unit_test(leave_gives_all_back),
		cmocka_unit_test(leave_keeps_a_registration_that_was_there_before),
		cmocka_unit_test(leave_touches_nothing_of_others),
		cmocka_unit_test(nothing_is_concluded_from_a_disk_that_cannot_be_read),
		cmocka_unit_test(take_that_is_run_again_drains_once),
		cmocka_unit_test(promote_tries_as_many_paths_as_there_are),
		cmocka_unit_test(nothing_is_concluded_from_a_status),
		cmocka_unit_test(take_inherits_from_a_dead_nexus),
		cmocka_unit_test(leave_gives_back_what_a_dead_nexus_holds),
		cmocka_unit_test(leave_gives_back_what_a_dead_nexus_holds_although_its_release_errs),
		cmocka_unit_test(leave_that_keeps_the_key_fails_where_its_release_errs),
		cmocka_unit_test(a_key_that_nodes_share_is_no_success),
		cmocka_unit_test(only_who_watches_does_without_knowing_who_shares_the_key),
		cmocka_unit_test(promote_has_a_round_for_every_path),
		cmocka_unit_test(a_busy_device_is_asked_again),
		cmocka_unit_test(a_fence_agents_registration_is_never_touched),
		cmocka_unit_test(a_fence_agents_registration_that_comes_meanwhile_stays),
		cmocka_unit_test(watch_tells_apart),
		cmocka_unit_test(watch_of_an_exclusive_reservation_allows_registrants),
		cmocka_unit_test(watch_of_a_managed_disk_asks_for_any_holder),
		cmocka_unit_test(join_registers_and_disturbs_nobody),
		cmocka_unit_test(promote_takes_from_the_holder_and_leaves_the_others),
		cmocka_unit_test(promote_that_may_not_evict_takes_only_what_nobody_holds),
		cmocka_unit_test(promote_registers_nobody),
		cmocka_unit_test(demote_gives_back_what_it_holds_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
