// SPDX-License-Identifier: LGPL-2.1-or-later
// Result codes: one table of names and sentences, one mapping from the kernel's three planes.
#include "lib/result.h"

#include <errno.h>

#include "lib/pr.h"

static const struct {
	const char *name, *sentence;
} texts[BLKPR_RESULT_COUNT] = {
	[BLKPR_OK] = { "ok", "done" },
	[BLKPR_CONFLICT] = { "conflict", "the device answered RESERVATION CONFLICT" },
	[BLKPR_ATTENTION] = { "attention", "the device answered CHECK CONDITION" },
	[BLKPR_BUSY] = { "busy", "the device stayed busy" },
	[BLKPR_UNSUPPORTED] = { "unsupported", "the device has no persistent reservations" },
	[BLKPR_INVALID] = { "invalid", "the device or its driver refused the command as invalid" },
	[BLKPR_DENIED] = { "denied", "permission denied" },
	[BLKPR_GONE] = { "gone", "the device is gone" },
	[BLKPR_PATH_FAILED] = { "path-failed", "no path to the device works" },
	[BLKPR_IO_ERROR] = { "io-error", "I/O error" },
	[BLKPR_MALFORMED] = { "malformed", "the device's reply contradicts itself" },
	[BLKPR_UNSETTLED] = { "unsettled", "the reservation changed under every attempt" },
	[BLKPR_NO_MEMORY] = { "no-memory", "out of memory" },
	[BLKPR_UNFINISHED] = { "unfinished", "no answer before the deadline" },
	[BLKPR_CRASHED] = { "crashed", "the process that worked on it died" },
	[BLKPR_VICTIM_ON] = { "on", "the node's key is registered" },
	[BLKPR_EVICTED] = { "evicted", "this node's key is not registered" },
	[BLKPR_FENCED] = { "fenced", "the cluster has fenced this node, and has not taken it back" },
	[BLKPR_UNKNOWN_KEYS] = { "unknown-keys", "a key that belongs to no cluster node is registered" },
	[BLKPR_UNRESERVED] = { "unreserved", "nobody holds a reservation" },
	[BLKPR_FOREIGN_TYPE] = { "foreign-type", "a reservation of another type is held" },
	[BLKPR_FEWER_PATHS] = { "fewer-paths", "this node's key is registered on fewer paths than there are" },
	[BLKPR_NOT_CAPABLE] = { "not-capable", "the device cannot do this reservation type" },
	[BLKPR_SHARED_NEXUS] = { "shared-nexus", "this node's nexus is registered with another node's key" },
	[BLKPR_REPLACED] = { "replaced", "this node has replaced the node's key in its own nexus" },
	[BLKPR_BARRED] = { "barred", "this node's key is registered, but not for the session that it has now" },
	[BLKPR_SHARED_KEY] = { "shared-key", "another initiator is registered with this node's key" },
	[BLKPR_TAKEN] = { "taken", "another key holds the reservation" },
	[BLKPR_STRANGERS] = { "strangers", "other keys are registered" },
	[BLKPR_UNEVICTED] = { "unevicted", "another key is still registered" },
	[BLKPR_UNDER_FENCING] = { "under-fencing", "a fence agent's key is registered" },
	[BLKPR_UNSTORABLE] = { "unstorable",
		"the device refuses a REGISTER with APTPL (that survives a power loss)" },
	[BLKPR_UNDRAINED] = { "undrained", "commands in flight could not be ended" },
	[BLKPR_UNCOUNTED] = { "uncounted", "registrations changed, and the PR generation did not" },
	[BLKPR_UNDRAINABLE] = { "undrainable", "nothing is known to end commands in flight" },
	[BLKPR_UNTOUCHED] = { "untouched", "not tried" },
};

const char *blkpr_result_name(enum blkpr_result result)
{
	return (unsigned)result < BLKPR_RESULT_COUNT ? texts[result].name : "?";
}

const char *blkpr_result_text(enum blkpr_result result)
{
	return (unsigned)result < BLKPR_RESULT_COUNT ? texts[result].sentence : "?";
}

int blkpr_result_unreachable(enum blkpr_result result)
{
	switch (result) {
	case BLKPR_ATTENTION:
	case BLKPR_BUSY:
	case BLKPR_GONE:
	case BLKPR_PATH_FAILED:
	case BLKPR_IO_ERROR:
	case BLKPR_UNFINISHED:
	case BLKPR_CRASHED:
		return 1;
	default:
		return 0;
	}
}

/* A code of the kernel's or of a device's, and what it means. */
struct meaning {
	int code;
	enum blkpr_result result;
};

#define ALL_OTHERS (-1) /* the last row of every table */

static enum blkpr_result look_up(const struct meaning *row, int code)
{
	while (row->code != code && row->code != ALL_OTHERS)
		row++;
	return row->result;
}

