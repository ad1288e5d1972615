/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server half of HTTP over memory streams and a manual clock: framing, limits, order, holding, slow phones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/core/mem.h"
#include "lib/core/stream_internal.h"
#include "lib/http/server.h"

enum { BODY_MAX = 1000, PHONES = 40 };

struct phone {
	struct stream *stream;
	struct buffer got;
	bool ended, is_slow;
	bool takes_one;      /* is paused again after the next bytes */
};

enum { ANSWERS_MAX = 450 * 1000 }; /* two of /large, and small ones */

/* The server under test, with an engine that does what the path says. */
struct world {
	struct loop *loop;
	struct http_server *server;
	struct phone phones[PHONES];
	struct http_exchange *waiting;    /* path /wait */
	struct http_held *held;           /* path /hold */
	unsigned requests, gone, expired;
	char body[BODY_MAX + 1], query[100], address[64];
};

static void held_gone(const struct http_held_events *events, void *owner)
{
	(void)events;
	((struct world *)owner)->gone++;
	((struct world *)owner)->held = NULL;
}

static void held_expired(const struct http_held_events *events, struct http_held *held, void *owner)
{
	struct http_response response = HTTP_RESPONSE(200);

	(void)events;
	((struct world *)owner)->expired++;
	((struct world *)owner)->held = NULL;
	http_response_string(&response, "nothing new");
	http_held_respond(held, &response);
}

static const struct http_held_events held_events = {held_gone, held_expired};

static void exchange_gone(struct http_exchange *exchange)
{
	((struct world *)exchange->owner)->gone++;
}

static void header(struct http_exchange *exchange, void *data)
{
	(void)data;
	exchange->body_max = strcmp(exchange->path, "/mail") == 0 ? HTTP_BODIES_MAX : BODY_MAX;
	exchange->discards_body = strcmp(exchange->path, "/discard") == 0;
	if (strcmp(exchange->path, "/nowhere") == 0)
		http_respond_text(exchange, 404, "no such place");
	else if (strcmp(exchange->path, "/abandoned") == 0)
		http_abandon(exchange);
}

static void answer_large(struct http_exchange *exchange)
{
	static char block[100 * 1000];
	struct http_response response = HTTP_RESPONSE(200);
	struct buffer bytes = BUFFER_EMPTY;
	int fd = memfd_create("answer", MFD_CLOEXEC);

	memset(block, 'f', sizeof block);
	assert_int_equal(write(fd, block, sizeof block), sizeof block);
	http_response_string(&response, "begin,");
	http_response_file(&response, fd, 10, sizeof block - 10);
	memset(block, 'h', sizeof block);
	buffer_append(&bytes, block, sizeof block);
	http_response_bytes(&response, &bytes);
	http_response_string(&response, ",end");
	http_respond(exchange, &response);
}

enum { HUGE_PIECES = 20, HUGE_PIECE_BYTES = 66 * 1000 }; /* each leaves alone */

static void answer_huge(struct http_exchange *exchange)
{
	static const char block[HUGE_PIECE_BYTES];
	struct http_response response = HTTP_RESPONSE(200);
	struct buffer bytes = BUFFER_EMPTY;

	for (int i = 0; i < HUGE_PIECES; i++) {
		buffer_append(&bytes, block, sizeof block);
		http_response_bytes(&response, &bytes);
	}
	http_respond(exchange, &response);
}

static void request(struct http_exchange *exchange, void *data)
{
	struct world *world = data;
	struct http_response response = HTTP_RESPONSE(200);

	world->requests++;
	snprintf(world->body, sizeof world->body, "%s", buffer_string(&exchange->body));
	snprintf(world->query, sizeof world->query, "%s", exchange->query);
	http_exchange_address(exchange, world->address, sizeof world->address);
	exchange->gone = exchange_gone;
	exchange->owner = world;
	if (strcmp(exchange->path, "/wait") == 0) {
		world->waiting = exchange;
	} else if (strcmp(exchange->path, "/hold") == 0) {
		world->held = http_hold(exchange, &held_events, world);
	} else if (strcmp(exchange->path, "/large") == 0) {
		answer_large(exchange);
	} else if (strcmp(exchange->path, "/login") == 0) {
		http_exchange_welcome(exchange);
		http_respond_text(exchange, 200, "welcome");
	} else if (strcmp(exchange->path, "/huge") == 0) {
		answer_huge(exchange);
	} else {
		http_response_header(&response, "X-Path", "%s%s", exchange->path, "\r\nX-Forged: yes");
		http_response_string(&response, exchange->method);
		http_respond(exchange, &response);
	}
}

static void phone_event(struct stream *stream, enum stream_event event, void *owner)
{
	struct phone *phone = owner;

	if (event == STREAM_DATA && phone->takes_one)
		stream_pause(stream);
	if (event == STREAM_DATA && !phone->is_slow) {
		buffer_append(&phone->got, stream_input(stream)->data, stream_input(stream)->length);
		buffer_consume(stream_input(stream), stream_input(stream)->length);
	}
	if (event == STREAM_ENDED || event == STREAM_FAILED)
		phone->ended = true;
}

