/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A SCSI host (an adapter's port, an iSCSI session), and how far a LUN RESET by it gets. */
#pragma once

/* Where a LUN RESET gets that this node sends to a disk; of SCSI's the better is the greater. */
enum blkpr_reach {
	BLKPR_REACH_NONE,      /* nowhere: the driver has none */
	BLKPR_REACH_ELSEWHERE, /* a hypervisor answers it, and ends its guest's commands at most */
	BLKPR_REACH_UNKNOWN,   /* the driver is not in the table */
	BLKPR_REACH_TARGET,    /* the target, which ends everybody's commands (SAM-5 7.7) */
	BLKPR_REACH_NVME,      /* NVMe has no such command */
	BLKPR_REACHES
};

/* What is said of a driver: "the driver virtio_scsi ..."; NULL for BLKPR_REACH_NVME. */
extern const char *const blkpr_reach_texts[BLKPR_REACHES];

/*
 * The number of the host that FD's disk belongs to, or the disk with that kernel name ("sdb");
 * -ENODEV if it is no SCSI disk.
 */
int blkpr_host_of(int fd, unsigned *host);
int blkpr_host_of_disk(const char *disk, unsigned *host);

#define BLKPR_DRIVER_SIZE 32

/*
 * The name of HOST's driver: its proc_name, or, where the driver gives none, that of the driver
 * that is bound to the adapter. SYSFS is "/sys", but for tests. -ENODEV: that cannot be told.
 */
int blkpr_host_driver(const char *sysfs, unsigned host, char driver[BLKPR_DRIVER_SIZE]);

/*
 * How far a LUN RESET by DRIVER gets. SG_SCSI_RESET does not tell: it gives 0 for one that a
 * hypervisor has answered, and EIO for one that failed as for one that the driver does not have
 * (drivers/scsi/scsi_error.c: scsi_ioctl_reset).
 */
enum blkpr_reach blkpr_host_driver_reach(const char *driver);

/* Both at once, below /sys. DRIVER is "" if it cannot be told, and BLKPR_REACH_UNKNOWN returned. */
enum blkpr_reach blkpr_host_reach(unsigned host, char driver[BLKPR_DRIVER_SIZE]);

#define BLKPR_VENDOR_SIZE 9

/* T10 VENDOR IDENTIFICATION of FD's disk, without trailing blanks; -ENODEV if it cannot be told. */
int blkpr_host_vendor(int fd, char vendor[BLKPR_VENDOR_SIZE]);
