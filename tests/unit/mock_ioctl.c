// SPDX-License-Identifier: GPL-2.0-or-later
// The ioctl script: one entry a call, checked and answered in order.
#include "tests/unit/mock_ioctl.h"

#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <scsi/sg.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define MOST_CALLS 256

int __wrap_ioctl(int fd, unsigned long request, ...);

struct call {
	unsigned long request;
	int fd, rc, err;
	void (*answer)(const struct call *call, void *arg);
	union {
		struct {
			uint8_t bytes[64];
			size_t size;
		} pr;
		struct {
			const uint64_t *keys;
			unsigned room, registered;
			uint32_t generation;
		} keys;
		struct blkpr_pr_read_reservation reservation;
		struct mock_sgio sgio;
		struct mock_nvme nvme;
		void (*meanwhile)(void);
	};
};

static struct call script[MOST_CALLS];
static unsigned expected, done;
static int expected_fd;

static struct call *add(unsigned long request, void (*answer)(const struct call *, void *), int rc, int err)
{
	assert_true(expected < MOST_CALLS);
	script[expected] = (struct call){
		.request = request, .fd = expected_fd, .rc = rc, .err = err, .answer = answer };
	return &script[expected++];
}

void mock_on_fd(int fd)
{
	expected_fd = fd;
}

/* --- the six commands ----------------------------------------------------------------------------- */

static void answer_pr(const struct call *call, void *arg)
{
	assert_memory_equal(arg, call->pr.bytes, call->pr.size);
}

void mock_pr(unsigned long request, const void *argument, size_t size, int rc, int err)
{
	struct call *call = add(request, answer_pr, rc, err);

	assert_true(size <= sizeof(call->pr.bytes));
	memcpy(call->pr.bytes, argument, size);
	call->pr.size = size;
}

/* --- the READ ioctls ------------------------------------------------------------------------------ */

static void answer_keys(const struct call *call, void *arg)
{
	struct blkpr_pr_read_keys *keys = arg;
	uint64_t *out = (uint64_t *)(uintptr_t)keys->keys_ptr;

	assert_int_equal(keys->generation, 0);
	assert_int_equal(keys->num_keys, call->keys.room);
	assert_non_null(out);
	if (call->rc)
		return;
	for (unsigned i = 0; i < call->keys.registered && i < call->keys.room && call->keys.keys; i++)
		out[i] = call->keys.keys[i];
	keys->num_keys = call->keys.registered;
	keys->generation = call->keys.generation;
}

void mock_read_keys(unsigned room, const uint64_t *keys, unsigned registered, uint32_t generation)
{
	struct call *call = add(BLKPR_IOC_PR_READ_KEYS, answer_keys, 0, 0);

	call->keys.keys = keys;
	call->keys.room = room;
	call->keys.registered = registered;
	call->keys.generation = generation;
}

void mock_read_keys_fails(unsigned room, int rc, int err)
{
	add(BLKPR_IOC_PR_READ_KEYS, answer_keys, rc, err)->keys.room = room;
}

static void answer_reservation(const struct call *call, void *arg)
{
	if (!call->rc)
		*(struct blkpr_pr_read_reservation *)arg = call->reservation;
}

void mock_read_reservation(uint64_t key, unsigned type, uint32_t generation)
{
	struct call *call = add(BLKPR_IOC_PR_READ_RESERVATION, answer_reservation, 0, 0);

	call->reservation = (struct blkpr_pr_read_reservation){ key, generation, type };
}

void mock_read_reservation_fails(int rc, int err)
{
	add(BLKPR_IOC_PR_READ_RESERVATION, answer_reservation, rc, err);
}

/* --- LUN RESET ------------------------------------------------------------------------------------ */

static void answer_reset(const struct call *call, void *arg)
{
	assert_int_equal(*(int *)arg, SG_SCSI_RESET_DEVICE | 0x100); /* SG_SCSI_RESET_NO_ESCALATE */
	if (call->meanwhile)
		call->meanwhile();
}

void mock_reset(int rc, int err, void (*meanwhile)(void))
{
	add(SG_SCSI_RESET, answer_reset, rc, err)->meanwhile = meanwhile;
}

/* --- SG_IO ---------------------------------------------------------------------------------------- */

static void check_sgio(const struct mock_sgio *want, const struct sg_io_hdr *io)
{
	static const uint8_t test_ready[6] = { 0 };
	const uint8_t cdb[10] = { 0x5e, want->action, 0, 0, 0, 0, 0, want->allocation >> 8,
		want->allocation & 0xff, 0 };
	const uint8_t mode_sense[6] = { 0x1a, 0x08, 0x0a, 0, (uint8_t)want->allocation, 0 };
	size_t length = want->test_ready || want->mode_sense ? sizeof(test_ready) : sizeof(cdb);
	const uint8_t *command = want->test_ready ? test_ready : want->mode_sense ? mode_sense : cdb;

	assert_int_equal(io->interface_id, 'S');
	assert_int_equal(io->cmd_len, length);
	assert_memory_equal(io->cmdp, command, length);
	assert_int_equal(io->dxfer_direction, want->test_ready ? SG_DXFER_NONE : SG_DXFER_FROM_DEV);
	assert_int_equal(io->dxfer_len, want->allocation);
	assert_int_equal(io->iovec_count, 0);
	assert_int_equal(io->flags, 0);
	assert_true(want->test_ready || io->dxferp);
	assert_true(io->mx_sb_len >= want->sense_length);
	assert_true(io->timeout > 0);
}

