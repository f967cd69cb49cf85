// SPDX-License-Identifier: GPL-2.0-or-later
// One run of the resource agent.
#include "agents/reservation/resource.h"

#include <stdlib.h>
#include <string.h>

#include "agents/common/log.h"

void resource_clear(struct resource *resource)
{
	disks_clear(&resource->disks);
	keyring_clear(&resource->keys);
	holding_clear(&resource->holding);
	free(resource->fencers);
	free(resource->ours);
	ocf_clear(&resource->ocf);
	options_clear(&resource->options);
}

struct story resource_story(const struct resource *resource)
{
	return (struct story){.keys = &resource->keys,
		.disks = &resource->disks,
		.type = resource->hold.type,
		.in_flight = resource->hold.in_flight};
}

enum ocf_exitcode resource_good_now(struct resource *resource)
{
	struct blkpr_error error;

	resource->holding.good = true;
	if (holding_store(&resource->holding, &error))
		return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	return PCMK_OCF_OK;
}

enum ocf_exitcode resource_cannot_run(struct resource *resource)
{
	qb_log(LOG_INFO, "%s", resource->ocf.reason.text);
	*resource->ocf.reason.text = '\0';
	return PCMK_OCF_NOT_RUNNING;
}

const char *resource_lost_disk(const struct resource *resource)
{
	const struct blkpr_list *list = &resource->disks.list;

	for (unsigned i = 0; i < resource->holding.ndisks; i++) {
		unsigned k = 0;

		while (k < list->count &&
			strcmp(list->devices[k].wwid, resource->holding.disks[i].wwid) != 0)
			k++;
		if (k == list->count)
			return resource->holding.disks[i].wwid;
	}
	return NULL;
}

void resource_take_lost_as_reason(struct resource *resource)
{
	const char *lost = *resource->ocf.reason.text ? NULL : resource_lost_disk(resource);

	if (lost)
		blkpr_error_set(&resource->ocf.reason,
			"%s: held by this resource, and no name in devices stands for it any more; "
			"reconnect it, or put its name back",
			lost);
}
