// SPDX-License-Identifier: GPL-2.0-or-later
// Verdicts in words, a line for each thing that is to be known.
#include "agents/common/say.h"

#include <inttypes.h>
#include <stdlib.h>

#include "agents/common/log.h"
#include "agents/common/scene.h"

static struct scene scene_of(const struct story *story, unsigned i)
{
	return (struct scene){ story, &story->disks->targets[i], &story->disks->verdicts[i] };
}

char *say_key(const struct story *story, unsigned i, uint64_t key)
{
	struct scene scene = scene_of(story, i);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		scene_print_key(out, &scene, key);
		fclose(out);
	}
	return text;
}

/* --- doubts ----------------------------------------------------------------------------------- */

/* Whether RESTS is less than there could be: NVMe has nothing stronger than PREEMPT AND ABORT. */
static bool is_doubtful(const struct blkpr_verdict *verdict, enum blkpr_rests rests)
{
	bool best = rests == BLKPR_RESTS_ON_RESET ||
		    (rests == BLKPR_RESTS_ON_ABORT && verdict->reach == BLKPR_REACH_NVME);

	return verdict->result == BLKPR_OK && verdict->rests == rests && !best;
}

/* The targets that one line is about: what is true of many is said once. */
struct alike {
	unsigned first;
	const char *name, *others;
};

static bool find_alike(const struct story *story,
	bool (*is)(const struct blkpr_verdict *, enum blkpr_rests), enum blkpr_rests rests,
	struct alike *alike)
{
	unsigned count = 0;

	for (unsigned i = story->disks->ntargets; i-- > 0;) {
		if (!is(&story->disks->verdicts[i], rests))
			continue;
		alike->first = i;
		count++;
	}
	if (!count)
		return false;
	alike->name = story->disks->targets[alike->first].device->name;
	alike->others = count > 1 ? " and others" : "";
	return true;
}

static bool is_forgetful(const struct blkpr_verdict *verdict, enum blkpr_rests rests)
{
	(void)rests;
	return verdict->forgets;
}

static bool is_mute(const struct blkpr_verdict *verdict, enum blkpr_rests rests)
{
	(void)rests;
	return verdict->mute;
}

static bool is_silent(const struct blkpr_verdict *verdict, enum blkpr_rests rests)
{
	(void)rests;
	return verdict->silent;
}

/* What is all right, and rests on less than a LUN RESET that reaches the target. */
static void say_doubts(const struct story *story)
{
	struct alike alike;

	for (enum blkpr_rests rests = BLKPR_RESTS_ON_EARLIER; rests < BLKPR_RESTS; rests++)
		if (find_alike(story, is_doubtful, rests, &alike))
			qb_log(LOG_WARNING, "%s%s: that commands in flight %s rests on %s",
				alike.name, alike.others,
				story->disks->verdicts[alike.first].drained ? "have ended"
									    : "will end",
				blkpr_rests_texts[rests]);
}

/* Monitor says it again and again, and it is no failure. */
static void say_what_the_target_is(const struct story *story)
{
	struct alike alike;

	if (find_alike(story, is_forgetful, 0, &alike))
		qb_log(LOG_WARNING,
			"%s%s: the target loses its registrations with its power (APTPL is not "
			"active, or they could not be stored), and a fenced node could write then; "
			"let the target store them (doc/troubleshooting.md)",
			alike.name, alike.others);
	if (find_alike(story, is_mute, 0, &alike))
		qb_log(LOG_WARNING,
			"%s%s: the target aborts commands without a word (TAS=0): after a fencing "
			"the other nodes' I/O may stand still until their command timers end (30 "
			"s); set TAS=1 there (doc/cluster.md)",
			alike.name, alike.others);
}

static void say_unasked(const struct story *story)
{
	for (unsigned i = 0; i < story->disks->ntargets; i++)
		if (story->disks->verdicts[i].unasked &&
			story->disks->verdicts[i].result == BLKPR_OK)
			qb_log(LOG_WARNING,
				"%s: a path does not answer, so it cannot be told whether each may "
				"write; look at the paths to the disk (multipath -ll)",
				story->disks->targets[i].device->name);
}

static void say_unanswered(const struct story *story)
{
	for (unsigned i = 0; i < story->disks->ntargets; i++)
		if (story->disks->verdicts[i].unanswered &&
			story->disks->verdicts[i].result == BLKPR_OK)
			qb_log(LOG_WARNING,
				"%s: %s fails, so what it would show is not looked at; see the "
				"target's log",
				story->disks->targets[i].device->name,
				blkpr_step_names[story->disks->verdicts[i].unanswered]);
}

/* Paths of a map that do not answer, though the disk does. */
static void say_silent(const struct story *story)
{
	struct alike alike;
	unsigned path = 0;

	if (!find_alike(story, is_silent, 0, &alike))
		return;
	while (!(story->disks->verdicts[alike.first].silent >> path & 1))
		path++;
	qb_log(LOG_WARNING,
		"%s%s: the path %s does not answer; look at the paths to the disk (multipath -ll)",
		alike.name, alike.others,
		story->disks->targets[alike.first].device->path_names[path]);
}

