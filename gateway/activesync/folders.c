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

struct merge {
	Belfry__Activesync__Folders *folders;
	struct arena *arena;
	uint32_t key;                         /* of the answer that tells */
	Belfry__Connector__Collection **list; /* parents first */
	size_t list_count;
	Belfry__Activesync__Folder **sorted;  /* by name, so that 2,000 folders need no 2,000 × 2,000 comparisons */
	size_t sorted_count;
	bool taken[16];
	bool any;
};

static int by_name(const void *a, const void *b)
{
	const Belfry__Activesync__Folder *const *first = a, *const *second = b;

	return strcmp((*first)->name, (*second)->name);
}

static void sort_names(struct merge *merge)
{
	merge->sorted_count = merge->folders->n_folders;
	memcpy(merge->sorted, merge->folders->folders, merge->sorted_count * sizeof *merge->sorted);
	qsort(merge->sorted, merge->sorted_count, sizeof *merge->sorted, by_name);
}

static Belfry__Activesync__Folder *find_name(const struct merge *merge, const char *name)
{
	Belfry__Activesync__Folder key = {.name = (char *)name}, *wanted = &key, **found;

	found = bsearch(&wanted, merge->sorted, merge->sorted_count, sizeof *merge->sorted, by_name);
	return found == NULL ? NULL : *found;
}

/* Where names are paths a parent's is shorter than its children's: shorter first is parents first. */
static int compare_length(const char *one, const char *two)
{
	size_t first = strlen(one), second = strlen(two);

	return first != second ? (first < second ? -1 : 1) : strcmp(one, two);
}

static int collections_by_length(const void *a, const void *b)
{
	const Belfry__Connector__Collection *const *first = a, *const *second = b;

	return compare_length((*first)->name, (*second)->name);
}

static int folders_by_length(const void *a, const void *b)
{
	const Belfry__Activesync__Folder *const *first = a, *const *second = b;

	return compare_length((*first)->name, (*second)->name);
}

/* What the device gets to see of the connector's list: each name once, and as much as its record has room for. */
static void make_list(struct merge *merge, const Belfry__Connector__Collections *from)
{
	size_t count = from->n_collections, kept = 0, bytes = 0;

	merge->list = arena_alloc(merge->arena, (count + 1) * sizeof *merge->list);
	if (count != 0)
		memcpy(merge->list, from->collections, count * sizeof *merge->list);
	qsort(merge->list, count, sizeof *merge->list, collections_by_length);
	for (size_t i = 0; i < count; i++) {
		Belfry__Connector__Collection *one = merge->list[i];
		size_t length = strlen(one->name);
		if (length == 0 || (kept > 0 && strcmp(merge->list[kept - 1]->name, one->name) == 0))
			continue;
		bytes += length + strlen(one->display_name) + FOLDER_BYTES;
		if (kept == FOLDERS_MAX || bytes > FOLDERS_BYTES_MAX || length > FOLDER_NAME_MAX) { /* longer ones follow */
			log_warning(LOG_ACTIVESYNC, "of %zu folders only %zu are shown to the device", count, kept);
			break;
		}
		merge->list[kept++] = one;
	}
	merge->list_count = kept;
}

static void add(struct merge *merge, const char *name)
{
	Belfry__Activesync__Folder *folder = arena_alloc(merge->arena, sizeof *folder);

	belfry__activesync__folder__init(folder);
	folder->id = ++merge->folders->next_id;
	folder->name = arena_strdup(merge->arena, name);
	folder->display_name = "";
	folder->added = merge->key;
	merge->folders->folders[merge->folders->n_folders++] = folder;
	merge->any = true;
}

/* Which of the old ones are there still, and which are new. */
static void match(struct merge *merge)
{
	size_t old = merge->folders->n_folders;
	Belfry__Activesync__Folder **grown = arena_alloc(merge->arena, (old + merge->list_count + 1) * sizeof *grown);

	if (old != 0)
		memcpy(grown, merge->folders->folders, old * sizeof *grown);
	merge->folders->folders = grown;
	merge->sorted = arena_alloc(merge->arena, (old + merge->list_count + 1) * sizeof *merge->sorted);
	sort_names(merge);
	for (size_t i = 0; i < old; i++)
		grown[i]->removed = merge->key; /* until it is found in the list */
	for (size_t i = 0; i < merge->list_count; i++) {
		Belfry__Activesync__Folder *folder = find_name(merge, merge->list[i]->name);
		if (folder == NULL)
			add(merge, merge->list[i]->name);
		else
			folder->removed = 0;
	}
	for (size_t i = 0; i < old; i++)
		if (grown[i]->removed != 0) {
			grown[i]->name = grown[i]->display_name = (char *)protobuf_c_empty_string; /* told by its id */
			merge->any = true;
		}
}

/* A parent that goes does not take its children along: they rise to the top. */
static uint32_t parent_of(const struct merge *merge, const Belfry__Connector__Collection *collection)
{
	const Belfry__Activesync__Folder *parent = find_name(merge, collection->parent);
	bool is_there = parent != NULL && parent->removed == 0 && strcmp(parent->name, collection->name) != 0;

	return is_there ? parent->id : 0;
}

static void describe(struct merge *merge, const Belfry__Connector__Collection *collection)
{
	Belfry__Activesync__Folder *folder = find_name(merge, collection->name);
	uint32_t type = type_of(collection, merge->taken), parent = parent_of(merge, collection);

	folder->kind = (uint32_t)collection->kind;
	if (strcmp(folder->display_name, collection->display_name) == 0 && folder->type == type && folder->parent == parent)
		return;
	folder->display_name = arena_strdup(merge->arena, collection->display_name);
	folder->type = type;
	folder->parent = parent;
	if (folder->added != merge->key)
		folder->changed = merge->key;
	merge->any = true;
}

bool folders_merge(Belfry__Activesync__Folders *folders, const Belfry__Connector__Collections *list,
	struct arena *arena)
{
	struct merge merge = {.folders = folders, .arena = arena, .key = folders->key + 1, .any = folders->key == 0};

	make_list(&merge, list);
	match(&merge);
	sort_names(&merge);
	for (size_t i = 0; i < merge.list_count; i++)
		describe(&merge, merge.list[i]);
	qsort(folders->folders, folders->n_folders, sizeof *folders->folders, folders_by_length);
	if (merge.any)
		folders->key = merge.key;
	return merge.any;
}
