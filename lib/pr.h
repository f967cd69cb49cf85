/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's persistent-reservation interface: <linux/pr.h>, and what stable distributions'
 * headers lack of it.
 */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>
#include <linux/pr.h>

/* Linux 7.0. Own names, so that newer headers do not clash. */
struct blkpr_pr_read_keys {
	uint32_t generation;
	uint32_t num_keys; /* in: room at keys_ptr; out: how many are registered, more than fit or
			      not */
	uint64_t keys_ptr;
};

struct blkpr_pr_read_reservation {
	uint64_t key;
	uint32_t generation;
	uint32_t type; /* enum pr_type, 0: no reservation */
};

#define BLKPR_IOC_PR_READ_KEYS _IOWR('p', 206, struct blkpr_pr_read_keys)
#define BLKPR_IOC_PR_READ_RESERVATION _IOR('p', 207, struct blkpr_pr_read_reservation)

/*
 * enum pr_status of include/uapi/linux/pr.h (Linux 6.5); older kernels return raw SCSI or NVMe
 * status.
 */
#define BLKPR_STS_RETRY_PATH_FAILURE 0xe0000
#define BLKPR_STS_PATH_FAST_FAILED 0xf0000
#define BLKPR_STS_PATH_FAILED 0x10000
