/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LIST responses to collections. */
#include "connectors/imap/folder_list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/imap/folder_role.h"
#include "connectors/imap/mailbox_name.h"
#include "lib/core/buffer.h"

const char *folder_list_command(unsigned capabilities)
{
	bool is_extended = (capabilities & IMAP_CAP_SPECIAL_USE) && (capabilities & IMAP_CAP_LIST_EXTENDED);

	return is_extended ? "LIST \"\" \"*\" RETURN (SPECIAL-USE)" : "LIST \"\" \"*\"";
}

struct attributes {
	bool unselectable;
	Belfry__Connector__Role role;
};

static bool read_attributes(struct imap_cursor *cursor, struct attributes *attributes)
{
	struct imap_token token = imap_token_next(cursor);

	*attributes = (struct attributes){0};
	if (token.kind != IMAP_OPEN)
		return false;
	while ((token = imap_token_next(cursor)).kind == IMAP_ATOM) {
		Belfry__Connector__Role role = folder_role_of_attribute(token.text);

		if (role != BELFRY__CONNECTOR__ROLE__NONE)
			attributes->role = role;
		attributes->unselectable |= imap_text_is(token.text, "\\Noselect") || imap_text_is(token.text, "\\NonExistent");
	}
	return token.kind == IMAP_CLOSE;
}

static char *to_arena(struct arena *arena, struct buffer *text)
{
	char *copy = arena_strndup(arena, text->data != NULL ? text->data : "", text->length);

	buffer_release(text);
	return copy;
}

/* The last part of the name, readable, and what stands before it. */
static void split_name(struct folder_list *list, Belfry__Connector__Collection *collection, char delimiter)
{
	struct buffer display = BUFFER_EMPTY;
	char *separator = delimiter != '\0' ? strrchr(collection->name, delimiter) : NULL;
	char *full, *last;

	mailbox_name_display(&display, collection->name);
	full = to_arena(list->arena, &display);
	last = delimiter != '\0' ? strrchr(full, delimiter) : NULL;
	collection->display_name = last != NULL && last[1] != '\0' ? last + 1 : full;
	collection->parent = separator != NULL && separator[1] != '\0'
		? arena_strndup(list->arena, collection->name, (size_t)(separator - collection->name)) : "";
}

static void append(struct folder_list *list, Belfry__Connector__Collection *collection)
{
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 32 : list->room * 2;
		Belfry__Connector__Collection **larger = arena_alloc(list->arena, room * sizeof *larger);

		if (list->count > 0)
			memcpy(larger, list->list, list->count * sizeof *larger);
		list->list = larger;
		list->room = room;
	}
	list->list[list->count++] = collection;
}

void folder_list_add(struct folder_list *list, struct imap_text rest)
{
	struct imap_cursor cursor = imap_cursor_over(rest);
	struct attributes attributes;
	struct imap_token token;
	struct buffer wire = BUFFER_EMPTY, name = BUFFER_EMPTY;
	Belfry__Connector__Collection *collection;
	char delimiter;

	if (list->count == FOLDER_LIST_MAX || !read_attributes(&cursor, &attributes))
		return;
	token = imap_token_next(&cursor);
	delimiter = token.kind == IMAP_QUOTED && token.text.length > 0 ? token.text.bytes[token.text.length - 1] : '\0';
	token = imap_token_next(&cursor);
	if (!imap_token_append(&token, &wire) || wire.length == 0 || memchr(wire.data, '\0', wire.length) != NULL) {
		buffer_release(&wire);
		return;
	}
	mailbox_name_decode(&name, wire.data, wire.length);
	buffer_release(&wire);
	collection = arena_alloc(list->arena, sizeof *collection);
	belfry__connector__collection__init(collection);
	collection->name = to_arena(list->arena, &name);
	collection->selectable = !attributes.unselectable;
	collection->role = attributes.role;
	list->has_attributes |= attributes.role != BELFRY__CONNECTOR__ROLE__NONE;
	split_name(list, collection, delimiter);
	if (strcasecmp(collection->name, "INBOX") == 0) {
		collection->name = "INBOX"; /* in whatever case: it is the same one (RFC 9051 section 5.1) */
		collection->role = BELFRY__CONNECTOR__ROLE__INBOX;
	}
	append(list, collection);
}

/* Only at the top or right below INBOX: "Sent" deep in an archive is something else. */
static bool is_near_the_top(const Belfry__Connector__Collection *collection)
{
	return *collection->parent == '\0' || strcasecmp(collection->parent, "INBOX") == 0;
}

static void guess_roles(struct folder_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		Belfry__Connector__Collection *collection = list->list[i];
		Belfry__Connector__Role role;

		if (collection->role != BELFRY__CONNECTOR__ROLE__NONE || !collection->selectable || !is_near_the_top(collection))
			continue;
		role = folder_role_of_name(collection->display_name);
		if (role != BELFRY__CONNECTOR__ROLE__NONE && folder_list_find(list, role) == NULL)
			collection->role = role;
	}
}

static int by_name(const void *a, const void *b)
{
	const Belfry__Connector__Collection *one = *(Belfry__Connector__Collection *const *)a;
	const Belfry__Connector__Collection *other = *(Belfry__Connector__Collection *const *)b;
	bool first = one->role == BELFRY__CONNECTOR__ROLE__INBOX, second = other->role == BELFRY__CONNECTOR__ROLE__INBOX;

	return first != second ? (first ? -1 : 1) : strcmp(one->name, other->name);
}

void folder_list_finish(struct folder_list *list)
{
	size_t kept = 0;

	if (list->count == 0)
		return;
	if (!list->has_attributes)
		guess_roles(list);
	qsort(list->list, list->count, sizeof *list->list, by_name);
	for (size_t i = 1; i < list->count; i++) /* a server that lists twice */
		if (strcmp(list->list[kept]->name, list->list[i]->name) != 0)
			list->list[++kept] = list->list[i];
	list->count = kept + 1;
}

const Belfry__Connector__Collection *folder_list_find(const struct folder_list *list, Belfry__Connector__Role role)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->list[i]->role == role && list->list[i]->selectable)
			return list->list[i];
	return NULL;
}
