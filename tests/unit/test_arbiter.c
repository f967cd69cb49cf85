// SPDX-License-Identifier: GPL-2.0-or-later
// The protocols on many devices: who is the arbiter, and what is touched after it. Workers are real,
// in processes of their own, their disks are models in shared memory.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/block.h"
#include "lib/clock.h"
#include "lib/fence.h"
#include "lib/hold.h"
#include "tests/unit/model.h"
#include "tests/unit/unit.h"

#define OWN 0xa
#define VICTIM 0xb
#define STRANGER 0xdead
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define DEVICES 4
#define ENOUGH_MS 10000
#define SHORT_MS 800
#define LATE_MS 1000 /* S5, on a busy machine */

enum blkpr_result __wrap_blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline);
void __wrap_blkpr_disk_close(struct blkpr_block_disk *block);
pid_t __real_fork(void);
pid_t __wrap_fork(void);

/* How a device is. */
struct shared_disk {
	struct model model;
	enum blkpr_result open;  /* what opening it gives */
	unsigned open_failures;  /* that often; 0: always */
	unsigned opened;
	bool hangs;
	bool path_hangs; /* that is asked whether it may write */
	unsigned deaths; /* that often whoever opens it dies */
	unsigned errors; /* that many looks after a drain fail */
};

static struct shared_disk *disks;
static struct blkpr_device devices[DEVICES];
static struct blkpr_target targets[DEVICES];
static struct blkpr_verdict verdicts[DEVICES];
static unsigned arbiter;
static unsigned forks, forks_fail_from, forks_fail_to; /* numbers of forks, from 1; the last one excluded */

pid_t __wrap_fork(void)
{
	forks++;
	if (forks < forks_fail_from || forks >= forks_fail_to)
		return __real_fork();
	errno = EAGAIN;
	return -1;
}

/* --- in the workers ------------------------------------------------------------------------------- */

static _Thread_local struct model_disk here; /* the worker's own */
static _Thread_local const struct shared_disk *this_disk;

static enum blkpr_result forward_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	(void)disk;
	return model_ops.read(&here.disk, report);
}

static enum blkpr_result forward_register(
	struct blkpr_disk *disk, unsigned path, uint64_t old_key, uint64_t new_key)
{
	(void)disk;
	return model_ops.register_key(&here.disk, path, old_key, new_key);
}

static enum blkpr_result forward_keys_of_self(struct blkpr_disk *disk, unsigned path, struct blkpr_report *report)
{
	(void)disk;
	return model_ops.keys_of_self(&here.disk, path, report);
}

static unsigned forward_silent(struct blkpr_disk *disk)
{
	(void)disk;
	return 0;
}

static enum blkpr_result forward_may_write(struct blkpr_disk *disk, unsigned path)
{
	(void)disk;
	while (this_disk->path_hangs)
		pause();
	return model_ops.may_write(&here.disk, path);
}

static enum blkpr_result forward_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	(void)disk;
	return model_ops.reserve(&here.disk, own, type);
}

static enum blkpr_result forward_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	(void)disk;
	return model_ops.preempt_abort(&here.disk, own, victim, type);
}

static enum blkpr_reach forward_reach(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE])
{
	(void)disk;
	return model_ops.reach(&here.disk, driver);
}

static enum blkpr_result forward_drain(struct blkpr_disk *disk, enum blkpr_reach least)
{
	(void)disk;
	return model_ops.drain(&here.disk, least);
}

static enum blkpr_result forward_initiators(struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	(void)disk;
	return model_ops.initiators(&here.disk, key, initiators);
}

static enum blkpr_result forward_capabilities(
	struct blkpr_disk *disk, struct blkpr_capabilities *capabilities)
{
	(void)disk;
	return model_ops.capabilities(&here.disk, capabilities);
}

static const struct blkpr_disk_ops forward_ops = {
	.read = forward_read,
	.register_key = forward_register,
	.silent = forward_silent,
	.may_write = forward_may_write,
	.keys_of_self = forward_keys_of_self,
	.reserve = forward_reserve,
	.preempt_abort = forward_preempt_abort,
	.reach = forward_reach,
	.drain = forward_drain,
	.initiators = forward_initiators,
	.capabilities = forward_capabilities,
};

enum blkpr_result __wrap_blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline)
{
	struct shared_disk *disk = &disks[device->number];

	disk->opened++;
	while (disk->hangs && disk->opened > disk->open_failures)
		pause();
	if (disk->opened <= disk->deaths)
		raise(SIGKILL);
	if (disk->open != BLKPR_OK && (!disk->open_failures || disk->opened <= disk->open_failures))
		return disk->open;
	here = model_connect(&disk->model, 0, 1);
	this_disk = disk;
	*block = (struct blkpr_block_disk){ .disk = { .ops = &forward_ops, .deadline = deadline, .paths = 1 } };
	block->transport = BLKPR_READ_SGIO;
	return BLKPR_OK;
}

void __wrap_blkpr_disk_close(struct blkpr_block_disk *block)
{
	(void)block;
}

/* --- in the test ---------------------------------------------------------------------------------- */

static void prepare(unsigned i)
{
	struct shared_disk *disk = &disks[i];

	*disk = (struct shared_disk){ 0 };
	model_init(&disk->model, BLKPR_SCSI);
	model_set_key(&disk->model, 0, OWN);
	model_set_key(&disk->model, 1, VICTIM);
	model_set_reservation(&disk->model, TYPE, 1);
	devices[i] = (struct blkpr_device){ .name = "disk", .number = i, .paths = 1 };
	targets[i] = (struct blkpr_target){ .device = &devices[i], .own = OWN };
}

