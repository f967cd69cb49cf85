// SPDX-License-Identifier: GPL-2.0-or-later
// Who a registration belongs to (S10): two nodes that share a nexus, one node whose key stands for another nexus.
#include <string.h>

#include "lib/fence.h"
#include "lib/hold.h"
#include "lib/nexus.h"
#include "lib/work.h"
#include "tests/unit/model.h"
#include "tests/unit/on_disk.h"
#include "tests/unit/script.h"
#include "tests/unit/unit.h"

#define OWN 0xa
#define OTHER 0xb
#define THIRD 0xc
#define OLDER 0xdead /* of nobody known: this node's own, of before the cluster was renamed */
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY

static const uint64_t other_keys[] = { THIRD, OTHER };
static const struct blkpr_fence fence = {
	.type = TYPE, .known = other_keys, .nknown = 2, .others = { .keys = other_keys, .count = 2 } };
static const struct blkpr_hold hold = {
	.type = TYPE, .evict = true, .others = { .keys = other_keys, .count = 2 } };

static struct model model, before;
static struct blkpr_verdict verdict;

/* This node's session of before was by nexus 5. */
static void disk_of(enum blkpr_kind kind)
{
	model_init(&model, kind);
	model.host[5] = 0;
	model.nameless = true;
}

static void run_on(unsigned paths)
{
	struct model_disk node = model_connect(&model, 0, paths);

	verdict = (struct blkpr_verdict){ 0 };
	memset(model.trace, 0, sizeof(model.trace));
	model.ops = 0;
	before = model;
	on_disk(&fence, OWN, &node.disk, &verdict);
}

static void run_monitor(unsigned paths)
{
	struct model_disk node = model_connect(&model, 0, paths);

	verdict = (struct blkpr_verdict){ 0 };
	before = model;
	monitor_disk(&fence, OWN, paths, &node.disk, &verdict);
	if (verdict.result == BLKPR_OK) {
		struct blkpr_verdict answer = { 0 };

		nexus_disk(&fence, OWN, &node.disk, &answer);
		blkpr_work_take(&verdict, &answer);
	}
}

static enum blkpr_result run_hold(blkpr_protocol *protocol)
{
	struct model_disk node = model_connect(&model, 0, 1);
	struct blkpr_target target = { .own = OWN };

	verdict = (struct blkpr_verdict){ 0 };
	before = model;
	protocol(&hold, &target, &node.disk, &verdict);
	if (protocol == blkpr_hold_watch_disk) {
		struct blkpr_verdict answer = { 0 };

		blkpr_hold_nexus_disk(&hold, &target, &node.disk, &answer);
		blkpr_work_take(&verdict, &answer);
	}
	return verdict.result;
}

static void assert_same_registrations(void)
{
	assert_memory_equal(model.nexus, before.nexus, sizeof(model.nexus));
	assert_int_equal(model.type, before.type);
	assert_int_equal(model.holder, before.holder);
}

/* --- a nexus that two nodes share ------------------------------------------------------------------- */

static void on_refuses_another_nodes_nexus_and_changes_nothing(void **state)
{
	(void)state;
	for (unsigned kind = BLKPR_SCSI; kind <= BLKPR_NVME; kind++) {
		disk_of(kind);
		model_set_key(&model, 0, OTHER);
		model_set_reservation(&model, TYPE, 0);
		run_on(1);
		assert_result(verdict.result, BLKPR_SHARED_NEXUS);
		assert_int_equal(verdict.offender, OTHER);
		assert_same_registrations();
		assert_int_equal(model.generation, before.generation);
	}
}

/* Its own key is there as well, of a session that is dead. */
static void on_refuses_another_nodes_nexus_though_own_key_is_there(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 0, OTHER);
	model_set_key(&model, 5, OWN);
	run_on(1);
	assert_result(verdict.result, BLKPR_SHARED_NEXUS);
	assert_same_registrations();
	assert_int_equal(model.generation, before.generation);
}

static void on_names_the_node_whose_nexus_it_is_among_several(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		disk_of(BLKPR_SCSI);
		model_set_key(&model, 0, other_keys[i]);
		model_set_key(&model, 3, other_keys[!i]);
		run_on(1);
		assert_result(verdict.result, BLKPR_SHARED_NEXUS);
		assert_int_equal(verdict.offender, other_keys[i]);
		assert_same_registrations();
	}
}

static void on_gives_each_path_back_what_it_had(void **state)
{
	(void)state; /* the fourth path is another node's nexus */
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 1, OLDER);
	model_set_key(&model, 2, OWN);
	model_set_key(&model, 3, OTHER);
	model_set_reservation(&model, TYPE, 3);
	run_on(4);
	assert_result(verdict.result, BLKPR_SHARED_NEXUS);
	assert_same_registrations();
	assert_int_equal(verdict.replaced, 0);
}

