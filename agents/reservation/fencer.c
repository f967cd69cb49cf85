// SPDX-License-Identifier: GPL-2.0-or-later
// The fencer's history, by libstonithd. Pacemaker 3 deprecates parts of its header, hence one file for all of it.
// It is loaded when it is needed, which is before keys are evicted: with what it brings along (GnuTLS, D-Bus, libxml2)
// it would take three quarters of the time that every monitor takes to start (doc/performance.md).
#include "agents/reservation/fencer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <crm/stonith-ng.h>

#include "config.h"
#include "lib/clock.h"

#define PATIENCE 2 /* seconds, of the library */

static struct {
	stonith_t *(*new)(void);
	void (*delete)(stonith_t *fencer);
	void (*free_history)(stonith_history_t *history);
} api;

/* The functions that the header declares, of the library that it belongs to; false with its complaint. */
static bool load(const char **complaint)
{
	void *library = api.new ? NULL : dlopen(BLKPR_STONITHD_SONAME, RTLD_LAZY | RTLD_LOCAL);

	if (library) {
		*(void **)&api.delete = dlsym(library, "stonith_api_delete");
		*(void **)&api.free_history = dlsym(library, "stonith_history_free");
		if (api.delete && api.free_history)
			*(void **)&api.new = dlsym(library, "stonith_api_new");
	}
	if (!api.new)
		*complaint = dlerror();
	return api.new;
}

/* The newest first or last, depending on the version: by its time of completion. */
static const stonith_history_t *latest(const stonith_history_t *history, const char *node)
{
	const stonith_history_t *found = NULL;

	for (; history; history = history->next)
		if (history->state == st_done && history->target && !strcmp(history->target, node) && history->action &&
			(!strcmp(history->action, "off") || !strcmp(history->action, "reboot")) &&
			(!found || history->completed > found->completed))
			found = history;
	return found;
}

static void tell(const stonith_history_t *event, const char *node, char *text, unsigned size)
{
	char when[32] = "?";
	struct tm local;

	if (!event) {
		snprintf(text, size, "the fencer remembers no fencing of %s", node);
		return;
	}
	if (localtime_r(&event->completed, &local))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	snprintf(text, size, "%s was fenced (%s) at %s by %s", node, event->action, when,
		event->delegate ? event->delegate : "?");
}

static void ask(const char *node, char *text, unsigned size)
{
	stonith_history_t *history = NULL;
	const char *complaint;
	stonith_t *fencer;
	int rc;

	if (!load(&complaint)) {
		snprintf(text, size, "the fencer cannot be asked about %s: %s", node, complaint ? complaint : "no memory");
		return;
	}
	fencer = api.new();
	rc = fencer ? fencer->cmds->connect(fencer, "blkpr-reservation", NULL) : -ENOMEM;
	if (!rc)
		rc = fencer->cmds->history(fencer, st_opt_sync_call, node, &history, PATIENCE);
	if (rc < 0)
		snprintf(text, size, "the fencer cannot be asked about %s: %s", node, strerror(-rc));
	else
		tell(latest(history, node), node, text, size);
	api.free_history(history);
	if (fencer) {
		fencer->cmds->disconnect(fencer);
		api.delete(fencer);
	}
}

#define LONGEST_ANSWER 256

/* Nobody waits for its end of a pipe but the one that asks. */
static _Noreturn void be_asking(const char *node, int answer)
{
	char text[LONGEST_ANSWER];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int fd = 0; fd <= 2; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	ask(node, text, sizeof(text));
	_exit(write(answer, text, strlen(text) + 1) < 0);
}

/* The library waits a minute longer than it is told to, and without a limit for the connection. */
struct fencer_question fencer_ask(const char *node)
{
	struct fencer_question question = { .pid = -1, .answer = -1 };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return question;
	question = (struct fencer_question){ .pid = fork(), .answer = fds[0] };
	if (!question.pid)
		be_asking(node, fds[1]);
	close(fds[1]);
	return question;
}

void fencer_answer(const struct fencer_question *question, const char *node, int64_t deadline,
	char *text, unsigned size)
{
	struct pollfd answer = { .fd = question->answer, .events = POLLIN };
	int64_t left = deadline - blkpr_clock_ms();

	snprintf(text, size, "the fencer cannot be asked about %s: it does not answer", node);
	if (question->pid > 0 && poll(&answer, 1, left > 0 ? (int)left : 0) > 0 &&
		read(answer.fd, text, size) > 0)
		text[size - 1] = '\0';
	if (question->answer >= 0)
		close(question->answer);
	if (question->pid > 0) {
		kill(question->pid, SIGKILL);
		/* never waited for: it may sleep in the kernel */
		waitpid(question->pid, NULL, WNOHANG);
	}
}
