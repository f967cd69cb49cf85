/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A SCSI host: an adapter's port, an iSCSI session; as sysfs knows it. */
#ifndef BLKPR_HOST_H
#define BLKPR_HOST_H

#include <stdbool.h>

/* The number of the host that FD's disk belongs to; -ENODEV if it is no SCSI disk. */
int blkpr_host_of(int fd, unsigned *host);

/*
 * Whether its driver is known to have no LUN RESET (no eh_device_reset_handler). SG_SCSI_RESET answers EIO then, and EIO
 * as well for a reset that failed, at once or not (drivers/scsi/scsi_error.c: scsi_ioctl_reset): so only the driver's name
 * tells.
 */
bool blkpr_host_lacks_reset(unsigned host);

#endif
