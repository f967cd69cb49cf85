// SPDX-License-Identifier: GPL-2.0-or-later
// The fencer's history, by libstonithd. Pacemaker 3 deprecates parts of its header, hence one file for all of it.
#include "agents/fencer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <crm/stonith-ng.h>

#define PATIENCE 2 /* seconds */

/* The newest first or last, depending on the version: by its time of completion. */
static const stonith_history_t *latest(const stonith_history_t *history, const char *node)
{
	const stonith_history_t *found = NULL;

	for (; history; history = history->next)
		if (history->state == st_done && history->target && !strcmp(history->target, node) && history->action &&
			(!strcmp(history->action, "off") || !strcmp(history->action, "reboot")) &&
			(!found || history->completed > found->completed))
			found = history;
	return found;
}

static void tell(const stonith_history_t *event, const char *node, char *text, unsigned size)
{
	char when[32] = "?";
	struct tm local;

	if (!event) {
		snprintf(text, size, "the fencer remembers no fencing of %s", node);
		return;
	}
	if (localtime_r(&event->completed, &local))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
	snprintf(text, size, "%s was fenced (%s) at %s by %s", node, event->action, when,
		event->delegate ? event->delegate : "?");
}

void fencer_history(const char *node, char *text, unsigned size)
{
	stonith_t *fencer = stonith_api_new();
	stonith_history_t *history = NULL;
	int rc = fencer ? fencer->cmds->connect(fencer, "blkpr-reservation", NULL) : -ENOMEM;

	if (!rc)
		rc = fencer->cmds->history(fencer, st_opt_sync_call, node, &history, PATIENCE);
	if (rc < 0)
		snprintf(text, size, "the fencer cannot be asked about %s: %s", node, strerror(-rc));
	else
		tell(latest(history, node), node, text, size);
	stonith_history_free(history);
	if (fencer) {
		fencer->cmds->disconnect(fencer);
		stonith_api_delete(fencer);
	}
}
