// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two nodes fence each other over several disks, of which either may not reach some (S3): the real
 * protocols, in time that is simulated. A fiber is what runs of its own on a node, the action or
 * the worker of a disk. Whatever takes time (a command, a pause, a disk that hangs) moves the clock
 * of its fiber; the scheduler lets the one go on whose clock is least. So the disks receive all
 * commands in the order of time, and no test waits.
 */
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/block.h"
#include "lib/clock.h"
#include "lib/fence.h"
#include "lib/fleet.h"
#include "tests/unit/model.h"
#include "tests/unit/unit.h"

#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define NODES 2
#define MOST_DISKS 16
#define FIBERS (NODES * (1 + MOST_DISKS))
#define STACK_BYTES (128 * 1024)
#define TIME_MS 18000
#define GRACE_MS 1500 /* as lib/work.c */
#define NEVER INT64_MAX

int64_t __wrap_blkpr_clock_ms(void);
void __wrap_blkpr_clock_pause(int64_t ms, int64_t deadline);
pid_t __wrap_getppid(void);
enum blkpr_result __wrap_blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline);
void __wrap_blkpr_disk_close(struct blkpr_block_disk *block);
int __wrap_blkpr_fleet_run(struct blkpr_fleet *fleet, blkpr_fleet_job job, const unsigned which[], unsigned count,
	int64_t deadline, struct blkpr_verdict verdicts[]);

static const uint64_t keys[NODES] = { 0xa, 0xb };

/*
 * Of a disk that does not work for a node: it cannot be opened, or hangs, or answers nonsense, or
 * refuses what changes it.
 */
enum reach { REACHED, FAILS, HANGS, TALKS_NONSENSE, REFUSES };

/* What a simulation is about. */
static struct {
	unsigned disks;
	enum reach reach[NODES][MOST_DISKS];
	int64_t back[MOST_DISKS]; /* the disk is reached by all then; 0: never */
	bool added;               /* nobody is registered on the first disk yet */
	int64_t start[NODES];     /* NEVER: that node does nothing */
} situation;

static struct model models[MOST_DISKS];
static int64_t evicted_at[MOST_DISKS]; /* the last PREEMPT came in then */

struct fiber {
	ucontext_t context;
	bool used, finished;
	int64_t now; /* it goes on then */
	unsigned node;
	struct model_disk disk; /* a worker's */
	blkpr_fleet_job job;
	void *task;
	unsigned index;
	int64_t deadline;
	struct blkpr_verdict verdict;
	struct fiber *parent; /* it waits for the last of its workers */
	unsigned workers;
};

static struct fiber fibers[FIBERS], *running;
static char stacks[FIBERS][STACK_BYTES];
static ucontext_t scheduler;

static struct {
	struct blkpr_device devices[MOST_DISKS];
	struct blkpr_target targets[MOST_DISKS];
	struct blkpr_verdict verdicts[MOST_DISKS];
	unsigned arbiter;
	int rc;
	int64_t ended;
} nodes[NODES];

/* --- time ----------------------------------------------------------------------------------------- */

int64_t __wrap_blkpr_clock_ms(void)
{
	return running->now;
}

static void go_on_at(int64_t when)
{
	running->now = when;
	swapcontext(&running->context, &scheduler);
}

void __wrap_blkpr_clock_pause(int64_t ms, int64_t deadline)
{
	if (running->now < deadline)
		go_on_at(running->now + ms < deadline ? running->now + ms : deadline);
}

/* The nodes' commands take different times. */
static bool takes_time(struct model *model, char op, enum blkpr_result *result)
{
	(void)result;
	go_on_at(running->now + (running->node ? 3 : 2));
	model_write(model); /* everybody who may */
	if (op == 'P')
		evicted_at[model - models] = running->now;
	return false;
}

/* --- disks ---------------------------------------------------------------------------------------- */

static enum blkpr_result forward_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	(void)disk;
	return model_ops.read(&running->disk.disk, report);
}

