/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list of bad items, the oldest first. It is looked through for each Fetch: there are few. */
#include "connectors/imap/quarantine.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

struct bad {
	char *user, *collection;
	uint64_t validity, item;
};

struct quarantine {
	size_t count;
	struct bad list[QUARANTINE_MAX];
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

static void take_out(struct quarantine *quarantine, size_t at)
{
	drop(&quarantine->list[at]);
	quarantine->count--;
	memmove(&quarantine->list[at], &quarantine->list[at + 1], (quarantine->count - at) * sizeof *quarantine->list);
}

void quarantine_free(struct quarantine **owner)
{
	struct quarantine *quarantine = *owner;

	*owner = NULL;
	if (quarantine == NULL)
		return;
	for (size_t i = 0; i < quarantine->count; i++)
		drop(&quarantine->list[i]);
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
		const struct bad *bad = &quarantine->list[i];
		if (bad->item == item && (bad->validity == validity || item == 0) && is_in(bad, user, collection))
			return true;
	}
	return false;
}

void quarantine_add(struct quarantine *quarantine, const char *user, const char *collection, uint64_t validity,
	uint64_t item)
{
	if (has(quarantine, user, collection, validity, item))
		return;
	if (quarantine->count == QUARANTINE_MAX)
		take_out(quarantine, 0);
	quarantine->list[quarantine->count++] = (struct bad){mem_strdup(user), mem_strdup(collection), validity, item};
}

void quarantine_relax(struct quarantine *quarantine, const char *user, const char *collection)
{
	for (size_t i = quarantine->count; i-- > 0;)
		if (quarantine->list[i].item == 0 && is_in(&quarantine->list[i], user, collection))
			take_out(quarantine, i);
}

size_t quarantine_items(const struct quarantine *quarantine, const char *user, const char *collection, uint64_t validity,
	uint64_t *items_r, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < quarantine->count && count < room; i++) {
		const struct bad *bad = &quarantine->list[i];
		if (bad->item != 0 && (validity == 0 || bad->validity == validity) && is_in(bad, user, collection))
			items_r[count++] = bad->item;
	}
	return count;
}

bool quarantine_is_careful(const struct quarantine *quarantine, const char *user, const char *collection)
{
	return has(quarantine, user, collection, 0, 0);
}
