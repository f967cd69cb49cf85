// SPDX-License-Identifier: GPL-2.0-or-later
// fence_blkpr: a Pacemaker fence agent over the block layer's persistent reservations.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "agents/fence/actions.h"
#include "agents/common/alarm.h"
#include "agents/common/line.h"
#include "agents/common/log.h"
#include "agents/common/options.h"
#include "agents/common/run.h"
#include "lib/clock.h"
#include "metadata/fence_blkpr.h"

#define NAME "fence_blkpr"
#define LONGEST_DEADLINE 86400 /* seconds */
#define BARE_SECONDS 10        /* without a good power_timeout, where none is needed */

static int fail(const struct blkpr_error *error)
{
	line_write(stderr, NAME, error->text);
	return OUTCOME_FAILED;
}

/* Pacemaker 2.1 passes nodeid with some fencings (lib/fencing/st_actions.c); the name says all. */
static void warn_unknown(const char *name)
{
	struct blkpr_error text;

	if (!strcmp(name, "nodeid"))
		return;
	blkpr_error_set(&text, "ignoring the unknown parameter '%s'", name);
	line_write(stderr, NAME, text.text);
}

static int read_options(struct options *options, int argc, char *argv[], struct blkpr_error *error)
{
	int rc = options_init(options, fence_blkpr_options);

	if (rc) {
		blkpr_error_set(error, "out of memory");
		return rc;
	}
	if (argc > 1)
		return options_parse_argv(options, argc, argv, error);
	if (isatty(STDIN_FILENO))
		fputs(NAME ": reading name=value lines from the terminal; see " NAME " --help\n",
			stderr);
	rc = options_parse_stream(options, stdin, warn_unknown);
	if (rc)
		blkpr_error_set(error, "cannot read parameters from stdin: %s", strerror(-rc));
	return rc;
}

/* What needs no checks: help, version, metadata. */
static bool print_documents(const struct options *options, const char *action)
{
	if (options_flag(options, "help"))
		fputs(fence_blkpr_help, stdout);
	else if (options_flag(options, "version"))
		puts(NAME " " PACKAGE_VERSION);
	else if (!strcmp(action, "metadata") || !strcmp(action, "meta-data"))
		fputs(fence_blkpr_metadata, stdout);
	else
		return false;
	return true;
}

static int start_log(const struct options *options, struct blkpr_error *error)
{
	bool verbose = options_flag(options, "verbose");
	struct log_options log = {
		.name = NAME,
		.verbosity = (unsigned)options_number(options, "verbose_level",
			verbose ? (long)options_count(options, "verbose") : 0),
		.quiet = options_flag(options, "quiet") || options_flag(options, "suppress_errors"),
		.logfile = options_get(options, "logfile"),
		.debug_file = options_get(options, "debug_file"),
	};

	return log_open(&log, error);
}

/* Pacemaker's name for the node is in nodename, and in plug what pcmk_host_map makes of it. */
static int take_victims(
	struct fencing *fencing, const struct options *options, struct blkpr_error *error)
{
	const char *separator = options_get(options, "plug_separator");
	const char *plug = options_get(options, "plug");
	char *rest = NULL;

	fencing->nodename = options_get(options, "nodename");
	if (!plug)
		plug = fencing->nodename;
	if (!plug && !fencing->keys.given)
		return 0;
	fencing->names = strdup(plug ? plug : "");
	fencing->victims = calloc(plug ? strlen(plug) + 1 : 1, sizeof(*fencing->victims));
	if (!fencing->names || !fencing->victims)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	for (char *name = strtok_r(fencing->names, separator, &rest); name;
		name = strtok_r(NULL, separator, &rest))
		fencing->victims[fencing->nvictims++].name = name;
	if (fencing->keys.given && fencing->nvictims > 1)
		return blkpr_error_fail(error, -EINVAL,
			"key=%s: one key cannot be that of several nodes (%s)",
			options_get(options, "key"), plug);
	if (fencing->keys.given && !fencing->nvictims)
		fencing->nvictims = 1;
	return 0;
}

