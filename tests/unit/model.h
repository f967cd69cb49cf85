/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk with persistent reservations, after SPC-4 and KERNEL.md: what the protocols are run against.
 * Nodes reach it through nexuses; a multipath node has two, and what it registers goes to both. Each
 * nexus may have writes in flight, taken while the device let it write. PREEMPT AND ABORT ends, as with LIO,
 * only those of a nexus that it removes and that held the reservation; with NVMe, those of every one that it
 * removes. A drain (LUN RESET) ends everybody's. NVMe has no drain, and does not tell hosts apart.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/disk.h"

#define MODEL_NEXUSES 8
#define MODEL_NOBODY (-1)
#define MODEL_TRACE 256

struct model_nexus {
	bool registered;
	uint64_t key;
	bool in_flight; /* a write that the device has taken and not finished */
};

struct model {
	enum blkpr_kind kind;
	bool noop_quirk; /* nvmet <= 7.2: PREEMPT by the holder changes the type, and nothing else (trap 1) */
	bool aborts_all; /* SCSI too: PREEMPT AND ABORT ends the writes of every nexus that it removes (SPC-4) */
	struct model_nexus nexus[MODEL_NEXUSES];
	unsigned host[MODEL_NEXUSES]; /* whose nexus it is */
	bool nameless; /* whose registrations are this node's cannot be told */
	unsigned type; /* 0: no reservation */
	int holder;    /* a nexus, MODEL_NOBODY for none and for all registrants */
	uint32_t generation;
	struct blkpr_capabilities capabilities;
	enum blkpr_result capabilities_result;
	enum blkpr_reach reach; /* of a LUN RESET; short of the target it ends nothing, and is answered */
	enum blkpr_result drain_result; /* not BLKPR_OK: refused, nothing ends */
	bool aborting; /* an earlier PREEMPT AND ABORT is at it; commands that change something come after it */
	enum blkpr_result initiators_result;
	/*
	 * What came in, one letter each: R read, G register, S reserve, P preempt and abort, D drain,
	 * L release, U unregister, I initiators, C capabilities, W asking whether a path may write,
	 * O whose registrations are of this node's name.
	 */
	char trace[MODEL_TRACE];
	unsigned ops;
	/* called before each operation; RESULT is what it answers then instead of doing anything */
	bool (*before)(struct model *model, char op, enum blkpr_result *result);
	void *context;
};

/* A node's way to a model: what the protocols get as their disk. */
struct model_disk {
	struct blkpr_disk disk;
	struct model *model;
	unsigned first, paths; /* its nexuses */
	unsigned silent;       /* paths that do not answer; the others are asked */
};

/* Every nexus is a host of its own, until a node connects with more than one. */
void model_init(struct model *model, enum blkpr_kind kind);
struct model_disk model_connect(struct model *model, unsigned first, unsigned paths);

/* State as tests want it, without a trace. */
void model_set_key(struct model *model, unsigned nexus, uint64_t key);
void model_unregister(struct model *model, unsigned nexus);
void model_set_reservation(struct model *model, unsigned type, int holder);

bool model_has(const struct model *model, uint64_t key);
bool model_may_write(const struct model *model, unsigned nexus);

/* Every nexus that may write does so. */
void model_write(struct model *model);

/* How often operation OP came in; whether none came in that changes anything. */
unsigned model_count(const struct model *model, char op);
bool model_only_read(const struct model *model);

/* The device's commands, on one nexus. */
enum blkpr_result model_register(struct model *model, unsigned nexus, uint64_t old_key, uint64_t new_key);
enum blkpr_result model_reserve(struct model *model, unsigned nexus, uint64_t own, unsigned type);
enum blkpr_result model_preempt_abort(
	struct model *model, unsigned nexus, uint64_t own, uint64_t victim, unsigned type);
enum blkpr_result model_release(struct model *model, unsigned nexus, uint64_t own, unsigned type);
enum blkpr_result model_drain(struct model *model);
enum blkpr_result model_initiators(const struct model *model, uint64_t key, unsigned *initiators);

/* The operations of a node, by which a struct model_disk is one. */
extern const struct blkpr_disk_ops model_ops;

#endif
