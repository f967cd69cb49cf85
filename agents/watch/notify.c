// SPDX-License-Identifier: GPL-2.0-or-later
// What systemd is told of the daemon: a datagram, as sd_notify(3) has it.
#include "agents/watch/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	int fd; /* connected; -1: nobody is to be told */
	int64_t interval_ms;
} service = { .fd = -1 };

static void connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0'; /* abstract */
	service.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (service.fd < 0 || !connect(service.fd, (struct sockaddr *)&address,
				      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		return;
	close(service.fd);
	service.fd = -1;
}

void notify_begin(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC"),
		   *pid = getenv("WATCHDOG_PID");

	if (path && (*path == '/' || *path == '@'))
		connect_to(path);
	if (usec && (!pid || strtol(pid, NULL, 10) == getpid()))
		service.interval_ms = strtoll(usec, NULL, 10) / 1000 / 3;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_tell(const char *what)
{
	if (service.fd >= 0)
		send(service.fd, what, strlen(what), MSG_DONTWAIT | MSG_NOSIGNAL);
}

int64_t notify_interval(void)
{
	return service.fd < 0 ? 0 : service.interval_ms;
}
