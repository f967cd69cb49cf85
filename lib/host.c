// SPDX-License-Identifier: LGPL-2.1-or-later
// SCSI hosts in sysfs, and what their drivers do with a LUN RESET.
#include "lib/host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/sysfs.h"

/* --- which host, which driver ----------------------------------------------------------------- */

/* sysfs has the disk's device as HOST:CHANNEL:TARGET:LUN. DIR: the disk's. */
static int host_of_directory(const char *dir, unsigned *host)
{
	char target[512];
	const char *device = blkpr_sysfs_link(dir, "device", target, sizeof(target));

	return device && sscanf(device, "%u:%*u:%*u:%*u", host) == 1 ? 0 : -ENODEV;
}

static int directory_of(int fd, char dir[64])
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISBLK(st.st_mode))
		return -ENODEV;
	snprintf(dir, 64, "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

int blkpr_host_of(int fd, unsigned *host)
{
	char dir[64];

	return directory_of(fd, dir) ? -ENODEV : host_of_directory(dir, host);
}

int blkpr_host_of_disk(const char *disk, unsigned *host)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/sys/block/%s", disk);
	return host_of_directory(dir, host);
}

int blkpr_host_vendor(int fd, char vendor[BLKPR_VENDOR_SIZE])
{
	char dir[64], text[BLKPR_VENDOR_SIZE];
	const char *read;

	if (directory_of(fd, dir))
		return -ENODEV;
	read = blkpr_sysfs_read(dir, "device/vendor", text, sizeof(text));
	snprintf(vendor, BLKPR_VENDOR_SIZE, "%s", read ? read : "");
	return read ? 0 : -ENODEV;
}

static void take_name(char driver[BLKPR_DRIVER_SIZE], const char *name)
{
	snprintf(driver, BLKPR_DRIVER_SIZE, "%.*s", BLKPR_DRIVER_SIZE - 1, name);
}

/*
 * "(null)" is what the kernel prints for a driver that gives no name (drivers/scsi/scsi_sysfs.c).
 */
static int read_proc_name(const char *dir, char driver[BLKPR_DRIVER_SIZE])
{
	char text[BLKPR_DRIVER_SIZE];
	const char *name = blkpr_sysfs_read(dir, "proc_name", text, sizeof(text));

	if (!name || *name == '(' || *name == '<')
		return -ENODEV;
	take_name(driver, name);
	return 0;
}

/*
 * The nearest device above the host that a driver is bound to: the adapter, a virtual port's, too.
 */
static int read_adapter_driver(const char *dir, char driver[BLKPR_DRIVER_SIZE])
{
	char path[PATH_MAX], link[PATH_MAX + 8], target[PATH_MAX];

	snprintf(link, sizeof(link), "%s/device", dir);
	if (!realpath(link, path))
		return -ENODEV;
	for (char *slash = path + strlen(path); slash && slash != path; slash = strrchr(path, '/')) {
		const char *name;

		*slash = '\0';
		name = blkpr_sysfs_link(path, "driver", target, sizeof(target));
		if (!name)
			continue;
		take_name(driver, name);
		return 0;
	}
	return -ENODEV;
}

int blkpr_host_driver(const char *sysfs, unsigned host, char driver[BLKPR_DRIVER_SIZE])
{
	char dir[PATH_MAX];

	*driver = '\0';
	snprintf(dir, sizeof(dir), "%s/class/scsi_host/host%u", sysfs, host);
	return read_proc_name(dir, driver) ? read_adapter_driver(dir, driver) : 0;
}

/* --- how far a LUN RESET gets ----------------------------------------------------------------- */

const char *const blkpr_reach_texts[BLKPR_REACHES] = {
	[BLKPR_REACH_NONE] = "has no LUN RESET",
	[BLKPR_REACH_ELSEWHERE] = "leaves a LUN RESET to the hypervisor, not to the disk",
	[BLKPR_REACH_UNKNOWN] = "is not known to send a LUN RESET to the disk",
	[BLKPR_REACH_TARGET] = "sends a LUN RESET to the disk",
};

