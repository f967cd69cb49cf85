// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two nodes fence each other on one model disk (S3): every order in which the device may receive their
 * operations is tried. Each protocol runs as a coroutine that stops before every operation; a schedule
 * says who goes on. Schedules are enumerated depth first, by running again from the start.
 */
#include <string.h>
#include <ucontext.h>

#include "lib/fence.h"
#include "tests/unit/model.h"
#include "tests/unit/on_disk.h"
#include "tests/unit/unit.h"

#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define MOST_CHOICES 64
#define STACK_BYTES (256 * 1024)

static const uint64_t keys[2] = { 0xa, 0xb };

struct node {
	ucontext_t context;
	struct model_disk disks[2]; /* the arbiter, and another device */
	struct blkpr_fence fence;
	struct blkpr_verdict verdicts[2];
	bool finished;
};

static struct node nodes[2];
static struct model models[2];
static ucontext_t scheduler;
static unsigned running;
static char stacks[2][STACK_BYTES];

/* What a race starts from. */
struct race {
	enum blkpr_kind kind;
	unsigned type;  /* held; 0: nothing is reserved */
	int holder;     /* 0 or 1, 2: a third node */
	unsigned paths; /* of each node */
	unsigned devices;
	bool quirk;
};

/* --- coroutines ----------------------------------------------------------------------------------- */

static bool stop_before(struct model *model, char op, enum blkpr_result *result)
{
	struct node *node = &nodes[running];

	(void)op;
	(void)result;
	model_write(model); /* everybody who may */
	swapcontext(&node->context, &scheduler);
	return false;
}

/* Does what blkpr_fence_off() does: the arbiter, and the other device only if that was won. */
static void fence_the_other(void)
{
	struct node *node = &nodes[running];
	uint64_t own = keys[running];

	off_disk(&node->fence, own, &node->disks[0].disk, &node->verdicts[0]);
	if (node->verdicts[0].won && node->disks[1].model)
		off_disk(&node->fence, own, &node->disks[1].disk, &node->verdicts[1]);
	node->finished = true;
}

static void start(unsigned i)
{
	struct node *node = &nodes[i];

	getcontext(&node->context);
	node->context.uc_stack.ss_sp = stacks[i];
	node->context.uc_stack.ss_size = STACK_BYTES;
	node->context.uc_link = &scheduler;
	makecontext(&node->context, fence_the_other, 0);
}

static void resume(unsigned i)
{
	running = i;
	swapcontext(&scheduler, &nodes[i].context);
}

/* --- the race ------------------------------------------------------------------------------------- */

static void prepare_disk(const struct race *race, struct model *model)
{
	model_init(model, race->kind);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned path = 0; path < race->paths; path++)
			model_set_key(model, 2 * i + path, keys[i]);
	model_set_key(model, 4, 0xc);
	model_set_reservation(model, race->type, 2 * race->holder);
	model->noop_quirk = race->quirk;
	model->before = stop_before;
}

static void prepare(const struct race *race)
{
	static const uint64_t known[] = { 0xa, 0xb, 0xc };

	for (unsigned d = 0; d < race->devices; d++)
		prepare_disk(race, &models[d]);
	for (unsigned i = 0; i < 2; i++) {
		nodes[i] = (struct node){ 0 };
		for (unsigned d = 0; d < race->devices; d++)
			nodes[i].disks[d] = model_connect(&models[d], 2 * i, race->paths);
		nodes[i].fence = (struct blkpr_fence){
			.type = TYPE, .victim = keys[!i], .known = known, .nknown = 3 };
		start(i);
	}
}

static bool over(unsigned i)
{
	return nodes[i].finished;
}

/*
 * Runs one race; CHOICES[] says who goes on where both can, 0 beyond LENGTH. Returns how many choices
 * there were, all of which are then in CHOICES[].
 */
static unsigned run(const struct race *race, unsigned char choices[], unsigned length)
{
	unsigned n = 0;

	prepare(race);
	while (!over(0) || !over(1)) {
		unsigned next = over(0);

		if (!over(0) && !over(1)) {
			assert_true(n < MOST_CHOICES);
			if (n >= length)
				choices[n] = 0;
			next = choices[n++];
		}
		resume(next);
	}
	return n;
}

/* The next schedule in lexical order; false: that was the last. */
static bool advance(unsigned char choices[], unsigned *length)
{
	while (*length && choices[*length - 1])
		(*length)--;
	if (!*length)
		return false;
	choices[*length - 1] = 1;
	return true;
}

static bool won(const struct race *race, unsigned i)
{
	for (unsigned d = 0; d < race->devices; d++)
		if (nodes[i].verdicts[d].result != BLKPR_OK || !nodes[i].verdicts[d].won)
			return false;
	return true;
}