static bool refuses(void)
{
	return situation.reach[running->node][running->disk.model - models] == REFUSES;
}

static enum blkpr_result forward_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	(void)disk;
	if (refuses())
		return BLKPR_INVALID;
	return model_ops.reserve(&running->disk.disk, own, type);
}

static enum blkpr_result forward_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	(void)disk;
	if (refuses())
		return BLKPR_INVALID;
	return model_ops.preempt_abort(&running->disk.disk, own, victim, type);
}

static enum blkpr_reach forward_reach(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE])
{
	(void)disk;
	return model_ops.reach(&running->disk.disk, driver);
}

static enum blkpr_result forward_drain(struct blkpr_disk *disk, enum blkpr_reach least)
{
	(void)disk;
	return model_ops.drain(&running->disk.disk, least);
}

static enum blkpr_result forward_initiators(struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	(void)disk;
	return model_ops.initiators(&running->disk.disk, key, initiators);
}

static const struct blkpr_disk_ops forward_ops = {
	.read = forward_read,
	.reserve = forward_reserve,
	.preempt_abort = forward_preempt_abort,
	.reach = forward_reach,
	.drain = forward_drain,
	.initiators = forward_initiators,
};

/* A worker is never seen by a node that has left it behind. */
pid_t __wrap_getppid(void)
{
	return getpid();
}

enum blkpr_result __wrap_blkpr_disk_open(
	struct blkpr_block_disk *block, const struct blkpr_device *device, int64_t deadline)
{
	unsigned i = (unsigned)device->number;
	bool back = situation.back[i] && running->now >= situation.back[i];
	enum reach reach = back ? REACHED : situation.reach[running->node][i];

	if (reach == HANGS)
		go_on_at(NEVER);
	if (reach == FAILS)
		return BLKPR_PATH_FAILED;
	if (reach == TALKS_NONSENSE)
		return BLKPR_MALFORMED;
	running->disk = model_connect(&models[i], running->node, 1);
	*block = (struct blkpr_block_disk){ .disk = { .ops = &forward_ops, .deadline = deadline, .paths = 1 } };
	return BLKPR_OK;
}

void __wrap_blkpr_disk_close(struct blkpr_block_disk *block)
{
	(void)block;
}

/* --- fibers --------------------------------------------------------------------------------------- */

/* Not inlined: getcontext() may return twice, for all that the compiler knows. */
static void __attribute__((noinline)) set_off(struct fiber *fiber, void (*entry)(void))
{
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = stacks[fiber - fibers];
	fiber->context.uc_stack.ss_size = STACK_BYTES;
	fiber->context.uc_link = &scheduler;
	makecontext(&fiber->context, entry, 0);
}

static struct fiber *begin_fiber(unsigned node, int64_t now, void (*entry)(void))
{
	unsigned i = 0;

	while (i < FIBERS && fibers[i].used)
		i++;
	assert_true(i < FIBERS);
	fibers[i] = (struct fiber){ .used = true, .now = now, .node = node };
	set_off(&fibers[i], entry);
	return &fibers[i];
}

static struct fiber *next_fiber(void)
{
	struct fiber *next = NULL;

	for (unsigned i = 0; i < FIBERS; i++)
		if (fibers[i].used && !fibers[i].finished && (!next || fibers[i].now < next->now))
			next = &fibers[i];
	return next;
}

static void do_job(void)
{
	running->job(running->task, running->index, running->deadline, &running->verdict);
	running->finished = true;
	if (!--running->parent->workers)
		running->parent->now = running->now;
}

/*
 * What lib/fleet.c does with a process: all workers begin at once, and none is waited for after the
 * deadline.
 */
