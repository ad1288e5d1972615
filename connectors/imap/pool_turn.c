/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which request is next, and which worker gets it. */
#include "connectors/imap/pool_internal.h"

#include <string.h>

#include <uthash.h>

static struct slot *home_of(struct pool *pool, const struct request *request)
{
	unsigned hash;

	HASH_VALUE(request->account->user, strlen(request->account->user), hash);
	return &pool->slots[hash % (unsigned)pool->settings->workers];
}

static bool is_idle(const struct slot *slot)
{
	return slot->link != NULL && slot->request == NULL;
}

static bool can_be_started(const struct slot *slot)
{
	return slot->link == NULL && !timer_is_started(&slot->timer);
}

/* A worker for the request: its home, else one that has nothing to do, else a new one. */
static struct slot *find_slot(struct pool *pool, const struct request *request)
{
	struct slot *home = home_of(pool, request), *startable = NULL;

	if (is_idle(home))
		return home;
	if (can_be_started(home))
		startable = home;
	for (int i = 0; i < pool->settings->workers && startable != home; i++) {
		if (is_idle(&pool->slots[i]))
			return &pool->slots[i];
		if (startable == NULL && can_be_started(&pool->slots[i]))
			startable = &pool->slots[i];
	}
	return startable != NULL && pool_slot_start(startable) == 0 ? startable : NULL;
}

static unsigned running_of(const struct pool *pool, const struct request *like)
{
	unsigned count = 0;

	for (int i = 0; i < pool->settings->workers; i++)
		count += pool->slots[i].request != NULL && strcmp(pool->slots[i].request->account->user, like->account->user) == 0;
	return count;
}

static bool is_set_oof_beside(const struct request *one, const struct request *other)
{
	return one->kind == BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF && other->kind == one->kind
		&& strcmp(one->account->user, other->account->user) == 0;
}

static bool is_apply_beside(const struct request *one, const struct request *other)
{
	return one->kind == BELFRY__CONNECTOR__REQUEST__BODY_APPLY && other->kind == BELFRY__CONNECTOR__REQUEST__BODY_APPLY
		&& strcmp(one->account->user, other->account->user) == 0 && strcmp(one->collection, other->collection) == 0;
}

static bool is_in_turn_with(const struct request *one, const struct request *other)
{
	return is_apply_beside(one, other) || is_set_oof_beside(one, other);
}

/* An Apply waits for those before it in its collection: of two MOVEs of one mail at once some servers make two mails.
 * One whose client is gone goes on, and counts. A SetOof reads before it writes. */
static bool has_to_wait_its_turn(const struct pool *pool, const struct request *request)
{
	for (int i = 0; i < pool->settings->workers; i++)
		if (pool->slots[i].request != NULL && is_in_turn_with(pool->slots[i].request, request))
			return true;
	for (const struct request *before = pool->first; before != request; before = before->next)
		if (is_in_turn_with(before, request))
			return true;
	return false;
}

/* A search may read whole mailboxes, another server than the IMAP server may be slow, or away. */
static bool is_slow(const struct request *request)
{
	return request->kind == BELFRY__CONNECTOR__REQUEST__BODY_SEARCH || request->message_id != NULL
		|| request->kind == BELFRY__CONNECTOR__REQUEST__BODY_GET_OOF
		|| request->kind == BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF;
}

/* Half of the workers do what is slow: the others stay free for those who read. A user has one search at a time. */
static bool are_enough_slow(const struct pool *pool, const struct request *request)
{
	int count = 0;

	for (int i = 0; is_slow(request) && i < pool->settings->workers; i++) {
		const struct request *other = pool->slots[i].request;
		if (other == NULL || !is_slow(other))
			continue;
		if (request->kind == BELFRY__CONNECTOR__REQUEST__BODY_SEARCH && other->kind == request->kind &&
		    strcmp(other->account->user, request->account->user) == 0)
			return true;
		count++;
	}
	return is_slow(request) && count >= (pool->settings->workers + 1) / 2;
}

/* The same mail, asked for twice: the second waits for what becomes of the first. */
static bool is_being_sent(const struct pool *pool, const struct request *request)
{
	return request->message_id != NULL &&
		send_is_under_way(sends_state(pool->sends, request->account->user, request->message_id));
}

static void hand_out(struct deferred *deferred)
{
	struct pool *pool = container_of(deferred, struct pool, hand_out);

	for (struct request *request = pool->first, *next; request != NULL; request = next) {
		next = request->next;
		if (running_of(pool, request) >= POOL_USER_RUNNING_MAX || service_is_clogged(request->client)
			|| has_to_wait_its_turn(pool, request) || are_enough_slow(pool, request) || is_being_sent(pool, request))
			continue;
		struct slot *slot = find_slot(pool, request);
		if (slot == NULL)
			return;
		pool_slot_run(slot, request);
	}
}

void pool_hand_out_soon(struct pool *pool)
{
	loop_defer(pool->loop, &pool->hand_out, hand_out);
}
