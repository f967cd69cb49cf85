// SPDX-License-Identifier: GPL-2.0-or-later
// The disks that a run is about.
#include "agents/common/disks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#include "agents/common/alarm.h"
#include "agents/common/log.h"

int disks_load_coverage(struct disks *disks, int64_t deadline, struct blkpr_error *error)
{
	int rc;

	alarm_doing = BLKPR_RUN_DIR " and " BLKPR_STATE_DIR " were read; do they answer?";
	rc = coverage_load(&disks->coverage, BLKPR_RUN_DIR, BLKPR_STATE_DIR, deadline, error);
	disks->incomplete = disks->coverage.doubt;
	return rc;
}

static bool is_to_add(const struct disks *disks, const struct registration *disk)
{
	return disk->name && !blkpr_list_find(&disks->list, disk->wwid);
}

/* By the names that they had last. *LEFT: how many these names do not stand for any more. */
static int add_by_name(struct disks *disks, unsigned *left)
{
	struct blkpr_error ignored;
	int rc = 0;

	for (unsigned i = 0; i < disks->coverage.count && !rc; i++) {
		const struct registration *disk = &disks->coverage.disks[i];
		struct blkpr_device device;

		if (!is_to_add(disks, disk))
			continue;
		if (blkpr_device_resolve(disk->name, &device, &ignored)) {
			++*left;
			continue;
		}
		device.unnamed = true;
		if (strcmp(device.wwid, disk->wwid))
			++*left;
		else
			rc = blkpr_list_move(&disks->list, &device);
		blkpr_device_clear(&device);
	}
	return rc;
}

/* By their identity, among all that there are; what is not found is absent, and keeps its place. */
static int add_by_identity(struct disks *disks)
{
	struct blkpr_list all = { 0 };
	int rc = 0;

	blkpr_list_scan(&all);
	for (unsigned i = 0; i < all.count && !rc; i++) {
		const struct registration *disk =
			coverage_find(&disks->coverage, all.devices[i].wwid);

		if (!disk || !is_to_add(disks, disk))
			continue;
		all.devices[i].unnamed = true;
		rc = blkpr_list_move(&disks->list, &all.devices[i]);
		all.devices[i] = all.devices[--all.count];
		i--;
	}
	for (unsigned i = 0; i < disks->coverage.count && !rc; i++) {
		const struct registration *disk = &disks->coverage.disks[i];

		if (is_to_add(disks, disk))
			rc = blkpr_list_add_absent(&disks->list, disk->name, disk->wwid);
	}
	blkpr_list_clear(&all);
	return rc;
}

int disks_add_covered(struct disks *disks, struct blkpr_error *error)
{
	unsigned left = 0;
	int rc = add_by_name(disks, &left);

	if (!rc && left)
		rc = add_by_identity(disks);
	if (rc)
		blkpr_error_set(error, "out of memory");
	return rc;
}

int disks_settle(struct disks *disks, struct blkpr_error *error)
{
	blkpr_list_settle(&disks->list);
	disks->targets = calloc(disks->list.count, sizeof(*disks->targets));
	disks->verdicts = calloc(disks->list.count, sizeof(*disks->verdicts));
	if (!disks->targets || !disks->verdicts)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < disks->list.count; i++)
		disks->targets[i].device = &disks->list.devices[i];
	disks->ntargets = disks->list.count;
	return 0;
}

const struct registration *disks_record(const struct disks *disks, unsigned i)
{
	return coverage_find(&disks->coverage, disks->targets[i].device->wwid);
}

int disks_find_own(struct disks *disks, const struct keyring *keys, unsigned i,
	struct blkpr_error *error)
{
	const struct registration *record = disks_record(disks, i);
	uint64_t recorded = record ? record->key : 0, derived = 0;
	struct blkpr_target *target = &disks->targets[i];
	struct blkpr_error underived;
	int derivation = keyring_derive_own(keys, &derived, &underived);
	bool given = recorded && !strcmp(record->how, REGISTRATION_EXPLICIT);

	if (recorded && (derivation || given || target->device->unnamed)) {
		target->own = recorded;
		if (!derivation && given && derived != recorded)
			qb_log(LOG_WARNING,
				"%s: this node registered the explicit key 0x%" PRIx64
				" there, not 0x%" PRIx64
				" as key_value gives; unfence it without key= to change that",
				target->device->name, recorded, derived);
		return 0;
	}
	if (derivation) {
		blkpr_error_set(error,
			"this node's own key cannot be derived, and none is recorded: %.400s",
			underived.text);
		return derivation;
	}
	target->own = derived;
	return 0;
}

bool disks_all_ok(const struct disks *disks)
{
	for (unsigned i = 0; i < disks->ntargets; i++)
		if (disks->verdicts[i].result != BLKPR_OK)
			return false;
	return true;
}

void disks_clear(struct disks *disks)
{
	blkpr_list_clear(&disks->list);
	coverage_clear(&disks->coverage);
	free(disks->targets);
	free(disks->verdicts);
}
