// SPDX-License-Identifier: LGPL-2.1-or-later
// READ FULL STATUS: who is registered, not only with which keys.
#include <stdlib.h>
#include <string.h>

#include "lib/prin.h"
#include "lib/room.h"

#define DESCRIPTOR_BYTES (24 + 4 + 244) /* of READ FULL STATUS, with iSCSI's longest TransportID */

/* Of one descriptor of READ FULL STATUS (SPC-4 table 225). */
struct registration {
	uint64_t key;
	const char *name; /* of the iSCSI initiator, within the reply; NULL: of another transport */
	size_t length;    /* of the name */
};

/* Up to the NUL, or to ",i,0x" and the ISID. */
static size_t name_length(const char *name, size_t room)
{
	size_t length = 0;

	while (length < room && name[length] && name[length] != ',')
		length++;
	return length;
}

/* The key is at 0, the TransportID at 24, and the name at 4 in that. */
static struct registration parse_descriptor(const uint8_t *descriptor, size_t length)
{
	struct registration found = { .key = blkpr_prin_be64(descriptor) };

	if (length < 24 + 4 || (descriptor[24] & 0x0f) != 5) /* PROTOCOL IDENTIFIER 5: iSCSI */
		return found;
	found.name = (const char *)descriptor + 24 + 4;
	found.length = name_length(found.name, length - 24 - 4);
	return found;
}

/* *END: where the list of descriptors ends. */
static enum blkpr_result find_end(const uint8_t *reply, size_t length, size_t *end)
{
	if (length < BLKPR_PRIN_HEADER)
		return BLKPR_MALFORMED;
	*end = BLKPR_PRIN_HEADER + (size_t)blkpr_prin_be32(reply + 4);
	return *end > length ? BLKPR_MALFORMED : BLKPR_OK;
}

/* The descriptor at *AT, which is before END; *AT is the next one's then. */
static enum blkpr_result next_registration(
	const uint8_t *reply, size_t end, size_t *at, struct registration *found)
{
	size_t size = *at + 24 <= end ? 24 + (size_t)blkpr_prin_be32(reply + *at + 20) : end;

	if (size > end - *at)
		return BLKPR_MALFORMED;
	*found = parse_descriptor(reply + *at, size);
	*at += size;
	return BLKPR_OK;
}

enum blkpr_result blkpr_prin_parse_initiators(
	const uint8_t *reply, size_t length, uint64_t key, unsigned *initiators)
{
	struct registration first = { 0 }, found;
	size_t at = BLKPR_PRIN_HEADER, end;
	enum blkpr_result result = find_end(reply, length, &end);

	*initiators = 0;
	while (result == BLKPR_OK && at < end) {
		result = next_registration(reply, end, &at, &found);
		if (result != BLKPR_OK || found.key != key)
			continue;
		if (!found.name)
			return BLKPR_UNSUPPORTED;
		if (!first.name)
			first = found;
		else if (found.length == first.length && !memcmp(found.name, first.name, first.length))
			continue;
		++*initiators; /* two are as bad as more */
	}
	return result;
}

/* The whole of it, for the caller to free in any case. */
static enum blkpr_result read_full_status(const struct blkpr_port *port, uint8_t **reply, size_t *length)
{
	struct blkpr_room room = { .size = BLKPR_PRIN_MOST_BYTES,
		.entry = DESCRIPTOR_BYTES,
		.most = BLKPR_PRIN_MOST_BYTES };
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
static bool is_of(const struct registration *found, const char *name)
{
	return found->name && found->length == strlen(name) &&
	       !strncasecmp(found->name, name, found->length);
}

enum blkpr_result blkpr_prin_parse_keys_of(
	const uint8_t *reply, size_t length, const char *name, struct blkpr_report *report)
{
	struct registration found;
	size_t at = BLKPR_PRIN_HEADER, end;
	enum blkpr_result result = find_end(reply, length, &end);

	if (result != BLKPR_OK)
		return result;
	if (!blkpr_report_resize(report, (unsigned)(end / 24)))
		return BLKPR_NO_MEMORY;
	report->nkeys = 0;
	while (result == BLKPR_OK && at < end) {
		result = next_registration(reply, end, &at, &found);
		if (result == BLKPR_OK && is_of(&found, name))
			report->keys[report->nkeys++] = found.key;
	}
	return result;
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
