// SPDX-License-Identifier: GPL-2.0-or-later
// Whether this node has been evicted: positive evidence only.
#include <stdio.h>

#include "agents/watch/judge.h"
#include "lib/pr.h"

#include "tests/unit/unit.h"

#define OWN UINT64_C(0x11)
#define MATE UINT64_C(0x22)
#define THIRD UINT64_C(0x33)

/* Two nodes are registered, the other one holds; nothing is wrong. */
static struct watch_look well(int64_t at)
{
	return (struct watch_look){
		.at = at,
		.wwid = "3600",
		.own = OWN,
		.since = 30,
		.commands = 4,
		.generation = 10,
		.type = PR_WRITE_EXCLUSIVE_REG_ONLY,
		.registrations = 2,
		.own_registrations = 1,
		.nmates = 1,
		.mates = { MATE },
	};
}

/* The other one has evicted this node. */
static struct watch_look gone(int64_t at)
{
	struct watch_look look = well(at);

	look.generation = 11;
	look.registrations = 1;
	look.own_registrations = 0;
	return look;
}

static void check(struct watch_judge *judge, struct watch_look look, enum watch_state state,
	enum watch_doubt doubt)
{
	struct watch_opinion opinion = watch_judge(judge, &look);

	assert_int_equal(opinion.doubt, doubt);
	assert_int_equal(opinion.state, state);
}

static void evicted_node_is_told_by_two_looks_a_second_apart(void **state)
{
	struct watch_judge judge = { 0 };

	(void)state;
	check(&judge, well(0), WATCH_WELL, 0);
	check(&judge, gone(2000), WATCH_SUSPECTED, 0);
	check(&judge, gone(2999), WATCH_SUSPECTED, 0);
	check(&judge, gone(3000), WATCH_EVICTED, 0);
}

static void a_generation_that_wraps_has_advanced(void **state)
{
	struct watch_judge judge = { 0 };
	struct watch_look before = well(0), after = gone(2000);

	(void)state;
	before.generation = UINT32_MAX;
	after.generation = 0;
	check(&judge, before, WATCH_WELL, 0);
	check(&judge, after, WATCH_SUSPECTED, 0);
}

/* --- every doubt ------------------------------------------------------------------------------ */

static void unrecord(struct watch_look *look) { look->own = 0; }
static void hang(struct watch_look *look) { look->result = BLKPR_UNFINISHED; }
static void malform(struct watch_look *look) { look->result = BLKPR_MALFORMED; }
static void be_busy(struct watch_look *look) { look->result = BLKPR_BUSY; }
static void lose_paths(struct watch_look *look) { look->result = BLKPR_PATH_FAILED; }
static void go(struct watch_look *look) { look->result = BLKPR_GONE; }
static void be_at_work(struct watch_look *look) { look->busy = true; }
static void have_worked(struct watch_look *look) { look->commands++; }
static void unreserve(struct watch_look *look) { look->type = 0; }
static void hold_alone(struct watch_look *look) { look->type = PR_WRITE_EXCLUSIVE; }
static void stand_still(struct watch_look *look) { look->generation = 10; }
static void go_back(struct watch_look *look) { look->generation = 9; }
static void start_anew(struct watch_look *look) { look->generation = 0; }
static void know_nobody(struct watch_look *look) { look->nmates = 0; }
static void be_another_disk(struct watch_look *look) { look->wwid[0] = '2'; }
static void be_recorded_anew(struct watch_look *look) { look->since = 31; }
static void have_another_key(struct watch_look *look) { look->own = THIRD; }
static void come_anew(struct watch_look *look) { look->mates[0] = THIRD; }

static void empty(struct watch_look *look)
{
	look->registrations = look->nmates = 0;
}

static const struct row {
	const char *what;
	void (*change)(struct watch_look *look);
	enum watch_doubt doubt;
} rows[] = {
	{ "no `on` of this boot", unrecord, WATCH_UNRECORDED },
	{ "hung", hang, WATCH_UNREADABLE },
	{ "malformed", malform, WATCH_UNREADABLE },
	{ "not ready", be_busy, WATCH_UNREADABLE },
	{ "no path", lose_paths, WATCH_UNREADABLE },
	{ "not there", go, WATCH_UNREADABLE },
	{ "a command is at work", be_at_work, WATCH_AT_WORK },
	{ "a command has been at work", have_worked, WATCH_AT_WORK },
	{ "no key at all, removed by whomever", empty, WATCH_EMPTIED },
	{ "another cluster's keys only", know_nobody, WATCH_STRANGERS },
	{ "no reservation", unreserve, WATCH_UNRESERVED },
	{ "a reservation that is not for registrants", hold_alone, WATCH_UNRESERVED },
	{ "the generation stood still", stand_still, WATCH_STOOD_STILL },
	{ "the generation went back", go_back, WATCH_WENT_BACK },
	{ "the target has been restarted", start_anew, WATCH_WENT_BACK },
	{ "another disk is the first", be_another_disk, WATCH_UNSEEN },
	{ "another `on`", be_recorded_anew, WATCH_UNSEEN },
	{ "another key on record", have_another_key, WATCH_UNSEEN },
	{ "nobody of those who were registered", come_anew, WATCH_NEWCOMERS },
};

