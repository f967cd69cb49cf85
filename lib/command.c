// SPDX-License-Identifier: LGPL-2.1-or-later
// The commands of include/uapi/linux/pr.h, but for PREEMPT without ABORT and CLEAR (S6).
#include "lib/command.h"

#include <errno.h>

#include "lib/nvme.h"

static enum blkpr_result submit(const struct blkpr_port *port, unsigned long request, void *arg)
{
	int rc = ioctl(port->fd, request, arg);

	return blkpr_result_from_ioctl(port->kind, rc, errno);
}

enum blkpr_result blkpr_command_register(
	const struct blkpr_port *port, uint64_t old_key, uint64_t new_key)
{
	struct pr_registration registration = { .old_key = old_key, .new_key = new_key };

	if (!new_key) /* key 0 would unregister, or on NVMe register key 0 (trap 2) */
		return BLKPR_INVALID;
	return submit(port, IOC_PR_REGISTER, &registration);
}

enum blkpr_result blkpr_command_unregister(const struct blkpr_port *port, uint64_t key)
{
	struct pr_registration registration = { .old_key = key, .new_key = 0 };

	if (!key)
		return BLKPR_INVALID;
	if (port->kind == BLKPR_NVME)
		return blkpr_nvme_unregister(port->fd, key);
	return submit(port, IOC_PR_REGISTER, &registration);
}

enum blkpr_result blkpr_command_reserve(const struct blkpr_port *port, uint64_t key, enum pr_type type)
{
	struct pr_reservation reservation = { .key = key, .type = type };

	return submit(port, IOC_PR_RESERVE, &reservation);
}

enum blkpr_result blkpr_command_release(const struct blkpr_port *port, uint64_t key, enum pr_type type)
{
	struct pr_reservation reservation = { .key = key, .type = type };

	return submit(port, IOC_PR_RELEASE, &reservation);
}

enum blkpr_result blkpr_command_preempt_abort(
	const struct blkpr_port *port, uint64_t own, uint64_t victim, enum pr_type type)
{
	struct pr_preempt preempt = {
		.old_key = own, /* not the victim's: KERNEL.md trap 0 */
		.new_key = victim,
		.type = type,
	};

	if (!own || !victim || own == victim)
		return BLKPR_INVALID;
	return submit(port, IOC_PR_PREEMPT_ABORT, &preempt);
}
