/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a command, a read or a whole protocol on one device came to. */
#pragma once

#include <stdint.h>

/*
 * Which driver's status codes a device answers with; a multipath map answers with those of its
 * paths.
 */
enum blkpr_kind { BLKPR_SCSI, BLKPR_NVME };

/*
 * One enum for all three planes (-errno, enum pr_status, raw SCSI or NVMe status), and for what the
 * protocols conclude. Only BLKPR_OK is success.
 */
enum blkpr_result {
	BLKPR_OK,
	/* what one command came back with */
	BLKPR_CONFLICT,    /* RESERVATION CONFLICT: refused, nothing changed; never retried
			      blindly */
	BLKPR_ATTENTION,   /* CHECK CONDITION, most likely a unit attention: not executed (KERNEL
			      trap 6) */
	BLKPR_BUSY,        /* BUSY, TASK SET FULL or a passing path failure: worth another try */
	BLKPR_UNSUPPORTED, /* the device or its driver has no persistent reservations */
	BLKPR_INVALID,     /* refused as malformed */
	BLKPR_DENIED,      /* no permission */
	BLKPR_GONE,        /* no such device any more */
	BLKPR_PATH_FAILED, /* no path to the device */
	BLKPR_IO_ERROR,
	BLKPR_MALFORMED, /* a reply that contradicts itself: never read as "nothing registered" */
	BLKPR_UNSETTLED, /* changed under every attempt */
	BLKPR_NO_MEMORY,
	BLKPR_UNFINISHED, /* no answer before the deadline */
	BLKPR_CRASHED,    /* the worker died */
	/* what a protocol concluded from reading */
	BLKPR_VICTIM_ON,     /* the victim's key is registered */
	BLKPR_EVICTED,       /* this node's key is not registered */
	BLKPR_FENCED,        /* so it is, and must not be registered again */
	BLKPR_UNKNOWN_KEYS,  /* a key of no cluster node is registered and spoils the proof */
	BLKPR_UNRESERVED,    /* no reservation: registrations alone keep nobody out */
	BLKPR_FOREIGN_TYPE,  /* a reservation of another type, not ours to break (S6) */
	BLKPR_FEWER_PATHS,   /* registered on fewer paths than the device has */
	BLKPR_NOT_CAPABLE,   /* the device says that it cannot do the reservation type */
	BLKPR_SHARED_NEXUS,  /* this node's own nexus is registered with another node's key */
	BLKPR_REPLACED,      /* the victim's key is absent because this node has replaced it in its
				own nexus */
	BLKPR_BARRED,        /* this node's key is registered, and its writes are refused */
	BLKPR_SHARED_KEY,    /* another initiator is registered with this node's key */
	BLKPR_TAKEN,         /* another key holds the reservation */
	BLKPR_STRANGERS,     /* other keys are registered, and can write */
	BLKPR_UNEVICTED,     /* PREEMPT of another key was answered with success, and did nothing */
	BLKPR_UNDER_FENCING, /* a fence agent's key is registered: the disk is its */
	BLKPR_UNSTORABLE,    /* REGISTER with APTPL is refused */
	BLKPR_UNDRAINED,     /* commands in flight could not be ended */
	BLKPR_UNCOUNTED,     /* the PR generation stood still where it had to move */
	BLKPR_UNDRAINABLE,   /* nothing is known to end them */
	BLKPR_UNTOUCHED,     /* not tried, since the arbiter decided against this node */
	BLKPR_RESULT_COUNT
};

/*
 * The verdict on a PR ioctl: RC is what ioctl() returned, ERR is errno if that is negative.
 * Covers kernels 6.1 to 7.x (KERNEL.md traps 5, 6, 9; include/uapi/linux/pr.h; drivers/scsi/sd.c;
 * drivers/nvme/host/pr.c). Never BLKPR_OK unless RC is 0.
 */
enum blkpr_result blkpr_result_from_ioctl(enum blkpr_kind kind, int rc, int err);

/* The same for an errno alone (open, SG_IO and NVMe passthrough that failed as system calls). */
enum blkpr_result blkpr_result_from_errno(int err);

/* Whether the device could not be asked at all: nobody's state is known from such a result. */
int blkpr_result_unreachable(enum blkpr_result result);

/* A short name for logs and tests ("conflict"), and a sentence for people. Never NULL. */
const char *blkpr_result_name(enum blkpr_result result);
const char *blkpr_result_text(enum blkpr_result result);
