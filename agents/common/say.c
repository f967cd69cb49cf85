// SPDX-License-Identifier: GPL-2.0-or-later
// Verdicts in words.
#include "agents/common/say.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/log.h"

static const char *const type_names[] = {
	"no reservation",
	"WRITE_EXCLUSIVE",
	"EXCLUSIVE_ACCESS",
	"WRITE_EXCLUSIVE_REG_ONLY",
	"EXCLUSIVE_ACCESS_REG_ONLY",
	"WRITE_EXCLUSIVE_ALL_REGS",
	"EXCLUSIVE_ACCESS_ALL_REGS",
};

static const char *type_name(unsigned type)
{
	return type < sizeof(type_names) / sizeof(*type_names) ? type_names[type] : "unknown type";
}

/* --- whose key ------------------------------------------------------------------------------------ */

/* 0x100000, a generation, a host id (LVM: lib/device/persist.c, get_our_key). */
static bool is_lvms(uint64_t key)
{
	return key >> 40 == 0x100000;
}

static const char *owner_by(const struct agent *agent, enum blkpr_key_method method, uint64_t key)
{
	for (unsigned i = 0; i < agent->cluster.count; i++)
		if (agent_node_key(agent, method, &agent->cluster.nodes[i]) == key)
			return agent->cluster.nodes[i].name;
	return NULL;
}

/* "0x6c9d0001 (node2)"; a key that a node would have under another key_value says so. */
static void print_key(FILE *out, const struct agent *agent, const struct blkpr_target *target, uint64_t key)
{
	const char *owner = owner_by(agent, agent->method, key);
	bool lvms = !owner && key != target->own && is_lvms(key);

	fprintf(out, "0x%" PRIx64, key);
	if (owner)
		fprintf(out, " (%s)", owner);
	else if (key == target->own)
		fputs(" (this node)", out);
	else if (agent->victim && agent->victim->name && key == agent->victim->key)
		fprintf(out, " (%s)", agent->victim->name);
	if (lvms)
		fprintf(out, " (LVM's own reservations, vgchange --persist, of host id %u)",
			(unsigned)(key & 0xffff));
	for (int method = 0; !owner && method < BLKPR_KEY_METHODS; method++) {
		struct agent twin = *agent;
		const char *other = owner_by(agent, method, key);

		if (other && method != (int)agent->method)
			fprintf(out, " (what %s has with key_value=%s)", other, blkpr_key_method_names[method]);
		twin.domain ^= BLKPR_KEY_OF_RESOURCE;
		other = other ? NULL : owner_by(&twin, method, key);
		if (other)
			fprintf(out, " (%s, by %s)", other, agent->domain ? "a fence agent" : "ocf:blkpr:reservation");
	}
}

char *say_key(const struct agent *agent, const struct blkpr_target *target, uint64_t key)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		print_key(out, agent, target, key);
		fclose(out);
	}
	return text;
}

/* --- failures ------------------------------------------------------------------------------------- */

struct scene {
	const struct agent *agent;
	const struct blkpr_target *target;
	const struct blkpr_verdict *verdict;
};

/* A key that is there, and that `on` has registered when the parameters gave another; 0: none. */
static uint64_t former_key(const struct scene *scene)
{
	const struct registration *record =
		coverage_find(&scene->agent->coverage, scene->target->device->wwid);

	for (unsigned i = 0; record && i < scene->verdict->nkeys; i++)
		if (scene->verdict->keys[i].key == record->key)
			return record->key == scene->target->own ? 0 : record->key;
	return 0;
}

static void print_own(FILE *out, const struct scene *scene)
{
	uint64_t former = former_key(scene);

	fputs("this node's key ", out);
	print_key(out, scene->agent, scene->target, scene->target->own);
	if (former) {
		fputs(" is not registered; it has registered ", out);
		print_key(out, scene->agent, scene->target, former);
		fputs(" before the cluster or this node was renamed, or key_value or key= changed",
			out);
		return;
	}
	fputs(scene->verdict->registrations ? " is not registered: this node was evicted, or never unfenced"
					    : " is not registered, nor is any other: a new disk, or one that was cleared",
		out);
}

