// SPDX-License-Identifier: GPL-2.0-or-later
// One persistent-reservation operation on one device: the kernel's raw answer, and the library's verdict on it.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <scsi/sg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/command.h"
#include "lib/device.h"
#include "lib/block.h"
#include "lib/nvme.h"
#include "lib/prin.h"
#include "lib/report.h"

#define BLOCK 4096
#define BLOCK_NUMBER 16     /* tests/lab/seqio.c writes to the first ones */
#define PRIN_BYTES 4096
#define READ_MS 5000
#define MOST_WORDS 8

/* A device, and the operation's numbers from the command line; those that were not given are 0. */
struct probe {
	const char *device;
	struct blkpr_port port;
	uint64_t words[4];
};

static const char *errno_name(int err)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
		{ 0, "-" },
		{ EACCES, "EACCES" },
		{ EBADE, "EBADE" },
		{ EINVAL, "EINVAL" },
		{ EIO, "EIO" },
		{ ENODEV, "ENODEV" },
		{ ENOENT, "ENOENT" },
		{ ENOTBLK, "ENOTBLK" },
		{ ENOTCONN, "ENOTCONN" },
		{ ENOTTY, "ENOTTY" },
		{ ENXIO, "ENXIO" },
		{ EOPNOTSUPP, "EOPNOTSUPP" },
		{ EPERM, "EPERM" },
	};
	static char number[16];

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (names[i].err == err)
			return names[i].name;
	}
	snprintf(number, sizeof(number), "errno%d", err);
	return number;
}

/* "RC ERRNO VERDICT", the beginning of every line. */
static void print_answer(int rc, int err, enum blkpr_result result)
{
	if (rc < 0)
		printf("%d %s %s", rc, errno_name(err), blkpr_result_name(result));
	else
		printf("0x%x - %s", (unsigned)rc, blkpr_result_name(result));
}

static int submit(const struct probe *probe, unsigned long request, void *arg)
{
	int rc = ioctl(probe->port.fd, request, arg);

	print_answer(rc, errno, blkpr_result_from_ioctl(probe->port.kind, rc, errno));
	return rc;
}

static void print_keys(unsigned nkeys, const uint64_t *keys, unsigned room)
{
	printf(" keys=%u", nkeys);
	for (unsigned i = 0; i < nkeys && i < room; i++)
		printf("%c%" PRIx64, i ? ',' : ':', keys[i]);
}

static void print_reservation(unsigned type, uint64_t holder)
{
	printf(" type=%u holder=%" PRIx64, type, holder);
}

static void print_report(const struct blkpr_report *report)
{
	print_keys(report->nkeys, report->keys, report->nkeys);
	print_reservation(report->type, report->holder);
}

/* ---------------------------------------------------------------- the six commands */

static void run_register(const struct probe *probe)
{
	struct pr_registration registration = {
		.old_key = probe->words[0],
		.new_key = probe->words[1],
		.flags = probe->words[2],
	};

	submit(probe, IOC_PR_REGISTER, &registration);
}

static void submit_reservation(const struct probe *probe, unsigned long request)
{
	struct pr_reservation reservation = {
		.key = probe->words[0],
		.type = probe->words[1],
		.flags = probe->words[2],
	};

	submit(probe, request, &reservation);
}

static void run_reserve(const struct probe *probe)
{
	submit_reservation(probe, IOC_PR_RESERVE);
}

static void run_release(const struct probe *probe)
{
	submit_reservation(probe, IOC_PR_RELEASE);
}

static void submit_preempt(const struct probe *probe, unsigned long request)
{
	struct pr_preempt preempt = {
		.old_key = probe->words[0], /* not the victim's: KERNEL.md trap 0 */
		.new_key = probe->words[1],
		.type = probe->words[2],
		.flags = probe->words[3],
	};

	submit(probe, request, &preempt);
}

static void run_preempt(const struct probe *probe)
{
	submit_preempt(probe, IOC_PR_PREEMPT);
}

static void run_preempt_abort(const struct probe *probe)
{
	submit_preempt(probe, IOC_PR_PREEMPT_ABORT);
}

