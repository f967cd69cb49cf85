// SPDX-License-Identifier: LGPL-2.1-or-later
// WRITE of no block, MODE SELECT without a page; NVMe Flush.
#include "lib/probe.h"

#include <scsi/sg.h>
#include <stdbool.h>
#include <string.h>

#include "lib/host.h"
#include "lib/nvme.h"
#include "lib/prin.h"

#define MODE_SELECT_6 0x15
#define WRITE_10 0x2a

/*
 * SPC-4 table 43: MODE SELECT conflicts with every reservation that a WRITE conflicts with. A
 * parameter list of a header alone selects nothing (SPC-4 6.10).
 */
static enum blkpr_result select_nothing(const struct blkpr_port *port)
{
	uint8_t cdb[6] = { MODE_SELECT_6, 0x10 /* PF */, [4] = 4 };
	uint8_t header[4] = { 0 };
	size_t length = sizeof(header);

	return blkpr_prin_submit(port, cdb, sizeof(cdb), SG_DXFER_TO_DEV, header, &length);
}

/* TRANSFER LENGTH 0: no block is written (SBC-3 5.32); no data are sent that could be. */
static enum blkpr_result write_nothing(const struct blkpr_port *port)
{
	uint8_t cdb[10] = { WRITE_10 };
	size_t none = 0;

	return blkpr_prin_submit(port, cdb, sizeof(cdb), SG_DXFER_NONE, NULL, &none);
}

/* LIO judges by whether data are sent (target_core_pr.c): so it refuses no WRITE without any. */
static bool looks_at_data_only(const struct blkpr_port *port)
{
	char vendor[BLKPR_VENDOR_SIZE];

	return !blkpr_host_vendor(port->fd, vendor) && !strcmp(vendor, "LIO-ORG");
}

/* A refusal for any reason but the reservation says that the reservation was no reason. */
static enum blkpr_result heed(enum blkpr_result result)
{
	return result == BLKPR_INVALID || result == BLKPR_UNSUPPORTED ? BLKPR_OK : result;
}

enum blkpr_result blkpr_probe_writes(const struct blkpr_port *port)
{
	enum blkpr_result result;

	if (port->kind == BLKPR_NVME)
		return blkpr_nvme_flush(port->fd);
	result = heed(write_nothing(port));
	if (result == BLKPR_OK && looks_at_data_only(port))
		result = heed(select_nothing(port));
	return result;
}
