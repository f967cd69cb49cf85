// SPDX-License-Identifier: GPL-2.0-or-later
// One run of the fence agent.
#include "agents/fence/fencing.h"

#include <stdlib.h>
#include <string.h>

#include "agents/common/log.h"
#include "agents/common/say.h"
#include "agents/fence/twins.h"

enum outcome fencing_refuse(const struct blkpr_error *error)
{
	qb_log(LOG_ERR, "%s", error->text);
	return OUTCOME_FAILED;
}

static struct story story_of(const struct fencing *fencing)
{
	return (struct story){ .keys = &fencing->keys,
		.disks = &fencing->disks,
		.victim_name = fencing->victim ? fencing->victim->name : NULL,
		.victim = fencing->fence.victim,
		.type = fencing->fence.type,
		.in_flight = fencing->fence.in_flight };
}

char *fencing_say_text(const struct fencing *fencing, unsigned i)
{
	struct story story = story_of(fencing);

	return say_text(&story, i);
}

void fencing_tell(const struct fencing *fencing, unsigned arbiter)
{
	struct story story = story_of(fencing);

	say_story(&story, arbiter);
	say_failures(&story, arbiter);
}

bool fencing_report(struct fencing *fencing, int rc, unsigned arbiter)
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
		qb_log(LOG_ERR, "there may be more disks than these: %s", fencing->disks.incomplete.text);
	if (twins)
		qb_log(LOG_ERR, "%s", error.text);
	return !rc && !twins && !*fencing->disks.incomplete.text && disks_all_ok(&fencing->disks);
}

void fencing_clear(struct fencing *fencing)
{
	disks_clear(&fencing->disks);
	keyring_clear(&fencing->keys);
	free(fencing->victims);
	free(fencing->names);
	free(fencing->known);
	for (int method = 0; method < BLKPR_KEY_METHODS; method++)
		free(fencing->elsewhere[method].known);
}
