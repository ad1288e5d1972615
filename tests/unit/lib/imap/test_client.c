/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The IMAP client against scripted servers: logins of each kind, STARTTLS and its injection, commands, IDLE, silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/log.h"
#include "lib/core/stream_internal.h"
#include "lib/imap/client.h"

enum { TIMEOUT_MS = 30000 };

struct test {
	struct loop *loop;
	struct imap_client *client;
	struct stream *server, *silent;
	struct buffer got;       /* what the client sent */
	int ready, told, failures, answers, upgrades;
	bool fail_handshake;
	const char *for_address;
	enum imap_failure failure;
	enum imap_condition condition;
	char why[256];
};

static void server_happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct test *test = owner;

	if (event != STREAM_DATA)
		return;
	buffer_append(&test->got, stream_input(stream)->data, stream_input(stream)->length);
	buffer_consume(stream_input(stream), stream_input(stream)->length);
}

static void became_ready(struct imap_client *client, void *owner)
{
	(void)client;
	((struct test *)owner)->ready++;
}

static void was_told(struct imap_client *client, const struct imap_response *response, void *owner)
{
	(void)client;
	(void)response;
	((struct test *)owner)->told++;
}

static void has_failed(struct imap_client *client, enum imap_failure failure, const char *why, void *owner)
{
	struct test *test = owner;

	assert_ptr_equal(client, test->client);
	test->failures++;
	test->failure = failure;
	snprintf(test->why, sizeof test->why, "%s", why);
	imap_client_close(&test->client);
}

static void was_answered(struct imap_client *client, const struct imap_response *response, void *data)
{
	struct test *test = data;

	(void)client;
	test->answers++;
	test->condition = response->condition;
}

static const struct imap_client_events events = {became_ready, was_told, has_failed};
static const struct imap_credentials alice = {"alice", "se\"cret", NULL};
static const struct imap_credentials as_alice = {"master", "m", "alice"};
static const struct imap_credentials odd = {"alice", "gr\xc3\xbcn", NULL};

/* A memory stream stays what it is; it only connects once more, as TLS would. */
static void start_tls(struct stream *stream, void *data)
{
	struct test *test = data;

	test->upgrades++;
	assert_int_equal(stream_input(stream)->length, 0);
	stream_memory_connect(stream, stream->callback, stream->io.data);
	if (test->fail_handshake)
		stream_close(&test->server);
}

static void start(struct test *test, enum imap_security security, const struct imap_credentials *credentials)
{
	struct stream *near;
	struct imap_client_options options = {.security = security, .start_tls = start_tls, .data = test,
		.timeout_ms = TIMEOUT_MS, .trace_user = "alice", .for_address = test->for_address};

	test->loop = loop_create_manual(0);
	stream_memory_pair(test->loop, &near, &test->server);
	stream_own(test->server, server_happened, test);
	test->client = imap_client_create(near, &options, credentials, &events, test);
	loop_settle(test->loop);
}

static void finish(struct test *test)
{
	imap_client_close(&test->client);
	stream_close(&test->server);
	buffer_release(&test->got);
	loop_free(&test->loop);
	*test = (struct test){0};
}

/* The server says this. */
static void say(struct test *test, const char *text)
{
	stream_write(test->server, text, strlen(text));
	loop_settle(test->loop);
}

/* The client has sent exactly this since it was last asked. */
static void expect_sent(struct test *test, const char *text)
{
	assert_string_equal(buffer_string(&test->got), text);
	buffer_truncate(&test->got, 0);
}

static void logs_in(struct test *test)
{
	start(test, IMAP_PLAIN, &alice);
	say(test, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN IDLE] hi\r\n");
	expect_sent(test, "A1 AUTHENTICATE PLAIN AGFsaWNlAHNlImNyZXQ=\r\n");
	say(test, "A1 OK [CAPABILITY IMAP4rev1 IDLE CONDSTORE] in\r\n");
	assert_int_equal(test->ready, 1);
}

