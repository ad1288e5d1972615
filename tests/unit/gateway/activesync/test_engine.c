/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine from outside: what is refused, and how, before a command runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/gateway/activesync/try_engine.h"

static void options_tell_versions_and_commands(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	assert_int_equal(try_ask(&try, &(struct try_request){.method = "OPTIONS", .query = ""}), 200);
	assert_string_equal(try_header(&try, "MS-ASProtocolVersions"), "12.1,14.0,14.1");
	assert_non_null(strstr(try_header(&try, "MS-ASProtocolCommands"), "Sync"));
	assert_non_null(strstr(try_header(&try, "MS-ASProtocolCommands"), "Ping"));
	assert_string_equal(try_header(&try, "Content-Length"), "0");
	assert_int_equal(try.begins, 0);
	try_end(&try);
}

static void who_does_not_log_in_is_asked_to(void **state)
{
	static const struct {
		const char *login;
		bool is_asked; /* the connector is */
	} cases[] = {
		{"", false}, {"alice", false}, {"alice:wrong", true}, {"bob:secret", true}, {":secret", false},
		{"al ice:secret", false}, {"alice:", false},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
		try_begin(&try, NULL);
		bool is_options = i % 2 == 1;
		struct try_request ask = {.command = "FolderSync", .login = cases[i / 2].login, .body = "FolderSync{SyncKey=0}"};
		if (is_options)
			ask = (struct try_request){.method = "OPTIONS", .query = "", .login = cases[i / 2].login};
		assert_int_equal(try_ask(&try, &ask), 401);
		assert_string_equal(try_header(&try, "WWW-Authenticate"), "Basic realm=\"ActiveSync\"");
		assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_LOGIN], cases[i / 2].is_asked);
		assert_int_equal(try.begins, 0);
		assert_int_equal(try.outcomes, 0); /* nothing of a stranger goes to the hub */
		try_end(&try);
	}
}

static void what_a_phone_says_of_itself_forges_no_pairs(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	try_ask(&try, &(struct try_request){.command = "FolderSync", .body = "FolderSync{SyncKey=0}",
		.agent = "x\r\nX-Forwarded-For: 192.0.2.1 login=ok"});
	assert_non_null(strstr(try_logged(), " address=local"));
	try_end(&try);
}

static void a_login_that_cannot_be_checked_is_to_come_again(void **state)
{
	static const struct {
		Belfry__Connector__Status status;
		unsigned retry_after_s;
		const char *header;
	} cases[] = {
		{BELFRY__CONNECTOR__STATUS__UNAVAILABLE, 0, "30"},
		{BELFRY__CONNECTOR__STATUS__UNAVAILABLE, 7, "7"},
		{BELFRY__CONNECTOR__STATUS__THROTTLED, 300, "300"},
		{BELFRY__CONNECTOR__STATUS__LIMIT, 0, "30"},
		{BELFRY__CONNECTOR__STATUS__UNSUPPORTED, 0, "30"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		try_begin(&try, NULL);
		try.refuse[BELFRY__CONNECTOR__REQUEST__BODY_LOGIN] = cases[i].status;
		try.retry_after_s = cases[i].retry_after_s;
		assert_int_equal(try_ask(&try, &(struct try_request){.command = "Ping"}), 503);
		assert_string_equal(try_header(&try, "Retry-After"), cases[i].header);
		assert_int_equal(try.begins, 0);
		try_end(&try);
	}
}

static void a_user_whom_no_connector_serves_is_refused(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	assert_int_equal(try_ask(&try, &(struct try_request){.command = "Ping", .login = "alice@elsewhere.net:secret"}), 403);
	try_end(&try);
}

static void a_wrong_header_is_an_http_error(void **state)
{
	static const struct {
		struct try_request ask;
		unsigned status;
	} cases[] = {
		{{.method = "GET", .command = "Sync"}, 405},
		{{.method = "PUT", .command = "Sync"}, 405},
		{{.command = "Sync", .version = "2.5"}, 400},
		{{.command = "Sync", .version = "16.0"}, 400},
		{{.command = "Sync", .version = "14.1.0"}, 400},
		{{.command = "Sync", .version = "x"}, 400},
		{{.command = "Sync", .version = ""}, 400},
		{{.command = "Dance"}, 501},
		{{.command = ""}, 501},
		{{.query = ""}, 400},
		{{.query = "Cmd=Sync", .version = "12.1"}, 400},
		{{.query = "Cmd=Dance"}, 400},
		{{.query = "Cmd=GetAttachment"}, 400},
		{{.query = "Cmd=Sync", .version = "16.1"}, 400},
		{{.query = "Cmd=Sync&DeviceId=dev%zz&DeviceType=phone"}, 400},
		{{.query = "jAAJBAp2MTQwRGV2aWNl"}, 400},
		{{.query = "rubbish"}, 400},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		try_begin(&try, NULL);
		if (try_ask(&try, &cases[i].ask) != cases[i].status)
			fail_msg("case %zu: %u instead of %u", i, try.status, cases[i].status);
		assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_LOGIN], 0);
		try_end(&try);
	}
}

