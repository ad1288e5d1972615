/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules, as a table of actions and objects. */
#include "gateway/service/access.h"

#include <stddef.h>
#include <string.h>

const struct principal principal_admin = {"", ""};

enum kind { KIND_USER, KIND_DEVICE, KIND_COLLECTION, KIND_ITEM, KINDS };

static bool nobody(const struct principal *principal, const struct object *object)
{
	(void)principal;
	(void)object;
	return false;
}

static bool admin(const struct principal *principal, const struct object *object)
{
	(void)object;
	return principal == &principal_admin;
}

/* What belongs to the user is open to all his devices … */
static bool own_user(const struct principal *principal, const struct object *object)
{
	return strcmp(principal->user, object->user) == 0;
}

/* … but what is kept of one is that device's alone. */
static bool own_device(const struct principal *principal, const struct object *object)
{
	return own_user(principal, object) && strcmp(principal->device, object->device) == 0;
}

typedef bool rule(const struct principal *, const struct object *);

static rule *const rules[ACTIONS][KINDS] = {
	/*                  user      device      collection item */
	[ACTION_LOG_IN] = {own_user, nobody,     nobody,    nobody},
	[ACTION_READ]   = {own_user, own_device, own_user,  own_user},
	[ACTION_CHANGE] = {own_user, own_device, own_user,  own_user}, /* a user: his list of collections, what is answered for him */
	[ACTION_SEND]   = {own_user, nobody,     nobody,    nobody},
	[ACTION_WAIT]   = {own_user, nobody,     own_user,  nobody}, /* for the hierarchy, too */
	[ACTION_KICK]   = {admin,    admin,      nobody,    nobody},
	[ACTION_FORGET] = {nobody,   admin,      nobody,    nobody},
};

static enum kind kind_of(const struct object *object)
{
	return object->item != 0 ? KIND_ITEM : object->collection != NULL ? KIND_COLLECTION :
		object->device != NULL ? KIND_DEVICE : KIND_USER;
}

/* An item without its collection is nothing, nor is what belongs to nobody. */
static bool is_something(const struct object *object)
{
	if (object->user == NULL || object->user[0] == '\0')
		return false;
	return object->collection == NULL ? object->item == 0 : object->collection[0] != '\0';
}

bool principal_may(const struct principal *principal, enum action action, const struct object *object)
{
	return is_something(object) && rules[action][kind_of(object)](principal, object);
}
