/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Framing and parsing of what IMAP servers say, and of what they should not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/mem.h"
#include "lib/imap/response.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void a_response_ends_where_its_last_literal_line_ends(void **state)
{
	static const struct { const char *bytes; ssize_t length; } cases[] = {
		{"* OK hi\r\n* BYE\r\n", 9},
		{"* OK hi\n", 8},
		{"* OK hi\r", 0},
		{"", 0},
		{"* STATUS {5}\r\nINBOX (UNSEEN 1)\r\nA1 OK\r\n", 32},
		{"* STATUS {5+}\r\nINBOX (UNSEEN 1)\r\n", 33},
		{"* STATUS {5}\r\nINB", 0},
		{"* STATUS {5}\r\nINBOX", 0},
		{"* LIST () {3}\r\n\r\n\r {2}\r\nab\r\n", 28},
		{"* OK nothing follows {99}\r\n", 27},
		{"A1 OK done {99}\r\n", 17},
		{"+ go on {99}\r\n", 14},
		{"* bye {99}\r\n", 12},
		{"* BYEBYE {3}\r\nabc\r\n", 19},
		{"* STATUS {65536}\r\nINBOX", -1},
		{"* STATUS {99999999999999999999999}\r\n", -1},
		{"* STATUS {0}\r\n\r\n", 16},
		{"* STATUS {}\r\n", 13},
		{"* STATUS 5}\r\n", 13},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct imap_framer framer = {0};
		assert_int_equal(imap_framer_next(&framer, cases[i].bytes, strlen(cases[i].bytes)), cases[i].length);
	}
}

static void a_response_that_comes_byte_by_byte_is_framed_alike(void **state)
{
	static const char bytes[] = "* LIST () {3}\r\na\r\n \"/\"\r\n";
	struct imap_framer framer = {0};

	(void)state;
	for (size_t length = 1; length < sizeof bytes - 1; length++)
		assert_int_equal(imap_framer_next(&framer, bytes, length), 0);
	assert_int_equal(imap_framer_next(&framer, bytes, sizeof bytes - 1), sizeof bytes - 1);
}

static void a_line_without_end_is_too_long(void **state)
{
	char *bytes = mem_alloc(IMAP_RESPONSE_MAX);
	struct imap_framer framer = {0};

	(void)state;
	memset(bytes, 'x', IMAP_RESPONSE_MAX);
	assert_int_equal(imap_framer_next(&framer, bytes, IMAP_RESPONSE_MAX - 1), 0);
	assert_int_equal(imap_framer_next(&framer, bytes, IMAP_RESPONSE_MAX), -1);
	free(bytes);
}

static struct imap_response parsed(const char *bytes)
{
	struct imap_response response;

	assert_int_equal(imap_response_parse(bytes, strlen(bytes), &response), 0);
	return response;
}

static void each_kind_of_response_is_told_apart(void **state)
{
	struct imap_response response = parsed("* 23 EXISTS\r\n");

	(void)state;
	assert_int_equal(response.kind, IMAP_UNTAGGED);
	assert_true(response.has_number && response.number == 23);
	assert_true(imap_text_is(response.keyword, "exists"));

	response = parsed("* ok [CAPABILITY IMAP4rev1 IDLE] ready\r\n");
	assert_int_equal(response.condition, IMAP_OK);
	assert_true(imap_text_is(response.code, "CAPABILITY"));
	assert_true(imap_text_is(response.code_rest, "IMAP4rev1 IDLE"));
	assert_true(imap_text_is(response.text, "ready"));

	response = parsed("A7 NO [AUTHENTICATIONFAILED] no way\r\n");
	assert_int_equal(response.kind, IMAP_TAGGED);
	assert_int_equal(response.condition, IMAP_NO);
	assert_true(imap_text_is(response.tag, "A7"));
	assert_true(imap_text_is(response.code, "AUTHENTICATIONFAILED"));

	response = parsed("+ idling\r\n");
	assert_int_equal(response.kind, IMAP_CONTINUATION);
	assert_true(imap_text_is(response.text, "idling"));
	assert_int_equal(parsed("+\r\n").kind, IMAP_CONTINUATION);

	response = parsed("* STATUS INBOX (UNSEEN 0)\r\n");
	assert_true(imap_text_is(response.keyword, "STATUS"));
	assert_true(imap_text_is(response.rest, "INBOX (UNSEEN 0)"));

	response = parsed("* OK [open for ever\r\n");
	assert_int_equal(response.code.length, 0);
}