static void print_victim(FILE *out, const struct scene *scene)
{
	print_key(out, scene->agent, scene->target, scene->agent->fence.victim);
	fputs(" is still registered", out);
}

/* Whether this node's key, or the victim's, is not derived: others' may not be, either. */
static bool keys_are_given(const struct scene *scene)
{
	const struct registration *record =
		coverage_find(&scene->agent->coverage, scene->target->device->wwid);

	return !scene->agent->domain &&
	       (scene->agent->key || (record && !strcmp(record->how, REGISTRATION_EXPLICIT)));
}

static void print_unknown(FILE *out, const struct scene *scene)
{
	fputs("the key ", out);
	print_key(out, scene->agent, scene->target, scene->verdict->offender);
	fputs(" is registered and belongs to no cluster node", out);
	if (keys_are_given(scene))
		fputs(" that is known here; if another node has it by key=, leave key= out on "
		      "every node, and unfence all",
			out);
	if (scene->agent->victim && scene->agent->victim->name)
		fprintf(out, "; %s may be using it", scene->agent->victim->name);
}

static void print_type(FILE *out, const struct scene *scene)
{
	fprintf(out, "a reservation of type %s is held", type_name(scene->verdict->type));
	if (scene->verdict->holder) {
		fputs(" by ", out);
		print_key(out, scene->agent, scene->target, scene->verdict->holder);
	}
	fprintf(out, ", not %s", type_name(scene->agent->fence.type));
}

static void print_step(FILE *out, const struct scene *scene)
{
	fprintf(out, "%s (%s, after %u ms)", blkpr_result_text(scene->verdict->result),
		blkpr_step_names[scene->verdict->step], scene->verdict->elapsed_ms);
}

static void print_paths(FILE *out, const struct scene *scene)
{
	fprintf(out, "this node's key is registered on %u of %u paths", scene->verdict->own_registrations,
		scene->target->device->paths);
}

/* A registration that goes takes the reservation with it if its path made it (SPC-4 5.12.11.2.3). */
static void print_unreserved(FILE *out, const struct scene *scene)
{
	fputs(blkpr_result_text(scene->verdict->result), out);
	if (scene->verdict->own_registrations && scene->verdict->own_registrations < scene->target->device->paths) {
		fputs(", and ", out);
		print_paths(out, scene);
	}
}

static void print_shared(FILE *out, const struct scene *scene)
{
	fputs("this node's key ", out);
	print_key(out, scene->agent, scene->target, scene->target->own);
	fputs(" is registered by another initiator too", out);
}

static const char *self_name(const struct agent *agent)
{
	const struct cluster_node *self = cluster_self(&agent->cluster);

	return self ? self->name : "this node";
}

/* What two nodes share is known by different names. */
static const char *nexus_name(const struct scene *scene)
{
	return scene->target->device->kind == BLKPR_NVME ? "host id" : "initiator";
}

static void print_shared_nexus(FILE *out, const struct scene *scene)
{
	fprintf(out, "%s has the same %s as another node: it is registered with the key ", self_name(scene->agent),
		nexus_name(scene));
	print_key(out, scene->agent, scene->target, scene->verdict->offender);
	fprintf(out, "; nothing was changed; give each node %s of its own", scene->target->device->kind == BLKPR_NVME
		? "a hostid and a hostnqn (/etc/nvme)" : "an initiator name, port or virtual HBA");
}

static void print_replaced(FILE *out, const struct scene *scene)
{
	fputs("the key ", out);
	print_key(out, scene->agent, scene->target, scene->agent->fence.victim);
	fprintf(out, " is not registered because %s has replaced it in its own %s, by which the other may write",
		self_name(scene->agent), nexus_name(scene));
}

static void print_barred(FILE *out, const struct scene *scene)
{
	const struct blkpr_device *device = scene->target->device;

	fputs("this node's key ", out);
	print_key(out, scene->agent, scene->target, scene->target->own);
	fputs(" is registered for a session that is over: its writes", out);
	if (scene->verdict->barred_path < device->npaths)
		fprintf(out, " by %s", device->path_names[scene->verdict->barred_path]);
	fputs(" are refused", out);
}

