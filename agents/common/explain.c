// SPDX-License-Identifier: GPL-2.0-or-later
// What is wrong with a disk, and what to do about it.
#include <inttypes.h>
#include <string.h>

#include "agents/common/scene.h"

/* --- what is wrong ---------------------------------------------------------------------------- */

static const struct registration *scene_record(const struct scene *scene)
{
	return coverage_find(&scene->story->disks->coverage, scene->target->device->wwid);
}

/* A key that is there, and that `on` has registered when the parameters gave another; 0: none. */
static uint64_t former_key(const struct scene *scene)
{
	const struct registration *record = scene_record(scene);

	for (unsigned i = 0; record && i < scene->verdict->nkeys; i++)
		if (scene->verdict->keys[i].key == record->key)
			return record->key == scene->target->own ? 0 : record->key;
	return 0;
}

static void print_own(FILE *out, const struct scene *scene)
{
	uint64_t former = former_key(scene);

	fputs("this node's key ", out);
	scene_print_key(out, scene, scene->target->own);
	if (former) {
		fputs(" is not registered; it has registered ", out);
		scene_print_key(out, scene, former);
		fputs(" before the cluster or this node was renamed, or key_value or key= changed",
			out);
		return;
	}
	fputs(scene->verdict->registrations
			? " is not registered: this node was evicted, or never unfenced"
			: " is not registered, nor is any other: a new disk, or one that was "
			  "cleared",
		out);
}

static void print_victim(FILE *out, const struct scene *scene)
{
	scene_print_key(out, scene, scene->story->victim);
	fputs(" is still registered", out);
}

/* Whether this node's key, or the victim's, is not derived: others' may not be, either. */
static bool keys_are_given(const struct scene *scene)
{
	const struct registration *record = scene_record(scene);

	return !scene->story->keys->domain &&
	       (scene->story->keys->given ||
		       (record && !strcmp(record->how, REGISTRATION_EXPLICIT)));
}

static void print_unknown(FILE *out, const struct scene *scene)
{
	fputs("the key ", out);
	scene_print_key(out, scene, scene->verdict->offender);
	fputs(" is registered and belongs to no cluster node", out);
	if (keys_are_given(scene))
		fputs(" that is known here; if another node has it by key=, leave key= out on "
		      "every node, and unfence all",
			out);
	if (scene->story->victim_name)
		fprintf(out, "; %s may be using it", scene->story->victim_name);
}

static void print_type(FILE *out, const struct scene *scene)
{
	fprintf(out, "a reservation of type %s is held", scene_type_name(scene->verdict->type));
	if (scene->verdict->holder) {
		fputs(" by ", out);
		scene_print_key(out, scene, scene->verdict->holder);
	}
	fprintf(out, ", not %s", scene_type_name(scene->story->type));
}

static void print_step(FILE *out, const struct scene *scene)
{
	fprintf(out, "%s (%s, after %u ms)", blkpr_result_text(scene->verdict->result),
		blkpr_step_names[scene->verdict->step], scene->verdict->elapsed_ms);
}

static void print_paths(FILE *out, const struct scene *scene)
{
	fprintf(out, "this node's key is registered on %u of %u paths",
		scene->verdict->own_registrations, scene->target->device->paths);
}

/*
 * A registration that goes takes the reservation with it if its path made it (SPC-4 5.12.11.2.3).
 */
static void print_unreserved(FILE *out, const struct scene *scene)
{
	fputs(blkpr_result_text(scene->verdict->result), out);
	if (scene->verdict->own_registrations &&
		scene->verdict->own_registrations < scene->target->device->paths) {
		fputs(", and ", out);
		print_paths(out, scene);
	}
}

static void print_shared(FILE *out, const struct scene *scene)
{
	fputs("this node's key ", out);
	scene_print_key(out, scene, scene->target->own);
	fputs(" is registered by another initiator too", out);
}

static const char *self_name(const struct scene *scene)
{
	const struct cluster_node *self = cluster_self(&scene->story->keys->cluster);

	return self ? self->name : "this node";
}

