// SPDX-License-Identifier: GPL-2.0-or-later
// The model disk. Return codes are those of KERNEL.md's table.
#include "tests/unit/model.h"

#include <string.h>

/* --- state ---------------------------------------------------------------------------------------- */

void model_init(struct model *model, enum blkpr_kind kind)
{
	*model = (struct model){ .kind = kind, .holder = MODEL_NOBODY,
		.reach = kind == BLKPR_NVME ? BLKPR_REACH_NVME : BLKPR_REACH_TARGET };
	model->capabilities.types = 0x7e;
	for (unsigned i = 0; i < MODEL_NEXUSES; i++)
		model->host[i] = i;
}

struct model_disk model_connect(struct model *model, unsigned first, unsigned paths)
{
	for (unsigned i = 0; i < paths; i++)
		model->host[first + i] = first;
	return (struct model_disk){ .disk = { .ops = &model_ops, .paths = paths }, .model = model, .first = first,
		.paths = paths };
}

void model_set_key(struct model *model, unsigned nexus, uint64_t key)
{
	model->nexus[nexus].registered = true;
	model->nexus[nexus].key = key;
	model->generation++;
}

static bool for_all_registrants(unsigned type)
{
	return type == PR_WRITE_EXCLUSIVE_ALL_REGS || type == PR_EXCLUSIVE_ACCESS_ALL_REGS;
}

static bool for_registrants(unsigned type)
{
	return type >= PR_WRITE_EXCLUSIVE_REG_ONLY;
}

static bool anybody_registered(const struct model *model)
{
	for (unsigned i = 0; i < MODEL_NEXUSES; i++)
		if (model->nexus[i].registered)
			return true;
	return false;
}

/* The holder's registration takes the reservation with it; an all-registrants one goes with the last. */
void model_unregister(struct model *model, unsigned nexus)
{
	model->nexus[nexus].registered = false;
	model->nexus[nexus].key = 0;
	if (model->holder == (int)nexus || (for_all_registrants(model->type) && !anybody_registered(model)))
		model_set_reservation(model, 0, MODEL_NOBODY);
}

void model_set_reservation(struct model *model, unsigned type, int holder)
{
	model->type = type;
	model->holder = type && !for_all_registrants(type) ? holder : MODEL_NOBODY;
}

bool model_has(const struct model *model, uint64_t key)
{
	for (unsigned i = 0; i < MODEL_NEXUSES; i++)
		if (model->nexus[i].registered && model->nexus[i].key == key)
			return true;
	return false;
}

bool model_may_write(const struct model *model, unsigned nexus)
{
	if (!model->type || model->holder == (int)nexus)
		return true;
	return for_registrants(model->type) && model->nexus[nexus].registered;
}

void model_write(struct model *model)
{
	for (unsigned i = 0; i < MODEL_NEXUSES; i++)
		model->nexus[i].in_flight |= model_may_write(model, i);
}

unsigned model_count(const struct model *model, char op)
{
	unsigned count = 0;

	for (const char *p = model->trace; *p; p++)
		count += *p == op;
	return count;
}

bool model_only_read(const struct model *model)
{
	return strspn(model->trace, "RICWO") == strlen(model->trace);
}

/* --- the device's commands ------------------------------------------------------------------------ */

/* REGISTER; on NVMe a host may register its key again. A nexus with key 0 (trap 2) has that as its old key. */
enum blkpr_result model_register(struct model *model, unsigned nexus, uint64_t old_key, uint64_t new_key)
{
	const struct model_nexus *now = &model->nexus[nexus];
	bool again = model->kind == BLKPR_NVME && now->registered && !old_key && now->key == new_key;

	if (!again && (now->registered ? now->key : 0) != old_key)
		return BLKPR_CONFLICT;
	if (new_key)
		model_set_key(model, nexus, new_key);
	else
		model_unregister(model, nexus);
	return BLKPR_OK;
}

static bool holds(const struct model *model, unsigned nexus)
{
	return for_all_registrants(model->type) ? model->nexus[nexus].registered
						: model->holder == (int)nexus;
}

enum blkpr_result model_reserve(struct model *model, unsigned nexus, uint64_t own, unsigned type)
{
	const struct model_nexus *now = &model->nexus[nexus];

	if (type < PR_WRITE_EXCLUSIVE || type > PR_EXCLUSIVE_ACCESS_ALL_REGS)
		return BLKPR_INVALID;
	if (!now->registered && !model->type)
		return model->kind == BLKPR_NVME ? BLKPR_CONFLICT : BLKPR_IO_ERROR;
	if (!now->registered || now->key != own)
		return BLKPR_CONFLICT;
	if (model->type)
		return holds(model, nexus) && model->type == type ? BLKPR_OK : BLKPR_CONFLICT;
	model_set_reservation(model, type, (int)nexus);
	return BLKPR_OK;
}

