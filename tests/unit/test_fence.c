// SPDX-License-Identifier: GPL-2.0-or-later
// The protocols on one disk: on the model, and on scripts for what no well-behaved device does.
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/drain.h"
#include "lib/fence.h"
#include "tests/unit/model.h"
#include "tests/unit/on_disk.h"
#include "tests/unit/script.h"
#include "tests/unit/unit.h"

#define OWN 0xa
#define VICTIM 0xb
#define THIRD 0xc /* another node of the cluster */
#define STRANGER 0xdead
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define MOST_ROUNDS 6 /* as lib/fence.c */

static const uint64_t known[] = { THIRD, OWN, VICTIM };

static const struct blkpr_fence fence = {
	.type = TYPE, .victim = VICTIM, .known = known, .nknown = ARRAY_SIZE(known) };
static const struct blkpr_fence nobody = { .type = TYPE, .known = known, .nknown = ARRAY_SIZE(known) };

static struct model model;
static struct blkpr_verdict verdict;

/* OWN on nexus 0, VICTIM on nexus 1, reserved by HOLDER's nexus. */
static void both_registered(int holder)
{
	model_init(&model, BLKPR_SCSI);
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, VICTIM);
	if (holder != MODEL_NOBODY)
		model_set_reservation(&model, TYPE, holder);
}

static void run_on_with(const struct blkpr_fence *how)
{
	struct model_disk node = model_connect(&model, 0, 1);

	verdict = (struct blkpr_verdict){ 0 };
	on_disk(how, OWN, &node.disk, &verdict);
}

static void run_on(void)
{
	run_on_with(&nobody);
}

static void run_off_with(const struct blkpr_fence *how)
{
	struct model_disk node = model_connect(&model, 0, 1);

	verdict = (struct blkpr_verdict){ 0 };
	off_disk(how, OWN, &node.disk, &verdict);
}

static void run_off(void)
{
	run_off_with(&fence);
}

static void run_off_of_unknown(enum blkpr_unknown unknown)
{
	struct blkpr_fence how = fence;

	how.unknown = unknown;
	run_off_with(&how);
}

static void run_status_with(const struct blkpr_fence *how)
{
	struct model_disk node = model_connect(&model, 0, 1);

	verdict = (struct blkpr_verdict){ 0 };
	status_disk(how, OWN, &node.disk, &verdict);
}

static void run_monitor_of(const struct blkpr_fence *how, unsigned paths)
{
	struct model_disk node = model_connect(&model, 0, 1);

	verdict = (struct blkpr_verdict){ 0 };
	monitor_disk(how, OWN, paths, &node.disk, &verdict);
}

static void run_monitor(void)
{
	run_monitor_of(&nobody, 1);
}

#define assert_trace(letters) assert_string_equal(model.trace, letters)

/* --- types ---------------------------------------------------------------------------------------- */

static void a_type_is_served_by_itself_and_its_all_registrants_twin(void **state)
{
	static const bool serves[7][7] = {
		[PR_WRITE_EXCLUSIVE_REG_ONLY] = { [3] = true, [5] = true },
		[PR_WRITE_EXCLUSIVE_ALL_REGS] = { [3] = true, [5] = true },
		[PR_EXCLUSIVE_ACCESS_REG_ONLY] = { [4] = true, [6] = true },
		[PR_EXCLUSIVE_ACCESS_ALL_REGS] = { [4] = true, [6] = true },
	};

	(void)state;
	for (unsigned type = 0; type <= 6; type++)
		for (unsigned held = 0; held <= 6; held++)
			assert_int_equal(blkpr_fence_type_serves(type, held), serves[type][held]);
}

/* --- on ------------------------------------------------------------------------------------------- */

static void on_registers_and_reserves_a_fresh_disk(void **state)
{
	(void)state;
	model_init(&model, BLKPR_SCSI);
	run_on();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RGRSR");
	assert_true(model_has(&model, OWN));
	assert_int_equal(model.type, TYPE);
	assert_int_equal(model.holder, 0);
	assert_true(verdict.restored);
}

/* LIO without its directory (KERNEL.md trap 7): it registers, cannot store that, and fails. */
static bool register_and_fail(struct model *disk, char op, enum blkpr_result *result)
{
	if (op == 'G')
		model_set_key(disk, 0, OWN);
	*result = BLKPR_IO_ERROR;
	return op == 'G';
}

static void on_looks_before_it_believes_a_register_that_failed(void **state)
{
	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		model_init(&model, BLKPR_SCSI);
		if (again)
			model_set_key(&model, 0, OWN);
		model.before = register_and_fail;
		run_on();
		assert_result(verdict.result, BLKPR_OK);
		assert_trace("RGRRSR");
		assert_true(verdict.forgets);
	}
}

static bool refuse_register(struct model *disk, char op, enum blkpr_result *result)
{
	*result = *(enum blkpr_result *)disk->context;
	return op == 'G';
}

static void a_register_that_is_refused_is_not_believed_done(void **state)
{
	static enum blkpr_result answers[] = { BLKPR_IO_ERROR, BLKPR_INVALID, BLKPR_PATH_FAILED };

	(void)state; /* own key may be a dead session's: then the generation has not moved */
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(answers); i++) {
		enum blkpr_result *answer = &answers[i / 2];

		both_registered(1);
		if (i % 2)
			model_unregister(&model, 0);
		model.before = refuse_register;
		model.context = answer;
		run_on();
		/* APTPL is all that a device can find wrong with a REGISTER */
		assert_result(
			verdict.result, *answer == BLKPR_INVALID ? BLKPR_UNSTORABLE : *answer);
		assert_int_equal(verdict.step, BLKPR_STEP_REGISTER);
		assert_false(verdict.forgets);
	}
}

static void on_joins_the_reservation_of_another_node(void **state)
{
	(void)state;
	both_registered(1);
	model_unregister(&model, 0);
	run_on();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RGR");
	assert_int_equal(model.holder, 1);
	assert_false(verdict.restored);
}

static void on_registers_even_if_its_key_is_there(void **state)
{
	(void)state; /* fence-agents issue 517: it may be a dead nexus's */
	model_init(&model, BLKPR_SCSI);
	model_set_key(&model, 5, OWN);
	model_set_reservation(&model, TYPE, 5);
	run_on();
	assert_result(verdict.result, BLKPR_OK);
	assert_true(model.nexus[0].registered);
	assert_true(model_may_write(&model, 0));
}

static void on_replaces_a_stale_key(void **state)
{
	(void)state;
	model_init(&model, BLKPR_SCSI);
	model_set_key(&model, 0, STRANGER);
	run_on();
	assert_result(verdict.result, BLKPR_OK);
	assert_true(model_has(&model, OWN));
	assert_false(model_has(&model, STRANGER));
}

static void on_replaces_a_stale_key_on_nvme(void **state)
{
	(void)state; /* trap 3 */
	model_init(&model, BLKPR_NVME);
	model_set_key(&model, 0, STRANGER);
	run_on();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RGGRGRSR");
	assert_true(model_has(&model, OWN));
}

/* Fails the run in RESULT if the key is ever missing once it was there. */
static bool key_stays(struct model *disk, char op, enum blkpr_result *result)
{
	bool *seen = disk->context;

	(void)op;
	*seen |= model_has(disk, OWN);
	if (!*seen || model_has(disk, OWN))
		return false;
	*result = BLKPR_CRASHED;
	return true;
}

static void on_never_drops_the_key_on_the_way(void **state)
{
	bool seen = false;

	(void)state; /* fence-agents issue 576 */
	for (unsigned kind = BLKPR_SCSI; kind <= BLKPR_NVME; kind++) {
		both_registered(MODEL_NOBODY);
		model.kind = kind;
		model.before = key_stays;
		model.context = &seen;
		run_on();
		assert_result(verdict.result, BLKPR_OK);
	}
}

/* What the node ran when the cluster fenced it runs on (S1); where a person has registered it since, it stays so. */
static void on_of_a_fenced_node_registers_nothing_anew(void **state)
{
	struct blkpr_fence how = nobody;

	(void)state;
	how.fenced = true;
	both_registered(1);
	model_unregister(&model, 0);
	run_on_with(&how);
	assert_result(verdict.result, BLKPR_FENCED);
	assert_trace("R");

	both_registered(1);
	run_on_with(&how);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RGR");
}

static void on_refuses_a_foreign_type_before_anything_is_changed(void **state)
{
	static const unsigned types[] = { PR_WRITE_EXCLUSIVE, PR_EXCLUSIVE_ACCESS,
		PR_EXCLUSIVE_ACCESS_REG_ONLY, PR_EXCLUSIVE_ACCESS_ALL_REGS };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		both_registered(1);
		model_set_reservation(&model, types[i], 1);
		run_on();
		assert_result(verdict.result, BLKPR_FOREIGN_TYPE);
		assert_trace("R");
	}
}

static void on_accepts_the_all_registrants_twin(void **state)
{
	(void)state;
	both_registered(1);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE_ALL_REGS, 1);
	run_on();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RGR");
}

/* Another node reserves just before we do. */
static bool other_is_faster(struct model *disk, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'S')
		model_reserve(disk, 1, VICTIM, *(unsigned *)disk->context);
	return false;
}

static void on_accepts_that_another_node_was_faster(void **state)
{
	unsigned type = TYPE;

	(void)state;
	both_registered(MODEL_NOBODY);
	model.before = other_is_faster;
	model.context = &type;
	run_on();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RGRSR");
	assert_int_equal(model.holder, 1);
}

static void on_refuses_what_a_faster_stranger_reserved(void **state)
{
	unsigned type = PR_EXCLUSIVE_ACCESS;

	(void)state;
	both_registered(MODEL_NOBODY);
	model.before = other_is_faster;
	model.context = &type;
	run_on();
	assert_result(verdict.result, BLKPR_FOREIGN_TYPE);
}

static bool evicted_at_reserve(struct model *disk, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'S')
		model_unregister(disk, 0);
	return false;
}

static void on_does_not_fight_an_eviction(void **state)
{
	(void)state;
	both_registered(MODEL_NOBODY);
	model.before = evicted_at_reserve;
	run_on();
	assert_true(verdict.result != BLKPR_OK);
	assert_int_equal(model_count(&model, 'G'), 1);
}

static void on_sees_that_its_key_is_gone_again(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { VICTIM }, TYPE, VICTIM, 1 });
	script_register(0, OWN, BLKPR_OK);
	script_read(&(struct script_view){ { VICTIM }, TYPE, VICTIM, 3 });
	verdict = (struct blkpr_verdict){ 0 };
	on_disk(&nobody, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_EVICTED);
}

static void on_gives_up_where_reserve_never_settles(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { OWN }, 0, 0, 1 });
	script_register(OWN, OWN, BLKPR_OK);
	for (unsigned i = 0; i < MOST_ROUNDS + 1; i++) { /* one more for the key that is there */
		script_read(&(struct script_view){ { OWN }, 0, 0, 1 });
		script_reserve(OWN, TYPE, BLKPR_CONFLICT);
	}
	verdict = (struct blkpr_verdict){ 0 };
	on_disk(&nobody, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_UNSETTLED);
}

static void on_reports_a_refused_register(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { 0 }, 0, 0, 1 });
	script_register(0, OWN, BLKPR_DENIED);
	verdict = (struct blkpr_verdict){ 0 };
	on_disk(&nobody, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_DENIED);
	assert_int_equal(verdict.step, BLKPR_STEP_REGISTER);
}

/* --- off: what is done ---------------------------------------------------------------------------- */

/* The victim writes whenever the device lets it. */
static bool victim_writes(struct model *disk, char op, enum blkpr_result *result)
{
	(void)op;
	(void)result;
	model_write(disk);
	return false;
}

