/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The device's own changes of its hierarchy. */
#include <string.h>

#include "gateway/activesync/folders.h"

enum { TYPE_FIRST_SPECIAL = 2, TYPE_USER_MAIL = 12 }; /* MS-ASCMD 2.2.3.186.3 */

typedef Belfry__Activesync__Folder folder_t;
typedef Belfry__Activesync__Folders folders_t;

static folder_t *find(const folders_t *folders, uint32_t id)
{
	return (folder_t *)folders_find(folders, id);
}

/* Bounded by the number of folders: a record that goes in a circle must not hang us. */
bool folders_is_below(const folders_t *folders, uint32_t id, uint32_t top)
{
	const folder_t *folder = folders_find(folders, id);

	for (size_t steps = 0; folder != NULL && steps <= folders->n_folders; steps++) {
		if (folder->id == top)
			return true;
		folder = folders_find(folders, folder->parent);
	}
	return false;
}

bool folders_is_special(const folders_t *folders, uint32_t id)
{
	for (size_t i = 0; i < folders->n_folders; i++) {
		const folder_t *folder = folders->folders[i];

		if (folder->removed == 0 && folder->type >= TYPE_FIRST_SPECIAL && folder->type < TYPE_USER_MAIL &&
		    folders_is_below(folders, folder->id, id))
			return true;
	}
	return false;
}

bool folders_has_child(const folders_t *folders, uint32_t parent, const char *display_name, uint32_t but)
{
	for (size_t i = 0; i < folders->n_folders; i++) {
		const folder_t *folder = folders->folders[i];

		if (folder->removed == 0 && folder->id != but && folder->parent == parent &&
		    strcmp(folder->display_name, display_name) == 0)
			return true;
	}
	return false;
}

bool folders_has_name(const folders_t *folders, const char *name)
{
	for (size_t i = 0; i < folders->n_folders; i++)
		if (folders->folders[i]->removed == 0 && strcmp(folders->folders[i]->name, name) == 0)
			return true;
	return false;
}

uint32_t folders_add(folders_t *folders, const char *name, uint32_t parent, const char *display_name, struct arena *arena)
{
	folder_t *folder = arena_alloc(arena, sizeof *folder);
	folder_t **grown = arena_alloc(arena, (folders->n_folders + 1) * sizeof *grown);

	folders_acknowledge(folders);
	if (folders->n_folders != 0)
		memcpy(grown, folders->folders, folders->n_folders * sizeof *grown);
	belfry__activesync__folder__init(folder);
	folder->id = ++folders->next_id;
	folder->name = arena_strdup(arena, name);
	folder->display_name = arena_strdup(arena, display_name);
	folder->parent = parent;
	folder->type = TYPE_USER_MAIL;
	folder->added = ++folders->key;
	grown[folders->n_folders++] = folder;
	folders->folders = grown;
	return folder->id;
}

void folders_remove(folders_t *folders, uint32_t id)
{
	folders_acknowledge(folders);
	folders->key++;
	for (size_t i = 0; i < folders->n_folders; i++) /* found before any is removed: parents lead to it */
		if (folders_is_below(folders, folders->folders[i]->id, id))
			folders->folders[i]->changed = folders->key;
	for (size_t i = 0; i < folders->n_folders; i++) {
		folder_t *folder = folders->folders[i];

		if (folder->changed != folders->key)
			continue;
		folder->removed = folders->key;
		folder->name = folder->display_name = (char *)protobuf_c_empty_string;
	}
}

void folders_move(folders_t *folders, uint32_t id, const char *name, uint32_t parent, const char *display_name,
	struct arena *arena)
{
	folder_t *moved = find(folders, id);
	size_t old_length = strlen(moved->name);

	folders_acknowledge(folders);
	folders->key++;
	for (size_t i = 0; i < folders->n_folders; i++) {
		folder_t *folder = folders->folders[i];

		if (folder != moved && folders_is_below(folders, folder->id, id) && strlen(folder->name) > old_length)
			folder->name = arena_printf(arena, "%s%s", name, folder->name + old_length);
	}
	moved->name = arena_strdup(arena, name);
	moved->display_name = arena_strdup(arena, display_name);
	moved->parent = parent;
	moved->changed = folders->key;
}
