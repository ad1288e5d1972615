/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SendMail, SmartReply and SmartForward (MS-ASCMD 2.2.1.17 to 2.2.1.19): what the connector is asked for, and once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/activesync/send_mail.h"
#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_writer.h"
#include "tests/unit/gateway/activesync/try_engine.h"

enum { SEND = BELFRY__CONNECTOR__REQUEST__BODY_SEND };
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MAIL "From: alice@example.org\r\nTo: bob@example.org\r\n\r\nHello\r\n"

static struct try_engine try;

static int begin(void **state)
{
	(void)state;
	try_begin(&try, NULL);
	try_mailbox(&try, "INBOX", BELFRY__CONNECTOR__ROLE__INBOX);
	for (int i = 0; i < 3; i++)
		try_deliver(&try, &try.mailboxes[0], 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	try_end(&try);
	return 0;
}

/* What a request has; NULL: the element is not there. */
struct parts {
	const char *client_id, *folder, *item, *long_id, *account, *replace, *mime;
	size_t mime_length;       /* 0: strlen(mime) */
	bool save, as_text, has_source;
};

static void put(struct wbxml_writer *writer, uint16_t tag, const char *text)
{
	if (text != NULL)
		wbxml_writer_text_element(writer, tag, text);
}

static void compose(uint16_t root, const struct parts *parts, struct buffer *out)
{
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, out, &activesync_language);
	wbxml_writer_start(&writer, root);
	put(&writer, AS_COMPOSEMAIL_CLIENTID, parts->client_id);
	put(&writer, AS_COMPOSEMAIL_ACCOUNTID, parts->account);
	if (parts->has_source) {
		wbxml_writer_start(&writer, AS_COMPOSEMAIL_SOURCE);
		put(&writer, AS_COMPOSEMAIL_FOLDERID, parts->folder);
		put(&writer, AS_COMPOSEMAIL_ITEMID, parts->item);
		put(&writer, AS_COMPOSEMAIL_LONGID, parts->long_id);
		wbxml_writer_end(&writer);
	}
	if (parts->save)
		wbxml_writer_empty_element(&writer, AS_COMPOSEMAIL_SAVEINSENTITEMS);
	put(&writer, AS_COMPOSEMAIL_REPLACEMIME, parts->replace);
	if (parts->mime != NULL && parts->as_text)
		wbxml_writer_text_element(&writer, AS_COMPOSEMAIL_MIME, parts->mime);
	else if (parts->mime != NULL)
		wbxml_writer_opaque_element(&writer, AS_COMPOSEMAIL_MIME, parts->mime,
			parts->mime_length == 0 ? strlen(parts->mime) : parts->mime_length);
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
}

/* The status of the answer; "" when it is empty. */
static const char *ask(const char *command, const struct parts *parts)
{
	static const struct { const char *name; uint16_t root; } roots[] = {{"SendMail", AS_COMPOSEMAIL_SENDMAIL},
		{"SmartReply", AS_COMPOSEMAIL_SMARTREPLY}, {"SmartForward", AS_COMPOSEMAIL_SMARTFORWARD}};
	struct buffer body = BUFFER_EMPTY;

	for (size_t i = 0; i < LENGTH(roots); i++)
		if (strcmp(roots[i].name, command) == 0)
			compose(roots[i].root, parts, &body);
	assert_int_equal(try_ask(&try, &(struct try_request){.command = command, .bytes = &body}), 200);
	buffer_release(&body);
	return try.body.length == 0 ? "" : try_text(&try, "Status", 0);
}

static const char *send_as(const char *client_id)
{
	return ask("SendMail", &(struct parts){.client_id = client_id, .mime = MAIL});
}