static int begin(void **state)
{
	(void)state;
	disks = mmap(NULL, DEVICES * sizeof(*disks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (disks == MAP_FAILED)
		return -1;
	for (unsigned i = 0; i < DEVICES; i++)
		prepare(i);
	memset(verdicts, 0xee, sizeof(verdicts));
	forks = forks_fail_from = forks_fail_to = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	while (waitpid(-1, NULL, 0) > 0)
		;
	return munmap(disks, DEVICES * sizeof(*disks));
}

static struct blkpr_fence fence_within(int64_t ms)
{
	static const uint64_t known[] = { OWN, VICTIM };

	return (struct blkpr_fence){ .type = TYPE, .victim = VICTIM, .known = known, .nknown = 2,
		.parallel = DEVICES, .deadline = blkpr_clock_ms() + ms };
}

static void off_within(int64_t ms)
{
	struct blkpr_fence fence = fence_within(ms);

	assert_int_equal(blkpr_fence_off(&fence, targets, DEVICES, verdicts, &arbiter), 0);
	assert_true(blkpr_clock_ms() <= fence.deadline + LATE_MS);
}

static void check_evicted(unsigned i)
{
	assert_false(model_has(&disks[i].model, VICTIM));
	assert_true(model_has(&disks[i].model, OWN));
}

static void check_fenced(unsigned i)
{
	assert_result(verdicts[i].result, BLKPR_OK);
	check_evicted(i);
}

static void check_untouched(unsigned i)
{
	assert_result(verdicts[i].result, BLKPR_UNTOUCHED);
	assert_string_equal(disks[i].model.trace, "");
	assert_int_equal(disks[i].opened, 0);
}

static void check_only_looked_at(unsigned i)
{
	assert_result(verdicts[i].result, BLKPR_UNTOUCHED);
	assert_true(model_only_read(&disks[i].model));
}

/* --- off ------------------------------------------------------------------------------------------ */

static void off_fences_every_device_and_the_first_decides(void **state)
{
	(void)state;
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, 0);
	for (unsigned i = 0; i < DEVICES; i++)
		check_fenced(i);
}

static void one_device_is_its_own_arbiter(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state;
	assert_int_equal(blkpr_fence_off(&fence, targets, 1, verdicts, &arbiter), 0);
	assert_int_equal(arbiter, 0);
	check_fenced(0);
}

static void node_evicted_from_the_arbiter_touches_nothing(void **state)
{
	(void)state; /* S2, S3 */
	model_unregister(&disks[0].model, 0);
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, DEVICES);
	assert_result(verdicts[0].result, BLKPR_EVICTED);
	assert_string_equal(disks[0].model.trace, "R");
	for (unsigned i = 1; i < DEVICES; i++)
		check_untouched(i);
}

static void a_foreign_type_on_the_arbiter_stops_everything(void **state)
{
	(void)state;
	model_set_reservation(&disks[0].model, PR_EXCLUSIVE_ACCESS, 1);
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, DEVICES);
	assert_result(verdicts[0].result, BLKPR_FOREIGN_TYPE);
	for (unsigned i = 1; i < DEVICES; i++)
		check_untouched(i);
}

static void a_device_that_refuses_for_good_is_not_passed_over_as_arbiter(void **state)
{
	static const enum blkpr_result answers[] = { BLKPR_DENIED, BLKPR_CONFLICT, BLKPR_NO_MEMORY };

	(void)state;
	for (unsigned a = 0; a < ARRAY_SIZE(answers); a++) {
		prepare(0);
		disks[0].open = answers[a];
		off_within(ENOUGH_MS);
		assert_int_equal(arbiter, DEVICES);
		assert_result(verdicts[0].result, answers[a]);
		check_untouched(1);
	}
}

static void a_device_that_says_nothing_of_use_does_not_decide(void **state)
{
	static const enum blkpr_result answers[] = { BLKPR_UNSUPPORTED, BLKPR_INVALID, BLKPR_MALFORMED,
		BLKPR_UNSETTLED };

	(void)state;
	for (unsigned a = 0; a < ARRAY_SIZE(answers); a++) {
		int64_t started = blkpr_clock_ms();

		for (unsigned i = 0; i < DEVICES; i++)
			prepare(i);
		disks[0].open = answers[a];
		off_within(2 * SHORT_MS);
		assert_true(blkpr_clock_ms() - started >= 2 * SHORT_MS / 8 - 5); /* S3: as one that is dead */
		assert_int_equal(arbiter, 1);
		assert_result(verdicts[0].result, answers[a]);
		for (unsigned i = 1; i < DEVICES; i++)
			check_fenced(i);
	}
}

static void nobody_decides_where_all_devices_say_nothing_of_use(void **state)
{
	int64_t started = blkpr_clock_ms();

	(void)state;
	for (unsigned i = 0; i < DEVICES; i++)
		disks[i].open = BLKPR_UNSUPPORTED;
	off_within(ENOUGH_MS);
	assert_true(blkpr_clock_ms() - started < ENOUGH_MS / 2); /* they have answered: nothing to wait for */
	assert_int_equal(arbiter, DEVICES);
	for (unsigned i = 0; i < DEVICES; i++)
		assert_result(verdicts[i].result, BLKPR_UNSUPPORTED);
}

static void take_that_must_fail_changes_no_other_device(void **state)
{
	struct blkpr_hold hold = { .type = TYPE, .evict = true, .parallel = DEVICES };

	(void)state; /* a resource that cannot start has nothing to gain by evicting whoever may still run */
	for (unsigned first = 0; first < 2; first++) { /* the other one is dead */
		for (unsigned i = 0; i < DEVICES; i++)
			prepare(i);
		disks[0].open = BLKPR_PATH_FAILED;
		disks[first].open = BLKPR_UNSUPPORTED;
		hold.deadline = blkpr_clock_ms() + SHORT_MS;
		assert_int_equal(blkpr_hold_take(&hold, targets, DEVICES, verdicts, &arbiter), 0);
		assert_int_equal(arbiter, DEVICES);
		assert_result(verdicts[first].result, BLKPR_UNSUPPORTED);
		check_only_looked_at(2);
		check_only_looked_at(3);
	}
}

static void node_evicted_elsewhere_fails_there_and_fences_the_rest(void **state)
{
	(void)state; /* a device that was added a minute ago */
	model_unregister(&disks[2].model, 0);
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, 0);
	assert_result(verdicts[2].result, BLKPR_EVICTED);
	assert_true(model_has(&disks[2].model, VICTIM));
	check_fenced(0);
	check_fenced(1);
	check_fenced(3);
}

static void an_unknown_key_on_the_arbiter_fails_there_and_fences_the_rest(void **state)
{
	(void)state;
	model_unregister(&disks[0].model, 1);
	model_set_reservation(&disks[0].model, TYPE, 0);
	model_set_key(&disks[0].model, 3, STRANGER);
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, 0);
	assert_result(verdicts[0].result, BLKPR_UNKNOWN_KEYS);
	for (unsigned i = 1; i < DEVICES; i++)
		check_fenced(i);
}

static void the_next_device_decides_where_the_first_cannot_be_asked(void **state)
{
	(void)state;
	disks[0].open = BLKPR_PATH_FAILED;
	off_within(2 * SHORT_MS);
	assert_int_equal(arbiter, 1);
	assert_result(verdicts[0].result, BLKPR_PATH_FAILED);
	for (unsigned i = 1; i < DEVICES; i++)
		check_fenced(i);
}

static void the_first_device_has_a_grace(void **state)
{
	int64_t started = blkpr_clock_ms();

	(void)state; /* S3: a side that reaches it shall win meanwhile */
	disks[0].open = BLKPR_GONE;
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, 1);
	assert_true(blkpr_clock_ms() - started >= ENOUGH_MS / 8 - 5);
	assert_true(blkpr_clock_ms() - started < ENOUGH_MS / 4); /* and no more: the living are waiting */
	assert_true(disks[0].opened > 1);
}

