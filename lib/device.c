// SPDX-License-Identifier: LGPL-2.1-or-later
// What a device name stands for, read from sysfs.
#include "lib/device.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/sysfs.h"

/*
 * sysfs writes SCSI identities as "naa.6001...", "eui.0011..." or "t10.VENDOR  MODEL ...";
 * multipath and udev write the same ones as "36001...", "20011...", "1VENDOR_MODEL_...". NVMe's are
 * the same in both.
 */
static char *normalise_wwid(enum blkpr_kind kind, const char *wwid)
{
	static const struct {
		const char *prefix;
		char digit;
	} designators[] = { { "t10.", '1' }, { "eui.", '2' }, { "naa.", '3' } };
	char *out = malloc(strlen(wwid) + 2), *p = out;
	bool blank = false;

	if (!out)
		return NULL;
	for (unsigned i = 0; kind == BLKPR_SCSI && i < sizeof(designators) / sizeof(*designators); i++) {
		if (strncmp(wwid, designators[i].prefix, 4))
			continue;
		*p++ = designators[i].digit;
		wwid += 4;
		break;
	}
	for (; *wwid; wwid++) {
		if (!isspace((unsigned char)*wwid)) {
			if (blank)
				*p++ = '_';
			*p++ = *wwid == '/' ? '_' : *wwid;
		}
		blank = isspace((unsigned char)*wwid);
	}
	*p = '\0';
	return out;
}

static int refuse(struct blkpr_device *device, struct blkpr_error *error)
{
	return blkpr_error_fail(error, -EOPNOTSUPP,
		"%s: not a SCSI, NVMe or multipath disk, so it has no persistent reservations; name "
		"a shared disk that has (loop devices, RAM disks and plain virtio disks do not)",
		device->name);
}

/*
 * The driver's subsystem: "scsi", "nvme"; NULL for partitions, device-mapper and whatever has no
 * driver.
 */
static const char *read_subsystem(const char *sysfs, char *link, size_t size)
{
	return blkpr_sysfs_link(sysfs, "device/subsystem", link, size);
}

/* A plain disk: kind and identity from the driver's attributes. */
static int inspect_disk(const char *sysfs, struct blkpr_device *device, struct blkpr_error *error)
{
	char text[512], link[PATH_MAX];
	const char *subsystem = read_subsystem(sysfs, link, sizeof(link)), *wwid = NULL;

	if (subsystem && !strcmp(subsystem, "scsi")) {
		const char *type = blkpr_sysfs_read(sysfs, "device/type", text, sizeof(text));

		device->kind = BLKPR_SCSI;
		if (type && strcmp(type, "0"))
			return blkpr_error_fail(error, -EOPNOTSUPP,
				"%s: a SCSI device, but no disk (type %s); name a disk",
				device->name, type);
		wwid = blkpr_sysfs_read(sysfs, "device/wwid", text, sizeof(text));
	} else if (subsystem && (!strcmp(subsystem, "nvme") || !strcmp(subsystem, "nvme-subsystem"))) {
		device->kind = BLKPR_NVME;
		wwid = blkpr_sysfs_read(sysfs, "wwid", text, sizeof(text));
	} else {
		return refuse(device, error);
	}
	if (!wwid)
		return blkpr_error_fail(error, -ENODATA,
			"%s: has no WWID (no VPD page 0x83 identifier), so nodes cannot agree on "
			"which disk it is; configure a unique serial number on the target",
			device->name);
	device->wwid = normalise_wwid(device->kind, wwid);
	device->paths = 1;
	return device->wwid ? 0 : -ENOMEM;
}

static int is_multipath(const char *sysfs)
{
	char text[256];
	const char *uuid = blkpr_sysfs_read(sysfs, "dm/uuid", text, sizeof(text));

	return uuid && !strncmp(uuid, "mpath-", 6);
}

static int add_path_name(struct blkpr_device *map, const char *name)
{
	char (*names)[32] = realloc(map->path_names, (map->npaths + 1) * sizeof(*names));

	if (!names)
		return -ENOMEM;
	map->path_names = names;
	snprintf(names[map->npaths++], sizeof(*names), "%s", name);
	return 0;
}