static void phone_connect_from(struct world *world, unsigned number, enum http_from from)
{
	struct phone *phone = &world->phones[number];
	struct stream *far;

	stream_memory_pair(world->loop, &phone->stream, &far);
	stream_own(phone->stream, phone_event, phone);
	http_server_accept(world->server, far, from);
	loop_settle(world->loop);
}

static void phone_connect(struct world *world, unsigned number)
{
	phone_connect_from(world, number, HTTP_FROM_PHONE);
}

static void phone_hang_up(struct world *world, unsigned number)
{
	stream_close(&world->phones[number].stream);
	buffer_release(&world->phones[number].got);
	world->phones[number] = (struct phone){0};
	loop_settle(world->loop);
}

static void world_create(struct world *world, struct http_server_settings settings)
{
	*world = (struct world){.loop = loop_create_manual(784111777)};
	settings.loop = world->loop;
	settings.header = header;
	settings.request = request;
	settings.data = world;
	world->server = http_server_create(&settings);
	phone_connect(world, 0);
}

static void world_begin_with(struct world *world, unsigned connections_max, size_t answers_max)
{
	world_create(world, (struct http_server_settings){.connections_max = connections_max, .answers_max = answers_max});
}

static void world_begin_trusting(struct world *world, const struct ip_network *trusted)
{
	world_create(world, (struct http_server_settings){.connections_max = 10, .trusted = trusted, .trusted_count = 1});
}

static void world_begin(struct world *world, unsigned connections_max)
{
	world_begin_with(world, connections_max, 0);
}

static void world_end(struct world *world)
{
	for (unsigned i = 0; i < PHONES; i++)
		phone_hang_up(world, i);
	http_server_free(&world->server);
	loop_settle(world->loop);
	loop_free(&world->loop);
}

static void phone_says(struct world *world, unsigned number, const char *text)
{
	stream_write(world->phones[number].stream, text, strlen(text));
	loop_settle(world->loop);
}

static void say(struct world *world, const char *text)
{
	phone_says(world, 0, text);
}

/* What phone 0 has been told since the last look. */
static const char *told(struct world *world)
{
	static struct buffer last;

	buffer_release(&last);
	last = world->phones[0].got;
	world->phones[0].got = BUFFER_EMPTY;
	return buffer_string(&last);
}

static void assert_told(struct world *world, const char *status)
{
	const char *text = told(world);
	char line[40];

	snprintf(line, sizeof line, "HTTP/1.1 %s ", status);
	if (strncmp(text, line, strlen(line)) != 0)
		fail_msg("wanted %s, was told: %.200s", status, text);
}

/* --- answers --------------------------------------------------------------------------------------------------- */

static void a_request_is_answered_with_length_and_date(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_string_equal(told(&world), "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"X-Path: /a??X-Forged: yes\r\nContent-Length: 3\r\n\r\nGET");
	assert_string_equal(world.query, "b=c");
	assert_false(world.phones[0].ended);
	world_end(&world);
}

static void head_is_answered_without_the_body(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "HEAD /large HTTP/1.1\r\nHost: h\r\n\r\n");
	const char *text = told(&world);
	assert_non_null(strstr(text, "Content-Length: 200000\r\n\r\n"));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	world_end(&world);
}

static void bodies_come_whole_by_length_and_by_chunks(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nbe");
	assert_int_equal(world.requests, 0);
	say(&world, "lls");
	assert_told(&world, "200");
	assert_string_equal(world.body, "bells");
	say(&world, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbe\r\n1;x=y\r\nl\r\n");
	say(&world, "2\r\nfr\r\n0\r\nTrailer: kept by nobody\r\n\r\n");
	assert_told(&world, "200");
	assert_string_equal(world.body, "belfr");
	world_end(&world);
}

static void every_split_of_a_request_gives_the_same(void **state)
{
	static const char text[] = "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nTransfer-Encoding: chunked\r\n\r\n"
		"5\r\nbells\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n";
	struct world world;

	(void)state;
	world_begin(&world, 10);
	for (size_t at = 1; at < sizeof text - 1; at++) {
		stream_write(world.phones[0].stream, text, at);
		loop_settle(world.loop);
		say(&world, text + at);
		const char *answers = told(&world);
		assert_non_null(strstr(answers, "\r\n\r\nPOST"));
		assert_non_null(strstr(answers, "\r\n\r\nGET"));
		assert_int_equal(world.requests, 2 * at);
	}
	for (const char *c = text; *c != '\0'; c++) {
		stream_write(world.phones[0].stream, c, 1);
		loop_settle(world.loop);
	}
	assert_told(&world, "200");
	assert_int_equal(world.requests, 2 * (sizeof text - 1));
	world_end(&world);
}

static void pipelined_requests_wait_for_their_turn(void **state)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET /second HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(world.requests, 1);
	assert_string_equal(told(&world), "");
	http_response_string(&response, "first");
	http_respond(world.waiting, &response);
	loop_settle(world.loop);
	const char *answers = told(&world);
	assert_true(strstr(answers, "first") < strstr(answers, "/second"));
	assert_int_equal(world.requests, 2);
	world_end(&world);
}