static void a_mail_is_given_to_the_connector_as_it_is(void **state)
{
	(void)state;
	assert_string_equal(ask("SendMail", &(struct parts){.client_id = "c1", .mime = MAIL "\0\xff\r.", .save = true,
		.mime_length = sizeof MAIL + 3}), "");
	assert_int_equal(try.sent.mail.length, sizeof MAIL + 3);
	assert_memory_equal(try.sent.mail.data, MAIL "\0\xff\r.", sizeof MAIL + 3);
	assert_true(try.sent.save && !try.sent.again && !try.sent.replace && try.sent.kind == 0);
	assert_int_equal(try.sent.message_id[0], '<');
	assert_int_equal(strlen(try.sent.message_id), 2 * 16 + strlen("<@example.org>"));
	assert_string_equal(try.outcome, "SendMail status=1");
	assert_string_equal(ask("SendMail", &(struct parts){.client_id = "c2", .mime = MAIL, .as_text = true}), "");
	assert_false(try.sent.save);
	assert_string_equal(try.outcome, "SendMail status=1");
	try.keeps_no_copy = true; /* no failure, but not hidden */
	assert_string_equal(ask("SendMail", &(struct parts){.client_id = "c3", .mime = MAIL, .save = true}), "");
	assert_string_equal(try.outcome, "SendMail status=1 (sent, but no copy is kept)");
	assert_memory_equal(try.sent.mail.data, MAIL, sizeof MAIL - 1);
}

static void a_long_mail_travels_as_a_file(void **state)
{
	size_t lengths[] = {64 * 1024, 64 * 1024 + 1, 900000};
	int before = try_descriptor();

	(void)state;
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		char *mail = malloc(lengths[i]), id[8];
		memset(mail, 'x', lengths[i]);
		snprintf(id, sizeof id, "%zu", i);
		assert_string_equal(ask("SendMail", &(struct parts){.client_id = id, .mime = mail, .mime_length = lengths[i]}), "");
		assert_int_equal(try.sent.in_descriptor, i > 0);
		assert_int_equal(try.sent.mail.length, lengths[i]);
		assert_memory_equal(try.sent.mail.data, mail, lengths[i]);
		free(mail);
	}
	assert_int_equal(try_descriptor(), before);
}

static void a_mail_over_the_limit_is_told_so(void **state)
{
	char *mail = calloc(1, 1100000);
	struct buffer body = BUFFER_EMPTY;
	struct try_request huge = {.command = "SendMail", .bytes = &body};

	(void)state;
	memset(mail, 'x', 1100000);
	assert_string_equal(ask("SendMail", &(struct parts){.client_id = "c", .mime = mail, .mime_length = 1000001}), "122");
	compose(AS_COMPOSEMAIL_SENDMAIL, &(struct parts){.client_id = "c", .mime = mail, .mime_length = 1100000}, &body);
	assert_int_equal(try_ask(&try, &huge), 200);
	assert_string_equal(try_text(&try, "Status", 0), "122");
	huge.version = "12.1";
	assert_int_equal(try_ask(&try, &huge), 413);
	huge.command = "Sync";
	assert_int_equal(try_ask(&try, &huge), 413);
	huge = (struct try_request){.command = "SendMail", .bytes = &body, .login = ""};
	assert_int_equal(try_ask(&try, &huge), 401);
	assert_int_equal(try.asked[SEND], 0);
	buffer_release(&body);
	free(mail);
}

static void the_same_client_id_is_sent_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_string_equal(send_as("c1"), "");
	assert_int_equal(try.asked[SEND], 1);
	assert_string_equal(try.outcome, "SendMail status=1 (repeated)");
	assert_string_equal(send_as("c2"), "");
	assert_int_equal(try.asked[SEND], 2);
}

static void the_same_client_id_for_another_mail_is_no_repetition(void **state)
{
	const struct parts first = {.client_id = "c1", .mime = MAIL}, other = {.client_id = "c1", .mime = MAIL "other"};

	(void)state;
	try.refuse[SEND] = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	assert_string_equal(ask("SendMail", &first), "111");
	try.refuse[SEND] = BELFRY__CONNECTOR__STATUS__OK;
	assert_string_equal(ask("SendMail", &other), ""); /* nobody knows what became of the first: it is made anew */
	assert_true(try.sent.again);
	assert_string_equal(ask("SendMail", &other), "");
	assert_string_equal(ask("SendMail", &first), "118");
	assert_int_equal(try.asked[SEND], 2);
}