static void run_clear(const struct probe *probe)
{
	struct pr_clear clear = { .key = probe->words[0], .flags = probe->words[1] };

	submit(probe, IOC_PR_CLEAR, &clear);
}

/* ---------------------------------------------------------------- reads, one by each transport */

/* The reply's array is filled with a pattern first: a key that the kernel did not write shows as it. */
static void run_read_keys(const struct probe *probe)
{
	uint64_t keys[256];
	unsigned room = probe->words[0] < 256 ? probe->words[0] : 256;
	struct blkpr_pr_read_keys reply = { .num_keys = room, .keys_ptr = (uintptr_t)keys };

	memset(keys, 0xee, sizeof(keys));
	if (submit(probe, BLKPR_IOC_PR_READ_KEYS, &reply))
		return;
	print_keys(reply.num_keys, keys, room);
	printf(" generation=%" PRIu32, reply.generation);
}

static void run_read_reservation(const struct probe *probe)
{
	struct blkpr_pr_read_reservation reply = { 0 };

	if (submit(probe, BLKPR_IOC_PR_READ_RESERVATION, &reply))
		return;
	print_reservation(reply.type, reply.key);
	printf(" generation=%" PRIu32, reply.generation);
}

/*
 * PERSISTENT RESERVE IN, sent here because the library does not show SCSI status and sense; they take
 * the places of return code and errno. Returns the bytes received, 0 after an error.
 */
static size_t submit_prin(const struct probe *probe, enum blkpr_prin_action action, uint8_t reply[PRIN_BYTES])
{
	uint8_t cdb[10] = { 0x5e, action, [7] = PRIN_BYTES >> 8, [8] = PRIN_BYTES & 0xff };
	uint8_t sense[64] = { 0 };
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = SG_DXFER_FROM_DEV,
		.cmd_len = sizeof(cdb),
		.cmdp = cdb,
		.mx_sb_len = sizeof(sense),
		.sbp = sense,
		.dxfer_len = PRIN_BYTES,
		.dxferp = reply,
		.timeout = READ_MS,
	};

	memset(reply, 0, PRIN_BYTES);
	if (ioctl(probe->port.fd, SG_IO, &io) < 0) {
		print_answer(-1, errno, blkpr_result_from_errno(errno));
		return 0;
	}
	if (io.status == 0x02 && io.sb_len_wr >= 14) {
		printf("0x2 %X/%02X/%02X %s", sense[2] & 0xf, sense[12], sense[13],
			blkpr_result_name(blkpr_prin_parse_sense(sense, io.sb_len_wr)));
		return 0;
	}
	if (io.status || io.host_status) {
		int rc = io.host_status << 16 | io.status;

		print_answer(rc, 0, blkpr_result_from_ioctl(BLKPR_SCSI, rc, 0));
		return 0;
	}
	return PRIN_BYTES - io.resid;
}

static void run_prin_keys(const struct probe *probe)
{
	uint8_t reply[PRIN_BYTES];
	size_t needed, length = submit_prin(probe, BLKPR_PRIN_READ_KEYS, reply);
	struct blkpr_report report = { 0 };
	enum blkpr_result result;

	if (!length)
		return;
	result = blkpr_prin_parse_keys(reply, length, &report, &needed);
	print_answer(0, 0, result);
	print_keys(report.nkeys, report.keys, report.nkeys);
	printf(" generation=%" PRIu32, report.generation);
	blkpr_report_clear(&report);
}

static void run_prin_reservation(const struct probe *probe)
{
	uint8_t reply[PRIN_BYTES];
	size_t length = submit_prin(probe, BLKPR_PRIN_READ_RESERVATION, reply);
	struct blkpr_report report = { 0 };
	enum blkpr_result result;

	if (!length)
		return;
	result = blkpr_prin_parse_reservation(reply, length, &report);
	print_answer(0, 0, result);
	print_reservation(report.type, report.holder);
	printf(" generation=%" PRIu32, report.generation);
}