static void a_phone_that_expects_is_told_to_continue(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	assert_string_equal(told(&world), "HTTP/1.1 100 Continue\r\n\r\n");
	say(&world, "bells");
	assert_told(&world, "200");
	say(&world, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
	assert_told(&world, "413");
	world_end(&world);
}

static void a_body_that_is_not_wanted_is_read_and_not_kept(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "POST /discard HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nbells");
	assert_told(&world, "200");
	assert_string_equal(world.body, "");
	say(&world, "POST /discard HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbells\r\n0\r\n\r\n");
	assert_told(&world, "200");
	assert_string_equal(world.body, "");
	say(&world, "POST /discard HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
	assert_told(&world, "413");
	world_end(&world);
}

static void connections_end_when_somebody_wants_it(void **state)
{
	static const char *const last[] = {
		"GET /a HTTP/1.0\r\n\r\n",
		"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
	};
	struct world world;

	(void)state;
	for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
		world_begin(&world, 10);
		say(&world, last[i]);
		const char *text = told(&world);
		assert_non_null(strstr(text, "HTTP/1.1 200 OK"));
		assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
		assert_true(world.phones[0].ended);
		world_end(&world);
	}
}

static void an_answer_in_pieces_waits_for_a_slow_phone(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	stream_pause(world.phones[0].stream);
	say(&world, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(world.phones[0].got.length, 0);
	stream_resume(world.phones[0].stream);
	loop_settle(world.loop);
	const char *text = told(&world), *body = strstr(text, "\r\n\r\n") + 4;
	assert_int_equal(strlen(body), 200000);
	assert_memory_equal(body, "begin,ff", 8);
	assert_memory_equal(body + 6 + 99990, "hhhh", 4);
	assert_string_equal(body + 199992, "hhhh,end");
	assert_false(world.phones[0].ended);
	world_end(&world);
}

static void a_phone_that_takes_nothing_is_given_up(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	stream_pause(world.phones[0].stream);
	say(&world, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	loop_advance(world.loop, HTTP_RATE_WINDOW_MS + 1);
	stream_resume(world.phones[0].stream);
	loop_settle(world.loop);
	assert_true(world.phones[0].ended);
	world_end(&world);
}

/* A phone that takes nothing of its answer. */
static void phone_asks_and_waits(struct world *world, unsigned number, const char *text)
{
	phone_connect(world, number);
	stream_pause(world->phones[number].stream);
	phone_says(world, number, text);
}

static void answers_that_nobody_takes_have_a_bound(void **state)
{
	static const char large[] = "GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http_server_counts counts;
	struct world world;

	(void)state;
	world_begin_with(&world, 10, ANSWERS_MAX);
	phone_asks_and_waits(&world, 1, large);
	loop_advance(world.loop, 1000);
	phone_asks_and_waits(&world, 2, large);
	http_server_counts(world.server, &counts);
	assert_in_range(counts.answers, 400 * 1000, ANSWERS_MAX);
	say(&world, large);
	const char *text = told(&world);
	assert_non_null(strstr(text, "HTTP/1.1 503 "));
	assert_non_null(strstr(text, "\r\nRetry-After: "));
	say(&world, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"); /* small, and on the same connection */
	assert_told(&world, "200");
	loop_advance(world.loop, HTTP_ANSWER_SAFE_MS - 1000);
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.connections, 2); /* phone 1 took nothing for its window: cut off */
	assert_int_equal(counts.answers_refused, 1);
	assert_int_equal(counts.answers_cut, 1);
	say(&world, large);
	assert_told(&world, "200");
	phone_hang_up(&world, 2);
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.answers, 0);
	world_end(&world);
}

static void the_oldest_answer_gives_way(void **state)
{
	static const char large[] = "GET /large HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http_server_counts counts;
	struct world world;

	(void)state;
	world_begin_with(&world, 10, ANSWERS_MAX);
	phone_asks_and_waits(&world, 1, large);
	loop_advance(world.loop, HTTP_ANSWER_SAFE_MS - 1);
	world.phones[1].takes_one = true;
	stream_resume(world.phones[1].stream); /* it takes enough to be fast enough */
	loop_advance(world.loop, 2);
	assert_true(world.phones[1].got.length > 0);
	phone_asks_and_waits(&world, 2, large);
	phone_asks_and_waits(&world, 3, large);
	world.phones[1].takes_one = false;
	stream_resume(world.phones[1].stream);
	loop_settle(world.loop);
	assert_true(world.phones[1].ended);
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.answers_cut, 1);
	assert_int_equal(counts.answers_refused, 0);
	assert_in_range(counts.answers, 400 * 1000, ANSWERS_MAX);
	world_end(&world);
}

