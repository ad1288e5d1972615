/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The control socket: what the admin asks and is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/hub/control.h"
#include "tests/unit/gateway/hub/try_hub.h"

#define ALICE "alice@example.org"
#define INBOX "INBOX"

static struct try_hub try;
static struct try_front front;
static struct buffer got;
static bool ended;

static int begin(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	try_hub_start(&try);
	try_front_connect(&try, &front);
	try_stand(&try, ALICE, INBOX, 17);
	return 0;
}

static int end(void **state)
{
	(void)state;
	buffer_release(&got);
	try_front_close(&try, &front);
	try_hub_stop(&try);
	return 0;
}

static void collect(struct stream *stream, enum stream_event event, void *owner)
{
	struct buffer *input = stream_input(stream);

	(void)owner;
	if (event == STREAM_DATA) {
		buffer_append(&got, input->data, input->length);
		buffer_consume(input, input->length);
	}
	ended = ended || event == STREAM_ENDED || event == STREAM_FAILED;
}

/* The whole answer, valid until the next. */
static const char *ask(const char *request)
{
	struct stream *stream = net_connect(try.net, "control", collect, NULL);

	buffer_release(&got);
	ended = false;
	stream_write(stream, request, strlen(request));
	loop_settle(try.loop);
	assert_true(ended);
	stream_close(&stream);
	loop_settle(try.loop);
	return buffer_string(&got);
}

#define assert_has(answer, text) \
	do { \
		if (strstr(answer, text) == NULL) \
			fail_msg("\"%s\" is not in:\n%s", text, answer); \
	} while (0)

static void put_done(enum store_status status, const uint64_t revisions[], size_t count, void *data)
{
	(void)revisions;
	(void)count;
	(void)data;
	assert_int_equal(status, STORE_OK);
}

static void status_counts_and_names_connectors_and_fronts(void **state)
{
	const char *answer;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	answer = ask("status\n");
	assert_memory_equal(answer, "ok\n", 3);
	assert_has(answer, "row\tparks\t1\n");
	assert_has(answer, "row\trung_changed\t1\n");
	assert_has(answer, "row\thook\t1\t1\t1\t0\t0\n");
	assert_has(answer, "row\tmain\tyes\t-\ttrusted\t1\t0\t0\t0\t0\t0\t-\n");
	assert_has(answer, "table\thooks\tconnector\tsource\ttrusted\nrow\tmain\tnone\tyes\nrow\tmain\thook\tyes\n");
	assert_has(answer, "table\tfronts\t#number\t#pid\t#held\nrow\t1\t0\t0\n");
}

static void status_counts_what_a_connector_refused_for_want_of_sessions(void **state)
{
	(void)state;
	try.connector.status = BELFRY__CONNECTOR__STATUS__LIMIT;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_int_equal(try.connector.watches, 1);
	assert_int_equal(try.connector.checks, 1);
	assert_has(ask("status\n"), "row\tmain\tyes\t-\ttrusted\t1\t1\t0\t0\t2\t1\t-\n");
}

static void status_and_metrics_tell_how_the_backend_is(void **state)
{
	(void)state;
	try_tell_backend(&try, NULL);
	assert_has(ask("status\n"), "row\tmain\tyes\tup\ttrusted\t0\t0\t0\t0\t0\t0\t-\n");
	assert_has(ask("metrics\n"), "belfry_backend_down{connector=\"main\"} 0\n");
	try_tell_backend(&try, "mail.example:143: refuses\tmaster_user");
	assert_has(ask("status\n"), "row\tmain\tyes\tdown\ttrusted\t0\t0\t0\t0\t0\t0\tmail.example:143: refuses\\x09master_user\n");
	assert_has(ask("metrics\n"), "belfry_backend_down{connector=\"main\"} 1\n");
	try_connector_lose(&try);
	assert_true(try_warning(&try, "connector"));
	assert_has(ask("status\n"), "row\tmain\tno\t-\t");
	try_connector_return(&try); /* it tells anew, when it knows */
	assert_has(ask("status\n"), "row\tmain\tyes\t-\t");
}

static void why_tells_what_the_backend_failed_with(void **state)
{
	(void)state;
	try.connector.status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	try.connector.reason = "mail.example:143: connect: Connection refused";
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_has(ask("why\talice\n"), "the backend could not say: UNAVAILABLE: mail.example:143: connect: Connection refused\n");
	assert_has(ask("status\n"), "row\tchecks_failed\t1\n");
	assert_has(ask("metrics\n"), "belfry_connector_checks_failed_total{connector=\"main\"} 1\n");
}