static void off_evicts_a_registered_victim(void **state)
{
	(void)state;
	both_registered(0);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRDR");
	assert_false(model_has(&model, VICTIM));
	assert_true(model_has(&model, OWN));
	assert_true(verdict.won);
	assert_true(verdict.victim_seen);
	assert_int_equal(verdict.evicted, 1);
	assert_true(verdict.drained);
}

static void off_takes_over_a_victims_reservation(void **state)
{
	(void)state;
	both_registered(1);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRDR");
	assert_int_equal(model.holder, 0);
	assert_int_equal(model.type, TYPE);
}

static void off_keeps_the_type_that_is_held(void **state)
{
	(void)state;
	both_registered(1);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE_ALL_REGS, 1);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(model.type, PR_WRITE_EXCLUSIVE_ALL_REGS);
}

static void off_evicts_every_path_of_the_victim(void **state)
{
	(void)state;
	both_registered(0);
	model_set_key(&model, 2, VICTIM);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_false(model_has(&model, VICTIM));
}

static void off_removes_the_victims_key_only(void **state)
{
	(void)state; /* S6 */
	both_registered(0);
	model_set_key(&model, 3, THIRD);
	model_set_key(&model, 4, STRANGER);
	run_off();
	assert_true(model_has(&model, THIRD));
	assert_true(model_has(&model, STRANGER));
	assert_false(model_has(&model, VICTIM));
}

static void absent_victim(int holder)
{
	both_registered(holder);
	model_unregister(&model, 1);
}

static void off_of_an_absent_victim_reads_and_drains(void **state)
{
	(void)state; /* S1: its last commands may be under way, and nothing is left to preempt */
	absent_victim(0);
	model.nexus[1].in_flight = true;
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RDR");
	assert_false(model.nexus[1].in_flight);
	assert_false(verdict.victim_seen);
	assert_true(verdict.won);
	assert_true(verdict.drained);
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_RESET);
}

static void check_commands_of_an_evicted_victim_end(int holder, unsigned type)
{
	both_registered(holder);
	model_set_reservation(&model, type, holder);
	model.before = victim_writes;
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRDR");
	assert_false(model.nexus[1].in_flight);
	assert_true(verdict.victim_seen && verdict.drained);
}

static void off_ends_the_commands_that_preempt_and_abort_leaves(void **state)
{
	(void)state; /* S1: LIO ends those of the reservation's holder only */
	check_commands_of_an_evicted_victim_end(0, TYPE);
	check_commands_of_an_evicted_victim_end(1, TYPE);
	check_commands_of_an_evicted_victim_end(0, PR_WRITE_EXCLUSIVE_ALL_REGS);
}

static void off_drains_once_where_nothing_changes(void **state)
{
	(void)state; /* a LUN RESET disturbs everybody */
	both_registered(0);
	model_set_key(&model, 2, VICTIM);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(model_count(&model, 'D'), 1);
}

/* --- off: where no LUN RESET reaches the target ---------------------------------------------------- */

static void run_off_in_flight(enum blkpr_in_flight in_flight)
{
	struct blkpr_fence how = fence;

	how.in_flight = in_flight;
	run_off_with(&how);
}

static void a_lun_reset_that_somebody_else_answers_ends_nothing(void **state)
{
	(void)state; /* S1: QEMU's scsi-block purges its own guest's requests, and reports success */
	both_registered(0);
	model.reach = BLKPR_REACH_ELSEWHERE;
	model.before = victim_writes;
	run_off();
	assert_result(verdict.result, BLKPR_UNDRAINABLE);
	assert_trace("RPR");
	assert_true(model.nexus[1].in_flight);
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_NOTHING);
	assert_false(model_has(&model, VICTIM));
	assert_true(verdict.won); /* S3: the others are still to be fenced */
	assert_false(blkpr_result_unreachable(verdict.result)); /* to try again would not help */
}

/* What a LUN RESET reaches, what the administrator says, what comes of it: the table of doc/safety.md. */
#define DECISION(reach, said, evicted, absent, evicting, finding) \
	{ BLKPR_REACH_##reach, BLKPR_IN_FLIGHT_##said, BLKPR_RESTS_ON_##evicted, \
		BLKPR_RESTS_ON_##absent, evicting, finding }

static const struct decision {
	enum blkpr_reach reach;
	enum blkpr_in_flight in_flight;
	enum blkpr_rests evicted, absent; /* on what success rests; on nothing: there is none */
	const char *evicting, *finding;   /* traces */
} decisions[] = {
	DECISION(TARGET, AUTO, RESET, RESET, "RPRDR", "RDR"),
	DECISION(TARGET, RESET, RESET, RESET, "RPRDR", "RDR"),
	DECISION(TARGET, ABORT, ABORT, EARLIER, "RPR", "RPR"),
	DECISION(UNKNOWN, AUTO, NOTHING, NOTHING, "RPR", "R"),
	DECISION(UNKNOWN, RESET, WORD, WORD, "RPRDR", "RDR"),
	DECISION(UNKNOWN, ABORT, ABORT, EARLIER, "RPR", "RPR"),
	DECISION(ELSEWHERE, AUTO, NOTHING, NOTHING, "RPR", "R"),
	DECISION(ELSEWHERE, RESET, NOTHING, NOTHING, "RPR", "R"),
	DECISION(ELSEWHERE, ABORT, ABORT, EARLIER, "RPR", "RPR"),
	DECISION(NONE, AUTO, NOTHING, NOTHING, "RPR", "R"),
	DECISION(NONE, RESET, NOTHING, NOTHING, "RPR", "R"),
	DECISION(NONE, ABORT, ABORT, EARLIER, "RPR", "RPR"),
	DECISION(NVME, AUTO, ABORT, EARLIER, "RPR", "RPR"),
	DECISION(NVME, RESET, ABORT, EARLIER, "RPR", "RPR"),
	DECISION(NVME, ABORT, ABORT, EARLIER, "RPR", "RPR"),
};

static void check_decision(
	const struct decision *decision, enum blkpr_rests rests, const char *trace)
{
	model.reach = decision->reach;
	model.kind = decision->reach == BLKPR_REACH_NVME ? BLKPR_NVME : BLKPR_SCSI;
	run_off_in_flight(decision->in_flight);
	assert_result(verdict.result, rests ? BLKPR_OK : BLKPR_UNDRAINABLE);
	assert_int_equal(verdict.rests, rests);
	assert_int_equal(verdict.reach, decision->reach);
	assert_int_equal(verdict.drained, rests != BLKPR_RESTS_ON_NOTHING);
	assert_trace(trace);
	assert_true(verdict.won);
}

static void success_rests_on_what_is_known_or_said(void **state)
{
	(void)state; /* S1 */
	assert_int_equal(ARRAY_SIZE(decisions), BLKPR_REACHES * BLKPR_IN_FLIGHTS);
	for (unsigned i = 0; i < ARRAY_SIZE(decisions); i++) {
		both_registered(0);
		check_decision(&decisions[i], decisions[i].evicted, decisions[i].evicting);
		absent_victim(0);
		check_decision(&decisions[i], decisions[i].absent, decisions[i].finding);
	}
}

static void monitor_says_on_what_success_would_rest(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(decisions); i++) {
		struct model_disk node = model_connect(&model, 0, 1);
		struct blkpr_fence how = nobody;

		absent_victim(0);
		model.reach = decisions[i].reach;
		how.in_flight = decisions[i].in_flight;
		verdict = (struct blkpr_verdict){ 0 };
		monitor_disk(&how, OWN, 1, &node.disk, &verdict);
		assert_result(verdict.result, decisions[i].evicted ? BLKPR_OK : BLKPR_UNDRAINABLE);
		assert_int_equal(verdict.rests, decisions[i].evicted);
		assert_true(model_only_read(&model));
		assert_int_equal(model_count(&model, 'D'), 0);
	}
}

static void an_abort_that_is_not_over_is_waited_for(void **state)
{
	(void)state; /* S1: an earlier off was killed; the key goes before the commands do (nvmet) */
	absent_victim(0);
	model.kind = BLKPR_NVME;
	model.reach = BLKPR_REACH_NVME;
	model.nexus[1].in_flight = model.aborting = true;
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPR");
	assert_false(model.nexus[1].in_flight);
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_EARLIER);
	assert_int_equal(verdict.evicted, 0);
}

static void what_a_disk_took_while_it_was_open_is_not_ended_by_an_abort_of_nobody(void **state)
{
	(void)state; /* S1 */
	absent_victim(MODEL_NOBODY);
	model.kind = BLKPR_NVME;
	model.reach = BLKPR_REACH_NVME;
	model.before = victim_writes;
	run_off();
	assert_result(verdict.result, BLKPR_UNDRAINABLE);
	assert_trace("RSR");
	both_registered(MODEL_NOBODY);
	model.kind = BLKPR_NVME;
	model.reach = BLKPR_REACH_NVME;
	model.before = victim_writes;
	run_off();
	assert_result(verdict.result, BLKPR_OK); /* it was registered, so ours has ended them */
	assert_trace("RSRPR");
	assert_false(model.nexus[1].in_flight);
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_ABORT);
}

static void what_a_disk_took_until_another_node_reserved_it_is_not_ended_by_an_abort_of_nobody(void **state)
{
	(void)state; /* S1 */
	script_reach = BLKPR_REACH_NVME;
	script_read(&(struct script_view){ { OWN, THIRD }, 0, 0, 1 });
	script_reserve(OWN, TYPE, BLKPR_CONFLICT);
	script_read(&(struct script_view){ { OWN, THIRD }, TYPE, THIRD, 1 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_UNDRAINABLE);
}

static void an_abort_does_not_hold_for_a_victim_that_came_and_went_unseen(void **state)
{
	(void)state; /* S1: whoever evicted it then may not have aborted, or may not be done */
	script_reach = BLKPR_REACH_NVME;
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 4 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_CONFLICT);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 4 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_EARLIER);
}

static void a_preempt_that_does_nothing_and_moves_the_generation_ends(void **state)
{
	(void)state; /* KERNEL.md trap 1: nvmet up to Linux 7.2, and this node holds */
	script_reach = BLKPR_REACH_NVME;
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 2 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_EARLIER);
}

static void an_abort_of_another_key_does_not_stand_for_the_victims(void **state)
{
	struct blkpr_fence how = fence;

	(void)state;
	how.unknown = BLKPR_UNKNOWN_EVICT;
	both_registered(0);
	model.kind = BLKPR_NVME;
	model.reach = BLKPR_REACH_NVME;
	model_set_key(&model, 2, STRANGER);
	run_off_with(&how);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRPR");
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_ABORT);
	absent_victim(0);
	model.kind = BLKPR_NVME;
	model.reach = BLKPR_REACH_NVME;
	model_set_key(&model, 2, STRANGER);
	run_off_with(&how);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRPR");
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_EARLIER);
}

static void an_abort_that_is_not_answered_is_no_success(void **state)
{
	static const enum blkpr_result answers[] = { BLKPR_IO_ERROR, BLKPR_INVALID, BLKPR_UNSUPPORTED,
		BLKPR_PATH_FAILED };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
		script_begin(NULL);
		script_reach = BLKPR_REACH_NVME;
		script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
		script_preempt(OWN, VICTIM, TYPE, answers[i]);
		verdict = (struct blkpr_verdict){ 0 };
		off_disk(&fence, OWN, &script_disk, &verdict);
		assert_result(verdict.result, answers[i]);
	}
}

/* S3: it is decided on this disk, and the others are still to be fenced. */
static void check_failing_drain(enum blkpr_result answer, const char *trace)
{
	model.drain_result = answer;
	run_off();
	assert_result(verdict.result, answer);
	assert_trace(trace);
	assert_int_equal(verdict.step, BLKPR_STEP_DRAIN);
	assert_false(verdict.drained);
	assert_true(verdict.won);
}