static void an_answer_has_its_time_however_steadily_it_is_taken(void **state)
{
	int64_t in_time_ms = HTTP_ANSWER_MS + (int64_t)HUGE_PIECES * HUGE_PIECE_BYTES * 1000 / HTTP_ANSWER_BYTES_S;
	struct world world;
	int64_t ms = 0;

	(void)state;
	world_begin(&world, 10);
	stream_pause(world.phones[0].stream);
	world.phones[0].takes_one = true;
	say(&world, "GET /huge HTTP/1.1\r\nHost: h\r\n\r\n");
	stream_resume(world.phones[0].stream); /* the header leaves alone, too */
	loop_settle(world.loop);
	for (; ms < in_time_ms - HTTP_RATE_WINDOW_MS; ms += HTTP_RATE_WINDOW_MS) {
		stream_resume(world.phones[0].stream);
		loop_advance(world.loop, HTTP_RATE_WINDOW_MS);
		assert_false(world.phones[0].ended);
	}
	for (; ms < in_time_ms + HTTP_RATE_WINDOW_MS; ms += HTTP_RATE_WINDOW_MS) {
		stream_resume(world.phones[0].stream);
		loop_advance(world.loop, HTTP_RATE_WINDOW_MS);
	}
	stream_resume(world.phones[0].stream);
	loop_settle(world.loop);
	assert_true(world.phones[0].ended);
	assert_true(world.phones[0].got.length < HUGE_PIECES * HUGE_PIECE_BYTES);
	world_end(&world);
}

/* --- who the phone is ------------------------------------------------------------------------------------------ */

#define FROM(address) "PROXY TCP4 " address " 192.0.2.99 50000 80\r\n"