int __wrap_blkpr_fleet_run(struct blkpr_fleet *fleet, blkpr_fleet_job job, const unsigned which[], unsigned count,
	int64_t deadline, struct blkpr_verdict verdicts[])
{
	struct fiber *workers[MOST_DISKS];
	int64_t until = fleet->answer_by && fleet->answer_by < deadline ? fleet->answer_by : deadline;
	bool answered = false;

	for (unsigned i = 0; i < count; i++)
		verdicts[which[i]] = (struct blkpr_verdict){ .result = BLKPR_UNFINISHED };
	if (!count || running->now >= deadline)
		return 0;
	running->workers = count;
	for (unsigned i = 0; i < count; i++) {
		workers[i] = begin_fiber(running->node, running->now, do_job);
		workers[i]->parent = running;
		workers[i]->job = job;
		workers[i]->task = fleet->context;
		workers[i]->index = which[i];
		workers[i]->deadline = deadline;
	}
	go_on_at(until);
	for (unsigned i = 0; i < count; i++)
		answered |= workers[i]->verdict.answered;
	if (running->workers && answered && until < deadline)
		go_on_at(deadline);
	for (unsigned i = 0; i < count; i++) {
		verdicts[which[i]] = workers[i]->verdict;
		if (!workers[i]->finished)
			verdicts[which[i]].result = BLKPR_UNFINISHED;
		workers[i]->used = false;
	}
	return 0;
}

static void fence_the_other(void)
{
	unsigned me = running->node;
	struct blkpr_fence fence = { .type = TYPE, .victim = keys[!me], .known = keys, .nknown = NODES,
		.parallel = MOST_DISKS, .deadline = running->now + TIME_MS };

	nodes[me].rc = blkpr_fence_off(
		&fence, nodes[me].targets, situation.disks, nodes[me].verdicts, &nodes[me].arbiter);
	nodes[me].ended = running->now - situation.start[me];
	running->finished = true;
}

static void prepare_disk(unsigned i, int holder)
{
	model_init(&models[i], BLKPR_SCSI);
	for (unsigned n = 0; n < NODES; n++)
		model_set_key(&models[i], n, keys[n]);
	model_set_reservation(&models[i], TYPE, holder);
	if (!i && situation.added)
		model_init(&models[i], BLKPR_SCSI);
	models[i].before = takes_time;
	evicted_at[i] = 0;
}

static void simulate(int holder)
{
	memset(fibers, 0, sizeof(fibers));
	memset(nodes, 0, sizeof(nodes));
	for (unsigned i = 0; i < situation.disks; i++)
		prepare_disk(i, holder);
	for (unsigned n = 0; n < NODES; n++) {
		for (unsigned i = 0; i < situation.disks; i++) {
			nodes[n].devices[i] = (struct blkpr_device){ .name = "disk", .number = i, .paths = 1 };
			nodes[n].targets[i] =
				(struct blkpr_target){ .device = &nodes[n].devices[i], .own = keys[n] };
		}
		if (situation.start[n] != NEVER)
			begin_fiber(n, situation.start[n], fence_the_other);
	}
	while ((running = next_fiber()) && running->now != NEVER)
		swapcontext(&scheduler, &running->context);
}

/* --- what came of it ------------------------------------------------------------------------------ */

/* off exits 0. */
static bool has_won(unsigned n)
{
	bool won = situation.start[n] != NEVER && !nodes[n].rc;

	for (unsigned i = 0; i < situation.disks && won; i++)
		won = nodes[n].verdicts[i].result == BLKPR_OK;
	return won;
}

/*
 * Whether N has taken every disk that it reaches, and there is one, from the other node, and lost
 * none.
 */
static bool has_what_it_reaches(unsigned n)
{
	bool any = false;

	for (unsigned i = 0; i < situation.disks; i++) {
		if (situation.reach[n][i] != REACHED)
			continue;
		if (nodes[n].verdicts[i].result != BLKPR_OK || !model_has(&models[i], keys[n])
				|| model_has(&models[i], keys[!n]))
			return false;
		any = true;
	}
	return any;
}

static bool reaches_all(unsigned n)
{
	for (unsigned i = 0; i < situation.disks; i++)
		if (situation.reach[n][i] != REACHED)
			return false;
	return true;
}