enum blkpr_result blkpr_result_from_errno(int err)
{
	static const struct meaning meanings[] = {
		{ EBADE, BLKPR_CONFLICT }, /* BLK_STS_RESV_CONFLICT, block/blk-core.c */
		{ EOPNOTSUPP, BLKPR_UNSUPPORTED },
		{ ENOTTY, BLKPR_UNSUPPORTED },
		{ EINVAL, BLKPR_INVALID },
		{ EPERM, BLKPR_DENIED },
		{ EACCES, BLKPR_DENIED },
		{ ENXIO, BLKPR_GONE },
		{ ENODEV, BLKPR_GONE },
		{ ENOENT, BLKPR_GONE },
		{ EAGAIN, BLKPR_BUSY },
		{ EBUSY, BLKPR_BUSY },
		{ EINTR, BLKPR_BUSY },
		{ ENOTCONN, BLKPR_PATH_FAILED }, /* a multipath map without a path */
		{ ENOLINK, BLKPR_PATH_FAILED },
		{ ETIMEDOUT, BLKPR_PATH_FAILED },
		{ ENOMEM, BLKPR_NO_MEMORY },
		{ ALL_OTHERS, BLKPR_IO_ERROR },
	};

	return look_up(meanings, err);
}

/* SAM-5 status codes, in the low byte of a SCSI result. */
static enum blkpr_result from_scsi_status(int rc)
{
	static const struct meaning meanings[] = {
		{ 0x18, BLKPR_CONFLICT }, /* 6.1 sd: 0x118 */
		{ 0x02, BLKPR_ATTENTION },
		{ 0x08, BLKPR_BUSY }, /* BUSY */
		{ 0x28, BLKPR_BUSY }, /* TASK SET FULL */
		{ 0x40, BLKPR_BUSY }, /* TASK ABORTED */
		{ ALL_OTHERS, BLKPR_IO_ERROR },
	};

	/* 6.1 sd: CHECK CONDITION for an invalid field (KERNEL trap 5) */
	return rc == 0x402 ? BLKPR_INVALID : look_up(meanings, rc & 0xff);
}

/*
 * Host bytes of include/scsi/scsi_status.h; three of them are enum pr_status values as well. NVMe
 * gives one of these for every status of type 3h, an ANA state that is changing among them: the next
 * look, which is by passthrough, tells which.
 */
static enum blkpr_result from_host_byte(enum blkpr_kind kind, int rc)
{
	static const struct meaning meanings[] = {
		{ 0x02, BLKPR_BUSY }, /* DID_BUS_BUSY */
		{ 0x08, BLKPR_BUSY }, /* DID_RESET */
		{ 0x0b, BLKPR_BUSY }, /* DID_SOFT_ERROR */
		{ 0x0c, BLKPR_BUSY }, /* DID_IMM_RETRY */
		{ 0x0d, BLKPR_BUSY }, /* DID_REQUEUE */
		{ 0x0e, BLKPR_BUSY }, /* DID_TRANSPORT_DISRUPTED = PR_STS_RETRY_PATH_FAILURE */
		{ 0x01, BLKPR_PATH_FAILED }, /* DID_NO_CONNECT = PR_STS_PATH_FAILED */
		{ 0x03, BLKPR_PATH_FAILED }, /* DID_TIME_OUT */
		{ 0x0f, BLKPR_PATH_FAILED }, /* DID_TRANSPORT_FAILFAST = PR_STS_PATH_FAST_FAILED */
		{ 0x14, BLKPR_PATH_FAILED }, /* DID_TRANSPORT_MARGINAL */
		{ ALL_OTHERS, BLKPR_IO_ERROR },
	};

	if (kind == BLKPR_NVME && rc == BLKPR_STS_PATH_FAILED)
		return BLKPR_BUSY;
	return look_up(meanings, (rc >> 16) & 0xff);
}

/*
 * NVMe status: code and type in the low 11 bits, Do Not Retry at 0x4000 (NVMe base 2.0, 3.3.3.2.1).
 */
static enum blkpr_result from_nvme_status(int rc)
{
	static const struct meaning meanings[] = {
		{ 0x083, BLKPR_CONFLICT }, /* Reservation Conflict; 6.1: 0x4083 */
		{ 0x001, BLKPR_UNSUPPORTED }, /* Invalid Command Opcode */
		{ 0x002, BLKPR_INVALID }, /* Invalid Field in Command */
		{ 0x082, BLKPR_BUSY }, /* Namespace Not Ready */
		{ 0x303, BLKPR_BUSY }, /* Asymmetric Access Transition */
		{ 0x371, BLKPR_BUSY }, /* Command Aborted By Host */
		{ 0x300, BLKPR_PATH_FAILED }, /* Internal Path Error */
		{ 0x301, BLKPR_PATH_FAILED }, /* the ANA states that last */
		{ 0x302, BLKPR_PATH_FAILED },
		{ 0x370, BLKPR_PATH_FAILED }, /* Host Pathing Error */
		{ ALL_OTHERS, BLKPR_IO_ERROR },
	};

	if (rc == 0x18) /* PR_STS_RESERVATION_CONFLICT */
		return BLKPR_CONFLICT;
	if (rc == 0x02) /* PR_STS_IOERR */
		return BLKPR_IO_ERROR;
	return look_up(meanings, rc & 0x7ff);
}

enum blkpr_result blkpr_result_from_ioctl(enum blkpr_kind kind, int rc, int err)
{
	if (rc == 0)
		return BLKPR_OK;
	if (rc < 0)
		return blkpr_result_from_errno(err);
	if (rc >> 16)
		return from_host_byte(kind, rc);
	return kind == BLKPR_NVME ? from_nvme_status(rc) : from_scsi_status(rc);
}
