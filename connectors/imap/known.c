/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Known devices, by user, in a bounded table: the longest unused go first. */
#include "connectors/imap/known.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/imap/recent.h"
#include "lib/core/mem.h"

struct device {
	struct device *next;
	const char *network;    /* behind the id */
	char id[];
};

struct user {
	struct device *newest;  /* the last used first */
	unsigned count;
};

struct known {
	struct recent_kind kind;
	struct recent *users;
	size_t count;           /* devices of all */
};

static void drop_device(struct known *known, struct user *user, struct device **link)
{
	struct device *device = *link;

	*link = device->next;
	free(device);
	user->count--;
	known->count--;
}

static void release_user(void *value, void *owner)
{
	struct user *user = value;

	while (user->newest != NULL)
		drop_device(owner, user, &user->newest);
}

struct known *known_create(void)
{
	struct known *known = mem_alloc(sizeof *known);

	known->kind = (struct recent_kind){.value_bytes = sizeof(struct user), .release = release_user, .owner = known};
	known->users = recent_create(&known->kind);
	return known;
}

void known_free(struct known **owner)
{
	struct known *known = *owner;

	*owner = NULL;
	if (known == NULL)
		return;
	recent_free(&known->users);
	free(known);
}

/* --- finding and adding ---------------------------------------------------------------------------------------- */

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
	struct user *user = recent_touch(known->users, name, strlen(name));
	struct device **link = find_device(user, id, network), *device = *link;

	if (device != NULL) {
		*link = device->next;
	} else {
		if (user->count == KNOWN_OF_USER_MAX)
			drop_device(known, user, oldest_of(user));
		while (known->count >= KNOWN_MAX && recent_oldest(known->users) != user)
			recent_drop(known->users, recent_oldest(known->users));
		device = device_create(id, network);
		user->count++;
		known->count++;
	}
	device->next = user->newest;
	user->newest = device;
}

bool known_has(const struct known *known, const char *name, const char *id, const char *network)
{
	struct user *user = recent_find(known->users, name, strlen(name));

	return user != NULL && *find_device(user, id, network) != NULL;
}

size_t known_count(const struct known *known)
{
	return known->count;
}