static bool preempt_takes_its_time(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	if (op == 'P')
		blkpr_clock_pause(SHORT_MS / 2, INT64_MAX);
	return false;
}

static void a_device_that_has_answered_is_not_left_for_the_next_one(void **state)
{
	(void)state; /* S3: the other side may be at it, too; and S1: whatever is cut off has to be done again */
	disks[0].model.before = preempt_takes_its_time;
	off_within(2 * SHORT_MS); /* a grace of 200 ms */
	assert_int_equal(arbiter, 0);
	for (unsigned i = 0; i < DEVICES; i++)
		check_fenced(i);
	assert_string_equal(disks[0].model.trace, "RPRDRR");
}

static void an_arbiter_that_comes_back_decides(void **state)
{
	(void)state;
	disks[0].open = BLKPR_IO_ERROR;
	disks[0].open_failures = 2;
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, 0);
	for (unsigned i = 0; i < DEVICES; i++)
		check_fenced(i);
}

static void a_device_that_hangs_does_not_save_the_victim_elsewhere(void **state)
{
	(void)state; /* S5 */
	disks[2].hangs = true;
	off_within(SHORT_MS);
	assert_int_equal(arbiter, 0);
	assert_result(verdicts[2].result, BLKPR_UNFINISHED);
	assert_int_equal(verdicts[2].step, BLKPR_STEP_OPEN);
	check_fenced(0);
	check_fenced(1);
	check_fenced(3);
}

/* It takes the process of all workers along; once, or always. */
static void a_device_whose_worker_dies_does_not_save_the_victim_elsewhere(void **state)
{
	(void)state; /* S5 */
	disks[2].deaths = 1;
	off_within(ENOUGH_MS);
	for (unsigned i = 0; i < DEVICES; i++)
		check_fenced(i);
}

static void a_device_whose_worker_always_dies_does_not_save_the_victim_elsewhere(void **state)
{
	(void)state; /* S5 */
	disks[2].deaths = UINT32_MAX;
	off_within(SHORT_MS);
	assert_result(verdicts[2].result, BLKPR_CRASHED);
	assert_int_equal(verdicts[2].step, BLKPR_STEP_OPEN);
	check_fenced(0);
	check_fenced(1);
	check_fenced(3);
}

static void an_arbiter_that_hangs_does_not_save_the_victim_elsewhere(void **state)
{
	(void)state; /* S5 */
	disks[0].hangs = true;
	off_within(2 * SHORT_MS);
	assert_int_equal(arbiter, 1);
	assert_result(verdicts[0].result, BLKPR_UNFINISHED);
	for (unsigned i = 1; i < DEVICES; i++)
		check_fenced(i);
}

static void a_node_that_lost_at_the_second_arbiter_touches_no_more(void **state)
{
	(void)state;
	disks[0].open = BLKPR_GONE;
	model_unregister(&disks[1].model, 0);
	off_within(SHORT_MS);
	assert_int_equal(arbiter, DEVICES);
	assert_result(verdicts[0].result, BLKPR_GONE);
	assert_result(verdicts[1].result, BLKPR_EVICTED);
	check_only_looked_at(2);
	check_only_looked_at(3);
}

static void why_a_device_cannot_be_asked_outlives_a_worker_without_time(void **state)
{
	(void)state; /* the grace ends while it is tried once more, and so does the look after it */
	disks[0].open = BLKPR_GONE;
	disks[0].open_failures = 2;
	disks[0].hangs = true;
	model_unregister(&disks[1].model, 0);
	off_within(4 * SHORT_MS);
	assert_int_equal(disks[0].opened, 4);
	assert_result(verdicts[0].result, BLKPR_GONE);
	assert_result(verdicts[1].result, BLKPR_EVICTED);
}

/* The victim, who has no key, writes whenever it may; the look after RESERVE fails. */
static bool writes_and_one_look_fails(struct model *model, char op, enum blkpr_result *result)
{
	model_write(model);
	*result = BLKPR_IO_ERROR;
	return op == 'R' && !strcmp(model->trace, "RSR");
}

static void what_a_disk_took_while_it_was_open_is_not_forgotten_with_a_look_that_failed(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state; /* S1: PREEMPT AND ABORT of nobody ends nothing */
	model_init(&disks[0].model, BLKPR_NVME);
	model_set_key(&disks[0].model, 0, OWN);
	disks[0].model.before = writes_and_one_look_fails;
	assert_int_equal(blkpr_fence_off(&fence, targets, 1, verdicts, &arbiter), 0);
	assert_true(disks[0].model.nexus[1].in_flight);
	assert_result(verdicts[0].result, BLKPR_UNDRAINABLE);
}

static bool an_unregistered_one_writes_before_it_is_reserved(struct model *model, char op, enum blkpr_result *result)
{
	(void)result;
	if (op == 'S' && !model->type)
		model->nexus[2].in_flight = true;
	return false;
}

static void what_a_disk_took_while_it_was_open_is_not_forgotten_with_the_victim_before(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state; /* S1: off of two nodes, of which the second one is not registered */
	model_init(&disks[0].model, BLKPR_NVME);
	model_set_key(&disks[0].model, 0, OWN);
	model_set_key(&disks[0].model, 1, VICTIM);
	disks[0].model.before = an_unregistered_one_writes_before_it_is_reserved;
	assert_int_equal(blkpr_fence_off(&fence, targets, 1, verdicts, &arbiter), 0);
	check_fenced(0);
	assert_true(verdicts[0].open);
	targets[0].open = verdicts[0].open;
	fence.victim = STRANGER;
	assert_int_equal(blkpr_fence_off(&fence, targets, 1, verdicts, &arbiter), 0);
	assert_true(disks[0].model.nexus[2].in_flight);
	assert_result(verdicts[0].result, BLKPR_UNDRAINABLE);
}

static void nobody_decides_where_no_device_can_be_asked(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DEVICES; i++)
		disks[i].hangs = true;
	off_within(SHORT_MS);
	assert_int_equal(arbiter, DEVICES);
	for (unsigned i = 0; i < DEVICES; i++)
		assert_true(verdicts[i].result != BLKPR_OK);
}

/* --- a first device where nobody is registered ----------------------------------------------------- */

static void leave_nobody(unsigned i)
{
	model_unregister(&disks[i].model, 0);
	model_unregister(&disks[i].model, 1);
}

