/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Well-formed replies of devices, for tests to send or to spoil. */
#ifndef REPLIES_H
#define REPLIES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/pr.h"

#define REPLY_KEYS_SIZE(n) (8 + 8 * (size_t)(n))
#define REPLY_RESERVATION_SIZE 24
#define REPLY_NVME_SIZE(n) (64 + 64 * (size_t)(n))

void put_be16(uint8_t *p, uint16_t value);
void put_be32(uint8_t *p, uint32_t value);
void put_be64(uint8_t *p, uint64_t value);
void put_le64(uint8_t *p, uint64_t value);

/* SPC's number of a reservation type (SPC-4 table 51). */
unsigned spc_type(enum pr_type type);

/* All return the reply's size. READ KEYS; KEYS NULL: keys 1, 2, 3, ... */
size_t reply_keys(uint8_t *out, uint32_t generation, const uint64_t *keys, unsigned count);

/* READ RESERVATION; TYPE in the kernel's numbers, 0: nothing is reserved and the reply is 8 bytes. */
size_t reply_reservation(uint8_t *out, uint32_t generation, uint64_t key, unsigned type);

/* Reservation Report with extended data: COUNT hosts, number HOLDER (from 0; -1: none) holds. */
size_t reply_nvme(uint8_t *out, uint32_t generation, unsigned type, const uint64_t *keys, unsigned count,
	int holder);

/* The same without EDS, for 64-bit host identifiers. */
#define REPLY_NVME_SHORT_SIZE(count) (24 + 24 * (size_t)(count))
size_t reply_nvme_short(uint8_t *out, uint32_t generation, unsigned type, const uint64_t *keys,
	unsigned count, int holder);

/* Sense data: fixed format is 18 bytes, descriptor format 8. */
size_t sense_fixed(uint8_t *out, uint8_t key, uint8_t asc, uint8_t ascq);
size_t sense_descriptor(uint8_t *out, uint8_t key, uint8_t asc, uint8_t ascq);

#endif
