// SPDX-License-Identifier: GPL-2.0-or-later
// Every sequence of answers of a device, up to a bound: what is true if a protocol says BLKPR_OK.
#include <stdlib.h>
#include <string.h>

#include "lib/fence.h"
#include "lib/hold.h"
#include "tests/unit/on_disk.h"
#include "tests/unit/unit.h"

#define OWN 0xa
#define OTHER 0xb    /* off: the victim; take, promote: another node's resource */
#define STRANGER 0xc /* off: of no cluster node; take, promote: a fence agent's */
#define THIRD 0xd    /* off: another node of the cluster */
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define ALIEN_TYPE PR_EXCLUSIVE_ACCESS

/* --- choices: the runs go through all sequences of them, as an odometer does ------------------ */

#define MOST_CHOICES 64

/* Reads; or BLKPR_LOOKS in the environment. One more takes 25 times as long. */
static unsigned bound = 4;

static struct {
	unsigned taken[MOST_CHOICES], of[MOST_CHOICES];
	unsigned known, next;
} choices;

static unsigned choose(unsigned alternatives)
{
	assert_true(choices.next < MOST_CHOICES);
	if (choices.next == choices.known) {
		choices.taken[choices.known] = 0;
		choices.of[choices.known++] = alternatives;
	}
	return choices.taken[choices.next++];
}

/* Whether there is another sequence. */
static bool turn_to_next_sequence(void)
{
	choices.next = 0;
	while (choices.known) {
		unsigned last = choices.known - 1;

		if (++choices.taken[last] < choices.of[last])
			return true;
		choices.known--;
	}
	return false;
}

/* --- a device that answers whatever it likes -------------------------------------------------- */

struct answer {
	uint64_t keys[2], holder;
	unsigned nkeys, type;
};

static const struct answer answers[] = {
	{ { OWN }, 0, 1, 0 },
	{ { OWN }, OWN, 1, TYPE },
	{ { OWN }, OWN, 1, ALIEN_TYPE },
	{ { OWN, OTHER }, 0, 2, 0 },
	{ { OWN, OTHER }, OWN, 2, TYPE },
	{ { OWN, OTHER }, OTHER, 2, TYPE },
	{ { OWN, STRANGER }, OWN, 2, TYPE },
	{ { OTHER }, OTHER, 1, TYPE },
	{ { 0 }, 0, 0, 0 },
	/* these only where a read may fail, for off and promote */
	{ { OWN, THIRD }, OWN, 2, TYPE },
	{ { OWN, THIRD }, THIRD, 2, TYPE },
};

#define ALWAYS 9 /* answers */

static struct {
	bool counts;           /* what registers or is preempted moves the generation */
	bool errs;             /* a read may fail after a drain, and the protocol is run again then */
	unsigned alternatives; /* that it has to answer a read */
	bool has_drained;      /* once: from then on */
	bool has_erred;
	bool caught;           /* it has not, and who looked could tell */
	unsigned reads;
	const struct answer *last; /* what the last read has shown; NULL: none has */
	uint32_t generation;   /* of that */
	bool changed;          /* a command has come in since */
	uint64_t preempted;    /* by the last command, which said BLKPR_OK; else 0 */
	bool alone;            /* OTHER must not be there at the end */
	bool drained;          /* a LUN RESET has ended what was in flight; nobody was seen since who can have sent more */
	uint32_t drained_at;
	uint64_t drained_under;
} device;

static unsigned most_reads(void)
{
	return device.errs ? bound - 1 : bound; /* besides the one that fails */
}

static bool shows(const struct answer *answer, uint64_t key)
{
	for (unsigned i = 0; answer && i < answer->nkeys; i++)
		if (answer->keys[i] == key)
			return true;
	return false;
}

/* Whether a key has come, or was preempted and has gone, between the last read and ANSWER. */
static bool should_count(const struct answer *answer)
{
	uint64_t preempted = device.preempted;

	if (!device.last)
		return false;
	for (unsigned i = 0; i < answer->nkeys; i++)
		if (!shows(device.last, answer->keys[i]))
			return true;
	return preempted && shows(device.last, preempted) && !shows(answer, preempted);
}

/* It may move for other reasons, too, which matters only while a drain is to hold. */
static bool generation_moves(const struct answer *answer)
{
	if (should_count(answer))
		return device.counts || choose(2);
	return device.drained && choose(2);
}

