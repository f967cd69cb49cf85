// SPDX-License-Identifier: LGPL-2.1-or-later
// PERSISTENT RESERVE IN: one submit, three parsers.
#include "lib/prin.h"

#include <errno.h>
#include <scsi/sg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/room.h"

#define PERSISTENT_RESERVE_IN 0x5e
#define FIRST_BYTES (BLKPR_PRIN_HEADER + 64 * 8)
#define KEY_BYTES 8
#define COMMAND_MS 30000    /* as drivers/scsi/sd.c; the worker's deadline is the caller's affair */

/* SPC's reservation types (table 51) in the kernel's numbers; 0: not one of them. */
static unsigned type_from_spc(unsigned spc)
{
	static const uint8_t types[16] = {
		[1] = PR_WRITE_EXCLUSIVE,
		[3] = PR_EXCLUSIVE_ACCESS,
		[5] = PR_WRITE_EXCLUSIVE_REG_ONLY,
		[6] = PR_EXCLUSIVE_ACCESS_REG_ONLY,
		[7] = PR_WRITE_EXCLUSIVE_ALL_REGS,
		[8] = PR_EXCLUSIVE_ACCESS_ALL_REGS,
	};

	return types[spc & 0xf];
}

/* Only 20/00 and 24/00 say that the device does not have what was asked for. */
static enum blkpr_result from_illegal_request(unsigned code)
{
	switch (code) {
	case 0x2000: /* no such command */
		return BLKPR_UNSUPPORTED;
	case 0x2400: /* no such service action */
	case 0x1a00: /* the parameter list that was sent, its length */
	case 0x2600: /* and its fields */
		return BLKPR_INVALID;
	case 0x2500: /* no such logical unit: not mapped where this path leads */
		return BLKPR_PATH_FAILED;
	default:
		return BLKPR_IO_ERROR;
	}
}

enum blkpr_result blkpr_prin_parse_sense(const uint8_t *sense, size_t length)
{
	bool descriptor = length && (sense[0] & 0x7e) == 0x72;
	unsigned key, asc, ascq;

	if (length < (descriptor ? 4 : 14))
		return BLKPR_IO_ERROR;
	key = sense[descriptor ? 1 : 2] & 0xf;
	asc = sense[descriptor ? 2 : 12];
	ascq = sense[descriptor ? 3 : 13];
	switch (key) {
	case 0x6: /* UNIT ATTENTION: 2A/03 to 2A/05 after a preempt (trap 6), 29/xx after a reset */
		return BLKPR_ATTENTION;
	case 0x2: /* NOT READY, 04/01: becoming ready; 04/0A: asymmetric access state transition */
		return asc == 0x04 && (ascq == 0x01 || ascq == 0x0a) ? BLKPR_BUSY : BLKPR_IO_ERROR;
	case 0x5:
		return from_illegal_request(asc << 8 | ascq);
	case 0xb: /* ABORTED COMMAND */
		return BLKPR_BUSY;
	default:
		return BLKPR_IO_ERROR;
	}
}

/* DRIVER_SENSE (0x08) only says that there is sense data; any other driver byte is an error. */
static enum blkpr_result verdict(const struct sg_io_hdr *io)
{
	if (io->host_status)
		return blkpr_result_from_ioctl(BLKPR_SCSI, io->host_status << 16, 0);
	if (io->status == 0x02)
		return blkpr_prin_parse_sense(io->sbp, io->sb_len_wr);
	if (io->status)
		return blkpr_result_from_ioctl(BLKPR_SCSI, io->status, 0);
	if (io->driver_status & 0x0f & ~0x08)
		return BLKPR_IO_ERROR;
	return BLKPR_OK;
}

enum blkpr_result blkpr_prin_submit(const struct blkpr_port *port, uint8_t cdb[],
	uint8_t cdb_length, int direction, uint8_t *data, size_t *length)
{
	uint8_t sense[64] = { 0 };
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = direction,
		.cmd_len = cdb_length,
		.cmdp = cdb,
		.mx_sb_len = sizeof(sense),
		.sbp = sense,
		.dxfer_len = *length,
		.dxferp = data,
		.timeout = COMMAND_MS,
	};
	enum blkpr_result result;

	if (ioctl(port->fd, SG_IO, &io) < 0)
		return blkpr_result_from_errno(errno);
	result = verdict(&io);
	if (result == BLKPR_OK && io.resid > 0)
		*length -= (size_t)io.resid < *length ? (size_t)io.resid : *length;
	return result;
}

enum blkpr_result blkpr_prin_ask(const struct blkpr_port *port, enum blkpr_prin_action action,
	uint8_t *reply, size_t *length)
{
	uint8_t cdb[10] = { PERSISTENT_RESERVE_IN, action, [7] = *length >> 8, [8] = *length & 0xff };

	memset(reply, 0, *length);
	return blkpr_prin_submit(port, cdb, sizeof(cdb), SG_DXFER_FROM_DEV, reply, length);
}

enum blkpr_result blkpr_prin_test_ready(const struct blkpr_port *port)
{
	uint8_t cdb[6] = { 0 }; /* TEST UNIT READY */
	size_t none = 0;
	enum blkpr_result result =
		blkpr_prin_submit(port, cdb, sizeof(cdb), SG_DXFER_NONE, NULL, &none);

	/* its sense has been seen: it is one, and there may be more */
	return result == BLKPR_ATTENTION ? BLKPR_BUSY : result;
}

