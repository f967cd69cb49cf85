/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NVMe reservation commands by passthrough, where the block layer's ioctls cannot (KERNEL.md trap
 * 2).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/report.h"

/*
 * Reservation Report (NVMe base 2.0): keys, type and generation in one reply. It has two forms. A
 * controller has the one that its host identifiers fit in, and refuses the other (Host Identifier
 * Inconsistent Format); one that is older than 128-bit identifiers does not look at EDS, and
 * answers in the short form whatever it is asked for.
 */
enum blkpr_nvme_form {
	BLKPR_NVME_EXTENDED, /* EDS: 128-bit host identifiers; asked for first */
	BLKPR_NVME_SHORT,    /* 64-bit ones */
	BLKPR_NVME_FORMS
};

enum blkpr_result blkpr_nvme_read_report(const struct blkpr_port *port, struct blkpr_report *report);

/* PTPLS of a Reservation Report: whether this namespace loses its registrations with its power. */
enum blkpr_result blkpr_nvme_read_forgets(const struct blkpr_port *port, bool *forgets);

/*
 * The keys that are registered by this very host, by its host identifier, into REPORT, which is
 * filled with keys alone.
 */
enum blkpr_result blkpr_nvme_read_keys_of_self(const struct blkpr_port *port, struct blkpr_report *report);

/* Reservation Register with RREGA = 001b: ends this host's registration KEY. */
enum blkpr_result blkpr_nvme_unregister(int fd, uint64_t key);

/*
 * Reservation Register with RREGA = 010b and CRKEY 0: KEY for a host that is registered with key 0
 * (KERNEL.md trap 2), for which IOC_PR_REGISTER has no word; BLKPR_CONFLICT for any other.
 */
enum blkpr_result blkpr_nvme_replace_zero(int fd, uint64_t key);

/*
 * Flush: a reservation refuses it as it does a write (NVMe base 2.0, command behaviour in the
 * presence of a reservation).
 */
enum blkpr_result blkpr_nvme_flush(int fd);

#define BLKPR_NVME_HOST 16 /* bytes of a host identifier; a 64-bit one has the first 8 of them */

/*
 * The parser, pure. LENGTH bytes were received; *NEEDED is the size of the whole structure as the
 * controller states it. HOST, BLKPR_NVME_HOST bytes: whose keys are wanted; NULL: everybody's.
 * BLKPR_UNSETTLED: it is larger than LENGTH, ask again with more room. BLKPR_INVALID: the reply has
 * not this FORM.
 */
enum blkpr_result blkpr_nvme_parse_report(enum blkpr_nvme_form form, const uint8_t *reply,
	size_t length, const uint8_t *host, struct blkpr_report *report, size_t *needed);
