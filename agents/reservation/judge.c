// SPDX-License-Identifier: GPL-2.0-or-later
// From the disks' verdicts to one for the resource.
#include "agents/reservation/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool judge_ok(const struct resource *resource, const struct blkpr_verdict *verdict)
{
	(void)resource;
	return verdict->result == BLKPR_OK;
}

bool judge_registered(const struct resource *resource, const struct blkpr_verdict *verdict)
{
	(void)resource;
	return verdict->result == BLKPR_OK || verdict->result == BLKPR_TAKEN ||
	       verdict->result == BLKPR_UNRESERVED;
}

bool judge_left(const struct resource *resource, const struct blkpr_verdict *verdict)
{
	const char *wwid = resource->disks.targets[verdict - resource->disks.verdicts].device->wwid;

	/* what it has not changed need not be reached; without a memory only the disk knows */
	return verdict->result == BLKPR_OK ||
	       (resource->holding.exists && !holding_find(&resource->holding, wwid));
}

bool judge_all_left(const struct resource *resource)
{
	for (unsigned i = 0; i < resource->disks.ntargets; i++)
		if (!judge_left(resource, &resource->disks.verdicts[i]))
			return false;
	return true;
}

bool judge_enough(const struct resource *resource, int rc, judge *good)
{
	unsigned count = 0, decided = 0;

	for (unsigned i = 0; i < resource->disks.ntargets; i++) {
		if (good(resource, &resource->disks.verdicts[i]))
			count++;
		else if (!blkpr_result_unreachable(resource->disks.verdicts[i].result))
			decided++;
	}
	if (rc || decided)
		return false;
	return count >= (resource->required ? (unsigned)resource->required
					    : resource->disks.ntargets + resource->absent);
}

/* What Pacemaker keeps of a reason (lib/services/services_linux.c: EXIT_REASON_MAX_LEN). */
#define REASON_KEPT 128

/* Where and what first, in what Pacemaker keeps; then what to do about it. The log has each disk's
 * whole name. */
static void set_reason(struct resource *resource, unsigned disk, unsigned more)
{
	const char *name = resource->disks.targets[disk].device->name, *last = strrchr(name, '/');
	struct story story = resource_story(resource);
	char *text = say_text(&story, disk), others[32] = "";
	const char *what = text ? text + strlen(name) + strlen(": ")
				: blkpr_result_text(resource->disks.verdicts[disk].result);

	if (more)
		snprintf(others, sizeof(others), " and %u more", more);
	if (last && strlen(name) + strlen(others) + strlen(": ") + strcspn(what, ";") > REASON_KEPT)
		name = last + 1;
	blkpr_error_set(&resource->ocf.reason, "%s%s: %.400s", name, others, what);
	free(text);
}

void judge_take_reason(struct resource *resource, int rc, judge *good)
{
	unsigned bad = 0, worst = resource->disks.ntargets;

	for (unsigned i = 0; i < resource->disks.ntargets; i++) {
		if (good(resource, &resource->disks.verdicts[i]) ||
			resource->disks.verdicts[i].result == BLKPR_UNTOUCHED)
			continue;
		bad++;
		if (worst == resource->disks.ntargets ||
			(blkpr_result_unreachable(resource->disks.verdicts[worst].result) &&
				!blkpr_result_unreachable(resource->disks.verdicts[i].result)))
			worst = i;
	}
	if (worst < resource->disks.ntargets)
		set_reason(resource, worst, bad - 1);
	else if (rc)
		blkpr_error_set(&resource->ocf.reason,
			"no process to work on the disks: %s; free memory, or raise the limits",
			strerror(-rc));
	else
		blkpr_error_set(&resource->ocf.reason,
			"%u of the disks in devices are there, and required_devices=%ld; reconnect "
			"the others, or lower it",
			resource->disks.ntargets, resource->required);
}

enum ocf_exitcode judge_all(struct resource *resource, int rc, judge *good)
{
	if (judge_enough(resource, rc, good))
		return PCMK_OCF_OK;
	judge_take_reason(resource, rc, good);
	return PCMK_OCF_UNKNOWN_ERROR;
}

void judge_tell(const struct resource *resource, unsigned arbiter)
{
	struct story story = resource_story(resource);

	say_story(&story, arbiter);
	if (*resource->ocf.reason.text)
		say_failures(&story, arbiter);
}
