/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Locks are queues of claims; a claim counts in how many of its queues it is not yet first. */
#include "gateway/service/lock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <utlist.h>

#include "lib/core/mem.h"

/* A lock exists while a claim stands in its queue. */
struct lock {
	UT_hash_handle hh;
	struct place *queue; /* the first holds it */
	size_t claims;
	size_t name_length;
	char name[];         /* user NUL device NUL name */
};

/* A claim in the queue of one lock. */
struct place {
	struct place *prev, *next;
	struct lock *lock;
	struct claim *claim;
};

struct owner {
	UT_hash_handle hh;
	uint64_t number;
	struct claim *claims;
	size_t count;
};

struct claim {
	UT_hash_handle hh;
	uint64_t token;
	struct claim *prev, *next; /* of the owner */
	struct owner *owner;
	struct locks *locks;
	locks_taken *taken;
	void *data;
	struct deferred announce;
	size_t waiting;            /* places that are not first in their queue */
	size_t count;
	struct place places[];
};

struct locks {
	struct loop *loop;
	struct lock *by_name;
	struct claim *by_token;
	struct owner *by_number;
	uint64_t last_token;
};

/* --- locks and their queues ------------------------------------------------------------------------------------ */

struct lock_name {
	size_t length;
	char bytes[PRINCIPAL_USER_MAX + 1 + PRINCIPAL_DEVICE_MAX + 1 + LOCK_NAME_MAX];
};

static void name_make(struct lock_name *name_r, const struct principal *principal, const char *name)
{
	size_t user = strlen(principal->user) + 1, device = strlen(principal->device) + 1, rest = strlen(name);

	memcpy(name_r->bytes, principal->user, user);
	memcpy(name_r->bytes + user, principal->device, device);
	memcpy(name_r->bytes + user + device, name, rest);
	name_r->length = user + device + rest;
}

static struct lock *lock_find(const struct locks *locks, const struct lock_name *name)
{
	struct lock *lock;

	HASH_FIND(hh, locks->by_name, name->bytes, name->length, lock);
	return lock;
}

static struct lock *lock_find_or_make(struct locks *locks, const struct lock_name *name)
{
	struct lock *lock = lock_find(locks, name);

	if (lock != NULL)
		return lock;
	lock = mem_alloc(sizeof *lock + name->length);
	lock->name_length = name->length;
	memcpy(lock->name, name->bytes, name->length);
	HASH_ADD_KEYPTR(hh, locks->by_name, lock->name, lock->name_length, lock);
	return lock;
}

static void place_enter(struct place *place, struct claim *claim, struct lock *lock)
{
	place->claim = claim;
	place->lock = lock;
	if (lock->queue != NULL)
		claim->waiting++;
	DL_APPEND(lock->queue, place);
	lock->claims++;
}

static void announce(struct deferred *deferred)
{
	struct claim *claim = container_of(deferred, struct claim, announce);

	claim->taken(claim->token, claim->data);
}

static void place_leave(struct place *place)
{
	struct lock *lock = place->lock;
	bool was_first = lock->queue == place;

	DL_DELETE(lock->queue, place);
	lock->claims--;
	if (lock->queue == NULL) {
		HASH_DEL(place->claim->locks->by_name, lock);
		free(lock);
	} else if (was_first && --lock->queue->claim->waiting == 0) {
		struct claim *next = lock->queue->claim;
		loop_defer(next->locks->loop, &next->announce, announce);
	}
}

/* --- claims ---------------------------------------------------------------------------------------------------- */

static struct owner *owner_find(const struct locks *locks, uint64_t number)
{
	struct owner *owner;

	HASH_FIND(hh, locks->by_number, &number, sizeof number, owner);
	return owner;
}

static struct owner *owner_find_or_make(struct locks *locks, uint64_t number)
{
	struct owner *owner = owner_find(locks, number);

	if (owner != NULL)
		return owner;
	owner = mem_alloc(sizeof *owner);
	owner->number = number;
	HASH_ADD(hh, locks->by_number, number, sizeof number, owner);
	return owner;
}

