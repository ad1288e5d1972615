/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A front's side of the hub. */
#include "gateway/service/hub_client.h"

#include <stdlib.h>
#include <unistd.h>

#include "gateway/service/calls.h"
#include "lib/core/arena.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/trace.h"

/* A transaction ends with the link that it was begun on, and a hub that was started anew counts from 1 again. So what
 * callers hold has the link's number above the hub's: it never means another one's transaction. */
enum { TRANSACTION_BITS = 48 };
#define TRANSACTION_MASK (((uint64_t)1 << TRANSACTION_BITS) - 1)

struct hub_client {
	struct calls *calls;
	unsigned number;
	uint16_t links;       /* made so far */
	const struct hub_client_events *events;
	void *owner;
};

struct hub_call {
	struct hub_client *client;
	struct call *call;
	hub_begun *begun;
	hub_committed *committed;
	hub_metrics_came *metrics;
	void *data;
};

static void say_hello(struct calls *calls, void *owner)
{
	struct hub_client *client = owner;
	Belfry__Role__Hello hello = BELFRY__ROLE__HELLO__INIT;
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;

	client->links++;
	hello.role = "front";
	hello.number = client->number;
	hello.pid = (uint32_t)getpid();
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_HELLO;
	message.hello = &hello;
	calls_send(calls, &message.base, NULL);
}

static void connected(void *owner)
{
	struct hub_client *client = owner;

	client->events->returned(client->owner);
}

static int told(const uint8_t *body, size_t length, void *owner)
{
	struct hub_client *client = owner;
	struct arena *arena = arena_create(length * 2 + 512);
	Belfry__Role__FromHub *message = belfry__role__from_hub__unpack(arena_protobuf(arena), length, body);

	if (message == NULL) {
		arena_free(&arena);
		return -1;
	}
	switch (message->body_case) {
	case BELFRY__ROLE__FROM_HUB__BODY_PARKED:
		if (message->parked->changed != NULL)
			client->events->woken(message->parked->changed, client->owner);
		break;
	case BELFRY__ROLE__FROM_HUB__BODY_WAKE: client->events->woken(message->wake, client->owner); break;
	case BELFRY__ROLE__FROM_HUB__BODY_TRACE: trace_apply(message->trace); break;
	default: break;
	}
	arena_free(&arena);
	return 0;
}

static const struct calls_events calls_events = {.hello = say_hello, .connected = connected, .told = told};

struct hub_client *hub_client_create(struct net *net, unsigned number, const struct hub_client_events *events,
	void *owner)
{
	struct hub_client *client = mem_alloc(sizeof *client);

	*client = (struct hub_client){.number = number, .events = events, .owner = owner};
	client->calls = calls_create(net, "hub", &calls_events, client);
	return client;
}

void hub_client_free(struct hub_client **owner)
{
	if (*owner == NULL)
		return;
	calls_free(&(*owner)->calls);
	free(*owner);
	*owner = NULL;
}

/* --- questions ------------------------------------------------------------------------------------------------- */

static uint64_t mark_transaction(const struct hub_client *client, uint64_t transaction)
{
	return transaction == 0 ? 0 : (transaction & TRANSACTION_MASK) | (uint64_t)client->links << TRANSACTION_BITS;
}

static bool is_of_this_link(const struct hub_client *client, uint64_t transaction)
{
	return transaction >> TRANSACTION_BITS == client->links;
}

static void tell(struct hub_call *call, const Belfry__Role__FromHub *message)
{
	const Belfry__Role__Begun *begun = NULL;
	const Belfry__Role__Committed *committed = NULL;
	const Belfry__Role__Metrics *metrics = NULL;

	if (message != NULL && message->body_case == BELFRY__ROLE__FROM_HUB__BODY_BEGUN) {
		message->begun->transaction = mark_transaction(call->client, message->begun->transaction);
		begun = message->begun;
	}
	if (message != NULL && message->body_case == BELFRY__ROLE__FROM_HUB__BODY_COMMITTED)
		committed = message->committed;
	if (message != NULL && message->body_case == BELFRY__ROLE__FROM_HUB__BODY_METRICS)
		metrics = message->metrics;
	if (call->begun != NULL)
		call->begun(begun, call->data);
	else if (call->committed != NULL)
		call->committed(committed, call->data);
	else if (call->metrics != NULL)
		call->metrics(metrics, call->data);
	else if (begun != NULL && begun->transaction != 0)
		hub_release(call->client, begun->transaction); /* cancelled meanwhile */
	free(call);
}