static bool reach_the_same(void)
{
	for (unsigned i = 0; i < situation.disks; i++)
		if ((situation.reach[0][i] == REACHED) != (situation.reach[1][i] == REACHED))
			return false;
	return true;
}

static bool any_is_reached(unsigned n)
{
	for (unsigned i = 0; i < situation.disks; i++)
		if (situation.reach[n][i] == REACHED)
			return true;
	return false;
}

/* S1, S2, S5: true whatever the situation. */
static void check_safe(void)
{
	assert_false(has_won(0) && has_won(1));
	for (unsigned n = 0; n < NODES; n++) {
		assert_true(nodes[n].ended <= TIME_MS);
		for (unsigned i = 0; i < situation.disks && has_won(n); i++) {
			assert_true(model_has(&models[i], keys[n]));
			assert_false(model_has(&models[i], keys[!n]));
			assert_false(models[i].nexus[!n].in_flight);
			assert_false(model_may_write(&models[i], !n));
		}
	}
}

static void check_one_winner(void)
{
	int64_t skew = situation.start[0] - situation.start[1];

	check_safe();
	if (reach_the_same() && any_is_reached(0)) {
		assert_true(has_what_it_reaches(0) != has_what_it_reaches(1));
		assert_true(has_won(0) + has_won(1) == (reaches_all(0) ? 1 : 0));
	}
	for (unsigned n = 0; n < NODES; n++) /* the other one's head start is less than the grace */
		if (reaches_all(n) && situation.reach[!n][0] != REACHED && (n ? -skew : skew) < GRACE_MS - 10)
			assert_true(has_won(n));
	/* where both reach the first disk, whoever has it has all that it reaches */
	if (situation.reach[0][0] == REACHED && situation.reach[1][0] == REACHED)
		assert_true(has_what_it_reaches(!model_has(&models[0], keys[0])));
}

/* --- tests ---------------------------------------------------------------------------------------- */

static const enum reach modes[][2] = { { FAILS, FAILS }, { HANGS, HANGS }, { FAILS, HANGS },
	{ TALKS_NONSENSE, TALKS_NONSENSE }, { REFUSES, REFUSES }, { REFUSES, FAILS } };

/*
 * How a disk fails that is not reached is of MODE, by turns. Bit N * disks + I of MATRIX: node N
 * does not reach disk I.
 */
static void set_reach(unsigned matrix, const enum reach mode[2])
{
	for (unsigned n = 0; n < NODES; n++)
		for (unsigned i = 0; i < situation.disks; i++)
			situation.reach[n][i] = matrix >> (n * situation.disks + i) & 1 ? mode[i % 2] : REACHED;
}

static void one_of_two_wins_whatever_they_reach(void **state)
{
	static const int64_t skews[] = { 0, 1, 2, 3, 4, 5, 7, 11, 500, GRACE_MS - 20, GRACE_MS - 5, GRACE_MS,
		GRACE_MS + 5, GRACE_MS + 20, 2 * GRACE_MS, TIME_MS / 2, 2 * TIME_MS };
	unsigned wins[NODES] = { 0 }, runs = 0;

	(void)state;
	memset(&situation, 0, sizeof(situation));
	situation.disks = 3;
	for (unsigned matrix = 0; matrix < 1U << (NODES * situation.disks); matrix++)
		for (unsigned mode = 0; mode < ARRAY_SIZE(modes); mode++)
			for (unsigned s = 0; s < 2 * ARRAY_SIZE(skews); s++)
				for (int holder = 0; holder < NODES; holder++) {
					set_reach(matrix, modes[mode]);
					situation.start[s % 2] = 1;
					situation.start[!(s % 2)] = 1 + skews[s / 2];
					simulate(holder);
					check_one_winner();
					wins[0] += has_won(0);
					wins[1] += has_won(1);
					runs++;
				}
	assert_true(wins[0] && wins[1]);
	print_message("%u runs, %u and %u won\n", runs, wins[0], wins[1]);
}

