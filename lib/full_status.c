// SPDX-License-Identifier: LGPL-2.1-or-later
// READ FULL STATUS: who is registered, not only with which keys.
#include <stdlib.h>
#include <string.h>

#include "lib/prin.h"
#include "lib/room.h"

#define DESCRIPTOR_BYTES (24 + 4 + 244) /* of READ FULL STATUS, with iSCSI's longest TransportID */

/* Length of an iSCSI TransportID's initiator name: up to the NUL, or to ",i,0x" and the ISID. */
static size_t iscsi_name_length(const uint8_t *name, size_t room)
{
	size_t length = 0;

	while (length < room && name[length] && name[length] != ',')
		length++;
	return length;
}

/*
 * One descriptor of READ FULL STATUS (SPC-4 table 225): the key is at 0, the TransportID at 24.
 * Compares the initiator with *NAME, the first one found with KEY; both are names within the reply.
 */
static enum blkpr_result compare_initiator(
	const uint8_t *descriptor, size_t length, const uint8_t **name, size_t *name_length, unsigned *initiators)
{
	const uint8_t *found = descriptor + 24 + 4;
	size_t found_length;

	if (length < 24 + 4 || (descriptor[24] & 0x0f) != 5) /* PROTOCOL IDENTIFIER 5: iSCSI */
		return BLKPR_UNSUPPORTED;
	found_length = iscsi_name_length(found, length - 24 - 4);
	if (!*name) {
		*name = found;
		*name_length = found_length;
		*initiators = 1;
	} else if (found_length != *name_length || memcmp(found, *name, found_length) != 0) {
		++*initiators; /* two are as bad as more */
	}
	return BLKPR_OK;
}

enum blkpr_result blkpr_prin_parse_initiators(
	const uint8_t *reply, size_t length, uint64_t key, unsigned *initiators)
{
	const uint8_t *name = NULL;
	size_t name_length = 0, at = BLKPR_PRIN_HEADER, end;

	*initiators = 0;
	if (length < BLKPR_PRIN_HEADER)
		return BLKPR_MALFORMED;
	end = BLKPR_PRIN_HEADER + (size_t)blkpr_prin_be32(reply + 4);
	if (end > length)
		return BLKPR_MALFORMED;
	while (at < end) {
		size_t size = at + 24 <= end ? 24 + (size_t)blkpr_prin_be32(reply + at + 20) : end;
		enum blkpr_result result = BLKPR_OK;

		if (size > end - at)
			return BLKPR_MALFORMED;
		if (blkpr_prin_be64(reply + at) == key)
			result = compare_initiator(reply + at, size, &name, &name_length, initiators);
		if (result != BLKPR_OK)
			return result;
		at += size;
	}
	return BLKPR_OK;
}

/* The whole of it, for the caller to free in any case. */
static enum blkpr_result read_full_status(const struct blkpr_port *port, uint8_t **reply, size_t *length)
{
	struct blkpr_room room = {
		.size = BLKPR_PRIN_MOST_BYTES, .entry = DESCRIPTOR_BYTES, .most = BLKPR_PRIN_MOST_BYTES
	};
	enum blkpr_result result;

	*length = room.size;
	*reply = malloc(*length);
	if (!*reply)
		return BLKPR_NO_MEMORY;
	result = blkpr_prin_ask(port, BLKPR_PRIN_READ_FULL_STATUS, *reply, length);
	if (result == BLKPR_OK && *length < BLKPR_PRIN_HEADER)
		return BLKPR_MALFORMED;
	if (result == BLKPR_OK)
		result = blkpr_room_fit(&room, BLKPR_PRIN_HEADER + (size_t)blkpr_prin_be32(*reply + 4), true);
	return result;
}

enum blkpr_result blkpr_prin_read_initiators(const struct blkpr_port *port, uint64_t key, unsigned *initiators)
{
	uint8_t *reply;
	size_t length;
	enum blkpr_result result = read_full_status(port, &reply, &length);

	*initiators = 0;
	if (result == BLKPR_OK)
		result = blkpr_prin_parse_initiators(reply, length, key, initiators);
	free(reply);
	return result;
}

/* iSCSI names compare without case (RFC 3722). */
static bool is_of(const uint8_t *descriptor, size_t length, const char *name)
{
	const char *found = (const char *)descriptor + 24 + 4;
	size_t found_length;

	if (length < 24 + 4 || (descriptor[24] & 0x0f) != 5)
		return false;
	found_length = iscsi_name_length(descriptor + 24 + 4, length - 24 - 4);
	return found_length == strlen(name) && !strncasecmp(found, name, found_length);
}

enum blkpr_result blkpr_prin_parse_keys_of(
	const uint8_t *reply, size_t length, const char *name, struct blkpr_report *report)
{
	size_t at = BLKPR_PRIN_HEADER, end;

	if (length < BLKPR_PRIN_HEADER)
		return BLKPR_MALFORMED;
	end = BLKPR_PRIN_HEADER + (size_t)blkpr_prin_be32(reply + 4);
	if (end > length)
		return BLKPR_MALFORMED;
	if (!blkpr_report_resize(report, (unsigned)(end / 24)))
		return BLKPR_NO_MEMORY;
	report->nkeys = 0;
	while (at < end) {
		size_t size = at + 24 <= end ? 24 + (size_t)blkpr_prin_be32(reply + at + 20) : end;

		if (size > end - at)
			return BLKPR_MALFORMED;
		if (is_of(reply + at, size, name))
			report->keys[report->nkeys++] = blkpr_prin_be64(reply + at);
		at += size;
	}
	return BLKPR_OK;
}

enum blkpr_result blkpr_prin_read_keys_of(const struct blkpr_port *port, const char *name, struct blkpr_report *report)
{
	uint8_t *reply;
	size_t length;
	enum blkpr_result result = read_full_status(port, &reply, &length);

	if (result == BLKPR_OK)
		result = blkpr_prin_parse_keys_of(reply, length, name, report);
	free(reply);
	return result;
}
