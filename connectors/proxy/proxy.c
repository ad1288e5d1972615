/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The postponing, tracing proxy. Answers to one request stay in their order; those to different ones need not. */
#include "connectors/proxy/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/arena.h"
#include "lib/core/mem.h"
#include "lib/ipc/connector.pb-c.h"
#include "lib/ipc/link.h"

struct proxy {
	struct net *net;
	char *behind;
	struct listener *listener;
	struct proxy_options options;
	uint32_t random;
	struct relay *relays;
};

/* One asker and its connection to the connector. */
struct relay {
	struct proxy *proxy;
	struct relay *next, **link_to;
	struct link *asker, *connector;
	struct held *first, **last;
	struct deferred turn;
};

struct held {
	struct held *next;
	uint64_t id;
	unsigned turns;
	int fd;
	size_t length;
	uint8_t body[];
};

static uint32_t next_random(struct proxy *proxy)
{
	proxy->random ^= proxy->random << 13; /* xorshift32 */
	proxy->random ^= proxy->random >> 17;
	proxy->random ^= proxy->random << 5;
	return proxy->random;
}

static const char *case_name(const ProtobufCMessageDescriptor *message, unsigned number)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message, number);

	return field == NULL ? "nothing" : field->name;
}

static void show(const struct proxy *proxy, const char *direction, uint64_t id, const char *what, const char *status)
{
	char line[120];

	if (proxy->options.passed == NULL)
		return;
	snprintf(line, sizeof line, "%s id=%llu %s%s", direction, (unsigned long long)id, what, status);
	proxy->options.passed(line, proxy->options.data);
}

/* --- the end of a relay ---------------------------------------------------------------------------------------- */

static void relay_free(struct relay *relay)
{
	loop_undefer(net_loop(relay->proxy->net), &relay->turn);
	while (relay->first != NULL) {
		struct held *held = relay->first;
		relay->first = held->next;
		if (held->fd >= 0)
			close(held->fd);
		free(held);
	}
	link_close(&relay->asker);
	link_close(&relay->connector);
	*relay->link_to = relay->next;
	if (relay->next != NULL)
		relay->next->link_to = relay->link_to;
	free(relay);
}

static void lost(struct link *link, const char *why, void *owner)
{
	(void)link;
	(void)why;
	relay_free(owner);
}

/* --- passing on ------------------------------------------------------------------------------------------------ */

static void asked(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct relay *relay = owner;
	struct arena *arena = arena_create(0);
	const Belfry__Connector__Request *request = belfry__connector__request__unpack(arena_protobuf(arena), length, body);

	(void)link;
	if (request != NULL)
		show(relay->proxy, ">", request->id, case_name(&belfry__connector__request__descriptor, request->body_case), "");
	arena_free(&arena);
	link_send_packed(relay->connector, body, length, fd);
}

static bool is_behind_its_like(const struct relay *relay, const struct held *held)
{
	for (const struct held *before = relay->first; before != held; before = before->next)
		if (before->id == held->id)
			return true;
	return false;
}

/* A turn has passed for all that is held. */
static void turn_passed(struct deferred *turn)
{
	struct relay *relay = container_of(turn, struct relay, turn);

	for (struct held *held = relay->first; held != NULL; held = held->next)
		if (held->turns > 0)
			held->turns--;
	for (struct held **link = &relay->first; *link != NULL;) {
		struct held *held = *link;
		if (held->turns > 0 || is_behind_its_like(relay, held)) {
			link = &held->next;
			continue;
		}
		*link = held->next;
		link_send_packed(relay->asker, held->body, held->length, held->fd);
		free(held);
	}
	relay->last = &relay->first;
	while (*relay->last != NULL)
		relay->last = &(*relay->last)->next;
	if (relay->first != NULL)
		loop_defer(net_loop(relay->proxy->net), &relay->turn, turn_passed);
}

static void hold(struct relay *relay, uint64_t id, const uint8_t *body, size_t length, int fd)
{
	const struct proxy_options *options = &relay->proxy->options;
	struct held *held = mem_alloc(sizeof *held + length);

	held->id = id;
	held->fd = fd;
	held->length = length;
	held->turns = options->least_turns + next_random(relay->proxy) % (options->most_turns - options->least_turns + 1);
	memcpy(held->body, body, length);
	*relay->last = held;
	relay->last = &held->next;
	loop_defer(net_loop(relay->proxy->net), &relay->turn, turn_passed);
}

static void answered(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct relay *relay = owner;
	struct arena *arena = arena_create(0);
	const Belfry__Connector__Response *response = belfry__connector__response__unpack(arena_protobuf(arena), length, body);
	uint64_t id = response == NULL ? 0 : response->id;
	char status[32] = "";

	(void)link;
	if (response != NULL) {
		snprintf(status, sizeof status, " status=%d", (int)response->status);
		show(relay->proxy, "<", id, case_name(&belfry__connector__response__descriptor, response->body_case), status);
	}
	arena_free(&arena);
	if (relay->proxy->options.most_turns == 0)
		link_send_packed(relay->asker, body, length, fd);
	else
		hold(relay, id, body, length, fd);
}

static const struct link_events asker_events = {.received = asked, .lost = lost};
static const struct link_events connector_events = {.received = answered, .lost = lost};

/* --- who comes ------------------------------------------------------------------------------------------------- */

static void connecting(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream; /* the link owns it from the next line on; nothing happens before */
	(void)event;
	(void)owner;
}

static void came(struct stream *stream, void *data)
{
	struct proxy *proxy = data;
	struct relay *relay = mem_alloc(sizeof *relay);

	relay->proxy = proxy;
	relay->last = &relay->first;
	relay->next = proxy->relays;
	relay->link_to = &proxy->relays;
	if (relay->next != NULL)
		relay->next->link_to = &relay->next;
	proxy->relays = relay;
	relay->asker = link_create(stream, &asker_events, relay);
	relay->connector = link_create(net_connect(proxy->net, proxy->behind, connecting, NULL), &connector_events, relay);
}

struct proxy *proxy_create(struct net *net, const char *place, const char *behind, const struct proxy_options *options,
	struct error *error_r)
{
	struct proxy *proxy = mem_alloc(sizeof *proxy);

	proxy->net = net;
	proxy->behind = mem_strdup(behind);
	proxy->options = *options;
	if (proxy->options.most_turns < proxy->options.least_turns)
		proxy->options.most_turns = proxy->options.least_turns;
	proxy->random = options->seed != 0 ? options->seed : 1;
	proxy->listener = net_listen(net, place, came, proxy, error_r);
	if (proxy->listener == NULL)
		proxy_free(&proxy);
	return proxy;
}

void proxy_cut(struct proxy *proxy)
{
	while (proxy->relays != NULL)
		relay_free(proxy->relays);
}

void proxy_free(struct proxy **owner)
{
	struct proxy *proxy = *owner;

	*owner = NULL;
	if (proxy == NULL)
		return;
	proxy_cut(proxy);
	listener_close(&proxy->listener);
	free(proxy->behind);
	free(proxy);
}