static void print_shared_nexus(FILE *out, const struct scene *scene)
{
	fprintf(out, "%s has the same %s as another node: it is registered with the key ",
		self_name(scene), scene_nexus_name(scene));
	scene_print_key(out, scene, scene->verdict->offender);
	fprintf(out, "; nothing was changed; give each node %s of its own",
		scene->target->device->kind == BLKPR_NVME
			? "a hostid and a hostnqn (/etc/nvme)"
			: "an initiator name, port or virtual HBA");
}

static void print_replaced(FILE *out, const struct scene *scene)
{
	fputs("the key ", out);
	scene_print_key(out, scene, scene->story->victim);
	fprintf(out,
		" is not registered because %s has replaced it in its own %s, by which the other "
		"may write",
		self_name(scene), scene_nexus_name(scene));
}

static void print_barred(FILE *out, const struct scene *scene)
{
	const struct blkpr_device *device = scene->target->device;

	fputs("this node's key ", out);
	scene_print_key(out, scene, scene->target->own);
	fputs(" is registered for a session that is over: its writes", out);
	if (scene->verdict->barred_path < device->npaths)
		fprintf(out, " by %s", device->path_names[scene->verdict->barred_path]);
	fputs(" are refused", out);
}

static void print_offender(
	FILE *out, const struct scene *scene, const char *before, const char *after)
{
	fputs(before, out);
	scene_print_key(out, scene, scene->verdict->offender);
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

static void print_unevicted(FILE *out, const struct scene *scene)
{
	print_offender(out, scene, "the key ", " is still registered");
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
	scene_print_key(out, scene, scene->target->own);
	fprintf(out, " is not registered%s", others ? "" : ", nor is any other");
}

static void print_capability(FILE *out, const struct scene *scene)
{
	fprintf(out, "the device does not offer the reservation type %s",
		scene_type_name(scene->story->type));
}

static void print_undrainable(FILE *out, const struct scene *scene)
{
	const struct blkpr_verdict *verdict = scene->verdict;
	enum blkpr_in_flight in_flight = scene->story->in_flight;

	if (blkpr_flight_rests(verdict->reach, in_flight) == BLKPR_RESTS_ON_ABORT)
		fputs("the reservation was missing, and PREEMPT AND ABORT does not end what the "
		      "disk took meanwhile",
			out);
	else if (*verdict->driver)
		fprintf(out, "the driver %s %s", verdict->driver,
			blkpr_reach_texts[verdict->reach]);
	else
		fputs("the disk's driver is not known to send a LUN RESET to the disk", out);
	fputs(", so commands in flight may still be written", out);
}

/* --- what to do about it ---------------------------------------------------------------------- */

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
	[BLKPR_UNSUPPORTED] = { print_step,
		"use a disk with SCSI-3 or NVMe reservations, or enable them on the target" },
	[BLKPR_UNSTORABLE] = { NULL,
		"let the target store registrations (persist through power loss, PTPL; LIO: "
		"mkdir -p /var/target/pr)" },
	[BLKPR_INVALID] = { print_step,
		"look at the kernel log; does the device support this reservation type?" },
	[BLKPR_DENIED] = { print_step, "run as root, with CAP_SYS_ADMIN and CAP_SYS_RAWIO" },
	[BLKPR_GONE] = { print_step, "reconnect the disk or take it out of devices" },
	[BLKPR_PATH_FAILED] = { print_step,
		"repair the paths to the disk (multipath -ll, iscsiadm -m session)" },
	[BLKPR_IO_ERROR] = { print_step, "look at the kernel log and at the target" },
	[BLKPR_MALFORMED] = { print_step,
		"the target's firmware is at fault; read it with sg_persist or nvme resv-report" },
	[BLKPR_UNSETTLED] = { print_step,
		"somebody else keeps changing the reservation: find out who, then repeat" },
	[BLKPR_NO_MEMORY] = { print_step, "free memory, then repeat" },
	[BLKPR_UNFINISHED] = { print_step,
		"check the path and the target (its I/O hangs), then repeat" },
	[BLKPR_CRASHED] = { print_step, "look at the system log; this is a bug" },
	[BLKPR_VICTIM_ON] = { print_victim,
		"the device accepted the command and did nothing: its firmware is at fault" },
	[BLKPR_EVICTED] = { print_own,
		"unfence it (stonith_admin --unfence NODE, or fence_blkpr -o on here); Pacemaker "
		"does it when the node joins if the fence device has provides=unfencing" },
	[BLKPR_FENCED] = { NULL,
		"what it ran then may still run: reboot it; or see that nothing of it runs, and "
		"restart the cluster on it, or register it by hand (fence_blkpr -o on)" },
	[BLKPR_UNKNOWN_KEYS] = { print_unknown,
		"find its owner (were cluster_name or key_value changed?), then set "
		"unknown_keys=evict or allow" },
	[BLKPR_UNRESERVED] = { print_unreserved,
		"registrations alone keep nobody out: unfence a node again (fence_blkpr -o on)" },
	[BLKPR_FOREIGN_TYPE] = { print_type,
		"it is not ours to break: release it, or set reservation_type to it" },
	[BLKPR_FEWER_PATHS] = { print_paths,
		"unfence this node again (fence_blkpr -o on) once all paths are back" },
	[BLKPR_SHARED_NEXUS] = { print_shared_nexus,
		"connect again, then repeat (doc/identity.md)" },
	[BLKPR_REPLACED] = { print_replaced,
		"give each node an identity of its own (doc/identity.md), then unfence it" },
	[BLKPR_BARRED] = { print_barred, "unfence this node again (fence_blkpr -o on)" },
	[BLKPR_SHARED_KEY] = { print_shared,
		"give every node a key of its own (no key= for the whole cluster)" },
	[BLKPR_UNDRAINED] = { print_step,
		"the target still works on commands of the victim, or the session to it is lost: "
		"look at the kernel's and the target's logs, then repeat" },
	[BLKPR_UNCOUNTED] = { NULL,
		"so nothing shows whether commands in flight have ended: the target's firmware is "
		"at fault, update it" },
	[BLKPR_UNDRAINABLE] = { print_undrainable,
		"set in_flight=abort on all nodes if PREEMPT AND ABORT of this array is known to "
		"end them (doc/safety.md, Commands in flight)" },
	[BLKPR_TAKEN] = { print_taken, "find out who runs the service" },
	[BLKPR_STRANGERS] = { print_strangers,
		"find its owner; other_registrants=evict makes start remove it" },
	[BLKPR_UNEVICTED] = { print_unevicted,
		"the device accepted the command and did nothing, as NVMe targets before Linux 7.3 "
		"do by this type where this node holds: set reservation_type to ..._REG_ONLY or "
		"..._ALL_REGS, or update the target" },
	[BLKPR_UNDER_FENCING] = { print_fencers,
		"unfence this node (stonith_admin --unfence NODE), or set fence_blkpr=no if no "
		"fence agent manages the disk any more" },
	[BLKPR_NOT_CAPABLE] = { print_capability, "set reservation_type to one that it offers" },
};

