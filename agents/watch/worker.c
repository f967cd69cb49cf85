// SPDX-License-Identifier: GPL-2.0-or-later
// A process that asks disks.
#include "agents/watch/worker.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* It ends with the daemon, and has the default for every signal. */
static _Noreturn void be_worker(const struct watch_worker *worker, int line, pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	worker->serve(line);
	_exit(0);
}

int watch_worker_start(struct watch_worker *worker)
{
	pid_t parent = getpid();
	int line[2];

	worker->line = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line))
		return -errno;
	worker->pid = fork();
	if (!worker->pid) {
		close(line[0]);
		be_worker(worker, line[1], parent);
	}
	close(line[1]);
	if (worker->pid < 0) {
		int rc = -errno;

		close(line[0]);
		return rc;
	}
	worker->line = line[0];
	return 0;
}

int watch_worker_order(const struct watch_worker *worker, char order)
{
	if (worker->line < 0)
		return -EPIPE;
	return send(worker->line, &order, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -errno;
}

ssize_t watch_worker_take(const struct watch_worker *worker, void *answer, size_t size)
{
	ssize_t got = recv(worker->line, answer, size, MSG_DONTWAIT);

	if (!got)
		return -EPIPE;
	return got < 0 ? -errno : got;
}

void watch_worker_leave(struct watch_worker *worker)
{
	if (worker->line < 0)
		return;
	kill(worker->pid, SIGKILL);
	close(worker->line);
	worker->line = -1;
	waitpid(worker->pid, NULL, WNOHANG);
}
