/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that asks disks for the daemon, which never waits for it: it can be left behind, and
 * another one be started.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct watch_worker {
	void (*serve)(int line); /* in the process: answers orders, until LINE ends */
	int line;                /* -1: there is none */
	pid_t pid;
};

/* 0, or -errno. */
int watch_worker_start(struct watch_worker *worker);

/* 0, or -errno: it has died. */
int watch_worker_order(const struct watch_worker *worker, char order);

/* What it has answered: its length, or -errno; -EPIPE: it has died. */
ssize_t watch_worker_take(const struct watch_worker *worker, void *answer, size_t size);

/* It is killed, and not waited for: it may sleep in the kernel. */
void watch_worker_leave(struct watch_worker *worker);