/* A map takes kind and identity from its first path, and counts its paths. */
static int visit_path(const char *sysfs, const char *entry, void *arg)
{
	struct blkpr_device *map = arg, path = { .name = map->name };
	struct blkpr_error ignored;

	if (inspect_disk(sysfs, &path, &ignored))
		return 0;
	if (add_path_name(map, entry)) {
		free(path.wwid);
		return -ENOMEM;
	}
	map->paths++;
	map->kind = path.kind;
	if (map->wwid)
		free(path.wwid);
	else
		map->wwid = path.wwid;
	return 0;
}

static int inspect_map(const char *sysfs, struct blkpr_device *device, struct blkpr_error *error)
{
	char text[512];
	const char *uuid;

	device->multipath = true;
	device->paths = 0;
	device->learned = calloc(1, sizeof(*device->learned));
	if (blkpr_sysfs_visit(sysfs, "slaves", visit_path, device))
		return -ENOMEM;
	if (device->kind == BLKPR_NVME)
		device->paths = 1;
	if (device->wwid)
		return 0;
	/* no path left: the name is all there is, and every command will say what is wrong */
	uuid = blkpr_sysfs_read(sysfs, "dm/uuid", text, sizeof(text));
	if (!uuid)
		return blkpr_error_fail(error, -ENODATA,
			"%s: the multipath map has no identity (dm/uuid)", device->name);
	device->wwid = normalise_wwid(BLKPR_NVME, uuid + strlen("mpath-"));
	return device->wwid ? 0 : -ENOMEM;
}

/* device-mapper: only multipath maps stand for a whole disk. */
static int inspect_dm(const char *sysfs, struct blkpr_device *device, struct blkpr_error *error)
{
	char text[256];
	const char *uuid = blkpr_sysfs_read(sysfs, "dm/uuid", text, sizeof(text));

	if (is_multipath(sysfs))
		return inspect_map(sysfs, device, error);
	if (uuid && !strncmp(uuid, "part", 4))
		return blkpr_error_fail(error, -EPERM,
			"%s: a partition of a multipath map; "
			"reservations belong to the whole disk: name the map", device->name);
	return blkpr_error_fail(error, -EOPNOTSUPP,
		"%s: a device-mapper device that is no multipath map%s; name the disk below it",
		device->name, uuid && !strncmp(uuid, "LVM-", 4) ? " (a logical volume)" : "");
}

struct holder {
	char sysfs[PATH_MAX];
	char name[NAME_MAX + 1];
};

static int visit_holder(const char *sysfs, const char *entry, void *arg)
{
	struct holder *holder = arg;

	if (!is_multipath(sysfs))
		return 0;
	snprintf(holder->sysfs, sizeof(holder->sysfs), "%s", sysfs);
	snprintf(holder->name, sizeof(holder->name), "%s", entry);
	return 1;
}

/*
 * A path that belongs to a multipath map stands for the map: registering one path is the classic
 * mistake.
 */
static int inspect_path_of_map(const struct holder *holder, struct blkpr_device *device,
	struct blkpr_error *error)
{
	char text[32];
	const char *number = blkpr_sysfs_read(holder->sysfs, "dev", text, sizeof(text));
	unsigned int major_number, minor_number;
	char *path;

	if (!number || sscanf(number, "%u:%u", &major_number, &minor_number) != 2)
		return blkpr_error_fail(error, -ENODATA,
			"%s: belongs to the multipath map %s, which cannot be read; name the map",
			device->name, holder->name);
	if (asprintf(&path, "/dev/%s", holder->name) < 0)
		return -ENOMEM;
	free(device->path);
	device->path = path;
	device->number = makedev(major_number, minor_number);
	return inspect_map(holder->sysfs, device, error);
}

