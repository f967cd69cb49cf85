// SPDX-License-Identifier: GPL-2.0-or-later
// The promotion score of this node's instance.
#include "agents/reservation/score.h"

#include <stdio.h>
#include <stdlib.h>

#include "agents/common/log.h"
#include "agents/common/registration.h"
#include "agents/common/run.h"
#include "lib/clock.h"

#define ATTRIBUTE_MS 3000

/* crm_attribute knows the resource from the environment. A cluster that does not answer costs no
 * action. */
static bool set_attribute(const struct resource *resource, const char *score)
{
	const char *const update[] = {
		"crm_attribute", "--promotion", "--lifetime", "reboot", "--update", score, NULL};
	const char *const delete[] = {
		"crm_attribute", "--promotion", "--lifetime", "reboot", "--delete", NULL};
	int64_t now = blkpr_clock_ms(), half = (resource->deadline - now) / 2;
	struct blkpr_error error;
	char *output = NULL;
	int rc = run_program(score ? update : delete,
		now + (half < ATTRIBUTE_MS ? half : ATTRIBUTE_MS), &output, &error);

	if (rc)
		qb_log(LOG_INFO, "promotion score: %s", error.text);
	free(output);
	return !rc;
}

static long find_score(const struct resource *resource, judge *good)
{
	long score = resource->scoring.base;

	for (unsigned i = 0; i < resource->disks.ntargets; i++)
		if (good(resource, &resource->disks.verdicts[i]))
			score += resource->scoring.factor;
	return score;
}

bool score_update(struct resource *resource, judge *good)
{
	struct holding *holding = &resource->holding;
	long score = find_score(resource, good), now = registration_clock();
	long former = holding->score, pending = holding->pending;
	bool wait = former && resource->scoring.delay && (score < former) == holding->promoted;
	char text[32];

	if (!resource->ocf.promotable)
		return false;
	holding->pending = -1;
	if (score == former)
		return pending != -1;
	if (wait && pending < 0)
		holding->pending_since = now;
	if (wait && (pending < 0 || now - holding->pending_since < resource->scoring.delay)) {
		holding->pending = score;
		return pending != score;
	}
	snprintf(text, sizeof(text), "%ld", score);
	holding->score = set_attribute(resource, text) ? score : 0;
	return holding->score != former || pending != -1;
}

void score_delete(const struct resource *resource)
{
	if (resource->ocf.promotable)
		set_attribute(resource, NULL);
}