/* An outage that ends while they are at it may cost both the race, and never lets both win. */
static void never_two_win_where_disks_come_back(void **state)
{
	static const int64_t times[] = { 2, 100, GRACE_MS - 3, GRACE_MS + 3, 2000, 2100, 3000, 9000 };

	(void)state;
	memset(&situation, 0, sizeof(situation));
	situation.disks = 3;
	for (unsigned matrix = 0; matrix < 1U << (NODES * situation.disks); matrix++)
		for (unsigned t = 0; t < ARRAY_SIZE(times); t++)
			for (int64_t skew = 0; skew < 3000; skew += 375) {
				set_reach(matrix, modes[t % ARRAY_SIZE(modes)]);
				for (unsigned i = 0; i < situation.disks; i++)
					situation.back[i] = times[(t + i) % ARRAY_SIZE(times)];
				situation.start[t % 2] = 1;
				situation.start[!(t % 2)] = 1 + skew;
				simulate(0);
				check_safe();
			}
}

/* The grace is for whichever disk would decide. */
static void a_disk_that_was_just_added_takes_no_grace_away(void **state)
{
	(void)state;
	for (int64_t head_start = 0; head_start < GRACE_MS - 10; head_start += 10)
		for (unsigned mode = 0; mode < ARRAY_SIZE(modes); mode++) {
			memset(&situation, 0, sizeof(situation));
			situation.disks = 4;
			situation.added = true;
			situation.start[0] = 1 + head_start;
			situation.start[1] = 1;
			situation.reach[1][1] = modes[mode][0]; /* node 0 reaches all */
			simulate(1);
			check_safe();
			assert_int_equal(nodes[0].arbiter, 1);
			for (unsigned i = 1; i < situation.disks; i++)
				assert_result(nodes[0].verdicts[i].result, BLKPR_OK);
		}
}

static void check_half(enum reach dead)
{
	memset(&situation, 0, sizeof(situation));
	situation.disks = 16;
	situation.start[0] = 1;
	situation.start[1] = NEVER;
	for (unsigned i = 0; i < 8; i++)
		situation.reach[0][i] = dead;
	simulate(1);
	assert_int_equal(nodes[0].rc, 0);
	assert_false(has_won(0));
	assert_int_equal(nodes[0].arbiter, 8);
	for (unsigned i = 0; i < 16; i++) {
		assert_result(nodes[0].verdicts[i].result,
			i >= 8 ? BLKPR_OK : dead == HANGS ? BLKPR_UNFINISHED : BLKPR_PATH_FAILED);
		assert_int_equal(model_has(&models[i], keys[1]), i < 8);
		assert_true(evicted_at[i] <= 3000);
	}
}

static void a_dead_half_does_not_keep_the_living_half_from_being_fenced(void **state)
{
	(void)state; /* S5 */
	check_half(FAILS);
	check_half(HANGS);
}

/* For how long the whole array may be away. */
static void a_short_outage_of_all_disks_is_bridged(void **state)
{
	(void)state;
	for (int64_t away = 100; away <= 8000; away += 100)
		for (enum reach dead = FAILS; dead <= HANGS; dead++) {
			memset(&situation, 0, sizeof(situation));
			situation.disks = 4;
			situation.start[0] = 1;
			situation.start[1] = NEVER;
			for (unsigned i = 0; i < 4; i++) {
				situation.reach[0][i] = dead;
				situation.back[i] = away;
			}
			simulate(1);
			assert_true(has_won(0));
			assert_int_equal(nodes[0].arbiter, 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_two_wins_whatever_they_reach),
		cmocka_unit_test(never_two_win_where_disks_come_back),
		cmocka_unit_test(a_disk_that_was_just_added_takes_no_grace_away),
		cmocka_unit_test(a_dead_half_does_not_keep_the_living_half_from_being_fenced),
		cmocka_unit_test(a_short_outage_of_all_disks_is_bridged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