/* Block devices without a driver of their own. */
static int inspect_undriven(const char *sysfs, struct blkpr_device *device, struct blkpr_error *error)
{
	char text[256];

	if (blkpr_sysfs_read(sysfs, "partition", text, sizeof(text)))
		return blkpr_error_fail(error, -EPERM,
			"%s: a partition; reservations belong to the whole disk: name the disk",
			device->name);
	if (blkpr_sysfs_read(sysfs, "dm/name", text, sizeof(text)))
		return inspect_dm(sysfs, device, error);
	return refuse(device, error);
}

static int inspect(const char *sysfs, struct blkpr_device *device, struct blkpr_error *error)
{
	char link[PATH_MAX];
	struct holder holder;

	if (!read_subsystem(sysfs, link, sizeof(link)))
		return inspect_undriven(sysfs, device, error);
	if (blkpr_sysfs_visit(sysfs, "holders", visit_holder, &holder))
		return inspect_path_of_map(&holder, device, error);
	return inspect_disk(sysfs, device, error);
}

int blkpr_device_inspect(const char *name, const char *sysfs, dev_t number,
	struct blkpr_device *device, struct blkpr_error *error)
{
	int rc;

	*device = (struct blkpr_device){ .name = strdup(name), .path = strdup(name), .number = number };
	rc = device->name && device->path ? inspect(sysfs, device, error) : -ENOMEM;
	if (rc == -ENOMEM)
		blkpr_error_set(error, "%s: out of memory", name);
	if (rc)
		blkpr_device_clear(device);
	return rc;
}

int blkpr_device_resolve(const char *name, struct blkpr_device *device, struct blkpr_error *error)
{
	char sysfs[64];
	struct stat st;

	if (stat(name, &st)) {
		int err = errno;

		return blkpr_error_fail(error, err == EPERM ? -EACCES : -err, /* -EPERM: a partition */
			"%s: %s; check the name and that the disk is connected (lsblk)", name,
			err == ENOENT ? "no such device" : strerror(err));
	}
	if (!S_ISBLK(st.st_mode))
		return blkpr_error_fail(error, -ENOTBLK,
			"%s: not a block device; name a disk such as /dev/disk/by-id/wwn-...", name);
	snprintf(sysfs, sizeof(sysfs), "/sys/dev/block/%u:%u", major(st.st_rdev),
		minor(st.st_rdev));
	return blkpr_device_inspect(name, sysfs, st.st_rdev, device, error);
}

void blkpr_device_clear(struct blkpr_device *device)
{
	free(device->name);
	free(device->path);
	free(device->wwid);
	free(device->path_names);
	free(device->learned);
	*device = (struct blkpr_device){ 0 };
}

void blkpr_device_learn(const struct blkpr_device *map, unsigned path, uint64_t silent)
{
	if (!map->learned)
		return;
	map->learned->path = path;
	map->learned->silent |= silent;
}

int blkpr_device_open(const struct blkpr_device *device)
{
	int fd = device->path ? open(device->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	struct stat st;

	if (!device->path)
		return -ENODEV;
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISBLK(st.st_mode) && st.st_rdev == device->number)
		return fd;
	close(fd);
	return -ENODEV;
}

int blkpr_device_open_path(const struct blkpr_device *map, unsigned i)
{
	struct blkpr_device path = { .name = map->name };
	struct blkpr_error ignored;
	char sysfs[64], node[64], text[32];
	const char *state;
	int fd, rc = -ENODEV;

	snprintf(sysfs, sizeof(sysfs), "/sys/block/%s", map->path_names[i]);
	snprintf(node, sizeof(node), "/dev/%s", map->path_names[i]);
	state = blkpr_sysfs_read(sysfs, "device/state", text, sizeof(text)); /* SCSI: drivers/scsi/scsi_sysfs.c */
	if (map->kind == BLKPR_SCSI && (!state || strcmp(state, "running") != 0))
		return -ENOLINK;
	fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (!inspect_disk(sysfs, &path, &ignored)) {
		rc = strcmp(path.wwid, map->wwid) ? -ENODEV : 0;
		free(path.wwid);
	}
	if (!rc)
		return fd;
	close(fd);
	return rc;
}