static struct stream *another(void *data, unsigned *address)
{
	struct test *test = data;
	struct stream *near;

	if (++*address > 2)
		return NULL;
	if (*address == 1 || test->fail_handshake)
		return stream_refused(test->loop, NULL, NULL, *address == 1 ? "nobody there" : "nobody there, either");
	stream_memory_pair(test->loop, &near, &test->server);
	stream_own(test->server, server_happened, test);
	return near;
}

static void start_unreached(struct test *test)
{
	struct imap_client_options options = {.security = IMAP_PLAIN, .another = another, .data = test,
		.timeout_ms = TIMEOUT_MS, .trace_user = "alice"};

	test->loop = loop_create_manual(0);
	test->client = imap_client_create(stream_refused(test->loop, NULL, NULL, "nobody"), &options, &alice, &events, test);
	loop_settle(test->loop);
}

static void the_next_address_is_tried_when_one_is_not_reached(void **state)
{
	struct test test = {0};

	(void)state;
	start_unreached(&test);
	say(&test, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello\r\n");
	assert_int_equal(test.failures, 0);
	say(&test, "A1 OK [CAPABILITY IMAP4rev1] in\r\n");
	assert_int_equal(test.ready, 1);
	finish(&test);
}

static void only_the_last_address_says_why(void **state)
{
	struct test test = {.fail_handshake = true};

	(void)state;
	start_unreached(&test);
	assert_int_equal(test.failures, 1);
	assert_string_equal(test.why, "nobody there, either");
	finish(&test);
}

static void a_silent_address_does_not_take_the_time_of_the_next(void **state)
{
	struct test test = {0};
	struct imap_client_options options = {.security = IMAP_PLAIN, .another = another, .address = 1,
		.data = &test, .timeout_ms = TIMEOUT_MS, .trace_user = "alice"};
	struct stream *near;

	(void)state;
	test.loop = loop_create_manual(0);
	stream_memory_pair(test.loop, &near, &test.silent);
	test.client = imap_client_create(near, &options, &alice, &events, &test);
	loop_advance(test.loop, TIMEOUT_MS / IMAP_ADDRESSES_SHARE);
	assert_non_null(test.server);
	assert_int_equal(test.failures, 0);
	loop_advance(test.loop, TIMEOUT_MS);
	assert_int_equal(test.failures, 1);
	stream_close(&test.silent);
	finish(&test);
}

static void who_was_reached_is_not_tried_elsewhere(void **state)
{
	struct test test = {0};

	(void)state;
	start_unreached(&test);
	say(&test, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello\r\n");
	stream_close(&test.server);
	loop_settle(test.loop);
	assert_int_equal(test.failures, 1);
	finish(&test);
}

static void a_login_takes_what_the_server_offers(void **state)
{
	struct test test = {0};

	(void)state;
	logs_in(&test);
	assert_int_equal(imap_client_capabilities(test.client), IMAP_CAP_IDLE | IMAP_CAP_CONDSTORE);
	finish(&test);

	start(&test, IMAP_PLAIN, &alice);
	say(&test, "* OK hi\r\n");
	expect_sent(&test, "A1 CAPABILITY\r\n");
	say(&test, "* CAPABILITY IMAP4rev1\r\nA1 OK done\r\n");
	expect_sent(&test, "A2 LOGIN \"alice\" \"se\\\"cret\"\r\n");
	say(&test, "A2 OK in\r\n");
	expect_sent(&test, "A3 CAPABILITY\r\n");
	assert_int_equal(test.ready, 0);
	say(&test, "* CAPABILITY IMAP4rev1 NOTIFY\r\nA3 OK done\r\n");
	assert_int_equal(test.ready, 1);
	assert_int_equal(imap_client_capabilities(test.client), IMAP_CAP_NOTIFY);
	finish(&test);
}

static void a_master_logs_in_as_somebody_else(void **state)
{
	struct test test = {0};

	(void)state;
	start(&test, IMAP_PLAIN, &as_alice);
	say(&test, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n");
	expect_sent(&test, "A1 AUTHENTICATE PLAIN\r\n");
	say(&test, "+\r\n");
	expect_sent(&test, "YWxpY2UAbWFzdGVyAG0=\r\n");
	say(&test, "* CAPABILITY IMAP4rev1 IDLE\r\nA1 OK in\r\n");
	assert_int_equal(test.ready, 1);
	finish(&test);

	start(&test, IMAP_PLAIN, &as_alice);
	say(&test, "* OK [CAPABILITY IMAP4rev1] hi\r\n");
	assert_int_equal(test.failure, IMAP_FAILED_PROTOCOL);
	finish(&test);
}

static void an_odd_password_travels_as_a_literal(void **state)
{
	struct test test = {0};

	(void)state;
	start(&test, IMAP_PLAIN, &odd);
	say(&test, "* OK [CAPABILITY IMAP4rev1] hi\r\n");
	expect_sent(&test, "A1 LOGIN {5}\r\n");
	say(&test, "+ go\r\n");
	expect_sent(&test, "alice {5}\r\n");
	say(&test, "+ go\r\n");
	expect_sent(&test, "gr\xc3\xbcn\r\n");
	say(&test, "A1 OK [CAPABILITY IMAP4rev1] in\r\n");
	assert_int_equal(test.ready, 1);
	finish(&test);
}

static void collect_line(enum log_level level, const char *line, void *data)
{
	(void)level;
	buffer_append_string(data, line);
	buffer_append_string(data, "\n");
}

static void a_trace_shows_commands_and_no_credentials(void **state)
{
	static const struct imap_credentials *const all[] = {&alice, &odd, &as_alice};
	static const char *const offers[] = {"SASL-IR AUTH=PLAIN", "AUTH=PLAIN", "IDLE"};
	static const char *const secrets[] = {"se\\\"cret", "se\"cret", "AGFsaWNlAHNlImNyZXQ", "gr\xc3\xbcn", "AGFsaWNlAGdyw7x",
		"YWxpY2UAbWFzdGVyAG0"};
	struct buffer log = BUFFER_EMPTY;
	struct test test = {0};
	char greeting[100];

	(void)state;
	log_set_sink(collect_line, &log);
	log_trace_user("alice");
	for (size_t i = 0; i < 9; i++) {
		start(&test, IMAP_PLAIN, all[i % 3]);
		snprintf(greeting, sizeof greeting, "* OK [CAPABILITY IMAP4rev1 %s] hi\r\n", offers[i / 3]);
		say(&test, greeting);
		say(&test, "+ go on\r\n");
		say(&test, "+ go on\r\n");
		say(&test, "A1 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
		finish(&test);
	}
	log_trace_user(NULL);
	log_set_sink(NULL, NULL);
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		assert_null(strstr(buffer_string(&log), secrets[i]));
	assert_non_null(strstr(buffer_string(&log), "user=alice C: A1 AUTHENTICATE PLAIN ***\n"));
	assert_non_null(strstr(buffer_string(&log), "user=alice C: A1 LOGIN ***\n"));
	assert_non_null(strstr(buffer_string(&log), "user=alice S: \"* OK"));
	buffer_release(&log);
}

static void for_whom_the_login_is_goes_before_it(void **state)
{
	struct test test = {.for_address = "[2001:db8::1]"};

	(void)state;
	start(&test, IMAP_PLAIN, &alice);
	say(&test, "* OK [CAPABILITY IMAP4rev1 ID] hi\r\n");
	expect_sent(&test, "A1 ID (\"name\" \"belfry\" \"x-originating-ip\" \"2001:db8::1\")\r\n"
		"A2 LOGIN \"alice\" \"se\\\"cret\"\r\n");
	say(&test, "* ID NIL\r\nA1 BAD what\r\nA2 OK [CAPABILITY IMAP4rev1] in\r\n");
	assert_int_equal(test.ready, 1);
	finish(&test);
}

static void a_refusal_and_a_busy_server_are_told_apart(void **state)
{
	static const struct { const char *answer; enum imap_failure failure; } cases[] = {
		{"A1 NO wrong\r\n", IMAP_FAILED_REFUSED},
		{"A1 NO [AUTHENTICATIONFAILED] wrong\r\n", IMAP_FAILED_REFUSED},
		{"A1 NO [CONTACTADMIN] disabled\r\n", IMAP_FAILED_REFUSED},
		{"A1 NO [UNAVAILABLE] later\r\n", IMAP_FAILED_BUSY},
		{"A1 NO [LIMIT] too many\r\n", IMAP_FAILED_BUSY},
		{"A1 BAD what\r\n", IMAP_FAILED_PROTOCOL},
		{"* BYE going down\r\n", IMAP_FAILED_NETWORK},
		{"A9 OK not asked\r\n", IMAP_FAILED_PROTOCOL},
		{"+ what?\r\n", IMAP_FAILED_PROTOCOL},
		{"garbage\r\n", IMAP_FAILED_PROTOCOL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct test test = {0};
		start(&test, IMAP_PLAIN, &alice);
		say(&test, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n");
		say(&test, cases[i].answer);
		assert_int_equal(test.failures, 1);
		assert_int_equal(test.failure, cases[i].failure);
		assert_null(strstr(test.why, "se\"cret"));
		finish(&test);
	}
}

static void the_password_waits_for_tls(void **state)
{
	struct test test = {0};

	(void)state;
	start(&test, IMAP_STARTTLS, &alice);
	say(&test, "* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN] hi\r\n");
	expect_sent(&test, "A1 STARTTLS\r\n");
	say(&test, "A1 OK go\r\n");
	assert_int_equal(test.upgrades, 1);
	expect_sent(&test, "A2 CAPABILITY\r\n"); /* what was said before counts no more */
	say(&test, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA2 OK done\r\n");
	expect_sent(&test, "A3 AUTHENTICATE PLAIN\r\n");
	finish(&test);
}

static void without_sound_tls_no_password_leaves(void **state)
{
	static const char *const scripts[][2] = {
		{"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n", NULL},
		{"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome alice\r\n", NULL},
		{"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n", "A1 NO not now\r\n"},
		{"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n",
			"A1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA2 OK injected\r\n"},
		{"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n", "A1 OK go\r\n*"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		struct test test = {0};
		start(&test, IMAP_STARTTLS, &alice);
		for (size_t j = 0; j < 2 && scripts[i][j] != NULL; j++)
			say(&test, scripts[i][j]);
		assert_int_equal(test.failures, 1);
		assert_int_equal(test.failure, IMAP_FAILED_TLS);
		assert_int_equal(test.upgrades, 0);
		assert_null(strstr(buffer_string(&test.got), "AUTHENTICATE"));
		finish(&test);
	}
}

static void a_failed_handshake_is_a_matter_of_tls(void **state)
{
	struct test test = {.fail_handshake = true};

	(void)state;
	start(&test, IMAP_STARTTLS, &alice);
	say(&test, "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n");
	say(&test, "A1 OK go\r\n");
	assert_int_equal(test.failures, 1);
	assert_int_equal(test.failure, IMAP_FAILED_TLS);
	finish(&test);
}

static void preauth_is_no_login(void **state)
{
	struct test test = {0};

	(void)state;
	start(&test, IMAP_PLAIN, &alice);
	say(&test, "* PREAUTH welcome\r\n");
	assert_int_equal(test.failures, 1);
	assert_int_equal(test.ready, 0);
	finish(&test);
}

static void a_silent_or_dripping_server_is_given_up(void **state)
{
	struct test test = {0};

	(void)state;
	start(&test, IMAP_PLAIN, &alice);
	say(&test, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n");
	for (int i = 0; i < 6; i++) {
		loop_advance(test.loop, TIMEOUT_MS / 6 - 10);
		say(&test, "* OK wait\r\n");
	}
	assert_int_equal(test.failures, 0);
	loop_advance(test.loop, 100);
	assert_int_equal(test.failures, 1);
	assert_int_equal(test.failure, IMAP_FAILED_NETWORK);
	finish(&test);

	logs_in(&test);
	loop_advance(test.loop, 100 * TIMEOUT_MS);
	assert_int_equal(test.failures, 0);
	imap_client_command(test.client, "NOOP", was_answered, &test);
	loop_advance(test.loop, TIMEOUT_MS);
	assert_int_equal(test.failure, IMAP_FAILED_NETWORK);
	assert_int_equal(test.answers, 0);
	finish(&test);
}

static void commands_are_answered_in_any_order(void **state)
{
	struct test test = {0};

	(void)state;
	logs_in(&test);
	imap_client_command(test.client, "STATUS INBOX (UNSEEN)", was_answered, &test);
	imap_client_command(test.client, "NOOP", was_answered, &test);
	loop_settle(test.loop);
	expect_sent(&test, "A2 STATUS INBOX (UNSEEN)\r\nA3 NOOP\r\n");
	say(&test, "A3 OK done\r\n* STATUS INBOX (UNSEEN 1)\r\n");
	assert_int_equal(test.answers, 1);
	assert_int_equal(test.told, 1);
	say(&test, "A2 NO gone\r\n");
	assert_int_equal(test.answers, 2);
	assert_int_equal(test.condition, IMAP_NO);
	imap_client_command(test.client, "NOOP", was_answered, &test);
	loop_settle(test.loop);
	expect_sent(&test, "A4 NOOP\r\n");
	finish(&test);
}

static void many_commands_go_in_batches(void **state)
{
	struct test test = {0};
	int lines = 0;

	(void)state;
	logs_in(&test);
	for (int i = 0; i < IMAP_COMMANDS_MAX + 1; i++)
		imap_client_command(test.client, "NOOP", was_answered, &test);
	loop_settle(test.loop);
	for (size_t i = 0; i < test.got.length; i++)
		lines += test.got.data[i] == '\n';
	assert_int_equal(lines, IMAP_COMMANDS_MAX);
	buffer_truncate(&test.got, 0);
	say(&test, "A2 OK\r\n");
	expect_sent(&test, "A66 NOOP\r\n");
	finish(&test);
}

static void it_rests_in_idle_between_commands(void **state)
{
	struct test test = {0};

	(void)state;
	logs_in(&test);
	imap_client_idle(test.client);
	loop_settle(test.loop);
	expect_sent(&test, "A2 IDLE\r\n");
	imap_client_command(test.client, "NOOP", was_answered, &test);
	loop_settle(test.loop);
	expect_sent(&test, ""); /* DONE before "+" would not be understood */
	say(&test, "+ idling\r\n");
	expect_sent(&test, "DONE\r\n");
	say(&test, "* 3 EXISTS\r\nA2 OK idled\r\n");
	expect_sent(&test, "A3 NOOP\r\n");
	say(&test, "A3 OK\r\n");
	expect_sent(&test, "A4 IDLE\r\n");
	assert_int_equal(test.told, 1);
	say(&test, "+ idling\r\n");
	imap_client_logout(&test.client);
	loop_settle(test.loop);
	expect_sent(&test, "DONE\r\nZ LOGOUT\r\n");
	finish(&test);
}

static void a_quiet_idle_is_probed_and_a_dead_one_found(void **state)
{
	struct test test = {0};

	(void)state;
	logs_in(&test);
	imap_client_idle(test.client);
	say(&test, "+ idling\r\n");
	expect_sent(&test, "A2 IDLE\r\n");
	for (int i = 0; i < 13; i++) { /* 26 minutes with a sign of life each 2 */
		loop_advance(test.loop, 120000);
		say(&test, "* OK Still here\r\n");
	}
	expect_sent(&test, "");
	loop_advance(test.loop, 120000);
	expect_sent(&test, "DONE\r\n"); /* RFC 2177: before 29 minutes, come what may */
	say(&test, "A2 OK\r\n");
	expect_sent(&test, "A3 IDLE\r\n");
	say(&test, "+ idling\r\n");
	loop_advance(test.loop, IMAP_IDLE_SILENCE_MS);
	expect_sent(&test, "DONE\r\n");
	assert_int_equal(test.failures, 0);
	loop_advance(test.loop, TIMEOUT_MS);
	assert_int_equal(test.failures, 1);
	assert_int_equal(test.failure, IMAP_FAILED_NETWORK);
	finish(&test);
}

static void a_server_that_will_not_idle_is_not_asked_for_ever(void **state)
{
	struct test test = {0};

	(void)state;
	logs_in(&test);
	imap_client_idle(test.client);
	say(&test, "+ idling\r\nA2 OK that was it\r\n");
	assert_int_equal(test.failure, IMAP_FAILED_PROTOCOL);
	finish(&test);

	logs_in(&test);
	imap_client_idle(test.client);
	say(&test, "A2 BAD no\r\n");
	assert_int_equal(test.failure, IMAP_FAILED_PROTOCOL);
	finish(&test);
}

static void an_endless_response_is_cut_off(void **state)
{
	struct test test = {0};
	static char flood[IMAP_RESPONSE_MAX + 1];

	(void)state;
	logs_in(&test);
	memset(flood, 'x', sizeof flood - 1);
	say(&test, flood);
	assert_int_equal(test.failure, IMAP_FAILED_PROTOCOL);
	finish(&test);
}

static void a_closed_connection_is_told_once(void **state)
{
	struct test test = {0};

	(void)state;
	logs_in(&test);
	stream_write(test.server, "* BYE\r\n", 7);
	stream_finish(&test.server);
	loop_settle(test.loop);
	assert_int_equal(test.failures, 1);
	finish(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_address_is_tried_when_one_is_not_reached),
		cmocka_unit_test(only_the_last_address_says_why),
		cmocka_unit_test(a_silent_address_does_not_take_the_time_of_the_next),
		cmocka_unit_test(who_was_reached_is_not_tried_elsewhere),
		cmocka_unit_test(a_login_takes_what_the_server_offers),
		cmocka_unit_test(a_master_logs_in_as_somebody_else),
		cmocka_unit_test(an_odd_password_travels_as_a_literal),
		cmocka_unit_test(a_trace_shows_commands_and_no_credentials),
		cmocka_unit_test(for_whom_the_login_is_goes_before_it),
		cmocka_unit_test(a_refusal_and_a_busy_server_are_told_apart),
		cmocka_unit_test(the_password_waits_for_tls),
		cmocka_unit_test(without_sound_tls_no_password_leaves),
		cmocka_unit_test(a_failed_handshake_is_a_matter_of_tls),
		cmocka_unit_test(preauth_is_no_login),
		cmocka_unit_test(a_silent_or_dripping_server_is_given_up),
		cmocka_unit_test(commands_are_answered_in_any_order),
		cmocka_unit_test(many_commands_go_in_batches),
		cmocka_unit_test(it_rests_in_idle_between_commands),
		cmocka_unit_test(a_quiet_idle_is_probed_and_a_dead_one_found),
		cmocka_unit_test(a_server_that_will_not_idle_is_not_asked_for_ever),
		cmocka_unit_test(an_endless_response_is_cut_off),
		cmocka_unit_test(a_closed_connection_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
