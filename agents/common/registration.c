// SPDX-License-Identifier: GPL-2.0-or-later
// The record of one disk: a file with the WWID's name, its first line the key, then "WORD VALUE"
// lines.
#include "agents/common/registration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/key.h"

int registration_set(struct registration *registration, const char *wwid, const char *name)
{
	*registration = (struct registration){
		.wwid = strdup(wwid), .name = name ? strdup(name) : NULL, .since = -1
	};
	if (registration->wwid && (registration->name || !name))
		return 0;
	registration_clear(registration);
	return -ENOMEM;
}

void registration_clear(struct registration *registration)
{
	free(registration->wwid);
	free(registration->name);
	*registration = (struct registration){ .since = -1 };
}

long registration_clock(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

static const char *const in_flights[BLKPR_IN_FLIGHTS] = { "auto", "reset", "abort" };

/* What is not known is no reason to believe more than is. */
static enum blkpr_in_flight find_in_flight(const char *word)
{
	int i = BLKPR_IN_FLIGHTS - 1;

	while (i && strcmp(word, in_flights[i]))
		i--;
	return (enum blkpr_in_flight)i;
}

static int take_line(struct registration *registration, const char *line)
{
	char word[16];
	int value = 0;

	if (sscanf(line, "name %n", &value) == 0 && value) {
		free(registration->name);
		registration->name = strdup(line + value);
		return registration->name ? 0 : -ENOMEM;
	}
	if (sscanf(line, "in_flight %15s", word) == 1)
		registration->in_flight = find_in_flight(word);
	if (sscanf(line, "how %15s", registration->how) == 1 ||
		sscanf(line, "since %ld", &registration->since) == 1)
		return 0;
	return 0; /* of a newer version */
}

static int parse(struct registration *registration, char *text)
{
	char *rest = NULL, *line = strtok_r(text, "\n", &rest);
	int rc = line ? blkpr_key_parse(line, &registration->key) : -EINVAL;

	snprintf(registration->how, sizeof(registration->how), REGISTRATION_EXPLICIT);
	while (!rc && (line = strtok_r(NULL, "\n", &rest)))
		rc = take_line(registration, line);
	return rc;
}

int registration_load(const struct store *store, const char *wwid,
	struct registration *registration, struct blkpr_error *error)
{
	char *text;
	int rc = store_read(store, wwid, &text, error);

	if (rc)
		return rc;
	rc = registration_set(registration, wwid, NULL);
	if (!rc) {
		rc = parse(registration, text);
		if (rc)
			registration_clear(registration);
	}
	free(text);
	if (!rc)
		return 0;
	blkpr_error_set(error, "%s/%s: %s", store->path, wwid,
		rc == -ENOMEM ? "out of memory"
			      : "holds no key; unfence this node again to have it rewritten");
	return rc;
}

int registration_store(const struct store *store, const struct registration *registration,
	struct blkpr_error *error)
{
	char *text;
	int rc;

	if (asprintf(&text, "0x%" PRIx64 "\nhow %s\nin_flight %s\nsince %ld\nname %s\n",
		    registration->key, registration->how, in_flights[registration->in_flight],
		    registration->since, registration->name) < 0)
		return blkpr_error_fail(error, -ENOMEM, "out of memory");
	rc = store_replace(store, registration->wwid, text, error);
	free(text);
	return rc;
}