static void a_drain_that_fails_is_no_success(void **state)
{
	static const enum blkpr_result answers[] = { BLKPR_UNDRAINED, BLKPR_IO_ERROR, BLKPR_INVALID,
		BLKPR_DENIED, BLKPR_GONE, BLKPR_PATH_FAILED, BLKPR_BUSY, BLKPR_CRASHED };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
		absent_victim(0);
		check_failing_drain(answers[i], "RD");
		both_registered(0);
		check_failing_drain(answers[i], "RPRD");
		assert_false(model_has(&model, VICTIM));
	}
	absent_victim(0);
	check_failing_drain(BLKPR_CONFLICT, "RDRDRDRDRDRDRD"); /* never the end of it; one key more than rounds */
}

static void a_disk_is_won_only_by_a_look_at_it(void **state)
{
	(void)state; /* own key, a reservation that serves, no victim: each alone is missing here */
	script_read(&(struct script_view){ { OWN }, 0, 0, 1 });
	script_reserve(OWN, TYPE, BLKPR_IO_ERROR);
	verdict = (struct blkpr_verdict){ .won = true };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_false(verdict.won);
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_IO_ERROR);
	verdict = (struct blkpr_verdict){ .won = true };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_false(verdict.won);
	script_read(&(struct script_view){ { THIRD }, TYPE, THIRD, 1 });
	verdict = (struct blkpr_verdict){ .won = true };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_false(verdict.won);
	script_read(&(struct script_view){ { OWN }, PR_EXCLUSIVE_ACCESS, OWN, 1 });
	verdict = (struct blkpr_verdict){ .won = true };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_false(verdict.won);
}

static void a_disk_that_is_lost_during_the_drain_is_not_won(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_drain(BLKPR_OK);
	script_read_fails(BLKPR_IO_ERROR);
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_IO_ERROR);
	assert_false(verdict.won);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 2 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_PATH_FAILED);
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_PATH_FAILED);
	assert_false(verdict.won);
}

static void what_is_seen_after_a_drain_decides(void **state)
{
	(void)state; /* S4 */
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { THIRD }, TYPE, THIRD, 2 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_EVICTED);
	assert_false(verdict.won);
}

static void a_victim_that_registers_during_the_drain_is_evicted(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 2 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 3 });
	script_drain(BLKPR_OK); /* S1: for what it sent meanwhile */
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 3 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_true(verdict.victim_seen);
}

/* The victim comes back after the drain, writes, and is evicted by a third node that does not abort. */
static void a_drain_does_not_hold_for_a_victim_that_came_back(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 2 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_CONFLICT);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 3 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 3 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(verdict.drained_at, 3);
}

static void a_drain_does_not_hold_for_a_victim_that_came_and_went_unseen(void **state)
{
	(void)state; /* S1: the generation alone tells */
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 0 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 2 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, UINT32_MAX });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, UINT32_MAX });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
}

static void a_drain_before_which_nobody_was_asked_does_not_count(void **state)
{
	(void)state; /* generation 0, and nothing drained yet */
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 0 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 0 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
}

static void a_drain_does_not_hold_for_a_disk_that_was_open_since(void **state)
{
	(void)state; /* S1: anybody could write, and RELEASE and RESERVE do not count as generations */
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, 0, 0, 1 });
	script_reserve(OWN, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
}

static void check_uncounted(enum blkpr_result want)
{
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, want);
	assert_true(verdict.uncounted && verdict.won); /* S3: the other disks are fenced */
}

static void a_generation_that_does_not_move_with_a_preempt_proves_nothing(void **state)
{
	(void)state; /* S1: then it may not move with the victim's REGISTER either */
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 7 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 7 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 7 });
	check_uncounted(BLKPR_UNCOUNTED);
}

static void a_generation_that_does_not_move_with_a_register_proves_nothing(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 7 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 7 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 8 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 8 });
	check_uncounted(BLKPR_UNCOUNTED);
}

static void a_generation_that_does_not_move_with_an_abort_proves_nothing(void **state)
{
	(void)state; /* NVMe: PREEMPT AND ABORT has to do, and nothing shows that nobody came after it */
	script_reach = BLKPR_REACH_NVME;
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 7 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 7 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_CONFLICT);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 7 });
	check_uncounted(BLKPR_UNCOUNTED);
}

static void a_key_that_goes_by_itself_need_not_be_counted(void **state)
{
	(void)state; /* LIO does not count the end of a registration (REGISTER with key 0) */
	script_read(&(struct script_view){ { OWN, THIRD }, TYPE, OWN, 7 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 7 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_false(verdict.uncounted);
}

static void drains_that_never_hold_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MOST_ROUNDS + 1; i++) {
		script_read(&(struct script_view){ { OWN }, TYPE, OWN, i });
		script_drain(BLKPR_OK);
	}
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_UNSETTLED);
	assert_true(verdict.won);
}

static void see(uint64_t holder, uint32_t generation)
{
	uint64_t seen[] = { OWN, THIRD };
	struct blkpr_report report = { .keys = seen, .nkeys = 2, .type = TYPE, .holder = holder, .generation = generation };

	blkpr_verdict_observe(&verdict, &report, OWN);
}

static void a_drain_that_does_not_hold_once_never_holds_again(void **state)
{
	(void)state;
	absent_victim(0);
	run_off();
	assert_true(verdict.drained);
	see(OWN, verdict.drained_at);
	assert_false(blkpr_drain_needed(&verdict));
	see(THIRD, verdict.drained_at); /* it was open in between */
	assert_true(blkpr_drain_needed(&verdict));
	see(OWN, verdict.drained_at);
	assert_true(blkpr_drain_needed(&verdict));
}

static const struct blkpr_verdict whatever = { .result = BLKPR_IO_ERROR, .step = BLKPR_STEP_READ, .won = true,
	.victim_seen = true, .kept = true, .touched = true, .drained = true, .drained_at = 7, .open = true,
	.preempted = VICTIM, .evicted = 1, .uncounted = true, .replaced = STRANGER, .offender = STRANGER, .looks = 3,
	.answered = true, .nkeys = 1, .resets = 2, .unasked = true, .elapsed_ms = 9 };

static void a_run_begins_with_what_the_one_before_has_seen_and_done(void **state)
{
	struct blkpr_verdict past = { 0 };

	(void)state;
	verdict = whatever;
	blkpr_verdict_carry(&past, &verdict);
	assert_true(past.drained && past.drained_at == 7 && past.looks == 3 && past.preempted == VICTIM);
	assert_true(past.evicted == 1 && past.replaced == STRANGER && past.nkeys == 1 && past.resets == 2);
	assert_true(past.victim_seen && past.kept && past.touched && past.open && past.uncounted);
	assert_false(past.won || past.answered || past.unasked); /* its own to find out */
	assert_true(past.result == BLKPR_OK && past.step == BLKPR_STEP_NONE && !past.offender && !past.elapsed_ms);
}

static void of_a_run_that_has_not_finished_nothing_counts_that_makes_the_next_one_bolder(void **state)
{
	static const enum blkpr_result ends[] = { BLKPR_UNFINISHED, BLKPR_CRASHED };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		struct blkpr_verdict past = { 0 }, never_begun = { .result = ends[i] };

		verdict = whatever;
		blkpr_verdict_carry(&past, &verdict);
		verdict = never_begun;
		blkpr_verdict_carry(&past, &verdict);
		assert_false(past.drained || past.looks || past.nkeys || past.preempted || past.evicted);
		assert_true(past.victim_seen && past.kept && past.touched && past.open && past.uncounted);
		assert_true(verdict.victim_seen && verdict.kept && verdict.touched && verdict.open);
		assert_int_equal(verdict.resets, 2);
	}
}

static void what_was_registered_by_us_is_not_what_was_there_before(void **state)
{
	struct blkpr_verdict past = { .touched = true };

	(void)state;
	verdict = (struct blkpr_verdict){ .kept = true };
	blkpr_verdict_carry(&past, &verdict);
	assert_false(past.kept || verdict.kept);
}

static void off_reserves_before_it_preempts(void **state)
{
	(void)state; /* S1: the device was open, and what it took then must be aborted */
	both_registered(MODEL_NOBODY);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RSRPRDR");
	assert_true(verdict.restored);
	assert_int_equal(model.type, TYPE);
}

static void off_restores_a_missing_reservation_of_an_absent_victim_before_it_drains(void **state)
{
	(void)state; /* S4 */
	both_registered(MODEL_NOBODY);
	model_unregister(&model, 1);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RSRDR");
	assert_int_equal(model.type, TYPE);
}

static void writes_of_a_path_that_was_never_registered_are_ended_too(void **state)
{
	(void)state; /* S1: while nothing was reserved the victim wrote through it, and PREEMPT does not know it */
	both_registered(MODEL_NOBODY);
	model.aborts_all = true;
	model.before = victim_writes;
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	for (unsigned i = 1; i < MODEL_NEXUSES; i++)
		assert_false(model.nexus[i].in_flight);
}

static void off_is_repeatable(void **state)
{
	(void)state; /* S7 */
	both_registered(1);
	run_off();
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_false(verdict.victim_seen);
}

/* --- off: what it refuses ------------------------------------------------------------------------- */

static void evicted_node_cannot_evict(void **state)
{
	(void)state; /* S2 */
	both_registered(1);
	model_unregister(&model, 0);
	run_off();
	assert_result(verdict.result, BLKPR_EVICTED);
	assert_trace("R");
	assert_false(verdict.won);
}

static void evicted_node_does_not_reserve(void **state)
{
	(void)state;
	both_registered(MODEL_NOBODY);
	model_unregister(&model, 0);
	run_off();
	assert_result(verdict.result, BLKPR_EVICTED);
	assert_trace("R");
}

static void off_does_not_break_a_foreign_type(void **state)
{
	static const unsigned types[] = { PR_WRITE_EXCLUSIVE, PR_EXCLUSIVE_ACCESS,
		PR_EXCLUSIVE_ACCESS_REG_ONLY, PR_EXCLUSIVE_ACCESS_ALL_REGS };

	(void)state; /* S6 */
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		both_registered(1);
		model_set_reservation(&model, types[i], 1);
		run_off();
		assert_result(verdict.result, BLKPR_FOREIGN_TYPE);
		assert_trace("R");
	}
}

static void check_refused_unseen(uint64_t own, uint64_t victim)
{
	struct model_disk node = model_connect(&model, 0, 1);
	struct blkpr_fence how = fence;

	both_registered(0);
	how.victim = victim;
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&how, own, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_INVALID);
	assert_trace("");
}

static void off_of_oneself_or_with_key_0_is_refused_unseen(void **state)
{
	(void)state;
	check_refused_unseen(OWN, OWN);
	check_refused_unseen(0, VICTIM);
	check_refused_unseen(OWN, 0);
}

static void a_read_that_fails_is_no_success(void **state)
{
	(void)state;
	for (int i = BLKPR_CONFLICT; i <= BLKPR_NO_MEMORY; i++) {
		script_begin(state);
		script_read_fails(i);
		verdict = (struct blkpr_verdict){ 0 };
		off_disk(&fence, OWN, &script_disk, &verdict);
		assert_result(verdict.result, i);
		assert_false(verdict.won);
	}
}

static void a_proof_that_cannot_be_read_is_no_success(void **state)
{
	(void)state; /* S4 */
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read_fails(BLKPR_IO_ERROR);
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_IO_ERROR);
	assert_false(verdict.won);
}

static void check_preempt_fails(enum blkpr_result result)
{
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 });
	script_preempt(OWN, VICTIM, TYPE, result);
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, result);
	assert_false(verdict.won);
	assert_int_equal(verdict.evicted, 0);
}

static void a_preempt_that_fails_is_no_success(void **state)
{
	(void)state;
	check_preempt_fails(BLKPR_IO_ERROR);
	check_preempt_fails(BLKPR_BUSY);
	check_preempt_fails(BLKPR_PATH_FAILED);
	check_preempt_fails(BLKPR_DENIED);
	check_preempt_fails(BLKPR_INVALID);
}

