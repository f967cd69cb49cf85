// SPDX-License-Identifier: GPL-2.0-or-later
// blkpr-watch: resets a node that fence_blkpr has cut off from its disks.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"

#include "agents/common/line.h"
#include "agents/common/log.h"
#include "agents/common/options.h"
#include "agents/common/run.h"
#include "agents/watch/watch.h"
#include "metadata/blkpr-watch.h"

#define NAME "blkpr-watch"

static int start_log(const struct options *options, struct blkpr_error *error)
{
	const struct log_options log = { .name = NAME,
		.verbosity = options_count(options, "verbose"),
		.logfile = options_get(options, "logfile") };

	return log_open(&log, error);
}

static int run(const struct options *options, struct blkpr_error *error)
{
	const struct watch_actor actor = { .act = (enum watch_act)options_choice(options, "act"),
		.rehearse = options_flag(options, "rehearse") };
	int rc = options_check(options, error);

	if (rc)
		return rc;
	if (geteuid())
		return blkpr_error_fail(error, -EPERM,
			"must run as root: only root may read reservations and reset a node");
	rc = start_log(options, error);
	if (!rc)
		rc = watch_run(&actor, error);
	log_close();
	return rc;
}

int main(int argc, char *argv[])
{
	struct options options;
	struct blkpr_error error = { "" };
	int rc;

	run_prepare();
	rc = options_init(&options, blkpr_watch_options);
	if (rc)
		blkpr_error_set(&error, "out of memory");
	else
		rc = options_parse_argv(&options, argc, argv, &error);
	if (!rc && options_flag(&options, "help"))
		fputs(blkpr_watch_help, stdout);
	else if (!rc && options_flag(&options, "version"))
		puts(NAME " " PACKAGE_VERSION);
	else if (!rc)
		rc = run(&options, &error);
	if (rc)
		line_write(stderr, NAME, error.text);
	options_clear(&options);
	return rc ? 1 : 0;
}