static int take_plan(struct fencing *fencing, long *delay, long *seconds, struct blkpr_error *error)
{
	/* in the order of the choices in metadata/fence_blkpr.xml */
	static const enum pr_type types[] = { PR_WRITE_EXCLUSIVE_REG_ONLY,
		PR_EXCLUSIVE_ACCESS_REG_ONLY, PR_WRITE_EXCLUSIVE_ALL_REGS,
		PR_EXCLUSIVE_ACCESS_ALL_REGS };
	static const enum blkpr_unknown unknowns[] = { BLKPR_UNKNOWN_FAIL, BLKPR_UNKNOWN_ALLOW,
		BLKPR_UNKNOWN_EVICT };
	const struct options *options = fencing->options;
	long parallel = 0;
	int rc = options_check(options, error);

	if (!rc)
		rc = keyring_take_key(&fencing->keys, options, error);
	if (!rc)
		rc = take_victims(fencing, options, error);
	if (!rc)
		rc = options_take_number(options, "max_parallel", 1, 4096, &parallel, error);
	if (!rc)
		rc = options_take_number(options, "delay", 0, LONGEST_DEADLINE, delay, error);
	if (!rc)
		rc = options_take_number(
			options, "power_timeout", 1, LONGEST_DEADLINE, seconds, error);
	keyring_take_method(&fencing->keys, options);
	fencing->fence.type = types[options_choice(options, "reservation_type")];
	fencing->fence.unknown = unknowns[options_choice(options, "unknown_keys")];
	fencing->fence.in_flight = (enum blkpr_in_flight)options_choice(options, "in_flight");
	fencing->fence.parallel = (unsigned)parallel;
	return rc;
}

static const struct action *find_action(const char *name, struct blkpr_error *error)
{
	const struct action *action = action_find(name);

	if (!action)
		/*
		 * these very words tell the fencer that the action does not exist
		 * (lib/fencing/st_actions.c)
		 */
		blkpr_error_set(
			error, "Unrecognised action '%s'; it is one of %s", name, action_names());
	return action;
}

static int check_needs(
	const struct fencing *fencing, const struct action *action, struct blkpr_error *error)
{
	if (action->needs & ACTION_NODE && !fencing->nvictims)
		return blkpr_error_fail(
			error, -EINVAL, "no node: set plug (-n NODE), or key for its key");
	if (action->needs & ACTION_ROOT && geteuid())
		return blkpr_error_fail(error, -EPERM,
			"must run as root: only root may use persistent reservations");
	return 0;
}

/*
 * What the action needs of the parameters. One that needs none works with bad ones, too: without
 * its nodes the fencer would not even ask for the action that says what is wrong.
 */
static int prepare(struct fencing *fencing, const struct action *action, long *delay, long *seconds,
	struct blkpr_error *error)
{
	struct blkpr_error ignored;
	int rc;

	if (action->needs & ACTION_BARE) {
		if (options_take_number(fencing->options, "power_timeout", 1, LONGEST_DEADLINE,
			    seconds, &ignored))
			*seconds = BARE_SECONDS;
		return 0;
	}
	rc = take_plan(fencing, delay, seconds, error);
	return rc ? rc : check_needs(fencing, action, error);
}

/*
 * power_timeout may be the limit of the fencer, too, that ends the agent: a tenth of it is for the
 * start of the process, and for the verdict to arrive.
 */
static void set_deadline(struct fencing *fencing, long seconds)
{
	int64_t ms = seconds * 900;

	fencing->fence.deadline = blkpr_clock_ms() + ms;
	alarm_before_work(ms);
}

/* The words go to syslog and stderr in any case. */
static void open_log(struct fencing *fencing)
{
	alarm_doing = "the log file was opened; does its file server answer?";
	if (start_log(fencing->options, &fencing->unlogged))
		qb_log(LOG_WARNING, "%s", fencing->unlogged.text);
}

static void wait_delay(long delay)
{
	qb_log(LOG_INFO, "waiting %ld s, as delay asks", delay);
	alarm_off();
	blkpr_clock_pause(delay * 1000, INT64_MAX);
}

static enum outcome run(struct fencing *fencing)
{
	struct blkpr_error error = { "" };
	const struct action *action;
	const char *name = options_get(fencing->options, "action");
	enum outcome outcome;
	long delay = 0, seconds = 0;

	if (print_documents(fencing->options, name))
		return OUTCOME_DONE;
	action = find_action(name, &error);
	if (!action || prepare(fencing, action, &delay, &seconds, &error))
		return fail(&error);
	set_deadline(fencing, seconds);
	open_log(fencing);
	if (delay && action->needs & ACTION_DELAY) {
		wait_delay(delay);
		set_deadline(fencing, seconds);
	}
	outcome = action->run(fencing);
	log_close();
	return outcome;
}

int main(int argc, char *argv[])
{
	struct options options;
	struct fencing fencing = { .options = &options, .keys.cluster.local = -1 };
	struct blkpr_error error = { "" };
	enum outcome outcome;

	run_prepare();
	if (read_options(&options, argc, argv, &error))
		outcome = fail(&error);
	else
		outcome = run(&fencing);
	if (fflush(stdout) && outcome == OUTCOME_DONE)
		outcome = OUTCOME_FAILED; /* nobody has read that it worked */
	fencing_clear(&fencing);
	options_clear(&options);
	return outcome;
}
