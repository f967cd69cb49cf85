// SPDX-License-Identifier: GPL-2.0-or-later
// What this node remembers of a resource until it is rebooted.
#include "agents/reservation/holding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agents/common/pacemaker.h"
#include "agents/common/record.h"

int holding_add(
	struct holding *holding, const char *wwid, const char *name, uint64_t key, bool keep)
{
	struct remembered *disks = realloc(holding->disks, (holding->ndisks + 1) * sizeof(*disks));

	if (!disks)
		return -ENOMEM;
	holding->disks = disks;
	disks += holding->ndisks++;
	*disks = (struct remembered){strdup(wwid), strdup(name), key, keep};
	return disks->wwid && disks->name ? 0 : -ENOMEM;
}

const struct remembered *holding_find(const struct holding *holding, const char *wwid)
{
	for (unsigned i = 0; i < holding->ndisks; i++)
		if (!strcmp(holding->disks[i].wwid, wwid))
			return &holding->disks[i];
	return NULL;
}

void holding_drop(struct holding *holding, unsigned i)
{
	free(holding->disks[i].wwid);
	free(holding->disks[i].name);
	holding->disks[i] = holding->disks[--holding->ndisks];
}

void holding_clear(struct holding *holding)
{
	while (holding->ndisks)
		holding_drop(holding, holding->ndisks - 1);
	free(holding->disks);
	holding->disks = NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

/* Of what an older version wrote, whose resources may still run: the executor's pid, a wall clock.
 */
static void take_older_line(struct holding *holding, const char *line)
{
	long pid;

	if (sscanf(line, "session %ld", &pid) == 1 && pid)
		holding->session = pacemaker_executor_start_of(pid);
	else
		sscanf(line, "score %ld", &holding->score);
}

static int take_line(struct holding *holding, const char *line)
{
	char wwid[256];
	int keep, name;
	uint64_t key;
	long long good;

	if (sscanf(line, "disk %255s %" SCNx64 " %d %n", wwid, &key, &keep, &name) == 3)
		return holding_add(holding, wwid, line + name, key, keep);
	if (!strcmp(line, "role promoted"))
		holding->promoted = true;
	else if (sscanf(line, "good %lld", &good) == 1)
		holding->good = good;
	else if (sscanf(line, "executor %lld", &holding->session) != 1 &&
		 sscanf(line, "promotion %ld %ld %ld", &holding->score, &holding->pending,
			 &holding->pending_since) != 3)
		take_older_line(holding, line);
	return 0;
}

static int parse(struct holding *holding, char *text)
{
	char *rest = NULL;
	int rc = 0;

	holding->exists = true;
	for (char *line = strtok_r(text, "\n", &rest); line && !rc;
		line = strtok_r(NULL, "\n", &rest))
		rc = take_line(holding, line);
	return rc;
}

int holding_load(struct holding *holding, const char *instance, struct blkpr_error *error)
{
	char *text;
	int rc = record_resource_load(instance, &text, error);

	holding->instance = instance;
	holding->pending = -1;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	holding->text = strdup(text);
	rc = holding->text ? parse(holding, text) : -ENOMEM;
	free(text);
	if (rc)
		blkpr_error_set(error, "out of memory");
	return rc;
}

/* --- writing --------------------------------------------------------------------------------- */

/* For the caller to free; NULL: no memory. */
static char *print(const struct holding *holding)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "role %s\ngood %d\nexecutor %lld\npromotion %ld %ld %ld\n",
		holding->promoted ? "promoted" : "started", holding->good, holding->session,
		holding->score, holding->pending, holding->pending_since);
	for (unsigned i = 0; i < holding->ndisks; i++)
		fprintf(out, "disk %s %" PRIx64 " %d %s\n", holding->disks[i].wwid,
			holding->disks[i].key, holding->disks[i].keep, holding->disks[i].name);
	fclose(out);
	return text;
}

static int store_over(const struct holding *holding, const char *former, struct blkpr_error *error)
{
	char *text = print(holding);
	int rc;

	if (!text)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	rc = record_resource_store(holding->instance, former, text, error);
	free(text);
	return rc;
}

int holding_store(const struct holding *holding, struct blkpr_error *error)
{
	return store_over(holding, NULL, error);
}

/* However start ends, act_stop knows that it was tried, and what it has changed. */
int holding_store_attempt(struct holding *holding, struct blkpr_error *error)
{
	if (holding->exists)
		return 0;
	holding->exists = true;
	return holding_store(holding, error);
}

int holding_store_score(const struct holding *holding, struct blkpr_error *error)
{
	return store_over(holding, holding->text, error);
}

/* Whether a disk that is remembered was held with a key of this resource's, not a fence agent's. */
bool holding_has_own(const struct holding *holding)
{
	for (unsigned i = 0; i < holding->ndisks; i++)
		if (holding->disks[i].key)
			return true;
	return false;
}
