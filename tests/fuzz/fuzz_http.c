/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The whole server half of HTTP: the first byte says in what pieces the rest arrives. Whatever comes, each request
 * ends once, and nothing is left when the phone has gone and time has passed.
 */
#include <assert.h>
#include <string.h>

#include "lib/http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 2000 };

struct world {
	struct http_exchange *waiting;
	unsigned held;
};

static void gone(const struct http_held_events *events, void *owner)
{
	(void)events;
	((struct world *)owner)->held--;
}

static void expired(const struct http_held_events *events, struct http_held *held, void *owner)
{
	struct http_response response = HTTP_RESPONSE(200);

	(void)events;
	((struct world *)owner)->held--;
	http_held_respond(held, &response);
}

static const struct http_held_events held_events = {gone, expired};

static void header(struct http_exchange *exchange, void *data)
{
	(void)data;
	assert(exchange->path != NULL && exchange->query != NULL && exchange->method != NULL);
	for (size_t i = 0; i < exchange->header_count; i++)
		assert(strpbrk(exchange->headers[i].name, " \r\n:") == NULL &&
			strpbrk(exchange->headers[i].value, "\r\n") == NULL);
	if (exchange->path[1] == 'n')
		http_respond_text(exchange, 404, "no such place");
	else
		exchange->body_max = BODY_MAX;
}

static void request(struct http_exchange *exchange, void *data)
{
	struct world *world = data;

	assert(exchange->body.length <= BODY_MAX);
	if (exchange->path[1] == 'h') {
		struct http_held *held = http_hold(exchange, &held_events, world);
		assert(held != NULL);
		world->held++;
		http_held_expire(held, 1000);
	} else if (exchange->path[1] == 'w' && world->waiting == NULL) {
		world->waiting = exchange;
	} else {
		http_respond_text(exchange, 200, exchange->query);
	}
}

static void discard(struct stream *stream, enum stream_event event, void *owner)
{
	(void)owner;
	if (event == STREAM_DATA)
		buffer_consume(stream_input(stream), stream_input(stream)->length);
}

static void feed(struct loop *loop, struct stream *phone, const uint8_t *data, size_t size)
{
	size_t piece = size == 0 || data[0] == 0 ? size : data[0];

	for (size_t at = 1; at < size; at += piece) {
		stream_write(phone, data + at, size - at < piece ? size - at : piece);
		loop_settle(loop);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = {0};
	struct loop *loop = loop_create_manual(0);
	struct http_server_settings settings = {.loop = loop, .connections_max = 1, .has_gzip = true, .header = header, .request = request,
		.data = &world};
	struct http_server *server = http_server_create(&settings);
	struct http_server_counts counts;
	struct stream *near, *far;

	stream_memory_pair(loop, &near, &far);
	stream_own(near, discard, NULL);
	http_server_accept(server, far, HTTP_FROM_PHONE);
	feed(loop, near, data, size);
	if (world.waiting != NULL)
		http_respond_text(world.waiting, 200, "");
	loop_advance(loop, 1000);
	stream_close(&near);
	loop_advance(loop, HTTP_IDLE_TIMEOUT_MS);
	http_server_counts(server, &counts);
	assert(counts.connections == 0 && counts.held == 0 && counts.idle == 0 && world.held == 0);
	http_server_free(&server);
	loop_free(&loop);
	return 0;
}