static enum blkpr_result op_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	const struct answer *answer;
	bool moved;

	(void)disk;
	*report = (struct blkpr_report){ 0 };
	if (device.errs && device.has_drained && !device.has_erred && choose(2)) {
		device.has_erred = true;
		return BLKPR_IO_ERROR;
	}
	if (++device.reads > most_reads())
		return BLKPR_IO_ERROR;
	answer = &answers[choose(device.alternatives)];
	moved = generation_moves(answer);
	device.caught |= !moved && should_count(answer);
	device.generation += moved;
	if (!answer->type || !shows(answer, OWN) || (device.alone && shows(answer, OTHER)))
		device.drained = false;
	if (answer->holder != device.drained_under)
		device.drained = false; /* it was open in between */
	device.last = answer;
	device.changed = false;
	device.preempted = 0;
	assert_true(blkpr_report_resize(report, 2));
	memcpy(report->keys, answer->keys, sizeof(answer->keys));
	report->nkeys = answer->nkeys;
	report->type = answer->type;
	report->holder = answer->holder;
	report->generation = device.generation;
	return BLKPR_OK;
}

static enum blkpr_result answer_command(void)
{
	static const enum blkpr_result results[] = { BLKPR_OK, BLKPR_CONFLICT, BLKPR_IO_ERROR };

	device.changed = true;
	device.preempted = 0;
	return results[choose(ARRAY_SIZE(results))];
}

static enum blkpr_result op_keys_of_self(struct blkpr_disk *disk, unsigned path, struct blkpr_report *report)
{
	(void)disk;
	(void)path;
	*report = (struct blkpr_report){ 0 };
	return BLKPR_UNSUPPORTED;
}

static enum blkpr_result op_register(struct blkpr_disk *disk, unsigned path, uint64_t old_key, uint64_t new_key)
{
	(void)disk;
	(void)path;
	(void)old_key;
	(void)new_key;
	return answer_command();
}

static enum blkpr_result op_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	(void)disk;
	assert_int_equal(own, OWN);
	assert_int_equal(type, TYPE);
	device.drained = false;
	return answer_command();
}

static enum blkpr_result op_release(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	(void)disk;
	(void)type;
	assert_int_equal(own, OWN);
	device.drained = false;
	return answer_command();
}

static enum blkpr_result op_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	enum blkpr_result result = answer_command();

	(void)disk;
	(void)own;
	(void)type;
	device.drained = false;
	device.preempted = result == BLKPR_OK ? victim : 0;
	return result;
}

static enum blkpr_reach op_reach(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE])
{
	(void)disk;
	*driver = '\0';
	return BLKPR_REACH_TARGET;
}

static enum blkpr_result op_drain(struct blkpr_disk *disk, enum blkpr_reach least)
{
	static const enum blkpr_result results[] = { BLKPR_OK, BLKPR_UNSUPPORTED, BLKPR_UNDRAINED };
	enum blkpr_result result = results[choose(ARRAY_SIZE(results))];

	(void)disk;
	(void)least;
	assert_false(device.changed); /* it is for what a look has shown */
	device.drained = result == BLKPR_OK;
	device.has_drained |= device.drained;
	device.drained_at = device.generation;
	device.drained_under = device.last->holder;
	device.changed = true;
	return result;
}

static enum blkpr_result op_unregister(struct blkpr_disk *disk, uint64_t own)
{
	(void)disk;
	(void)own;
	return answer_command();
}

static const struct blkpr_disk_ops answering_ops = {
	.read = op_read,
	.register_key = op_register,
	.keys_of_self = op_keys_of_self,
	.reserve = op_reserve,
	.preempt_abort = op_preempt_abort,
	.release = op_release,
	.unregister = op_unregister,
	.reach = op_reach,
	.drain = op_drain,
};

/* --- the protocols ---------------------------------------------------------------------------- */

static const uint64_t others[] = { THIRD };

static void run_off(struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	static const struct blkpr_fence fence = {
		.type = TYPE, .victim = OTHER, .unknown = BLKPR_UNKNOWN_EVICT, .known = others, .nknown = 1
	};

	off_disk(&fence, OWN, disk, verdict);
}