static void print_offender(FILE *out, const struct scene *scene, const char *before, const char *after)
{
	fputs(before, out);
	print_key(out, scene->agent, scene->target, scene->verdict->offender);
	fputs(after, out);
}

static void print_taken(FILE *out, const struct scene *scene)
{
	if (scene->verdict->holder)
		print_offender(out, scene, "the reservation is held by ", ", not by this node");
	else
		fputs("the reservation is held by others", out);
}

static void print_strangers(FILE *out, const struct scene *scene)
{
	print_offender(out, scene, "the key ", " is registered, too");
}

static void print_fencers(FILE *out, const struct scene *scene)
{
	print_offender(out, scene, "the key ", " is registered, and this disk left to fencing");
}

/* Where this node does not hold what it should: who does comes first. */
static void print_lost(FILE *out, const struct scene *scene)
{
	bool others = scene->verdict->offender;

	if (others)
		print_offender(out, scene, "",
			scene->verdict->type ? " holds the disk; " : " is registered; ");
	fputs("this node's key ", out);
	print_key(out, scene->agent, scene->target, scene->target->own);
	fprintf(out, " is not registered%s", others ? "" : ", nor is any other");
}

static void print_capability(FILE *out, const struct scene *scene)
{
	fprintf(out, "the device does not offer the reservation type %s", type_name(scene->agent->fence.type));
}

static void print_undrainable(FILE *out, const struct scene *scene)
{
	const struct blkpr_verdict *verdict = scene->verdict;
	enum blkpr_in_flight in_flight = scene->agent->fence.in_flight;

	if (blkpr_flight_rests(verdict->reach, in_flight) == BLKPR_RESTS_ON_ABORT)
		fputs("the reservation was missing, and PREEMPT AND ABORT does not end what the disk "
		      "took meanwhile", out);
	else if (*verdict->driver)
		fprintf(out, "the driver %s %s", verdict->driver, blkpr_reach_texts[verdict->reach]);
	else
		fputs("the disk's driver is not known to send a LUN RESET to the disk", out);
	fputs(", so commands in flight may still be written", out);
}