/* An all-registrants reservation has no holder. */
static bool key_holds(const struct model *model, uint64_t key)
{
	return model->holder != MODEL_NOBODY && model->nexus[model->holder].key == key;
}

static void remove_key(struct model *model, unsigned preempter, uint64_t key)
{
	bool abort = model->kind == BLKPR_NVME || model->aborts_all || key_holds(model, key);

	for (unsigned i = 0; i < MODEL_NEXUSES; i++) {
		struct model_nexus *nexus = &model->nexus[i];

		if (!nexus->registered || nexus->key != key || i == preempter)
			continue;
		*nexus = (struct model_nexus){ .in_flight = nexus->in_flight && !abort };
	}
	model->generation++;
}

enum blkpr_result model_preempt_abort(
	struct model *model, unsigned nexus, uint64_t own, uint64_t victim, unsigned type)
{
	bool took;

	if (type < PR_WRITE_EXCLUSIVE || type > PR_EXCLUSIVE_ACCESS_ALL_REGS || !victim)
		return BLKPR_INVALID;
	if (!model->nexus[nexus].registered || model->nexus[nexus].key != own)
		return BLKPR_CONFLICT;
	if (model->noop_quirk && model->holder == (int)nexus) {
		model_set_reservation(model, type, (int)nexus);
		model->generation++;
		return BLKPR_OK;
	}
	if (!model_has(model, victim))
		return BLKPR_CONFLICT;
	took = key_holds(model, victim);
	remove_key(model, nexus, victim);
	if (took)
		model_set_reservation(model, type, (int)nexus);
	return BLKPR_OK;
}

enum blkpr_result model_release(struct model *model, unsigned nexus, uint64_t own, unsigned type)
{
	if (!model->nexus[nexus].registered || model->nexus[nexus].key != own)
		return BLKPR_CONFLICT;
	if (!model->type || !holds(model, nexus))
		return BLKPR_OK;
	if (model->type != type)
		return BLKPR_INVALID;
	model_set_reservation(model, 0, MODEL_NOBODY);
	return BLKPR_OK;
}

enum blkpr_result model_drain(struct model *model)
{
	if (model->kind == BLKPR_NVME)
		return BLKPR_UNDRAINED;
	for (unsigned i = 0; i < MODEL_NEXUSES && model->drain_result == BLKPR_OK; i++)
		if (model->reach == BLKPR_REACH_TARGET)
			model->nexus[i].in_flight = false;
	return model->drain_result;
}

enum blkpr_result model_initiators(const struct model *model, uint64_t key, unsigned *initiators)
{
	bool seen[MODEL_NEXUSES] = { false };

	*initiators = 0;
	if (model->kind == BLKPR_NVME)
		return BLKPR_UNSUPPORTED;
	for (unsigned i = 0; i < MODEL_NEXUSES && model->initiators_result == BLKPR_OK; i++) {
		if (!model->nexus[i].registered || model->nexus[i].key != key || seen[model->host[i]])
			continue;
		seen[model->host[i]] = true;
		++*initiators;
	}
	return model->initiators_result;
}

/* --- a node's operations -------------------------------------------------------------------------- */

static bool enter(struct model *model, char op, enum blkpr_result *result)
{
	if (model->ops < MODEL_TRACE - 1)
		model->trace[model->ops] = op;
	model->ops++;
	if (model->aborting && strchr("GSPLU", op)) {
		for (unsigned i = 0; i < MODEL_NEXUSES; i++)
			model->nexus[i].in_flight &= model->nexus[i].registered;
		model->aborting = false;
	}
	return model->before && model->before(model, op, result);
}

static struct model_disk *model_disk_of(struct blkpr_disk *disk)
{
	return (struct model_disk *)disk; /* its first member */
}

static void show_holder(const struct model *model, struct blkpr_report *report)
{
	report->type = model->type;
	report->holder = model->holder == MODEL_NOBODY ? 0 : model->nexus[model->holder].key;
}

static enum blkpr_result op_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	struct model *model = model_disk_of(disk)->model;
	enum blkpr_result result = BLKPR_OK;

	*report = (struct blkpr_report){ 0 };
	if (enter(model, 'R', &result))
		return result;
	if (!blkpr_report_resize(report, MODEL_NEXUSES))
		return BLKPR_NO_MEMORY;
	for (unsigned i = 0; i < MODEL_NEXUSES; i++)
		if (model->nexus[i].registered)
			report->keys[report->nkeys++] = model->nexus[i].key;
	report->generation = model->generation;
	show_holder(model, report);
	return BLKPR_OK;
}

static enum blkpr_result op_register(struct blkpr_disk *disk, unsigned path, uint64_t old_key, uint64_t new_key)
{
	struct model_disk *node = model_disk_of(disk);
	enum blkpr_result result = BLKPR_OK;