static void a_device_where_nobody_is_registered_does_not_decide(void **state)
{
	int64_t started = blkpr_clock_ms();

	(void)state; /* a disk that has just been added */
	leave_nobody(0);
	off_within(ENOUGH_MS);
	assert_true(blkpr_clock_ms() - started < ENOUGH_MS / 2); /* it has answered: nothing to wait for */
	assert_int_equal(arbiter, 1);
	assert_result(verdicts[0].result, BLKPR_EVICTED); /* and the action fails */
	assert_true(model_only_read(&disks[0].model));
	for (unsigned i = 1; i < DEVICES; i++)
		check_fenced(i);
}

static void a_reservation_without_registrations_does_not_decide_either(void **state)
{
	(void)state;
	leave_nobody(0);
	disks[0].model.type = TYPE;
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, 1);
	assert_result(verdicts[0].result, BLKPR_EVICTED);
}

static void a_device_where_only_others_are_registered_decides_against_this_node(void **state)
{
	static const uint64_t others[] = { VICTIM, STRANGER, 0xc };

	(void)state; /* S2, S3: whoever lost the race finds the winner there */
	for (unsigned k = 0; k < ARRAY_SIZE(others); k++) {
		prepare(0);
		leave_nobody(0);
		model_set_key(&disks[0].model, 5, others[k]);
		off_within(ENOUGH_MS);
		assert_int_equal(arbiter, DEVICES);
		assert_result(verdicts[0].result, BLKPR_EVICTED);
		for (unsigned i = 1; i < DEVICES; i++)
			check_untouched(i);
	}
}

static void the_next_one_with_somebody_registered_decides(void **state)
{
	(void)state;
	leave_nobody(0);
	leave_nobody(1);
	model_unregister(&disks[2].model, 0);
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, DEVICES);
	assert_result(verdicts[1].result, BLKPR_EVICTED);
	assert_result(verdicts[2].result, BLKPR_EVICTED);
	assert_true(model_has(&disks[2].model, VICTIM));
	check_only_looked_at(3);
}

static void nobody_decides_where_nobody_is_registered(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DEVICES; i++)
		leave_nobody(i);
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, DEVICES);
	for (unsigned i = 0; i < DEVICES; i++) {
		assert_result(verdicts[i].result, BLKPR_EVICTED);
		assert_true(model_only_read(&disks[i].model));
	}
}

/* --- the arbiter is read again --------------------------------------------------------------------- */

static void the_arbiter_is_read_again_after_the_others(void **state)
{
	(void)state;
	off_within(ENOUGH_MS);
	assert_string_equal(disks[0].model.trace, "RPRDRR");
	for (unsigned i = 1; i < DEVICES; i++)
		assert_string_equal(disks[i].model.trace, "RPRDR");
	assert_int_equal(forks, 1);
}

static void a_single_device_has_no_proof_that_grows_old(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state;
	assert_int_equal(blkpr_fence_off(&fence, targets, 1, verdicts, &arbiter), 0);
	check_fenced(0);
	assert_string_equal(disks[0].model.trace, "RPRDR");
}

static void the_arbiter_is_not_read_again_where_another_device_failed(void **state)
{
	(void)state; /* the action fails all the same, and time may be short */
	model_unregister(&disks[DEVICES - 1].model, 0);
	off_within(ENOUGH_MS);
	assert_result(verdicts[DEVICES - 1].result, BLKPR_EVICTED);
	check_fenced(0);
	assert_string_equal(disks[0].model.trace, "RPRDR");
}

/* --- what an earlier worker saw and did ------------------------------------------------------------- */

static bool path_fails_at_preempt(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	if (op != 'P')
		return false;
	disks[0].open = *result = BLKPR_PATH_FAILED;
	return true;
}

static void what_was_seen_on_a_device_that_is_gone_is_not_forgotten(void **state)
{
	(void)state;
	disks[0].model.before = path_fails_at_preempt; /* it abstains, and cannot even be opened later */
	off_within(SHORT_MS);
	assert_int_equal(arbiter, 1);
	assert_result(verdicts[0].result, BLKPR_PATH_FAILED);
	assert_true(verdicts[0].victim_seen);
}

/* --- a drain that fails ---------------------------------------------------------------------------- */

static void check_arbiter_undrained(enum blkpr_result want)
{
	assert_int_equal(arbiter, 0);
	assert_result(verdicts[0].result, want);
	assert_int_equal(verdicts[0].step, BLKPR_STEP_DRAIN);
	assert_true(verdicts[0].won);
	check_evicted(0);
	for (unsigned i = 1; i < DEVICES; i++)
		check_fenced(i);
}

static void an_arbiter_that_cannot_be_drained_does_not_save_the_victim_elsewhere(void **state)
{
	(void)state; /* S5: it is decided, its proof alone fails */
	disks[0].model.drain_result = BLKPR_UNDRAINED;
	off_within(ENOUGH_MS);
	check_arbiter_undrained(BLKPR_UNDRAINED);
	assert_string_equal(disks[0].model.trace, "RPRD");
}

static void an_arbiter_of_an_absent_victim_that_cannot_be_drained_decides_too(void **state)
{
	(void)state;
	model_unregister(&disks[0].model, 1);
	model_set_reservation(&disks[0].model, TYPE, 0);
	disks[0].model.drain_result = BLKPR_UNDRAINED;
	off_within(ENOUGH_MS);
	check_arbiter_undrained(BLKPR_UNDRAINED);
	assert_string_equal(disks[0].model.trace, "RD");
}

static void an_arbiter_whose_path_fails_at_the_drain_is_tried_again_and_decides(void **state)
{
	static const enum blkpr_result answers[] = { BLKPR_IO_ERROR, BLKPR_PATH_FAILED, BLKPR_GONE };

	(void)state;
	for (unsigned a = 0; a < ARRAY_SIZE(answers); a++) {
		for (unsigned i = 0; i < DEVICES; i++)
			prepare(i);
		disks[0].model.drain_result = answers[a];
		off_within(2 * SHORT_MS);
		check_arbiter_undrained(answers[a]);
		assert_true(disks[0].opened > 1);
	}
}

static bool drain_hangs(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	while (op == 'D')
		pause();
	return false;
}

static void an_arbiter_whose_drain_hangs_does_not_save_the_victim_elsewhere(void **state)
{
	(void)state; /* S5 */
	disks[0].model.before = drain_hangs;
	off_within(2 * SHORT_MS);
	check_arbiter_undrained(BLKPR_UNFINISHED);
}

/*
 * nvmet over TCP: the first PREEMPT AND ABORT waits for the victim's commands, which hang; another reservation command of
 * the same host waits for that one, and whatever the host sends after it, to any disk, waits behind it. ERRORS of the first
 * disk, which workers share, counts its PREEMPTs.
 */
