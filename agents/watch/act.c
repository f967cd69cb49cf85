// SPDX-License-Identifier: GPL-2.0-or-later
// The last act.
#include "agents/watch/act.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agents/common/log.h"

#define STACK_BYTES (64 * 1024) /* more than anything here uses */
#define LOG_US 300000           /* syslogd may hang: it is waited for no longer */

static const struct deed {
	const char *name;
	char sysrq;
	int how; /* of reboot(2), if sysrq comes back */
} deeds[] = {
	[WATCH_RESET] = { "reset", 'b', RB_AUTOBOOT },
	[WATCH_CRASH] = { "crash", 'c', RB_AUTOBOOT },
	[WATCH_OFF] = { "off", 'o', RB_POWER_OFF },
	[WATCH_NONE] = { "none", 0, 0 },
};

/* What the act needs, and a signal handler, too. */
static struct {
	int sysrq, kmsg;
	const struct deed *deed;
} tools = { -1, -1, NULL };

/* --- preparing -------------------------------------------------------------------------------- */

static int open_tool(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		qb_log(LOG_WARNING, "%s cannot be opened (%s): the act will do without", path,
			strerror(errno));
	return fd;
}

static void touch_stack(void)
{
	volatile char stack[STACK_BYTES];

	for (unsigned i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 0;
}

static void stay_in_memory(void)
{
	static const char never[] = "-1000";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, never, sizeof(never) - 1) < 0)
		qb_log(LOG_WARNING, "the OOM killer may end this daemon: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	touch_stack();
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		qb_log(LOG_WARNING, "this daemon may be swapped out: %s", strerror(errno));
}

void watch_act_prepare(const struct watch_actor *actor)
{
	/* workers are ordinary processes */
	const struct sched_param lowest = { .sched_priority = sched_get_priority_min(SCHED_RR) };

	tools.deed = &deeds[actor->act];
	if (tools.deed->sysrq)
		tools.sysrq = open_tool("/proc/sysrq-trigger");
	tools.kmsg = open_tool("/dev/kmsg");
	stay_in_memory();
	if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest))
		qb_log(LOG_WARNING, "this daemon runs as slowly as any other process: %s",
			strerror(errno));
}

/* --- acting ----------------------------------------------------------------------------------- */

static void strike(void)
{
	ssize_t ignored = tools.sysrq < 0 ? -1 : write(tools.sysrq, &tools.deed->sysrq, 1);

	(void)ignored; /* whoever is still here goes by reboot(2) */
	reboot(tools.deed->how);
}

static void on_log_overdue(int number)
{
	(void)number;
	strike();
}

static void tell_kernel(const char *why)
{
	static char head[] = "<0>blkpr-watch: "; /* emerg */
	const struct iovec line[] = { { head, sizeof(head) - 1 }, { (void *)why, strlen(why) } };
	ssize_t ignored = tools.kmsg < 0 ? -1 : writev(tools.kmsg, line, 2);

	(void)ignored; /* syslog is told, too */
}

void watch_act(const struct watch_actor *actor, const char *why)
{
	const struct itimerval soon = { .it_value = { .tv_usec = LOG_US } };
	bool strikes = tools.deed->sysrq && !actor->rehearse;

	if (strikes) {
		signal(SIGALRM, on_log_overdue);
		setitimer(ITIMER_REAL, &soon, NULL);
	}
	tell_kernel(why);
	qb_log(LOG_EMERG, "%s", why);
	if (strikes)
		strike();
	qb_log(LOG_EMERG, "%s",
		strikes            ? "it could not be done: reset this node"
		: actor->rehearse ? "a rehearsal: nothing is done"
				   : "act=none: nothing is done; reset this node");
}
