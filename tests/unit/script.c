// SPDX-License-Identifier: GPL-2.0-or-later
// The scripted disk.
#include "tests/unit/script.h"

#include "tests/unit/unit.h"

#define MOST_STEPS 64

struct step {
	char op; /* as in a model's trace */
	enum blkpr_result result;
	struct script_view view;
	uint64_t first, second;
	unsigned type;
};

static struct step steps[MOST_STEPS];
static unsigned expected, done;

static struct step *add(char op, enum blkpr_result result)
{
	assert_true(expected < MOST_STEPS);
	steps[expected] = (struct step){ .op = op, .result = result };
	return &steps[expected++];
}

void script_read(const struct script_view *view)
{
	add('R', BLKPR_OK)->view = *view;
}

void script_read_fails(enum blkpr_result result)
{
	add('R', result);
}

static void add_command(char op, uint64_t first, uint64_t second, unsigned type, enum blkpr_result result)
{
	struct step *step = add(op, result);

	step->first = first;
	step->second = second;
	step->type = type;
}

void script_register(uint64_t old_key, uint64_t new_key, enum blkpr_result result)
{
	add_command('G', old_key, new_key, 0, result);
}

void script_keys_of_self(uint64_t key, enum blkpr_result result)
{
	add('O', result)->first = key;
}

void script_may_write(enum blkpr_result result)
{
	add('W', result);
}

void script_reserve(uint64_t own, unsigned type, enum blkpr_result result)
{
	add_command('S', own, 0, type, result);
}

void script_preempt(uint64_t own, uint64_t victim, unsigned type, enum blkpr_result result)
{
	add_command('P', own, victim, type, result);
}

void script_drain(enum blkpr_result result)
{
	add('D', result);
}

void script_initiators(uint64_t key, unsigned initiators, enum blkpr_result result)
{
	add_command('I', key, initiators, 0, result);
}

void script_capabilities(uint16_t types, enum blkpr_result result)
{
	add('C', result)->type = types;
}

/* --- the operations ------------------------------------------------------------------------------- */

static const struct step *next(char op)
{
	if (done == expected)
		fail_msg("unexpected operation %c: the script has ended after %u", op, done);
	if (steps[done].op != op)
		fail_msg("operation %u is %c, expected %c", done + 1, op, steps[done].op);
	return &steps[done++];
}

static enum blkpr_result command(char op, uint64_t first, uint64_t second, unsigned type)
{
	const struct step *step = next(op);

	assert_int_equal(first, step->first);
	assert_int_equal(second, step->second);
	assert_int_equal(type, step->type);
	return step->result;
}

static enum blkpr_result op_read(struct blkpr_disk *disk, struct blkpr_report *report)
{
	const struct step *step = next('R');
	const struct script_view *view = &step->view;

	(void)disk;
	*report = (struct blkpr_report){ 0 };
	if (step->result != BLKPR_OK)
		return step->result;
	assert_true(blkpr_report_resize(report, ARRAY_SIZE(view->keys)));
	for (unsigned i = 0; i < ARRAY_SIZE(view->keys) && view->keys[i]; i++)
		report->keys[report->nkeys++] = view->keys[i];
	report->type = view->type;
	report->holder = view->holder;
	report->generation = view->generation;
	return BLKPR_OK;
}

static enum blkpr_result op_keys_of_self(struct blkpr_disk *disk, unsigned path, struct blkpr_report *report)
{
	const struct step *step = next('O');

	(void)disk;
	assert_int_equal(path, 0);
	*report = (struct blkpr_report){ 0 };
	if (step->result != BLKPR_OK)
		return step->result;
	assert_true(blkpr_report_resize(report, 1));
	report->keys[0] = step->first;
	report->nkeys = 1;
	return BLKPR_OK;
}

static unsigned op_silent(struct blkpr_disk *disk)
{
	(void)disk;
	return 0;
}

static enum blkpr_result op_may_write(struct blkpr_disk *disk, unsigned path)
{
	(void)disk;
	assert_int_equal(path, 0);
	return next('W')->result;
}

static enum blkpr_result op_register(struct blkpr_disk *disk, unsigned path, uint64_t old_key, uint64_t new_key)
{
	(void)disk;
	assert_int_equal(path, 0);
	return command('G', old_key, new_key, 0);
}

static enum blkpr_result op_reserve(struct blkpr_disk *disk, uint64_t own, enum pr_type type)
{
	(void)disk;
	return command('S', own, 0, type);
}

static enum blkpr_result op_preempt_abort(
	struct blkpr_disk *disk, uint64_t own, uint64_t victim, enum pr_type type)
{
	(void)disk;
	return command('P', own, victim, type);
}

enum blkpr_reach script_reach;

static enum blkpr_reach op_reach(struct blkpr_disk *disk, char driver[BLKPR_DRIVER_SIZE])
{
	(void)disk;
	*driver = '\0';
	return script_reach;
}

static enum blkpr_result op_drain(struct blkpr_disk *disk, enum blkpr_reach least)
{
	(void)disk;
	assert_int_equal(least, script_reach);
	return next('D')->result;
}

static enum blkpr_result op_initiators(struct blkpr_disk *disk, uint64_t key, unsigned *initiators)
{
	const struct step *step = next('I');

	(void)disk;
	assert_int_equal(key, step->first);
	*initiators = (unsigned)step->second;
	return step->result;
}

static enum blkpr_result op_capabilities(struct blkpr_disk *disk, struct blkpr_capabilities *capabilities)
{
	const struct step *step = next('C');

	(void)disk;
	*capabilities = (struct blkpr_capabilities){ .types = (uint16_t)step->type };
	return step->result;
}

static const struct blkpr_disk_ops script_ops = {
	.read = op_read,
	.register_key = op_register,
	.silent = op_silent,
	.may_write = op_may_write,
	.keys_of_self = op_keys_of_self,
	.reserve = op_reserve,
	.preempt_abort = op_preempt_abort,
	.reach = op_reach,
	.drain = op_drain,
	.initiators = op_initiators,
	.capabilities = op_capabilities,
};

struct blkpr_disk script_disk = { .ops = &script_ops, .paths = 1 };

int script_begin(void **state)
{
	(void)state;
	expected = done = 0;
	script_reach = BLKPR_REACH_TARGET;
	return 0;
}

int script_end(void **state)
{
	(void)state;
	if (done == expected)
		return 0;
	print_error("%u of %u expected operations did not come\n", expected - done, expected);
	return -1;
}
