// SPDX-License-Identifier: GPL-2.0-or-later
// The disks besides the arbiter.
#include "agents/watch/others.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agents/common/log.h"
#include "agents/watch/plan.h"

/* What was found on a disk the last time. */
struct finding {
	char *wwid;
	enum blkpr_result result; /* BLKPR_EVICTED: read, and own is not there */
};

struct findings {
	struct finding *list;
	unsigned count;
};

static void clear(struct findings *findings)
{
	for (unsigned i = 0; i < findings->count; i++)
		free(findings->list[i].wwid);
	free(findings->list);
	*findings = (struct findings){ 0 };
}

static enum blkpr_result find_former(const struct findings *findings, const char *wwid)
{
	for (unsigned i = 0; i < findings->count; i++)
		if (!strcmp(findings->list[i].wwid, wwid))
			return findings->list[i].result;
	return BLKPR_OK;
}

static void tell(const char *name, enum blkpr_result result)
{
	if (result == BLKPR_OK)
		qb_log(LOG_NOTICE, "%s: this node is registered", name);
	else if (result == BLKPR_EVICTED)
		qb_log(LOG_ERR,
			"%s: this node's key is gone, and it cannot write there; nothing is done, "
			"since the first disk decides. Unfence this node (fence_blkpr -o on)",
			name);
	else
		qb_log(LOG_ERR, "%s: cannot be read: %s; look after the disk and its paths", name,
			blkpr_result_text(result));
}

static void take(struct watch_plan *plan, unsigned i, const struct findings *former,
	struct findings *findings)
{
	const struct registration *record = watch_plan_record(plan, i);
	const struct blkpr_verdict *verdict = &plan->disks.verdicts[i];
	struct finding *finding = &findings->list[findings->count];

	if (!record || !(finding->wwid = strdup(record->wwid)))
		return;
	findings->count++;
	finding->result = verdict->result;
	if (finding->result == BLKPR_OK && !verdict->own_registrations)
		finding->result = BLKPR_EVICTED;
	if (finding->result != find_former(former, record->wwid))
		tell(plan->disks.targets[i].device->name, finding->result);
}

static void go_round(struct watch_plan *plan, struct findings *former)
{
	struct findings findings = { 0 };
	struct blkpr_error error;

	if (watch_plan_refresh(plan, &error) || !plan->disks.ntargets)
		return; /* the other worker says why */
	findings.list = calloc(plan->disks.ntargets, sizeof(*findings.list));
	if (!findings.list || watch_plan_read(plan, 0, true)) {
		clear(&findings);
		return;
	}
	for (unsigned i = 1; i < plan->disks.ntargets; i++)
		take(plan, i, former, &findings);
	clear(former);
	*former = findings;
}

void watch_others_serve(int line)
{
	struct watch_plan plan = WATCH_PLAN;
	struct findings former = { 0 };
	char order;

	while (recv(line, &order, 1, 0) == 1) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			; /* what was left behind, and has ended */
		go_round(&plan, &former);
		if (send(line, &order, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	clear(&former);
}
