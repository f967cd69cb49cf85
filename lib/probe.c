// SPDX-License-Identifier: LGPL-2.1-or-later
// WRITE of no block, MODE SELECT without a page; NVMe Flush.
#include "lib/probe.h"

#include <errno.h>
#include <scsi/sg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/host.h"
#include "lib/nvme.h"
#include "lib/prin.h"

#define MODE_SELECT_6 0x15
#define WRITE_10 0x2a
#define COMMAND_MS 30000 /* as lib/prin.c */

/* A refusal for any reason but the reservation says that the reservation was no reason. */
static enum blkpr_result verdict(const struct sg_io_hdr *io)
{
	enum blkpr_result result = BLKPR_OK;

	if (io->host_status)
		return blkpr_result_from_ioctl(BLKPR_SCSI, io->host_status << 16, 0);
	if (io->status == 0x02)
		result = blkpr_prin_parse_sense(io->sbp, io->sb_len_wr);
	else if (io->status)
		result = blkpr_result_from_ioctl(BLKPR_SCSI, io->status, 0);
	return result == BLKPR_INVALID || result == BLKPR_UNSUPPORTED ? BLKPR_OK : result;
}

/* SENT may be NULL if LENGTH is 0. */
static enum blkpr_result submit(
	const struct blkpr_port *port, uint8_t cdb[], uint8_t cdb_length, uint8_t *sent, unsigned length)
{
	uint8_t sense[64] = { 0 };
	struct sg_io_hdr io = {
		.interface_id = 'S',
		.dxfer_direction = length ? SG_DXFER_TO_DEV : SG_DXFER_NONE,
		.cmd_len = cdb_length,
		.cmdp = cdb,
		.mx_sb_len = sizeof(sense),
		.sbp = sense,
		.dxfer_len = length,
		.dxferp = sent,
		.timeout = COMMAND_MS,
	};

	return ioctl(port->fd, SG_IO, &io) < 0 ? blkpr_result_from_errno(errno) : verdict(&io);
}

/*
 * SPC-4 table 43: MODE SELECT conflicts with every reservation that a WRITE conflicts with. A
 * parameter list of a header alone selects nothing (SPC-4 6.10).
 */
static enum blkpr_result select_nothing(const struct blkpr_port *port)
{
	uint8_t cdb[6] = { MODE_SELECT_6, 0x10 /* PF */, [4] = 4 };
	uint8_t header[4] = { 0 };

	return submit(port, cdb, sizeof(cdb), header, sizeof(header));
}

/* TRANSFER LENGTH 0: no block is written (SBC-3 5.32); no data are sent that could be. */
static enum blkpr_result write_nothing(const struct blkpr_port *port)
{
	uint8_t cdb[10] = { WRITE_10 };

	return submit(port, cdb, sizeof(cdb), NULL, 0);
}

/* LIO judges by whether data are sent (target_core_pr.c): so it refuses no WRITE without any. */
static bool looks_at_data_only(const struct blkpr_port *port)
{
	char vendor[BLKPR_VENDOR_SIZE];

	return !blkpr_host_vendor(port->fd, vendor) && !strcmp(vendor, "LIO-ORG");
}

enum blkpr_result blkpr_probe_writes(const struct blkpr_port *port)
{
	enum blkpr_result result;

	if (port->kind == BLKPR_NVME)
		return blkpr_nvme_flush(port->fd);
	result = write_nothing(port);
	return result == BLKPR_OK && looks_at_data_only(port) ? select_nothing(port) : result;
}