static bool answered(const uint8_t *body, size_t length, int fd, void *data)
{
	struct arena *arena = arena_create(length * 2 + 512);

	if (fd >= 0)
		close(fd);
	tell(data, body == NULL ? NULL : belfry__role__from_hub__unpack(arena_protobuf(arena), length, body));
	arena_free(&arena);
	return false;
}

static struct hub_call *ask(struct hub_client *client, Belfry__Role__ToHub *message, struct hub_call how)
{
	struct hub_call *call = mem_alloc(sizeof *call);

	*call = how;
	call->client = client;
	call->call = calls_begin(client->calls, HUB_TIMEOUT_MS, answered, call);
	message->id = call_id(call->call);
	calls_send(client->calls, &message->base, call->call);
	return call;
}

struct hub_call *hub_begin(struct hub_client *client, Belfry__Role__Begin *begin, hub_begun *begun, void *data)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;

	message.body_case = BELFRY__ROLE__TO_HUB__BODY_BEGIN;
	message.begin = begin;
	return ask(client, &message, (struct hub_call){.begun = begun, .data = data});
}

struct hub_call *hub_commit(struct hub_client *client, Belfry__Role__Commit *commit, hub_committed *committed,
	void *data)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;

	if (commit->transaction != 0) /* one of an earlier link is none of the hub's: it says CONFLICT */
		commit->transaction = is_of_this_link(client, commit->transaction) ? commit->transaction & TRANSACTION_MASK
										    : UINT64_MAX;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_COMMIT;
	message.commit = commit;
	return ask(client, &message, (struct hub_call){.committed = committed, .data = data});
}

struct hub_call *hub_ask_metrics(struct hub_client *client, hub_metrics_came *came, void *data)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__AskMetrics nothing = BELFRY__ROLE__ASK_METRICS__INIT;

	message.body_case = BELFRY__ROLE__TO_HUB__BODY_ASK_METRICS;
	message.ask_metrics = &nothing;
	return ask(client, &message, (struct hub_call){.metrics = came, .data = data});
}

void hub_call_cancel(struct hub_call **owner)
{
	if (*owner != NULL) {
		(*owner)->begun = NULL;
		(*owner)->committed = NULL;
		(*owner)->metrics = NULL;
	}
	*owner = NULL;
}

static void send(struct hub_client *client, Belfry__Role__ToHub *message)
{
	calls_send(client->calls, &message->base, NULL);
}

void hub_release(struct hub_client *client, uint64_t transaction)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Release release = BELFRY__ROLE__RELEASE__INIT;

	if (!is_of_this_link(client, transaction))
		return; /* the hub let it go with the link */
	release.transaction = transaction & TRANSACTION_MASK;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_RELEASE;
	message.release = &release;
	send(client, &message);
}

void hub_park(struct hub_client *client, Belfry__Role__Park *park)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;

	message.body_case = BELFRY__ROLE__TO_HUB__BODY_PARK;
	message.park = park;
	send(client, &message);
}

void hub_unpark(struct hub_client *client, uint32_t slot, uint32_t generation)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Unpark unpark = BELFRY__ROLE__UNPARK__INIT;

	unpark.slot = slot;
	unpark.generation = generation;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_UNPARK;
	message.unpark = &unpark;
	send(client, &message);
}

void hub_outcome(struct hub_client *client, Belfry__Role__Outcome *outcome)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;

	message.body_case = BELFRY__ROLE__TO_HUB__BODY_OUTCOME;
	message.outcome = outcome;
	send(client, &message);
}

void hub_counts(struct hub_client *client, Belfry__Role__Counts *counts)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;

	message.body_case = BELFRY__ROLE__TO_HUB__BODY_COUNTS;
	message.counts = counts;
	send(client, &message);
}
