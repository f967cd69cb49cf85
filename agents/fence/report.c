// SPDX-License-Identifier: GPL-2.0-or-later
// What came of a run, in words.
#include "agents/fence/report.h"

#include <string.h>

#include "agents/common/log.h"
#include "agents/common/say.h"
#include "agents/fence/twins.h"

enum outcome report_refuse(const struct blkpr_error *error)
{
	qb_log(LOG_ERR, "%s", error->text);
	return OUTCOME_FAILED;
}

static struct story story_of(const struct fencing *fencing)
{
	return (struct story){.keys = &fencing->keys,
		.disks = &fencing->disks,
		.victim_name = fencing->victim ? fencing->victim->name : NULL,
		.victim = fencing->fence.victim,
		.type = fencing->fence.type,
		.in_flight = fencing->fence.in_flight};
}

char *report_text(const struct fencing *fencing, unsigned i)
{
	struct story story = story_of(fencing);

	return say_text(&story, i);
}

void report_tell(const struct fencing *fencing, unsigned arbiter)
{
	struct story story = story_of(fencing);

	say_story(&story, arbiter);
	say_failures(&story, arbiter);
}

bool report_run(struct fencing *fencing, int rc, unsigned arbiter)
{
	struct blkpr_error error;
	int twins = rc ? 0 : twins_compare(fencing, &error);
	struct story story = story_of(fencing);

	say_story(&story, arbiter);
	if (rc)
		qb_log(LOG_ERR,
			"no process or thread for the disks: %s; see ulimit -u and free memory, "
			"then repeat",
			strerror(-rc));
	say_failures(&story, arbiter);
	if (*fencing->disks.incomplete.text)
		qb_log(LOG_ERR, "there may be more disks than these: %s",
			fencing->disks.incomplete.text);
	if (twins)
		qb_log(LOG_ERR, "%s", error.text);
	return !rc && !twins && !*fencing->disks.incomplete.text && disks_all_ok(&fencing->disks);
}