/* --- failures --------------------------------------------------------------------------------- */

static void say_replaced(const struct story *story, unsigned i)
{
	struct scene scene = scene_of(story, i);
	char *key = say_key(story, i, scene.verdict->replaced);

	qb_log(LOG_WARNING,
		"%s: the key %s was registered for this node's own %s and has been replaced; a "
		"host that still uses it shares this node's identity (doc/identity.md); if LVM "
		"(vgchange --persist) or multipathd (reservation_key) made it, let one of them "
		"have the disk",
		scene.target->device->name, key ? key : "", scene_nexus_name(&scene));
	free(key);
}

char *say_text(const struct story *story, unsigned i)
{
	struct scene scene = scene_of(story, i);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s: ", scene.target->device->name);
	scene_explain(out, &scene);
	fclose(out);
	return text;
}

static void say_failure(const struct story *story, unsigned i)
{
	char *text = say_text(story, i);

	qb_log(LOG_ERR, "%s", text ? text : blkpr_result_text(story->disks->verdicts[i].result));
	free(text);
}

void say_failures(const struct story *story, unsigned arbiter)
{
	unsigned untouched = 0;

	for (unsigned i = 0; i < story->disks->ntargets; i++) {
		if (story->disks->verdicts[i].result == BLKPR_UNTOUCHED)
			untouched++;
		else if (story->disks->verdicts[i].result != BLKPR_OK)
			say_failure(story, i);
		else if (story->disks->verdicts[i].replaced)
			say_replaced(story, i);
	}
	say_what_the_target_is(story);
	say_unasked(story);
	say_unanswered(story);
	say_silent(story);
	say_doubts(story);
	if (untouched)
		qb_log(LOG_ERR,
			"%u other device%s not touched, since the arbiter did not decide for this "
			"node",
			untouched, untouched == 1 ? " was" : "s were");
	else if (arbiter && arbiter < story->disks->ntargets)
		qb_log(LOG_WARNING, "%s decided as arbiter, since %s could not be asked",
			story->disks->targets[arbiter].device->name,
			story->disks->targets[0].device->name);
}

/* --- the story -------------------------------------------------------------------------------- */

static void print_keys(FILE *out, const struct scene *scene)
{
	const struct blkpr_verdict *verdict = scene->verdict;

	fprintf(out, ", %u registration%s", verdict->registrations,
		verdict->registrations == 1 ? "" : "s");
	for (unsigned i = 0; i < verdict->nkeys; i++) {
		fputs(i ? ", " : ": ", out);
		scene_print_key(out, scene, verdict->keys[i].key);
		if (verdict->keys[i].count > 1)
			fprintf(out, " x%u", verdict->keys[i].count);
	}
	fprintf(out, "; %s", scene_type_name(verdict->type));
	if (verdict->holder) {
		fputs(" held by ", out);
		scene_print_key(out, scene, verdict->holder);
	}
}

static void say_device(const struct scene *scene, bool arbiter)
{
	const struct blkpr_device *device = scene->target->device;
	const struct blkpr_verdict *verdict = scene->verdict;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	fprintf(out, "%s (%s, %s", device->name, device->wwid,
		device->kind == BLKPR_NVME ? "NVMe" : "SCSI");
	if (device->multipath)
		fprintf(out, " multipath %s, %u path%s", device->path, device->paths,
			device->paths == 1 ? "" : "s");
	fprintf(out, "%s): %s", arbiter ? ", arbiter" : "", blkpr_result_name(verdict->result));
	if (verdict->transport) {
		fprintf(out, "; PR generation %" PRIu32 " -> %" PRIu32, verdict->generation_before,
			verdict->generation_after);
		print_keys(out, scene);
		if (verdict->restored)
			fputs("; reservation made", out);
		if (verdict->rests && (verdict->drained || verdict->result == BLKPR_OK))
			fprintf(out, "; commands in flight %s by %s",
				verdict->drained ? "ended" : "would be ended",
				blkpr_rests_texts[verdict->rests]);
		if (verdict->resets)
			fprintf(out, "; %u LUN RESET%s sent", verdict->resets,
				verdict->resets == 1 ? "" : "s");
		if (verdict->evicted)
			fprintf(out, "; %u key%s removed", verdict->evicted,
				verdict->evicted == 1 ? "" : "s");
		fprintf(out, "; read by %s", blkpr_transport_names[verdict->transport]);
	}
	fprintf(out, "; %u ms", verdict->elapsed_ms);
	fclose(out);
	qb_log(LOG_INFO, "%s", text);
	free(text);
}

void say_story(const struct story *story, unsigned arbiter)
{
	for (unsigned i = 0; i < story->disks->ntargets; i++) {
		struct scene scene = scene_of(story, i);

		say_device(&scene, i == arbiter);
	}
}
