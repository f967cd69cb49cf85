// SPDX-License-Identifier: LGPL-2.1-or-later
// Reservation keys: text form and derivations.
#include "lib/key.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <md5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The first BYTES bytes of MD5(TEXT) as a number. */
static uint64_t digest(const char *text, unsigned bytes)
{
	uint8_t sum[MD5_DIGEST_LENGTH];
	uint64_t value = 0;
	MD5_CTX md5;

	MD5Init(&md5);
	MD5Update(&md5, (const uint8_t *)text, strlen(text));
	MD5Final(sum, &md5);
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | sum[i];
	return value;
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
