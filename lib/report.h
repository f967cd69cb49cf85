/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is registered and reserved on a device, read at one PR generation. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/command.h"
#include "lib/result.h"

struct blkpr_report {
	uint32_t generation; /* counts registrations and preempts, not reserve and release */
	unsigned nkeys;
	uint64_t *keys;      /* owned; a key stands once for every I_T nexus; NVMe may show 0 (trap
				2) */
	unsigned type;       /* enum pr_type; 0: no reservation. Decide by this, never by holder
				(trap 11) */
	uint64_t holder;     /* 0 for all-registrants types on SCSI */
};

/* How a device is read: found out once per open device, by capability. */
enum blkpr_transport {
	BLKPR_READ_UNTRIED,
	BLKPR_READ_IOCTL, /* SCSI: IOC_PR_READ_KEYS and IOC_PR_READ_RESERVATION, Linux 7.0 */
	BLKPR_READ_SGIO,  /* SCSI: SG_IO PERSISTENT RESERVE IN */
	BLKPR_READ_NVME,  /* NVMe Reservation Report */
	BLKPR_READ_TRANSPORTS
};

extern const char *const blkpr_transport_names[BLKPR_READ_TRANSPORTS];

/*
 * Reads keys and reservation at one generation. TRANSPORT is the caller's memory of what works
 * here: start with BLKPR_READ_UNTRIED. BLKPR_OK: REPORT is filled, blkpr_report_clear() frees it.
 * Anything else: REPORT is empty and says nothing about the device; a truncated or contradictory
 * reply is BLKPR_MALFORMED. One attempt: BLKPR_ATTENTION and BLKPR_BUSY are the caller's to repeat.
 */
enum blkpr_result blkpr_report_read(const struct blkpr_port *port, enum blkpr_transport *transport,
	struct blkpr_report *report);

/* Whether the device answers: the shortest of those reads, of which nothing is taken. */
enum blkpr_result blkpr_report_ping(const struct blkpr_port *port);

void blkpr_report_clear(struct blkpr_report *report);

/* How many registrations carry KEY. */
unsigned blkpr_report_count(const struct blkpr_report *report, uint64_t key);

/* Makes room for NKEYS keys; false: out of memory, the report is unchanged. */
bool blkpr_report_resize(struct blkpr_report *report, unsigned nkeys);
