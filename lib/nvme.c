// SPDX-License-Identifier: LGPL-2.1-or-later
// NVMe Reservation Report and the one Reservation Register that the kernel does not offer.
#include "lib/nvme.h"

#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/room.h"

#define FLUSH 0x00
#define GET_FEATURES 0x0a
#define HOST_IDENTIFIER 0x81
#define RESERVATION_REGISTER 0x0d
#define RESERVATION_REPORT 0x0e
#define UNREGISTER 1         /* RREGA, cdw10 bits 2:0 */
#define REPLACE 2
#define PERSISTENT (3u << 30) /* CPTPL, as drivers/nvme/host/pr.c */
#define EXTENDED 1           /* EDS, cdw11 bit 0: 128-bit host ids; required by every target seen */
#define HEADER 64            /* Reservation Status Extended Data Structure, before the first entry */
#define PTPLS 9              /* its byte about persistence through power loss */
#define ENTRY 64             /* Registered Controller Extended Data Structure */
#define FIRST_BYTES (HEADER + 63 * ENTRY)
#define MOST_BYTES (HEADER + 65536 * ENTRY) /* as many as REGCTL can state, and one more */

static uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint64_t get_le64(const uint8_t *p)
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--)
		value = value << 8 | p[i];
	return value;
}

static enum blkpr_result submit(int fd, struct nvme_passthru_cmd *command)
{
	int nsid = ioctl(fd, NVME_IOCTL_ID);
	int rc;

	if (nsid <= 0)
		return nsid ? blkpr_result_from_errno(errno) : BLKPR_INVALID;
	command->nsid = (uint32_t)nsid;
	rc = ioctl(fd, NVME_IOCTL_IO_CMD, command);
	return blkpr_result_from_ioctl(BLKPR_NVME, rc, errno);
}

/* HOST: whose keys; NULL: everybody's. */
static enum blkpr_result parse(const uint8_t *reply, size_t length, const uint8_t *host, struct blkpr_report *report,
	size_t *needed)
{
	unsigned hosts;

	if (length < HEADER)
		return BLKPR_MALFORMED;
	hosts = get_le16(reply + 5);
	*needed = HEADER + (size_t)hosts * ENTRY;
	if (*needed > length)
		return BLKPR_UNSETTLED;
	if (reply[4] > PR_EXCLUSIVE_ACCESS_ALL_REGS) /* RTYPE has the kernel's numbers */
		return BLKPR_MALFORMED;
	if (!blkpr_report_resize(report, hosts))
		return BLKPR_NO_MEMORY;
	report->generation = (uint32_t)get_le64(reply);
	report->type = reply[4];
	report->holder = 0;
	report->nkeys = 0;
	for (unsigned i = 0; i < hosts; i++) {
		const uint8_t *entry = reply + HEADER + (size_t)i * ENTRY;

		if (entry[2] & 1) /* RCSTS: holds the reservation */
			report->holder = get_le64(entry + 8);
		if (!host || !memcmp(entry + 16, host, BLKPR_NVME_HOST))
			report->keys[report->nkeys++] = get_le64(entry + 8);
	}
	return BLKPR_OK;
}

enum blkpr_result blkpr_nvme_parse_report(
	const uint8_t *reply, size_t length, struct blkpr_report *report, size_t *needed)
{
	return parse(reply, length, NULL, report, needed);
}

enum blkpr_result blkpr_nvme_parse_keys_of(const uint8_t *reply, size_t length, const uint8_t host[BLKPR_NVME_HOST],
	struct blkpr_report *report, size_t *needed)
{
	return parse(reply, length, host, report, needed);
}

static enum blkpr_result read_report(const struct blkpr_port *port, const uint8_t *host, struct blkpr_report *report)
{
	struct blkpr_room room = { .size = FIRST_BYTES, .entry = ENTRY, .most = MOST_BYTES };
	enum blkpr_result result = BLKPR_UNSETTLED;