/*
 * Only what is certain, from the kernel's source: what eh_device_reset_handler does, and that it
 * reports success only for a reset that was sent and answered. A row too few makes off fail where
 * in_flight is not set; a wrong one makes it lie. Files are below drivers/scsi/ unless they say.
 *
 * Not here: zfcp and qedf, which report success without sending anything while the adapter or the
 * connection goes down (zfcp_scsi_task_mgmt_function: "nres"; qedf_initiate_tmf); drivers that real
 * adapters and emulated ones have in common (mptspi, mptsas); RAID controllers; ibmvfc.
 */
static const struct {
	const char *driver;
	enum blkpr_reach reach;
} rows[] = {
	/* iSCSI: libiscsi.c, iscsi_eh_device_reset: ISCSI_TM_FUNC_LOGICAL_UNIT_RESET */
	{ "iscsi_tcp", BLKPR_REACH_TARGET },  /* iscsi_tcp.c, iscsi_sw_tcp_sht */
	{ "iscsi_iser", BLKPR_REACH_TARGET }, /* drivers/infiniband/ulp/iser/iscsi_iser.c */
	{ "be2iscsi", BLKPR_REACH_TARGET },   /* be2iscsi/be_main.c, beiscsi_eh_device_reset */
	{ "bnx2i", BLKPR_REACH_TARGET },      /* bnx2i/bnx2i_iscsi.c, bnx2i_host_template */
	{ "cxgb3i", BLKPR_REACH_TARGET },     /* cxgbi/cxgb3i/cxgb3i.c, cxgb3i_host_template */
	{ "cxgb4i", BLKPR_REACH_TARGET },     /* cxgbi/cxgb4i/cxgb4i.c, cxgb4i_host_template */
	{ "qedi", BLKPR_REACH_TARGET },       /* qedi/qedi_iscsi.c, qedi_host_template */
	{ "qla4xxx", BLKPR_REACH_TARGET },    /* qla4xxx/ql4_os.c, qla4xxx_eh_device_reset */
	/* Fibre Channel, FCoE: FCP_TMF_LUN_RESET */
	{ "fcoe", BLKPR_REACH_TARGET },    /* libfc/fc_fcp.c, fc_eh_device_reset */
	{ "fnic", BLKPR_REACH_TARGET },    /* fnic/fnic_scsi.c, fnic_device_reset; no proc_name */
	{ "lpfc", BLKPR_REACH_TARGET },    /* lpfc/lpfc_scsi.c, lpfc_device_reset_handler */
	{ "qla2xxx", BLKPR_REACH_TARGET }, /* qla2xxx/qla_os.c, qla2xxx_eh_device_reset; no
					      proc_name */
	/* SAS, SRP */
	{ "mpt2sas", BLKPR_REACH_TARGET }, /* mpt3sas/mpt3sas_scsih.c, scsih_dev_reset */
	{ "mpt3sas", BLKPR_REACH_TARGET }, /* the same */
	{ "ib_srp", BLKPR_REACH_TARGET },  /* drivers/infiniband/ulp/srp/ib_srp.c,
					      srp_reset_device */
	/* virtual machines: the handler asks the hypervisor; seen with QEMU's scsi-block */
	{ "virtio_scsi", BLKPR_REACH_ELSEWHERE }, /* virtio_scsi.c, virtscsi_device_reset */
	{ "vmw_pvscsi", BLKPR_REACH_ELSEWHERE },  /* vmw_pvscsi.c, pvscsi_device_reset */
	{ "scsifront", BLKPR_REACH_ELSEWHERE },   /* xen-scsifront.c, scsifront_dev_reset_handler */
	{ "ibmvscsi", BLKPR_REACH_ELSEWHERE },    /* ibmvscsi/, ibmvscsi_eh_device_reset_handler */
	/* no eh_device_reset_handler */
	{ "storvsc_host", BLKPR_REACH_NONE }, /* storvsc_drv.c, scsi_driver */
	{ "megaraid_sas", BLKPR_REACH_NONE }, /* megaraid/megaraid_sas_base.c, megasas_template */
};

enum blkpr_reach blkpr_host_driver_reach(const char *driver)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!strcmp(driver, rows[i].driver))
			return rows[i].reach;
	return BLKPR_REACH_UNKNOWN;
}

enum blkpr_reach blkpr_host_reach(unsigned host, char driver[BLKPR_DRIVER_SIZE])
{
	if (blkpr_host_driver("/sys", host, driver))
		return BLKPR_REACH_UNKNOWN;
	return blkpr_host_driver_reach(driver);
}
