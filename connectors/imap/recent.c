/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A table that forgets. */
#include "connectors/imap/recent.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/core/mem.h"

/* Hash tables of uthash keep the order of insertion: what is touched is put in anew. */
struct entry {
	UT_hash_handle hh;
	_Alignas(max_align_t) char value[]; /* and the key behind it */
};

struct recent {
	const struct recent_kind *kind;
	struct entry *first;
};

static struct entry *entry_of(void *value)
{
	return (struct entry *)(void *)((char *)value - offsetof(struct entry, value));
}

struct recent *recent_create(const struct recent_kind *kind)
{
	struct recent *recent = mem_alloc(sizeof *recent);

	recent->kind = kind;
	return recent;
}

void recent_drop(struct recent *recent, void *value)
{
	struct entry *entry = entry_of(value);

	if (recent->kind->release != NULL)
		recent->kind->release(value, recent->kind->owner);
	HASH_DELETE(hh, recent->first, entry);
	free(entry);
}

void recent_free(struct recent **owner)
{
	struct recent *recent = *owner;

	*owner = NULL;
	if (recent == NULL)
		return;
	while (recent->first != NULL)
		recent_drop(recent, recent->first->value);
	free(recent);
}

static struct entry *find(const struct recent *recent, const void *key, size_t length)
{
	struct entry *entry;

	HASH_FIND(hh, recent->first, key, length, entry);
	return entry;
}

void *recent_find(const struct recent *recent, const void *key, size_t length)
{
	struct entry *entry = find(recent, key, length);

	return entry == NULL ? NULL : entry->value;
}

static void make_room(struct recent *recent)
{
	struct entry *entry, *next;

	HASH_ITER(hh, recent->first, entry, next) {
		if (recent->kind->max == 0 || HASH_COUNT(recent->first) < recent->kind->max)
			return;
		if (recent->kind->may_go == NULL || recent->kind->may_go(entry->value))
			recent_drop(recent, entry->value);
	}
}

void *recent_touch(struct recent *recent, const void *key, size_t length)
{
	struct entry *entry = find(recent, key, length);
	size_t value_bytes = recent->kind->value_bytes;

	if (entry != NULL) {
		HASH_DELETE(hh, recent->first, entry);
	} else {
		make_room(recent);
		entry = mem_alloc(sizeof *entry + value_bytes + length);
		memcpy(entry->value + value_bytes, key, length);
	}
	HASH_ADD_KEYPTR(hh, recent->first, entry->value + value_bytes, length, entry);
	return entry->value;
}

void *recent_oldest(const struct recent *recent)
{
	return recent->first == NULL ? NULL : recent->first->value;
}

unsigned recent_count(const struct recent *recent)
{
	return HASH_COUNT(recent->first);
}