static void a_reserve_that_fails_is_no_success(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { OWN, VICTIM }, 0, 0, 1 });
	script_reserve(OWN, TYPE, BLKPR_IO_ERROR);
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_IO_ERROR);
}

/* --- off: conflicts and lies ---------------------------------------------------------------------- */

static bool loses_the_race(struct model *disk, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'P' && model_has(disk, OWN))
		assert_result(model_preempt_abort(disk, 1, VICTIM, OWN, TYPE), BLKPR_OK);
	return false;
}

static void a_conflict_with_the_own_key_gone_is_a_lost_race(void **state)
{
	(void)state; /* S3 */
	both_registered(0);
	model.before = loses_the_race;
	run_off();
	assert_result(verdict.result, BLKPR_EVICTED);
	assert_trace("RPR");
	assert_true(model_has(&model, VICTIM));
}

static bool third_evicts_first(struct model *disk, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'P')
		model_preempt_abort(disk, 2, THIRD, VICTIM, TYPE);
	return false;
}

static void a_conflict_with_the_victim_gone_is_success(void **state)
{
	(void)state; /* another survivor was faster */
	both_registered(1);
	model_set_key(&model, 2, THIRD);
	model.before = third_evicts_first;
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRDR"); /* whether it aborted too is not known */
	assert_true(verdict.drained);
}

static void a_conflict_after_an_abort_is_drained(void **state)
{
	(void)state; /* the victim came back, and somebody else evicted it: our abort was before that */
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 3 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_CONFLICT);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 4 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 4 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
}

static bool busy_with(char what, struct model *disk, char op, enum blkpr_result *result)
{
	unsigned *times = disk->context;

	if (op != what || !*times)
		return false;
	--*times;
	*result = BLKPR_BUSY;
	return true;
}

static bool busy_with_preempt(struct model *disk, char op, enum blkpr_result *result)
{
	return busy_with('P', disk, op, result);
}

static bool busy_with_drain(struct model *disk, char op, enum blkpr_result *result)
{
	return busy_with('D', disk, op, result);
}

static void run_off_within(int64_t ms)
{
	struct model_disk node = model_connect(&model, 0, 1);

	node.disk.deadline = blkpr_clock_ms() + ms;
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &node.disk, &verdict);
}

static void off_looks_before_every_preempt_of_a_busy_device(void **state)
{
	unsigned times = 2 * MOST_ROUNDS; /* rounds in which the device did nothing do not count */

	(void)state;
	both_registered(0);
	model.before = busy_with_preempt;
	model.context = &times;
	run_off_within(60000);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRPRPRPRPRPRPRPRPRPRPRPRPRDR");
	assert_int_equal(verdict.evicted, 1);
}

static void off_of_a_busy_device_ends_at_the_deadline(void **state)
{
	unsigned times = UINT32_MAX;
	int64_t started = blkpr_clock_ms();

	(void)state;
	both_registered(0);
	model.before = busy_with_preempt;
	model.context = &times;
	run_off_within(100);
	assert_result(verdict.result, BLKPR_BUSY);
	assert_true(model_count(&model, 'P') >= 2);
	assert_true(blkpr_clock_ms() - started >= 100);
	assert_false(verdict.won);
}

/* A worker that has outlived its parent, or its time: as after a LUN RESET in which its SIGKILL was lost (lib/disk.h). */
static void left_behind(void (*protocol)(const struct blkpr_fence *, uint64_t, struct blkpr_disk *, struct blkpr_verdict *),
	const struct blkpr_fence *how)
{
	bool orphaned = true;

	do {
		struct model_disk node = model_connect(&model, 0, 1);

		node.disk.parent = orphaned ? getpid() : getppid(); /* its parent is another one */
		node.disk.deadline = blkpr_clock_ms() + (orphaned ? 60000 : 0);
		verdict = (struct blkpr_verdict){ 0 };
		protocol(how, OWN, &node.disk, &verdict);
		assert_result(verdict.result, BLKPR_UNFINISHED);
		assert_true(model_only_read(&model));
		orphaned = !orphaned;
	} while (!orphaned);
}

static void who_is_left_behind_only_looks(void **state)
{
	struct blkpr_fence evict = fence;

	(void)state;
	both_registered(0);
	left_behind(off_disk, &fence); /* no PREEMPT */
	both_registered(MODEL_NOBODY);
	left_behind(off_disk, &fence); /* no RESERVE */
	absent_victim(0);
	left_behind(off_disk, &fence); /* no LUN RESET */
	model_set_key(&model, 3, STRANGER);
	evict.unknown = BLKPR_UNKNOWN_EVICT;
	left_behind(off_disk, &evict);
	both_registered(0);
	model_unregister(&model, 0);
	left_behind(on_disk, &nobody); /* no REGISTER */
}

static bool parent_dies_at_drain(struct model *disk, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'D')
		((struct model_disk *)disk->context)->disk.parent = getpid();
	return false;
}

static void who_outlives_a_drain_does_not_even_look(void **state)
{
	struct model_disk node;

	(void)state; /* another thread may have been killed with a lock */
	both_registered(0);
	node = model_connect(&model, 0, 1);
	node.disk.parent = getppid();
	node.disk.deadline = blkpr_clock_ms() + 60000;
	model.before = parent_dies_at_drain;
	model.context = &node;
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_UNFINISHED);
	assert_trace("RPRD");
}

static void off_looks_before_every_drain_of_a_busy_device(void **state)
{
	unsigned times = 2 * MOST_ROUNDS;

	(void)state;
	absent_victim(0);
	model.before = busy_with_drain;
	model.context = &times;
	run_off_within(60000);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RDRDRDRDRDRDRDRDRDRDRDRDRDR");
	assert_true(verdict.drained);
}

static void a_device_that_stays_too_busy_for_a_drain_is_won_but_no_success(void **state)
{
	unsigned times = UINT32_MAX;

	(void)state;
	absent_victim(0);
	model.before = busy_with_drain;
	model.context = &times;
	run_off_within(100);
	assert_result(verdict.result, BLKPR_BUSY);
	assert_true(model_count(&model, 'D') >= 2);
	assert_false(verdict.drained);
	assert_true(verdict.won);
}

static bool busy_then_evicted(struct model *disk, char op, enum blkpr_result *result)
{
	if (op != 'P')
		return false;
	model_preempt_abort(disk, 1, VICTIM, OWN, TYPE);
	*result = BLKPR_BUSY;
	return true;
}

static void a_node_evicted_while_the_device_is_busy_does_not_preempt_again(void **state)
{
	(void)state; /* S2, S3 */
	both_registered(0);
	model.before = busy_then_evicted;
	run_off_within(60000);
	assert_result(verdict.result, BLKPR_EVICTED);
	assert_trace("RPR");
}

static void preempt_that_returns_0_and_does_nothing_is_no_success(void **state)
{
	(void)state; /* the type that it names is the one that is held, since this is not NVMe */
	both_registered(0);
	model.noop_quirk = true;
	run_off();
	assert_result(verdict.result, BLKPR_VICTIM_ON);
	assert_false(verdict.won);
	assert_true(model_has(&model, VICTIM));
	assert_int_equal(model.type, TYPE);
	assert_int_equal(verdict.evicted, 0); /* none is gone, whatever the statuses say */
}

/* At any moment: nobody may write but registrants, and who is one has not changed for the worse. */
static bool strangers_may_not_write(struct model *disk, char op, enum blkpr_result *result)
{
	victim_writes(disk, op, result);
	assert_false(model_may_write(disk, 5));
	assert_true(model_may_write(disk, 0) && model_may_write(disk, 3));
	return false;
}

static void a_holder_evicts_where_its_preempt_only_changes_the_type(void **state)
{
	static const enum pr_type held[] = { TYPE, PR_EXCLUSIVE_ACCESS_REG_ONLY }; /* the twins are two more */

	(void)state; /* trap 1 */
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++) {
		struct blkpr_fence how = fence;

		how.type = held[i];
		both_registered(0);
		model_set_key(&model, 3, THIRD);
		model_set_reservation(&model, held[i], 0);
		model.kind = BLKPR_NVME;
		model.reach = BLKPR_REACH_NVME;
		model.noop_quirk = true;
		model.before = strangers_may_not_write;
		run_off_with(&how);
		assert_result(verdict.result, BLKPR_OK);
		assert_trace("RPRPRPR");
		assert_int_equal(model.type, held[i] + 2);
		assert_true(model_has(&model, OWN) && model_has(&model, THIRD));
		assert_false(model_has(&model, VICTIM) || model.nexus[1].in_flight);
		assert_int_equal(verdict.evicted, 1);
		assert_int_equal(verdict.rests, BLKPR_RESTS_ON_ABORT);
		model_set_key(&model, 1, VICTIM); /* the next time is as on any target */
		run_off_with(&how);
		assert_result(verdict.result, BLKPR_OK);
		assert_trace("RPRPRPRRPR");
	}
}

static void unknown_keys_are_evicted_where_a_holders_preempt_only_changes_the_type(void **state)
{
	struct blkpr_fence how = fence;

	(void)state;
	how.unknown = BLKPR_UNKNOWN_EVICT;
	absent_victim(0);
	model.kind = BLKPR_NVME;
	model.reach = BLKPR_REACH_NVME;
	model.noop_quirk = true;
	model_set_key(&model, 2, STRANGER);
	run_off_with(&how);
	assert_result(verdict.result, BLKPR_OK);
	assert_false(model_has(&model, STRANGER));
	assert_int_equal(verdict.rests, BLKPR_RESTS_ON_EARLIER);
}

/* Runs off on a device that shows these two views, PREEMPT answering 0 in between; then it is as FIRST was. */
static void check_type_after(const struct script_view *first, const struct script_view *second, unsigned type)
{
	script_begin(NULL);
	script_reach = BLKPR_REACH_NVME;
	script_read(first);
	script_preempt(OWN, VICTIM, first->type, BLKPR_OK);
	script_read(second);
	script_preempt(OWN, VICTIM, type, BLKPR_IO_ERROR);
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_IO_ERROR);
}

static void the_type_is_changed_on_positive_evidence_only(void **state)
{
	const unsigned twin = PR_WRITE_EXCLUSIVE_ALL_REGS;
	const struct script_view first = { { OWN, VICTIM }, TYPE, OWN, 1 }, thirds = { { OWN, VICTIM, THIRD }, TYPE, THIRD, 1 };
	const struct script_view fewer = { { OWN, VICTIM, VICTIM }, TYPE, OWN, 1 };

	(void)state;
	check_type_after(&first, &(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 2 }, twin);
	/* it was not counted; somebody came, or the victim came back */
	check_type_after(&first, &(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 }, TYPE);
	check_type_after(&first, &(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 3 }, TYPE);
	/* own does not hold, or did not */
	check_type_after(&first, &(struct script_view){ { OWN, VICTIM }, TYPE, VICTIM, 2 }, TYPE);
	check_type_after(&thirds, &(struct script_view){ { OWN, VICTIM, THIRD }, TYPE, OWN, 2 }, TYPE);
	check_type_after(&thirds, &(struct script_view){ { OWN, VICTIM, THIRD }, TYPE, THIRD, 2 }, TYPE);
	/* one of the victim's two is gone */
	check_type_after(&fewer, &(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 2 }, TYPE);
	/* somebody was faster */
	check_type_after(&first, &(struct script_view){ { OWN, VICTIM }, twin, OWN, 2 }, twin);
}

static void preempt_that_always_conflicts_ends_in_conflict(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MOST_ROUNDS + 2; i++) {
		script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 });
		script_preempt(OWN, VICTIM, TYPE, BLKPR_CONFLICT);
	}
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_CONFLICT);
	assert_false(verdict.won);
}

