/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Answers as gzip: who takes it, what is compressed and what not, in slices, and what the phone reads then. */
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
#include <zlib.h>

#include "lib/core/mem.h"
#include "lib/core/stream_internal.h"
#include "lib/http/gzip.h"
#include "lib/http/server.h"

static void who_names_gzip_takes_it(void **state)
{
	static const struct {
		const char *header;
		bool taken;
	} cases[] = {
		{NULL, false}, {"", false}, {"gzip", true}, {"GZIP", true}, {"x-gzip", true}, {"gzip, deflate", true},
		{"deflate , gzip;q=0.5", true}, {"deflate, gzip;q=0", false}, {"gzip; q=0.000, br", false}, {"br,gzip ;q=1", true},
		{"gzipped", false}, {"*", false}, {"identity", false}, {",, gzip,", true}, {"deflate;q=1.0, gz", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (http_gzip_is_accepted(cases[i].header) != cases[i].taken)
			fail_msg("Accept-Encoding: %s", cases[i].header);
}

/* --- one answer -------------------------------------------------------------------------------------------------- */

static void fill_words(struct buffer *bytes, size_t length)
{
	while (bytes->length < length)
		buffer_printf(bytes, "bell %zu rings, ", bytes->length);
	buffer_truncate(bytes, length);
}

static void fill_noise(struct buffer *bytes, size_t length)
{
	uint32_t noise = 1;

	for (size_t i = 0; i < length; i++) {
		noise = noise * 1664525 + 1013904223;
		buffer_append_byte(bytes, (uint8_t)(noise >> 24));
	}
}

static void add_file(struct http_response *response, struct buffer *bytes, size_t skipped)
{
	int fd = memfd_create("answer", MFD_CLOEXEC);

	assert_int_equal(write(fd, bytes->data, bytes->length), bytes->length);
	http_response_file(response, fd, (off_t)skipped, bytes->length - skipped);
	buffer_release(bytes);
}

static void unpack(const void *bytes, size_t length, struct buffer *to)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)length};
	int result;

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	do {
		z.next_out = (Bytef *)buffer_reserve(to, 4096);
		z.avail_out = 4096;
		result = inflate(&z, Z_NO_FLUSH);
		buffer_grow(to, 4096 - z.avail_out);
	} while (result == Z_OK);
	assert_int_equal(result, Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
}

static unsigned compress_whole(struct http_response *response)
{
	struct http_gzip *gzip = http_gzip_create(response);
	unsigned steps = 1;

	assert_null(response->first);
	while (http_gzip_step(gzip))
		steps++;
	http_gzip_finish(&gzip, response);
	return steps;
}

static void memory_and_files_are_compressed_a_slice_at_a_time(void **state)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct buffer all = BUFFER_EMPTY, words = BUFFER_EMPTY, got = BUFFER_EMPTY;

	(void)state;
	fill_words(&all, 5 * HTTP_GZIP_SLICE);
	http_response_header(&response, "X-Kept", "yes");
	buffer_append(&words, all.data, 3);
	http_response_bytes(&response, &words);
	buffer_append(&words, all.data, 3 * HTTP_GZIP_SLICE);
	add_file(&response, &words, 3);
	buffer_append(&words, all.data + 3 * HTTP_GZIP_SLICE, 2 * HTTP_GZIP_SLICE);
	http_response_bytes(&response, &words);
	assert_int_equal(compress_whole(&response), 5);
	assert_string_equal(buffer_string(&response.header), "X-Kept: yes\r\nContent-Encoding: gzip\r\n");
	assert_true(response.length < all.length / 2);
	assert_int_equal(response.first->bytes.length, response.length);
	unpack(response.first->bytes.data, response.length, &got);
	assert_int_equal(got.length, all.length);
	assert_memory_equal(got.data, all.data, all.length);
	http_response_release(&response);
	buffer_release(&all);
	buffer_release(&got);
}

static void what_gets_no_shorter_is_soon_left_as_it_is(void **state)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct buffer noise = BUFFER_EMPTY;

	(void)state;
	fill_noise(&noise, 10 * HTTP_GZIP_SLICE);
	add_file(&response, &noise, 0);
	assert_in_range(compress_whole(&response), 1, 4); /* zlib holds some of the first ones back */
	assert_int_equal(response.header.length, 0);
	assert_int_equal(response.length, 10 * HTTP_GZIP_SLICE);
	assert_true(response.first->fd >= 0);
	assert_int_equal(response.first->offset, 0);
	http_response_release(&response);
}

