/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The name by which an iSCSI target knows this node. */
#pragma once

#define BLKPR_INITIATOR_NAME 256 /* 223 bytes at most (RFC 7143), and NUL */

/*
 * The initiator name of the session that FD's disk belongs to; -ENODEV if there is none. The ISID,
 * which makes a nexus of the name, is not to be had: iscsi_tcp does not export it (Linux 6.1 to
 * 7.2).
 */
int blkpr_initiator_name(int fd, char name[BLKPR_INITIATOR_NAME]);
