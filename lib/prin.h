/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the ioctls cannot ask, over SG_IO: SCSI PERSISTENT RESERVE IN (SPC-4 6.15), TEST UNIT READY.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/report.h"

/* Service actions, SPC-4 table 220. */
enum blkpr_prin_action {
	BLKPR_PRIN_READ_KEYS = 0,
	BLKPR_PRIN_READ_RESERVATION = 1,
	BLKPR_PRIN_REPORT_CAPABILITIES = 2,
	BLKPR_PRIN_READ_FULL_STATUS = 3,
};

/* What the device says that it can do (SPC-4 6.15.4). */
struct blkpr_capabilities {
	uint16_t types; /* bit N: enum pr_type N; 0: the device does not say */
	bool forgets;   /* registrations are lost with its power: PTPL_A or, on NVMe, PTPLS is 0 */
	bool mute;      /* commands that it aborts for another initiator get no answer: TAS is 0 */
};

/* Registered keys and generation into REPORT, the whole list (lib/room.h). */
enum blkpr_result blkpr_prin_read_keys(const struct blkpr_port *port, struct blkpr_report *report);

/* Reservation type, holder and generation into REPORT. */
enum blkpr_result blkpr_prin_read_reservation(const struct blkpr_port *port, struct blkpr_report *report);

enum blkpr_result blkpr_prin_read_capabilities(
	const struct blkpr_port *port, struct blkpr_capabilities *capabilities);

/*
 * TAS of the Control mode page (MODE SENSE, SPC-4 7.5.8): whether a LUN RESET leaves the other
 * initiators' commands without an answer (SAM-5 5.3.1), so that each waits for its command timer.
 */
enum blkpr_result blkpr_prin_read_mute(const struct blkpr_port *port, bool *mute);

/*
 * How many initiators are registered with KEY, by their iSCSI names (READ FULL STATUS, SPC-4
 * 6.15.5): sessions of one initiator count once, so more than 1 means that nodes share the key.
 * BLKPR_UNSUPPORTED for other transports: there a node has a name for each port, and two names say
 * nothing.
 */
enum blkpr_result blkpr_prin_read_initiators(const struct blkpr_port *port, uint64_t key, unsigned *initiators);

/*
 * The keys that are registered by the iSCSI initiator NAME, whatever its sessions, into REPORT,
 * which is filled with keys alone (READ FULL STATUS).
 */
enum blkpr_result blkpr_prin_read_keys_of(const struct blkpr_port *port, const char *name, struct blkpr_report *report);

/*
 * TEST UNIT READY (SPC-4 6.47): BLKPR_BUSY while the device is becoming ready, changes its
 * asymmetric access state, or has unit attentions to report: what the PR ioctls give one status
 * for, and what passes.
 */
enum blkpr_result blkpr_prin_test_ready(const struct blkpr_port *port);

/*
 * The parsers, pure. LENGTH is how many bytes were received: no length inside the reply is believed
 * beyond it. NEEDED is the size of the whole reply as the device states it; a keys reply longer
 * than LENGTH gives BLKPR_UNSETTLED (ask again with more room), one that cannot be right
 * BLKPR_MALFORMED.
 */
enum blkpr_result blkpr_prin_parse_keys(
	const uint8_t *reply, size_t length, struct blkpr_report *report, size_t *needed);
enum blkpr_result blkpr_prin_parse_reservation(
	const uint8_t *reply, size_t length, struct blkpr_report *report);
enum blkpr_result blkpr_prin_parse_initiators(
	const uint8_t *reply, size_t length, uint64_t key, unsigned *initiators);
enum blkpr_result blkpr_prin_parse_keys_of(
	const uint8_t *reply, size_t length, const char *name, struct blkpr_report *report);
enum blkpr_result blkpr_prin_parse_capabilities(
	const uint8_t *reply, size_t length, struct blkpr_capabilities *capabilities);

enum blkpr_result blkpr_prin_parse_mute(const uint8_t *reply, size_t length, bool *mute);

/* The verdict that sense data give (SPC-4 4.5), fixed or descriptor format. */
enum blkpr_result blkpr_prin_parse_sense(const uint8_t *sense, size_t length);

/* For full_status.c and probe.c. */

#define BLKPR_PRIN_HEADER 8            /* PRGENERATION, ADDITIONAL LENGTH */
#define BLKPR_PRIN_MOST_BYTES 0xffff   /* ALLOCATION LENGTH has 16 bits: 8190 keys */

static inline uint32_t blkpr_prin_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t blkpr_prin_be64(const uint8_t *p)
{
	return (uint64_t)blkpr_prin_be32(p) << 32 | blkpr_prin_be32(p + 4);
}

/*
 * One command by SG_IO. DIRECTION: SG_DXFER_FROM_DEV, SG_DXFER_TO_DEV or SG_DXFER_NONE. *LENGTH is
 * the room in DATA, then the bytes received, or how much is sent.
 */
enum blkpr_result blkpr_prin_submit(const struct blkpr_port *port, uint8_t cdb[],
	uint8_t cdb_length, int direction, uint8_t *data, size_t *length);

/* One PERSISTENT RESERVE IN: *LENGTH is the room in REPLY, then the bytes received. */
enum blkpr_result blkpr_prin_ask(const struct blkpr_port *port, enum blkpr_prin_action action,
	uint8_t *reply, size_t *length);