/* Two nodes on one nexus, in any order, again and again: never is one's registration the other's. */
static void the_first_node_keeps_its_registration(void **state)
{
	static const uint64_t of_second[] = { OWN };
	struct blkpr_fence second = fence;

	(void)state;
	second.others = (struct blkpr_others){ .keys = of_second, .count = 1 };
	disk_of(BLKPR_SCSI);
	run_on(1);
	assert_result(verdict.result, BLKPR_OK);
	for (unsigned i = 0; i < 3; i++) {
		struct model_disk node = model_connect(&model, 0, 1);

		verdict = (struct blkpr_verdict){ 0 };
		on_disk(&second, OTHER, &node.disk, &verdict);
		assert_result(verdict.result, BLKPR_SHARED_NEXUS);
		assert_int_equal(verdict.offender, OWN);
		run_on(1);
		assert_result(verdict.result, BLKPR_OK);
	}
}

/* One initiator name, but other sessions: each node's REGISTER would be its own nexus's, until the next login. */
static void on_refuses_another_nodes_initiator_before_it_registers(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model.nameless = false;
	model_set_key(&model, 5, OTHER);
	model_set_reservation(&model, TYPE, 5);
	run_on(1);
	assert_result(verdict.result, BLKPR_SHARED_NEXUS);
	assert_int_equal(verdict.offender, OTHER);
	assert_true(model_only_read(&model));
}

static void initiator_is_not_asked_for_where_no_other_node_is_registered(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model.nameless = false;
	model_set_key(&model, 5, OLDER);
	run_on(1);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(model_count(&model, 'O'), 0);
}

/* This node has taken another one's name since it was registered. */
static void monitor_sees_that_the_nexus_is_another_nodes(void **state)
{
	(void)state;
	for (unsigned kind = BLKPR_SCSI; kind <= BLKPR_NVME; kind++) {
		disk_of(kind);
		model.nameless = false;
		model.host[6] = 6;
		model_set_key(&model, 6, OWN);
		model_set_key(&model, 0, OTHER);
		model_set_reservation(&model, TYPE, 0);
		run_monitor(1);
		assert_result(verdict.result, BLKPR_SHARED_NEXUS);
		assert_int_equal(verdict.offender, OTHER);
		assert_true(model_only_read(&model));
		assert_result(run_hold(blkpr_hold_watch_disk), BLKPR_SHARED_NEXUS);
		assert_true(model_only_read(&model));
	}
}

static void take_and_join_refuse_another_nodes_nexus(void **state)
{
	static blkpr_protocol *const protocols[] = { blkpr_hold_take_disk, blkpr_hold_join_disk };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++) {
		for (unsigned dead = 0; dead < 2; dead++) {
			disk_of(BLKPR_SCSI);
			model_set_key(&model, 0, OTHER);
			model_set_reservation(&model, TYPE, 0);
			if (dead)
				model_set_key(&model, 5, OWN);
			assert_result(run_hold(protocols[i]), BLKPR_SHARED_NEXUS);
			assert_int_equal(verdict.offender, OTHER);
			assert_same_registrations();
		}
	}
}

/* Own key is a dead session's, which only another key's PREEMPT removes: not by way of another node's nexus. */
static void leave_does_not_touch_another_nodes_registration(void **state)
{
	(void)state;
	for (unsigned known = 0; known < 2; known++) {
		disk_of(BLKPR_SCSI);
		model_set_key(&model, 0, known ? OTHER : OLDER);
		model_set_key(&model, 5, OWN);
		model_set_reservation(&model, TYPE, 0);
		assert_result(run_hold(blkpr_hold_leave_disk), BLKPR_SHARED_NEXUS);
		assert_same_registrations();
	}
}

static void take_inherits_from_a_dead_session_by_a_nexus_with_an_older_key(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 0, OLDER);
	model_set_key(&model, 5, OWN);
	assert_result(run_hold(blkpr_hold_take_disk), BLKPR_OK);
	assert_int_equal(model.nexus[0].key, OWN);
	assert_false(model.nexus[5].registered);
}

/* --- this node's own nexus -------------------------------------------------------------------------- */

static void on_replaces_what_its_own_nexus_had_before(void **state)
{
	(void)state;
	for (unsigned kind = BLKPR_SCSI; kind <= BLKPR_NVME; kind++) {
		disk_of(kind);
		model_set_key(&model, 0, OLDER);
		model_set_key(&model, 1, OTHER);
		model_set_reservation(&model, TYPE, 0);
		run_on(1);
		assert_result(verdict.result, BLKPR_OK);
		assert_int_equal(verdict.replaced, OLDER);
		assert_int_equal(model.nexus[0].key, OWN);
		assert_int_equal(model.holder, 0);
		assert_true(model_has(&model, OTHER));
	}
}