static const uint64_t fencers[] = { STRANGER };
static const struct blkpr_hold hold = {
	.type = TYPE, .evict = true, .fencers = fencers, .nfencers = 1
};
static const struct blkpr_target target = { .own = OWN };

static void run_take(struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	blkpr_hold_take_disk(&hold, &target, disk, verdict);
}

static void run_promote(struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	blkpr_hold_promote_disk(&hold, &target, disk, verdict);
}

static void check_success(const struct answer *last, bool holds)
{
	assert_false(device.changed); /* S4: a fresh read */
	assert_true(shows(last, OWN) && !shows(last, STRANGER));
	assert_true(last->type == TYPE && (!holds || last->holder == OWN));
	assert_true(!device.alone || !shows(last, OTHER));
	assert_true(device.drained); /* S1: after the last change, and nobody was seen since who should not be there */
	assert_int_equal(device.drained_at, device.generation); /* nor came and went unseen */
	assert_false(device.caught); /* the generation proves nothing */
}

typedef void runner(struct blkpr_disk *disk, struct blkpr_verdict *verdict);

/*
 * An action: a run whose last read fails is followed by another one, whether its worker has
 * finished or not.
 */
static enum blkpr_result act(runner *run)
{
	struct blkpr_disk disk = { .ops = &answering_ops, .paths = 1 };
	struct blkpr_verdict past = { 0 }, verdict;
	bool again;

	do {
		verdict = past;
		run(&disk, &verdict);
		again = verdict.result == BLKPR_IO_ERROR && device.has_erred && device.reads < most_reads();
		if (again && choose(2)) {
			verdict.result = BLKPR_UNFINISHED;
			device.last = NULL; /* what it saw is not believed: nothing to compare the next look with */
		}
		blkpr_verdict_carry(&past, &verdict);
	} while (again);
	return verdict.result;
}

static void check_every_sequence(runner *run, bool errs, bool alone, bool holds)
{
	unsigned long sequences = 0, successes = 0;

	for (unsigned counts = 0; counts < 2; counts++) {
		memset(&choices, 0, sizeof(choices));
		do {
			memset(&device, 0, sizeof(device));
			device.counts = counts;
			device.errs = errs;
			device.alternatives = errs && run != run_take ? ARRAY_SIZE(answers) : ALWAYS;
			device.alone = alone;
			sequences++;
			if (act(run) != BLKPR_OK)
				continue;
			successes++;
			check_success(device.last, holds);
		} while (turn_to_next_sequence());
	}
	assert_true(successes > 10);
	print_message("%lu sequences, %lu successes\n", sequences, successes);
}

static void off_succeeds_only_where_nothing_can_land_any_more(void **state)
{
	(void)state;
	check_every_sequence(run_off, false, true, false);
}

static void off_that_is_run_again_succeeds_only_where_nothing_can_land_any_more(void **state)
{
	(void)state;
	check_every_sequence(run_off, true, true, false);
}

static void take_succeeds_only_where_nothing_can_land_any_more(void **state)
{
	(void)state;
	check_every_sequence(run_take, false, true, true);
}

static void take_that_is_run_again_succeeds_only_where_nothing_can_land_any_more(void **state)
{
	(void)state;
	check_every_sequence(run_take, true, true, true);
}

static void promote_succeeds_only_where_nothing_can_land_any_more(void **state)
{
	(void)state;
	check_every_sequence(run_promote, false, false, true);
}

static void promote_that_is_run_again_succeeds_only_where_nothing_can_land_any_more(void **state)
{
	(void)state;
	check_every_sequence(run_promote, true, false, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_succeeds_only_where_nothing_can_land_any_more),
		cmocka_unit_test(off_that_is_run_again_succeeds_only_where_nothing_can_land_any_more),
		cmocka_unit_test(take_succeeds_only_where_nothing_can_land_any_more),
		cmocka_unit_test(take_that_is_run_again_succeeds_only_where_nothing_can_land_any_more),
		cmocka_unit_test(promote_succeeds_only_where_nothing_can_land_any_more),
		cmocka_unit_test(promote_that_is_run_again_succeeds_only_where_nothing_can_land_any_more),
	};
	const char *looks = getenv("BLKPR_LOOKS");

	if (looks)
		bound = (unsigned)strtoul(looks, NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
