/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ring of bad items. It is looked through for each Fetch: a comparison of hashes for the few that there are. */
#include "connectors/imap/quarantine.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

struct bad {
	char *user, *collection;
	uint64_t validity, item;
};

struct quarantine {
	size_t count, next; /* next: the oldest once the ring is full */
	struct bad ring[QUARANTINE_MAX];
};

struct quarantine *quarantine_create(void)
{
	return mem_alloc(sizeof(struct quarantine));
}

static void drop(struct bad *bad)
{
	free(bad->user);
	free(bad->collection);
}

void quarantine_free(struct quarantine **owner)
{
	struct quarantine *quarantine = *owner;

	*owner = NULL;
	if (quarantine == NULL)
		return;
	for (size_t i = 0; i < quarantine->count; i++)
		drop(&quarantine->ring[i]);
	free(quarantine);
}

static bool is_in(const struct bad *bad, const char *user, const char *collection)
{
	return strcmp(bad->user, user) == 0 && strcmp(bad->collection, collection) == 0;
}

static bool has(const struct quarantine *quarantine, const char *user, const char *collection, uint64_t validity,
	uint64_t item)
{
	for (size_t i = 0; i < quarantine->count; i++) {
		const struct bad *bad = &quarantine->ring[i];
		if (bad->item == item && (bad->validity == validity || item == 0) && is_in(bad, user, collection))
			return true;
	}
	return false;
}

void quarantine_add(struct quarantine *quarantine, const char *user, const char *collection, uint64_t validity,
	uint64_t item)
{
	struct bad *bad = &quarantine->ring[quarantine->next];

	if (has(quarantine, user, collection, validity, item))
		return;
	if (quarantine->count == QUARANTINE_MAX)
		drop(bad);
	else
		quarantine->count++;
	quarantine->next = (quarantine->next + 1) % QUARANTINE_MAX;
	*bad = (struct bad){mem_strdup(user), mem_strdup(collection), validity, item};
}

size_t quarantine_items(const struct quarantine *quarantine, const char *user, const char *collection, uint64_t validity,
	uint64_t *items_r, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < quarantine->count && count < room; i++) {
		const struct bad *bad = &quarantine->ring[i];
		if (bad->item != 0 && (validity == 0 || bad->validity == validity) && is_in(bad, user, collection))
			items_r[count++] = bad->item;
	}
	return count;
}

bool quarantine_is_careful(const struct quarantine *quarantine, const char *user, const char *collection)
{
	return has(quarantine, user, collection, 0, 0);
}
