/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Few, as they come from deaths: a list, the newest first. */
#include "connectors/imap/unsettled.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"

struct entry {
	struct entry *next;
	char *user, *collection, *target;
	uint64_t uid_next;
	int64_t since_ms;
};

struct unsettled {
	struct entry *first;
};

struct unsettled *unsettled_create(void)
{
	return mem_alloc(sizeof(struct unsettled));
}

static void drop(struct entry **link)
{
	struct entry *entry = *link;

	*link = entry->next;
	free(entry->user);
	free(entry->collection);
	free(entry->target);
	free(entry);
}

void unsettled_free(struct unsettled **owner)
{
	while (*owner != NULL && (*owner)->first != NULL)
		drop(&(*owner)->first);
	free(*owner);
	*owner = NULL;
}

static bool is_of(const struct entry *entry, const char *user, const char *collection, const char *target)
{
	return strcmp(entry->user, user) == 0 && strcmp(entry->collection, collection) == 0
		&& strcmp(entry->target, target) == 0;
}

static bool is_over(const struct entry *entry, int64_t now_ms)
{
	return now_ms - entry->since_ms > UNSETTLED_KEEP_S * 1000ll;
}

/* Those that are over, and the oldest when there are too many. */
static void tidy(struct unsettled *unsettled, int64_t now_ms)
{
	struct entry **link = &unsettled->first;

	for (unsigned kept = 0; *link != NULL;)
		if (is_over(*link, now_ms) || kept == UNSETTLED_MAX) {
			drop(link);
		} else {
			link = &(*link)->next;
			kept++;
		}
}

void unsettled_add(struct unsettled *unsettled, const char *user, const char *collection, const char *target,
	uint64_t uid_next, int64_t now_ms)
{
	struct entry *entry = mem_alloc(sizeof *entry);
	int64_t ignored;
	uint64_t before = unsettled_find(unsettled, user, collection, target, now_ms, &ignored);

	for (struct entry **link = &unsettled->first; *link != NULL;)
		if (is_of(*link, user, collection, target))
			drop(link);
		else
			link = &(*link)->next;
	*entry = (struct entry){unsettled->first, mem_strdup(user), mem_strdup(collection),
		mem_strdup(target), before != 0 ? before : uid_next, now_ms};
	unsettled->first = entry;
	tidy(unsettled, now_ms);
}

uint64_t unsettled_find(const struct unsettled *unsettled, const char *user, const char *collection, const char *target,
	int64_t now_ms, int64_t *since_ms_r)
{
	for (const struct entry *entry = unsettled->first; entry != NULL; entry = entry->next)
		if (is_of(entry, user, collection, target) && !is_over(entry, now_ms)) {
			*since_ms_r = entry->since_ms;
			return entry->uid_next;
		}
	return 0;
}