/* S10 with explicit keys: whose a key is cannot be known, so the one that this nexus has may be another node's. */
static void on_with_a_key_of_its_own_replaces_what_its_record_knows_only(void **state)
{
	struct blkpr_fence by_key = fence;

	(void)state;
	by_key.others.all = true;
	for (unsigned i = 0; i < 3; i++) {
		struct model_disk node;

		disk_of(BLKPR_SCSI);
		model.nameless = i < 2;
		model_set_key(&model, 0, OLDER);
		model_set_key(&model, 1, OTHER);
		model_set_reservation(&model, TYPE, 1);
		by_key.others.former = i == 1 ? OLDER : 0;
		node = model_connect(&model, 0, 1);
		before = model;
		verdict = (struct blkpr_verdict){ 0 };
		on_disk(&by_key, OWN, &node.disk, &verdict);
		assert_result(verdict.result, i == 1 ? BLKPR_OK : BLKPR_SHARED_NEXUS);
		assert_int_equal(model.nexus[0].key, i == 1 ? OWN : OLDER);
		assert_true(model_has(&model, OTHER));
	}
}

static bool evicted_when_it_registers(struct model *disk, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'G' && model_has(disk, OWN))
		model_unregister(disk, 0);
	return false;
}

static void on_of_a_node_that_is_evicted_meanwhile_registers_nothing(void **state)
{
	(void)state; /* S2: whoever evicted it has decided after the look */
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	model.before = evicted_when_it_registers;
	run_on(1);
	assert_result(verdict.result, BLKPR_EVICTED);
	assert_false(model_has(&model, OWN));
}

static void on_that_cannot_look_again_registers_nothing(void **state)
{
	(void)state; /* S2: it may have been evicted; the script has no other REGISTER */
	script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
	script_register(OWN, OWN, BLKPR_CONFLICT);
	script_read_fails(BLKPR_PATH_FAILED);
	verdict = (struct blkpr_verdict){ 0 };
	on_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_PATH_FAILED);
}

static void on_leaves_an_unknown_key_of_another_nexus_alone(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 4, OLDER);
	run_on(1);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(verdict.replaced, 0);
	assert_true(model_has(&model, OLDER));
}

static void on_gives_an_nvme_host_with_key_0_its_key(void **state)
{
	(void)state; /* trap 2 */
	disk_of(BLKPR_NVME);
	model_set_key(&model, 0, 0);
	run_on(1);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(model.nexus[0].key, OWN);
}

static void on_again_is_one_command_a_path(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	run_on(2);
	run_on(2);
	assert_result(verdict.result, BLKPR_OK);
	assert_string_equal(model.trace, "RGGR");
}

static void on_registers_a_path_that_is_new(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	run_on(1);
	run_on(2);
	assert_result(verdict.result, BLKPR_OK);
	assert_int_equal(model.nexus[1].key, OWN);
}

static void a_conflict_that_nobody_explains_is_one(void **state)
{
	(void)state; /* the key went between REGISTER and the look for it */
	script_read(&(struct script_view){ { 0 }, 0, 0, 1 });
	script_register(0, OWN, BLKPR_CONFLICT);
	script_register(OWN, OWN, BLKPR_CONFLICT);
	script_read(&(struct script_view){ { 0 }, 0, 0, 1 });
	verdict = (struct blkpr_verdict){ 0 };
	on_disk(&fence, OWN, &script_disk, &verdict);
	assert_result(verdict.result, BLKPR_CONFLICT);
}

/* --- a key that stands for another nexus ------------------------------------------------------------ */

static void monitor_sees_that_the_key_is_a_dead_sessions(void **state)
{
	(void)state; /* fence-agents issue 517 */
	for (unsigned kind = BLKPR_SCSI; kind <= BLKPR_NVME; kind++) {
		disk_of(kind);
		model_set_key(&model, 5, OWN);
		model_set_reservation(&model, TYPE, 5);
		run_monitor(1);
		assert_result(verdict.result, BLKPR_BARRED);
		assert_true(model_only_read(&model));
		assert_int_equal(model.generation, before.generation);
	}
}

static void monitor_names_the_path_that_may_not_write(void **state)
{
	(void)state; /* two registrations, two paths; but one is of the session before */
	for (unsigned path = 0; path < 2; path++) {
		disk_of(BLKPR_SCSI);
		model_set_key(&model, !path, OWN);
		model_set_key(&model, 5, OWN);
		model_set_reservation(&model, TYPE, !path);
		model.initiators_result = BLKPR_UNSUPPORTED;
		run_monitor(2);
		assert_result(verdict.result, BLKPR_BARRED);
		assert_int_equal(verdict.barred_path, path);
	}
}