enum blkpr_result blkpr_prin_parse_keys(
	const uint8_t *reply, size_t length, struct blkpr_report *report, size_t *needed)
{
	uint32_t bytes;

	if (length < BLKPR_PRIN_HEADER)
		return BLKPR_MALFORMED;
	bytes = blkpr_prin_be32(reply + 4);
	if (bytes % 8)
		return BLKPR_MALFORMED;
	*needed = BLKPR_PRIN_HEADER + (size_t)bytes;
	if (*needed > length)
		return BLKPR_UNSETTLED;
	if (!blkpr_report_resize(report, bytes / 8))
		return BLKPR_NO_MEMORY;
	report->generation = blkpr_prin_be32(reply);
	report->nkeys = bytes / 8;
	for (unsigned i = 0; i < report->nkeys; i++)
		report->keys[i] = blkpr_prin_be64(reply + BLKPR_PRIN_HEADER + 8 * (size_t)i);
	return blkpr_report_count(report, 0) ? BLKPR_MALFORMED : BLKPR_OK; /* SCSI has no key 0 */
}

enum blkpr_result blkpr_prin_read_keys(const struct blkpr_port *port, struct blkpr_report *report)
{
	struct blkpr_room room = { .size = FIRST_BYTES, .entry = KEY_BYTES, .most = BLKPR_PRIN_MOST_BYTES };
	enum blkpr_result result = BLKPR_UNSETTLED;

	while (result == BLKPR_UNSETTLED) {
		size_t length = room.size, needed = 0;
		uint8_t *reply = malloc(length);

		if (!reply)
			return BLKPR_NO_MEMORY;
		result = blkpr_prin_ask(port, BLKPR_PRIN_READ_KEYS, reply, &length);
		if (result == BLKPR_OK)
			result = blkpr_prin_parse_keys(reply, length, report, &needed);
		if (result == BLKPR_OK || result == BLKPR_UNSETTLED)
			result = blkpr_room_fit(&room, needed, result == BLKPR_OK);
		free(reply);
	}
	return result;
}

enum blkpr_result blkpr_prin_parse_reservation(
	const uint8_t *reply, size_t length, struct blkpr_report *report)
{
	uint32_t bytes;

	if (length < BLKPR_PRIN_HEADER)
		return BLKPR_MALFORMED;
	bytes = blkpr_prin_be32(reply + 4);
	if (bytes && (bytes < 16 || length < BLKPR_PRIN_HEADER + 16))
		return BLKPR_MALFORMED;
	report->generation = blkpr_prin_be32(reply);
	report->type = 0;
	report->holder = 0;
	if (!bytes)
		return BLKPR_OK;
	report->type = type_from_spc(reply[21] & 0xf);
	report->holder = blkpr_prin_be64(reply + 8);
	return report->type ? BLKPR_OK : BLKPR_MALFORMED;
}

enum blkpr_result blkpr_prin_read_reservation(const struct blkpr_port *port, struct blkpr_report *report)
{
	uint8_t reply[BLKPR_PRIN_HEADER + 16];
	size_t length = sizeof(reply);
	enum blkpr_result result = blkpr_prin_ask(port, BLKPR_PRIN_READ_RESERVATION, reply, &length);

	return result == BLKPR_OK ? blkpr_prin_parse_reservation(reply, length, report) : result;
}

enum blkpr_result blkpr_prin_parse_capabilities(
	const uint8_t *reply, size_t length, struct blkpr_capabilities *capabilities)
{
	unsigned mask;

	*capabilities = (struct blkpr_capabilities){ 0 };
	if (length < 8 || (reply[0] << 8 | reply[1]) < 8)
		return BLKPR_MALFORMED;
	capabilities->forgets = !(reply[3] & 0x01);
	if (!(reply[3] & 0x80)) /* TMV: the mask is valid */
		return BLKPR_OK;
	/* PERSISTENT RESERVATION TYPE MASK, SPC-4 table 228: a bit for each of SPC's types */
	mask = reply[4] | reply[5] << 8;
	for (unsigned spc = 0; spc < 16; spc++)
		if (mask >> spc & 1 && type_from_spc(spc))
			capabilities->types |= 1 << type_from_spc(spc);
	return BLKPR_OK;
}

enum blkpr_result blkpr_prin_read_capabilities(
	const struct blkpr_port *port, struct blkpr_capabilities *capabilities)
{
	uint8_t reply[8];
	size_t length = sizeof(reply);
	enum blkpr_result result = blkpr_prin_ask(port, BLKPR_PRIN_REPORT_CAPABILITIES, reply, &length);

	return result == BLKPR_OK ? blkpr_prin_parse_capabilities(reply, length, capabilities) : result;
}

#define MODE_SENSE_6 0x1a
#define DBD 0x08 /* no block descriptors */
#define CONTROL 0x0a /* mode page */
#define MODE_HEADER 4
#define TAS_BYTE 5 /* of the page */

enum blkpr_result blkpr_prin_parse_mute(const uint8_t *reply, size_t length, bool *mute)
{
	/* behind block descriptors */
	size_t page = length < MODE_HEADER ? 0 : MODE_HEADER + (size_t)reply[3];

	*mute = false;
	if (!page || length < page + TAS_BYTE + 1 || (reply[page] & 0x3f) != CONTROL)
		return BLKPR_MALFORMED;
	*mute = !(reply[page + TAS_BYTE] & 0x40);
	return BLKPR_OK;
}

enum blkpr_result blkpr_prin_read_mute(const struct blkpr_port *port, bool *mute)
{
	uint8_t reply[64] = { 0 };
	uint8_t cdb[6] = { MODE_SENSE_6, DBD, CONTROL, 0, sizeof(reply) };
	size_t length = sizeof(reply);
	enum blkpr_result result =
		blkpr_prin_submit(port, cdb, sizeof(cdb), SG_DXFER_FROM_DEV, reply, &length);

	*mute = false;
	return result == BLKPR_OK ? blkpr_prin_parse_mute(reply, length, mute) : result;
}