static void what_is_no_response_is_refused(void **state)
{
	static const char *const cases[] = {"\r\n", " \r\n", "*\r\n", "* \r\n", "A1\r\n", "A1 \r\n", "A1 BYE\r\n",
		"A1 PREAUTH\r\n", "HTTP/1.1 400 Bad Request\r\n", "* 5\r\n"};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct imap_response response;
		assert_int_equal(imap_response_parse(cases[i], strlen(cases[i]), &response), -1);
	}
}

static struct imap_text text(const char *bytes)
{
	return (struct imap_text){bytes, strlen(bytes)};
}

static void tokens_come_one_by_one(void **state)
{
	struct imap_cursor cursor = imap_cursor_over(text("atom \"quo\\\"te\" {3}\r\na b ( ) BODY[HEADER.FIELDS (X)] NIL"));
	static const enum imap_token_kind kinds[] = {IMAP_ATOM, IMAP_QUOTED, IMAP_LITERAL, IMAP_OPEN, IMAP_CLOSE, IMAP_ATOM,
		IMAP_ATOM, IMAP_END, IMAP_END};
	static const char *const values[] = {"atom", "quo\"te", "a b", "(", ")", "BODY[HEADER.FIELDS (X)]", "NIL", "", ""};

	(void)state;
	for (size_t i = 0; i < LENGTH(kinds); i++) {
		struct imap_token token = imap_token_next(&cursor);
		struct buffer value = BUFFER_EMPTY;
		assert_int_equal(token.kind, kinds[i]);
		imap_token_append(&token, &value);
		assert_string_equal(buffer_string(&value), values[i]);
		buffer_release(&value);
	}
}

static void broken_tokens_end_the_reading(void **state)
{
	static const char *const cases[] = {"\"open", "\"open\\", "\"open\\\"", "{5}\r\nabc", "{5", "{x}\r\n", "\r\n"};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct imap_cursor cursor = imap_cursor_over(text(cases[i]));
		assert_int_equal(imap_token_next(&cursor).kind, IMAP_BROKEN);
		assert_int_equal(imap_token_next(&cursor).kind, IMAP_BROKEN);
	}
}

static void status_is_read_with_what_we_do_not_know_in_it(void **state)
{
	struct imap_status status;
	struct buffer name = BUFFER_EMPTY;

	(void)state;
	assert_int_equal(imap_status_parse(text("\"Gr\\\"un\" (MESSAGES 3 X-THING (a (b)) UIDNEXT 4294967296 "
		"UIDVALIDITY 7 unseen 0 HIGHESTMODSEQ 9223372036854775807)"), &status, &name), 0);
	assert_string_equal(buffer_string(&name), "Gr\"un");
	assert_int_equal(status.items, 31);
	assert_int_equal(status.messages, 3);
	assert_true(status.uid_next == UINT64_C(4294967296));
	assert_int_equal(status.uid_validity, 7);
	assert_true(status.highest_modseq == INT64_MAX);
	buffer_release(&name);
}

static void odd_status_is_refused(void **state)
{
	static const char *const cases[] = {"", "INBOX", "INBOX ", "INBOX (", "INBOX (MESSAGES", "INBOX (MESSAGES)",
		"INBOX (MESSAGES 1", "INBOX (MESSAGES x)", "INBOX (MESSAGES -1)", "INBOX (MESSAGES 9223372036854775808)",
		"INBOX (MESSAGES 99999999999999999999)", "() (MESSAGES 1)", "INBOX (X ()", "INBOX (MESSAGES \"1\")"};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct imap_status status;
		struct buffer name = BUFFER_EMPTY;
		assert_int_equal(imap_status_parse(text(cases[i]), &status, &name), -1);
		buffer_release(&name);
	}
}

static void capabilities_become_a_set(void **state)
{
	(void)state;
	assert_int_equal(imap_capabilities_parse(text("IMAP4rev1 idle AUTH=PLAIN AUTH=LOGIN IDLEX SASL-IR")),
		IMAP_CAP_IDLE | IMAP_CAP_AUTH_PLAIN | IMAP_CAP_SASL_IR);
	assert_int_equal(imap_capabilities_parse(text("QRESYNC")), IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE | IMAP_CAP_ENABLE);
	assert_int_equal(imap_capabilities_parse(text("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_response_ends_where_its_last_literal_line_ends),
		cmocka_unit_test(a_response_that_comes_byte_by_byte_is_framed_alike),
		cmocka_unit_test(a_line_without_end_is_too_long),
		cmocka_unit_test(each_kind_of_response_is_told_apart),
		cmocka_unit_test(what_is_no_response_is_refused),
		cmocka_unit_test(tokens_come_one_by_one),
		cmocka_unit_test(broken_tokens_end_the_reading),
		cmocka_unit_test(status_is_read_with_what_we_do_not_know_in_it),
		cmocka_unit_test(odd_status_is_refused),
		cmocka_unit_test(capabilities_become_a_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