static bool evicted_when_asked(struct model *disk, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'W')
		model_unregister(disk, 0);
	return false;
}

static void monitor_of_a_node_that_is_evicted_meanwhile_says_so(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	model.before = evicted_when_asked;
	run_monitor(1);
	assert_result(verdict.result, BLKPR_EVICTED);
}

static void monitor_believes_a_device_that_does_not_tell(void **state)
{
	static const enum blkpr_result answers[] = { BLKPR_OK, BLKPR_IO_ERROR, BLKPR_PATH_FAILED, BLKPR_UNSUPPORTED };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
		script_read(&(struct script_view){ { OWN }, TYPE, OWN, 1 });
		script_may_write(answers[i]);
		verdict = (struct blkpr_verdict){ 0 };
		nexus_disk(&fence, OWN, &script_disk, &verdict);
		assert_result(verdict.result, BLKPR_OK);
	}
}

static void on_heals_what_monitor_saw(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 5, OWN);
	model_set_reservation(&model, TYPE, 5);
	run_on(1);
	assert_result(verdict.result, BLKPR_OK);
	run_monitor(1);
	assert_result(verdict.result, BLKPR_OK);
}

static void watch_sees_that_the_key_is_a_dead_sessions(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 5, OWN);
	model_set_reservation(&model, TYPE, 5);
	assert_result(run_hold(blkpr_hold_watch_disk), BLKPR_BARRED);
	assert_int_equal(model.generation, before.generation);
	model_set_key(&model, 0, OWN);
	assert_result(run_hold(blkpr_hold_watch_disk), BLKPR_OK);
	assert_true(model_only_read(&model));
}

/* Registered for a dead session, held by another: what a promotable instance takes for its normal state. */
static void watch_sees_it_where_another_one_holds(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 5, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, TYPE, 1);
	assert_result(run_hold(blkpr_hold_watch_disk), BLKPR_BARRED);
	model_set_key(&model, 0, OWN);
	assert_result(run_hold(blkpr_hold_watch_disk), BLKPR_TAKEN);
}

static void watch_asks_nothing_of_a_type_that_is_the_holders_alone(void **state)
{
	(void)state;
	disk_of(BLKPR_SCSI);
	model_set_key(&model, 0, OWN);
	model_set_key(&model, 1, OTHER);
	model_set_reservation(&model, PR_WRITE_EXCLUSIVE, 1);
	assert_result(run_hold(blkpr_hold_watch_disk), BLKPR_TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_refuses_another_nodes_nexus_and_changes_nothing),
		cmocka_unit_test(on_refuses_another_nodes_nexus_though_own_key_is_there),
		cmocka_unit_test(on_names_the_node_whose_nexus_it_is_among_several),
		cmocka_unit_test(on_gives_each_path_back_what_it_had),
		cmocka_unit_test(the_first_node_keeps_its_registration),
		cmocka_unit_test(on_refuses_another_nodes_initiator_before_it_registers),
		cmocka_unit_test(initiator_is_not_asked_for_where_no_other_node_is_registered),
		cmocka_unit_test(monitor_sees_that_the_nexus_is_another_nodes),
		cmocka_unit_test(take_and_join_refuse_another_nodes_nexus),
		cmocka_unit_test(leave_does_not_touch_another_nodes_registration),
		cmocka_unit_test(take_inherits_from_a_dead_session_by_a_nexus_with_an_older_key),
		cmocka_unit_test(on_replaces_what_its_own_nexus_had_before),
		cmocka_unit_test(on_with_a_key_of_its_own_replaces_what_its_record_knows_only),
		cmocka_unit_test(on_of_a_node_that_is_evicted_meanwhile_registers_nothing),
		script_test(on_that_cannot_look_again_registers_nothing),
		cmocka_unit_test(on_leaves_an_unknown_key_of_another_nexus_alone),
		cmocka_unit_test(on_gives_an_nvme_host_with_key_0_its_key),
		cmocka_unit_test(on_again_is_one_command_a_path),
		cmocka_unit_test(on_registers_a_path_that_is_new),
		script_test(a_conflict_that_nobody_explains_is_one),
		cmocka_unit_test(monitor_sees_that_the_key_is_a_dead_sessions),
		cmocka_unit_test(monitor_names_the_path_that_may_not_write),
		cmocka_unit_test(monitor_of_a_node_that_is_evicted_meanwhile_says_so),
		script_test(monitor_believes_a_device_that_does_not_tell),
		cmocka_unit_test(on_heals_what_monitor_saw),
		cmocka_unit_test(watch_sees_that_the_key_is_a_dead_sessions),
		cmocka_unit_test(watch_sees_it_where_another_one_holds),
		cmocka_unit_test(watch_asks_nothing_of_a_type_that_is_the_holders_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