static bool preempt_hangs_and_the_next_one_stops_everything(struct model *model, char op, enum blkpr_result *result)
{
	(void)result;
	while (disks[0].errors > 1)
		pause();
	if (model != &disks[0].model || op != 'P')
		return false;
	if (!disks[0].errors++) {
		model_unregister(model, 1);
		model_set_reservation(model, TYPE, 0);
	}
	for (;;)
		pause();
}

static void an_arbiter_whose_abort_hangs_does_not_save_the_victim_elsewhere(void **state)
{
	(void)state; /* S5 */
	for (unsigned i = 0; i < DEVICES; i++) {
		model_init(&disks[i].model, BLKPR_NVME);
		model_set_key(&disks[i].model, 0, OWN);
		model_set_key(&disks[i].model, 1, VICTIM);
		model_set_reservation(&disks[i].model, TYPE, 1);
		disks[i].model.before = preempt_hangs_and_the_next_one_stops_everything;
	}
	off_within(4 * SHORT_MS);
	assert_int_equal(arbiter, 0);
	assert_result(verdicts[0].result, BLKPR_UNFINISHED);
	assert_int_equal(verdicts[0].step, BLKPR_STEP_PREEMPT);
	for (unsigned i = 1; i < DEVICES; i++)
		check_fenced(i);
	assert_int_equal(disks[0].errors, 2); /* it is asked again when the others are fenced */
}

static void make_nvme(void)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		model_init(&disks[i].model, BLKPR_NVME);
		model_set_key(&disks[i].model, 0, OWN);
		model_set_key(&disks[i].model, 1, VICTIM);
		model_set_reservation(&disks[i].model, TYPE, 1);
	}
}

static bool all_others_are_fenced(void)
{
	for (unsigned i = 1; i < DEVICES; i++)
		if (model_has(&disks[i].model, VICTIM) || disks[i].model.nexus[1].in_flight)
			return false;
	return true;
}

/* The first PREEMPT AND ABORT removes the key at once, and ends the victim's commands when the others have been fenced. */
static bool abort_ends_when_the_others_are_fenced(struct model *model, char op, enum blkpr_result *result)
{
	(void)result;
	if (model != &disks[0].model || op != 'P')
		return false;
	if (!disks[0].errors++) {
		model_unregister(model, 1);
		model_set_reservation(model, TYPE, 0);
		model->generation++;
		model->nexus[1].in_flight = true;
		for (;;)
			pause();
	}
	assert_true(all_others_are_fenced());
	model->nexus[1].in_flight = false; /* this one is answered after the first one */
	return false;
}

static void an_arbiter_whose_abort_ends_late_is_proven_after_the_others(void **state)
{
	(void)state;
	make_nvme();
	disks[0].model.before = abort_ends_when_the_others_are_fenced;
	off_within(4 * SHORT_MS);
	assert_int_equal(arbiter, 0);
	for (unsigned i = 0; i < DEVICES; i++)
		check_fenced(i);
	assert_false(disks[0].model.nexus[1].in_flight);
	assert_string_equal(disks[0].model.trace, "RPRRRPR"); /* a run that hangs; all looked at; put off; the proof */
}

/* As before, and while it waits a REGISTER of the victim, which was on its way, is done on a disk that has been fenced. */
static bool victim_comes_while_the_arbiter_is_proven(struct model *model, char op, enum blkpr_result *result)
{
	bool last = model == &disks[0].model && op == 'P' && disks[0].errors && all_others_are_fenced();
	bool handled = abort_ends_when_the_others_are_fenced(model, op, result);

	if (last)
		model_set_key(&disks[2].model, 1, VICTIM);
	return handled;
}

static void what_was_proven_before_the_arbiter_is_proven_again(void **state)
{
	(void)state;
	make_nvme();
	disks[0].model.before = victim_comes_while_the_arbiter_is_proven;
	off_within(4 * SHORT_MS);
	assert_true(model_may_write(&disks[2].model, 1));
	assert_int_not_equal(verdicts[2].result, BLKPR_OK);
}

static void a_drain_that_fails_elsewhere_fails_there(void **state)
{
	(void)state;
	disks[2].model.drain_result = BLKPR_UNDRAINED;
	disks[3].model.before = drain_hangs;
	off_within(SHORT_MS);
	assert_int_equal(arbiter, 0);
	check_fenced(0);
	check_fenced(1);
	assert_result(verdicts[2].result, BLKPR_UNDRAINED);
	assert_result(verdicts[3].result, BLKPR_UNFINISHED);
	assert_int_equal(verdicts[3].step, BLKPR_STEP_DRAIN);
	check_evicted(2);
	check_evicted(3);
}

static void an_absent_victims_commands_are_ended_on_every_device(void **state)
{
	(void)state; /* S1 */
	for (unsigned i = 0; i < DEVICES; i++) {
		model_unregister(&disks[i].model, 1);
		model_set_reservation(&disks[i].model, TYPE, 0);
		disks[i].model.nexus[1].in_flight = true;
	}
	off_within(ENOUGH_MS);
	for (unsigned i = 0; i < DEVICES; i++) {
		check_fenced(i);
		assert_false(disks[i].model.nexus[1].in_flight);
		assert_true(verdicts[i].drained);
		assert_int_equal(model_count(&disks[i].model, 'D'), 1); /* the second proof only reads */
	}
}

/* --- one drain a disk and eviction ----------------------------------------------------------------- */

#define THIRD 0xc /* another node, on nexus 3 */

static void (*meanwhile)(struct model *model); /* before the last look that fails */

/* Looks after the first drain fail; the device does all other things. */
static bool errs_after_its_drain(struct model *model, char op, enum blkpr_result *result)
{
	struct shared_disk *disk = (struct shared_disk *)model; /* its first member */

	if (op != 'R' || !model_count(model, model->kind == BLKPR_NVME ? 'P' : 'D') || !disk->errors)
		return false;
	if (!--disk->errors && meanwhile)
		meanwhile(model);
	*result = BLKPR_IO_ERROR;
	return true;
}

static void off_of_one_that_errs(unsigned errors, void (*then)(struct model *model), int64_t ms)
{
	static const uint64_t known[] = { OWN, VICTIM, THIRD };
	struct blkpr_fence fence = fence_within(ms);

	fence.known = known;
	fence.nknown = ARRAY_SIZE(known);
	disks[0].model.before = errs_after_its_drain;
	disks[0].errors = errors;
	meanwhile = then;
	assert_int_equal(blkpr_fence_off(&fence, targets, 1, verdicts, &arbiter), 0);
	assert_int_equal(verdicts[0].resets, model_count(&disks[0].model, 'D'));
}

static void check_nothing_lands(unsigned drains)
{
	check_fenced(0);
	assert_false(disks[0].model.nexus[1].in_flight);
	assert_int_equal(model_count(&disks[0].model, 'D'), drains);
}

