// SPDX-License-Identifier: GPL-2.0-or-later
// What an OCF resource agent is told, and tells (API 1.1).
#include "agents/reservation/ocf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agents/common/alarm.h"

/* --- the environment -------------------------------------------------------------------------- */

static long number_in_environment(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtol(text, NULL, 10) : otherwise;
}

/* As Pacemaker reads booleans. */
static bool is_true(const char *text)
{
	static const char *const words[] = { "true", "on", "yes", "y", "1" };

	for (unsigned i = 0; text && i < sizeof(words) / sizeof(*words); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

static char *make_tag(const char *instance)
{
	char *tag;

	return asprintf(&tag, "%s(%s)", OCF_NAME, instance) < 0 ? NULL : tag;
}

void ocf_read_environment(struct ocf *ocf)
{
	const char *instance = getenv("OCF_RESKEY_CRM_meta_id"), *service = getenv("PCMK_service");

	if (service &&
		(!strcmp(service, "pacemaker-execd") || !strcmp(service, "pacemaker-remoted")))
		ocf->run = BY_PACEMAKER;
	else if (service && !strcmp(service, "crm_resource"))
		ocf->run = BY_HAND;
	if (!instance)
		instance = getenv("OCF_RESOURCE_INSTANCE");
	ocf->instance = strdup(instance && *instance ? instance : "default");
	if (ocf->instance)
		ocf->instance[strcspn(ocf->instance, ":")] = '\0';
	ocf->tag = ocf->instance ? make_tag(ocf->instance) : NULL;
	ocf->check_level = number_in_environment("OCF_CHECK_LEVEL", 0);
	ocf->promotable = getenv("OCF_RESKEY_CRM_meta_promoted_max") ||
			       getenv("OCF_RESKEY_CRM_meta_master_max") ||
			       is_true(getenv("OCF_RESKEY_CRM_meta_promotable"));
	ocf->clone = !ocf->promotable && (getenv("OCF_RESKEY_CRM_meta_clone_max") ||
							   getenv("OCF_RESKEY_CRM_meta_clone"));
	ocf->probe = number_in_environment("OCF_RESKEY_CRM_meta_interval", 0) == 0;
}

/* --- the deadline ----------------------------------------------------------------------------- */

#define USUAL_TIMEOUT_MS 20000
#define LEAST_TIME_MS 500

int64_t ocf_set_deadline(int64_t began)
{
	long ms = number_in_environment("OCF_RESKEY_CRM_meta_timeout", USUAL_TIMEOUT_MS);

	ms -= ms / 10 > LEAST_TIME_MS ? ms / 10 : LEAST_TIME_MS;
	if (ms < LEAST_TIME_MS)
		ms = LEAST_TIME_MS;
	alarm_before_work(ms);
	return began + ms;
}

/* --- the reason ------------------------------------------------------------------------------- */

enum ocf_exitcode ocf_fail(struct ocf *ocf, enum ocf_exitcode code, const struct blkpr_error *error)
{
	ocf->reason = *error;
	return code;
}

void ocf_print_reason(const struct ocf *ocf, enum ocf_exitcode code)
{
	if (code != PCMK_OCF_OK && *ocf->reason.text)
		fprintf(stderr, OCF_REASON "%s\n", ocf->reason.text); /* the last line, API 1.1 */
}

void ocf_clear(struct ocf *ocf)
{
	free(ocf->instance);
	free(ocf->tag);
}
