/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The notifiers: what a notice becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/core/log.h"
#include "notify/null.h"
#include "notify/ping.h"

struct end {
	struct link *link;
	Belfry__Role__FromHub *message;
	unsigned count;
};

static void received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct end *end = owner;

	(void)link;
	(void)fd;
	if (end->message == NULL)
		end->message = belfry__role__from_hub__unpack(NULL, length, body);
	end->count++;
}

static void lost(struct link *link, const char *why, void *owner)
{
	(void)link;
	(void)why;
	link_close(&((struct end *)owner)->link);
}

static const struct link_events events = {.received = received, .lost = lost};

static const uint32_t changed[] = {0, 3};
static const struct notice notice = {
	.user = "alice@example.org", .device = "D1", .reason = BELFRY__ROLE__WAKE_REASON__CHANGED, .changed = changed,
	.changed_count = 2, .change_id = "abc", .source = "lua", .happened_us = 12345, .slot = 9, .generation = 4,
};

static void ping_rings_with_one_wake_to_the_front_that_holds(void **state)
{
	struct loop *loop = loop_create_manual(0);
	struct stream *a, *b;
	struct end hub = {0}, front = {0};
	struct notice to_front = notice;

	(void)state;
	stream_memory_pair(loop, &a, &b);
	hub.link = link_create(a, &events, &hub);
	front.link = link_create(b, &events, &front);
	to_front.front = hub.link;
	assert_string_equal(notifier_ping.name, "ping");
	notifier_ping.ring(&to_front);
	loop_settle(loop);
	assert_int_equal(front.count, 1);
	assert_int_equal(front.message->id, 0);
	assert_int_equal(front.message->body_case, BELFRY__ROLE__FROM_HUB__BODY_WAKE);
	const Belfry__Role__Wake *wake = front.message->wake;
	assert_int_equal(wake->slot, 9);
	assert_int_equal(wake->generation, 4);
	assert_int_equal(wake->n_changed, 2);
	assert_int_equal(wake->changed[1], 3);
	assert_string_equal(wake->change_id, "abc");
	assert_string_equal(wake->source, "lua");
	assert_int_equal(wake->happened_us, 12345);
	belfry__role__from_hub__free_unpacked(front.message, NULL);
	link_close(&hub.link);
	link_close(&front.link);
	loop_free(&loop);
}

static void keep_line(enum log_level level, const char *line, void *data)
{
	(void)level;
	strncpy(data, line, 200);
}

static void null_rings_nobody_and_says_so_when_traced(void **state)
{
	char line[201] = "";

	(void)state;
	log_set_sink(keep_line, line);
	notifier_null.ring(&notice);
	assert_string_equal(line, "");
	log_trace_subsystem(LOG_NOTIFY, true);
	notifier_null.ring(&notice);
	assert_non_null(strstr(line, "notifier=null user=alice@example.org device=D1 change=abc source=lua"));
	log_trace_subsystem(LOG_NOTIFY, false);
	log_set_sink(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ping_rings_with_one_wake_to_the_front_that_holds),
		cmocka_unit_test(null_rings_nobody_and_says_so_when_traced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
