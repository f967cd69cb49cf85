// SPDX-License-Identifier: GPL-2.0-or-later
// vgs --reportformat json.
#include "agents/lvm.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "agents/run.h"

/* {"report":[{"vg":[{"vg_attr":"wz--ns","pv_name":"/dev/sda"}, ...]}]}; GVariant's text form reads such JSON. */
#define REPORT_TYPE "a{saa{saa{ss}}}"

#define SHARED_BIT 5 /* of vg_attr: 's' shared (lvmlockd), 'c' clustered */

static int add_volume(GVariant *volume, struct blkpr_list *list, struct blkpr_error *error)
{
	const char *attributes = NULL, *name = NULL;

	if (!g_variant_lookup(volume, "vg_attr", "&s", &attributes) ||
		!g_variant_lookup(volume, "pv_name", "&s", &name))
		return 0;
	if (strlen(attributes) <= SHARED_BIT || !strchr("cs", attributes[SHARED_BIT]))
		return 0;
	return blkpr_list_add(list, name, error);
}

static int add_report(GVariant *report, struct blkpr_list *list, struct blkpr_error *error)
{
	GVariant *parts = g_variant_lookup_value(report, "report", G_VARIANT_TYPE("aa{saa{ss}}"));
	int rc = 0;

	for (gsize i = 0; parts && i < g_variant_n_children(parts) && !rc; i++) {
		GVariant *part = g_variant_get_child_value(parts, i);
		GVariant *volumes = g_variant_lookup_value(part, "vg", G_VARIANT_TYPE("aa{ss}"));

		for (gsize j = 0; volumes && j < g_variant_n_children(volumes) && !rc; j++) {
			GVariant *volume = g_variant_get_child_value(volumes, j);

			rc = add_volume(volume, list, error);
			g_variant_unref(volume);
		}
		if (volumes)
			g_variant_unref(volumes);
		g_variant_unref(part);
	}
	if (parts)
		g_variant_unref(parts);
	return rc;
}

int lvm_add_shared(const char *vgs, int64_t deadline, struct blkpr_list *list, struct blkpr_error *error)
{
	/* --readonly: no locks, so that a hung lock manager holds nothing up; --shared: without lvmlockd too */
	const char *const argv[] = { vgs, "--readonly", "--shared", "--reportformat", "json", "--options", "vg_attr,pv_name",
		"--config", "log { report_command_log = 0 }", NULL };
	struct blkpr_error reason;
	GVariant *report;
	char *output;
	int rc = run_program(argv, deadline, &output, &reason);

	if (rc) {
		blkpr_error_set(error, "no devices given, and LVM cannot name shared ones (%.300s); set devices=",
			reason.text);
		return rc;
	}
	report = g_variant_parse(G_VARIANT_TYPE(REPORT_TYPE), output, NULL, NULL, NULL);
	free(output);
	if (!report) {
		blkpr_error_set(error, "%s: its report cannot be read; set devices=", vgs);
		return -EPROTO;
	}
	rc = add_report(report, list, error);
	g_variant_unref(report);
	return rc;
}