static void answer_sgio(const struct call *call, void *arg)
{
	const struct mock_sgio *want = &call->sgio;
	struct sg_io_hdr *io = arg;

	check_sgio(want, io);
	if (want->length)
		memcpy(io->dxferp, want->reply, want->length < io->dxfer_len ? want->length : io->dxfer_len);
	if (want->sense_length)
		memcpy(io->sbp, want->sense, want->sense_length);
	io->sb_len_wr = (unsigned char)want->sense_length;
	io->status = want->status;
	io->host_status = want->host_status;
	io->driver_status = want->driver_status;
	io->resid = want->resid;
}

void mock_sgio(const struct mock_sgio *want)
{
	add(SG_IO, answer_sgio, want->rc, want->err)->sgio = *want;
}

void mock_test_ready(unsigned key, unsigned asc, unsigned ascq)
{
	static uint8_t senses[8][18];
	static unsigned next;
	uint8_t *sense = senses[next++ % 8]; /* the script borrows it */
	struct mock_sgio call = { .test_ready = true };

	memcpy(sense, (uint8_t[18]){ 0x70, [2] = (uint8_t)key, [7] = 10, [12] = (uint8_t)asc, [13] = (uint8_t)ascq }, 18);
	if (key) {
		call.status = 2;
		call.sense = sense;
		call.sense_length = 18;
	}
	mock_sgio(&call);
}

/* --- NVMe passthrough ----------------------------------------------------------------------------- */

static void answer_nvme_id(const struct call *call, void *arg)
{
	(void)call;
	(void)arg;
}

void mock_nvme_id(int nsid, int err)
{
	add(NVME_IOCTL_ID, answer_nvme_id, nsid, err);
}

static void answer_nvme(const struct call *call, void *arg)
{
	const struct mock_nvme *want = &call->nvme;
	struct nvme_passthru_cmd *command = arg;
	struct nvme_passthru_cmd plain = {
		.opcode = want->opcode,
		.nsid = MOCK_NSID,
		.addr = command->addr,
		.data_len = want->data_len,
		.cdw10 = want->cdw10,
		.cdw11 = want->cdw11,
	};
	uint8_t *data = (uint8_t *)(uintptr_t)command->addr;

	assert_memory_equal(command, &plain, sizeof(plain));
	assert_non_null(data);
	if (want->data)
		assert_memory_equal(data, want->data, want->data_len);
	if (want->reply)
		memcpy(data, want->reply, want->length < want->data_len ? want->length : want->data_len);
}

void mock_nvme(const struct mock_nvme *want)
{
	add(NVME_IOCTL_IO_CMD, answer_nvme, want->rc, want->err)->nvme = *want;
}

static void answer_host_id(const struct call *call, void *arg)
{
	struct nvme_passthru_cmd *command = arg;
	struct nvme_passthru_cmd plain = { .opcode = 0x0a,
		.addr = command->addr,
		.cdw10 = 0x81,
		.data_len = call->nvme.length,
		.cdw11 = call->nvme.length == 16 };

	assert_memory_equal(command, &plain, sizeof(plain));
	if (!call->rc)
		memcpy((void *)(uintptr_t)command->addr, call->nvme.reply, call->nvme.length);
}

static void add_host_id(const uint8_t *host, unsigned length, int rc)
{
	struct call *call = add(NVME_IOCTL_ADMIN_CMD, answer_host_id, rc, 0);

	call->nvme.reply = host;
	call->nvme.length = length;
}

void mock_nvme_host_id(const uint8_t *host, int rc)
{
	add_host_id(host, 16, rc);
}

void mock_nvme_short_host_id(const uint8_t *host, int rc)
{
	add_host_id(host, 8, rc);
}

/* --- hanging -------------------------------------------------------------------------------------- */

static atomic_int hanging;

void mock_hang(int fd)
{
	hanging = fd;
}

void mock_hang_here(int fd)
{
	while (fd == hanging)
		pause();
}

/* --- running -------------------------------------------------------------------------------------- */

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	const struct call *call;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = request == NVME_IOCTL_ID ? NULL : va_arg(ap, void *);
	va_end(ap);
	mock_hang_here(fd);
	call = &script[done];
	if (done == expected)
		fail_msg("unexpected ioctl 0x%lx: the script has ended after %u calls", request, done);
	done++;
	assert_int_equal(fd, call->fd);
	if (request != call->request)
		fail_msg("ioctl number %u is 0x%lx, expected 0x%lx", done, request, call->request);
	call->answer(call, arg);
	errno = call->err;
	return call->rc;
}

int mock_begin(void **state)
{
	(void)state;
	expected = done = 0;
	mock_hang(0);
	expected_fd = MOCK_FD;
	return 0;
}

int mock_end(void **state)
{
	(void)state;
	if (done == expected)
		return 0;
	print_error("%u of %u expected ioctls did not come\n", expected - done, expected);
	return -1;
}
