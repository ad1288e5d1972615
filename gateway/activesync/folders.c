/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hierarchy as a device knows it. */
#include "gateway/activesync/folders.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/log.h"

/* MS-ASCMD 2.2.3.186.3, Type (FolderSync). */
enum { TYPE_GENERIC = 1, TYPE_USER_MAIL = 12 };

static const uint32_t role_types[] = {
	[BELFRY__CONNECTOR__ROLE__INBOX] = 2,
	[BELFRY__CONNECTOR__ROLE__DRAFTS] = 3,
	[BELFRY__CONNECTOR__ROLE__TRASH] = 4,
	[BELFRY__CONNECTOR__ROLE__SENT] = 5,
	[BELFRY__CONNECTOR__ROLE__OUTBOX] = 6,
	[BELFRY__CONNECTOR__ROLE__JUNK] = TYPE_USER_MAIL,
	[BELFRY__CONNECTOR__ROLE__ARCHIVE] = TYPE_USER_MAIL,
};

/* A type of its own may be had by one folder only: the first of a role. */
static uint32_t type_of(const Belfry__Connector__Collection *collection, bool *taken)
{
	size_t role = (size_t)collection->role;

	if (!collection->selectable)
		return TYPE_GENERIC;
	if (role >= sizeof role_types / sizeof *role_types || role_types[role] == 0 || taken[role])
		return TYPE_USER_MAIL;
	taken[role] = true;
	return role_types[role];
}

void folders_restart(Belfry__Activesync__Folders *folders, uint32_t series)
{
	folders_acknowledge(folders);
	folders->series = series;
	folders->key = 0;
	for (size_t i = 0; i < folders->n_folders; i++) {
		folders->folders[i]->added = 1;
		folders->folders[i]->changed = 0;
	}
}

void folders_acknowledge(Belfry__Activesync__Folders *folders)
{
	size_t kept = 0;

	for (size_t i = 0; i < folders->n_folders; i++)
		if (folders->folders[i]->removed == 0)
			folders->folders[kept++] = folders->folders[i];
	folders->n_folders = kept;
}

const Belfry__Activesync__Folder *folders_find(const Belfry__Activesync__Folders *folders, uint32_t id)
{
	for (size_t i = 0; i < folders->n_folders; i++)
		if (folders->folders[i]->id == id && folders->folders[i]->removed == 0)
			return folders->folders[i];
	return NULL;
}

/* --- merging --------------------------------------------------------------------------------------------------- */

/* By name, so that 2,000 folders need no 2,000 × 2,000 comparisons. */
static int by_name(const void *a, const void *b)
{
	const Belfry__Activesync__Folder *const *first = a, *const *second = b;

	return strcmp((*first)->name, (*second)->name);
}

static Belfry__Activesync__Folder *find_name(Belfry__Activesync__Folder **sorted, size_t count, const char *name)
{
	Belfry__Activesync__Folder key = {.name = (char *)name}, *wanted = &key, **found;

	found = bsearch(&wanted, sorted, count, sizeof *sorted, by_name);
	return found == NULL ? NULL : *found;
}

/* A parent's name is shorter than its children's: shorter first is parents first. */
static int by_length(const void *a, const void *b)
{
	const Belfry__Connector__Collection *const *first = a, *const *second = b;
	size_t one = strlen((*first)->name), two = strlen((*second)->name);

	return one != two ? (one < two ? -1 : 1) : strcmp((*first)->name, (*second)->name);
}

struct merge {
	Belfry__Activesync__Folders *folders;
	struct arena *arena;
	uint32_t key;                        /* of the answer that tells */
	Belfry__Activesync__Folder **sorted; /* alive ones, grows with the list */
	size_t sorted_count;
	bool taken[16];
	bool any;
};

static Belfry__Activesync__Folder *add(struct merge *merge, const char *name)
{
	Belfry__Activesync__Folder *folder = arena_alloc(merge->arena, sizeof *folder);

	belfry__activesync__folder__init(folder);
	folder->id = ++merge->folders->next_id;
	folder->name = arena_strdup(merge->arena, name);
	folder->display_name = "";
	folder->added = merge->key;
	merge->folders->folders[merge->folders->n_folders++] = folder;
	size_t at = merge->sorted_count++;
	for (; at > 0 && strcmp(merge->sorted[at - 1]->name, name) > 0; at--)
		merge->sorted[at] = merge->sorted[at - 1];
	merge->sorted[at] = folder;
	merge->any = true;
	return folder;
}

static void take(struct merge *merge, const Belfry__Connector__Collection *collection)
{
	Belfry__Activesync__Folder *folder = find_name(merge->sorted, merge->sorted_count, collection->name);
	const Belfry__Activesync__Folder *parent =
		collection->parent[0] == '\0' ? NULL : find_name(merge->sorted, merge->sorted_count, collection->parent);
	uint32_t type = type_of(collection, merge->taken), parent_id = parent == NULL ? 0 : parent->id;
	bool is_new = folder == NULL;

	if (is_new)
		folder = add(merge, collection->name);
	if (strcmp(folder->display_name, collection->display_name) != 0 || folder->type != type ||
	    folder->parent != parent_id) {
		folder->display_name = arena_strdup(merge->arena, collection->display_name);
		folder->type = type;
		folder->parent = parent_id;
		folder->kind = (uint32_t)collection->kind;
		folder->changed = is_new ? 0 : merge->key;
		merge->any = true;
	}
	folder->removed = 0;
}

bool folders_merge(Belfry__Activesync__Folders *folders, const Belfry__Connector__Collections *list,
	struct arena *arena)
{
	size_t old = folders->n_folders, count = list->n_collections;
	struct merge merge = {.folders = folders, .arena = arena, .key = folders->key + 1, .any = folders->key == 0};
	Belfry__Activesync__Folder **grown = arena_alloc(arena, (old + count + 1) * sizeof *grown);
	Belfry__Connector__Collection **sorted = arena_alloc(arena, (count + 1) * sizeof *sorted);

	if (count > FOLDERS_MAX) {
		log_warning(LOG_ACTIVESYNC, "of %zu folders only %d are shown to the device", count, FOLDERS_MAX);
		count = FOLDERS_MAX;
	}
	merge.sorted = arena_alloc(arena, (old + count + 1) * sizeof *merge.sorted);
	if (old != 0)
		memcpy(grown, folders->folders, old * sizeof *grown);
	folders->folders = grown;
	for (size_t i = 0; i < old; i++) {
		merge.sorted[merge.sorted_count++] = grown[i];
		grown[i]->removed = merge.key; /* until it is found in the list */
	}
	qsort(merge.sorted, merge.sorted_count, sizeof *merge.sorted, by_name);
	if (count != 0)
		memcpy(sorted, list->collections, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_length);
	for (size_t i = 0; i < count; i++)
		take(&merge, sorted[i]);
	for (size_t i = 0; i < old; i++)
		merge.any = merge.any || grown[i]->removed != 0;
	if (merge.any)
		folders->key = merge.key;
	return merge.any;
}
