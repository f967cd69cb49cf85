/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns among the workers of a process: one LUN RESET at a time for each SCSI host.
 *
 * A host's error handling takes one task management function at a time (drivers/scsi/libiscsi.c:
 * tmf_state; scsi_error.c: tmf_in_progress, which holds all other commands of the host up). A
 * second one fails, at once, and cannot be told from a driver that has none. Workers that only
 * tried again spent most of their time on that.
 */
#pragma once

/*
 * Waits until no other worker has the turn for the SCSI host that FD's disk belongs to; a worker
 * that hangs keeps it, as the kernel does that host. Returns what to pass on; NULL, which may be
 * passed on, too, if FD is no SCSI disk.
 */
void *blkpr_turn_take(int fd);
void blkpr_turn_pass(void *turn);

/* The same for a host by its number. */
void *blkpr_turn_take_host(unsigned host);
