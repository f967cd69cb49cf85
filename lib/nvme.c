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
#define PTPLS 9 /* byte of a Reservation Status about persistence through power loss */
#define LONG 64 /* bytes of the extended form's header, and of each of its entries */
#define BRIEF 24 /* of the short form's */
#define FIRST_BYTES (LONG + 63 * LONG)
#define MOST_BYTES (LONG + 65536 * LONG) /* as many as REGCTL can state, and one more */
#define INCONSISTENT 0x018 /* status Host Identifier Inconsistent Format */
#define DO_NOT_RETRY 0x4000

/* A Reservation Status is a header and an entry for each registered controller. */
static const struct layout {
	uint32_t extended; /* cdw11 bit 0: EDS of a report, EXHID of Get Features */
	size_t size;       /* of the header, and of an entry */
	size_t host, host_size, key; /* HOSTID and RKEY: where in an entry */
} layouts[BLKPR_NVME_FORMS] = {
	[BLKPR_NVME_EXTENDED] = { 1, LONG, .host = 16, .host_size = 16, .key = 8 },
	[BLKPR_NVME_SHORT] = { 0, BRIEF, .host = 8, .host_size = 8, .key = 16 },
};

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

/*
 * A status as the controller gave it. The block layer's commands may give an enum pr_status in its
 * place, of which 0x02 and 0x18 mean something else; no such number has the bit DNR.
 */
static enum blkpr_result from_status(int rc, int err)
{
	if (rc > 0 && (rc & 0x7ff) == INCONSISTENT)
		return BLKPR_INVALID;
	return blkpr_result_from_ioctl(BLKPR_NVME, rc > 0 ? rc | DO_NOT_RETRY : rc, err);
}

static enum blkpr_result submit(int fd, struct nvme_passthru_cmd *command)
{
	int nsid = ioctl(fd, NVME_IOCTL_ID);
	int rc;

	if (nsid <= 0)
		return nsid ? blkpr_result_from_errno(errno) : BLKPR_INVALID;
	command->nsid = (uint32_t)nsid;
	rc = ioctl(fd, NVME_IOCTL_IO_CMD, command);
	return from_status(rc, errno);
}

/* One Reservation Report, of as many bytes as fit. */
static enum blkpr_result ask(int fd, const struct layout *layout, uint8_t *reply, size_t size)
{
	struct nvme_passthru_cmd command = {
		.opcode = RESERVATION_REPORT,
		.addr = (uintptr_t)reply,
		.data_len = (uint32_t)size,
		.cdw10 = (uint32_t)(size / 4 - 1),
		.cdw11 = layout->extended,
	};

	return submit(fd, &command);
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
	while (count && !*bytes) {
		bytes++;
		count--;
	}
	return !count;
}

/*
 * Where the short form has its first entry, the extended one's header is reserved, and 0. An entry
 * is not: it has a host identifier, or at least a key.
 */
static bool has_form(enum blkpr_nvme_form form, const uint8_t *reply)
{
	if (form == BLKPR_NVME_EXTENDED)
		return is_zero(reply + BRIEF, LONG - BRIEF);
	return !is_zero(reply + BRIEF, BRIEF);
}

enum blkpr_result blkpr_nvme_parse_report(enum blkpr_nvme_form form, const uint8_t *reply,
	size_t length, const uint8_t *host, struct blkpr_report *report, size_t *needed)
{
	const struct layout *layout = &layouts[form];
	unsigned hosts;

	if (length < layout->size)
		return BLKPR_MALFORMED;
	hosts = get_le16(reply + 5);
	*needed = layout->size + hosts * layout->size;
	if (*needed > length)
		return BLKPR_UNSETTLED;
	if (reply[4] > PR_EXCLUSIVE_ACCESS_ALL_REGS) /* RTYPE has the kernel's numbers */
		return BLKPR_MALFORMED;
	if (hosts && !has_form(form, reply))
		return BLKPR_INVALID;
	if (!blkpr_report_resize(report, hosts))
		return BLKPR_NO_MEMORY;
	report->generation = (uint32_t)get_le64(reply);
	report->type = reply[4];
	report->holder = 0;
	report->nkeys = 0;
	for (unsigned i = 0; i < hosts; i++) {
		const uint8_t *entry = reply + layout->size + i * layout->size;

		if (entry[2] & 1) /* RCSTS: holds the reservation */
			report->holder = get_le64(entry + layout->key);
		if (!host || !memcmp(entry + layout->host, host, layout->host_size))
			report->keys[report->nkeys++] = get_le64(entry + layout->key);
	}
	return BLKPR_OK;
}

