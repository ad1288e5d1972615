/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The front over places in memory: which engine gets what, from phones and from the hub. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/front.h"
#include "lib/core/log.h"
#include "lib/ipc/link.h"

/* An engine that answers with its name, and notes what it is told. */
struct noted {
	const char *name;
	struct engine_host host;
	uint32_t woken_slot;
	unsigned returned, drained_s, requests;
	bool destroyed;
};

static void *create(const struct engine_host *host, struct error *error_r)
{
	struct noted *noted = (struct noted *)(uintptr_t)host->settings;

	if (noted == NULL) {
		error_set(error_r, "no settings");
		return NULL;
	}
	noted->host = *host;
	return noted;
}

static void need_login(void *instance, struct http_exchange *exchange)
{
	(void)instance;
	if (http_exchange_header(exchange, "Authorization") == NULL)
		http_respond_text(exchange, 401, "who are you?");
}

static void request(void *instance, struct http_exchange *exchange)
{
	((struct noted *)instance)->requests++;
	http_respond_text(exchange, 200, ((struct noted *)instance)->name);
}

static void woken(void *instance, const Belfry__Role__Wake *wake)
{
	((struct noted *)instance)->woken_slot = wake->slot;
}

static void hub_returned(void *instance)
{
	((struct noted *)instance)->returned++;
}

static void drain(void *instance, unsigned over_s)
{
	((struct noted *)instance)->drained_s = over_s;
}

static void destroy(void *instance)
{
	((struct noted *)instance)->destroyed = true;
}

static const struct engine bells = {.name = "bells", .path = "/Bells", .body_max = 10, .create = create,
	.request = request, .woken = woken, .hub_returned = hub_returned, .drain = drain, .destroy = destroy};
static const struct engine locked = {.name = "locked", .path = "/locked", .body_max = 100, .create = create,
	.header = need_login, .request = request, .woken = woken, .destroy = destroy};

enum { CONNECTIONS_MAX = 10 };

struct world {
	struct loop *loop;
	struct net *net;
	struct front *front;
	struct noted bells, locked;
	struct listener *hub;
	struct link *hub_link;
	struct stream *phone;
	struct buffer got;
	bool ended, hub_is_dumb;
	uint64_t connections_told;
};

static void hub_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct world *world = owner;
	Belfry__Role__ToHub *message = belfry__role__to_hub__unpack(NULL, length, body);
	Belfry__Role__FromHub answer = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Metrics metrics = BELFRY__ROLE__METRICS__INIT;

	(void)fd;
	if (message->body_case == BELFRY__ROLE__TO_HUB__BODY_COUNTS)
		world->connections_told = message->counts->connections;
	if (message->body_case == BELFRY__ROLE__TO_HUB__BODY_ASK_METRICS && !world->hub_is_dumb) {
		metrics.text = (ProtobufCBinaryData){12, (uint8_t *)(uintptr_t)"belfry_up 1\n"};
		answer.id = message->id;
		answer.body_case = BELFRY__ROLE__FROM_HUB__BODY_METRICS;
		answer.metrics = &metrics;
		link_send(link, &answer.base, -1);
	}
	belfry__role__to_hub__free_unpacked(message, NULL);
}

static void hub_lost(struct link *link, const char *why, void *owner)
{
	(void)link, (void)why;
	link_close(&((struct world *)owner)->hub_link);
}

static const struct link_events hub_events = {.received = hub_received, .lost = hub_lost};

static void front_came(struct stream *stream, void *data)
{
	((struct world *)data)->hub_link = link_create(stream, &hub_events, data);
}

static void phone_event(struct stream *stream, enum stream_event event, void *owner)
{
	struct world *world = owner;

	if (event == STREAM_DATA) {
		buffer_append(&world->got, stream_input(stream)->data, stream_input(stream)->length);
		buffer_consume(stream_input(stream), stream_input(stream)->length);
	}
	world->ended |= event == STREAM_ENDED || event == STREAM_FAILED;
}

static void world_begin(struct world *world)
{
	*world = (struct world){.loop = loop_create_manual(0), .bells = {.name = "ding"}, .locked = {.name = "dong"}};
	const struct front_engine engines[] = {{&bells, &world->bells}, {&locked, &world->locked}};
	struct front_settings settings = {.number = 3, .connections_max = CONNECTIONS_MAX, .http_places = 1,
		.proxy_places = 1, .has_metrics = true, .engines = engines, .engine_count = 2};
	struct error error;

	world->net = settings.net = net_create_memory(world->loop);
	world->hub = net_listen(world->net, "hub", front_came, world, &error);
	world->front = front_create(&settings, &error);
	assert_non_null(world->front);
	loop_settle(world->loop);
}

static void world_end(struct world *world)
{
	stream_close(&world->phone);
	front_free(&world->front);
	loop_settle(world->loop);
	link_close(&world->hub_link);
	listener_close(&world->hub);
	loop_settle(world->loop);
	net_free(&world->net);
	buffer_release(&world->got);
	loop_free(&world->loop);
}

