/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections to the IMAP server, a bounded number logging in at once. */
#include "connectors/imap/backend.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/net/resolve.h"
#include "lib/net/tls.h"

enum { RESOLVE_WAIT_MS = 50 }; /* how often is looked whether the first lookup is over */

/* Those of one lane who wait, in order; never empty. */
struct backend_lane {
	UT_hash_handle hh;
	struct backend_ticket *first, **last;
	char name[];
};

/* Hash tables of uthash keep the order of insertion: the first lane is the one whose turn it is. */
struct queue {
	struct backend_lane *lanes;
	unsigned count;
};

struct backend {
	struct net *net;
	struct loop *loop;
	const struct imap_settings *settings;
	struct resolver *resolver;        /* NULL in a memory net */
	struct tls_client_context *tls;   /* NULL without TLS */
	struct queue queues[BACKEND_RANKS];
	int inside;
	struct deferred admit;
	struct timer resolve_wait;
	bool is_known;                    /* somebody has been there */
	struct error troubles[BACKEND_SIDES]; /* "": none */
	void (*news)(const char *trouble, void *owner);
	void *owner;
};

/* --- the gate -------------------------------------------------------------------------------------------------- */

static struct backend_lane *find_or_add_lane(struct queue *queue, const char *name)
{
	struct backend_lane *lane;
	size_t length = strlen(name);

	HASH_FIND(hh, queue->lanes, name, length, lane);
	if (lane == NULL) {
		lane = mem_alloc(sizeof *lane + length + 1);
		memcpy(lane->name, name, length + 1);
		lane->last = &lane->first;
		HASH_ADD(hh, queue->lanes, name, length, lane);
	}
	return lane;
}

static void take_out(struct queue *queue, struct backend_ticket *ticket)
{
	struct backend_lane *lane = ticket->lane;
	struct backend_ticket **link = &lane->first;

	while (*link != ticket)
		link = &(*link)->next;
	*link = ticket->next;
	if (ticket->next == NULL)
		lane->last = link;
	queue->count--;
	if (lane->first == NULL) {
		HASH_DELETE(hh, queue->lanes, lane);
		free(lane);
	}
}

static void go_to_end(struct queue *queue, struct backend_lane *lane)
{
	HASH_DELETE(hh, queue->lanes, lane);
	HASH_ADD(hh, queue->lanes, name, strlen(lane->name), lane);
}

static struct backend_ticket *take_next(struct backend *backend)
{
	for (int rank = 0; rank < BACKEND_RANKS; rank++) {
		struct queue *queue = &backend->queues[rank];
		if (queue->lanes == NULL)
			continue;
		struct backend_ticket *ticket = queue->lanes->first;
		go_to_end(queue, queue->lanes);
		take_out(queue, ticket);
		return ticket;
	}
	return NULL;
}

static void admit(struct deferred *deferred);

static void resolve_waited(struct timer *timer)
{
	struct backend *backend = container_of(timer, struct backend, resolve_wait);

	admit(&backend->admit);
}

static void admit(struct deferred *deferred)
{
	struct backend *backend = container_of(deferred, struct backend, admit);
	struct backend_ticket *ticket;

	if (backend->resolver != NULL && resolver_is_starting(backend->resolver)) {
		timer_start(backend->loop, &backend->resolve_wait, RESOLVE_WAIT_MS, resolve_waited);
		return;
	}
	while (backend->inside < backend->settings->logins_max && (ticket = take_next(backend)) != NULL) {
		backend->inside++;
		ticket->state = TICKET_IN;
		ticket->enter(ticket);
	}
}

void backend_queue(struct backend *backend, struct backend_ticket *ticket, enum backend_rank rank, const char *lane,
	void (*enter)(struct backend_ticket *))
{
	struct queue *queue = &backend->queues[rank];

	ticket->enter = enter;
	ticket->state = TICKET_WAITS;
	ticket->rank = rank;
	ticket->next = NULL;
	ticket->lane = find_or_add_lane(queue, lane);
	*ticket->lane->last = ticket;
	ticket->lane->last = &ticket->next;
	queue->count++;
	loop_defer(backend->loop, &backend->admit, admit);
}

void backend_leave(struct backend *backend, struct backend_ticket *ticket)
{
	if (ticket->state == TICKET_WAITS)
		take_out(&backend->queues[ticket->rank], ticket);
	if (ticket->state == TICKET_IN) {
		backend->inside--;
		loop_defer(backend->loop, &backend->admit, admit);
	}
	ticket->state = TICKET_UNUSED;
}

unsigned backend_waiting(const struct backend *backend, enum backend_rank rank)
{
	return backend->queues[rank].count;
}

/* --- connecting ------------------------------------------------------------------------------------------------ */

