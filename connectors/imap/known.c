/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Known devices, by user, in a bounded table: the longest unused go first. */
#include "connectors/imap/known.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/core/mem.h"

struct device {
	struct device *next;
	const char *network;    /* behind the id */
	char id[];
};

/* Hash tables of uthash keep the order of insertion: users who come again are put in anew. */
struct user {
	UT_hash_handle hh;
	struct device *newest;  /* the last used first */
	unsigned count;
	char name[];
};

struct known {
	struct user *users;
	size_t count;           /* devices of all */
};

struct known *known_create(void)
{
	return mem_alloc(sizeof(struct known));
}

/* --- the end --------------------------------------------------------------------------------------------------- */

static void drop_device(struct known *known, struct user *user, struct device **link)
{
	struct device *device = *link;

	*link = device->next;
	free(device);
	user->count--;
	known->count--;
}

static void drop_user(struct known *known, struct user *user)
{
	while (user->newest != NULL)
		drop_device(known, user, &user->newest);
	HASH_DELETE(hh, known->users, user);
	free(user);
}

void known_free(struct known **owner)
{
	struct known *known = *owner;

	*owner = NULL;
	if (known == NULL)
		return;
	while (known->users != NULL)
		drop_user(known, known->users);
	free(known);
}

/* --- finding and adding ---------------------------------------------------------------------------------------- */

static struct user *find_user(const struct known *known, const char *name)
{
	struct user *user;

	HASH_FIND(hh, known->users, name, strlen(name), user);
	return user;
}

/* Where it hangs; where the list ends: it is not there. */
static struct device **find_device(struct user *user, const char *id, const char *network)
{
	struct device **link = &user->newest;

	while (*link != NULL && (strcmp((*link)->id, id) != 0 || strcmp((*link)->network, network) != 0))
		link = &(*link)->next;
	return link;
}

static struct device *device_create(const char *id, const char *network)
{
	size_t id_size = strlen(id) + 1, network_size = strlen(network) + 1;
	struct device *device = mem_alloc(sizeof *device + id_size + network_size);

	device->network = device->id + id_size;
	memcpy(device->id, id, id_size);
	memcpy(device->id + id_size, network, network_size);
	return device;
}

static struct user *find_or_add_user(struct known *known, const char *name)
{
	struct user *user = find_user(known, name);
	size_t length = strlen(name);

	if (user != NULL) {
		HASH_DELETE(hh, known->users, user);
	} else {
		user = mem_alloc(sizeof *user + length + 1);
		memcpy(user->name, name, length + 1);
	}
	HASH_ADD(hh, known->users, name, length, user);
	return user;
}

static struct device **oldest_of(struct user *user)
{
	struct device **link = &user->newest;

	while ((*link)->next != NULL)
		link = &(*link)->next;
	return link;
}

void known_add(struct known *known, const char *name, const char *id, const char *network)
{
	if (strlen(id) > KNOWN_DEVICE_BYTES_MAX)
		return;
	struct user *user = find_or_add_user(known, name);
	struct device **link = find_device(user, id, network), *device = *link;

	if (device != NULL) {
		*link = device->next;
	} else {
		if (user->count == KNOWN_OF_USER_MAX)
			drop_device(known, user, oldest_of(user));
		while (known->count >= KNOWN_MAX && known->users != user)
			drop_user(known, known->users);
		device = device_create(id, network);
		user->count++;
		known->count++;
	}
	device->next = user->newest;
	user->newest = device;
}

bool known_has(const struct known *known, const char *name, const char *id, const char *network)
{
	struct user *user = find_user(known, name);

	return user != NULL && *find_device(user, id, network) != NULL;
}

size_t known_count(const struct known *known)
{
	return known->count;
}