static void claim_free(struct claim *claim)
{
	struct locks *locks = claim->locks;
	struct owner *owner = claim->owner;

	loop_undefer(locks->loop, &claim->announce);
	for (size_t i = 0; i < claim->count; i++)
		place_leave(&claim->places[i]);
	HASH_DEL(locks->by_token, claim);
	DL_DELETE(owner->claims, claim);
	if (--owner->count == 0) {
		HASH_DEL(locks->by_number, owner);
		free(owner);
	}
	free(claim);
}

static struct claim *claim_find(const struct locks *locks, uint64_t owner, uint64_t token)
{
	struct claim *claim;

	HASH_FIND(hh, locks->by_token, &token, sizeof token, claim);
	return claim != NULL && claim->owner->number == owner ? claim : NULL;
}

static bool claim_fits(const struct locks *locks, uint64_t number, const struct principal *principal,
	const char *const names[], size_t count)
{
	const struct owner *owner = owner_find(locks, number);

	if (count > LOCK_NAMES_MAX || (owner != NULL && owner->count >= LOCK_CLAIMS_MAX) ||
		strlen(principal->user) > PRINCIPAL_USER_MAX || strlen(principal->device) > PRINCIPAL_DEVICE_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		struct lock_name name;
		if (strlen(names[i]) > LOCK_NAME_MAX)
			return false;
		name_make(&name, principal, names[i]);
		const struct lock *lock = lock_find(locks, &name);
		if (lock != NULL && lock->claims > LOCK_WAITERS_MAX) /* one holds, the others wait */
			return false;
	}
	return true;
}

/* A name that comes again finds the claim itself at the end of the queue, since claims enter one after the other. */
static void claim_enter(struct claim *claim, const struct principal *principal, const char *name)
{
	struct lock_name full;

	name_make(&full, principal, name);
	struct lock *lock = lock_find_or_make(claim->locks, &full);
	if (lock->queue == NULL || lock->queue->prev->claim != claim)
		place_enter(&claim->places[claim->count++], claim, lock);
}

uint64_t locks_claim(struct locks *locks, uint64_t owner, const struct principal *principal,
	const char *const names[], size_t count, locks_taken *taken, void *data)
{
	if (!claim_fits(locks, owner, principal, names, count))
		return 0;
	struct claim *claim = mem_alloc(sizeof *claim + count * sizeof claim->places[0]);
	claim->locks = locks;
	claim->token = ++locks->last_token;
	claim->taken = taken;
	claim->data = data;
	claim->owner = owner_find_or_make(locks, owner);
	claim->owner->count++;
	DL_APPEND(claim->owner->claims, claim);
	HASH_ADD(hh, locks->by_token, token, sizeof claim->token, claim);
	for (size_t i = 0; i < count; i++)
		claim_enter(claim, principal, names[i]);
	if (claim->waiting == 0)
		loop_defer(locks->loop, &claim->announce, announce);
	return claim->token;
}

bool locks_are_held(const struct locks *locks, uint64_t owner, uint64_t token)
{
	const struct claim *claim = claim_find(locks, owner, token);

	return claim != NULL && claim->waiting == 0;
}

bool locks_release(struct locks *locks, uint64_t owner, uint64_t token)
{
	struct claim *claim = claim_find(locks, owner, token);

	if (claim == NULL)
		return false;
	claim_free(claim);
	return true;
}

size_t locks_release_all(struct locks *locks, uint64_t number)
{
	size_t count = 0;
	struct owner *owner;

	while ((owner = owner_find(locks, number)) != NULL) {
		/* The youngest first, so that none of them is announced for a moment. */
		claim_free(owner->claims->prev);
		count++;
	}
	return count;
}

size_t locks_count(const struct locks *locks)
{
	return HASH_COUNT(locks->by_token);
}

struct locks *locks_create(struct loop *loop)
{
	struct locks *locks = mem_alloc(sizeof *locks);

	locks->loop = loop;
	return locks;
}

void locks_free(struct locks **owner)
{
	struct locks *locks = *owner;

	if (locks == NULL)
		return;
	while (locks->by_number != NULL)
		locks_release_all(locks, locks->by_number->number);
	free(locks);
	*owner = NULL;
}