static void tell_outcome(uint64_t change_us, const char *source)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Outcome outcome = BELFRY__ROLE__OUTCOME__INIT;
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;

	principal.user = (char *)(uintptr_t)ALICE;
	principal.device = "D1";
	outcome.principal = &principal;
	outcome.command = "Ping";
	outcome.result = "status=2 changed=1";
	outcome.duration_ms = 12007;
	outcome.change_us = change_us;
	outcome.source = (char *)(uintptr_t)source;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_OUTCOME;
	message.outcome = &outcome;
	try_front_send(&try, &front, &message);
	loop_settle(try.loop);
}

static void status_tells_how_long_changes_are_under_way(void **state)
{
	const char *answer;

	(void)state;
	try_stand(&try, ALICE, INBOX, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 0, 0); /* proves nothing, and the mail is not there yet */
	loop_advance(try.loop, 20);
	assert_null(strstr(ask("status\n"), "row\thook\t1\t0\t0\t0\t0\t0"));
	try_stand(&try, ALICE, INBOX, 18);
	loop_advance(try.loop, 30);
	answer = ask("status\n");
	assert_has(answer, "table\tdelays\tsource\t#rung\t#rung_p50_us\t#rung_p99_us\t#answered\t");
	assert_has(answer, "row\thook\t1\t57343\t57343\t0\t0\t0\n"); /* asked again after 50 ms: 50000 is in this step */
	tell_outcome(51000, "hook");
	tell_outcome(51000, "forged\tsource"); /* only what the hub itself has named */
	answer = ask("status\n");
	assert_has(answer, "row\thook\t1\t57343\t57343\t1\t57343\t57343\n");
	assert_null(strstr(answer, "forged"));
	assert_has(ask("why\talice\tD1\n"), "the front answered Ping after 12007 ms: status=2 changed=1, 51000 us after the change\n");
}

static void held_shows_who_waits_for_what(void **state)
{
	const char *answer;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_false(try_park(&try, &front, "bob@example.org", "D2", 1, 1));
	loop_advance(try.loop, 5000);
	answer = ask("held\n");
	assert_has(answer, "row\talice@example.org\tD1\tping\t5\t595\t1\tINBOX\t1\n");
	assert_has(answer, "row\tbob@example.org\tD2\t");
	answer = ask("held\talice\n"); /* the default domain completes it */
	assert_has(answer, "D1");
	assert_null(strstr(answer, "D2"));
	assert_null(strstr(ask("held\tcarol\n"), "row"));
}

static void why_tells_in_order_why_it_rang(void **state)
{
	const char *answer;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	loop_advance(try.loop, 12000);
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	answer = ask("why\talice\tD1\n");
	assert_has(answer, "row\t2023-11-14 22:13:20.000\tD1\tthe phone began to wait for INBOX\n");
	assert_has(answer, "\tthe backend said: INBOX is where the phone has it\n");
	assert_has(answer, "row\t2023-11-14 22:13:32.000\t-\thook announced MessageNew in INBOX (change change-1)\n");
	assert_has(answer, "\tthe phone was rung after 12 s: INBOX changed (change change-1, noticed by hook)\n");
	assert_has(answer, "note\tnot waiting since 2023-11-14 22:13:32: the phone has not asked since");
	assert_true(strstr(answer, "began to wait") < strstr(answer, "announced"));
	assert_true(strstr(answer, "announced") < strstr(answer, "was rung"));
}

static void why_tells_why_it_did_not_ring(void **state)
{
	const char *answer;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	loop_advance(try.loop, 10000);
	try_hint(&try, ALICE, INBOX, HINT_FLAGS_SET, 7, 3);
	try_hint(&try, ALICE, "Junk", HINT_MESSAGE_NEW, 7, 3);
	loop_advance(try.loop, 10000);
	answer = ask("why\talice\tD1\n");
	assert_has(answer, "hook announced FlagsSet in INBOX");
	assert_has(answer, "hook announced MessageNew in Junk (change change-1); nobody waited for that one");
	assert_has(answer, "the backend said 4 times: INBOX is where the phone has it");
	assert_has(answer, "note\tD1 waits since 2023-11-14 22:13:20 for 1 collection");
	assert_has(answer, "trusts the hooks of this user");

	try_unpark(&try, &front, 0, 1);
	loop_advance(try.loop, 120000);
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	answer = ask("why\talice\tD1\n");
	assert_has(answer, "without news: its heartbeat was over, or the phone hung up");
	assert_has(answer, "no phone of this user waited");
	assert_has(answer, "note\tnot waiting since 2023-11-14 22:13:40");
	answer = ask("why\tbob\tD1\n");
	assert_has(answer, "note\tnot waiting, and has not since the hub started");
	try_connector_lose(&try);
	assert_true(try_warning(&try, "connector/main lost"));
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_has(ask("why\talice\n"), "connector main is not connected");
}