static void a_wrong_device_has_a_status_of_its_own(void **state)
{
	static const struct {
		const char *query, *status;
	} cases[] = {
		{"Cmd=Sync", "108"}, {"Cmd=Ping&DeviceId=&DeviceType=phone", "108"},
		{"Cmd=FolderSync&DeviceId=123456789012345678901234567890123&DeviceType=phone", "108"},
		{"Cmd=Sync&DeviceId=dev1", "109"}, {"Cmd=Provision&DeviceId=dev1&DeviceType=%01", "109"},
		{"jAAJBAAACnNtYXJ0UGhvbmU=", "108"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		try_begin(&try, NULL);
		assert_int_equal(try_ask(&try, &(struct try_request){.query = cases[i].query, .version = "14.0"}), 200);
		assert_string_equal(try_text(&try, "Status", 0), cases[i].status);
		assert_int_equal(try.asked[BELFRY__CONNECTOR__REQUEST__BODY_LOGIN], 0);
		assert_int_equal(try.outcomes, 0);
		try_end(&try);
	}
}

/* The specification's own example, MS-ASHTTP 2.2.1.1.1.1: Sync by version 14.0, here with an empty body. */
static void a_base64_query_is_served(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	assert_int_equal(try_ask(&try, &(struct try_request){.query = "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l",
		.version = ""}), 200);
	assert_string_equal(buffer_string(&try.xml), "<Sync xmlns=\"AirSync\"><Status>13</Status></Sync>");
	try_end(&try);
}

static void a_command_that_is_not_served_is_told_so_in_the_words_of_the_version(void **state)
{
	static const char *const commands[] = {"Find", "ResolveRecipients", "ValidateCert", "MeetingResponse"};
	struct buffer mail = BUFFER_EMPTY;
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < 3 * 1024 * 1024 / 64; i++) /* more than any other request may have */
		buffer_append_string(&mail, "From: alice@example.org\r\nSubject: a mail that is large enough\r\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		try_begin(&try, NULL);
		struct try_request ask = {.command = commands[i], .bytes = &mail, .version = "14.1"};
		assert_int_equal(try_ask(&try, &ask), 200);
		assert_string_equal(try_text(&try, "Status", 0), "137");
		ask.version = "12.1";
		assert_int_equal(try_ask(&try, &ask), 501);
		ask = (struct try_request){.command = commands[i]};
		assert_int_equal(try_ask(&try, &ask), 200);
		assert_string_equal(try_text(&try, "Status", 0), "137");
		try_end(&try);
	}
	buffer_release(&mail);
	try_begin(&try, NULL);
	/* served until 14.0 */
	assert_int_equal(try_ask(&try, &(struct try_request){.command = "GetAttachment", .version = "14.1"}), 501);
	assert_int_equal(try_ask(&try, &(struct try_request){.command = "MeetingResponse"}), 200);
	assert_string_equal(buffer_string(&try.xml), "<MeetingResponse xmlns=\"MeetingResponse\"><Result><Status>137</Status>"
		"</Result></MeetingResponse>");
	try_end(&try);
}