static void a_disk_that_errs_after_its_drain_is_drained_once(void **state)
{
	(void)state;
	off_of_one_that_errs(3, NULL, ENOUGH_MS);
	check_nothing_lands(1);
	assert_int_equal(verdicts[0].rests, BLKPR_RESTS_ON_RESET);
	assert_int_equal(verdicts[0].evicted, 1);
	prepare(0);
	off_of_one_that_errs(UINT32_MAX, NULL, SHORT_MS);
	assert_result(verdicts[0].result, BLKPR_IO_ERROR);
	assert_true(disks[0].opened > 3);
	assert_int_equal(model_count(&disks[0].model, 'D'), 1);
}

static void the_first_device_errs_after_its_drain(unsigned errors)
{
	disks[0].model.before = errs_after_its_drain;
	disks[0].errors = errors;
	meanwhile = NULL;
	off_within(2 * SHORT_MS);
	for (unsigned i = 0; i < DEVICES; i++) {
		check_evicted(i);
		assert_int_equal(verdicts[i].resets, 1);
		assert_int_equal(model_count(&disks[i].model, 'D'), 1);
	}
}

static void an_arbiter_that_errs_after_its_drain_is_drained_once(void **state)
{
	(void)state;
	the_first_device_errs_after_its_drain(1);
	assert_int_equal(arbiter, 0);
	check_fenced(0);
	for (unsigned i = 0; i < DEVICES; i++)
		prepare(i);
	the_first_device_errs_after_its_drain(UINT32_MAX);
	assert_int_equal(arbiter, 1);
	assert_result(verdicts[0].result, BLKPR_IO_ERROR);
	check_fenced(1);
}

static void a_drain_that_failed_is_not_carried(void **state)
{
	(void)state;
	disks[0].model.drain_result = BLKPR_PATH_FAILED;
	off_within(SHORT_MS);
	assert_result(verdicts[0].result, BLKPR_PATH_FAILED);
	assert_true(verdicts[0].resets > 1);
	assert_int_equal(verdicts[0].resets, model_count(&disks[0].model, 'D'));
}

static void victim_comes_and_goes(struct model *model)
{
	model_set_key(model, 1, VICTIM);
	model->nexus[1].in_flight = true;
	model_set_key(model, 3, THIRD);
	model_preempt_abort(model, 3, THIRD, VICTIM, TYPE); /* LIO: it did not hold */
}

static void a_drain_does_not_hold_for_who_comes_and_goes_between_two_runs(void **state)
{
	(void)state; /* S1 */
	off_of_one_that_errs(2, victim_comes_and_goes, ENOUGH_MS);
	check_nothing_lands(2);
}

static void the_holder_leaves_and_own_reserves(struct model *model)
{
	model_unregister(model, 3); /* LIO does not count it */
	model->nexus[1].in_flight = true;
	model_reserve(model, 0, OWN, TYPE);
}

static void a_drain_does_not_hold_where_the_disk_was_open_between_two_runs(void **state)
{
	(void)state; /* S1: by another process of this node, say; the generation does not tell */
	model_unregister(&disks[0].model, 1);
	model_set_key(&disks[0].model, 3, THIRD);
	model_set_reservation(&disks[0].model, TYPE, 3);
	off_of_one_that_errs(2, the_holder_leaves_and_own_reserves, ENOUGH_MS);
	check_nothing_lands(2);
}

static void nothing_is_reserved_and_the_victim_writes(struct model *model)
{
	model_set_reservation(model, 0, MODEL_NOBODY);
	model->nexus[1].in_flight = true;
}

static void a_drain_does_not_hold_where_the_next_run_finds_the_disk_open(void **state)
{
	(void)state; /* S1 */
	off_of_one_that_errs(2, nothing_is_reserved_and_the_victim_writes, ENOUGH_MS);
	check_nothing_lands(2);
	assert_true(verdicts[0].open);
}

/* As errs_after_its_drain(); and the next worker dies with the look after it has reserved. */
static bool errs_and_dies(struct model *model, char op, enum blkpr_result *result)
{
	if (op == 'R' && model_count(model, 'S') && model->trace[model->ops - 2] == 'S')
		raise(SIGKILL);
	return errs_after_its_drain(model, op, result);
}

static void a_drain_does_not_outlive_a_worker_that_has_not_finished(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state; /* S1: the same holder, the same generation; who has died knew that it was open */
	disks[0].model.before = errs_and_dies;
	disks[0].errors = 2;
	meanwhile = nothing_is_reserved_and_the_victim_writes;
	assert_int_equal(blkpr_fence_off(&fence, targets, 1, verdicts, &arbiter), 0);
	check_nothing_lands(2);
	assert_true(verdicts[0].victim_seen);
	assert_int_equal(verdicts[0].resets, 2);
}

static void somebody_comes_uncounted(struct model *model)
{
	model->nexus[3].registered = true;
	model->nexus[3].key = THIRD;
}

static void a_generation_that_stands_still_between_two_runs_proves_nothing(void **state)
{
	(void)state;
	off_of_one_that_errs(2, somebody_comes_uncounted, ENOUGH_MS);
	assert_result(verdicts[0].result, BLKPR_UNCOUNTED);
}

static void what_an_abort_has_ended_is_remembered_by_the_next_run(void **state)
{
	(void)state; /* NVMe, where success would rest on less the second time */
	model_init(&disks[0].model, BLKPR_NVME);
	model_set_key(&disks[0].model, 0, OWN);
	model_set_key(&disks[0].model, 1, VICTIM);
	model_set_reservation(&disks[0].model, TYPE, 1);
	disks[0].model.nexus[1].in_flight = true;
	off_of_one_that_errs(2, NULL, ENOUGH_MS);
	check_nothing_lands(0);
	assert_int_equal(verdicts[0].rests, BLKPR_RESTS_ON_ABORT);
	assert_int_equal(model_count(&disks[0].model, 'P'), 1);
}

static void what_an_abort_has_ended_is_not_what_came_later(void **state)
{
	(void)state;
	model_init(&disks[0].model, BLKPR_NVME);
	model_set_key(&disks[0].model, 0, OWN);
	model_set_key(&disks[0].model, 1, VICTIM);
	model_set_reservation(&disks[0].model, TYPE, 1);
	off_of_one_that_errs(2, victim_comes_and_goes, ENOUGH_MS);
	check_nothing_lands(0);
	assert_int_equal(verdicts[0].rests, BLKPR_RESTS_ON_EARLIER); /* and is said */
}

/* In the worker of the last device: what happens on the arbiter meanwhile. */
static bool victim_registers(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	if (op == 'P')
		model_set_key(&disks[0].model, 1, VICTIM);
	return false;
}