static void why_forgets_the_oldest_first(void **state)
{
	(void)state; /* 256 events are kept */
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_unpark(&try, &front, 0, 1);
	for (int i = 0; i < 300; i++) {
		assert_false(try_park(&try, &front, "bob@example.org", "D1", 0, 1));
		try_unpark(&try, &front, 0, 1);
	}
	assert_has(ask("why\talice\tD1\n"), "not within the last 256 events");
	assert_has(ask("why\tbob\n"), "began to wait");
}

static void hints_for_others_do_not_push_out_what_happened_to_phones(void **state)
{
	const char *answer;

	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	try_unpark(&try, &front, 0, 1);
	for (int i = 0; i < 1000; i++)
		try_hint(&try, "bob@example.org", INBOX, HINT_MESSAGE_NEW, 7, 17);
	assert_has(ask("why\talice\tD1\n"), "began to wait");
	loop_advance(try.loop, HUB_LINGER_MS);
	try_hint(&try, ALICE, INBOX, HINT_MESSAGE_NEW, 7, 17);
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	answer = ask("why\talice\tD1\n");
	assert_true(strstr(answer, "request ended") < strstr(answer, "no phone of this user waited"));
	assert_non_null(strstr(strstr(answer, "no phone of this user waited"), "began to wait"));
}

static void kick_answers_what_is_held(void **state)
{
	(void)state;
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	assert_false(try_park(&try, &front, ALICE, "D2", 1, 17));
	assert_has(ask("kick\talice\tD2\n"), "ok\nnote\t1 held request was answered");
	const Belfry__Role__Wake *wake = try_woken(&front, 1);
	assert_non_null(wake);
	assert_int_equal(wake->reason, BELFRY__ROLE__WAKE_REASON__KICKED);
	assert_has(ask("kick\talice\n"), "ok\n");
	assert_non_null(try_woken(&front, 0));
	assert_has(ask("kick\talice\n"), "error\tno request of alice@example.org is held");
}

static void put(const char *user, const char *device, const char *key, const void *value, size_t length)
{
	struct principal principal = {user, device};

	store_put_if(try.store, &principal, key, 0, value, length, put_done, NULL);
	loop_settle(try.loop);
}

static void devices_are_listed_and_forgotten(void **state)
{
	Belfry__Role__DeviceRecord record = BELFRY__ROLE__DEVICE_RECORD__INIT;
	uint8_t packed[256];
	const char *answer;

	(void)state;
	record.type = (char *)(uintptr_t)"SmartPhone";
	record.agent = (char *)(uintptr_t)"Bell/1.0";
	record.model = (char *)(uintptr_t)"Pixel";
	record.friendly_name = (char *)(uintptr_t)"Alice's phone";
	record.protocol = (char *)(uintptr_t)"14.1";
	record.first_seen_s = 1700000000;
	size_t length = belfry__role__device_record__pack(&record, packed);
	put(ALICE, "D1", "device", packed, length);
	put(ALICE, "D1", "sync/1", "x", 1);
	put(ALICE, "D2", "device", "\xff", 1); /* unreadable: still there, and to be removed */
	assert_false(try_park(&try, &front, ALICE, "D1", 0, 17));
	answer = ask("devices\talice\n");
	assert_has(answer, "row\tD1\tSmartPhone\t14.1\t2023-11-14\tyes\tPixel\tAlice's phone\t-\t-\tBell/1.0\n");
	assert_has(answer, "row\tD2\t-\t-\t-\tno\t-\t-\t-\t-\t-\n");
	assert_has(answer, "note\t2 of at most 3 devices (max_devices)\n");
	assert_has(ask("forget\talice\tD1\n"), "ok\nnote\tall that was kept of it is gone (2 records)");
	assert_non_null(try_woken(&front, 0));
	answer = ask("devices\talice\n");
	assert_null(strstr(answer, "D1"));
	assert_has(answer, "note\t1 of at most 3 devices");
	assert_has(answer, "row\tD2");
	assert_has(ask("forget\talice\tD1\n"), "error\tnothing is kept");
	store_memory_refuse(try.store, 0);
	assert_has(ask("forget\talice\tD2\n"), "error\tthe store cannot answer");
}