static void so_many_client_ids_are_known(void **state)
{
	char id[16];

	(void)state;
	for (int i = 0; i <= SENT_KEPT; i++) {
		snprintf(id, sizeof id, "c%d", i);
		assert_string_equal(send_as(id), "");
	}
	assert_int_equal(try.asked[SEND], SENT_KEPT + 1);
	assert_string_equal(send_as("c1"), "");
	assert_int_equal(try.asked[SEND], SENT_KEPT + 1);
	assert_string_equal(send_as("c0"), ""); /* forgotten */
	assert_int_equal(try.asked[SEND], SENT_KEPT + 2);
	for (size_t i = 0; i < try.record_count; i++)
		if (strcmp(try.records[i].key, "sent") == 0)
			assert_true(try.records[i].value.length < SENT_KEPT * 50);
}

static void each_status_of_the_connector_has_its_own(void **state)
{
	static const struct { Belfry__Connector__Status said; const char *status; bool is_known; } cases[] = {
		{BELFRY__CONNECTOR__STATUS__NO_RECIPIENT, "119", false},
		{BELFRY__CONNECTOR__STATUS__BAD_RECIPIENT, "116", false},
		{BELFRY__CONNECTOR__STATUS__BAD_MAIL, "107", false},
		{BELFRY__CONNECTOR__STATUS__NOT_SENT, "120", false},
		{BELFRY__CONNECTOR__STATUS__UNSUPPORTED, "120", false},
		{BELFRY__CONNECTOR__STATUS__TOO_LARGE, "122", false},
		{BELFRY__CONNECTOR__STATUS__NOT_FOUND, "150", false},
		{BELFRY__CONNECTOR__STATUS__STALE, "150", false},
		{BELFRY__CONNECTOR__STATUS__DEFERRED, "111", false},
		{BELFRY__CONNECTOR__STATUS__UNAVAILABLE, "111", true}, /* it may have been sent */
		{BELFRY__CONNECTOR__STATUS__LIMIT, "111", true},
	};
	char id[16];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		snprintf(id, sizeof id, "c%zu", i);
		try.refuse[SEND] = cases[i].said;
		assert_string_equal(send_as(id), cases[i].status);
		try.refuse[SEND] = BELFRY__CONNECTOR__STATUS__OK;
		assert_string_equal(send_as(id), "");
		assert_int_equal(try.sent.again, cases[i].is_known);
		assert_int_equal(try.asked[SEND], 2 * (i + 1));
	}
}

static void the_message_id_of_a_repeated_mail_is_the_same(void **state)
{
	char first[100];

	(void)state;
	try.refuse[SEND] = BELFRY__CONNECTOR__STATUS__OK;
	try.send_progress = 3; /* nobody minds */
	assert_string_equal(send_as("c0"), "");
	try.connector_is_silent = true;
	struct buffer body = BUFFER_EMPTY;
	compose(AS_COMPOSEMAIL_SENDMAIL, &(struct parts){.client_id = "c1", .mime = MAIL}, &body);
	assert_int_equal(try_ask(&try, &(struct try_request){.command = "SendMail", .bytes = &body}), 0);
	assert_int_equal(try_advance(&try, (CONNECTOR_TIMEOUT_S + CONNECTOR_MARGIN_S) * 1000), 200);
	assert_string_equal(try_text(&try, "Status", 0), "111");
	try.connector_is_silent = false;
	assert_string_equal(send_as("c1"), "");
	snprintf(first, sizeof first, "%s", try.sent.message_id);
	assert_true(try.sent.again);
	assert_string_equal(send_as("c2"), "");
	assert_string_not_equal(try.sent.message_id, first);
	buffer_release(&body);
}

static void nothing_is_sent_that_was_not_written_down(void **state)
{
	(void)state;
	try.commit_status = BELFRY__ROLE__STATUS__UNAVAILABLE;
	assert_string_equal(send_as("c1"), "111");
	assert_int_equal(try.asked[SEND], 0);
	try.commit_status = BELFRY__ROLE__STATUS__OK;
	assert_string_equal(send_as("c1"), "");
	assert_false(try.sent.again);
}

