// SPDX-License-Identifier: GPL-2.0-or-later
// The words for what is seen on a disk.
#include "agents/common/scene.h"

#include <inttypes.h>

static const char *const type_names[] = {
	"no reservation",
	"WRITE_EXCLUSIVE",
	"EXCLUSIVE_ACCESS",
	"WRITE_EXCLUSIVE_REG_ONLY",
	"EXCLUSIVE_ACCESS_REG_ONLY",
	"WRITE_EXCLUSIVE_ALL_REGS",
	"EXCLUSIVE_ACCESS_ALL_REGS",
};

const char *scene_type_name(unsigned type)
{
	return type < sizeof(type_names) / sizeof(*type_names) ? type_names[type] : "unknown type";
}

const char *scene_nexus_name(const struct scene *scene)
{
	return scene->target->device->kind == BLKPR_NVME ? "host id" : "initiator";
}

/* --- whose key -------------------------------------------------------------------------------- */

/* 0x100000, a generation, a host id (LVM: lib/device/persist.c, get_our_key). */
static bool is_lvms(uint64_t key)
{
	return key >> 40 == 0x100000;
}

/* That a node would have KEY under another key_value, or the other kind of agent here. */
static void print_other_owner(FILE *out, const struct keyring *keys, uint64_t key)
{
	for (int method = 0; method < BLKPR_KEY_METHODS; method++) {
		const char *other = keyring_owner(keys, keys->domain, method, key);

		if (other && method != (int)keys->method)
			fprintf(out, " (what %s has with key_value=%s)", other,
				blkpr_key_method_names[method]);
		if (other)
			continue;
		other = keyring_owner(keys, keys->domain ^ BLKPR_KEY_OF_RESOURCE, method, key);
		if (other)
			fprintf(out, " (%s, by %s)", other,
				keys->domain ? "a fence agent" : "ocf:blkpr:reservation");
	}
}

void scene_print_key(FILE *out, const struct scene *scene, uint64_t key)
{
	const struct story *story = scene->story;
	const struct keyring *keys = story->keys;
	const char *owner = keyring_owner(keys, keys->domain, keys->method, key);
	uint64_t own = scene->target->own;

	fprintf(out, "0x%" PRIx64, key);
	if (owner)
		fprintf(out, " (%s)", owner);
	else if (key == own)
		fputs(" (this node)", out);
	else if (story->victim_name && key == story->victim)
		fprintf(out, " (%s)", story->victim_name);
	if (!owner && key != own && is_lvms(key))
		fprintf(out, " (LVM's own reservations, vgchange --persist, of host id %u)",
			(unsigned)(key & 0xffff));
	if (!owner)
		print_other_owner(out, keys, key);
}
