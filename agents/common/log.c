// SPDX-License-Identifier: GPL-2.0-or-later
// Log targets, by libqb.
#include "agents/common/log.h"

#include <string.h>
#include <syslog.h>
#include <time.h>

#include "agents/common/line.h"

#define LONGEST_LINE 4096

static void add_target(int target, int priority, const char *format)
{
	qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", priority);
	qb_log_format_set(target, format);
	qb_log_ctl(target, QB_LOG_CONF_MAX_LINE_LEN, LONGEST_LINE);
	qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE);
}

static int add_file(const char *path, int priority, struct blkpr_error *error)
{
	int target = qb_log_file_open(path);

	if (target < 0) {
		blkpr_error_set(error, "%s: cannot open the log file: %s", path, strerror(-target));
		return target;
	}
	add_target(target, priority, "%t %N[%P] %p: %b");
	return 0;
}

static void write_stderr(
	int32_t target, struct qb_log_callsite *site, struct timespec *when, const char *text)
{
	(void)site;
	(void)when;
	line_write(stderr, qb_log_target_user_data_get(target), text);
}

static void add_stderr(const char *name, int priority)
{
	int target = qb_log_custom_open(write_stderr, NULL, NULL, (void *)name);

	if (target >= 0)
		add_target(target, priority, "%b");
}

int log_open(const struct log_options *options, struct blkpr_error *error)
{
	static const int priorities[] = { LOG_WARNING, LOG_INFO, LOG_DEBUG };
	int priority = priorities[options->verbosity < 2 ? options->verbosity : 2];
	struct blkpr_error ignored;
	int rc = 0;

	qb_log_init(options->name, LOG_DAEMON, LOG_NOTICE);
	qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_MAX_LINE_LEN, LONGEST_LINE);
	if (!options->quiet || options->verbosity)
		add_stderr(options->name, priority);
	if (options->logfile)
		rc = add_file(options->logfile, priority, error);
	if (options->debug_file) {
		int later = add_file(options->debug_file, LOG_DEBUG, rc ? &ignored : error);

		rc = rc ? rc : later;
	}
	return rc;
}

void log_close(void)
{
	qb_log_fini();
}
