// SPDX-License-Identifier: GPL-2.0-or-later
// From parameters to what there is to do.
#include <errno.h>
#include <string.h>

#include "agents/reservation/plan.h"

static int take_numbers(struct resource *resource, long *parallel, struct blkpr_error *error)
{
	const struct options *options = &resource->options;
	int rc = options_take_number(options, "max_parallel", 1, 4096, parallel, error);

	if (!rc)
		rc = options_take_number(
			options, "required_devices", 0, 100000, &resource->required, error);
	if (!rc)
		rc = options_take_number(
			options, "master_score_base", 0, 1000000, &resource->scoring.base, error);
	if (!rc)
		rc = options_take_number(options, "master_score_dev_factor", 0, 1000000,
			&resource->scoring.factor, error);
	if (!rc)
		rc = options_take_number(
			options, "master_score_delay", 0, 1000000, &resource->scoring.delay, error);
	return rc;
}

/* What does not go with the kind of resource that it is. */
static int check_kind(const struct resource *resource, struct blkpr_error *error)
{
	if (resource->ocf.promotable && resource->hold.type >= PR_WRITE_EXCLUSIVE_ALL_REGS)
		return blkpr_error_fail(error, -EINVAL,
			"reservation_type=%s: all instances would hold; for a promotable clone use "
			"WRITE_EXCLUSIVE, EXCLUSIVE_ACCESS or a REG_ONLY type",
			options_get(&resource->options, "reservation_type"));
	if (resource->ocf.clone &&
		strcmp(options_get(&resource->options, "fence_blkpr"), "yes") != 0)
		return blkpr_error_fail(error, -EINVAL,
			"a plain clone: each instance would evict the others; make "
			"it promotable, or a primitive");
	return 0;
}

int plan_take_parameters(struct resource *resource, struct blkpr_error *error)
{
	/* in the order of the choices in metadata/reservation.xml */
	static const enum pr_type types[] = {PR_WRITE_EXCLUSIVE, PR_EXCLUSIVE_ACCESS,
		PR_WRITE_EXCLUSIVE_REG_ONLY, PR_EXCLUSIVE_ACCESS_REG_ONLY,
		PR_WRITE_EXCLUSIVE_ALL_REGS, PR_EXCLUSIVE_ACCESS_ALL_REGS};
	const struct options *options = &resource->options;
	long parallel = 0;
	int rc = options_check(options, error);

	if (!rc)
		rc = keyring_take_key(&resource->keys, options, error);
	if (!rc)
		rc = take_numbers(resource, &parallel, error);
	if (rc)
		parallel = 64; /* stop goes on all the same */
	keyring_take_method(&resource->keys, options);
	resource->evict = options_choice(options, "other_registrants");
	resource->hold =
		(struct blkpr_hold){.type = types[options_choice(options, "reservation_type")],
			.parallel = (unsigned)parallel,
			.in_flight = (enum blkpr_in_flight)options_choice(options, "in_flight"),
			.shared = resource->ocf.promotable,
			.deadline = resource->deadline,
			/* a person may not know who runs the service: pcs resource debug-start */
			.evict = resource->ocf.run != BY_HAND &&
				 (resource->evict != EVICT_NONE || resource->ocf.promotable)};
	return rc ? rc : check_kind(resource, error);
}
