/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stream in memory and over sockets: order of events, back-pressure, descriptors, closing inside a callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/core/stream.h"
#include "lib/core/stream_internal.h"
#include "lib/net/net.h"

struct end {
	struct stream *stream;
	struct buffer got;
	int connected, drained, ended, failed;
	bool close_on_data, stop_on_end;
};

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct end *end = owner;

	switch (event) {
	case STREAM_CONNECTED: end->connected++; break;
	case STREAM_DRAINED: end->drained++; break;
	case STREAM_FAILED: end->failed++; break;
	case STREAM_ENDED:
		end->ended++;
		if (end->stop_on_end)
			loop_stop(stream_loop(stream));
		break;
	case STREAM_DATA:
		buffer_append(&end->got, stream_input(stream)->data, stream_input(stream)->length);
		buffer_consume(stream_input(stream), stream_input(stream)->length);
		if (end->close_on_data)
			stream_close(&end->stream);
		break;
	}
}

static void join(struct loop *loop, struct end *a, struct end *b)
{
	stream_memory_pair(loop, &a->stream, &b->stream);
	stream_own(a->stream, happened, a);
	stream_own(b->stream, happened, b);
}

static void bytes_and_the_end_arrive_in_order(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct end a = {0}, b = {0};

	(void)state;
	join(loop, &a, &b);
	stream_write(a.stream, "ding ", 5);
	stream_write(a.stream, "dong", 4);
	stream_finish(&a.stream);
	loop_settle(loop);
	assert_string_equal(buffer_string(&b.got), "ding dong");
	assert_int_equal(b.ended, 1);
	stream_close(&b.stream);
	loop_settle(loop);
	buffer_release(&b.got);
	loop_free(&loop);
}

static void a_paused_reader_holds_the_writer_back(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct end a = {0}, b = {0};

	(void)state;
	join(loop, &a, &b);
	loop_settle(loop);
	stream_pause(b.stream);
	stream_write(a.stream, "bell", 4);
	loop_settle(loop);
	assert_int_equal(b.got.length, 0);
	assert_int_equal(stream_pending(a.stream), 4);
	stream_resume(b.stream);
	loop_settle(loop);
	assert_string_equal(buffer_string(&b.got), "bell");
	assert_int_equal(stream_pending(a.stream), 0);
	assert_int_equal(a.drained, 1);
	stream_close(&a.stream);
	stream_close(&b.stream);
	loop_settle(loop);
	buffer_release(&b.got);
	loop_free(&loop);
}

static void a_callback_may_close_its_own_stream(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct end a = {0}, b = {.close_on_data = true};

	(void)state;
	join(loop, &a, &b);
	stream_write(a.stream, "bell", 4);
	loop_settle(loop);
	assert_null(b.stream);
	assert_int_equal(a.ended, 1);
	stream_write(a.stream, "lost", 4);
	loop_settle(loop);
	assert_int_equal(a.failed, 1);
	stream_close(&a.stream);
	loop_settle(loop);
	buffer_release(&b.got);
	loop_free(&loop);
}

static void refused_places_fail_and_listened_ones_connect(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct net *net = net_create_memory(loop);
	struct end a = {0};

	(void)state;
	a.stream = net_connect(net, "hub", happened, &a);
	loop_settle(loop);
	assert_int_equal(a.failed, 1);
	assert_int_equal(a.connected, 0);
	stream_close(&a.stream);
	loop_settle(loop);
	net_free(&net);
	loop_free(&loop);
}

static void descriptors_travel_with_their_byte(void **state)
{
	int sockets[2], memory = memfd_create("test", MFD_CLOEXEC);
	struct loop *loop = loop_create();
	struct end a = {0}, b = {.stop_on_end = true};
	char text[5] = "";

	(void)state;
	assert_int_equal(write(memory, "bell", 4), 4);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
	a.stream = net_stream(loop, sockets[0]);
	b.stream = net_stream(loop, sockets[1]);
	stream_own(a.stream, happened, &a);
	stream_own(b.stream, happened, &b);
	stream_expect_fds(b.stream);
	stream_write(a.stream, "before", 6);
	stream_write_fd(a.stream, memory);
	stream_write(a.stream, "after", 5);
	stream_finish(&a.stream);
	loop_run(loop);
	assert_string_equal(buffer_string(&b.got), "beforeafter");
	int fd = stream_take_fd(b.stream);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, text, 4, 0), 4);
	assert_string_equal(text, "bell");
	assert_int_equal(stream_take_fd(b.stream), -1);
	close(fd);
	stream_close(&b.stream);
	loop_free(&loop);
	buffer_release(&b.got);
}

