// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading registrations and reservation, by whichever transport the device has.
#include "lib/report.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/nvme.h"
#include "lib/prin.h"
#include "lib/room.h"

#define FIRST_ROOM 64     /* keys; 32 nodes with two paths */
#define MOST_KEYS 8190    /* 16 bits of ALLOCATION LENGTH, where sd cuts a larger one off */
#define MOST_ATTEMPTS 16  /* for the generation to stand still */

const char *const blkpr_transport_names[BLKPR_READ_TRANSPORTS] = {
	[BLKPR_READ_UNTRIED] = "none",
	[BLKPR_READ_IOCTL] = "READ ioctls",
	[BLKPR_READ_SGIO] = "SG_IO",
	[BLKPR_READ_NVME] = "NVMe passthrough",
};

bool blkpr_report_resize(struct blkpr_report *report, unsigned nkeys)
{
	uint64_t *keys = realloc(report->keys, (nkeys ? nkeys : 1) * sizeof(*keys));

	if (!keys)
		return false;
	report->keys = keys;
	return true;
}

void blkpr_report_clear(struct blkpr_report *report)
{
	free(report->keys);
	*report = (struct blkpr_report){ 0 };
}

unsigned blkpr_report_count(const struct blkpr_report *report, uint64_t key)
{
	unsigned count = 0;

	for (unsigned i = 0; i < report->nkeys; i++)
		count += report->keys[i] == key;
	return count;
}

/* READ_KEYS answers 0 and the real number when the room is too small (KERNEL.md, return codes). */
static enum blkpr_result read_keys(const struct blkpr_port *port, struct blkpr_report *report)
{
	struct blkpr_room room = { .size = FIRST_ROOM, .entry = 1, .most = MOST_KEYS };
	enum blkpr_result result = BLKPR_UNSETTLED;

	while (result == BLKPR_UNSETTLED) {
		struct blkpr_pr_read_keys keys = { .num_keys = (uint32_t)room.size };
		int rc;

		if (!blkpr_report_resize(report, (unsigned)room.size))
			return BLKPR_NO_MEMORY;
		keys.keys_ptr = (uintptr_t)report->keys;
		rc = ioctl(port->fd, BLKPR_IOC_PR_READ_KEYS, &keys);
		if (rc)
			return blkpr_result_from_ioctl(port->kind, rc, errno);
		report->nkeys = keys.num_keys;
		report->generation = keys.generation;
		result = blkpr_room_fit(&room, keys.num_keys, true);
	}
	/* SCSI has no key 0: it is what a reply that was cut short leaves behind */
	if (result == BLKPR_OK && blkpr_report_count(report, 0))
		return BLKPR_MALFORMED;
	return result;
}

static enum blkpr_result read_reservation(const struct blkpr_port *port, struct blkpr_report *reservation)
{
	struct blkpr_pr_read_reservation reply = { 0 };
	int rc = ioctl(port->fd, BLKPR_IOC_PR_READ_RESERVATION, &reply);

	if (rc)
		return blkpr_result_from_ioctl(port->kind, rc, errno);
	if (reply.type > PR_EXCLUSIVE_ACCESS_ALL_REGS)
		return BLKPR_MALFORMED;
	reservation->generation = reply.generation;
	reservation->type = reply.type;
	reservation->holder = reply.key;
	return BLKPR_OK;
}

/*
 * A transport reads the keys, then the reservation; NVMe reads both at once and has no second half.
 * NVMe is not read by ioctl: the kernel asks for the other form of a report only if the
 * controller's refusal has not DNR (nvme_pr_resv_report), and takes a short one for an extended one
 * where EDS is not looked at.
 */
static const struct reader {
	enum blkpr_result (*keys)(const struct blkpr_port *port, struct blkpr_report *report);
	enum blkpr_result (*reservation)(const struct blkpr_port *port, struct blkpr_report *report);
} readers[BLKPR_READ_TRANSPORTS] = {
	[BLKPR_READ_IOCTL] = { read_keys, read_reservation },
	[BLKPR_READ_SGIO] = { blkpr_prin_read_keys, blkpr_prin_read_reservation },
	[BLKPR_READ_NVME] = { blkpr_nvme_read_report, NULL },
};

/*
 * Two commands, one state: repeated until the generation is the same across both. RESERVE and
 * RELEASE do not count it up, but the reservation is read second, and that is the fresher half.
 * Where nothing is reserved there is nothing to compare (Linux 7.2 answers READ_RESERVATION with
 * generation 0 then) and nothing that a success could be concluded from.
 */
static enum blkpr_result read_with(
	const struct reader *reader, const struct blkpr_port *port, struct blkpr_report *report)
{
	for (unsigned attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
		struct blkpr_report reservation = { 0 };
		enum blkpr_result result = reader->keys(port, report);

		if (result != BLKPR_OK || !reader->reservation)
			return result;
		result = reader->reservation(port, &reservation);
		if (result != BLKPR_OK)
			return result;
		if (!reservation.type || reservation.generation == report->generation) {
			report->type = reservation.type;
			report->holder = reservation.holder;
			return BLKPR_OK;
		}
	}
	return BLKPR_UNSETTLED;
}

/*
 * Trap 9: a driver without the READ ioctls answers EINVAL, ENOTTY or EOPNOTSUPP; so do devices
 * without SG_IO.
 */
static bool transport_absent(enum blkpr_result result)
{
	return result == BLKPR_UNSUPPORTED || result == BLKPR_INVALID;
}

enum blkpr_result blkpr_report_read(
	const struct blkpr_port *port, enum blkpr_transport *transport, struct blkpr_report *report)
{
	bool nvme = port->kind == BLKPR_NVME;
	enum blkpr_transport first = nvme ? BLKPR_READ_NVME : BLKPR_READ_IOCTL;
	enum blkpr_transport last = nvme ? BLKPR_READ_NVME : BLKPR_READ_SGIO;
	enum blkpr_result result = BLKPR_UNSUPPORTED;

	*report = (struct blkpr_report){ 0 };
	if (*transport)
		first = last = *transport;
	for (enum blkpr_transport t = first; t <= last; t++) {
		result = read_with(&readers[t], port, report);
		if (result == BLKPR_OK) {
			*transport = t;
			return BLKPR_OK;
		}
		blkpr_report_clear(report);
		if (!transport_absent(result))
			return result;
	}
	return *transport ? result : BLKPR_UNSUPPORTED;
}

enum blkpr_result blkpr_report_ping(const struct blkpr_port *port)
{
	struct blkpr_report report = { 0 };
	enum blkpr_result result = port->kind == BLKPR_NVME ? blkpr_nvme_read_report(port, &report)
							    : blkpr_prin_read_reservation(port, &report);

	blkpr_report_clear(&report);
	return result;
}