static const char *ask_at(struct world *world, const char *place, const char *text)
{
	stream_close(&world->phone);
	buffer_truncate(&world->got, 0);
	world->phone = net_connect(world->net, place, phone_event, world);
	stream_write(world->phone, text, strlen(text));
	loop_settle(world->loop);
	return buffer_string(&world->got);
}

static const char *ask(struct world *world, const char *text)
{
	return ask_at(world, "http/0", text);
}

static void the_path_names_the_engine(void **state)
{
	static const struct {
		const char *request, *status, *body;
	} cases[] = {
		{"GET /bells?Cmd=Ping HTTP/1.1\r\nHost: h\r\n\r\n", "200", "ding"},
		{"GET /Bells/below HTTP/1.1\r\nHost: h\r\n\r\n", "200", "ding"},
		{"GET /bellsandmore HTTP/1.1\r\nHost: h\r\n\r\n", "404", ""},
		{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "404", ""},
		{"POST /bells HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", "413", ""},
		{"POST /locked HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", "401", ""},
		{"POST /locked HTTP/1.1\r\nHost: h\r\nAuthorization: me\r\nContent-Length: 3\r\n\r\nabc", "200", "dong"},
	};
	struct world world;

	(void)state;
	world_begin(&world);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *answer = ask(&world, cases[i].request);
		assert_memory_equal(answer + 9, cases[i].status, 3);
		assert_non_null(strstr(answer, cases[i].body));
	}
	assert_int_equal(world.locked.requests, 1);
	world_end(&world);
}

static void a_proxy_says_first_for_whom_it_comes(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world);
	const char *answer = ask_at(&world, "proxy/0",
		"PROXY TCP4 192.0.2.1 198.51.100.7 50000 80\r\nGET /bells HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_memory_equal(answer + 9, "200", 3);
	assert_memory_equal(ask_at(&world, "proxy/0", "GET /bells HTTP/1.1\r\nHost: h\r\n\r\n") + 9, "400", 3);
	world_end(&world);
}

static void metrics_are_served_at_their_own_place_only(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world);
	const char *answer = ask_at(&world, "metrics", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_memory_equal(answer + 9, "200", 3);
	assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4"));
	assert_non_null(strstr(answer, "\r\n\r\nbelfry_up 1\n"));
	assert_memory_equal(ask_at(&world, "metrics", "POST /metrics HTTP/1.1\r\nHost: h\r\n\r\n") + 9, "405", 3);
	assert_memory_equal(ask_at(&world, "metrics", "GET /bells HTTP/1.1\r\nHost: h\r\n\r\n") + 9, "404", 3);
	assert_memory_equal(ask(&world, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n") + 9, "404", 3);
	world_end(&world);
}

static void metrics_without_a_hub_are_refused(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world);
	world.hub_is_dumb = true;
	ask_at(&world, "metrics", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(world.got.length, 0);
	link_close(&world.hub_link);
	loop_settle(world.loop);
	assert_memory_equal(buffer_string(&world.got) + 9, "503", 3);
	ask_at(&world, "metrics", "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"); /* under way when the front ends */
	world_end(&world);
}

static void the_hub_is_told_what_is_counted(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world);
	ask(&world, "GET /bells HTTP/1.1\r\nHost: h\r\n\r\n");
	loop_advance(world.loop, 5000);
	assert_int_equal(world.connections_told, 1);
	world_end(&world);
}

static void the_hub_wakes_the_engine_that_parked(void **state)
{
	Belfry__Role__Wake wake = BELFRY__ROLE__WAKE__INIT;
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;
	struct world world;

	(void)state;
	world_begin(&world);
	assert_int_equal(world.bells.host.first_slot, 0);
	assert_int_equal(world.locked.host.front, 3);
	assert_true(world.bells.returned > 0);
	wake.slot = world.locked.host.first_slot + 5;
	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_WAKE;
	message.wake = &wake;
	link_send(world.hub_link, &message.base, -1);
	loop_settle(world.loop);
	assert_int_equal(world.bells.woken_slot, 0);
	assert_int_equal(world.locked.woken_slot, wake.slot);
	wake.slot = 200u * ENGINE_SLOTS; /* nobody's */
	link_send(world.hub_link, &message.base, -1);
	loop_settle(world.loop);
	world_end(&world);
}

static void a_draining_front_lets_nobody_in(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world);
	front_drain(world.front, 30);
	assert_int_equal(world.bells.drained_s, 30);
	assert_string_equal(ask(&world, "GET /bells HTTP/1.1\r\nHost: h\r\n\r\n"), "");
	assert_true(world.ended);
	world_end(&world);
	assert_true(world.bells.destroyed);
	assert_true(world.locked.destroyed);
}

static void nothing_happened(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream, (void)event, (void)owner;
}

