// SPDX-License-Identifier: GPL-2.0-or-later
// One run of the fence agent.
#include "agents/fence/fencing.h"

#include <stdlib.h>

void fencing_clear(struct fencing *fencing)
{
	disks_clear(&fencing->disks);
	keyring_clear(&fencing->keys);
	free(fencing->victims);
	free(fencing->names);
	free(fencing->known);
	for (int method = 0; method < BLKPR_KEY_METHODS; method++)
		free(fencing->elsewhere[method].known);
}