static void an_original_is_named_to_the_connector(void **state)
{
	static const struct { const char *command; struct parts parts; int kind; } cases[] = {
		{"SmartReply", {.client_id = "c0", .has_source = true, .folder = "1", .item = "1:2", .mime = MAIL}, 1},
		{"SmartForward", {.client_id = "c1", .has_source = true, .folder = "1", .item = "1:2", .mime = MAIL}, 2},
		{"SmartForward", {.client_id = "c2", .has_source = true, .long_id = "1:2", .mime = MAIL, .replace = "1"}, 2},
		{"SmartReply", {.client_id = "c3", .has_source = true, .folder = "1", .item = "1:2", .mime = MAIL, .replace = ""}, 1},
	};

	(void)state;
	try_folders(&try);
	try_sync_all(&try, 1);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_string_equal(ask(cases[i].command, &cases[i].parts), "");
		assert_int_equal(try.sent.kind, cases[i].kind);
		assert_string_equal(try.sent.collection, "INBOX");
		assert_int_equal(try.sent.validity, 7);
		assert_int_equal(try.sent.item, 2);
		assert_int_equal(try.sent.replace, cases[i].parts.replace != NULL);
	}
}

static void what_is_no_request_to_send_has_its_status(void **state)
{
	static const struct { const char *command; struct parts parts; const char *status; } cases[] = {
		{"SendMail", {.mime = MAIL}, "103"},
		{"SendMail", {.client_id = "", .mime = MAIL}, "103"},
		{"SendMail", {.client_id = "12345678901234567890123456789012345678901", .mime = MAIL}, "103"},
		{"SendMail", {.client_id = "c"}, "103"},
		{"SendMail", {.client_id = "c", .mime = "", .as_text = true}, "107"},
		{"SendMail", {.client_id = "c", .mime = MAIL, .account = "other"}, "166"},
		{"SendMail", {.client_id = "c", .mime = MAIL, .replace = "2"}, "103"},
		{"SmartReply", {.client_id = "c", .mime = MAIL}, "103"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true}, "103"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "1"}, "103"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .item = "1:1"}, "103"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "1", .long_id = "1:1"}, "105"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "1", .item = "2:1"}, "150"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "9", .item = "9:1"}, "150"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "1", .item = "1:0"}, "150"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "1", .item = "1:-1"}, "150"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "1", .item = "1:1x"}, "150"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "1",
			.item = "1:99999999999999999999"}, "150"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "1",
			.item = "11111111111111111111111:1"}, "150"},
		{"SmartReply", {.client_id = "c", .mime = MAIL, .has_source = true, .folder = "", .item = ""}, "150"},
	};

	(void)state;
	try_folders(&try);
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(ask(cases[i].command, &cases[i].parts), cases[i].status);
	assert_int_equal(try.asked[SEND], 0);
	assert_string_equal(send_as("c"), ""); /* nothing of these is remembered */
}

/* --- 12.1 ------------------------------------------------------------------------------------------------------ */

static unsigned post(const char *query, const char *mail)
{
	struct buffer body = BUFFER_EMPTY;
	char all[256];

	snprintf(all, sizeof all, "%s&User=alice&DeviceId=dev1&DeviceType=phone", query);
	buffer_append_string(&body, mail);
	unsigned status = try_ask(&try, &(struct try_request){.query = all, .bytes = &body, .version = "12.1",
		.type = "message/rfc822"});
	buffer_release(&body);
	return status;
}

static void until_12_1_the_body_is_the_mail(void **state)
{
	(void)state;
	assert_int_equal(post("Cmd=SendMail&SaveInSent=T", MAIL), 200);
	assert_int_equal(try.body.length, 0);
	assert_true(try.sent.save);
	assert_memory_equal(try.sent.mail.data, MAIL, sizeof MAIL - 1);
	assert_int_equal(post("Cmd=SendMail", MAIL "other"), 200);
	assert_false(try.sent.save);
	try_folders(&try);
	assert_int_equal(post("Cmd=SmartForward&CollectionId=1&ItemId=1:3", MAIL), 200);
	assert_int_equal(try.sent.item, 3);
	assert_int_equal(post("Cmd=SmartForward&ItemId=1:2", MAIL), 200);
	assert_int_equal(try.sent.item, 2);
	assert_int_equal(post("Cmd=SmartForward&LongId=1:1", MAIL), 200);
	assert_int_equal(try.sent.item, 1);
	assert_int_equal(post("Cmd=SmartForward&CollectionId=2&ItemId=1:2", MAIL), 400);
	assert_int_equal(try.asked[SEND], 5);
}

