// SPDX-License-Identifier: GPL-2.0-or-later
// ocf:blkpr:reservation: an OCF resource agent (API 1.1) that holds the reservation of a service's
// disks.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "agents/common/alarm.h"
#include "agents/common/log.h"
#include "agents/common/run.h"
#include "agents/reservation/actions.h"
#include "agents/reservation/plan.h"
#include "lib/clock.h"
#include "metadata/reservation.h"

/* For bad parameters. A probe that fails would be taken for a resource that runs, and must be
 * stopped. */
static enum ocf_exitcode refuse(
	struct resource *resource, const struct action *action, const struct blkpr_error *error)
{
	enum ocf_exitcode code = ocf_fail(&resource->ocf, PCMK_OCF_NOT_CONFIGURED, error);

	return action->run == act_monitor && resource->ocf.probe && !resource->holding.ndisks
		       ? resource_cannot_run(resource)
		       : code;
}

static enum ocf_exitcode run(struct resource *resource, const struct action *action)
{
	int64_t began = blkpr_clock_ms();
	struct blkpr_error error;
	struct log_options log = {0};

	ocf_read_environment(&resource->ocf);
	resource->keys.domain = BLKPR_KEY_OF_RESOURCE;
	if (!resource->ocf.instance || !resource->ocf.tag ||
		options_init(&resource->options, reservation_options) ||
		options_parse_environment(&resource->options, "OCF_RESKEY_")) {
		blkpr_error_set(&resource->ocf.reason, "out of memory");
		return PCMK_OCF_UNKNOWN_ERROR;
	}
	if (action->disks && geteuid()) {
		blkpr_error_set(&resource->ocf.reason,
			"must run as root: only root may use persistent reservations");
		return PCMK_OCF_INSUFFICIENT_PRIV;
	}
	log.name = resource->ocf.tag;
	log.verbosity = options_flag(&resource->options, "verbose");
	if (log_open(&log, &error))
		return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	resource->deadline = ocf_set_deadline(began);
	if (action->disks && holding_load(&resource->holding, resource->ocf.instance, &error))
		return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	if (action->run == act_start && holding_store_attempt(&resource->holding, &error))
		return ocf_fail(&resource->ocf, PCMK_OCF_UNKNOWN_ERROR, &error);
	if (plan_take_parameters(resource, &error) && !action->gives)
		return refuse(resource, action, &error);
	if (action->disks && disks_load_coverage(&resource->disks, resource->deadline, &error))
		qb_log(LOG_WARNING, "%s",
			error.text); /* then no disk is known to be a fence agent's */
	return action->run(resource);
}

static enum ocf_exitcode act(struct resource *resource, int argc, char *argv[])
{
	const struct action *action = argc == 2 ? action_find(argv[1]) : NULL;
	enum ocf_exitcode code;

	if (argc != 2) {
		fputs(reservation_help, stderr);
		return PCMK_OCF_INVALID_PARAM;
	}
	if (!strcmp(argv[1], "meta-data")) {
		fputs(reservation_metadata, stdout);
		return PCMK_OCF_OK;
	}
	if (!strcmp(argv[1], "usage") || !strcmp(argv[1], "help") || !strcmp(argv[1], "--help")) {
		fputs(reservation_help, stdout);
		return PCMK_OCF_OK;
	}
	if (!action) {
		blkpr_error_set(
			&resource->ocf.reason, "no action '%s'; see " OCF_NAME " --help", argv[1]);
		return PCMK_OCF_UNIMPLEMENT_FEATURE;
	}
	code = run(resource, action);
	log_close();
	return code;
}

int main(int argc, char *argv[])
{
	struct resource resource = {.keys.cluster.local = -1};
	enum ocf_exitcode code;

	run_prepare();
	alarm_prefix = OCF_REASON;
	code = act(&resource, argc, argv);
	fflush(stdout);
	ocf_print_reason(&resource.ocf, code);
	resource_clear(&resource);
	return code;
}