/* Whatever came of it: no command was sent. */
static void print_absent(FILE *out, const struct scene *scene)
{
	const struct blkpr_device *device = scene->target->device;

	fprintf(out,
		"not there any more, and nobody has taken it away on purpose (%s): this node has "
		"registered there; reconnect it, or say so on every node: fence_blkpr -o forget -d "
		"%s",
		device->wwid, device->name);
}

/* A resource on disks that no fence agent manages has lost its registration, not its unfencing. */
void scene_explain(FILE *out, const struct scene *scene)
{
	enum blkpr_result result = scene->verdict->result;
	bool lost = result == BLKPR_EVICTED && scene->story->keys->domain,
	     absent = !scene->target->device->path;

	if (absent)
		print_absent(out, scene);
	else if (lost)
		print_lost(out, scene);
	else if (explanations[result].print)
		explanations[result].print(out, scene);
	else
		fputs(blkpr_result_text(result), out);
	if (scene->story->keys->domain &&
		(result == BLKPR_UNRESERVED || result == BLKPR_CONFLICT ||
			result == BLKPR_FEWER_PATHS || result == BLKPR_BARRED))
		/* `on` would make it the fence agent's */
		fputs("; stop and start the resource", out);
	else if (explanations[result].remedy && !lost && !absent)
		fprintf(out, "; %s", explanations[result].remedy);
	if (result == BLKPR_EVICTED && scene->target->device->unnamed && !absent)
		fprintf(out,
			"; if no fence device uses this disk any more, fence_blkpr -o forget -d %s",
			scene->target->device->name);
}