/* The memory store makes none. */
static void a_backup_is_told_of_when_it_is_over(void **state)
{
	(void)state;
	assert_has(ask("backup\n"), "error\tno backup was made; the log says why");
	assert_has(ask("backup\t/elsewhere\n"), "error\tit is: backup\n");
}

static void a_tool_that_leaves_early_leaves_nothing_behind(void **state)
{
	struct stream *stream;

	(void)state;
	store_memory_postpone(try.store, 5);
	stream = net_connect(try.net, "control", collect, NULL);
	stream_write(stream, "devices\talice\n", 14);
	stream_finish(&stream);
	loop_settle(try.loop);
	assert_has(ask("devices\talice\n"), "ok\n");
}

static void trace_reaches_fronts_and_connectors_of_now_and_later(void **state)
{
	struct try_front later;

	(void)state;
	assert_has(ask("trace\ton\tuser=alice\n"), "ok\n");
	assert_string_equal(front.traced, "/alice@example.org//1");
	assert_true(log_traced(LOG_HUB, ALICE, NULL));
	assert_has(ask("trace\ton\thub\n"), "ok\n");
	assert_string_equal(front.traced, "hub///1");
	assert_string_equal(try.connector.traced, "hub///1");
	assert_int_equal(try.connector.traces, 2);
	try_front_connect(&try, &later);
	assert_int_equal(later.traces, 2);
	try_connector_lose(&try);
	try_connector_return(&try);
	assert_int_equal(try.connector.traces, 4);
	assert_true(try_warning(&try, "lost"));
	assert_has(ask("trace\toff\thub\n"), "ok\n");
	assert_has(ask("trace\toff\tuser=alice\n"), "ok\n");
	assert_false(log_traced(LOG_HUB, ALICE, NULL));
	assert_string_equal(later.traced, "/alice@example.org//0");
	assert_string_equal(try.connector.traced, "/alice@example.org//0");
	assert_has(ask("trace\ton\tchimes\n"), "error\tno subsystem chimes; there are: all main");
	assert_has(ask("trace\tmaybe\thub\n"), "error\t");
	try_front_close(&try, &later);
}

static void wrong_requests_are_answered_with_what_is_wrong(void **state)
{
	char endless[CONTROL_LINE_MAX + 100];
	struct stream *stream;

	(void)state;
	assert_has(ask("ring\n"), "error\tno such request: ring\n");
	assert_has(ask("\n"), "error\tno such request");
	assert_has(ask("why\n"), "error\tit is: why USER [DEVICE]\n");
	assert_has(ask("status\tnow\n"), "error\tit is: status\n");
	memset(endless, 'x', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	assert_string_equal(ask(endless), "");
	stream = net_connect(try.net, "control", collect, NULL);
	ended = false;
	loop_advance(try.loop, CONTROL_TIME_MS);
	assert_true(ended);
	stream_close(&stream);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(status_counts_what_a_connector_refused_for_want_of_sessions),
		CASE(status_counts_and_names_connectors_and_fronts),
		CASE(status_and_metrics_tell_how_the_backend_is),
		CASE(why_tells_what_the_backend_failed_with),
		CASE(status_tells_how_long_changes_are_under_way),
		CASE(held_shows_who_waits_for_what),
		CASE(why_tells_in_order_why_it_rang),
		CASE(why_tells_why_it_did_not_ring),
		CASE(why_forgets_the_oldest_first),
		CASE(hints_for_others_do_not_push_out_what_happened_to_phones),
		CASE(kick_answers_what_is_held),
		CASE(devices_are_listed_and_forgotten),
		CASE(a_backup_is_told_of_when_it_is_over),
		CASE(a_tool_that_leaves_early_leaves_nothing_behind),
		CASE(trace_reaches_fronts_and_connectors_of_now_and_later),
		CASE(wrong_requests_are_answered_with_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