/* What is wrong, if the result's own sentence does not say enough, and what to do about it. */
static const struct {
	void (*print)(FILE *out, const struct scene *scene);
	const char *remedy;
} explanations[BLKPR_RESULT_COUNT] = {
	[BLKPR_CONFLICT] = { print_step,
		"the key may stem from an earlier session of this node: unfence this node again "
		"(fence_blkpr -o on)" },
	[BLKPR_ATTENTION] = { print_step, "look at the kernel log and at the target" },
	[BLKPR_BUSY] = { print_step, "look at the target's load and at its log" },
	[BLKPR_UNSUPPORTED] = { print_step, "use a disk with SCSI-3 or NVMe reservations, or enable them on the target" },
	[BLKPR_UNSTORABLE] = { NULL,
		"let the target store registrations (persist through power loss, PTPL; LIO: "
		"mkdir -p /var/target/pr)" },
	[BLKPR_INVALID] = { print_step, "look at the kernel log; does the device support this reservation type?" },
	[BLKPR_DENIED] = { print_step, "run as root, with CAP_SYS_ADMIN and CAP_SYS_RAWIO" },
	[BLKPR_GONE] = { print_step, "reconnect the disk or take it out of devices" },
	[BLKPR_PATH_FAILED] = { print_step, "repair the paths to the disk (multipath -ll, iscsiadm -m session)" },
	[BLKPR_IO_ERROR] = { print_step, "look at the kernel log and at the target" },
	[BLKPR_MALFORMED] = { print_step, "the target's firmware is at fault; read it with sg_persist or nvme resv-report" },
	[BLKPR_UNSETTLED] = { print_step, "somebody else keeps changing the reservation: find out who, then repeat" },
	[BLKPR_NO_MEMORY] = { print_step, "free memory, then repeat" },
	[BLKPR_UNFINISHED] = { print_step, "check the path and the target (its I/O hangs), then repeat" },
	[BLKPR_CRASHED] = { print_step, "look at the system log; this is a bug" },
	[BLKPR_VICTIM_ON] = { print_victim, "the device accepted the command and did nothing (NVMe targets before Linux 7.3 do)" },
	[BLKPR_EVICTED] = { print_own,
		"unfence it (stonith_admin --unfence NODE, or fence_blkpr -o on here); Pacemaker does it when the node "
		"joins if the fence device has provides=unfencing" },
	[BLKPR_FENCED] = { NULL,
		"what it ran then may still run: reboot it; or see that nothing of it runs, and restart the cluster on it, or "
		"register it by hand (fence_blkpr -o on)" },
	[BLKPR_UNKNOWN_KEYS] = { print_unknown,
		"find its owner (were cluster_name or key_value changed?), then set unknown_keys=evict or allow" },
	[BLKPR_UNRESERVED] = { print_unreserved,
		"registrations alone keep nobody out: unfence a node again (fence_blkpr -o on)" },
	[BLKPR_FOREIGN_TYPE] = { print_type, "it is not ours to break: release it, or set reservation_type to it" },
	[BLKPR_FEWER_PATHS] = { print_paths, "unfence this node again (fence_blkpr -o on) once all paths are back" },
	[BLKPR_SHARED_NEXUS] = { print_shared_nexus, "connect again, then repeat (doc/identity.md)" },
	[BLKPR_REPLACED] = { print_replaced,
		"give each node an identity of its own (doc/identity.md), then unfence it" },
	[BLKPR_BARRED] = { print_barred, "unfence this node again (fence_blkpr -o on)" },
	[BLKPR_SHARED_KEY] = { print_shared, "give every node a key of its own (no key= for the whole cluster)" },
	[BLKPR_UNDRAINED] = { print_step,
		"the target still works on commands of the victim, or the session to it is lost: look at the "
		"kernel's and the target's logs, then repeat" },
	[BLKPR_UNCOUNTED] = { NULL,
		"so nothing shows whether commands in flight have ended: the target's firmware is at fault, update it" },
	[BLKPR_UNDRAINABLE] = { print_undrainable,
		"set in_flight=abort on all nodes if PREEMPT AND ABORT of this array is known to end them "
		"(doc/safety.md, Commands in flight)" },
	[BLKPR_TAKEN] = { print_taken, "find out who runs the service" },
	[BLKPR_STRANGERS] = { print_strangers,
		"find its owner; other_registrants=evict makes start remove it" },
	[BLKPR_UNDER_FENCING] = { print_fencers,
		"unfence this node (stonith_admin --unfence NODE), or set fence_blkpr=no if no fence agent manages the "
		"disk any more" },
	[BLKPR_NOT_CAPABLE] = { print_capability, "set reservation_type to one that it offers" },
};

/* Whatever came of it: no command was sent. */
static void print_absent(FILE *out, const struct scene *scene)
{
	const struct blkpr_device *device = scene->target->device;

	fprintf(out,
		"not there any more, and nobody has taken it away on purpose (%s): this node has "
		"registered there; reconnect it, or say so on every node: fence_blkpr -o forget -d %s",
		device->wwid, device->name);
}

/* A resource on disks that no fence agent manages has lost its registration, not its unfencing. */
static void explain(FILE *out, const struct scene *scene)
{
	enum blkpr_result result = scene->verdict->result;
	bool lost = result == BLKPR_EVICTED && scene->agent->domain,
	     absent = !scene->target->device->path;

	if (absent)
		print_absent(out, scene);
	else if (lost)
		print_lost(out, scene);
	else if (explanations[result].print)
		explanations[result].print(out, scene);
	else
		fputs(blkpr_result_text(result), out);
	if (scene->agent->domain && (result == BLKPR_UNRESERVED || result == BLKPR_CONFLICT || result == BLKPR_FEWER_PATHS
				|| result == BLKPR_BARRED))
		fputs("; stop and start the resource", out); /* `on` would make it the fence agent's */
	else if (explanations[result].remedy && !lost && !absent)
		fprintf(out, "; %s", explanations[result].remedy);
	if (result == BLKPR_EVICTED && scene->target->device->unnamed && !absent)
		fprintf(out, "; if no fence device uses this disk any more, fence_blkpr -o forget -d %s",
			scene->target->device->name);
}

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

