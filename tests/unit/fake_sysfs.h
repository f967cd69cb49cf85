/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory tree that looks like what sysfs shows of block devices, in a temporary directory. */
#ifndef FAKE_SYSFS_H
#define FAKE_SYSFS_H

/* Makes the tree, and removes it with all that is in it. */
void sysfs_create(void);
void sysfs_remove(void);

/* The full path of PATH in the tree; valid until the next call. */
const char *sysfs_path(const char *path);

/* A file with TEXT and a link to TARGET at PATH below the tree; directories on the way are made. */
void sysfs_write(const char *path, const char *text);
void sysfs_link(const char *path, const char *target);

/* Whole devices; WWID may be NULL. */
void sysfs_scsi_disk(const char *disk, const char *wwid);
void sysfs_nvme_disk(const char *disk, const char *subsystem, const char *wwid);
void sysfs_dm(const char *disk, const char *name, const char *uuid, const char *number);

/* PATH_DISK is a path of the map or the disk below the dm device MAP. */
void sysfs_stack(const char *map, const char *path_disk);

#endif
