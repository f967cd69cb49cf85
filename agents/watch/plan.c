// SPDX-License-Identifier: GPL-2.0-or-later
// What there is to look at.
#include "agents/watch/plan.h"

#include <sys/stat.h>

#include "config.h"

#include "lib/clock.h"
#include "lib/fence_view.h"

#define ASK_MS 500       /* corosync may take so long to answer, */
#define ASK_FIRST_MS 1200 /* and this long while nothing is known: no eviction can be told then */
#define AGAIN_MS 10000   /* sysfs and corosync are asked again, */
#define KNOWN_MS 60000   /* and corosync that has answered */
#define LOAD_MS 1000     /* records are in memory; the set may be on a local disk, once */
#define READ_MS 1500     /* a look */
#define PARALLEL 16

/* --- refreshing ------------------------------------------------------------------------------- */

/* An answer is kept until there is another one. */
static void refresh_keys(struct watch_plan *plan, int64_t now)
{
	struct keyring fresh = { .cluster.local = -1 };

	if (now < plan->keys_until)
		return;
	keyring_load_cluster_by(&fresh, now + (plan->keys.clustered ? ASK_MS : ASK_FIRST_MS));
	plan->keys_until = now + (fresh.clustered ? KNOWN_MS : AGAIN_MS);
	if (!fresh.clustered) {
		if (!plan->keys.clustered)
			plan->keys_until = now; /* at the next look */
		keyring_clear(&fresh);
		return;
	}
	keyring_clear(&plan->keys);
	plan->keys = fresh;
}

static bool is_fresh(const struct watch_plan *plan, int64_t now)
{
	struct stat st;

	return plan->made && now < plan->until && !stat(BLKPR_RUN_DIR, &st) &&
	       st.st_mtim.tv_sec == plan->changed.tv_sec &&
	       st.st_mtim.tv_nsec == plan->changed.tv_nsec;
}

static int make(struct watch_plan *plan, int64_t now, struct blkpr_error *error)
{
	struct stat st = { 0 };
	int rc;

	disks_clear(&plan->disks);
	plan->disks = (struct disks){ 0 };
	/* before it is read: what is written meanwhile makes it old */
	if (stat(BLKPR_RUN_DIR, &st))
		st.st_mtim.tv_nsec = -1; /* no time */
	plan->changed = st.st_mtim;
	plan->until = now + AGAIN_MS;
	rc = disks_load_coverage(&plan->disks, now + LOAD_MS, error);
	if (!rc)
		rc = disks_add_covered(&plan->disks, error);
	return rc ? rc : disks_settle(&plan->disks, error);
}

int watch_plan_refresh(struct watch_plan *plan, struct blkpr_error *error)
{
	int64_t now = blkpr_clock_ms();
	int rc;

	refresh_keys(plan, now);
	if (is_fresh(plan, now))
		return 0;
	rc = make(plan, now, error);
	for (unsigned i = 0; !rc && i < plan->disks.ntargets; i++) {
		const struct registration *record = watch_plan_record(plan, i);

		plan->disks.targets[i].own = record ? record->key : 0;
	}
	plan->made = !rc;
	return rc;
}

const struct registration *watch_plan_record(const struct watch_plan *plan, unsigned i)
{
	const struct registration *record =
		i < plan->disks.ntargets ? disks_record(&plan->disks, i) : NULL;

	return record && record->key ? record : NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void read_disk(const void *fence, const struct blkpr_target *target,
	struct blkpr_disk *disk, struct blkpr_verdict *verdict)
{
	struct blkpr_fence_view view;

	verdict->result = blkpr_fence_look(fence, target->own, disk, &view, verdict);
}

int watch_plan_read(const struct watch_plan *plan, unsigned i, bool every)
{
	static const struct blkpr_fence fence = { .any_type = true };
	const struct blkpr_work work = { .protocol = read_disk,
		.context = &fence,
		.parallel = PARALLEL,
		.deadline = blkpr_clock_ms() + READ_MS };
	unsigned first = every ? i + 1 : i, count = every ? plan->disks.ntargets - first : 1;

	/* a path that was silent is asked again */
	for (unsigned k = first; k < first + count; k++)
		if (plan->disks.targets[k].device->learned)
			plan->disks.targets[k].device->learned->silent = 0;
	return count ? blkpr_work_run(&work, &plan->disks.targets[first], count,
			       &plan->disks.verdicts[first])
		     : 0;
}