static bool find_alike(const struct agent *agent, bool (*is)(const struct blkpr_verdict *, enum blkpr_rests),
	enum blkpr_rests rests, struct alike *alike)
{
	unsigned count = 0;

	for (unsigned i = agent->ntargets; i-- > 0;) {
		if (!is(&agent->verdicts[i], rests))
			continue;
		alike->first = i;
		count++;
	}
	if (!count)
		return false;
	alike->name = agent->targets[alike->first].device->name;
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
static void say_doubts(const struct agent *agent)
{
	struct alike alike;

	for (enum blkpr_rests rests = BLKPR_RESTS_ON_EARLIER; rests < BLKPR_RESTS; rests++)
		if (find_alike(agent, is_doubtful, rests, &alike))
			qb_log(LOG_WARNING, "%s%s: that commands in flight %s rests on %s", alike.name, alike.others,
				agent->verdicts[alike.first].drained ? "have ended" : "will end", blkpr_rests_texts[rests]);
}

/* Monitor says it again and again, and it is no failure. */
static void say_what_the_target_is(const struct agent *agent)
{
	struct alike alike;

	if (find_alike(agent, is_forgetful, 0, &alike))
		qb_log(LOG_WARNING,
			"%s%s: the target loses its registrations with its power (APTPL is not active, or "
			"they could not be stored), and a fenced node could write then; let the target "
			"store them (doc/troubleshooting.md)",
			alike.name, alike.others);
	if (find_alike(agent, is_mute, 0, &alike))
		qb_log(LOG_WARNING,
			"%s%s: the target aborts commands without a word (TAS=0): after a fencing the other "
			"nodes' I/O may stand still until their command timers end (30 s); set TAS=1 there "
			"(doc/cluster.md)",
			alike.name, alike.others);
}

static void say_unasked(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->ntargets; i++)
		if (agent->verdicts[i].unasked && agent->verdicts[i].result == BLKPR_OK)
			qb_log(LOG_WARNING,
				"%s: a path does not answer, so it cannot be told whether each may write; look at the "
				"paths to the disk (multipath -ll)",
				agent->targets[i].device->name);
}

static void say_unanswered(const struct agent *agent)
{
	for (unsigned i = 0; i < agent->ntargets; i++)
		if (agent->verdicts[i].unanswered && agent->verdicts[i].result == BLKPR_OK)
			qb_log(LOG_WARNING, "%s: %s fails, so what it would show is not looked at; see the target's log",
				agent->targets[i].device->name, blkpr_step_names[agent->verdicts[i].unanswered]);
}

/* Paths of a map that do not answer, though the disk does. */
static void say_silent(const struct agent *agent)
{
	struct alike alike;
	unsigned path = 0;

	if (!find_alike(agent, is_silent, 0, &alike))
		return;
	while (!(agent->verdicts[alike.first].silent >> path & 1))
		path++;
	qb_log(LOG_WARNING, "%s%s: the path %s does not answer; look at the paths to the disk (multipath -ll)",
		alike.name, alike.others, agent->targets[alike.first].device->path_names[path]);
}

static void say_replaced(const struct scene *scene)
{
	char *key = say_key(scene->agent, scene->target, scene->verdict->replaced);

	qb_log(LOG_WARNING,
		"%s: the key %s was registered for this node's own %s and has been replaced; a host that "
		"still uses it shares this node's identity (doc/identity.md); if LVM (vgchange --persist) or "
		"multipathd (reservation_key) made it, let one of them have the disk",
		scene->target->device->name, key ? key : "", nexus_name(scene));
	free(key);
}

