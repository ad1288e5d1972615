/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Worker processes and the requests for them, all together. */
#include "connectors/imap/pool_internal.h"

#include <stdlib.h>

#include "connectors/imap/worker.pb-c.h"
#include "lib/core/mem.h"

void pool_forget_client(struct pool *pool, const struct service_client *client)
{
	for (struct request *request = pool->first, *next; request != NULL; request = next) {
		next = request->next;
		if (request->client != client)
			continue;
		pool_take_out(pool, request);
		pool_request_free(request);
	}
	for (int i = 0; i < pool->settings->workers; i++) {
		struct slot *slot = &pool->slots[i];
		if (slot->request == NULL || slot->request->client != client)
			continue;
		slot->request->client = NULL;
		pool_slot_go_on(slot);
	}
}

void pool_client_drained(struct pool *pool, const struct service_client *client)
{
	for (int i = 0; i < pool->settings->workers; i++)
		if (pool->slots[i].request != NULL && pool->slots[i].request->client == client)
			pool_slot_go_on(&pool->slots[i]);
	if (pool->first != NULL)
		pool_hand_out_soon(pool);
}

void pool_forget_account(struct pool *pool, const struct account *account)
{
	Belfry__Worker__WorkerRequest message = BELFRY__WORKER__WORKER_REQUEST__INIT;

	for (struct request *request = pool->first, *next; request != NULL; request = next) {
		next = request->next;
		if (request->account != account)
			continue;
		pool_take_out(pool, request);
		pool_request_answer(request, STATUS(LOGIN_NEEDED), "the backend refused the login");
	}
	message.forget = (ProtobufCBinaryData){sizeof account->handle, (uint8_t *)account->handle};
	for (int i = 0; i < pool->settings->workers; i++)
		if (pool->slots[i].link != NULL)
			link_send(pool->slots[i].link, &message.base, -1);
}

void pool_trace(struct pool *pool, const Belfry__Role__Trace *trace)
{
	for (int i = 0; i < pool->settings->workers; i++)
		if (pool->slots[i].link != NULL)
			pool_slot_trace(trace, &pool->slots[i]);
}

struct pool *pool_create(struct loop *loop, const struct imap_settings *settings, const struct process_ways *ways,
	const struct pool_events *events, void *owner)
{
	struct pool *pool = mem_alloc(sizeof *pool);

	*pool = (struct pool){.loop = loop, .settings = settings, .ways = ways, .events = events, .owner = owner,
		.quarantine = quarantine_create(), .unsettled = unsettled_create(), .doubts = doubts_create(),
		.sends = sends_create(),
		.slots = mem_alloc_array((size_t)settings->workers, sizeof *pool->slots)};
	pool->last = &pool->first;
	pool->undertaker = undertaker_create(loop, ways, pool->quarantine);
	for (int i = 0; i < settings->workers; i++)
		pool->slots[i].pool = pool;
	return pool;
}

void pool_free(struct pool **owner)
{
	struct pool *pool = *owner;

	*owner = NULL;
	if (pool == NULL)
		return;
	for (int i = 0; i < pool->settings->workers; i++) {
		struct slot *slot = &pool->slots[i];
		if (slot->request != NULL)
			pool_request_free(slot->request);
		slot->request = NULL;
		if (slot->link != NULL)
			pool_slot_end(slot, DEATH_LET_GO, 0);
		timer_stop(pool->loop, &slot->timer);
	}
	while (pool->first != NULL) {
		struct request *request = pool->first;
		pool_take_out(pool, request);
		pool_request_free(request);
	}
	undertaker_free(&pool->undertaker);
	loop_undefer(pool->loop, &pool->hand_out);
	quarantine_free(&pool->quarantine);
	unsettled_free(&pool->unsettled);
	doubts_free(&pool->doubts);
	sends_free(&pool->sends);
	free(pool->slots);
	free(pool);
}