static void check_device(const struct race *race, unsigned d, unsigned winner)
{
	assert_true(model_has(&models[d], keys[winner]));
	assert_false(model_has(&models[d], keys[!winner]));
	assert_true(model_has(&models[d], 0xc));
	assert_true(blkpr_fence_type_serves(TYPE, models[d].type));
	for (unsigned path = 0; path < race->paths; path++)
		assert_false(model_may_write(&models[d], 2 * !winner + path));
	for (unsigned path = 0; path < race->paths; path++)
		assert_false(models[d].nexus[2 * !winner + path].in_flight); /* S1 */
}

static void check_one_winner(const struct race *race)
{
	unsigned winner = won(race, 1);

	assert_true(won(race, 0) != won(race, 1));
	assert_true(nodes[!winner].verdicts[0].result == BLKPR_EVICTED);
	assert_false(nodes[!winner].verdicts[0].won);
	for (unsigned d = 0; d < race->devices; d++) {
		check_device(race, d, winner);
		assert_int_equal(model_count(&models[d], 'G'), 0);
	}
}

/* Tries every schedule. Returns how many there were; WINS[] counts each side's. */
static unsigned try_all(const struct race *race, unsigned wins[2], void (*check)(const struct race *))
{
	unsigned char choices[MOST_CHOICES] = { 0 };
	unsigned length = 0, schedules = 0;

	do {
		length = run(race, choices, length);
		check(race);
		wins[0] += won(race, 0);
		wins[1] += won(race, 1);
		schedules++;
	} while (advance(choices, &length));
	return schedules;
}

static void check_every_order(struct race race)
{
	unsigned wins[2] = { 0 };

	for (race.holder = 0; race.holder < 3; race.holder++)
		for (race.paths = 1; race.paths <= 2; race.paths++) {
			unsigned schedules = try_all(&race, wins, check_one_winner);

			assert_true(schedules >= 20); /* three operations against three */
		}
	assert_true(wins[0] && wins[1]);
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void one_of_two_wins_in_every_order(void **state)
{
	(void)state;
	check_every_order((struct race){ .kind = BLKPR_SCSI, .type = TYPE, .devices = 1 });
	check_every_order((struct race){ .kind = BLKPR_NVME, .type = TYPE, .devices = 1 });
}

static void one_of_two_wins_for_all_registrants(void **state)
{
	(void)state;
	check_every_order(
		(struct race){ .kind = BLKPR_SCSI, .type = PR_WRITE_EXCLUSIVE_ALL_REGS, .devices = 1 });
}

static void one_of_two_wins_on_a_disk_without_a_reservation(void **state)
{
	(void)state;
	check_every_order((struct race){ .kind = BLKPR_SCSI, .type = 0, .devices = 1 });
	check_every_order((struct race){ .kind = BLKPR_NVME, .type = 0, .devices = 1 });
}

static void the_same_side_wins_on_every_device(void **state)
{
	(void)state;
	check_every_order((struct race){ .kind = BLKPR_SCSI, .type = TYPE, .devices = 2 });
	check_every_order((struct race){ .kind = BLKPR_SCSI, .type = 0, .devices = 2 });
}

static void one_of_two_wins_where_a_holders_preempt_only_changes_the_type(void **state)
{
	(void)state; /* trap 1 */
	check_every_order((struct race){ .kind = BLKPR_NVME, .type = TYPE, .devices = 1, .quirk = true });
	check_every_order((struct race){
		.kind = BLKPR_NVME, .type = PR_WRITE_EXCLUSIVE_ALL_REGS, .devices = 1, .quirk = true });
}

/* Each has seen it open: whoever is left may have to try again, since the other's type change has moved the generation. */
static void check_one_is_left(const struct race *race)
{
	unsigned left = model_has(&models[0], keys[1]);

	assert_result(nodes[!left].verdicts[0].result, BLKPR_EVICTED);
	assert_false(model_has(&models[0], keys[!left]));
	if (nodes[left].verdicts[0].result != BLKPR_UNDRAINABLE)
		check_one_winner(race);
}

static void one_of_two_is_left_of_an_open_disk_where_a_holders_preempt_only_changes_the_type(void **state)
{
	struct race race = { .kind = BLKPR_NVME, .paths = 1, .devices = 1, .quirk = true };
	unsigned wins[2] = { 0 };

	(void)state;
	try_all(&race, wins, check_one_is_left);
	assert_true(wins[0] && wins[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_two_wins_in_every_order),
		cmocka_unit_test(one_of_two_wins_for_all_registrants),
		cmocka_unit_test(one_of_two_wins_on_a_disk_without_a_reservation),
		cmocka_unit_test(the_same_side_wins_on_every_device),
		cmocka_unit_test(one_of_two_wins_where_a_holders_preempt_only_changes_the_type),
		cmocka_unit_test(one_of_two_is_left_of_an_open_disk_where_a_holders_preempt_only_changes_the_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