#define ROWS (sizeof(rows) / sizeof(*rows))

static void a_doubt_is_no_eviction(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROWS; i++) {
		struct watch_judge judge = { 0 };

		print_message("%s\n", rows[i].what);
		check(&judge, well(0), WATCH_WELL, 0);
		for (int64_t at = 2000; at < 10000; at += 2000) {
			struct watch_look look = gone(at);
			struct watch_opinion opinion;

			rows[i].change(&look);
			opinion = watch_judge(&judge, &look);
			assert_int_equal(opinion.state, WATCH_UNKNOWN);
			if (at == 2000)
				assert_int_equal(opinion.doubt, rows[i].doubt);
		}
	}
}

/* The look that suspects counts no more, and own has to be seen again unless nothing was read. */
static void a_doubt_between_two_looks_is_no_confirmation(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROWS; i++) {
		bool unread = rows[i].doubt == WATCH_UNREADABLE;
		struct watch_judge judge = { 0 };
		struct watch_look look = gone(3000);

		print_message("%s\n", rows[i].what);
		rows[i].change(&look);
		check(&judge, well(0), WATCH_WELL, 0);
		check(&judge, gone(2000), WATCH_SUSPECTED, 0);
		check(&judge, look, WATCH_UNKNOWN, rows[i].doubt);
		check(&judge, gone(4000), unread ? WATCH_SUSPECTED : WATCH_UNKNOWN,
			unread ? 0 : WATCH_UNSEEN);
		check(&judge, well(5000), WATCH_WELL, 0);
		check(&judge, gone(6000), WATCH_SUSPECTED, 0);
	}
}

/* Whatever a daemon that was started late finds: it has seen nothing happen. */
static void what_was_never_seen_is_not_missed(void **state)
{
	struct watch_judge judge = { 0 };

	(void)state;
	for (int64_t at = 0; at < 10000; at += 1000)
		check(&judge, gone(at), WATCH_UNKNOWN, WATCH_UNSEEN);
}

/* A command that was at work when own was seen may take it away later. */
static void what_was_seen_beside_a_command_is_not_missed(void **state)
{
	struct watch_judge judge = { 0 };
	struct watch_look look = well(0);

	(void)state;
	look.busy = true;
	check(&judge, look, WATCH_WELL, 0);
	check(&judge, gone(2000), WATCH_UNKNOWN, WATCH_UNSEEN);
}

static void own_that_is_back_ends_the_suspicion(void **state)
{
	struct watch_judge judge = { 0 };
	struct watch_look back = well(3000);

	(void)state;
	back.generation = 12;
	check(&judge, well(0), WATCH_WELL, 0);
	check(&judge, gone(2000), WATCH_SUSPECTED, 0);
	check(&judge, back, WATCH_WELL, 0);
	check(&judge, gone(4000), WATCH_UNKNOWN, WATCH_WENT_BACK); /* 11 after 12 */
}

/* Keys are cleared by hand; then another node registers first. */
static void whoever_comes_after_everything_was_cleared_has_evicted_nobody(void **state)
{
	struct watch_judge judge = { 0 };
	struct watch_look cleared = gone(2000), later = gone(4000);

	(void)state;
	cleared.registrations = cleared.nmates = cleared.type = 0;
	later.generation = 12;
	check(&judge, well(0), WATCH_WELL, 0);
	check(&judge, cleared, WATCH_UNKNOWN, WATCH_EMPTIED);
	check(&judge, later, WATCH_UNKNOWN, WATCH_UNSEEN);
	later.at = 6000;
	check(&judge, later, WATCH_UNKNOWN, WATCH_UNSEEN);
}

static void storage_that_was_away_does_not_hide_an_eviction(void **state)
{
	struct watch_judge judge = { 0 };
	struct watch_look away = gone(2000);

	(void)state;
	away.result = BLKPR_UNFINISHED;
	check(&judge, well(0), WATCH_WELL, 0);
	check(&judge, away, WATCH_UNKNOWN, WATCH_UNREADABLE);
	check(&judge, gone(60000), WATCH_SUSPECTED, 0);
	check(&judge, gone(61000), WATCH_EVICTED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(evicted_node_is_told_by_two_looks_a_second_apart),
		cmocka_unit_test(a_generation_that_wraps_has_advanced),
		cmocka_unit_test(a_doubt_is_no_eviction),
		cmocka_unit_test(a_doubt_between_two_looks_is_no_confirmation),
		cmocka_unit_test(what_was_never_seen_is_not_missed),
		cmocka_unit_test(what_was_seen_beside_a_command_is_not_missed),
		cmocka_unit_test(own_that_is_back_ends_the_suspicion),
		cmocka_unit_test(whoever_comes_after_everything_was_cleared_has_evicted_nobody),
		cmocka_unit_test(storage_that_was_away_does_not_hide_an_eviction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
