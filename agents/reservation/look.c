// SPDX-License-Identifier: GPL-2.0-or-later
// Looks at the disks that change nothing.
#include "agents/reservation/look.h"

#include "lib/clock.h"

int look_watch(struct resource *resource)
{
	return blkpr_hold_watch(&resource->hold, resource->disks.targets, resource->disks.ntargets,
		resource->disks.verdicts);
}

#define LOOKING_SHARE 4

int look_watch_first(struct resource *resource)
{
	int64_t now = blkpr_clock_ms();
	int rc;

	resource->hold.deadline = now + (resource->deadline - now) / LOOKING_SHARE;
	rc = look_watch(resource);
	resource->hold.deadline = resource->deadline;
	return rc;
}

/* Disks that fail at once get a second look; ones that are busy or do not answer have this part of
 * the time. */
#define MOST_LOOKS 2
#define WAITING_SHARE(ms) ((ms) / 4 * 3)
#define LOOKS_PAUSE_MS 500

/* Whether what is missing has only not answered. */
static bool only_silence(const struct resource *resource)
{
	for (unsigned i = 0; i < resource->disks.ntargets; i++)
		if (resource->disks.verdicts[i].result != BLKPR_OK &&
			!blkpr_result_unreachable(resource->disks.verdicts[i].result))
			return false;
	return true;
}

/* Whether a disk has not answered yet, rather than failed. */
static bool is_waited_for(const struct resource *resource)
{
	for (unsigned i = 0; i < resource->disks.ntargets; i++)
		if (resource->disks.verdicts[i].result == BLKPR_BUSY ||
			resource->disks.verdicts[i].result == BLKPR_UNFINISHED ||
			resource->disks.verdicts[i].result == BLKPR_ATTENTION)
			return true;
	return false;
}

/* A disk that hangs must not take all of the time. */
static enum ocf_exitcode look_once(struct resource *resource, blkpr_protocol *look, int64_t until)
{
	int64_t now = blkpr_clock_ms(), share = now + (resource->deadline - now) / LOOKING_SHARE;
	int rc;

	resource->hold.deadline = share < until ? share : until;
	rc = blkpr_hold_run(&resource->hold, look, resource->disks.targets,
		resource->disks.ntargets, resource->disks.verdicts);
	resource->hold.deadline = resource->deadline;
	*resource->ocf.reason.text = '\0';
	return judge_all(resource, rc, judge_ok);
}

enum ocf_exitcode look_foresee(struct resource *resource, blkpr_protocol *look)
{
	int64_t now = blkpr_clock_ms(), until = now + WAITING_SHARE(resource->deadline - now);
	enum ocf_exitcode code = PCMK_OCF_UNKNOWN_ERROR;

	if (resource->required > (long)resource->disks.ntargets) {
		judge_take_reason(resource, 0, judge_ok);
		return code;
	}
	for (int looks = 0; code != PCMK_OCF_OK && blkpr_clock_ms() < until; looks++) {
		if (looks && (!only_silence(resource) ||
				     (looks >= MOST_LOOKS && !is_waited_for(resource))))
			break;
		if (looks)
			blkpr_clock_pause(LOOKS_PAUSE_MS, until);
		code = look_once(resource, look, until);
	}
	if (code != PCMK_OCF_OK)
		judge_tell(resource, resource->disks.ntargets);
	return code;
}
