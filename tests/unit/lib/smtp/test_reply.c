/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Replies of SMTP servers (RFC 5321 section 4.2), and what EHLO announces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/smtp/reply.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static bool is_text(struct smtp_text text, const char *expected)
{
	return text.length == strlen(expected) && memcmp(text.bytes, expected, text.length) == 0;
}

/* In a block of its very size, so that the sanitizer sees what is read behind it. */
static ssize_t parse(const char *text, size_t length, struct smtp_reply *reply_r, char **block_r)
{
	*block_r = malloc(length + 1);
	memcpy(*block_r + 1, text, length);
	return smtp_reply_parse(*block_r + 1, length, reply_r);
}

static void a_reply_has_a_code_and_lines(void **state)
{
	static const struct {
		const char *bytes;
		unsigned code;
		const char *text;
		unsigned lines, enhanced[3];
		ssize_t length;
	} cases[] = {
		{"250 OK\r\n", 250, "OK", 1, {0}, 8},
		{"250\r\n", 250, "", 1, {0}, 5},
		{"250 \r\n", 250, "", 1, {0}, 6},
		{"354 go on\r\n250 later", 354, "go on", 1, {0}, 11},
		{"250-one\r\n250-two\r\n250 three\r\n", 250, "one", 3, {0}, 29},
		{"250-one\r\n250\r\n", 250, "one", 2, {0}, 14},
		{"550 5.7.1 not you\r\n", 550, "5.7.1 not you", 1, {5, 7, 1}, 19},
		{"550 5.7.1\r\n", 550, "5.7.1", 1, {5, 7, 1}, 11},
		{"550 4.7.1 other class\r\n", 550, "4.7.1 other class", 1, {0}, 23},
		{"250 2.1.0.5 x\r\n", 250, "2.1.0.5 x", 1, {0}, 15},
		{"250 2.1 x\r\n", 250, "2.1 x", 1, {0}, 11},
		{"250 2.1111.0 x\r\n", 250, "2.1111.0 x", 1, {0}, 16},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct smtp_reply reply;
		struct smtp_text rest, line;
		unsigned lines = 0;
		char *block;
		assert_int_equal(parse(cases[i].bytes, strlen(cases[i].bytes), &reply, &block), cases[i].length);
		assert_int_equal(reply.code, cases[i].code);
		assert_true(is_text(reply.text, cases[i].text));
		assert_memory_equal(reply.enhanced, cases[i].enhanced, sizeof reply.enhanced);
		for (rest = reply.lines; smtp_reply_line(&rest, &line); lines++)
			;
		assert_int_equal(lines, cases[i].lines);
		free(block);
	}
}

static void a_part_of_a_reply_is_waited_for(void **state)
{
	static const char whole[] = "250-one\r\n250-SIZE 10\r\n250 end\r\n";
	struct smtp_reply reply;
	char *block;

	(void)state;
	for (size_t length = 0; length < sizeof whole - 1; length++) {
		assert_int_equal(parse(whole, length, &reply, &block), 0);
		free(block);
	}
	assert_int_equal(parse(whole, sizeof whole - 1, &reply, &block), sizeof whole - 1);
	free(block);
}

static void what_no_server_says_is_refused(void **state)
{
	static const char *const cases[] = {
		"hello\r\n", "25\r\n", "25x OK\r\n", "150 early\r\n", "650 late\r\n", "250_OK\r\n", "\r\n", "250 OK\n", "250 O\rK\r\n",
		"250-one\r\n251 two\r\n", "250-one\r\nOK\r\n", "250-one\n250 two\r\n", "* OK imap\r\n", "-ERR\r\n",
	};
	struct smtp_reply reply;
	char *block;

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		assert_int_equal(parse(cases[i], strlen(cases[i]), &reply, &block), -1);
		free(block);
	}
}

static void a_reply_without_end_is_refused(void **state)
{
	enum { LINES = SMTP_REPLY_MAX / 9 + 1 };
	char *bytes = malloc(LINES * 9 + 10);
	struct smtp_reply reply;

	(void)state;
	memset(bytes, 'x', SMTP_REPLY_MAX + 1);
	memcpy(bytes, "250 ", 4);
	assert_int_equal(smtp_reply_parse(bytes, SMTP_REPLY_MAX, &reply), 0);
	assert_int_equal(smtp_reply_parse(bytes, SMTP_REPLY_MAX + 1, &reply), -1);
	for (size_t i = 0; i < LINES; i++)
		memcpy(bytes + i * 9, "250-abc\r\n", 9);
	assert_int_equal(smtp_reply_parse(bytes, LINES * 9, &reply), -1);
	free(bytes);
}

static void ehlo_announces(void **state)
{
	static const struct {
		const char *bytes;
		unsigned set;
		uint64_t size_max;
	} cases[] = {
		{"250 mx.example.org\r\n", 0, 0},
		{"250-STARTTLS\r\n250 x\r\n", 0, 0}, /* the first line is a name */
		{"250-mx\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n"
			"250 SMTPUTF8\r\n", SMTP_CAP_PIPELINING | SMTP_CAP_SIZE | SMTP_CAP_STARTTLS | SMTP_CAP_AUTH_PLAIN |
			SMTP_CAP_8BITMIME | SMTP_CAP_SMTPUTF8, 10240000},
		{"250-mx\r\n250 auth login plain\r\n", SMTP_CAP_AUTH_PLAIN, 0},
		{"250-mx\r\n250-AUTH LOGIN\r\n250 AUTH PLAIN\r\n", SMTP_CAP_AUTH_PLAIN, 0},
		{"250-mx\r\n250 AUTH PLAINER\r\n", 0, 0},
		{"250-mx\r\n250 AUTH\r\n", 0, 0},
		{"250-mx\r\n250 SIZE\r\n", SMTP_CAP_SIZE, 0},
		{"250-mx\r\n250 SIZE 0\r\n", SMTP_CAP_SIZE, 0},
		{"250-mx\r\n250 SIZE 99999999999999999999\r\n", SMTP_CAP_SIZE, 0},
		{"250-mx\r\n250 SIZE 12x\r\n", SMTP_CAP_SIZE, 0},
		{"250-mx\r\n250-\r\n250  STARTTLS \r\n", SMTP_CAP_STARTTLS, 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct smtp_capabilities capabilities;
		struct smtp_reply reply;
		char *block;
		assert_true(parse(cases[i].bytes, strlen(cases[i].bytes), &reply, &block) > 0);
		smtp_capabilities_parse(&reply, &capabilities);
		assert_int_equal(capabilities.set, cases[i].set);
		assert_int_equal(capabilities.size_max, cases[i].size_max);
		free(block);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_has_a_code_and_lines),
		cmocka_unit_test(a_part_of_a_reply_is_waited_for),
		cmocka_unit_test(what_no_server_says_is_refused),
		cmocka_unit_test(a_reply_without_end_is_refused),
		cmocka_unit_test(ehlo_announces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