static void off_tries_as_many_paths_as_there_are(void **state)
{
	struct blkpr_disk map = script_disk;

	(void)state; /* own key is on the last one; the disk turns to the next one with each conflict */
	map.paths = 20;
	for (unsigned i = 1; i < map.paths; i++) {
		script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 });
		script_preempt(OWN, VICTIM, TYPE, BLKPR_CONFLICT);
	}
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 1 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 2 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 2 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &map, &verdict);
	assert_result(verdict.result, BLKPR_OK);
}

static bool conflicts_on_other_paths(struct model *ours, char op, enum blkpr_result *result)
{
	unsigned *paths = ours->context;

	*result = BLKPR_CONFLICT;
	return op == 'S' && --*paths;
}

static void on_tries_as_many_paths_as_there_are(void **state)
{
	unsigned paths = MODEL_NEXUSES;
	struct model_disk node;

	(void)state;
	model_init(&model, BLKPR_SCSI);
	model.before = conflicts_on_other_paths;
	model.context = &paths;
	node = model_connect(&model, 0, paths);
	verdict = (struct blkpr_verdict){ 0 };
	on_disk(&nobody, OWN, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
}

static void a_reservation_that_goes_away_with_the_victim_is_made_again(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, VICTIM, 1 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, 0, 0, 2 });
	script_reserve(OWN, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 2 });
	script_drain(BLKPR_OK); /* S1: the victim could write after it was evicted */
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 2 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_true(verdict.restored);
}

static void generations_are_kept_from_before_and_after(void **state)
{
	(void)state;
	script_read(&(struct script_view){ { OWN, VICTIM }, TYPE, OWN, 17 });
	script_preempt(OWN, VICTIM, TYPE, BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 18 });
	script_drain(BLKPR_OK);
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 18 });
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_int_equal(verdict.generation_before, 17);
	assert_int_equal(verdict.generation_after, 18);
	assert_int_equal(verdict.drained_at, 18);
}

/* --- off: unknown keys (S4) ----------------------------------------------------------------------- */

static void absent_with_a_stranger(void)
{
	both_registered(0);
	model_unregister(&model, 1);
	model_set_key(&model, 3, STRANGER);
}

static void an_absent_victim_may_be_using_an_unknown_key(void **state)
{
	(void)state;
	absent_with_a_stranger();
	run_off();
	assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
	assert_trace("R");
	assert_true(verdict.offender == STRANGER);
	assert_true(model_has(&model, STRANGER));
}

static void unknown_keys_can_be_allowed(void **state)
{
	(void)state;
	absent_with_a_stranger();
	run_off_of_unknown(BLKPR_UNKNOWN_ALLOW);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RDR");
	assert_true(model_has(&model, STRANGER));
	model_set_key(&model, 1, VICTIM);
	run_off_of_unknown(BLKPR_UNKNOWN_ALLOW);
	assert_result(verdict.result, BLKPR_OK);
	assert_true(model_has(&model, STRANGER));
}

static void a_seen_victim_may_be_using_an_unknown_key_too(void **state)
{
	(void)state; /* the key seen may be a dead session's, or from before the node list changed */
	both_registered(0);
	model_set_key(&model, 3, STRANGER);
	run_off();
	assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
	assert_trace("RPR");
	assert_true(verdict.victim_seen);
	assert_true(verdict.offender == STRANGER);
	assert_false(model_has(&model, VICTIM)); /* S5: what can be done is done */
	assert_true(model_has(&model, STRANGER));
	assert_true(verdict.won);
}

static void a_spoilt_proof_is_not_drained_for(void **state)
{
	(void)state; /* it fails anyway: nobody's commands are ended for that */
	absent_with_a_stranger();
	run_off();
	assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
	assert_int_equal(model_count(&model, 'D'), 0);
	assert_true(verdict.won); /* the others are still to be fenced */
}

static void unknown_keys_can_be_evicted(void **state)
{
	(void)state;
	absent_with_a_stranger();
	model_set_key(&model, 4, STRANGER + 1);
	run_off_of_unknown(BLKPR_UNKNOWN_EVICT);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRPRDR"); /* the commands aborted are not the victim's */
	assert_false(model_has(&model, STRANGER));
	assert_false(model_has(&model, STRANGER + 1));
}

static void evicting_unknown_keys_spares_the_clusters_nodes(void **state)
{
	(void)state;
	absent_with_a_stranger();
	model_set_key(&model, 4, THIRD);
	run_off_of_unknown(BLKPR_UNKNOWN_EVICT);
	assert_result(verdict.result, BLKPR_OK);
	assert_true(model_has(&model, THIRD));
	assert_true(model_has(&model, OWN));
}

static void the_victim_is_evicted_before_unknown_keys(void **state)
{
	(void)state;
	both_registered(0);
	model_set_key(&model, 3, STRANGER);
	run_off_of_unknown(BLKPR_UNKNOWN_EVICT);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRPRDR");
	assert_false(model_has(&model, STRANGER));
}

static void a_host_with_key_0_is_never_evicted_and_never_success(void **state)
{
	(void)state; /* trap 2: it can write, and PREEMPT of key 0 is refused or removes everybody */
	for (unsigned how = BLKPR_UNKNOWN_FAIL; how <= BLKPR_UNKNOWN_EVICT; how++) {
		if (how == BLKPR_UNKNOWN_ALLOW)
			continue;
		both_registered(0);
		model_unregister(&model, 1);
		model_set_key(&model, 3, 0);
		run_off_of_unknown(how);
		assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
		assert_trace("R");
		model_set_key(&model, 1, VICTIM);
		run_off_of_unknown(how); /* whether or not the victim was seen */
		assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
		assert_true(model_has(&model, 0));
	}
}

static void a_host_with_key_0_does_not_hide_keys_that_can_be_evicted(void **state)
{
	(void)state;
	absent_with_a_stranger();
	model_set_key(&model, 2, 0);
	run_off_of_unknown(BLKPR_UNKNOWN_EVICT);
	assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
	assert_trace("RPR");
	assert_false(model_has(&model, STRANGER));
	assert_true(model_has(&model, 0));
}

/* --- off: in every state -------------------------------------------------------------------------- */

struct start {
	bool own, victim, stranger, third;
	unsigned type;
	int holder;
	enum blkpr_kind kind;
	bool quirk; /* of NVMe */
};

/* Number N of the states that a disk can be in; false: there is no such state. */
static bool start_state(unsigned n, struct start *start)
{
	*start = (struct start){ .own = n & 1, .victim = n & 2, .stranger = n & 4, .third = n & 8,
		.kind = n & 16 ? BLKPR_NVME : BLKPR_SCSI, .quirk = n & 32, .holder = (int)(n >> 6 & 3),
		.type = n >> 8 };
	model_init(&model, start->kind);
	model.noop_quirk = start->quirk;
	if (start->own)
		model_set_key(&model, 0, OWN);
	if (start->victim)
		model_set_key(&model, 1, VICTIM);
	if (start->stranger)
		model_set_key(&model, 2, STRANGER);
	if (start->third)
		model_set_key(&model, 3, THIRD);
	if (start->quirk && start->kind == BLKPR_SCSI)
		return false;
	if (start->type && !model.nexus[start->holder].registered)
		return false;
	model_set_reservation(&model, start->type, start->holder);
	return true;
}

#define MOST_STATES (7 << 8)

/* What S1 and S4 ask of success. */
static void check_success(const struct start *start)
{
	assert_true(model_has(&model, OWN));
	assert_false(model_has(&model, VICTIM));
	assert_true(blkpr_fence_type_serves(TYPE, model.type));
	assert_false(model_may_write(&model, 1));
	assert_false(model.nexus[1].in_flight);
	for (unsigned i = 0; i < MODEL_NEXUSES && start->kind == BLKPR_SCSI; i++) /* whoever may not write */
		assert_false(model.nexus[i].in_flight && !model_may_write(&model, i));
	assert_true(verdict.drained);
	assert_true(verdict.rests == BLKPR_RESTS_ON_RESET || (verdict.rests && start->kind == BLKPR_NVME));
}

/* LEFT: the victim has writes in flight. Somebody's abort is still to end them; on SCSI nobody's is. */
static bool start_state_with_writes(unsigned n, bool left, struct start *start)
{
	if (!start_state(n, start))
		return false;
	model.before = victim_writes;
	model.nexus[1].in_flight = left;
	model.aborting = left && start->kind == BLKPR_NVME;
	return true;
}

static void off_succeeds_only_with_the_victim_off(void **state)
{
	unsigned successes = 0, absent = 0;

	(void)state;
	for (unsigned n = 0; n < 4 * MOST_STATES; n++) {
		struct start start;

		if (!start_state_with_writes(n / 4, n & 1, &start))
			continue;
		model.aborts_all = n & 2; /* or as LIO */
		run_off();
		assert_int_equal(model_count(&model, 'G'), 0); /* S2 */
		if (verdict.result != BLKPR_OK)
			continue;
		check_success(&start);
		successes++;
		absent += !start.victim && !start.type;
	}
	assert_true(successes > 200);
	assert_true(absent > 16);
}

/* What happens once, right before operation number AT, while everybody writes who may. */
struct event {
	unsigned at;
	void (*happens)(struct model *disk);
};

static bool an_event_happens(struct model *disk, char op, enum blkpr_result *result)
{
	const struct event *event = disk->context;

	if (disk->ops == event->at)
		event->happens(disk);
	return victim_writes(disk, op, result);
}

/* Somebody evicts the victim without ABORT. */
static void victim_comes_writes_and_goes(struct model *disk)
{
	model_set_key(disk, 1, VICTIM);
	model_write(disk);
	model_unregister(disk, 1);
}

static void victim_comes(struct model *disk)
{
	model_set_key(disk, 1, VICTIM);
}

static void victim_comes_by_another_path(struct model *disk)
{
	model_set_key(disk, 4, VICTIM);
}

static void victim_goes(struct model *disk)
{
	model_write(disk);
	model_unregister(disk, 1);
	disk->generation++;
}

static void the_reservation_goes(struct model *disk)
{
	model_set_reservation(disk, 0, MODEL_NOBODY);
}

static void everybody_else_goes(struct model *disk)
{
	model_set_reservation(disk, 0, MODEL_NOBODY);
	model_write(disk);
	for (unsigned i = 1; i < MODEL_NEXUSES; i++)
		model_unregister(disk, i);
	disk->generation++;
	model_set_reservation(disk, TYPE, 0);
}

static void off_is_right_whenever_somebody_comes_or_goes(void **state)
{
	static void (*const events[])(struct model *disk) = { victim_comes_writes_and_goes, victim_comes,
		victim_comes_by_another_path, victim_goes, the_reservation_goes, everybody_else_goes };
	unsigned last = 0;

	(void)state; /* S1, S4 */
	for (unsigned n = 0; n < MOST_STATES * ARRAY_SIZE(events); n++)
		for (unsigned at = 1; at <= 12; at++) {
			struct event event = { at, events[n % ARRAY_SIZE(events)] };
			struct start start;

			if (!start_state_with_writes(n / ARRAY_SIZE(events), true, &start) || !start.own ||
				start.stranger || start.kind == BLKPR_NVME ||
				(start.type && !blkpr_fence_type_serves(TYPE, start.type)))
				continue;
			model.before = an_event_happens;
			model.context = &event;
			run_off();
			assert_result(verdict.result, BLKPR_OK);
			check_success(&start);
			if (model.ops >= at && at > last)
				last = at;
		}
	assert_true(last >= 7); /* the look that concludes, among others */
}

static void off_succeeds_wherever_the_node_is_registered_and_the_type_is_right(void **state)
{
	(void)state;
	for (unsigned n = 0; n < MOST_STATES; n++) {
		struct start start;

		if (!start_state(n, &start) || !start.own)
			continue;
		if (start.stranger || (start.type && !blkpr_fence_type_serves(TYPE, start.type)))
			continue;
		run_off();
		if (verdict.result == BLKPR_UNDRAINABLE) { /* S1; and S7 */
			assert_true(start.kind == BLKPR_NVME && !start.type && !start.victim);
			run_off();
		}
		assert_result(verdict.result, BLKPR_OK);
	}
}

