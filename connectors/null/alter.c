/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Alter: mailboxes made, moved and removed by a device. */
#include <stdlib.h>
#include <string.h>

#include "connectors/null/store.h"
#include "lib/core/mem.h"

/* Is it `top`, or below it? */
static bool is_within(const char *name, const char *top)
{
	size_t length = strlen(top);

	return strncmp(name, top, length) == 0 && (name[length] == '\0' || name[length] == '/');
}

static Belfry__Connector__Status make(struct null_store *store, const struct null_user *user, const char *name)
{
	null_collection_add(store, user->name, name, BELFRY__CONNECTOR__ROLE__NONE);
	return BELFRY__CONNECTOR__STATUS__OK;
}

static Belfry__Connector__Status move(struct null_mailboxes *mailboxes, const char *from, const char *to)
{
	size_t length = strlen(from);

	for (size_t i = 0; i < mailboxes->count; i++) {
		struct null_collection *collection = mailboxes->list[i];
		char *old = collection->name;

		if (!is_within(old, from))
			continue;
		collection->name = mem_printf("%s%s", to, old + length);
		free(old);
	}
	return BELFRY__CONNECTOR__STATUS__OK;
}

/* The last first: removing one puts the last in its place. */
static Belfry__Connector__Status remove_all(struct null_store *store, const struct null_user *user,
	const struct null_mailboxes *mailboxes, const char *name)
{
	char *top = mem_strdup(name);

	for (size_t i = mailboxes->count; i-- > 0;)
		if (is_within(mailboxes->list[i]->name, top))
			null_collection_remove(store, user->name, mailboxes->list[i]->name);
	free(top);
	return BELFRY__CONNECTOR__STATUS__OK;
}

Belfry__Connector__Status null_alter(struct null_store *store, struct null_user *user,
	const Belfry__Connector__Alter *asked, const char *name)
{
	struct null_mailboxes *mailboxes = null_mailboxes_own(store, user);
	const struct null_collection *altered = null_collection(mailboxes, asked->name);

	if (altered == NULL && asked->name[0] != '\0')
		return !asked->remove && null_collection(mailboxes, name) != NULL ? BELFRY__CONNECTOR__STATUS__EXISTS
			: BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (altered != NULL && altered->role != BELFRY__CONNECTOR__ROLE__NONE)
		return BELFRY__CONNECTOR__STATUS__LIMIT;
	if (asked->remove)
		return remove_all(store, user, mailboxes, asked->name);
	if (asked->parent[0] != '\0' && null_collection(mailboxes, asked->parent) == NULL)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (null_collection(mailboxes, name) != NULL)
		return BELFRY__CONNECTOR__STATUS__EXISTS;
	return altered == NULL ? make(store, user, name) : move(mailboxes, asked->name, name);
}
