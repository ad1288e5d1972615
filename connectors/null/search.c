/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Search, by looking at everything. */
#include <stdlib.h>
#include <string.h>

#include "connectors/null/store.h"

static bool has_text(const struct null_item *item, const char *text)
{
	const char *const parts[] = {item->from, item->to, item->cc, item->subject, item->text, item->html};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (parts[i] != NULL && strcasestr(parts[i], text) != NULL)
			return true;
	return false;
}

static bool is_wanted(const struct null_item *item, const Belfry__Connector__Search *asked)
{
	if ((asked->received_after_s != 0 && item->received_s <= asked->received_after_s) ||
	    (asked->received_before_s != 0 && item->received_s >= asked->received_before_s))
		return false;
	for (size_t i = 0; i < asked->n_texts; i++)
		if (!has_text(item, asked->texts[i]))
			return false;
	return true;
}

static int compare(const void *a, const void *b)
{
	const Belfry__Connector__FoundItem *one = *(Belfry__Connector__FoundItem *const *)a;
	const Belfry__Connector__FoundItem *other = *(Belfry__Connector__FoundItem *const *)b;

	if (one->received_s != other->received_s)
		return one->received_s > other->received_s ? -1 : 1;
	if (one->collection != other->collection)
		return one->collection < other->collection ? -1 : 1;
	return one->id > other->id ? -1 : one->id < other->id;
}

static void add(Belfry__Connector__Found *found, uint32_t index, const struct null_collection *collection,
	const struct null_item *item, struct arena *arena)
{
	Belfry__Connector__FoundItem *entry = arena_alloc(arena, sizeof *entry);

	belfry__connector__found_item__init(entry);
	entry->collection = index;
	entry->validity = collection->validity;
	entry->id = item->id;
	entry->received_s = item->received_s;
	found->items[found->n_items++] = entry;
}

void null_search(const struct null_mailboxes *mailboxes, const Belfry__Connector__Search *asked,
	Belfry__Connector__Found *found, struct arena *arena)
{
	size_t room = 0;

	for (size_t i = 0; i < mailboxes->count; i++)
		room += mailboxes->list[i]->count;
	found->items = arena_alloc(arena, room * sizeof *found->items + 1);
	for (uint32_t i = 0; i < asked->n_collections; i++) {
		const struct null_collection *collection = null_collection(mailboxes, asked->collections[i]);
		for (size_t k = 0; collection != NULL && k < collection->count && found->n_items < room; k++)
			if (is_wanted(collection->items[k], asked))
				add(found, i, collection, collection->items[k], arena);
	}
	qsort(found->items, found->n_items, sizeof *found->items, compare);
	found->total = found->n_items;
	if (found->n_items > asked->limit)
		found->n_items = asked->limit;
}