static void off_never_changes_anything_for_an_evicted_node(void **state)
{
	(void)state; /* S2 */
	for (unsigned n = 0; n < MOST_STATES; n++) {
		struct start start;

		if (!start_state(n, &start) || start.own)
			continue;
		run_off();
		assert_result(verdict.result, BLKPR_EVICTED);
		assert_trace("R");
	}
}

static void off_never_removes_anybody_but_the_victim(void **state)
{
	(void)state; /* S6 */
	for (unsigned n = 0; n < MOST_STATES; n++) {
		struct start start;

		if (!start_state(n, &start))
			continue;
		run_off();
		assert_int_equal(model_has(&model, OWN), start.own);
		assert_int_equal(model_has(&model, STRANGER), start.stranger);
		assert_int_equal(model_has(&model, THIRD), start.third);
	}
}

/* Every operation from number *CONTEXT on is answered with an error: the process was killed there. */
static bool killed(struct model *disk, char op, enum blkpr_result *result)
{
	(void)op;
	*result = BLKPR_CRASHED;
	return disk->ops > *(unsigned *)disk->context;
}

static void off_killed_at_any_operation_and_repeated_converges(void **state)
{
	(void)state; /* S7 */
	for (unsigned n = 0; n < MOST_STATES; n++)
		for (unsigned until = 0; until < 10; until++) {
			struct start start;

			if (!start_state_with_writes(n, true, &start) || !start.own || start.stranger ||
			        (start.type && !blkpr_fence_type_serves(TYPE, start.type)))
				continue;
			model.before = killed;
			model.context = &until;
			run_off();
			model.before = victim_writes;
			run_off();
			if (verdict.result == BLKPR_UNDRAINABLE) {
				assert_true(start.kind == BLKPR_NVME && !start.type && !start.victim);
				model.nexus[1].in_flight = false; /* what it took while it was open */
				run_off();
			}
			assert_result(verdict.result, BLKPR_OK);
			check_success(&start);
		}
}

/* The victim's key is removed, its commands are not ended yet. */
static bool killed_in_preempt(struct model *disk, char op, enum blkpr_result *result)
{
	victim_writes(disk, op, result);
	if (op != 'P')
		return false;
	model_preempt_abort(disk, 0, OWN, VICTIM, TYPE);
	disk->nexus[1].in_flight = true;
	disk->aborting = disk->kind == BLKPR_NVME;
	*result = BLKPR_CRASHED;
	return true;
}

static void off_killed_while_the_device_ends_commands_and_repeated_ends_them(void **state)
{
	unsigned successes = 0;

	(void)state; /* S1, S7 */
	for (unsigned n = 0; n < MOST_STATES; n++) {
		struct start start;

		if (!start_state(n, &start) || !start.own || !start.victim || start.stranger)
			continue;
		model.before = killed_in_preempt;
		run_off();
		assert_true(verdict.result != BLKPR_OK);
		start.victim = model_has(&model, VICTIM);
		model.before = victim_writes;
		run_off();
		if (verdict.result != BLKPR_OK)
			continue;
		check_success(&start);
		successes++;
	}
	assert_true(successes > 8);
}

/* --- status --------------------------------------------------------------------------------------- */

static void status_of_a_registered_node_is_on(void **state)
{
	(void)state;
	both_registered(0);
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_VICTIM_ON);
	assert_trace("R");
}

static void status_of_an_evicted_node_is_off(void **state)
{
	(void)state;
	both_registered(0);
	model_unregister(&model, 1);
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_OK);
}

static void status_proves_nothing_for_an_evicted_asker(void **state)
{
	(void)state;
	both_registered(1);
	model_unregister(&model, 0);
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_EVICTED);
}

static void status_proves_nothing_without_a_reservation(void **state)
{
	(void)state;
	both_registered(MODEL_NOBODY);
	model_unregister(&model, 1);
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_UNRESERVED);
}

/* Where another fence device has made the reservation. */
static void any_type_that_keeps_strangers_out_proves_where_it_is_said_to(void **state)
{
	static const struct {
		unsigned type;
		enum blkpr_result result;
	} cases[] = {
		{ PR_WRITE_EXCLUSIVE, BLKPR_FOREIGN_TYPE },
		{ PR_EXCLUSIVE_ACCESS, BLKPR_FOREIGN_TYPE },
		{ PR_WRITE_EXCLUSIVE_REG_ONLY, BLKPR_OK },
		{ PR_EXCLUSIVE_ACCESS_REG_ONLY, BLKPR_OK },
		{ PR_WRITE_EXCLUSIVE_ALL_REGS, BLKPR_OK },
		{ PR_EXCLUSIVE_ACCESS_ALL_REGS, BLKPR_OK },
	};
	struct blkpr_fence how = fence;

	(void)state;
	how.any_type = true;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		both_registered(0);
		model_unregister(&model, 1);
		model_set_reservation(&model, cases[i].type, 0);
		run_status_with(&how);
		assert_result(verdict.result, cases[i].result);
	}
	both_registered(MODEL_NOBODY);
	model_unregister(&model, 1);
	run_status_with(&how);
	assert_result(verdict.result, BLKPR_UNRESERVED);
}

static void status_proves_nothing_under_a_foreign_type(void **state)
{
	(void)state;
	both_registered(0);
	model_unregister(&model, 1);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 0);
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_FOREIGN_TYPE);
}

static void status_proves_nothing_beside_an_unknown_key(void **state)
{
	struct blkpr_fence how = fence;

	(void)state;
	absent_with_a_stranger();
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
	how.unknown = BLKPR_UNKNOWN_EVICT;
	run_status_with(&how);
	assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
	how.unknown = BLKPR_UNKNOWN_ALLOW;
	run_status_with(&how);
	assert_result(verdict.result, BLKPR_OK);
}

static void check_status_of_itself(bool registered, enum blkpr_result want)
{
	struct blkpr_fence how = fence;

	both_registered(1);
	if (!registered)
		model_unregister(&model, 0);
	how.victim = OWN;
	run_status_with(&how);
	assert_result(verdict.result, want);
	assert_trace("R");
}

static void a_node_may_ask_about_itself(void **state)
{
	(void)state;
	check_status_of_itself(true, BLKPR_VICTIM_ON);
	check_status_of_itself(false, BLKPR_OK);
}

static void status_never_changes_anything(void **state)
{
	(void)state; /* S2 */
	for (unsigned n = 0; n < MOST_STATES; n++) {
		struct start start;

		if (!start_state(n, &start))
			continue;
		run_status_with(&fence);
		assert_trace("R");
		assert_true(verdict.result != BLKPR_OK || !model_has(&model, VICTIM));
	}
}

static void check_refused_unread(void)
{
	assert_result(verdict.result, BLKPR_INVALID);
	assert_trace("");
}

static void key_0_is_no_node_and_is_refused_unseen(void **state)
{
	struct model_disk node = model_connect(&model, 0, 1);
	struct blkpr_fence how = fence;

	(void)state;
	both_registered(0);
	model_set_key(&model, 3, 0); /* a host that has it */
	on_disk(&nobody, 0, &node.disk, &verdict);
	check_refused_unread();
	status_disk(&fence, 0, &node.disk, &verdict);
	check_refused_unread();
	monitor_disk(&nobody, 0, 1, &node.disk, &verdict);
	check_refused_unread();
	how.victim = 0;
	status_disk(&how, 0, &node.disk, &verdict);
	check_refused_unread();
}

/* --- a key that another initiator has too ---------------------------------------------------------- */

/* OWN is registered twice, the victim absent. */
static void own_twice(bool on_one_host)
{
	both_registered(0);
	model_unregister(&model, 1);
	model_set_key(&model, 4, OWN);
	if (on_one_host)
		model.host[4] = 0;
}

static void off_proves_nothing_if_the_absent_victim_may_have_the_own_key(void **state)
{
	(void)state; /* S4 */
	own_twice(false);
	run_off();
	assert_result(verdict.result, BLKPR_SHARED_KEY);
	assert_trace("RDRI");
	assert_int_equal(verdict.step, BLKPR_STEP_INITIATORS);
	assert_true(verdict.won); /* the others are still to be fenced */
}

#define PATHS 20

static unsigned at; /* the path that commands go by */

/* Own key is on the last path; what one refuses goes by the next one, the next time. */
static bool only_the_last_path_is_registered(struct model *m, char op, enum blkpr_result *result)
{
	(void)m;
	if (!strchr("SPG", op) || at == PATHS - 1)
		return false;
	at++;
	*result = BLKPR_CONFLICT;
	return true;
}

static void off_has_a_round_for_every_path(void **state)
{
	(void)state;
	for (int holder = MODEL_NOBODY; holder <= 1; holder++) { /* nobody, own, the victim */
		struct model_disk node;

		both_registered(holder);
		node = model_connect(&model, 0, 1);
		node.disk.paths = PATHS;
		at = 0;
		model.before = only_the_last_path_is_registered;
		verdict = (struct blkpr_verdict){ 0 };
		off_disk(&fence, OWN, &node.disk, &verdict);
		assert_result(verdict.result, BLKPR_OK);
		assert_false(model_has(&model, VICTIM));
		assert_int_equal(at, PATHS - 1);
	}
}

static void off_of_a_node_that_no_path_is_registered_for_ends(void **state)
{
	struct model_disk node;

	(void)state;
	both_registered(1);
	node = model_connect(&model, 0, 1);
	node.disk.paths = 2;
	at = PATHS - 1 - 100; /* never */
	model.before = only_the_last_path_is_registered;
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_CONFLICT);
	assert_int_equal(model_count(&model, 'P'), MOST_ROUNDS + 3); /* a path, two keys */
}

static void off_of_a_seen_victim_does_not_ask_for_initiators(void **state)
{
	(void)state;
	own_twice(false);
	model_set_key(&model, 1, VICTIM);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RPRDR");
}

static void status_proves_nothing_if_the_victim_may_have_the_own_key(void **state)
{
	(void)state;
	own_twice(false);
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_SHARED_KEY);
	assert_trace("RI");
	model_set_key(&model, 1, VICTIM);
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_VICTIM_ON);
}

static void monitor_finds_a_shared_key(void **state)
{
	(void)state;
	own_twice(false);
	run_monitor();
	assert_result(verdict.result, BLKPR_SHARED_KEY);
	run_monitor_of(&nobody, 2);
	assert_result(verdict.result, BLKPR_SHARED_KEY);
	assert_trace("RIRI");
}

static void paths_of_one_host_share_no_key(void **state)
{
	(void)state;
	own_twice(true);
	run_off();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RDRI");
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_OK);
	run_monitor_of(&nobody, 2);
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RDRIRIRIC");
}

static void one_registration_needs_no_initiators(void **state)
{
	(void)state;
	absent_victim(0);
	model_set_key(&model, 2, THIRD);
	model_set_key(&model, 3, THIRD);
	run_status_with(&fence);
	assert_result(verdict.result, BLKPR_OK);
	run_monitor();
	assert_result(verdict.result, BLKPR_OK);
	assert_trace("RRC");
}

/* What the device answers to READ FULL STATUS, and what follows from it. */
static void check_initiators(enum blkpr_result answer, unsigned initiators, enum blkpr_result want)
{
	static const struct script_view view = { { OWN, OWN }, TYPE, OWN, 1 };

	script_read(&view);
	script_drain(BLKPR_OK);
	script_read(&view);
	script_initiators(OWN, initiators, answer);
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, want);
	script_read(&view);
	script_initiators(OWN, initiators, answer);
	verdict = (struct blkpr_verdict){ 0 };
	status_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, want);
}