static void a_broken_body_is_refused_in_the_words_of_the_version(void **state)
{
	static const struct {
		const char *command, *bytes, *body;
		size_t length;
		const char *status;
	} cases[] = {
		{"Sync", "\x03\x01\x6a", NULL, 3, "102"},
		{"Sync", "not WBXML at all", NULL, 16, "102"},
		{"Sync", "\x03\x01\x6a\x00\x45", NULL, 5, "102"},
		{"Sync", NULL, "FolderSync{SyncKey=0}", 0, "103"},
		{"Ping", NULL, "Sync", 0, "103"},
		{"Ping", "\x03\x01\x6a\x00", NULL, 4, "102"},
		{"FolderSync", NULL, "Ping", 0, "103"},
		{"FolderSync", "", NULL, 0, "101"},
		{"Provision", "", NULL, 0, "101"},
		{"Provision", NULL, "Sync", 0, "103"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer bytes = BUFFER_EMPTY;
		if (cases[i].bytes != NULL)
			buffer_append(&bytes, cases[i].bytes, cases[i].length);
		struct try_request ask = {.command = cases[i].command, .body = cases[i].body,
			.bytes = cases[i].bytes == NULL ? NULL : &bytes};
		try_begin(&try, NULL);
		assert_int_equal(try_ask(&try, &ask), 200);
		if (strcmp(try_text(&try, "Status", 0), cases[i].status) != 0)
			fail_msg("case %zu: %s", i, buffer_string(&try.xml));
		ask.version = "12.1";
		assert_int_equal(try_ask(&try, &ask), 400);
		try_end(&try);
		buffer_release(&bytes);
	}
}

static void one_device_too_many_is_refused(void **state)
{
	struct try_engine try;

	(void)state;
	try_begin(&try, NULL);
	try.begin_status = BELFRY__ROLE__STATUS__LIMIT;
	struct try_request ask = {.command = "FolderSync", .body = "FolderSync{SyncKey=0}"};
	assert_int_equal(try_ask(&try, &ask), 200);
	assert_string_equal(try_text(&try, "Status", 0), "177");
	ask.version = "12.1";
	assert_int_equal(try_ask(&try, &ask), 403);
	try.begin_status = BELFRY__ROLE__STATUS__OK;
	try.commit_status = BELFRY__ROLE__STATUS__LIMIT; /* two new devices at once: found at the commit */
	ask.version = "14.1";
	try_mailbox(&try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	assert_int_equal(try_ask(&try, &ask), 200);
	assert_string_equal(try_text(&try, "Status", 0), "177");
	try_end(&try);
}

static void a_hub_that_cannot_now_makes_the_device_come_again(void **state)
{
	static const struct {
		const char *command, *body, *status;
	} cases[] = {
		{"Ping", "Ping{HeartbeatInterval=60 Folders{Folder{Id=1 Class=Email}}}", "8"},
		{"FolderSync", "FolderSync{SyncKey=0}", "6"},
		{"Sync", "Sync{Collections{Collection{SyncKey=0 CollectionId=1}}}", "16"},
		{"Provision", "Provision{Policies{Policy{PolicyType=MS-EAS-Provisioning-WBXML}}}", "3"},
	};
	struct try_engine try;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		try_begin(&try, NULL);
		try.begin_status = BELFRY__ROLE__STATUS__UNAVAILABLE;
		try_command(&try, cases[i].command, cases[i].body);
		assert_string_equal(try_text(&try, "Status", 0), cases[i].status);
		try_end(&try);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_tell_versions_and_commands),
		cmocka_unit_test(who_does_not_log_in_is_asked_to),
		cmocka_unit_test(what_a_phone_says_of_itself_forges_no_pairs),
		cmocka_unit_test(a_login_that_cannot_be_checked_is_to_come_again),
		cmocka_unit_test(a_user_whom_no_connector_serves_is_refused),
		cmocka_unit_test(a_wrong_header_is_an_http_error),
		cmocka_unit_test(a_wrong_device_has_a_status_of_its_own),
		cmocka_unit_test(a_base64_query_is_served),
		cmocka_unit_test(a_command_that_is_not_served_is_told_so_in_the_words_of_the_version),
		cmocka_unit_test(a_broken_body_is_refused_in_the_words_of_the_version),
		cmocka_unit_test(one_device_too_many_is_refused),
		cmocka_unit_test(a_hub_that_cannot_now_makes_the_device_come_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
