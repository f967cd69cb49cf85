// SPDX-License-Identifier: GPL-2.0-or-later
// Asking whether a nexus may write: what is sent can write nothing, and which answers count.
#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/host.h"
#include "lib/probe.h"
#include "tests/unit/unit.h"

#define FD 4242
#define NSID 7

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_blkpr_host_vendor(int fd, char vendor[BLKPR_VENDOR_SIZE]);

static const char *vendor_of_disk = "LIO-ORG";

int __wrap_blkpr_host_vendor(int fd, char vendor[BLKPR_VENDOR_SIZE])
{
	assert_int_equal(fd, FD);
	snprintf(vendor, BLKPR_VENDOR_SIZE, "%s", vendor_of_disk);
	return 0;
}

/* What the device answers to one command, and what it was sent. */
struct exchange {
	int rc, err; /* of the system call */
	uint8_t status, sense_key, asc;
	uint16_t host_status;
	uint8_t opcode; /* as it came in */
};

static struct exchange exchanges[4];
static unsigned done;

static void answer_scsi(struct exchange *exchange, struct sg_io_hdr *io)
{
	static const uint8_t mode_select[6] = { 0x15, 0x10, 0, 0, 4, 0 }, header[4] = { 0 };
	static const uint8_t write[10] = { 0x2a };

	exchange->opcode = io->cmdp[0];
	if (io->cmdp[0] == 0x15) {
		assert_int_equal(io->cmd_len, sizeof(mode_select));
		assert_memory_equal(io->cmdp, mode_select, sizeof(mode_select));
		assert_int_equal(io->dxfer_direction, SG_DXFER_TO_DEV);
		assert_int_equal(io->dxfer_len, sizeof(header));
		assert_memory_equal(io->dxferp, header, sizeof(header));
	} else {
		assert_int_equal(io->cmd_len, sizeof(write));
		assert_memory_equal(io->cmdp, write, sizeof(write)); /* LBA 0, and no block */
		assert_int_equal(io->dxfer_direction, SG_DXFER_NONE);
		assert_int_equal(io->dxfer_len, 0);
	}
	io->status = exchange->status;
	io->host_status = exchange->host_status;
	if (exchange->status != 2)
		return;
	memcpy(io->sbp, (uint8_t[18]){ 0x70, [2] = exchange->sense_key, [7] = 10, [12] = exchange->asc }, 18);
	io->sb_len_wr = 18;
}

static void answer_nvme(struct exchange *exchange, const struct nvme_passthru_cmd *command)
{
	struct nvme_passthru_cmd flush = { .opcode = 0, .nsid = NSID };

	assert_memory_equal(command, &flush, sizeof(flush));
	exchange->opcode = command->opcode;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct exchange *exchange = &exchanges[done];
	va_list ap;
	void *arg;

	assert_int_equal(fd, FD);
	if (request == NVME_IOCTL_ID)
		return NSID;
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	assert_true(++done <= ARRAY_SIZE(exchanges));
	if (request == SG_IO)
		answer_scsi(exchange, arg);
	else if (request == NVME_IOCTL_IO_CMD)
		answer_nvme(exchange, arg);
	else
		fail_msg("unexpected ioctl 0x%lx", request);
	errno = exchange->err;
	return exchange->rc;
}

static enum blkpr_result ask(enum blkpr_kind kind, struct exchange first, struct exchange second)
{
	struct blkpr_port port = { FD, kind };

	exchanges[0] = first;
	exchanges[1] = second;
	done = 0;
	return blkpr_probe_writes(&port);
}

#define GOOD ((struct exchange){ 0 })
#define CONFLICT ((struct exchange){ .status = 0x18 })

static void a_scsi_disk_is_asked_by_a_write_of_no_block(void **state)
{
	(void)state; /* no array but LIO is sent a MODE SELECT */
	vendor_of_disk = "IBM";
	assert_result(ask(BLKPR_SCSI, GOOD, CONFLICT), BLKPR_OK);
	assert_int_equal(done, 1);
	assert_int_equal(exchanges[0].opcode, 0x2a);
	assert_result(ask(BLKPR_SCSI, CONFLICT, GOOD), BLKPR_CONFLICT);
	vendor_of_disk = "LIO-ORG";
}

static void lio_is_asked_twice_before_it_is_believed(void **state)
{
	(void)state;
	assert_result(ask(BLKPR_SCSI, GOOD, GOOD), BLKPR_OK);
	assert_int_equal(done, 2);
	assert_int_equal(exchanges[0].opcode, 0x2a);
	assert_int_equal(exchanges[1].opcode, 0x15);
}

static void either_refusal_counts(void **state)
{
	(void)state;
	assert_result(ask(BLKPR_SCSI, CONFLICT, GOOD), BLKPR_CONFLICT);
	assert_int_equal(done, 1);
	assert_result(ask(BLKPR_SCSI, GOOD, CONFLICT), BLKPR_CONFLICT);
}

static void a_refusal_for_another_reason_is_none(void **state)
{
	static const struct exchange refusals[] = {
		{ .status = 2, .sense_key = 5, .asc = 0x1a }, /* LIO to a registrant: PARAMETER LIST LENGTH ERROR */
		{ .status = 2, .sense_key = 5, .asc = 0x20 }, /* no MODE SELECT */
		{ .status = 2, .sense_key = 5, .asc = 0x26 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++) {
		assert_result(ask(BLKPR_SCSI, refusals[i], GOOD), BLKPR_OK);
		assert_result(ask(BLKPR_SCSI, refusals[i], CONFLICT), BLKPR_CONFLICT);
		assert_result(ask(BLKPR_SCSI, GOOD, refusals[i]), BLKPR_OK);
	}
}

static void a_unit_attention_is_no_answer(void **state)
{
	(void)state;
	assert_result(ask(BLKPR_SCSI, (struct exchange){ .status = 2, .sense_key = 6, .asc = 0x2a }, GOOD), BLKPR_ATTENTION);
	assert_result(ask(BLKPR_SCSI, (struct exchange){ .status = 8 }, GOOD), BLKPR_BUSY);
	assert_result(ask(BLKPR_SCSI, GOOD, (struct exchange){ .host_status = 1 }), BLKPR_PATH_FAILED);
	assert_result(ask(BLKPR_SCSI, (struct exchange){ .rc = -1, .err = ENODEV }, GOOD), BLKPR_GONE);
}

static void nvme_is_asked_by_a_flush(void **state)
{
	(void)state;
	assert_result(ask(BLKPR_NVME, GOOD, GOOD), BLKPR_OK);
	assert_int_equal(done, 1);
	assert_result(ask(BLKPR_NVME, (struct exchange){ .rc = 0x83 }, GOOD), BLKPR_CONFLICT);
	assert_result(ask(BLKPR_NVME, (struct exchange){ .rc = 0x4083 }, GOOD), BLKPR_CONFLICT);
	/* the controller's own: Host Identifier Inconsistent Format, not an enum pr_status */
	assert_result(ask(BLKPR_NVME, (struct exchange){ .rc = 0x18 }, GOOD), BLKPR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scsi_disk_is_asked_by_a_write_of_no_block),
		cmocka_unit_test(lio_is_asked_twice_before_it_is_believed),
		cmocka_unit_test(either_refusal_counts),
		cmocka_unit_test(a_refusal_for_another_reason_is_none),
		cmocka_unit_test(a_unit_attention_is_no_answer),
		cmocka_unit_test(nvme_is_asked_by_a_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
