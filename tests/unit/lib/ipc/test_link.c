/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames over a stream, as both ends see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/link.h"

struct end {
	struct link *link;
	struct buffer got;       /* all bodies, a "|" after each */
	unsigned frames, descriptors, lost;
	bool closes;             /* itself, at the first frame */
};

static unsigned errors;

static void note_errors(enum log_level level, const char *line, void *data)
{
	(void)line, (void)data;
	errors += level == LOG_LEVEL_ERROR;
}

static void received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct end *end = owner;

	(void)link;
	end->frames++;
	end->descriptors += fd >= 0;
	if (fd >= 0)
		close(fd);
	buffer_append(&end->got, body, length);
	buffer_append_byte(&end->got, '|');
	if (end->closes)
		link_close(&end->link);
}

static void lost(struct link *link, const char *why, void *owner)
{
	struct end *end = owner;

	(void)link, (void)why;
	end->lost++;
	link_close(&end->link);
}

static const struct link_events events = {.received = received, .lost = lost};

static void join(struct loop *loop, struct end *a, struct end *b)
{
	struct stream *streams[2];

	stream_memory_pair(loop, &streams[0], &streams[1]);
	a->link = link_create(streams[0], &events, a);
	b->link = link_create(streams[1], &events, b);
}

static void part(struct loop *loop, struct end *a, struct end *b)
{
	link_close(&a->link);
	link_close(&b->link);
	loop_settle(loop);
	buffer_release(&a->got);
	buffer_release(&b->got);
	loop_free(&loop);
}

static int file(void)
{
	return memfd_create("test", MFD_CLOEXEC);
}

static void frames_arrive_whole_with_their_descriptors(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct end a = {0}, b = {0};

	(void)state;
	join(loop, &a, &b);
	link_send_packed(a.link, (const uint8_t *)"one", 3, -1);
	link_send_packed(a.link, (const uint8_t *)"two", 3, file());
	link_send_packed(a.link, (const uint8_t *)"", 0, file());
	link_send_packed(a.link, (const uint8_t *)"four", 4, file());
	link_send_packed(b.link, (const uint8_t *)"back", 4, -1);
	loop_settle(loop);
	assert_string_equal(buffer_string(&b.got), "one|two||four|");
	assert_int_equal(b.descriptors, 3);
	assert_string_equal(buffer_string(&a.got), "back|");
	part(loop, &a, &b);
}

static void a_message_too_long_for_a_frame_is_not_sent_and_the_link_goes_on(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct end a = {0}, b = {0};
	uint8_t *body = mem_alloc(LINK_FRAME_MAX);

	(void)state;
	join(loop, &a, &b);
	errors = 0;
	assert_int_equal(link_send_packed(a.link, body, LINK_FRAME_MAX, file()), -1);
	assert_int_equal(errors, 1);
	assert_int_equal(link_send_packed(a.link, body, LINK_FRAME_MAX - 1, -1), 0);
	assert_int_equal(link_send_packed(a.link, (const uint8_t *)"end", 3, -1), 0);
	loop_settle(loop);
	assert_int_equal(b.frames, 2);
	assert_int_equal(b.got.length, LINK_FRAME_MAX - 1 + 1 + 4);
	assert_int_equal(b.lost, 0);
	free(body);
	part(loop, &a, &b);
}

static void a_callback_may_close_its_link(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct end a = {0}, b = {.closes = true};

	(void)state;
	join(loop, &a, &b);
	link_send_packed(a.link, (const uint8_t *)"one", 3, -1);
	link_send_packed(a.link, (const uint8_t *)"two", 3, file());
	loop_settle(loop);
	assert_string_equal(buffer_string(&b.got), "one|");
	assert_int_equal(a.lost, 1);
	part(loop, &a, &b);
}

static void a_broken_frame_ends_the_link(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} cases[] = {
		{"\0\0\0\0\0", 5},             /* no length */
		{"\xff\xff\xff\xff\0", 5},     /* longer than any */
		{"\0\0\0\x02\x01x", 6},        /* a descriptor that is not there */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct loop *loop = loop_create_manual(0);
		struct end b = {0};
		struct stream *raw, *other;
		stream_memory_pair(loop, &raw, &other);
		b.link = link_create(other, &events, &b);
		stream_write(raw, cases[i].bytes, cases[i].length);
		loop_settle(loop);
		assert_int_equal(b.lost, 1);
		assert_int_equal(b.frames, 0);
		stream_close(&raw);
		loop_settle(loop);
		buffer_release(&b.got);
		loop_free(&loop);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_whole_with_their_descriptors),
		cmocka_unit_test(a_message_too_long_for_a_frame_is_not_sent_and_the_link_goes_on),
		cmocka_unit_test(a_callback_may_close_its_link),
		cmocka_unit_test(a_broken_frame_ends_the_link),
	};

	log_set_sink(note_errors, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