	while (result == BLKPR_UNSETTLED) {
		size_t needed = 0;
		uint8_t *reply = calloc(1, room.size);
		struct nvme_passthru_cmd command = {
			.opcode = RESERVATION_REPORT,
			.addr = (uintptr_t)reply,
			.data_len = (uint32_t)room.size,
			.cdw10 = (uint32_t)(room.size / 4 - 1),
			.cdw11 = EXTENDED,
		};

		if (!reply)
			return BLKPR_NO_MEMORY;
		result = submit(port->fd, &command);
		if (result == BLKPR_OK)
			result = parse(reply, room.size, host, report, &needed);
		if (result == BLKPR_OK || result == BLKPR_UNSETTLED)
			result = blkpr_room_fit(&room, needed, result == BLKPR_OK);
		free(reply);
	}
	return result;
}

enum blkpr_result blkpr_nvme_read_forgets(const struct blkpr_port *port, bool *forgets)
{
	uint8_t header[HEADER] = { 0 };
	struct nvme_passthru_cmd command = {
		.opcode = RESERVATION_REPORT,
		.addr = (uintptr_t)header,
		.data_len = sizeof(header),
		.cdw10 = sizeof(header) / 4 - 1,
		.cdw11 = EXTENDED,
	};
	enum blkpr_result result = submit(port->fd, &command);

	*forgets = result == BLKPR_OK && !(header[PTPLS] & 1);
	return result;
}

enum blkpr_result blkpr_nvme_read_report(const struct blkpr_port *port, struct blkpr_report *report)
{
	return read_report(port, NULL, report);
}

/* As the controller has it, which is what the namespace's registrations are by. */
static enum blkpr_result read_host_id(int fd, uint8_t host[BLKPR_NVME_HOST])
{
	struct nvme_passthru_cmd command = {
		.opcode = GET_FEATURES,
		.addr = (uintptr_t)host,
		.data_len = BLKPR_NVME_HOST,
		.cdw10 = HOST_IDENTIFIER,
		.cdw11 = EXTENDED, /* EXHID: 128 bits */
	};
	int rc = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);

	return blkpr_result_from_ioctl(BLKPR_NVME, rc, errno);
}

enum blkpr_result blkpr_nvme_read_keys_of_self(const struct blkpr_port *port, struct blkpr_report *report)
{
	static const uint8_t unset[BLKPR_NVME_HOST];
	uint8_t host[BLKPR_NVME_HOST] = { 0 };
	enum blkpr_result result = read_host_id(port->fd, host);

	if (result == BLKPR_OK && !memcmp(host, unset, sizeof(host)))
		return BLKPR_UNSUPPORTED; /* NVMe base 2.0, 5.27.1.25: no host identifier has been set */
	return result == BLKPR_OK ? read_report(port, host, report) : result;
}

static enum blkpr_result submit_register(int fd, uint32_t cdw10, uint64_t current, uint64_t new)
{
	uint8_t keys[16]; /* CRKEY, NRKEY, little-endian */
	struct nvme_passthru_cmd command = {
		.opcode = RESERVATION_REGISTER,
		.addr = (uintptr_t)keys,
		.data_len = sizeof(keys),
		.cdw10 = cdw10,
	};

	for (unsigned i = 0; i < 8; i++) {
		keys[i] = (uint8_t)(current >> 8 * i);
		keys[8 + i] = (uint8_t)(new >> 8 * i);
	}
	return submit(fd, &command);
}

enum blkpr_result blkpr_nvme_unregister(int fd, uint64_t key)
{
	return submit_register(fd, UNREGISTER, key, 0);
}

enum blkpr_result blkpr_nvme_replace_zero(int fd, uint64_t key)
{
	return submit_register(fd, REPLACE | PERSISTENT, 0, key);
}

enum blkpr_result blkpr_nvme_flush(int fd)
{
	struct nvme_passthru_cmd command = { .opcode = FLUSH };

	return submit(fd, &command);
}