static bool own_key_is_removed(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	if (op == 'P') {
		model_set_key(&disks[0].model, 2, VICTIM + 1);
		model_unregister(&disks[0].model, 0);
	}
	return false;
}

static bool reservation_is_released(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	if (op == 'P')
		model_set_reservation(&disks[0].model, 0, MODEL_NOBODY);
	return false;
}

static bool reservation_is_replaced(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	if (op == 'P')
		model_set_reservation(&disks[0].model, PR_EXCLUSIVE_ACCESS, 0);
	return false;
}

static bool stranger_registers(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	if (op == 'P')
		model_set_key(&disks[0].model, 2, STRANGER);
	return false;
}

static bool arbiter_goes_away(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	if (op == 'P')
		disks[0].open = BLKPR_PATH_FAILED;
	return false;
}

static void an_arbiter_that_has_changed_meanwhile_is_no_success(void **state)
{
	static const struct {
		bool (*meanwhile)(struct model *model, char op, enum blkpr_result *result);
		enum blkpr_result want;
	} rows[] = {
		{ victim_registers, BLKPR_VICTIM_ON },
		{ own_key_is_removed, BLKPR_EVICTED },
		{ reservation_is_released, BLKPR_UNRESERVED },
		{ reservation_is_replaced, BLKPR_FOREIGN_TYPE },
		{ stranger_registers, BLKPR_UNKNOWN_KEYS },
		{ arbiter_goes_away, BLKPR_PATH_FAILED },
	};

	(void)state; /* S4 */
	for (unsigned r = 0; r < ARRAY_SIZE(rows); r++) {
		for (unsigned i = 0; i < DEVICES; i++)
			prepare(i);
		disks[DEVICES - 1].model.before = rows[r].meanwhile;
		off_within(ENOUGH_MS);
		assert_int_equal(arbiter, 0);
		assert_result(verdicts[0].result, rows[r].want);
		for (unsigned i = 1; i < DEVICES; i++)
			check_fenced(i);
	}
}

static void an_arbiter_that_failed_is_not_absolved_by_a_second_look(void **state)
{
	(void)state;
	model_set_key(&disks[0].model, 3, STRANGER);
	disks[DEVICES - 1].model.before = reservation_is_released;
	off_within(ENOUGH_MS);
	assert_result(verdicts[0].result, BLKPR_UNKNOWN_KEYS);
	assert_string_equal(disks[0].model.trace, "RPR");
}

/* --- no process for a worker ----------------------------------------------------------------------- */

static void a_fork_that_fails_at_the_arbiter_is_tried_again(void **state)
{
	(void)state;
	forks_fail_from = 1;
	forks_fail_to = 4;
	off_within(ENOUGH_MS);
	assert_int_equal(arbiter, 0);
	for (unsigned i = 0; i < DEVICES; i++)
		check_fenced(i);
}

static void forks_that_always_fail_are_an_error_before_the_deadline(void **state)
{
	struct blkpr_fence fence = fence_within(SHORT_MS);

	(void)state;
	forks_fail_from = 1;
	forks_fail_to = UINT32_MAX;
	assert_int_equal(blkpr_fence_off(&fence, targets, DEVICES, verdicts, &arbiter), -EAGAIN);
	assert_true(blkpr_clock_ms() <= fence.deadline + LATE_MS);
	assert_int_equal(arbiter, DEVICES);
	assert_true(forks > 1);
	for (unsigned i = 0; i < DEVICES; i++) {
		assert_true(verdicts[i].result != BLKPR_OK);
		assert_string_equal(disks[i].model.trace, "");
	}
}

static bool dies_of_the_drain(struct model *model, char op, enum blkpr_result *result)
{
	(void)model;
	(void)result;
	if (op == 'D')
		raise(SIGKILL);
	return false;
}

static void a_fork_that_fails_after_the_arbiters_is_an_error(void **state)
{
	struct blkpr_fence fence = fence_within(SHORT_MS);

	(void)state;
	disks[0].model.before = dies_of_the_drain; /* it has won by then; the others need another pool */
	forks_fail_from = 2;
	forks_fail_to = UINT32_MAX;
	assert_int_equal(blkpr_fence_off(&fence, targets, DEVICES, verdicts, &arbiter), -EAGAIN);
	assert_int_equal(arbiter, 0);
	for (unsigned i = 0; i < DEVICES; i++)
		assert_true(verdicts[i].result != BLKPR_OK);
}

static bool dies_of_the_proof(struct model *model, char op, enum blkpr_result *result)
{
	(void)op;
	(void)result;
	if (!strcmp(model->trace, "RPRDRR"))
		raise(SIGKILL);
	return false;
}

static void a_pool_that_dies_of_the_second_proof_proves_nothing(void **state)
{
	(void)state; /* S4 */
	disks[0].model.before = dies_of_the_proof;
	off_within(ENOUGH_MS);
	assert_result(verdicts[0].result, BLKPR_CRASHED);
	for (unsigned i = 1; i < DEVICES; i++)
		check_fenced(i);
}

/* --- the other protocols -------------------------------------------------------------------------- */

static void on_registers_on_every_device(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state;
	for (unsigned i = 0; i < DEVICES; i++)
		model_unregister(&disks[i].model, 0);
	fence.victim = 0;
	assert_int_equal(blkpr_fence_on(&fence, targets, DEVICES, verdicts), 0);
	for (unsigned i = 0; i < DEVICES; i++) {
		assert_result(verdicts[i].result, BLKPR_OK);
		assert_true(model_has(&disks[i].model, OWN));
		assert_int_equal(verdicts[i].transport, BLKPR_READ_SGIO);
	}
}

static void each_device_is_registered_with_its_own_key(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state;
	fence.victim = 0;
	targets[1].own = 0x11;
	assert_int_equal(blkpr_fence_on(&fence, targets, DEVICES, verdicts), 0);
	assert_true(model_has(&disks[0].model, OWN));
	assert_true(model_has(&disks[1].model, 0x11));
	assert_false(model_has(&disks[1].model, OWN));
}

static void a_path_that_hangs_does_not_take_the_monitor_with_it(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state;
	fence.in_flight = BLKPR_IN_FLIGHT_AUTO;
	disks[1].path_hangs = true;
	model_unregister(&disks[2].model, 0); /* its key is another session's */
	model_set_key(&disks[2].model, 5, OWN);
	assert_int_equal(blkpr_fence_monitor(&fence, targets, DEVICES, verdicts), 0);
	assert_true(blkpr_clock_ms() < fence.deadline);
	assert_result(verdicts[0].result, BLKPR_OK);
	assert_false(verdicts[0].unasked);
	assert_result(verdicts[1].result, BLKPR_OK);
	assert_true(verdicts[1].unasked);
	assert_result(verdicts[2].result, BLKPR_BARRED);
	assert_result(verdicts[3].result, BLKPR_OK);
}

