/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reservation keys: 64 bits, written in hex, never 0. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * How a node's key follows from its cluster and name. `hash` and `id` are byte for byte
 * fence_scsi's.
 */
enum blkpr_key_method {
	BLKPR_KEY_NAME64, /* MD5(cluster)[0..3], MD5(node)[0..3] */
	BLKPR_KEY_HASH,   /* MD5(cluster)[0..1], MD5(node)[0..1] */
	BLKPR_KEY_ID,     /* MD5(cluster)[0..1], the node list position's decimal digits read as
			     hex */
	BLKPR_KEY_METHODS
};

extern const char *const blkpr_key_method_names[BLKPR_KEY_METHODS + 1]; /* closed by NULL */

/*
 * A resource agent's key is a fence agent's, derived in the same way, XOR this: the two are never
 * alike, so that whoever reads a disk can tell whose registration it is, and neither removes the
 * other's.
 */
#define BLKPR_KEY_OF_RESOURCE UINT64_C(0x5200000000000000)

#define BLKPR_KEY_TEXT 19 /* "0x", 16 digits, NUL */

/*
 * Reads 1 to 16 hex digits, with or without 0x, in any case, nothing before or after.
 * Returns 0; -EINVAL for anything else, -ERANGE for more than 16 digits, -EDOM for key 0.
 */
int blkpr_key_parse(const char *text, uint64_t *key);

/* Writes "0x..." without leading zeros into TEXT, as sg_persist does, and returns TEXT. */
const char *blkpr_key_format(uint64_t key, char text[BLKPR_KEY_TEXT]);

#define BLKPR_DIGEST_TEXT 33 /* 32 digits, NUL */

/* MD5 of DATA in hexadecimal digits: a short name for a long one, no secret. */
void blkpr_key_digest(const void *data, size_t length, char text[BLKPR_DIGEST_TEXT]);

/*
 * The key of NODE at POSITION (from 0) of the cluster's node list. Never fails; 0 is possible only
 * by bad luck.
 */
uint64_t blkpr_key_derive(
	enum blkpr_key_method method, const char *cluster, const char *node, unsigned position);