/* An onlooker who measures one answer does not learn how well it compressed. */
static void the_same_answer_has_many_lengths(void **state)
{
	bool seen[HTTP_GZIP_PADDING_MAX + 1] = {false};
	unsigned lengths = 0;
	size_t least = SIZE_MAX, most = 0, length[100];

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct http_response response = HTTP_RESPONSE(200);
		struct buffer words = BUFFER_EMPTY;
		fill_words(&words, 2000);
		http_response_bytes(&response, &words);
		compress_whole(&response);
		length[i] = response.length;
		least = length[i] < least ? length[i] : least;
		most = length[i] > most ? length[i] : most;
		http_response_release(&response);
	}
	assert_true(most - least <= HTTP_GZIP_PADDING_MAX);
	for (int i = 0; i < 100; i++) {
		lengths += !seen[length[i] - least];
		seen[length[i] - least] = true;
	}
	assert_true(lengths > 20); /* fewer by chance: not in the life of this machine */
}

/* --- the server -------------------------------------------------------------------------------------------------- */

enum { PHONES = HTTP_GZIP_STEPS + 1 };

struct world {
	struct loop *loop;
	struct http_server *server;
	struct stream *phones[PHONES];
	struct buffer got[PHONES];
	struct http_held *held;
	struct timer end;
};

static void held_gone(const struct http_held_events *events, void *owner)
{
	(void)events;
	(void)owner;
}

static void answer_words(struct http_exchange *exchange, struct http_held *held, size_t length)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct buffer words = BUFFER_EMPTY;

	fill_words(&words, length);
	http_response_bytes(&response, &words);
	if (held != NULL)
		http_held_respond(held, &response);
	else
		http_respond(exchange, &response);
}

static void held_expired(const struct http_held_events *events, struct http_held *held, void *owner)
{
	(void)events;
	(void)owner;
	answer_words(NULL, held, 2000);
}

static const struct http_held_events held_events = {held_gone, held_expired};

static void header(struct http_exchange *exchange, void *data)
{
	(void)data;
	exchange->body_max = 1000;
}

/* One slice has been compressed; nothing has left. */
static void end_server(struct timer *timer)
{
	struct world *world = container_of(timer, struct world, end);
	struct http_server_counts counts;

	http_server_counts(world->server, &counts);
	assert_int_equal(counts.answers, 1000000);
	assert_int_equal(world->got[0].length, 0);
	http_server_free(&world->server);
}

/* The path says how long the answer is: "/2000". */
static void request(struct http_exchange *exchange, void *data)
{
	struct world *world = data;

	if (strcmp(exchange->path, "/held") == 0) {
		world->held = http_hold(exchange, &held_events, world);
		http_held_expire(world->held, 1000);
	} else if (strcmp(exchange->path, "/end") == 0) {
		timer_start(world->loop, &world->end, 0, end_server);
		answer_words(exchange, NULL, 1000000);
	} else if (strcmp(exchange->path, "/missing") == 0) {
		http_respond_text(exchange, 404, "There is nothing here.\n");
	} else {
		answer_words(exchange, NULL, strtoul(exchange->path + 1, NULL, 10));
	}
}

static void phone_event(struct stream *stream, enum stream_event event, void *owner)
{
	struct buffer *got = owner;

	if (event != STREAM_DATA)
		return;
	buffer_append(got, stream_input(stream)->data, stream_input(stream)->length);
	buffer_consume(stream_input(stream), stream_input(stream)->length);
}

static void world_begin(struct world *world, bool has_gzip)
{
	struct http_server_settings settings = {.connections_max = 100, .header = header, .request = request, .data = world,
		.has_gzip = has_gzip};
	struct stream *far;

	*world = (struct world){.loop = loop_create_manual(0)};
	settings.loop = world->loop;
	world->server = http_server_create(&settings);
	for (int i = 0; i < PHONES; i++) {
		stream_memory_pair(world->loop, &world->phones[i], &far);
		stream_own(world->phones[i], phone_event, &world->got[i]);
		http_server_accept(world->server, far, HTTP_FROM_PROXY);
	}
	loop_settle(world->loop);
}

static void world_end(struct world *world)
{
	for (int i = 0; i < PHONES; i++) {
		stream_close(&world->phones[i]);
		buffer_release(&world->got[i]);
	}
	loop_settle(world->loop);
	http_server_free(&world->server);
	loop_free(&world->loop);
}

static void say(struct world *world, int phone, const char *line, const char *accept)
{
	struct buffer text = BUFFER_EMPTY;

	buffer_release(&world->got[phone]);
	buffer_printf(&text, "%s HTTP/1.1\r\nHost: h\r\n", line);
	if (accept != NULL)
		buffer_printf(&text, "Accept-Encoding: %s\r\n", accept);
	buffer_append_string(&text, "\r\n");
	stream_write(world->phones[phone], text.data, text.length);
	buffer_release(&text);
}

static void ask(struct world *world, int phone, const char *line, const char *accept)
{
	say(world, phone, line, accept);
	loop_settle(world->loop);
}

