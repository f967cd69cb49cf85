// SPDX-License-Identifier: GPL-2.0-or-later
// The floor: only the ioctls that a protocol cannot do without, and nothing around them. It judges nothing.
//   floor serial|parallel on|off|status|monitor OWN VICTIM DEVICE...
// serial: one device after another, in this process. parallel: a thread a device, all at once; for off the
// first device before the others, and read once more after them. Keys are hexadecimal; the type is
// WRITE_EXCLUSIVE_REG_ONLY. Linux 7 (READ ioctls); exit status 1 if an ioctl fails.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/pr.h"

#define MOST_KEYS 64

static uint64_t own, victim;

static bool read_keys(int fd)
{
	uint64_t room[MOST_KEYS];
	struct blkpr_pr_read_keys keys = { .num_keys = MOST_KEYS, .keys_ptr = (uintptr_t)room };

	return !ioctl(fd, BLKPR_IOC_PR_READ_KEYS, &keys);
}

static bool read_reservation(int fd)
{
	struct blkpr_pr_read_reservation reservation;

	return !ioctl(fd, BLKPR_IOC_PR_READ_RESERVATION, &reservation);
}

static bool look(int fd)
{
	return read_keys(fd) && read_reservation(fd);
}

/* The reservation is there already: what registers is not the first node. */
static bool on(int fd)
{
	struct pr_registration registration = { .new_key = own, .flags = PR_FL_IGNORE_KEY };

	return look(fd) && !ioctl(fd, IOC_PR_REGISTER, &registration) && look(fd);
}

static bool off(int fd)
{
	struct pr_preempt preempt = { .old_key = own, .new_key = victim, .type = PR_WRITE_EXCLUSIVE_REG_ONLY };
	int reset = SG_SCSI_RESET_DEVICE | 0x100; /* SG_SCSI_RESET_NO_ESCALATE */

	if (!look(fd) || ioctl(fd, IOC_PR_PREEMPT_ABORT, &preempt))
		return false;
	while (ioctl(fd, SG_SCSI_RESET, &reset)) /* one at a time for all disks of a SCSI host */
		if (errno != EAGAIN && errno != EIO)
			return false;
	return look(fd);
}

/* REPORT CAPABILITIES */
static bool monitor(int fd)
{
	uint8_t command[10] = { 0x5e, 0x02, [8] = 8 }, reply[8], sense[32];
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_FROM_DEV,
		.cmdp = command,
		.cmd_len = sizeof(command),
		.dxferp = reply,
		.dxfer_len = sizeof(reply),
		.sbp = sense,
		.mx_sb_len = sizeof(sense),
		.timeout = 60000,
	};

	return look(fd) && !ioctl(fd, SG_IO, &io) && !io.status;
}

static const struct protocol {
	const char *name;
	bool (*run)(int fd);
	bool arbiter;
} protocols[] = { { "on", on, false }, { "off", off, true }, { "status", look, false }, { "monitor", monitor, false } };

/* Opened for each protocol, as an agent's worker does. */
static bool run(bool (*protocol)(int fd), const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	bool done = fd >= 0 && protocol(fd);

	if (!done)
		perror(device);
	close(fd);
	return done;
}

struct job {
	pthread_t thread;
	bool (*protocol)(int fd);
	const char *device;
	bool done;
};

static void *run_job(void *argument)
{
	struct job *job = argument;

	job->done = run(job->protocol, job->device);
	return NULL;
}

static bool run_parallel(bool (*protocol)(int fd), char *devices[], int count)
{
	struct job *jobs = calloc((size_t)count, sizeof(*jobs));
	int begun = 0;
	bool done = jobs != NULL;

	close(fcntl(0, F_DUPFD_CLOEXEC, count + 8)); /* the table grows before threads share it: then that is dear */
	while (done && begun < count) {
		jobs[begun] = (struct job){ .protocol = protocol, .device = devices[begun] };
		done = !pthread_create(&jobs[begun].thread, NULL, run_job, &jobs[begun]);
		begun += done;
	}
	for (int i = 0; i < begun; i++)
		done &= !pthread_join(jobs[i].thread, NULL) && jobs[i].done;
	free(jobs);
	return done;
}

static bool run_all(const struct protocol *protocol, bool parallel, char *devices[], int count)
{
	bool done = true;

	if (!parallel) {
		for (int i = 0; i < count; i++)
			done &= run(protocol->run, devices[i]);
		return done;
	}
	if (!protocol->arbiter || count == 1)
		return run_parallel(protocol->run, devices, count);
	return run(protocol->run, devices[0]) && run_parallel(protocol->run, devices + 1, count - 1) &&
		run(look, devices[0]);
}

int main(int argc, char *argv[])
{
	bool parallel = argc > 1 && !strcmp(argv[1], "parallel");

	for (unsigned i = 0; argc > 5 && i < sizeof(protocols) / sizeof(*protocols); i++) {
		if (strcmp(protocols[i].name, argv[2]) != 0)
			continue;
		own = strtoull(argv[3], NULL, 16);
		victim = strtoull(argv[4], NULL, 16);
		return !run_all(&protocols[i], parallel, argv + 5, argc - 5);
	}
	fputs("usage: floor serial|parallel on|off|status|monitor OWN VICTIM DEVICE...\n", stderr);
	return 2;
}