static void a_front_full_of_silent_connections_takes_a_phone_soon(void **state)
{
	static const char text[] = "GET /bells HTTP/1.1\r\nHost: h\r\n\r\n";
	struct stream *silent[CONNECTIONS_MAX];
	struct world world;

	(void)state;
	world_begin(&world);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		silent[i] = net_connect(world.net, "http/0", nothing_happened, NULL);
	loop_settle(world.loop);
	loop_advance(world.loop, HTTP_NEW_SAFE_MS / 2);
	assert_non_null(strstr(ask(&world, text), " 503 "));
	loop_advance(world.loop, HTTP_NEW_SAFE_MS / 2);
	assert_non_null(strstr(ask(&world, text), " 200 "));
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		stream_close(&silent[i]);
	world_end(&world);
}

static void an_engine_that_cannot_begin_says_why(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct net *net = net_create_memory(loop);
	struct noted noted = {.name = "ding"};
	const struct front_engine engines[] = {{&bells, &noted}, {&locked, NULL}};
	struct front_settings settings = {.connections_max = 1, .engines = engines, .engine_count = 2, .net = net};
	struct error error;

	(void)state;
	assert_null(front_create(&settings, &error));
	assert_string_equal(error.text, "no settings");
	assert_true(noted.destroyed);
	loop_settle(loop);
	net_free(&net);
	loop_free(&loop);
}

/* --- several fronts at one socket ------------------------------------------------------------------------------ */

struct caller {
	struct stream *stream;
	struct loop *loop;
	char status[4];
};

static void caller_event(struct stream *stream, enum stream_event event, void *owner)
{
	struct caller *caller = owner;

	if (event != STREAM_DATA)
		return;
	if (caller->status[0] == '\0')
		memcpy(caller->status, stream_input(stream)->data + 9, 3);
	buffer_consume(stream_input(stream), stream_input(stream)->length);
	loop_stop(caller->loop);
}

static void call(struct caller *caller, struct loop *loop, const char *address)
{
	static const char text[] = "GET /bells HTTP/1.1\r\nHost: h\r\n\r\n";
	struct error error;

	*caller = (struct caller){.loop = loop};
	caller->stream = net_connect_address(loop, address, caller_event, caller, &error);
	stream_write(caller->stream, text, sizeof text - 1);
	loop_run(loop);
}

static void a_full_front_leaves_phones_to_the_others(void **state)
{
	struct loop *loop = loop_create();
	struct noted noted[2] = {{.name = "ding"}, {.name = "dong"}};
	struct sockaddr_in bound;
	socklen_t length = sizeof bound;
	struct front *fronts[2];
	struct net *nets[2];
	struct caller callers[3];
	struct error error;
	char address[40];
	int fd = net_bind("127.0.0.1:0", 0, &error);

	(void)state;
	getsockname(fd, (struct sockaddr *)&bound, &length);
	snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(bound.sin_port));
	for (int i = 0; i < 2; i++) {
		struct front_engine engine = {&bells, &noted[i]};
		struct front_settings settings = {.connections_max = 1, .http_places = 1, .engines = &engine,
			.engine_count = 1, .net = nets[i] = net_create(loop)};
		net_add_listener(settings.net, "http/0", i == 0 ? fd : dup(fd));
		net_add_path(settings.net, "hub", "/nowhere");
		fronts[i] = front_create(&settings, &error);
		assert_non_null(fronts[i]);
	}
	for (int i = 0; i < 3; i++)
		call(&callers[i], loop, address);
	assert_string_equal(callers[0].status, "200");
	assert_string_equal(callers[1].status, "200");
	assert_string_equal(callers[2].status, "503"); /* now both are full, and one says so */
	assert_int_equal(noted[0].requests, 1);
	assert_int_equal(noted[1].requests, 1);
	for (int i = 0; i < 3; i++)
		stream_close(&callers[i].stream);
	for (int i = 0; i < 2; i++) {
		front_free(&fronts[i]);
		net_free(&nets[i]);
	}
	loop_free(&loop);
}

static void ignore_log(enum log_level level, const char *line, void *data)
{
	(void)level, (void)line, (void)data; /* the hub is away at times */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_names_the_engine),
		cmocka_unit_test(a_proxy_says_first_for_whom_it_comes),
		cmocka_unit_test(metrics_are_served_at_their_own_place_only),
		cmocka_unit_test(metrics_without_a_hub_are_refused),
		cmocka_unit_test(the_hub_is_told_what_is_counted),
		cmocka_unit_test(the_hub_wakes_the_engine_that_parked),
		cmocka_unit_test(a_draining_front_lets_nobody_in),
		cmocka_unit_test(a_front_full_of_silent_connections_takes_a_phone_soon),
		cmocka_unit_test(a_full_front_leaves_phones_to_the_others),
		cmocka_unit_test(an_engine_that_cannot_begin_says_why),
	};

	log_set_sink(ignore_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
