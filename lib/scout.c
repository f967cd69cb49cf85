// SPDX-License-Identifier: LGPL-2.1-or-later
// Scouts: threads that may be left behind, and what they share with whoever has sent them.
#include "lib/scout.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"

#define STACK_SIZE (256UL * 1024) /* bytes; only what a scout touches is real */

enum state { HOME, OUT, BACK, HEARD };

struct scout {
	struct blkpr_scouts *all;
	unsigned path;
	enum state state;
	int fd; /* below 0: not open */
	struct blkpr_answer answer;
};

struct blkpr_scouts {
	const struct blkpr_device *map;
	struct blkpr_question question;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t news;
	unsigned holders; /* whoever has sent them, and who is out */
	bool dismissed;
	unsigned count;
	struct scout scouts[];
};

struct blkpr_scouts *blkpr_scouts_muster(const struct blkpr_device *map, const struct blkpr_question *question)
{
	struct blkpr_scouts *scouts = calloc(1, sizeof(*scouts) + map->npaths * sizeof(scouts->scouts[0]));
	pthread_condattr_t monotonic;

	if (!scouts)
		return NULL;
	scouts->map = map;
	scouts->question = *question;
	scouts->holders = 1;
	scouts->count = map->npaths;
	for (unsigned i = 0; i < map->npaths; i++)
		scouts->scouts[i] = (struct scout){ .all = scouts, .path = i, .fd = -1 };
	pthread_mutex_init(&scouts->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&scouts->news, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return scouts;
}

static void drop(struct scout *scout)
{
	if (scout->fd >= 0)
		close(scout->fd);
	scout->fd = -1;
	blkpr_report_clear(&scout->answer.report);
}

/* With the lock held, which ends. */
static void leave(struct blkpr_scouts *scouts)
{
	bool last = !--scouts->holders;

	pthread_mutex_unlock(&scouts->lock);
	if (!last)
		return;
	pthread_cond_destroy(&scouts->news);
	pthread_mutex_destroy(&scouts->lock);
	free(scouts);
}

void blkpr_scout_ask(const struct blkpr_port *port, const struct blkpr_question *question,
	struct blkpr_answer *answer)
{
	*answer = (struct blkpr_answer){ .transport = question->transport };
	if (port->fd < 0)
		answer->result = blkpr_result_from_errno(-port->fd);
	else if (question->ask)
		answer->result = question->ask(port, question, answer);
}

static void *go(void *argument)
{
	struct scout *scout = argument;
	struct blkpr_scouts *scouts = scout->all;

	if (scout->fd < 0)
		scout->fd = blkpr_device_open_path(scouts->map, scout->path);
	blkpr_scout_ask(&(struct blkpr_port){ scout->fd, scouts->map->kind }, &scouts->question,
		&scout->answer);
	pthread_mutex_lock(&scouts->lock);
	scout->state = BACK;
	if (scouts->dismissed)
		drop(scout);
	pthread_cond_signal(&scouts->news);
	leave(scouts);
	return NULL;
}

static bool start(struct scout *scout)
{
	pthread_attr_t detached;
	pthread_t thread;
	int rc;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&detached, STACK_SIZE);
	rc = pthread_create(&thread, &detached, go, scout);
	pthread_attr_destroy(&detached);
	return !rc;
}

void blkpr_scouts_send(struct blkpr_scouts *scouts, unsigned path, int fd)
{
	struct scout *scout = &scouts->scouts[path];

	scout->fd = fd;
	pthread_mutex_lock(&scouts->lock);
	scout->state = OUT;
	scouts->holders++;
	pthread_mutex_unlock(&scouts->lock);
	if (!start(scout))
		go(scout);
}

/* With the lock held. A path that has news; -1: none. *OUT: how many are out. */
static int find_news(struct blkpr_scouts *scouts, unsigned *out)
{
	*out = 0;
	for (unsigned i = 0; i < scouts->count; i++) {
		*out += scouts->scouts[i].state == OUT;
		if (scouts->scouts[i].state != BACK)
			continue;
		scouts->scouts[i].state = HEARD;
		return (int)i;
	}
	return -1;
}

int blkpr_scouts_await(struct blkpr_scouts *scouts, int64_t until)
{
	const struct timespec time = { until / 1000, until % 1000 * 1000000 };
	unsigned out;
	int path;

	pthread_mutex_lock(&scouts->lock);
	for (;;) {
		path = find_news(scouts, &out);
		if (path >= 0 || !out || blkpr_clock_ms() >= until)
			break;
		pthread_cond_timedwait(&scouts->news, &scouts->lock, &time);
	}
	pthread_mutex_unlock(&scouts->lock);
	return path;
}

enum blkpr_result blkpr_scouts_result(const struct blkpr_scouts *scouts, unsigned path)
{
	return scouts->scouts[path].answer.result;
}

int blkpr_scouts_take(struct blkpr_scouts *scouts, unsigned path, struct blkpr_answer *answer)
{
	struct scout *scout = &scouts->scouts[path];
	int fd = scout->fd < 0 ? -1 : scout->fd;

	*answer = scout->answer;
	scout->answer.report = (struct blkpr_report){ 0 };
	scout->fd = -1;
	return fd;
}

void blkpr_scouts_dismiss(struct blkpr_scouts *scouts)
{
	pthread_mutex_lock(&scouts->lock);
	scouts->dismissed = true;
	for (unsigned i = 0; i < scouts->count; i++)
		if (scouts->scouts[i].state != OUT)
			drop(&scouts->scouts[i]);
	leave(scouts);
}
