// SPDX-License-Identifier: LGPL-2.1-or-later
// Reservation keys: text form and derivations.
#include "lib/key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/md5.h>
#include <nettle/version.h>

const char *const blkpr_key_method_names[BLKPR_KEY_METHODS + 1] = {
	[BLKPR_KEY_NAME64] = "name64",
	[BLKPR_KEY_HASH] = "hash",
	[BLKPR_KEY_ID] = "id",
};

int blkpr_key_parse(const char *text, uint64_t *key)
{
	uint64_t value;
	size_t digits;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	digits = strspn(text, "0123456789abcdefABCDEF");
	if (!digits || text[digits])
		return -EINVAL;
	if (digits > 16)
		return -ERANGE;
	value = strtoull(text, NULL, 16);
	if (!value)
		return -EDOM;
	*key = value;
	return 0;
}

const char *blkpr_key_format(uint64_t key, char text[BLKPR_KEY_TEXT])
{
	snprintf(text, BLKPR_KEY_TEXT, "0x%" PRIx64, key);
	return text;
}

void blkpr_key_digest(const void *data, size_t length, char text[BLKPR_DIGEST_TEXT])
{
	uint8_t sum[MD5_DIGEST_SIZE];
	struct md5_ctx md5;

	md5_init(&md5);
	md5_update(&md5, length, data);
#if NETTLE_VERSION_MAJOR < 4
	md5_digest(&md5, sizeof(sum), sum);
#else
	md5_digest(&md5, sum);
#endif
	for (unsigned i = 0; i < sizeof(sum); i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", sum[i]);
}

/* The first BYTES bytes of MD5(TEXT) as a number. */
static uint64_t digest(const char *text, unsigned bytes)
{
	char sum[BLKPR_DIGEST_TEXT];

	blkpr_key_digest(text, strlen(text), sum);
	sum[2 * (size_t)bytes] = '\0';
	return strtoull(sum, NULL, 16);
}

/* fence_scsi formats "%.4d" and the result is read as hex: position 12 gives 0x0012. */
static uint64_t decimal_as_hex(unsigned position)
{
	uint64_t value = 0;

	for (unsigned shift = 0; position; position /= 10, shift += 4)
		value |= (uint64_t)(position % 10) << shift;
	return value;
}

uint64_t blkpr_key_derive(
	enum blkpr_key_method method, const char *cluster, const char *node, unsigned position)
{
	unsigned width = 4; /* digits of the position; fence_scsi's "%.4d" grows past 9999 */

	switch (method) {
	case BLKPR_KEY_NAME64:
		return digest(cluster, 4) << 32 | digest(node, 4);
	case BLKPR_KEY_HASH:
		return digest(cluster, 2) << 16 | digest(node, 2);
	default:
		for (unsigned rest = position / 10000; rest; rest /= 10)
			width++;
		return digest(cluster, 2) << (4 * width) | decimal_as_hex(position);
	}
}
