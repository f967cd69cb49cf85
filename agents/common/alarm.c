// SPDX-License-Identifier: GPL-2.0-or-later
// SIGALRM as a last resort: corosync that is frozen, a list of devices on a dead file server, a
// full syslog.
#include "agents/common/alarm.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/clock.h"

const char *alarm_prefix = "fence_blkpr: ";
const char *volatile alarm_doing = "the action was prepared";

static void set_timer(int64_t ms)
{
	struct itimerval timer = {
		.it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 },
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* The fencer may have blocked or ignored the signal. */
static void set_handler(void (*handler)(int number))
{
	struct sigaction action = { .sa_handler = handler };
	sigset_t set;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void say(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
}

/* Nobody may be reading stderr. */
static void say_and_exit(int number)
{
	(void)number;
	fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL) | O_NONBLOCK);
	say(alarm_prefix);
	say("out of time before any disk was touched, while ");
	say(alarm_doing);
	say("\n");
	_exit(1);
}

static void just_exit(int number)
{
	(void)number;
	_exit(1);
}

void alarm_before_work(int64_t ms)
{
	set_handler(say_and_exit);
	set_timer(ms);
}

#define TELLING_MS 500

void alarm_during_work(int64_t deadline)
{
	set_handler(just_exit);
	set_timer(deadline - blkpr_clock_ms() + TELLING_MS);
}

void alarm_off(void)
{
	set_timer(0);
}

#define ASKING_SHARE 4

int64_t alarm_asking_by(int64_t deadline)
{
	int64_t now = blkpr_clock_ms();

	return now + (deadline - now) / ASKING_SHARE;
}