static void until_12_1_the_same_octets_within_minutes_are_the_same_mail(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(post("Cmd=SendMail", MAIL), 200);
	assert_int_equal(try.asked[SEND], 1);
	try_advance(&try, (SENT_REPEAT_S + 1) * 1000);
	assert_int_equal(post("Cmd=SendMail", MAIL), 200);
	assert_int_equal(try.asked[SEND], 2);
}

static void until_12_1_failures_are_http_errors(void **state)
{
	(void)state;
	try.refuse[SEND] = BELFRY__CONNECTOR__STATUS__NOT_SENT;
	assert_int_equal(post("Cmd=SendMail", MAIL), 500);
	try.refuse[SEND] = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	assert_int_equal(post("Cmd=SendMail", MAIL), 503);
	try.refuse[SEND] = BELFRY__CONNECTOR__STATUS__TOO_LARGE;
	assert_int_equal(post("Cmd=SendMail", MAIL "x"), 413);
	assert_int_equal(post("Cmd=SendMail", ""), 400);
	assert_int_equal(try_ask(&try, &(struct try_request){.command = "SendMail", .version = "12.1",
		.body = "ComposeMail:SendMail{ClientId=1 Mime=x}"}), 400);
}

/* --- trouble --------------------------------------------------------------------------------------------------- */

/* Whatever ends, and at whichever message, the request is answered or over, nothing stays open, and the mail can be sent. */
static void trouble_at_any_message_is_survived(void **state)
{
	(void)state;
	end(state);
	for (enum try_trouble trouble = TROUBLE_HUB_ENDS; trouble < TROUBLES; trouble++)
		for (unsigned at = 1; at <= 5; at++) {
			int before = try_descriptor();
			begin(state);
			char *mail = malloc(100000);
			struct buffer body = BUFFER_EMPTY;
			memset(mail, 'x', 100000);
			compose(AS_COMPOSEMAIL_SENDMAIL, &(struct parts){.client_id = "c", .mime = mail, .mime_length = 100000}, &body);
			try.trouble = trouble;
			try.trouble_at = at;
			try_ask(&try, &(struct try_request){.command = "SendMail", .bytes = &body});
			if (try.front != NULL)
				try_advance(&try, HUB_TIMEOUT_MS + (CONNECTOR_TIMEOUT_S + CONNECTOR_MARGIN_S) * 1000);
			try.trouble_at = 0;
			try.hub_is_silent = try.connector_is_silent = false;
			if (try.front != NULL) {
				try_advance(&try, 10000);
				assert_int_equal(try_ask(&try, &(struct try_request){.command = "SendMail", .bytes = &body}), 200);
				assert_int_equal(try.body.length, 0);
			}
			buffer_release(&body);
			free(mail);
			try_errors();
			end(state);
			assert_int_equal(try_descriptor(), before);
		}
	begin(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mail_is_given_to_the_connector_as_it_is, begin, end),
		cmocka_unit_test_setup_teardown(a_long_mail_travels_as_a_file, begin, end),
		cmocka_unit_test_setup_teardown(a_mail_over_the_limit_is_told_so, begin, end),
		cmocka_unit_test_setup_teardown(the_same_client_id_is_sent_once, begin, end),
		cmocka_unit_test_setup_teardown(the_same_client_id_for_another_mail_is_no_repetition, begin, end),
		cmocka_unit_test_setup_teardown(so_many_client_ids_are_known, begin, end),
		cmocka_unit_test_setup_teardown(each_status_of_the_connector_has_its_own, begin, end),
		cmocka_unit_test_setup_teardown(the_message_id_of_a_repeated_mail_is_the_same, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_sent_that_was_not_written_down, begin, end),
		cmocka_unit_test_setup_teardown(an_original_is_named_to_the_connector, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_request_to_send_has_its_status, begin, end),
		cmocka_unit_test_setup_teardown(until_12_1_the_body_is_the_mail, begin, end),
		cmocka_unit_test_setup_teardown(until_12_1_the_same_octets_within_minutes_are_the_same_mail, begin, end),
		cmocka_unit_test_setup_teardown(until_12_1_failures_are_http_errors, begin, end),
		cmocka_unit_test_setup_teardown(trouble_at_any_message_is_survived, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