/* What the phone was told: whether it was compressed, and that what it reads is right. */
static bool assert_words(struct world *world, int phone, size_t length)
{
	struct buffer wanted = BUFFER_EMPTY, unpacked = BUFFER_EMPTY;

	const char *text = buffer_string(&world->got[phone]), *end = strstr(text, "\r\n\r\n");
	assert_non_null(end);
	size_t head = (size_t)(end + 4 - text), body = world->got[phone].length - head;
	bool is_compressed = strstr(text, "\r\nContent-Encoding: gzip\r\n") != NULL;
	char line[40];
	snprintf(line, sizeof line, "\r\nContent-Length: %zu\r\n", body);
	assert_non_null(strstr(text, line));
	fill_words(&wanted, length);
	if (is_compressed)
		unpack(end + 4, body, &unpacked);
	else
		buffer_append(&unpacked, end + 4, body);
	assert_int_equal(unpacked.length, length);
	assert_memory_equal(unpacked.data, wanted.data, length);
	buffer_release(&wanted);
	buffer_release(&unpacked);
	return is_compressed;
}

static bool is_told(struct world *world, const char *text)
{
	return strstr(buffer_string(&world->got[0]), text) != NULL;
}

static void a_phone_that_takes_gzip_gets_it(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, true);
	ask(&world, 0, "GET /2000", "deflate, gzip");
	assert_true(assert_words(&world, 0, 2000));
	assert_true(is_told(&world, "\r\nVary: Accept-Encoding\r\n"));
	ask(&world, 0, "GET /1000000", "gzip");
	assert_true(assert_words(&world, 0, 1000000));
	ask(&world, 0, "GET /2000", NULL); /* the next request of the connection speaks for itself */
	assert_false(assert_words(&world, 0, 2000));
	assert_true(is_told(&world, "\r\nVary: Accept-Encoding\r\n"));
	world_end(&world);
}

static void a_held_request_remembers_it(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, true);
	ask(&world, 0, "POST /held", "gzip");
	assert_int_equal(world.got[0].length, 0);
	loop_advance(world.loop, 1000);
	assert_true(assert_words(&world, 0, 2000));
	world_end(&world);
}

static void what_is_short_or_no_success_or_head_is_not_compressed(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, true);
	ask(&world, 0, "GET /1399", "gzip");
	assert_false(assert_words(&world, 0, 1399));
	assert_false(is_told(&world, "Vary"));
	ask(&world, 0, "GET /missing", "gzip");
	assert_true(is_told(&world, "There is nothing here."));
	ask(&world, 0, "HEAD /2000", "gzip");
	assert_true(is_told(&world, "Content-Length: 2000\r\n"));
	assert_false(is_told(&world, "Content-Encoding"));
	ask(&world, 0, "GET /4194305", "gzip");
	assert_false(assert_words(&world, 0, HTTP_GZIP_MAX + 1));
	world_end(&world);
}

static void without_the_setting_nothing_is(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, false);
	ask(&world, 0, "GET /2000", "gzip");
	assert_false(assert_words(&world, 0, 2000));
	assert_false(is_told(&world, "Vary"));
	world_end(&world);
}

/* All ask at once: each has had one slice when the last finds no room. */
static void so_many_are_compressed_at_once(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, true);
	for (int i = 0; i < PHONES; i++)
		say(&world, i, "GET /1000000", "gzip");
	loop_settle(world.loop);
	for (int i = 0; i < PHONES; i++)
		assert_true(assert_words(&world, i, 1000000) == (i < HTTP_GZIP_STEPS));
	world_end(&world);
}

static void a_server_may_end_meanwhile(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, true);
	ask(&world, 0, "GET /end", "gzip");
	assert_null(world.server);
	world_end(&world);
}

static void a_compressed_request_is_told_that_it_is_not_understood(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, true);
	ask(&world, 0, "POST /2000 HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\nX-Rest:", NULL);
	assert_true(is_told(&world, "HTTP/1.1 415 Unsupported Media Type\r\n"));
	assert_true(is_told(&world, "\r\nAccept-Encoding: identity\r\n"));
	ask(&world, 1, "POST /2000 HTTP/1.1\r\nContent-Encoding: identity\r\nX-Rest:", NULL);
	assert_false(assert_words(&world, 1, 2000));
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_names_gzip_takes_it),
		cmocka_unit_test(memory_and_files_are_compressed_a_slice_at_a_time),
		cmocka_unit_test(what_gets_no_shorter_is_soon_left_as_it_is),
		cmocka_unit_test(the_same_answer_has_many_lengths),
		cmocka_unit_test(a_phone_that_takes_gzip_gets_it),
		cmocka_unit_test(a_held_request_remembers_it),
		cmocka_unit_test(what_is_short_or_no_success_or_head_is_not_compressed),
		cmocka_unit_test(without_the_setting_nothing_is),
		cmocka_unit_test(so_many_are_compressed_at_once),
		cmocka_unit_test(a_server_may_end_meanwhile),
		cmocka_unit_test(a_compressed_request_is_told_that_it_is_not_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