static void status_and_monitor_read_every_device_and_change_none(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state;
	model_unregister(&disks[1].model, 1);
	model_set_reservation(&disks[1].model, TYPE, 0);
	assert_int_equal(blkpr_fence_status(&fence, targets, DEVICES, verdicts), 0);
	assert_result(verdicts[0].result, BLKPR_VICTIM_ON);
	assert_result(verdicts[1].result, BLKPR_OK);
	devices[3].paths = 2;
	assert_int_equal(blkpr_fence_monitor(&fence, targets, DEVICES, verdicts), 0);
	assert_result(verdicts[0].result, BLKPR_OK);
	assert_result(verdicts[3].result, BLKPR_FEWER_PATHS);
	for (unsigned i = 0; i < DEVICES; i++)
		assert_true(model_only_read(&disks[i].model));
}

static void no_device_is_no_success(void **state)
{
	struct blkpr_fence fence = fence_within(ENOUGH_MS);

	(void)state; /* nothing asked, nothing proven */
	assert_int_equal(blkpr_fence_on(&fence, targets, 0, verdicts), -EINVAL);
	arbiter = DEVICES;
	assert_int_equal(blkpr_fence_off(&fence, targets, 0, verdicts, &arbiter), -EINVAL);
	assert_int_equal(arbiter, 0); /* as many as there are: none */
	assert_int_equal(blkpr_fence_status(&fence, targets, 0, verdicts), -EINVAL);
	assert_int_equal(blkpr_fence_monitor(&fence, targets, 0, verdicts), -EINVAL);
	assert_int_equal(forks, 0);
}

#define fence_test(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fence_test(off_fences_every_device_and_the_first_decides),
		fence_test(one_device_is_its_own_arbiter),
		fence_test(node_evicted_from_the_arbiter_touches_nothing),
		fence_test(a_foreign_type_on_the_arbiter_stops_everything),
		fence_test(a_device_that_refuses_for_good_is_not_passed_over_as_arbiter),
		fence_test(a_device_that_says_nothing_of_use_does_not_decide),
		fence_test(nobody_decides_where_all_devices_say_nothing_of_use),
		fence_test(take_that_must_fail_changes_no_other_device),
		fence_test(node_evicted_elsewhere_fails_there_and_fences_the_rest),
		fence_test(an_unknown_key_on_the_arbiter_fails_there_and_fences_the_rest),
		fence_test(the_next_device_decides_where_the_first_cannot_be_asked),
		fence_test(the_first_device_has_a_grace),
		fence_test(a_device_that_has_answered_is_not_left_for_the_next_one),
		fence_test(an_arbiter_that_comes_back_decides),
		fence_test(a_device_that_hangs_does_not_save_the_victim_elsewhere),
		fence_test(a_device_whose_worker_dies_does_not_save_the_victim_elsewhere),
		fence_test(a_device_whose_worker_always_dies_does_not_save_the_victim_elsewhere),
		fence_test(an_arbiter_that_hangs_does_not_save_the_victim_elsewhere),
		fence_test(a_node_that_lost_at_the_second_arbiter_touches_no_more),
		fence_test(why_a_device_cannot_be_asked_outlives_a_worker_without_time),
		fence_test(what_a_disk_took_while_it_was_open_is_not_forgotten_with_a_look_that_failed),
		fence_test(what_a_disk_took_while_it_was_open_is_not_forgotten_with_the_victim_before),
		fence_test(nobody_decides_where_no_device_can_be_asked),
		fence_test(a_device_where_nobody_is_registered_does_not_decide),
		fence_test(a_reservation_without_registrations_does_not_decide_either),
		fence_test(a_device_where_only_others_are_registered_decides_against_this_node),
		fence_test(the_next_one_with_somebody_registered_decides),
		fence_test(nobody_decides_where_nobody_is_registered),
		fence_test(the_arbiter_is_read_again_after_the_others),
		fence_test(a_single_device_has_no_proof_that_grows_old),
		fence_test(the_arbiter_is_not_read_again_where_another_device_failed),
		fence_test(what_was_seen_on_a_device_that_is_gone_is_not_forgotten),
		fence_test(an_arbiter_that_cannot_be_drained_does_not_save_the_victim_elsewhere),
		fence_test(an_arbiter_of_an_absent_victim_that_cannot_be_drained_decides_too),
		fence_test(an_arbiter_whose_path_fails_at_the_drain_is_tried_again_and_decides),
		fence_test(an_arbiter_whose_drain_hangs_does_not_save_the_victim_elsewhere),
		fence_test(an_arbiter_whose_abort_hangs_does_not_save_the_victim_elsewhere),
		fence_test(an_arbiter_whose_abort_ends_late_is_proven_after_the_others),
		fence_test(what_was_proven_before_the_arbiter_is_proven_again),
		fence_test(a_drain_that_fails_elsewhere_fails_there),
		fence_test(an_absent_victims_commands_are_ended_on_every_device),
		fence_test(a_disk_that_errs_after_its_drain_is_drained_once),
		fence_test(an_arbiter_that_errs_after_its_drain_is_drained_once),
		fence_test(a_drain_that_failed_is_not_carried),
		fence_test(a_drain_does_not_hold_for_who_comes_and_goes_between_two_runs),
		fence_test(a_drain_does_not_hold_where_the_disk_was_open_between_two_runs),
		fence_test(a_drain_does_not_hold_where_the_next_run_finds_the_disk_open),
		fence_test(a_drain_does_not_outlive_a_worker_that_has_not_finished),
		fence_test(a_generation_that_stands_still_between_two_runs_proves_nothing),
		fence_test(what_an_abort_has_ended_is_remembered_by_the_next_run),
		fence_test(what_an_abort_has_ended_is_not_what_came_later),
		fence_test(an_arbiter_that_has_changed_meanwhile_is_no_success),
		fence_test(an_arbiter_that_failed_is_not_absolved_by_a_second_look),
		fence_test(a_fork_that_fails_at_the_arbiter_is_tried_again),
		fence_test(forks_that_always_fail_are_an_error_before_the_deadline),
		fence_test(a_fork_that_fails_after_the_arbiters_is_an_error),
		fence_test(a_pool_that_dies_of_the_second_proof_proves_nothing),
		fence_test(no_device_is_no_success),
		fence_test(on_registers_on_every_device),
		fence_test(each_device_is_registered_with_its_own_key),
		fence_test(a_path_that_hangs_does_not_take_the_monitor_with_it),
		fence_test(status_and_monitor_read_every_device_and_change_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
