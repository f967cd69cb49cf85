// SPDX-License-Identifier: LGPL-2.1-or-later
// The six commands of include/uapi/linux/pr.h.
#include "lib/command.h"

#include <errno.h>

#include "lib/nvme.h"

static enum blkpr_result submit(const struct blkpr_port *port, unsigned long request, void *arg)
{
	int rc = ioctl(port->fd, request, arg);

	return blkpr_result_from_ioctl(port->kind, rc, errno);
}

enum blkpr_result blkpr_command_register(
	const struct blkpr_port *port, uint64_t old_key, uint64_t new_key, bool ignore)
{
	struct pr_registration registration = {
		.old_key = old_key,
		.new_key = new_key,
		.flags = ignore ? PR_FL_IGNORE_KEY : 0,
	};

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

enum blkpr_result blkpr_command_preempt(
	const struct blkpr_port *port, uint64_t own, uint64_t victim, enum pr_type type, bool abort)
{
	struct pr_preempt preempt = {
		.old_key = own, /* not the victim's: KERNEL.md trap 0 */
		.new_key = victim,
		.type = type,
	};

	if (!own || !victim || own == victim)
		return BLKPR_INVALID;
	return submit(port, abort ? IOC_PR_PREEMPT_ABORT : IOC_PR_PREEMPT, &preempt);
}

enum blkpr_result blkpr_command_clear(const struct blkpr_port *port, uint64_t key)
{
	struct pr_clear clear = { .key = key };

	return submit(port, IOC_PR_CLEAR, &clear);
}
