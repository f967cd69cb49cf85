// SPDX-License-Identifier: LGPL-2.1-or-later
// Result codes: one table of names and sentences, one mapping from the kernel's three planes.
#include "lib/result.h"

#include <errno.h>
#include <stddef.h>

#include "lib/pr.h"

struct text {
	const char *name;
	const char *sentence;
};

static const struct text texts[BLKPR_RESULT_COUNT] = {
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

enum blkpr_result blkpr_result_from_errno(int err)
{
	switch (err) {
	case EBADE: /* BLK_STS_RESV_CONFLICT, block/blk-core.c */
		return BLKPR_CONFLICT;
	case EOPNOTSUPP:
	case ENOTTY:
		return BLKPR_UNSUPPORTED;
	case EINVAL:
		return BLKPR_INVALID;
	case EPERM:
	case EACCES:
		return BLKPR_DENIED;
	case ENXIO:
	case ENODEV:
	case ENOENT:
		return BLKPR_GONE;
	case EAGAIN:
	case EBUSY:
	case EINTR:
		return BLKPR_BUSY;
	case ENOTCONN: /* a multipath map without a path */
	case ENOLINK:
	case ETIMEDOUT:
		return BLKPR_PATH_FAILED;
	case ENOMEM:
		return BLKPR_NO_MEMORY;
	default:
		return BLKPR_IO_ERROR;
	}
}

/* SAM-5 status codes, in the low byte of a SCSI result. */
static enum blkpr_result from_scsi_status(int rc)
{
	if (rc == 0x402) /* 6.1 sd: CHECK CONDITION for an invalid field (KERNEL trap 5) */
		return BLKPR_INVALID;
	switch (rc & 0xff) {
	case 0x18: /* 6.1 sd: 0x118 */
		return BLKPR_CONFLICT;
	case 0x02:
		return BLKPR_ATTENTION;
	case 0x08: /* BUSY */
	case 0x28: /* TASK SET FULL */
	case 0x40: /* TASK ABORTED */
		return BLKPR_BUSY;
	default:
		return BLKPR_IO_ERROR;
	}
}

/*
 * Host bytes of include/scsi/scsi_status.h; three of them are enum pr_status values as well. NVMe
 * gives one of these for every status of type 3h, an ANA state that is changing among them: the
 * next look, which is by passthrough, tells which.
 */
static enum blkpr_result from_host_byte(enum blkpr_kind kind, int rc)
{
	if (kind == BLKPR_NVME && rc == BLKPR_STS_PATH_FAILED)
		return BLKPR_BUSY;
	switch ((rc >> 16) & 0xff) {
	case 0x02: /* DID_BUS_BUSY */
	case 0x08: /* DID_RESET */
	case 0x0b: /* DID_SOFT_ERROR */
	case 0x0c: /* DID_IMM_RETRY */
	case 0x0d: /* DID_REQUEUE */
	case 0x0e: /* DID_TRANSPORT_DISRUPTED = PR_STS_RETRY_PATH_FAILURE */
		return BLKPR_BUSY;
	case 0x01: /* DID_NO_CONNECT = PR_STS_PATH_FAILED */
	case 0x03: /* DID_TIME_OUT */
	case 0x0f: /* DID_TRANSPORT_FAILFAST = PR_STS_PATH_FAST_FAILED */
	case 0x14: /* DID_TRANSPORT_MARGINAL */
		return BLKPR_PATH_FAILED;
	default:
		return BLKPR_IO_ERROR;
	}
}

/*
 * NVMe status: code and type in the low 11 bits, Do Not Retry at 0x4000 (NVMe base 2.0, 3.3.3.2.1).
 */
static enum blkpr_result from_nvme_status(int rc)
{
	if (rc == 0x18) /* PR_STS_RESERVATION_CONFLICT */
		return BLKPR_CONFLICT;
	if (rc == 0x02) /* PR_STS_IOERR */
		return BLKPR_IO_ERROR;
	switch (rc & 0x7ff) {
	case 0x083: /* Reservation Conflict; 6.1: 0x4083 */
		return BLKPR_CONFLICT;
	case 0x001: /* Invalid Command Opcode */
		return BLKPR_UNSUPPORTED;
	case 0x002: /* Invalid Field in Command */
		return BLKPR_INVALID;
	case 0x082: /* Namespace Not Ready */
	case 0x303: /* Asymmetric Access Transition */
	case 0x371: /* Command Aborted By Host */
		return BLKPR_BUSY;
	case 0x300: /* Internal Path Error and the ANA states that last */
	case 0x301:
	case 0x302:
	case 0x370: /* Host Pathing Error */
		return BLKPR_PATH_FAILED;
	default:
		return BLKPR_IO_ERROR;
	}
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