static enum blkpr_result read_form(enum blkpr_nvme_form form, const struct blkpr_port *port,
	const uint8_t *host, struct blkpr_report *report)
{
	struct blkpr_room room = {
		.size = FIRST_BYTES, .entry = layouts[form].size, .most = MOST_BYTES };
	enum blkpr_result result = BLKPR_UNSETTLED;

	while (result == BLKPR_UNSETTLED) {
		size_t needed = 0;
		uint8_t *reply = calloc(1, room.size);

		if (!reply)
			return BLKPR_NO_MEMORY;
		result = ask(port->fd, &layouts[form], reply, room.size);
		if (result == BLKPR_OK)
			result = blkpr_nvme_parse_report(
				form, reply, room.size, host, report, &needed);
		if (result == BLKPR_OK || result == BLKPR_UNSETTLED)
			result = blkpr_room_fit(&room, needed, result == BLKPR_OK);
		free(reply);
	}
	return result;
}

static enum blkpr_result read_report(
	const struct blkpr_port *port, const uint8_t *host, struct blkpr_report *report)
{
	enum blkpr_result result = BLKPR_INVALID;

	for (unsigned form = 0; form < BLKPR_NVME_FORMS && result == BLKPR_INVALID; form++)
		result = read_form(form, port, host, report);
	return result;
}

enum blkpr_result blkpr_nvme_read_report(const struct blkpr_port *port, struct blkpr_report *report)
{
	return read_report(port, NULL, report);
}

enum blkpr_result blkpr_nvme_read_forgets(const struct blkpr_port *port, bool *forgets)
{
	enum blkpr_result result = BLKPR_INVALID;
	uint8_t header[LONG] = { 0 };

	for (unsigned form = 0; form < BLKPR_NVME_FORMS && result == BLKPR_INVALID; form++)
		result = ask(port->fd, &layouts[form], header, sizeof(header));
	*forgets = result == BLKPR_OK && !(header[PTPLS] & 1);
	return result;
}

/* As the controller has it, which is what the namespace's registrations are by. */
static enum blkpr_result read_host_id(int fd, uint8_t host[BLKPR_NVME_HOST])
{
	enum blkpr_result result = BLKPR_INVALID;

	for (unsigned form = 0; form < BLKPR_NVME_FORMS && result == BLKPR_INVALID; form++) {
		struct nvme_passthru_cmd command = {
			.opcode = GET_FEATURES,
			.addr = (uintptr_t)host,
			.data_len = (uint32_t)layouts[form].host_size,
			.cdw10 = HOST_IDENTIFIER,
			.cdw11 = layouts[form].extended,
		};
		int rc = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);

		result = from_status(rc, errno);
	}
	return result;
}

enum blkpr_result blkpr_nvme_read_keys_of_self(const struct blkpr_port *port, struct blkpr_report *report)
{
	uint8_t host[BLKPR_NVME_HOST] = { 0 };
	enum blkpr_result result = read_host_id(port->fd, host);

	/* NVMe base 2.0, 5.27.1.25: no host identifier has been set */
	if (result == BLKPR_OK && is_zero(host, sizeof(host)))
		return BLKPR_UNSUPPORTED;
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