static void initiators_that_cannot_be_told_are_no_objection(void **state)
{
	(void)state; /* Fibre Channel, NVMe, a device without READ FULL STATUS */
	check_initiators(BLKPR_UNSUPPORTED, 0, BLKPR_OK);
	check_initiators(BLKPR_UNSUPPORTED, 2, BLKPR_OK);
	check_initiators(BLKPR_INVALID, 0, BLKPR_OK);
	check_initiators(BLKPR_OK, 1, BLKPR_OK);
	check_initiators(BLKPR_OK, 2, BLKPR_SHARED_KEY);
	check_initiators(BLKPR_OK, 3, BLKPR_SHARED_KEY);
}

static void initiators_that_cannot_be_read_are_no_success(void **state)
{
	static const enum blkpr_result answers[] = { BLKPR_MALFORMED, BLKPR_IO_ERROR, BLKPR_PATH_FAILED,
		BLKPR_BUSY, BLKPR_CONFLICT, BLKPR_NO_MEMORY, BLKPR_DENIED, BLKPR_GONE };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++)
		check_initiators(answers[i], 0, answers[i]);
}

/* --- monitor -------------------------------------------------------------------------------------- */

static void monitor_is_content_with_a_sound_disk(void **state)
{
	(void)state;
	both_registered(1);
	run_monitor();
	assert_result(verdict.result, BLKPR_OK);
	assert_true(verdict.capable);
	assert_trace("RC");
}

static void monitor_finds_its_own_key_missing(void **state)
{
	(void)state;
	both_registered(1);
	model_unregister(&model, 0);
	run_monitor();
	assert_result(verdict.result, BLKPR_EVICTED);
}

static void monitor_finds_a_missing_reservation(void **state)
{
	(void)state;
	both_registered(MODEL_NOBODY);
	run_monitor();
	assert_result(verdict.result, BLKPR_UNRESERVED);
}

static void monitor_finds_a_foreign_type(void **state)
{
	(void)state;
	both_registered(1);
	model_set_reservation(&model, PR_EXCLUSIVE_ACCESS, 1);
	run_monitor();
	assert_result(verdict.result, BLKPR_FOREIGN_TYPE);
}