/* Several in one turn: each must be taken with the byte that it was written before. */
static void many_descriptors_travel_each_with_its_byte(void **state)
{
	enum { COUNT = 200 };
	int sockets[2];

	(void)state;
	for (int is_memory = 0; is_memory < 2; is_memory++) {
		struct loop *loop = is_memory ? loop_create_manual(0) : loop_create();
		struct end a = {0}, b = {.stop_on_end = !is_memory};
		if (is_memory) {
			join(loop, &a, &b);
		} else {
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
			a.stream = net_stream(loop, sockets[0]);
			b.stream = net_stream(loop, sockets[1]);
			stream_own(a.stream, happened, &a);
			stream_own(b.stream, happened, &b);
		}
		stream_expect_fds(b.stream);
		for (int i = 0; i < COUNT; i++) {
			int memory = memfd_create("test", MFD_CLOEXEC);
			assert_int_equal(ftruncate(memory, i), 0);
			stream_write(a.stream, "12345", (size_t)(i % 3));
			stream_write_fd(a.stream, memory);
			stream_write(a.stream, "abcde", 5);
		}
		stream_finish(&a.stream);
		if (is_memory)
			loop_settle(loop);
		else
			loop_run(loop);
		for (int i = 0; i < COUNT; i++) {
			int fd = stream_take_fd(b.stream);
			assert_true(fd >= 0);
			assert_int_equal(lseek(fd, 0, SEEK_END), i);
			close(fd);
		}
		assert_int_equal(stream_take_fd(b.stream), -1);
		assert_int_equal(b.got.length, COUNT * 5 + COUNT / 3 * 3 + COUNT % 3 / 2);
		stream_close(&b.stream);
		if (is_memory)
			loop_settle(loop);
		loop_free(&loop);
		buffer_release(&b.got);
	}
}

static int lowest_free_fd(void)
{
	int fd = dup(0);

	assert_int_equal(close(fd), 0);
	return fd;
}

static void descriptors_that_nobody_expects_are_dropped(void **state)
{
	int sockets[2];

	(void)state;
	for (int is_memory = 0; is_memory < 2; is_memory++) {
		struct loop *loop = is_memory ? loop_create_manual(0) : loop_create();
		struct end a = {0}, b = {.stop_on_end = !is_memory};
		if (is_memory) {
			join(loop, &a, &b);
		} else {
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
			a.stream = net_stream(loop, sockets[0]);
			b.stream = net_stream(loop, sockets[1]);
			stream_own(a.stream, happened, &a);
			stream_own(b.stream, happened, &b);
		}
		int before = lowest_free_fd();
		for (int i = 0; i < 20; i++) {
			stream_write_fd(a.stream, memfd_create("test", MFD_CLOEXEC));
			stream_write(a.stream, "x", 1);
		}
		if (is_memory) {
			loop_settle(loop);
		} else {
			stream_finish(&a.stream);
			loop_run(loop);
			before = sockets[0]; /* closed by now, and the lowest */
		}
		assert_int_equal(b.got.length, 20);
		assert_int_equal(stream_take_fd(b.stream), -1);
		assert_int_equal(lowest_free_fd(), before);
		stream_close(&a.stream);
		stream_close(&b.stream);
		if (is_memory)
			loop_settle(loop);
		loop_free(&loop);
		buffer_release(&b.got);
	}
}

static void an_idle_stream_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct stream) <= 160); /* with HTTP's part it must stay within 256 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_the_end_arrive_in_order),
		cmocka_unit_test(a_paused_reader_holds_the_writer_back),
		cmocka_unit_test(a_callback_may_close_its_own_stream),
		cmocka_unit_test(refused_places_fail_and_listened_ones_connect),
		cmocka_unit_test(descriptors_travel_with_their_byte),
		cmocka_unit_test(many_descriptors_travel_each_with_its_byte),
		cmocka_unit_test(descriptors_that_nobody_expects_are_dropped),
		cmocka_unit_test(an_idle_stream_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