static void only_listed_proxies_say_who_the_phone_is(void **state)
{
	static const struct {
		const char *proxy_header, *forwarded, *address;
	} cases[] = {
		{FROM("198.51.100.7"), "", "198.51.100.7"},
		{FROM("198.51.100.7"), "X-Forwarded-For: 192.0.2.1\r\n", "198.51.100.7"},
		{FROM("10.0.0.1"), "", "10.0.0.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
		{FROM("10.0.0.1"), "x-forwarded-for:192.0.2.1:4711\r\n", "192.0.2.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 2001:db8::1\r\n", "[2001:db8::1]"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 203.0.113.1, 192.0.2.1\r\n", "192.0.2.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 203.0.113.1, 192.0.2.1 , 10.0.0.2\r\n", "192.0.2.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 10.0.0.3,10.0.0.2\r\n", "10.0.0.3"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.2\r\n", "192.0.2.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 192.0.2.1, unknown\r\n", "10.0.0.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2\r\n", "10.0.0.2"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 192.0.2.1,\r\n", "10.0.0.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For:\r\n", "10.0.0.1"},
		{FROM("10.0.0.1"), "X-Forwarded-For: 192.0.2.1 login=ok\r\n", "10.0.0.1"},
		{"PROXY UNKNOWN\r\n", "X-Forwarded-For: 192.0.2.1\r\n", "local"},
	};
	struct ip_network trusted;
	struct error error;
	struct world world;

	(void)state;
	assert_int_equal(ip_network_parse("10.0.0.0/8", &trusted, &error), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		world_begin_trusting(&world, &trusted);
		phone_connect_from(&world, 1, HTTP_FROM_PROXY_PROTOCOL);
		phone_says(&world, 1, cases[i].proxy_header);
		phone_says(&world, 1, "GET /a HTTP/1.1\r\nHost: h\r\n");
		phone_says(&world, 1, cases[i].forwarded);
		phone_says(&world, 1, "\r\n");
		if (strcmp(world.address, cases[i].address) != 0)
			fail_msg("case %zu: %s", i, world.address);
		world_end(&world);
	}
}

static void a_phone_names_nobody_else(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
	assert_string_equal(world.address, "local");
	say(&world, FROM("192.0.2.1") "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_non_null(strstr(told(&world), "HTTP/1.1 501 "));
	assert_int_equal(world.requests, 1);
	world_end(&world);
}

static void whom_a_proxy_named_stays_for_all_requests_of_the_connection(void **state)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct world world;

	(void)state;
	world_begin(&world, 10);
	phone_connect_from(&world, 1, HTTP_FROM_PROXY_PROTOCOL);
	phone_says(&world, 1, FROM("198.51.100.7") "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_non_null(world.held);
	http_held_respond(world.held, &response);
	loop_settle(world.loop);
	world.address[0] = '\0';
	phone_says(&world, 1, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_string_equal(world.address, "198.51.100.7");
	world_end(&world);
}

static void without_a_proxy_header_nothing_is_served(void **state)
{
	struct http_server_counts counts;
	struct world world;

	(void)state;
	world_begin(&world, 10);
	phone_connect_from(&world, 1, HTTP_FROM_PROXY_PROTOCOL);
	phone_says(&world, 1, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_non_null(strstr(buffer_string(&world.phones[1].got), "HTTP/1.1 400 "));
	phone_connect_from(&world, 2, HTTP_FROM_PROXY_PROTOCOL);
	phone_says(&world, 2, "PROXY TCP4 ");
	loop_advance(world.loop, HTTP_HEADER_TIMEOUT_MS);
	assert_true(world.phones[2].ended);
	assert_int_equal(world.requests, 0);
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.refused, 1);
	world_end(&world);
}

static void guests_that_a_proxy_names_do_not_take_all_places(void **state)
{
	struct http_server_counts counts;
	struct world world;

	(void)state;
	world_begin(&world, 2 * HTTP_GUESTS_MIN);
	for (unsigned i = 1; i < HTTP_GUESTS_MIN + 4; i++) {
		phone_connect_from(&world, i, HTTP_FROM_PROXY_PROTOCOL);
		phone_says(&world, i, FROM("198.51.100.7"));
	}
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.overflowed, 3);
	phone_says(&world, HTTP_GUESTS_MIN + 3, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_non_null(strstr(buffer_string(&world.phones[HTTP_GUESTS_MIN + 3].got), "HTTP/1.1 503 "));
	phone_hang_up(&world, 0);
	phone_connect_from(&world, 0, HTTP_FROM_PROXY_PROTOCOL);
	phone_says(&world, 0, FROM("198.51.100.8") "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(world.requests, 1);
	world_end(&world);
}

/* --- what is refused ------------------------------------------------------------------------------------------- */

static void broken_and_ambiguous_requests_are_refused(void **state)
{
	static const struct {
		const char *status, *text;
	} cases[] = {
		{"400", "GET / HTTP/1.1\r\n\r\n"},
		{"400", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
		{"400", "GET / HTTP/1.1\nHost: h\n\n"},
		{"400", "GET / HTTP/1.1\r\nHost: h\n\r\n"},
		{"400", "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"},
		{"400", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n"},
		{"400", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
		{"400", "GET / HTTP/1.1\r\nHost : h\r\n\r\n"},
		{"400", "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"},
		{"400", "GET / HTTP/1.1\r\nHost: h\r\nA: \x01\r\n\r\n"},
		{"400", "GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"400", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"400", "GET / b HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"505", "GET /\r\n\r\n"},
		{"400", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03"},
		{"501", "BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"400", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"501", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"505", "GET / HTTP/2.0\r\nHost: h\r\n\r\n"},
		{"505", "GET / HTTP/0.9\r\nHost: h\r\n\r\n"},
		{"400", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"417", "GET / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n\r\n"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\na\r\n0\r\n\r\n"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\na"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\na"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\na"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\na"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\na"},
		{"413", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\na"},
		{"413", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n"},
		{"501", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
		{"400", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"},
		{"400", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
#define CHUNKED "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		{"400", CHUNKED "g\r\n"},
		{"400", CHUNKED "-1\r\na\r\n0\r\n\r\n"},
		{"400", CHUNKED "+1\r\na\r\n0\r\n\r\n"},
		{"400", CHUNKED "0x1\r\na\r\n0\r\n\r\n"},
		{"400", CHUNKED " 1\r\na\r\n0\r\n\r\n"},
		{"400", CHUNKED "1\na\r\n0\r\n\r\n"},
		{"400", CHUNKED "1\r\nab\r\n0\r\n\r\n"},
		{"400", CHUNKED "1\r\na\n0\r\n\r\n"},
		{"400", CHUNKED "1\r\na0\r\n\r\n"},
		{"400", CHUNKED "1\r\na\r\n0\r\nX: y\n\r\n"},
		{"400", CHUNKED "fffffffffffffffff\r\n"},
		{"413", CHUNKED "ffffffff\r\n"},
		{"413", CHUNKED "3e9\r\n"},
	};
	struct world world;
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		world_begin(&world, 10);
		say(&world, cases[i].text);
		const char *text = told(&world);
		if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strncmp(text + 9, cases[i].status, 3) != 0) {
			print_error("wanted %s for: %s\nwas told: %.200s\n", cases[i].status, cases[i].text, text);
			failed++;
			continue;
		}
		assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
		assert_int_equal(world.requests, 0);
		loop_advance(world.loop, HTTP_LINGER_MS + 1);
		assert_true(world.phones[0].ended);
		world_end(&world);
	}
	assert_int_equal(failed, 0);
}

static void say_often(struct world *world, const char *text, unsigned times)
{
	struct buffer all = BUFFER_EMPTY;

	for (unsigned i = 0; i < times; i++)
		buffer_append_string(&all, text);
	stream_write_buffer(world->phones[0].stream, &all);
	loop_settle(world->loop);
}

static void what_is_too_long_is_refused_before_its_end(void **state)
{
	static const struct {
		const char *status, *begin, *again;
		unsigned times;
	} cases[] = {
		{"414", "GET /", "a", HTTP_REQUEST_LINE_MAX},
		{"431", "GET / HTTP/1.1\r\n", "A: b\r\n", HTTP_HEADERS_MAX + 1},
		{"431", "GET / HTTP/1.1\r\nA: ", "b", HTTP_HEADER_MAX},
		{"400", CHUNKED, "1\r\na\r\n", 900},
		{"400", CHUNKED "1;", "x", HTTP_HEADER_MAX + 10},
		{"400", CHUNKED "0\r\nX: ", "y", HTTP_HEADER_MAX + 10},
	};
	struct world world;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		world_begin(&world, 10);
		say(&world, cases[i].begin);
		say_often(&world, cases[i].again, cases[i].times);
		if (i == 3)
			assert_int_equal(world.requests, 0);
		if (i != 3)
			assert_told(&world, cases[i].status);
		world_end(&world);
	}
}

static void upload(struct world *world, unsigned number, size_t megabytes)
{
	char *piece = calloc(1, 1024 * 1024);
	static const char head[] = "POST /mail HTTP/1.1\r\nHost: h\r\nContent-Length: 200000000\r\n\r\n";

	phone_connect(world, number);
	stream_write(world->phones[number].stream, head, sizeof head - 1);
	for (; megabytes > 0 && !world->phones[number].ended; megabytes--) {
		stream_write(world->phones[number].stream, piece, 1024 * 1024);
		loop_settle(world->loop);
	}
	free(piece);
}

static void mails_do_not_crowd_out_what_is_small(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	upload(&world, 1, 100);
	assert_int_equal(world.phones[1].got.length, 0); /* still being sent */
	upload(&world, 2, 40);
	assert_memory_equal(buffer_string(&world.phones[2].got), "HTTP/1.1 503", 12);
	say(&world, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
	assert_told(&world, "200");
	phone_hang_up(&world, 2);
	phone_hang_up(&world, 1);
	world_end(&world);
}

static void a_refusal_reaches_a_phone_that_is_still_sending(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nsome of it");
	assert_told(&world, "404");
	say_often(&world, "more ", 1000);
	assert_false(world.phones[0].ended);
	assert_string_equal(told(&world), "");
	loop_advance(world.loop, HTTP_LINGER_MS + 1);
	assert_true(world.phones[0].ended);
	assert_int_equal(world.requests, 0);
	world_end(&world);
}

static void an_early_answer_without_a_body_keeps_the_connection(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_told(&world, "404");
	say(&world, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_told(&world, "200");
	say(&world, "GET /abandoned HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(world.phones[0].ended);
	world_end(&world);
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static void a_header_that_dribbles_is_timed_as_a_whole(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	for (int64_t ms = 0; ms < HTTP_HEADER_TIMEOUT_MS; ms += 1000) {
		say(&world, "G");
		loop_advance(world.loop, 1000);
	}
	assert_told(&world, "408");
	world_end(&world);
}

static void silence_is_closed_without_a_word(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	loop_advance(world.loop, HTTP_HEADER_TIMEOUT_MS);
	assert_true(world.phones[0].ended);
	assert_string_equal(told(&world), "");
	phone_hang_up(&world, 0);
	phone_connect(&world, 0);
	say(&world, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_told(&world, "200");
	loop_advance(world.loop, HTTP_IDLE_TIMEOUT_MS - 1);
	assert_false(world.phones[0].ended);
	loop_advance(world.loop, 1);
	assert_true(world.phones[0].ended);
	assert_string_equal(told(&world), "");
	world_end(&world);
}

static void a_body_has_a_minimum_rate(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 999\r\n\r\n");
	for (int i = 0; i < 29; i++) {
		loop_advance(world.loop, HTTP_RATE_WINDOW_MS / 30);
		say(&world, "x");
	}
	assert_string_equal(told(&world), "");
	loop_advance(world.loop, HTTP_RATE_WINDOW_MS / 30);
	assert_told(&world, "408");
	world_end(&world);
}

/* --- holding --------------------------------------------------------------------------------------------------- */

static void a_held_request_is_answered_later_and_the_connection_goes_on(void **state)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct http_server_counts counts;
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nping");
	loop_advance(world.loop, 3540 * 1000);
	assert_string_equal(told(&world), "");
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.held, 1);
	http_response_string(&response, "news");
	http_held_respond(world.held, &response);
	loop_settle(world.loop);
	assert_non_null(strstr(told(&world), "\r\n\r\nnews"));
	say(&world, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_told(&world, "200");
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.held, 0);
	assert_int_equal(counts.idle, 1);
	world_end(&world);
}

static void a_held_request_expires_by_its_own_timer(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	http_held_expire(world.held, 60000);
	loop_advance(world.loop, 59999);
	assert_int_equal(world.expired, 0);
	loop_advance(world.loop, 1);
	assert_int_equal(world.expired, 1);
	assert_non_null(strstr(told(&world), "nothing new"));
	world_end(&world);
}

static void whoever_waits_is_told_that_the_phone_is_gone(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	phone_hang_up(&world, 0);
	assert_int_equal(world.gone, 1);
	assert_null(world.held);
	phone_connect(&world, 0);
	say(&world, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	phone_hang_up(&world, 0);
	assert_int_equal(world.gone, 2);
	assert_true(world.waiting->is_gone);
	assert_null(http_hold(world.waiting, &held_events, &world));
	world_end(&world);
}

static void a_phone_that_closed_its_half_still_gets_its_answer(void **state)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	stream_finish(&world.phones[0].stream);
	loop_settle(world.loop);
	http_respond(world.waiting, &response);
	loop_settle(world.loop);
	world_end(&world);
}

static void a_held_phone_that_talks_on_is_cut_off(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\n");
	assert_non_null(world.held);
	say_often(&world, "X: y\r\n", 5000);
	assert_int_equal(world.gone, 1);
	assert_true(world.phones[0].ended);
	world_end(&world);
}

static void a_server_that_ends_tells_everybody(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
	phone_connect(&world, 1);
	stream_write(world.phones[1].stream, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n", 31);
	phone_connect(&world, 2);
	http_server_free(&world.server);
	loop_settle(world.loop);
	assert_int_equal(world.gone, 2);
	http_respond_text(world.waiting, 200, "too late");
	world_end(&world);
}

/* --- limits of the server -------------------------------------------------------------------------------------- */

static void a_full_server_says_when_to_come_again_and_drops_nobody(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 1);
	say(&world, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	phone_connect(&world, 1);
	stream_write(world.phones[1].stream, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 28);
	loop_settle(world.loop);
	const char *text = buffer_string(&world.phones[1].got);
	assert_non_null(strstr(text, "HTTP/1.1 503 "));
	assert_non_null(strstr(text, "\r\nRetry-After: "));
	assert_non_null(world.held);
	assert_int_equal(world.requests, 1);
	loop_advance(world.loop, HTTP_LINGER_MS);
	assert_true(world.phones[1].ended);
	assert_int_equal(world.gone, 0);
	world_end(&world);
}

static void an_idle_connection_gives_way(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 1);
	say(&world, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	loop_advance(world.loop, HTTP_IDLE_SAFE_MS);
	phone_connect(&world, 1);
	stream_write(world.phones[1].stream, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 28);
	loop_settle(world.loop);
	assert_true(world.phones[0].ended);
	assert_non_null(strstr(buffer_string(&world.phones[1].got), "HTTP/1.1 200 "));
	world_end(&world);
}

static void who_never_brings_a_header_gives_way(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 2);
	say(&world, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	phone_connect(&world, 1);
	phone_says(&world, 1, "GET /never-ends HTTP/1.1\r\n");
	loop_advance(world.loop, HTTP_NEW_SAFE_MS - 1);
	phone_connect(&world, 2);
	phone_says(&world, 2, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_non_null(strstr(buffer_string(&world.phones[2].got), "HTTP/1.1 503 "));
	assert_false(world.phones[1].ended);
	loop_advance(world.loop, 1);
	phone_connect(&world, 3);
	phone_says(&world, 3, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_non_null(strstr(buffer_string(&world.phones[3].got), "HTTP/1.1 200 "));
	assert_true(world.phones[1].ended);
	assert_int_equal(world.gone, 0);
	loop_advance(world.loop, HTTP_NEW_SAFE_MS); /* it has brought one: it is idle, and not for long */
	phone_connect(&world, 4);
	phone_says(&world, 4, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_non_null(strstr(buffer_string(&world.phones[4].got), "HTTP/1.1 503 "));
	world_end(&world);
}

static void guests_of_one_network_do_not_take_all_places(void **state)
{
	static const char login[] = "GET /login HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http_server_counts counts;
	struct world world;

	(void)state;
	world_begin(&world, 2 * HTTP_GUESTS_MIN);
	for (unsigned i = 1; i < HTTP_GUESTS_MIN; i++)
		phone_connect(&world, i);
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.overflowed, 0);
	phone_connect(&world, HTTP_GUESTS_MIN);
	phone_says(&world, HTTP_GUESTS_MIN, login);
	assert_non_null(strstr(buffer_string(&world.phones[HTTP_GUESTS_MIN].got), "HTTP/1.1 503 "));
	phone_says(&world, 1, login); /* known now, and no guest */
	assert_non_null(strstr(buffer_string(&world.phones[1].got), "HTTP/1.1 200 "));
	phone_connect(&world, HTTP_GUESTS_MIN + 1);
	phone_says(&world, HTTP_GUESTS_MIN + 1, login);
	assert_non_null(strstr(buffer_string(&world.phones[HTTP_GUESTS_MIN + 1].got), "HTTP/1.1 200 "));
	phone_hang_up(&world, 2);
	for (unsigned i = HTTP_GUESTS_MIN + 2; i < HTTP_GUESTS_MIN + 5; i++)
		phone_connect(&world, i);
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.overflowed, 2); /* two more places, of one that logged in and one that went */
	world_end(&world);
}

static void a_proxy_is_no_network(void **state)
{
	struct http_server_counts counts;
	struct stream *near[HTTP_GUESTS_MIN + 4], *far;
	struct world world;

	(void)state;
	world_begin(&world, 2 * HTTP_GUESTS_MIN);
	for (unsigned i = 0; i < HTTP_GUESTS_MIN + 4; i++) {
		stream_memory_pair(world.loop, &near[i], &far);
		http_server_accept(world.server, far, HTTP_FROM_PROXY);
	}
	http_server_counts(world.server, &counts);
	assert_int_equal(counts.overflowed, 0);
	for (unsigned i = 0; i < HTTP_GUESTS_MIN + 4; i++)
		stream_close(&near[i]);
	loop_settle(world.loop);
	world_end(&world);
}

static void a_draining_server_closes_after_each_answer(void **state)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct world world;

	(void)state;
	world_begin(&world, 10);
	say(&world, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	phone_connect(&world, 1);
	stream_write(world.phones[1].stream, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 28);
	loop_settle(world.loop);
	http_server_drain(world.server);
	loop_settle(world.loop);
	assert_true(world.phones[1].ended);
	assert_false(world.phones[0].ended);
	http_held_respond(world.held, &response);
	loop_settle(world.loop);
	assert_non_null(strstr(told(&world), "\r\nConnection: close\r\n"));
	assert_true(world.phones[0].ended);
	world_end(&world);
}

static void a_held_request_has_nothing_under_way(void **state)
{
	static const char text[] = "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nping";
	struct world world;
	struct stream *near, *far;

	(void)state;
	world_begin(&world, 10);
	stream_memory_pair(world.loop, &near, &far);
	stream_own(near, phone_event, &world.phones[1]);
	world.phones[1].stream = near;
	http_server_accept(world.server, far, HTTP_FROM_PHONE);
	stream_write(near, text, sizeof text - 1);
	loop_settle(world.loop);
	assert_non_null(world.held);
	assert_null(far->work);
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_answered_with_length_and_date),
		cmocka_unit_test(head_is_answered_without_the_body),
		cmocka_unit_test(bodies_come_whole_by_length_and_by_chunks),
		cmocka_unit_test(every_split_of_a_request_gives_the_same),
		cmocka_unit_test(pipelined_requests_wait_for_their_turn),
		cmocka_unit_test(a_phone_that_expects_is_told_to_continue),
		cmocka_unit_test(a_body_that_is_not_wanted_is_read_and_not_kept),
		cmocka_unit_test(connections_end_when_somebody_wants_it),
		cmocka_unit_test(an_answer_in_pieces_waits_for_a_slow_phone),
		cmocka_unit_test(a_phone_that_takes_nothing_is_given_up),
		cmocka_unit_test(answers_that_nobody_takes_have_a_bound),
		cmocka_unit_test(the_oldest_answer_gives_way),
		cmocka_unit_test(an_answer_has_its_time_however_steadily_it_is_taken),
		cmocka_unit_test(only_listed_proxies_say_who_the_phone_is),
		cmocka_unit_test(a_phone_names_nobody_else),
		cmocka_unit_test(whom_a_proxy_named_stays_for_all_requests_of_the_connection),
		cmocka_unit_test(without_a_proxy_header_nothing_is_served),
		cmocka_unit_test(guests_that_a_proxy_names_do_not_take_all_places),
		cmocka_unit_test(broken_and_ambiguous_requests_are_refused),
		cmocka_unit_test(what_is_too_long_is_refused_before_its_end),
		cmocka_unit_test(mails_do_not_crowd_out_what_is_small),
		cmocka_unit_test(a_refusal_reaches_a_phone_that_is_still_sending),
		cmocka_unit_test(an_early_answer_without_a_body_keeps_the_connection),
		cmocka_unit_test(a_header_that_dribbles_is_timed_as_a_whole),
		cmocka_unit_test(silence_is_closed_without_a_word),
		cmocka_unit_test(a_body_has_a_minimum_rate),
		cmocka_unit_test(a_held_request_is_answered_later_and_the_connection_goes_on),
		cmocka_unit_test(a_held_request_expires_by_its_own_timer),
		cmocka_unit_test(whoever_waits_is_told_that_the_phone_is_gone),
		cmocka_unit_test(a_phone_that_closed_its_half_still_gets_its_answer),
		cmocka_unit_test(a_held_phone_that_talks_on_is_cut_off),
		cmocka_unit_test(a_server_that_ends_tells_everybody),
		cmocka_unit_test(a_full_server_says_when_to_come_again_and_drops_nobody),
		cmocka_unit_test(an_idle_connection_gives_way),
		cmocka_unit_test(who_never_brings_a_header_gives_way),
		cmocka_unit_test(guests_of_one_network_do_not_take_all_places),
		cmocka_unit_test(a_proxy_is_no_network),
		cmocka_unit_test(a_draining_server_closes_after_each_answer),
		cmocka_unit_test(a_held_request_has_nothing_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