static void start_tls(struct stream *stream, void *data)
{
	const struct backend *backend = data;

	tls_connect(stream, backend->tls, backend->settings->tls_name);
}

static void ignore(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream; /* the client owns it before anything can happen */
	(void)event;
	(void)owner;
}

/* The first of its addresses, from *address on, that a connection can be begun to. */
static struct stream *reach(struct backend *backend, unsigned *address, struct error *error_r)
{
	struct error further;
	const char *text = resolver_address(backend->resolver, *address, error_r);
	struct stream *stream = text == NULL ? NULL : net_connect_address(backend->loop, text, ignore, NULL, error_r);

	while (stream == NULL && text != NULL)
		if ((text = resolver_address(backend->resolver, ++*address, &further)) != NULL)
			stream = net_connect_address(backend->loop, text, ignore, NULL, error_r);
	return stream;
}

static struct stream *another(void *data, unsigned *address)
{
	struct error error;

	++*address;
	return reach(data, address, &error);
}

struct imap_client *backend_connect(struct backend *backend, const struct imap_credentials *credentials,
	const char *trace_user, const char *for_address, const struct imap_client_events *events, void *owner,
	struct error *error_r)
{
	static const enum imap_security securities[] = {
		[IMAP_TLS_STARTTLS] = IMAP_STARTTLS, [IMAP_TLS_IMPLICIT] = IMAP_IMPLICIT_TLS, [IMAP_TLS_NONE] = IMAP_PLAIN,
	};
	struct imap_client_options options = {
		.security = securities[backend->settings->tls],
		.start_tls = start_tls,
		.data = backend,
		.timeout_ms = (int64_t)backend->settings->timeout_s * 1000,
		.trace_user = trace_user,
		.for_address = for_address,
		.another = backend->resolver == NULL ? NULL : another,
	};
	struct stream *stream = backend->resolver == NULL ? net_connect(backend->net, BACKEND_PLACE, ignore, NULL) :
		reach(backend, &options.address, error_r);

	return stream == NULL ? NULL : imap_client_create(stream, &options, credentials, events, owner);
}

struct backend *backend_create(struct net *net, const struct imap_settings *settings, struct error *error_r)
{
	struct backend *backend = mem_alloc(sizeof *backend);

	backend->net = net;
	backend->loop = net_loop(net);
	backend->settings = settings;
	if (settings->tls != IMAP_TLS_NONE) {
		backend->tls = tls_client_context_create(settings->ca_file[0] == '\0' ? NULL : settings->ca_file, error_r);
		if (backend->tls == NULL)
			backend_free(&backend);
	}
	if (backend != NULL && !loop_is_manual(backend->loop))
		backend->resolver = resolver_create(backend->loop, settings->host, (unsigned)settings->port);
	return backend;
}

/* --- how it is --------------------------------------------------------------------------------------------------- */

void backend_trouble(const struct backend *backend, const char *why, struct error *error_r)
{
	error_set(error_r, "%s:%d: %s", backend->settings->host, backend->settings->port, why);
}

const char *backend_wrong(const struct backend *backend)
{
	for (int side = 0; side < BACKEND_SIDES; side++)
		if (backend->troubles[side].text[0] != '\0')
			return backend->troubles[side].text;
	return NULL;
}

void backend_note(struct backend *backend, enum backend_side side, const char *trouble)
{
	struct error *known = &backend->troubles[side];
	bool was_wrong = known->text[0] != '\0', was_known = backend->is_known;

	if (was_known && strcmp(known->text, trouble == NULL ? "" : trouble) == 0)
		return;
	backend->is_known = true;
	error_set(known, "%s", trouble == NULL ? "" : trouble);
	if (!was_wrong && trouble != NULL)
		log_warning(LOG_CONNECTOR, "backend %s", trouble);
	else if (was_wrong && trouble == NULL)
		log_info(LOG_CONNECTOR, "backend %s:%d %s", backend->settings->host, backend->settings->port,
			side == BACKEND_MASTER ? "lets the master user in" : "is there again");
	if (backend->news != NULL)
		backend->news(backend_wrong(backend), backend->owner);
}

void backend_on_news(struct backend *backend, void (*news)(const char *trouble, void *owner), void *owner)
{
	backend->news = news;
	backend->owner = owner;
}

struct loop *backend_loop(const struct backend *backend)
{
	return backend->loop;
}

void backend_free(struct backend **owner)
{
	struct backend *backend = *owner;

	*owner = NULL;
	if (backend == NULL)
		return;
	loop_undefer(backend->loop, &backend->admit);
	timer_stop(backend->loop, &backend->resolve_wait);
	resolver_free(&backend->resolver);
	tls_client_context_free(&backend->tls);
	free(backend);
}
