// SPDX-License-Identifier: GPL-2.0-or-later
// Well-formed replies of devices.
#include "tests/unit/replies.h"

#include <string.h>

void put_be16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value & 0xff;
}

void put_be32(uint8_t *p, uint32_t value)
{
	put_be16(p, value >> 16);
	put_be16(p + 2, value & 0xffff);
}

void put_be64(uint8_t *p, uint64_t value)
{
	put_be32(p, value >> 32);
	put_be32(p + 4, (uint32_t)value);
}

void put_le64(uint8_t *p, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

unsigned spc_type(enum pr_type type)
{
	static const unsigned spc[] = { 0, 1, 3, 5, 6, 7, 8 };

	return spc[type];
}

size_t reply_keys(uint8_t *out, uint32_t generation, const uint64_t *keys, unsigned count)
{
	put_be32(out, generation);
	put_be32(out + 4, 8 * count);
	for (unsigned i = 0; i < count; i++)
		put_be64(out + 8 + 8 * (size_t)i, keys ? keys[i] : i + 1);
	return REPLY_KEYS_SIZE(count);
}

size_t reply_reservation(uint8_t *out, uint32_t generation, uint64_t key, unsigned type)
{
	memset(out, 0, REPLY_RESERVATION_SIZE);
	put_be32(out, generation);
	if (!type)
		return 8;
	put_be32(out + 4, 16);
	put_be64(out + 8, key);
	out[21] = spc_type(type);
	return REPLY_RESERVATION_SIZE;
}

size_t reply_nvme(uint8_t *out, uint32_t generation, unsigned type, const uint64_t *keys, unsigned count,
	int holder)
{
	memset(out, 0, REPLY_NVME_SIZE(count));
	put_le64(out, generation);
	out[4] = type;
	out[5] = count & 0xff;
	out[6] = count >> 8;
	for (unsigned i = 0; i < count; i++) {
		uint8_t *entry = out + REPLY_NVME_SIZE(i);

		entry[0] = i & 0xff; /* controller */
		entry[2] = holder == (int)i;
		put_le64(entry + 8, keys ? keys[i] : i + 1);
		put_le64(entry + 16, 0x1111111111111111ULL + i); /* host identifier */
	}
	return REPLY_NVME_SIZE(count);
}

size_t reply_nvme_short(uint8_t *out, uint32_t generation, unsigned type, const uint64_t *keys,
	unsigned count, int holder)
{
	memset(out, 0, REPLY_NVME_SHORT_SIZE(count));
	put_le64(out, generation);
	out[4] = type;
	out[5] = count & 0xff;
	out[6] = count >> 8;
	for (unsigned i = 0; i < count; i++) {
		uint8_t *entry = out + REPLY_NVME_SHORT_SIZE(i);

		entry[0] = i & 0xff; /* controller */
		entry[2] = holder == (int)i;
		put_le64(entry + 8, 0x2222222222222222ULL + i); /* host identifier */
		put_le64(entry + 16, keys ? keys[i] : i + 1);
	}
	return REPLY_NVME_SHORT_SIZE(count);
}

size_t sense_fixed(uint8_t *out, uint8_t key, uint8_t asc, uint8_t ascq)
{
	memset(out, 0, 18);
	out[0] = 0x70;
	out[2] = key;
	out[7] = 10;
	out[12] = asc;
	out[13] = ascq;
	return 18;
}

size_t sense_descriptor(uint8_t *out, uint8_t key, uint8_t asc, uint8_t ascq)
{
	memset(out, 0, 8);
	out[0] = 0x72;
	out[1] = key;
	out[2] = asc;
	out[3] = ascq;
	return 8;
}
