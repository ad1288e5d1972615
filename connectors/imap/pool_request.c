/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests for workers: what is known of one, its time, and its end. */
#include "connectors/imap/pool_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/mem.h"

/* --- the end --------------------------------------------------------------------------------------------------- */

void pool_request_free(struct request *request)
{
	if (request->message_id != NULL && request->slot != NULL)
		sends_end(request->pool->sends, request->account->user, request->message_id);
	if (request->fd >= 0)
		close(request->fd);
	timer_stop(request->pool->loop, &request->deadline);
	account_release(&request->account);
	free(request->collection);
	free(request->message_id);
	free(request->target);
	free(request->packed);
	free(request);
}

void pool_request_answer(struct request *request, Belfry__Connector__Status status, const char *reason)
{
	if (request->client != NULL)
		service_answer_status(request->client, request->id, status, reason);
	pool_request_free(request);
}

void pool_take_out(struct pool *pool, struct request *request)
{
	struct request **link = &pool->first;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	if (request->next == NULL)
		pool->last = link;
	pool->waiting--;
}

/* --- its time -------------------------------------------------------------------------------------------------- */

static void timed_out(struct timer *timer)
{
	struct request *request = container_of(timer, struct request, deadline);
	struct slot *slot = request->slot;

	if (slot == NULL) {
		pool_take_out(request->pool, request);
		pool_request_answer(request, request->message_id != NULL ? STATUS(DEFERRED) : STATUS(UNAVAILABLE),
			"all workers are busy");
		return;
	}
	if (slot->is_paused) { /* the client does not read: that is no fault of the worker */
		timer_start(request->pool->loop, &request->deadline, POOL_GRACE_MS, timed_out);
		return;
	}
	pool_slot_hung(slot);
	pool_request_answer(request, STATUS(UNAVAILABLE), "the backend took too long");
}

int64_t pool_request_left_ms(const struct request *request)
{
	return request->until_ms - loop_now_ms(request->pool->loop);
}

void pool_request_watch(struct request *request)
{
	timer_start(request->pool->loop, &request->deadline,
		pool_request_left_ms(request) + (request->slot != NULL ? POOL_GRACE_MS : 0), timed_out);
}

void pool_request_restart(struct request *request)
{
	request->until_ms = loop_now_ms(request->pool->loop) + (int64_t)request->pool->settings->timeout_s * 1000;
	pool_request_watch(request);
}

/* --- what comes in --------------------------------------------------------------------------------------------- */

static void note_collection(struct request *request, const Belfry__Connector__Request *asked)
{
	const char *collection = "", *target = "";

	if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_FETCH) {
		collection = asked->fetch->collection;
		request->validity = asked->fetch->validity;
	} else if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART) {
		collection = asked->fetch_part->collection;
		request->validity = asked->fetch_part->validity;
	} else if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SURVEY) {
		collection = asked->survey->collection;
	} else if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_APPLY) {
		collection = asked->apply->collection;
		target = asked->apply->n_operations == 0 ? "" : asked->apply->operations[0]->move_to;
	} else if (asked->body_case == BELFRY__CONNECTOR__REQUEST__BODY_SEND) {
		collection = asked->send->collection;
		request->message_id = mem_strdup(asked->send->message_id);
	}
	request->collection = mem_strdup(collection);
	request->target = mem_strdup(target);
}

static void pack_without_handle(struct request *request, const Belfry__Connector__Request *asked)
{
	Belfry__Connector__Request copy = *asked;

	copy.handle = (ProtobufCBinaryData){0, NULL};
	request->length = belfry__connector__request__get_packed_size(&copy);
	request->packed = mem_alloc(request->length + 1);
	belfry__connector__request__pack(&copy, request->packed);
}

static unsigned waiting_of(const struct pool *pool, const struct account *account)
{
	unsigned count = 0;

	for (const struct request *request = pool->first; request != NULL; request = request->next)
		count += strcmp(request->account->user, account->user) == 0;
	return count;
}

/* False: it was answered that there is none. */
static bool has_room(const struct pool *pool, struct service_client *client, const Belfry__Connector__Request *asked,
	const struct account *account)
{
	if (pool->waiting >= POOL_WAITING_MAX)
		service_answer_status(client, asked->id, STATUS(UNAVAILABLE), "too many requests wait for a worker");
	else if (waiting_of(pool, account) >= POOL_USER_WAITING_MAX)
		service_answer_status(client, asked->id, STATUS(LIMIT), "too many requests of this user");
	else
		return true;
	return false;
}

void pool_ask(struct pool *pool, struct service_client *client, const Belfry__Connector__Request *asked, int fd,
	struct account *account)
{
	struct request *request;

	if (!has_room(pool, client, asked, account)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	request = mem_alloc(sizeof *request);
	request->pool = pool;
	request->client = client;
	request->fd = fd;
	request->account = account_hold(account);
	request->id = asked->id;
	request->kind = asked->body_case;
	note_collection(request, asked);
	pack_without_handle(request, asked);
	*pool->last = request;
	pool->last = &request->next;
	pool->waiting++;
	pool_request_restart(request);
	pool_hand_out_soon(pool);
}