/* Nobody writes by it; that the others may is asked of each. */
static void monitor_expects_no_registration_by_a_path_that_does_not_answer(void **state)
{
	struct model_disk node;

	(void)state;
	both_registered(1);
	node = model_connect(&model, 0, 1);
	node.silent = 1;
	verdict = (struct blkpr_verdict){ 0 };
	monitor_disk(&nobody, OWN, 2, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	verdict = (struct blkpr_verdict){ 0 };
	monitor_disk(&nobody, OWN, 3, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_FEWER_PATHS);
}

static void monitor_finds_paths_that_are_not_registered(void **state)
{
	(void)state;
	both_registered(1);
	run_monitor_of(&nobody, 2);
	assert_result(verdict.result, BLKPR_FEWER_PATHS);
	model_set_key(&model, 4, OWN);
	model.host[4] = 0;
	run_monitor_of(&nobody, 2);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(verdict.own_registrations, 2);
}

static void monitor_finds_unknown_keys(void **state)
{
	struct blkpr_fence how = nobody;

	(void)state;
	both_registered(1);
	model_set_key(&model, 4, STRANGER);
	run_monitor();
	assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
	assert_true(verdict.offender == STRANGER);
	how.unknown = BLKPR_UNKNOWN_ALLOW;
	run_monitor_of(&how, 1);
	assert_result(verdict.result, BLKPR_OK);
}

static void monitor_finds_a_host_with_key_0(void **state)
{
	(void)state; /* trap 2; and no victim is key 0 as well */
	both_registered(1);
	model_set_key(&model, 4, 0);
	run_monitor();
	assert_result(verdict.result, BLKPR_UNKNOWN_KEYS);
}

static void monitor_finds_a_device_that_cannot_do_the_type(void **state)
{
	(void)state;
	both_registered(1);
	model.capabilities.types = 1 << PR_WRITE_EXCLUSIVE;
	run_monitor();
	assert_result(verdict.result, BLKPR_NOT_CAPABLE);
}

static void monitor_accepts_a_device_that_does_not_say_what_it_can(void **state)
{
	(void)state;
	both_registered(1);
	model.capabilities.types = 0;
	run_monitor();
	assert_result(verdict.result, BLKPR_OK);
	assert_false(verdict.capable);
	model.capabilities_result = BLKPR_INVALID;
	run_monitor();
	assert_result(verdict.result, BLKPR_OK);
	model.capabilities_result = BLKPR_UNSUPPORTED;
	run_monitor();
	assert_result(verdict.result, BLKPR_OK);
}

static void monitor_tells_of_a_device_that_forgets(void **state)
{
	(void)state; /* no failure: nothing that this node could do would mend it */
	both_registered(1);
	model.capabilities.forgets = true;
	run_monitor();
	assert_result(verdict.result, BLKPR_OK);
	assert_true(verdict.forgets);
	model.capabilities.forgets = false;
	run_monitor();
	assert_false(verdict.forgets);
}

static void monitor_tells_of_a_device_that_aborts_without_a_word(void **state)
{
	struct blkpr_fence aborts = nobody;

	(void)state;
	both_registered(1);
	model.capabilities.mute = true;
	run_monitor();
	assert_result(verdict.result, BLKPR_OK);
	assert_true(verdict.mute);
	aborts.in_flight = BLKPR_IN_FLIGHT_ABORT; /* no LUN RESET is sent */
	run_monitor_of(&aborts, 1);
	assert_false(verdict.mute);
}

/* An array with a registration for each of this node's two HBAs, wherever their paths lead. */
static enum blkpr_result register_by_hba(
	struct blkpr_disk *disk, unsigned path, uint64_t old_key, uint64_t new_key)
{
	return model_ops.register_key(disk, path / 2, old_key, new_key);
}

static void an_array_that_merges_registrations_is_registered_and_fenced(void **state)
{
	struct blkpr_disk_ops merging = model_ops;
	struct blkpr_fence evicting = fence;
	struct model_disk node;

	(void)state;
	merging.register_key = register_by_hba;
	model_init(&model, BLKPR_SCSI);
	for (unsigned again = 0; again < 2; again++) {
		node = model_connect(&model, 0, 2);
		node.disk.ops = &merging;
		node.disk.paths = 4;
		verdict = (struct blkpr_verdict){ 0 };
		on_disk(&nobody, OWN, &node.disk, &verdict);
		assert_result(verdict.result, BLKPR_OK);
		assert_int_equal(verdict.own_registrations, 2);
	}
	/* nothing tells it from one where two paths are not registered */
	verdict = (struct blkpr_verdict){ 0 };
	monitor_disk(&nobody, OWN, 4, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_FEWER_PATHS);
	model_set_key(&model, 4, VICTIM); /* another node, which evicts this one */
	node = model_connect(&model, 4, 1);
	evicting.victim = OWN;
	verdict = (struct blkpr_verdict){ 0 };
	off_disk(&evicting, VICTIM, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_false(model_has(&model, OWN));
}

static bool refuse_reads(struct model *m, char op, enum blkpr_result *result)
{
	(void)m;
	*result = BLKPR_IO_ERROR;
	return op == 'R';
}

static void monitor_reports_a_device_that_does_not_answer(void **state)
{
	(void)state;
	both_registered(1);
	model.before = refuse_reads;
	run_monitor();
	assert_result(verdict.result, BLKPR_IO_ERROR);
}

/* What a device comes to that is asked something and neither answers nor says that it cannot. */
static const enum blkpr_result silences[] = { BLKPR_IO_ERROR, BLKPR_BUSY, BLKPR_PATH_FAILED,
	BLKPR_MALFORMED, BLKPR_GONE, BLKPR_DENIED, BLKPR_CONFLICT, BLKPR_NO_MEMORY };

static void monitor_does_without_capabilities_that_are_not_told(void **state)
{
	(void)state; /* the type is held */
	both_registered(1);
	model.capabilities.forgets = true;
	for (unsigned i = 0; i < ARRAY_SIZE(silences); i++) {
		model.capabilities_result = silences[i];
		run_monitor();
		assert_result(verdict.result, BLKPR_OK);
		assert_false(verdict.capable);
		assert_false(verdict.forgets); /* it has not said so */
		assert_int_equal(verdict.unanswered, BLKPR_STEP_CAPABILITIES);
	}
	model.capabilities_result = BLKPR_UNSUPPORTED;
	run_monitor();
	assert_int_equal(verdict.unanswered, BLKPR_STEP_NONE);
}

/* Off needs to know it, and fails: initiators_that_cannot_be_read_are_no_success. */
static void monitor_does_without_initiators_that_are_not_told(void **state)
{
	(void)state;
	own_twice(true);
	for (unsigned i = 0; i < ARRAY_SIZE(silences); i++) {
		model.initiators_result = silences[i];
		run_monitor_of(&nobody, 2);
		assert_result(verdict.result, BLKPR_OK);
		assert_true(verdict.capable); /* asked all the same */
		assert_int_equal(verdict.unanswered, BLKPR_STEP_INITIATORS);
	}
}

static struct {
	int64_t initiators, capabilities; /* until when they are repeated */
} deadlines;

static enum blkpr_result busy_initiators(
	struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	(void)key;
	*initiators = 0;
	deadlines.initiators = disk->deadline;
	return BLKPR_BUSY;
}

static enum blkpr_result busy_capabilities(
	struct blkpr_disk *disk, struct blkpr_capabilities *capabilities)
{
	*capabilities = (struct blkpr_capabilities){ 0 };
	deadlines.capabilities = disk->deadline;
	return BLKPR_BUSY;
}

static void monitor_waits_not_long_for_what_it_can_do_without(void **state)
{
	struct blkpr_disk_ops busy = model_ops;
	struct model_disk node;
	int64_t begun = blkpr_clock_ms(), deadline = begun + 600000;

	(void)state;
	busy.initiators = busy_initiators;
	busy.capabilities = busy_capabilities;
	own_twice(true);
	node = model_connect(&model, 0, 1);
	node.disk.ops = &busy;
	node.disk.deadline = deadline;
	verdict = (struct blkpr_verdict){ 0 };
	monitor_disk(&nobody, OWN, 2, &node.disk, &verdict);
	assert_result(verdict.result, BLKPR_OK);
	assert_true(deadlines.initiators >= begun && deadlines.initiators < begun + 60000);
	assert_true(deadlines.capabilities >= begun && deadlines.capabilities < begun + 60000);
	assert_true(node.disk.deadline == deadline);
	node.disk.deadline = begun; /* never later than it was */
	monitor_disk(&nobody, OWN, 2, &node.disk, &verdict);
	assert_true(deadlines.initiators == begun && deadlines.capabilities == begun);
}

static void monitor_never_changes_anything(void **state)
{
	(void)state; /* S2 */
	for (unsigned n = 0; n < MOST_STATES; n++) {
		struct start start;

		if (!start_state(n, &start))
			continue;
		run_monitor();
		assert_true(model_only_read(&model));
	}
}

/* --- what a verdict tells people ------------------------------------------------------------------ */

static void a_verdict_counts_registrations_and_distinct_keys(void **state)
{
	(void)state;
	both_registered(1);
	model_set_key(&model, 3, OWN);
	model.host[3] = 0;
	run_monitor();
	assert_int_equal(verdict.registrations, 3);
	assert_int_equal(verdict.own_registrations, 2);
	assert_int_equal(verdict.nkeys, 2);
	assert_true(verdict.keys[0].key == OWN);
	assert_int_equal(verdict.keys[0].count, 2);
	assert_int_equal(verdict.type, TYPE);
	assert_true(verdict.holder == VICTIM);
}

static void a_verdict_keeps_as_many_keys_as_it_has_room_for(void **state)
{
	uint64_t keys[BLKPR_VERDICT_KEYS + 2];
	struct blkpr_report report = { .keys = keys, .nkeys = ARRAY_SIZE(keys) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		keys[i] = i + 1;
	keys[ARRAY_SIZE(keys) - 1] = 1; /* one that has a place, after the room is used up */
	verdict = (struct blkpr_verdict){ 0 };
	blkpr_verdict_observe(&verdict, &report, 5);
	assert_int_equal(verdict.nkeys, BLKPR_VERDICT_KEYS);
	assert_int_equal(verdict.keys[0].count, 2);
	assert_int_equal(verdict.registrations, ARRAY_SIZE(keys));
	assert_int_equal(verdict.own_registrations, 1);
}

static void every_step_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BLKPR_STEPS; i++)
		assert_non_null(blkpr_step_names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_type_is_served_by_itself_and_its_all_registrants_twin),
		cmocka_unit_test(on_registers_and_reserves_a_fresh_disk),
		cmocka_unit_test(on_looks_before_it_believes_a_register_that_failed),
		cmocka_unit_test(a_register_that_is_refused_is_not_believed_done),
		cmocka_unit_test(on_joins_the_reservation_of_another_node),
		cmocka_unit_test(on_registers_even_if_its_key_is_there),
		cmocka_unit_test(on_replaces_a_stale_key),
		cmocka_unit_test(on_replaces_a_stale_key_on_nvme),
		cmocka_unit_test(on_never_drops_the_key_on_the_way),
		cmocka_unit_test(on_of_a_fenced_node_registers_nothing_anew),
		cmocka_unit_test(on_refuses_a_foreign_type_before_anything_is_changed),
		cmocka_unit_test(on_accepts_the_all_registrants_twin),
		cmocka_unit_test(on_accepts_that_another_node_was_faster),
		cmocka_unit_test(on_refuses_what_a_faster_stranger_reserved),
		cmocka_unit_test(on_does_not_fight_an_eviction),
		script_test(on_sees_that_its_key_is_gone_again),
		script_test(on_gives_up_where_reserve_never_settles),
		script_test(on_reports_a_refused_register),
		cmocka_unit_test(off_evicts_a_registered_victim),
		cmocka_unit_test(off_takes_over_a_victims_reservation),
		cmocka_unit_test(off_keeps_the_type_that_is_held),
		cmocka_unit_test(off_evicts_every_path_of_the_victim),
		cmocka_unit_test(off_removes_the_victims_key_only),
		cmocka_unit_test(off_of_an_absent_victim_reads_and_drains),
		cmocka_unit_test(off_ends_the_commands_that_preempt_and_abort_leaves),
		cmocka_unit_test(off_drains_once_where_nothing_changes),
		cmocka_unit_test(a_lun_reset_that_somebody_else_answers_ends_nothing),
		cmocka_unit_test(success_rests_on_what_is_known_or_said),
		cmocka_unit_test(monitor_says_on_what_success_would_rest),
		cmocka_unit_test(an_abort_that_is_not_over_is_waited_for),
		cmocka_unit_test(what_a_disk_took_while_it_was_open_is_not_ended_by_an_abort_of_nobody),
		script_test(what_a_disk_took_until_another_node_reserved_it_is_not_ended_by_an_abort_of_nobody),
		script_test(an_abort_does_not_hold_for_a_victim_that_came_and_went_unseen),
		script_test(a_preempt_that_does_nothing_and_moves_the_generation_ends),
		cmocka_unit_test(an_abort_of_another_key_does_not_stand_for_the_victims),
		script_test(an_abort_that_is_not_answered_is_no_success),
		cmocka_unit_test(a_drain_that_fails_is_no_success),
		script_test(a_disk_is_won_only_by_a_look_at_it),
		script_test(a_disk_that_is_lost_during_the_drain_is_not_won),
		script_test(what_is_seen_after_a_drain_decides),
		script_test(a_victim_that_registers_during_the_drain_is_evicted),
		script_test(a_drain_does_not_hold_for_a_victim_that_came_back),
		script_test(a_drain_does_not_hold_for_a_victim_that_came_and_went_unseen),
		script_test(a_drain_before_which_nobody_was_asked_does_not_count),
		script_test(a_drain_does_not_hold_for_a_disk_that_was_open_since),
		script_test(a_generation_that_does_not_move_with_a_preempt_proves_nothing),
		script_test(a_generation_that_does_not_move_with_a_register_proves_nothing),
		script_test(a_generation_that_does_not_move_with_an_abort_proves_nothing),
		script_test(a_key_that_goes_by_itself_need_not_be_counted),
		script_test(drains_that_never_hold_end),
		cmocka_unit_test(a_drain_that_does_not_hold_once_never_holds_again),
		cmocka_unit_test(a_run_begins_with_what_the_one_before_has_seen_and_done),
		cmocka_unit_test(of_a_run_that_has_not_finished_nothing_counts_that_makes_the_next_one_bolder),
		cmocka_unit_test(what_was_registered_by_us_is_not_what_was_there_before),
		cmocka_unit_test(off_reserves_before_it_preempts),
		cmocka_unit_test(off_restores_a_missing_reservation_of_an_absent_victim_before_it_drains),
		cmocka_unit_test(writes_of_a_path_that_was_never_registered_are_ended_too),
		cmocka_unit_test(off_is_repeatable),
		cmocka_unit_test(evicted_node_cannot_evict),
		cmocka_unit_test(evicted_node_does_not_reserve),
		cmocka_unit_test(off_does_not_break_a_foreign_type),
		cmocka_unit_test(off_of_oneself_or_with_key_0_is_refused_unseen),
		script_test(a_read_that_fails_is_no_success),
		script_test(a_proof_that_cannot_be_read_is_no_success),
		script_test(a_preempt_that_fails_is_no_success),
		script_test(a_reserve_that_fails_is_no_success),
		cmocka_unit_test(a_conflict_with_the_own_key_gone_is_a_lost_race),
		cmocka_unit_test(a_conflict_with_the_victim_gone_is_success),
		script_test(a_conflict_after_an_abort_is_drained),
		cmocka_unit_test(off_looks_before_every_preempt_of_a_busy_device),
		cmocka_unit_test(off_of_a_busy_device_ends_at_the_deadline),
		cmocka_unit_test(who_is_left_behind_only_looks),
		cmocka_unit_test(who_outlives_a_drain_does_not_even_look),
		cmocka_unit_test(off_looks_before_every_drain_of_a_busy_device),
		cmocka_unit_test(a_device_that_stays_too_busy_for_a_drain_is_won_but_no_success),
		cmocka_unit_test(a_node_evicted_while_the_device_is_busy_does_not_preempt_again),
		cmocka_unit_test(preempt_that_returns_0_and_does_nothing_is_no_success),
		cmocka_unit_test(a_holder_evicts_where_its_preempt_only_changes_the_type),
		cmocka_unit_test(unknown_keys_are_evicted_where_a_holders_preempt_only_changes_the_type),
		script_test(the_type_is_changed_on_positive_evidence_only),
		script_test(preempt_that_always_conflicts_ends_in_conflict),
		script_test(off_tries_as_many_paths_as_there_are),
		cmocka_unit_test(on_tries_as_many_paths_as_there_are),
		script_test(a_reservation_that_goes_away_with_the_victim_is_made_again),
		script_test(generations_are_kept_from_before_and_after),
		cmocka_unit_test(an_absent_victim_may_be_using_an_unknown_key),
		cmocka_unit_test(unknown_keys_can_be_allowed),
		cmocka_unit_test(a_seen_victim_may_be_using_an_unknown_key_too),
		cmocka_unit_test(a_spoilt_proof_is_not_drained_for),
		cmocka_unit_test(unknown_keys_can_be_evicted),
		cmocka_unit_test(evicting_unknown_keys_spares_the_clusters_nodes),
		cmocka_unit_test(the_victim_is_evicted_before_unknown_keys),
		cmocka_unit_test(a_host_with_key_0_is_never_evicted_and_never_success),
		cmocka_unit_test(a_host_with_key_0_does_not_hide_keys_that_can_be_evicted),
		cmocka_unit_test(off_succeeds_only_with_the_victim_off),
		cmocka_unit_test(off_is_right_whenever_somebody_comes_or_goes),
		cmocka_unit_test(off_succeeds_wherever_the_node_is_registered_and_the_type_is_right),
		cmocka_unit_test(off_never_changes_anything_for_an_evicted_node),
		cmocka_unit_test(off_never_removes_anybody_but_the_victim),
		cmocka_unit_test(off_killed_at_any_operation_and_repeated_converges),
		cmocka_unit_test(off_killed_while_the_device_ends_commands_and_repeated_ends_them),
		cmocka_unit_test(status_of_a_registered_node_is_on),
		cmocka_unit_test(status_of_an_evicted_node_is_off),
		cmocka_unit_test(status_proves_nothing_for_an_evicted_asker),
		cmocka_unit_test(status_proves_nothing_without_a_reservation),
		cmocka_unit_test(any_type_that_keeps_strangers_out_proves_where_it_is_said_to),
		cmocka_unit_test(status_proves_nothing_under_a_foreign_type),
		cmocka_unit_test(status_proves_nothing_beside_an_unknown_key),
		cmocka_unit_test(a_node_may_ask_about_itself),
		cmocka_unit_test(status_never_changes_anything),
		cmocka_unit_test(key_0_is_no_node_and_is_refused_unseen),
		cmocka_unit_test(off_proves_nothing_if_the_absent_victim_may_have_the_own_key),
		cmocka_unit_test(off_has_a_round_for_every_path),
		cmocka_unit_test(off_of_a_node_that_no_path_is_registered_for_ends),
		cmocka_unit_test(off_of_a_seen_victim_does_not_ask_for_initiators),
		cmocka_unit_test(status_proves_nothing_if_the_victim_may_have_the_own_key),
		cmocka_unit_test(monitor_finds_a_shared_key),
		cmocka_unit_test(paths_of_one_host_share_no_key),
		cmocka_unit_test(one_registration_needs_no_initiators),
		script_test(initiators_that_cannot_be_told_are_no_objection),
		script_test(initiators_that_cannot_be_read_are_no_success),
		cmocka_unit_test(monitor_is_content_with_a_sound_disk),
		cmocka_unit_test(monitor_finds_its_own_key_missing),
		cmocka_unit_test(monitor_finds_a_missing_reservation),
		cmocka_unit_test(monitor_finds_a_foreign_type),
		cmocka_unit_test(monitor_finds_paths_that_are_not_registered),
		cmocka_unit_test(monitor_expects_no_registration_by_a_path_that_does_not_answer),
		cmocka_unit_test(an_array_that_merges_registrations_is_registered_and_fenced),
		cmocka_unit_test(monitor_finds_unknown_keys),
		cmocka_unit_test(monitor_finds_a_host_with_key_0),
		cmocka_unit_test(monitor_finds_a_device_that_cannot_do_the_type),
		cmocka_unit_test(monitor_accepts_a_device_that_does_not_say_what_it_can),
		cmocka_unit_test(monitor_tells_of_a_device_that_forgets),
		cmocka_unit_test(monitor_tells_of_a_device_that_aborts_without_a_word),
		cmocka_unit_test(monitor_reports_a_device_that_does_not_answer),
		cmocka_unit_test(monitor_does_without_capabilities_that_are_not_told),
		cmocka_unit_test(monitor_does_without_initiators_that_are_not_told),
		cmocka_unit_test(monitor_waits_not_long_for_what_it_can_do_without),
		cmocka_unit_test(monitor_never_changes_anything),
		cmocka_unit_test(a_verdict_counts_registrations_and_distinct_keys),
		cmocka_unit_test(a_verdict_keeps_as_many_keys_as_it_has_room_for),
		cmocka_unit_test(every_step_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
