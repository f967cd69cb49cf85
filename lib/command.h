/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The persistent-reservation commands of the block layer. Each sends exactly one ioctl. */
#pragma once

#include <stdint.h>

#include "lib/pr.h"
#include "lib/result.h"

/* Where a command goes: an open block device (O_RDONLY is enough for root) and its kind. */
struct blkpr_port {
	int fd;
	enum blkpr_kind kind;
};

/*
 * All return the device's verdict and change errno. BLKPR_OK from PREEMPT is not proof of anything
 * (KERNEL.md trap 1): read again.
 */

/*
 * Registers NEW_KEY (not 0) for this I_T nexus, on a multipath map for every path present. OLD_KEY
 * is the key registered now, 0 for none. On dm a refused REGISTER unregisters this node (trap 4).
 */
enum blkpr_result blkpr_command_register(
	const struct blkpr_port *port, uint64_t old_key, uint64_t new_key);

/*
 * Ends the registration KEY of this nexus; frees the reservation if it was its holder. NVMe needs a
 * passthrough command, since IOC_PR_REGISTER leaves the host registered with key 0 (trap 2).
 */
enum blkpr_result blkpr_command_unregister(const struct blkpr_port *port, uint64_t key);

enum blkpr_result blkpr_command_reserve(const struct blkpr_port *port, uint64_t key, enum pr_type type);
enum blkpr_result blkpr_command_release(const struct blkpr_port *port, uint64_t key, enum pr_type type);

/*
 * PREEMPT AND ABORT (SPC-4 5.12.11.2.6): removes every registration of VICTIM, takes over the
 * reservation with TYPE if VICTIM holds it, and ends the victim's commands in flight. OWN is the
 * caller's registered key. VICTIM = OWN removes the caller: refused with BLKPR_INVALID.
 */
enum blkpr_result blkpr_command_preempt_abort(
	const struct blkpr_port *port, uint64_t own, uint64_t victim, enum pr_type type);
