// SPDX-License-Identifier: GPL-2.0-or-later
// The daemon.
#include "agents/watch/watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "agents/common/log.h"
#include "agents/watch/errand.h"
#include "agents/watch/look.h"
#include "agents/watch/notify.h"
#include "agents/watch/others.h"
#include "agents/watch/words.h"
#include "lib/clock.h"

#define LOOK_MS 2000     /* from one look at the arbiter to the next */
#define ROUND_MS 10000   /* the same of the others */
#define PATIENCE_MS 5000 /* with a worker, whose reads end before */
#define MOST_PAUSES 30   /* a disk that hangs is asked more and more seldom: in units of LOOK_MS */

_Static_assert(sizeof(struct watch_look) <= ERRAND_ANSWER, "a look is an answer");

struct watch {
	const struct watch_actor *actor;
	qb_loop_t *loop;
	struct watch_errand looker, rounder;
	qb_loop_timer_handle next, next_round;
	struct watch_judge judge;
	struct watch_words words;
	unsigned unanswered; /* looks, one after the other */
	bool acted;
	int64_t asked_at;
};

/* --- looks at the arbiter --------------------------------------------------------------------- */

static void look_now(void *context)
{
	struct watch *watch = context;

	if (watch->next)
		qb_loop_timer_del(watch->loop, watch->next);
	watch->next = 0;
	watch->asked_at = blkpr_clock_ms();
	errand_send(&watch->looker, watch->judge.suspected ? LOOK_BY_ANOTHER : LOOK_BY_ANY);
}

static void on_next(void *context)
{
	((struct watch *)context)->next = 0;
	look_now(context);
}

static void plan_next(struct watch *watch)
{
	unsigned pauses = watch->unanswered < MOST_PAUSES ? watch->unanswered + 1 : MOST_PAUSES;
	int64_t pause = watch->judge.suspected ? WATCH_CONFIRM_MS : LOOK_MS * (int64_t)pauses;
	int64_t left = watch->asked_at + pause + 1 - blkpr_clock_ms();

	qb_loop_timer_add(watch->loop, QB_LOOP_HIGH, (uint64_t)(left > 0 ? left : 0) * 1000000,
		watch, on_next, &watch->next);
}

static void act_once(struct watch *watch, const struct watch_look *look)
{
	char why[WORDS_EVICTION];

	if (watch->acted)
		return;
	watch->acted = true;
	words_explain_eviction(look, why);
	watch_act(watch->actor, why);
}

/* A daemon that was stopped (SIGSTOP) finds an answer of before: `on` may have run since. */
static bool is_stale(const struct watch_look *look)
{
	return blkpr_clock_ms() - look->at > PATIENCE_MS;
}

static void take_look(
	const struct watch *watch, const void *answer, ssize_t size, struct watch_look *look)
{
	if (size == sizeof(*look)) {
		memcpy(look, answer, sizeof(*look));
		if (is_stale(look))
			look->result = BLKPR_UNFINISHED;
		return;
	}
	*look = watch->judge.last; /* which disk, by which record */
	look->result = size == -ETIME ? BLKPR_UNFINISHED : BLKPR_CRASHED;
}

static void on_look(void *context, const void *answer, ssize_t size)
{
	struct watch *watch = context;
	struct watch_look look;
	struct watch_opinion opinion;

	take_look(watch, answer, size, &look);
	watch->unanswered = look.result == BLKPR_UNFINISHED ? watch->unanswered + 1 : 0;
	opinion = watch_judge(&watch->judge, &look);
	words_tell(&watch->words, &look, opinion);
	if (opinion.state == WATCH_EVICTED)
		act_once(watch, &look);
	else if (opinion.state == WATCH_WELL)
		watch->acted = false;
	plan_next(watch);
}

/* --- the others ------------------------------------------------------------------------------- */

static void on_next_round(void *context)
{
	struct watch *watch = context;

	watch->next_round = 0;
	errand_send(&watch->rounder, LOOK_BY_ANY);
}

static void on_round(void *context, const void *answer, ssize_t size)
{
	struct watch *watch = context;

	(void)answer;
	if (size < 0)
		qb_log(LOG_WARNING, "the disks besides the first one were not read: the worker %s",
			size == -ETIME ? "hangs" : "has died");
	qb_loop_timer_add(watch->loop, QB_LOOP_LOW, UINT64_C(1000000) * ROUND_MS, watch,
		on_next_round, &watch->next_round);
}

/* --- systemd ---------------------------------------------------------------------------------- */

/* By the loop's liveness alone: a disk that hangs does not stop it. */
static void feed(void *context)
{
	struct watch *watch = context;
	qb_loop_timer_handle ignored;

	notify_tell("WATCHDOG=1");
	if (notify_interval())
		qb_loop_timer_add(watch->loop, QB_LOOP_MED,
			UINT64_C(1000000) * (uint64_t)notify_interval(), watch, feed, &ignored);
}

/* --- the loop --------------------------------------------------------------------------------- */

static int32_t on_hangup(int32_t number, void *context)
{
	struct watch *watch = context;

	(void)number;
	if (!watch->looker.out)
		look_now(watch);
	return 0;
}

static int32_t on_end(int32_t number, void *context)
{
	struct watch *watch = context;

	qb_log(LOG_NOTICE, "ended by signal %d: this node is not watched any more", number);
	qb_loop_stop(watch->loop);
	return 0;
}

static int add_signals(struct watch *watch)
{
	static const struct {
		int number;
		int32_t (*on)(int32_t number, void *context);
	} signals[] = { { SIGHUP, on_hangup }, { SIGTERM, on_end }, { SIGINT, on_end } };
	int rc = 0;

	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals) && !rc; i++)
		rc = qb_loop_signal_add(watch->loop, QB_LOOP_HIGH, signals[i].number, watch,
			signals[i].on, NULL);
	return rc;
}

static struct watch_errand make_errand(struct watch *watch, void (*serve)(int line),
	void (*came_back)(void *context, const void *answer, ssize_t size))
{
	return (struct watch_errand){ .loop = watch->loop,
		.worker = { .serve = serve, .line = -1 },
		.patience_ms = PATIENCE_MS,
		.came_back = came_back,
		.context = watch };
}

int watch_run(const struct watch_actor *actor, struct blkpr_error *error)
{
	struct watch watch = { .actor = actor, .loop = qb_loop_create() };
	int rc;

	if (!watch.loop)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	watch.looker = make_errand(&watch, watch_look_serve, on_look);
	watch.rounder = make_errand(&watch, watch_others_serve, on_round);
	rc = add_signals(&watch);
	if (rc) {
		qb_loop_destroy(watch.loop);
		return blkpr_error_fail(error, rc, "no signal can be had: %s", strerror(-rc));
	}
	notify_begin();
	watch_act_prepare(actor);
	look_now(&watch);
	on_next_round(&watch);
	feed(&watch);
	notify_tell("READY=1");
	qb_loop_run(watch.loop);
	watch_worker_leave(&watch.looker.worker);
	watch_worker_leave(&watch.rounder.worker);
	qb_loop_destroy(watch.loop);
	return 0;
}