static void run_prin_capabilities(const struct probe *probe)
{
	uint8_t reply[PRIN_BYTES];
	size_t length = submit_prin(probe, BLKPR_PRIN_REPORT_CAPABILITIES, reply);
	struct blkpr_capabilities capabilities = { 0 };
	enum blkpr_result result;

	if (!length)
		return;
	result = blkpr_prin_parse_capabilities(reply, length, &capabilities);
	print_answer(0, 0, result);
	printf(" types=%#x forgets=%d", capabilities.types, capabilities.forgets);
}

/* The passthrough's own return code stays in the library. */
static void run_nvme_report(const struct probe *probe)
{
	struct blkpr_report report = { 0 };
	enum blkpr_result result;

	errno = 0;
	result = blkpr_nvme_read_report(&probe->port, &report);
	print_answer(result == BLKPR_OK ? 0 : -1, errno, result);
	if (result == BLKPR_OK)
		print_report(&report);
	blkpr_report_clear(&report);
}

/* ---------------------------------------------------------------- the library's own view */

/* As the agents read: whichever transport works, unit attentions repeated. */
static void read_and_print(const struct probe *probe, void (*print)(const struct blkpr_report *report))
{
	struct blkpr_device device = { 0 };
	struct blkpr_block_disk block;
	struct blkpr_report report = { 0 };
	struct blkpr_error error;
	enum blkpr_result result;
	int rc = blkpr_device_resolve(probe->device, &device, &error);

	if (rc) {
		print_answer(-1, -rc, blkpr_result_from_errno(-rc));
		return;
	}
	result = blkpr_disk_open(&block, &device, blkpr_clock_ms() + READ_MS);
	if (result == BLKPR_OK) {
		result = block.disk.ops->read(&block.disk, &report);
		blkpr_disk_close(&block);
	}
	print_answer(0, 0, result);
	if (result == BLKPR_OK)
		print(&report);
	blkpr_report_clear(&report);
	blkpr_device_clear(&device);
}

static void run_read(const struct probe *probe)
{
	read_and_print(probe, print_report);
}

static void print_generation(const struct blkpr_report *report)
{
	printf(" generation=%u", report->generation);
}

static void run_generation(const struct probe *probe)
{
	read_and_print(probe, print_generation);
}

static void run_unregister(const struct probe *probe)
{
	print_answer(0, 0, blkpr_command_unregister(&probe->port, probe->words[0]));
}

static void run_resolve(const struct probe *probe)
{
	struct blkpr_device device = { 0 };
	struct blkpr_error error;
	int rc = blkpr_device_resolve(probe->device, &device, &error);

	print_answer(rc ? -1 : 0, -rc, rc ? blkpr_result_from_errno(-rc) : BLKPR_OK);
	if (!rc)
		printf(" paths=%u", device.paths);
	blkpr_device_clear(&device);
}

/* ---------------------------------------------------------------- writes */

static void print_written(ssize_t rc)
{
	int err = errno;

	print_answer(rc < 0 ? -1 : 0, err, rc < 0 ? blkpr_result_from_errno(err) : BLKPR_OK);
}

/* One block; with FLAGS O_DIRECT, or through the page cache and then out of it. */
static void write_block(const struct probe *probe, int flags)
{
	static char block[BLOCK] __attribute__((aligned(BLOCK)));
	int fd = open(probe->device, O_WRONLY | flags);
	ssize_t rc = fd < 0 ? -1 : pwrite(fd, block, BLOCK, (off_t)BLOCK_NUMBER * BLOCK);

	print_written(rc);
	if (rc >= 0 && !(flags & O_DIRECT)) {
		printf(" fsync=");
		print_written(fsync(fd));
	}
	if (fd >= 0)
		close(fd);
}

static void run_write_direct(const struct probe *probe)
{
	write_block(probe, O_DIRECT);
}

static void run_write_buffered(const struct probe *probe)
{
	write_block(probe, 0);
}

/* ---------------------------------------------------------------- command line */

