/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ioctl() replaced by an ordered script of expected calls with canned replies (link with
 * -Wl,--wrap=ioctl). A call that is not the next one in the script, or whose argument differs in any
 * field, fails the test; so does a script that has not been used up. Replies are read when the call comes.
 */
#ifndef MOCK_IOCTL_H
#define MOCK_IOCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/prin.h"

#define MOCK_FD 7777 /* the only descriptor that the mock accepts, */
#define MOCK_NSID 3

/* unless the calls added after this one are to come on FD. */
void mock_on_fd(int fd);

/* An IOC_PR_* command whose argument is *EXPECTED; RC and ERR are what ioctl() gives. */
void mock_pr(unsigned long request, const void *expected, size_t size, int rc, int err);

/* BLKPR_IOC_PR_READ_KEYS with room for ROOM keys; REGISTERED keys are there, as many as fit are written. */
void mock_read_keys(unsigned room, const uint64_t *keys, unsigned registered, uint32_t generation);
void mock_read_keys_fails(unsigned room, int rc, int err);

void mock_read_reservation(uint64_t key, unsigned type, uint32_t generation);
void mock_read_reservation_fails(int rc, int err);

/* SG_SCSI_RESET of the LUN, without escalation to more than that; NULL, or called when it comes. */
void mock_reset(int rc, int err, void (*meanwhile)(void));

/* SG_IO with PERSISTENT RESERVE IN, TEST UNIT READY, or MODE SENSE of the Control page: what must come in, and what goes out. */
struct mock_sgio {
	bool test_ready, mode_sense;
	enum blkpr_prin_action action;
	unsigned allocation;
	int rc, err; /* of the system call */
	uint8_t status;
	uint16_t host_status, driver_status;
	const uint8_t *reply; /* LENGTH bytes of it are written, and RESID is reported */
	unsigned length;
	int resid;
	const uint8_t *sense;
	unsigned sense_length;
};
void mock_sgio(const struct mock_sgio *call);

/* SG_IO with TEST UNIT READY, answered with this sense: key, ASC and ASCQ; 0: GOOD. */
void mock_test_ready(unsigned key, unsigned asc, unsigned ascq);

/* NVME_IOCTL_ID, then NVME_IOCTL_IO_CMD. */
struct mock_nvme {
	uint8_t opcode;
	uint32_t cdw10, cdw11, data_len;
	const uint8_t *data;  /* what must be sent, DATA_LEN bytes; NULL: not compared */
	const uint8_t *reply; /* LENGTH bytes of it are written */
	unsigned length;
	int rc, err;
};
void mock_nvme_id(int nsid, int err);
void mock_nvme(const struct mock_nvme *call);

/* NVME_IOCTL_ADMIN_CMD with Get Features for the Host Identifier HOST, 16 bytes, or 8. */
void mock_nvme_host_id(const uint8_t *host, int rc);
void mock_nvme_short_host_id(const uint8_t *host, int rc);

/* Setup and teardown of every test that uses the mock. */
int mock_begin(void **state);
int mock_end(void **state);

#define mock_test(f) cmocka_unit_test_setup_teardown(f, mock_begin, mock_end)

/* From now on no call by FD returns, until the end of the process; 0: none hangs (what hung, hangs on). */
void mock_hang(int fd);

/* Does not return if FD hangs. */
void mock_hang_here(int fd);

#endif