char *say_text(const struct agent *agent, unsigned i)
{
	struct scene scene = { agent, &agent->targets[i], &agent->verdicts[i] };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s: ", scene.target->device->name);
	explain(out, &scene);
	fclose(out);
	return text;
}

static void say_failure(const struct agent *agent, unsigned i)
{
	char *text = say_text(agent, i);

	qb_log(LOG_ERR, "%s", text ? text : blkpr_result_text(agent->verdicts[i].result));
	free(text);
}

void say_failures(const struct agent *agent, unsigned arbiter)
{
	unsigned untouched = 0;

	for (unsigned i = 0; i < agent->ntargets; i++) {
		if (agent->verdicts[i].result == BLKPR_UNTOUCHED)
			untouched++;
		else if (agent->verdicts[i].result != BLKPR_OK)
			say_failure(agent, i);
		else if (agent->verdicts[i].replaced)
			say_replaced(&(struct scene){ agent, &agent->targets[i], &agent->verdicts[i] });
	}
	say_what_the_target_is(agent);
	say_unasked(agent);
	say_unanswered(agent);
	say_silent(agent);
	say_doubts(agent);
	if (untouched)
		qb_log(LOG_ERR, "%u other device%s not touched, since the arbiter did not decide for this node",
			untouched, untouched == 1 ? " was" : "s were");
	else if (arbiter && arbiter < agent->ntargets)
		qb_log(LOG_WARNING, "%s decided as arbiter, since %s could not be asked",
			agent->targets[arbiter].device->name, agent->targets[0].device->name);
}

/* --- story ---------------------------------------------------------------------------------------- */

static void print_keys(FILE *out, const struct scene *scene)
{
	const struct blkpr_verdict *verdict = scene->verdict;

	fprintf(out, ", %u registration%s", verdict->registrations, verdict->registrations == 1 ? "" : "s");
	for (unsigned i = 0; i < verdict->nkeys; i++) {
		fputs(i ? ", " : ": ", out);
		print_key(out, scene->agent, scene->target, verdict->keys[i].key);
		if (verdict->keys[i].count > 1)
			fprintf(out, " x%u", verdict->keys[i].count);
	}
	fprintf(out, "; %s", type_name(verdict->type));
	if (verdict->holder) {
		fputs(" held by ", out);
		print_key(out, scene->agent, scene->target, verdict->holder);
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
	fprintf(out, "%s (%s, %s", device->name, device->wwid, device->kind == BLKPR_NVME ? "NVMe" : "SCSI");
	if (device->multipath)
		fprintf(out, " multipath %s, %u path%s", device->path, device->paths, device->paths == 1 ? "" : "s");
	fprintf(out, "%s): %s", arbiter ? ", arbiter" : "", blkpr_result_name(verdict->result));
	if (verdict->transport) {
		fprintf(out, "; PR generation %" PRIu32 " -> %" PRIu32, verdict->generation_before,
			verdict->generation_after);
		print_keys(out, scene);
		if (verdict->restored)
			fputs("; reservation made", out);
		if (verdict->rests && (verdict->drained || verdict->result == BLKPR_OK))
			fprintf(out, "; commands in flight %s by %s",
				verdict->drained ? "ended" : "would be ended", blkpr_rests_texts[verdict->rests]);
		if (verdict->resets)
			fprintf(out, "; %u LUN RESET%s sent", verdict->resets,
				verdict->resets == 1 ? "" : "s");
		if (verdict->evicted)
			fprintf(out, "; %u key%s removed", verdict->evicted, verdict->evicted == 1 ? "" : "s");
		fprintf(out, "; read by %s", blkpr_transport_names[verdict->transport]);
	}
	fprintf(out, "; %u ms", verdict->elapsed_ms);
	fclose(out);
	qb_log(LOG_INFO, "%s", text);
	free(text);
}

void say_story(const struct agent *agent, unsigned arbiter)
{
	for (unsigned i = 0; i < agent->ntargets; i++) {
		struct scene scene = { agent, &agent->targets[i], &agent->verdicts[i] };

		say_device(&scene, i == arbiter);
	}
}
