/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Few, as servers seldom list what is not there: a short array a user, the newest last. */
#include "connectors/imap/doubts.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/imap/recent.h"
#include "lib/core/mem.h"

struct user {
	char **names;
	size_t count;
};

struct doubts {
	struct recent *users;
};

static void release_user(void *value, void *owner)
{
	struct user *user = value;

	(void)owner;
	for (size_t i = 0; i < user->count; i++)
		free(user->names[i]);
	free(user->names);
}

struct doubts *doubts_create(void)
{
	static const struct recent_kind kind = {.value_bytes = sizeof(struct user), .max = DOUBTS_USERS_MAX,
		.release = release_user};
	struct doubts *doubts = mem_alloc(sizeof *doubts);

	doubts->users = recent_create(&kind);
	return doubts;
}

void doubts_free(struct doubts **owner)
{
	if (*owner != NULL)
		recent_free(&(*owner)->users);
	free(*owner);
	*owner = NULL;
}

static void drop(struct user *user, size_t at)
{
	free(user->names[at]);
	memmove(user->names + at, user->names + at + 1, (user->count - at - 1) * sizeof *user->names);
	user->count--;
}

void doubts_add(struct doubts *doubts, const char *name, const char *collection)
{
	struct user *user = recent_touch(doubts->users, name, strlen(name));

	for (size_t i = user->count; i-- > 0;)
		if (strcmp(user->names[i], collection) == 0)
			drop(user, i);
	if (user->count == DOUBTS_OF_USER_MAX)
		drop(user, 0);
	user->names = mem_realloc(user->names, (user->count + 1) * sizeof *user->names);
	user->names[user->count++] = mem_strdup(collection);
}

size_t doubts_of(const struct doubts *doubts, const char *name, char ***names_r)
{
	const struct user *user = recent_find(doubts->users, name, strlen(name));

	*names_r = user == NULL ? NULL : user->names;
	return user == NULL ? 0 : user->count;
}