static const struct operation {
	const char *name;
	void (*run)(const struct probe *probe);
	const char *words;
	int least, most; /* words */
} operations[] = {
	{ "register", run_register, "OLD NEW [FLAGS]", 2, 3 },
	{ "reserve", run_reserve, "KEY TYPE [FLAGS]", 2, 3 },
	{ "release", run_release, "KEY TYPE [FLAGS]", 2, 3 },
	{ "preempt", run_preempt, "OWN VICTIM TYPE [FLAGS]", 3, 4 },
	{ "preempt-abort", run_preempt_abort, "OWN VICTIM TYPE [FLAGS]", 3, 4 },
	{ "clear", run_clear, "KEY [FLAGS]", 1, 2 },
	{ "read-keys", run_read_keys, "ROOM", 1, 1 },
	{ "read-reservation", run_read_reservation, "", 0, 0 },
	{ "prin-keys", run_prin_keys, "", 0, 0 },
	{ "prin-reservation", run_prin_reservation, "", 0, 0 },
	{ "prin-capabilities", run_prin_capabilities, "", 0, 0 },
	{ "nvme-report", run_nvme_report, "", 0, 0 },
	{ "read", run_read, "", 0, 0 },
	{ "generation", run_generation, "", 0, 0 },
	{ "unregister", run_unregister, "KEY", 1, 1 },
	{ "resolve", run_resolve, "", 0, 0 },
	{ "write-direct", run_write_direct, "", 0, 0 },
	{ "write-buffered", run_write_buffered, "", 0, 0 },
};

static int usage(void)
{
	fputs("usage: pr_probe [-w] DEVICE OPERATION [NUMBER...]    (numbers are hex)\n"
	      "       pr_probe -                                   (the same, a line of standard input each)\n"
	      "Prints one line, the raw return code, errno or sense, and the library's verdict, and exits 0.\n"
	      "-w opens the device for writing too. Operations:\n", stderr);
	for (unsigned i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		fprintf(stderr, "  %s %s\n", operations[i].name, operations[i].words);
	return 2;
}

static const struct operation *find_operation(const char *name, int nwords)
{
	for (unsigned i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		if (!strcmp(operations[i].name, name))
			return nwords >= operations[i].least && nwords <= operations[i].most ? &operations[i] : NULL;
	}
	return NULL;
}

static bool parse_words(struct probe *probe, char *const words[], int nwords)
{
	for (int i = 0; i < nwords; i++) {
		char *end;

		probe->words[i] = strtoull(words[i], &end, 16);
		if (!*words[i] || *end)
			return false;
	}
	return true;
}

/* The driver's codes to expect; what the library refuses to name (partitions, loops) is taken for SCSI. */
static enum blkpr_kind kind_of(const char *name)
{
	struct blkpr_device device = { 0 };
	struct blkpr_error error;
	enum blkpr_kind kind = BLKPR_SCSI;

	if (!blkpr_device_resolve(name, &device, &error))
		kind = device.kind;
	blkpr_device_clear(&device);
	return kind;
}

/* Runs one operation from its words; 0, or 2 after telling how to use it. */
static int run(char *const words[], int nwords)
{
	bool writable = nwords && !strcmp(words[0], "-w");
	struct probe probe = { .port = { .fd = -1 } };
	const struct operation *operation;

	words += writable;
	nwords -= 2 + writable;
	operation = nwords >= 0 ? find_operation(words[1], nwords) : NULL;
	if (!operation || !parse_words(&probe, words + 2, nwords))
		return usage();
	probe.device = words[0];
	probe.port.fd = open(probe.device, writable ? O_RDWR : O_RDONLY);
	if (probe.port.fd < 0) {
		print_answer(-1, errno, blkpr_result_from_errno(errno));
	} else {
		probe.port.kind = kind_of(probe.device);
		operation->run(&probe);
		close(probe.port.fd);
	}
	putchar('\n');
	return 0;
}

/* To fork and exec costs 20 ms on a User Mode Linux node: hence many operations by one process. */
static int run_lines(void)
{
	char line[256], *words[MOST_WORDS];
	int rc = 0;

	while (!rc && fgets(line, sizeof(line), stdin)) {
		int nwords = 0;
		char *rest = line;

		while (nwords < MOST_WORDS && (words[nwords] = strtok_r(rest, " \n", &rest)))
			nwords++;
		rc = run(words, nwords);
	}
	return rc;
}

int main(int argc, char *argv[])
{
	if (argc == 2 && !strcmp(argv[1], "-"))
		return run_lines();
	return run(argv + 1, argc - 1);
}