	return enter(node->model, 'G', &result)
		? result
		: model_register(node->model, node->first + path, old_key, new_key);
}

static unsigned op_silent(struct blkpr_disk *disk)
{
	return model_disk_of(disk)->silent;
}

static enum blkpr_result op_may_write(struct blkpr_disk *disk, unsigned path)
{
	struct model_disk *node = model_disk_of(disk);
	enum blkpr_result result = BLKPR_OK;

	if (enter(node->model, 'W', &result))
		return result;
	return model_may_write(node->model, node->first + path) ? BLKPR_OK : BLKPR_CONFLICT;
}

static enum blkpr_result op_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	struct model_disk *node = model_disk_of(disk);
	enum blkpr_result result = BLKPR_OK;

	if (enter(node->model, 'S', &result))
		return result;
	return model_reserve(node->model, node->first, own, type);
}

static enum blkpr_result op_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	struct model_disk *node = model_disk_of(disk);
	enum blkpr_result result = BLKPR_OK;

	if (enter(node->model, 'P', &result))
		return result;
	return model_preempt_abort(node->model, node->first, own, victim, type);
}

static enum blkpr_reach op_reach(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE])
{
	*driver = '\0';
	return model_disk_of(disk)->model->reach;
}

static enum blkpr_result op_drain(struct blkpr_disk *disk, enum blkpr_reach least)
{
	struct model *model = model_disk_of(disk)->model;
	enum blkpr_result result = BLKPR_OK;

	if (enter(model, 'D', &result))
		return result;
	return model->reach >= least ? model_drain(model) : BLKPR_UNDRAINED;
}

static enum blkpr_result op_initiators(struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	struct model *model = model_disk_of(disk)->model;
	enum blkpr_result result = BLKPR_OK;

	*initiators = 0;
	return enter(model, 'I', &result) ? result : model_initiators(model, key, initiators);
}

static enum blkpr_result op_capabilities(struct blkpr_disk *disk, struct blkpr_capabilities *capabilities)
{
	struct model *model = model_disk_of(disk)->model;
	enum blkpr_result result = BLKPR_OK;

	*capabilities = (struct blkpr_capabilities){ 0 };
	if (enter(model, 'C', &result))
		return result;
	if (model->capabilities_result == BLKPR_OK)
		*capabilities = model->capabilities;
	return model->capabilities_result;
}

static enum blkpr_result op_keys_of_self(struct blkpr_disk *disk, unsigned path, struct blkpr_report *report)
{
	struct model_disk *node = model_disk_of(disk);
	struct model *model = node->model;
	enum blkpr_result result = BLKPR_OK;

	*report = (struct blkpr_report){ 0 };
	if (enter(model, 'O', &result))
		return result;
	if (model->nameless)
		return BLKPR_UNSUPPORTED;
	if (!blkpr_report_resize(report, MODEL_NEXUSES))
		return BLKPR_NO_MEMORY;
	for (unsigned i = 0; i < MODEL_NEXUSES; i++)
		if (model->nexus[i].registered && model->host[i] == model->host[node->first + path])
			report->keys[report->nkeys++] = model->nexus[i].key;
	return BLKPR_OK;
}

/* A registrant that does not hold releases nothing, and is told that all is well (SPC-4 5.12.11.2.3). */
static enum blkpr_result op_release(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	struct model_disk *node = model_disk_of(disk);
	enum blkpr_result result = BLKPR_OK;

	if (enter(node->model, 'L', &result))
		return result;
	for (unsigned i = 0; i < node->paths && result == BLKPR_OK; i++)
		result = model_release(node->model, node->first + i, own, type);
	return result;
}

static enum blkpr_result op_unregister(struct blkpr_disk *disk, uint64_t own)
{
	struct model_disk *node = model_disk_of(disk);
	enum blkpr_result result = BLKPR_OK;

	if (enter(node->model, 'U', &result))
		return result;
	for (unsigned i = 0; i < node->paths; i++) {
		const struct model_nexus *nexus = &node->model->nexus[node->first + i];

		if (!nexus->registered || nexus->key != own)
			return BLKPR_CONFLICT;
		model_unregister(node->model, node->first + i);
	}
	return BLKPR_OK;
}

const struct blkpr_disk_ops model_ops = {
	.read = op_read,
	.register_key = op_register,
	.silent = op_silent,
	.may_write = op_may_write,
	.keys_of_self = op_keys_of_self,
	.reserve = op_reserve,
	.preempt_abort = op_preempt_abort,
	.release = op_release,
	.unregister = op_unregister,
	.reach = op_reach,
	.drain = op_drain,
	.initiators = op_initiators,
	.capabilities = op_capabilities,
};
