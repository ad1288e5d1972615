/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of ManageSieve servers (RFC 5804 section 4), and what is said to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/managesieve/response.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* In a block of its very size, so that the sanitizer sees what is read behind it. */
static ssize_t parse(const char *text, size_t length, struct managesieve_line *line_r, char **block_r)
{
	*block_r = malloc(length + 1);
	memcpy(*block_r + 1, text, length);
	return managesieve_line_parse(*block_r + 1, length, line_r);
}

static void assert_value(struct managesieve_token token, const char *expected)
{
	struct buffer value = BUFFER_EMPTY;

	assert_int_equal(managesieve_token_append(token, &value), expected != NULL);
	if (expected != NULL)
		assert_string_equal(buffer_string(&value), expected);
	buffer_release(&value);
}

static void a_line_ends_a_response_or_has_data(void **state)
{
	static const struct {
		const char *bytes;
		enum managesieve_kind kind;
		const char *code, *text;
		ssize_t length;
	} cases[] = {
		{"OK\r\n", MANAGESIEVE_OK, "", NULL, 4},
		{"ok \"Logged in.\"\r\nOK", MANAGESIEVE_OK, "", "Logged in.", 17},
		{"OK (SASL \"cnNw\")\r\n", MANAGESIEVE_OK, "SASL", NULL, 18},
		{"OK (WARNINGS) \"careful\"\r\n", MANAGESIEVE_OK, "WARNINGS", "careful", 25},
		{"NO (QUOTA/MAXSIZE) \"too \\\"long\\\"\"\r\n", MANAGESIEVE_NO, "QUOTA/MAXSIZE", "too \"long\"", 35},
		{"NO {6}\r\na\r\n\"b\\\r\n", MANAGESIEVE_NO, "", "a\r\n\"b\\", 16},
		{"NO {0}\r\n\r\n", MANAGESIEVE_NO, "", "", 10},
		{"NO (TAG {3}\r\na)b) \"x\"\r\n", MANAGESIEVE_NO, "TAG", "x", 23},
		{"BYE (TRYLATER) \"later\"\r\n", MANAGESIEVE_BYE, "TRYLATER", "later", 24},
		{"\"OK\" ACTIVE\r\n", MANAGESIEVE_DATA, "", NULL, 13},
		{"{2}\r\nOK\r\nOK\r\n", MANAGESIEVE_DATA, "", NULL, 9},
		{"\r\n", MANAGESIEVE_DATA, "", NULL, 2},
		{"OKAY\r\n", MANAGESIEVE_DATA, "", NULL, 6},
		{"OK (\r\n", MANAGESIEVE_OK, "", NULL, 6},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct managesieve_line line;
		char *block;
		assert_int_equal(parse(cases[i].bytes, strlen(cases[i].bytes), &line, &block), cases[i].length);
		assert_int_equal(line.kind, cases[i].kind);
		assert_true(managesieve_token_is(line.code, cases[i].code));
		assert_value(line.text, cases[i].text);
		free(block);
	}
}

static void a_part_of_a_line_is_waited_for(void **state)
{
	static const char whole[] = "\"a\\\"b\" {12}\r\nOK \"x\"\r\n\r\n.. ACTIVE \"\"\r\n";
	struct managesieve_line line;
	char *block;

	(void)state;
	for (size_t length = 0; length < sizeof whole - 1; length++) {
		assert_int_equal(parse(whole, length, &line, &block), 0);
		free(block);
	}
	assert_int_equal(parse(whole, sizeof whole - 1, &line, &block), sizeof whole - 1);
	assert_value(managesieve_token_next(&line.data), "a\"b");
	assert_value(managesieve_token_next(&line.data), "OK \"x\"\r\n\r\n..");
	assert_true(managesieve_token_is(managesieve_token_next(&line.data), "active"));
	assert_value(managesieve_token_next(&line.data), "");
	assert_int_equal(managesieve_token_next(&line.data).kind, MANAGESIEVE_END);
	free(block);
}

static void what_no_server_says_is_refused(void **state)
{
	static const char *const cases[] = {
		"OK\n", "OK\r\r\n", "\"a\nb\"\r\n", "\"a\r\nb\"\r\n", "{}\r\n", "{x}\r\n", "{2000000000}\r\n", "{99999999999999999999999}",
		"{5}\n", "{5-}\r\n",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct managesieve_line line;
		char *block;
		assert_int_equal(parse(cases[i], strlen(cases[i]), &line, &block), -1);
		free(block);
	}
}

static void a_line_without_an_end_is_given_up(void **state)
{
	static const char begins[] = {'a', '"', '\\', '('};
	char *text = malloc(2 * MANAGESIEVE_LINE_MAX);
	struct managesieve_line line;

	(void)state;
	for (size_t i = 0; i < sizeof begins; i++) {
		memset(text, 'x', 2 * MANAGESIEVE_LINE_MAX);
		text[0] = begins[i];
		assert_int_equal(managesieve_line_parse(text, MANAGESIEVE_LINE_MAX, &line), 0);
		assert_int_equal(managesieve_line_parse(text, 2 * MANAGESIEVE_LINE_MAX, &line), -1);
	}
	free(text);
}

static void literals_do_not_add_up_without_end(void **state)
{
	struct buffer text = BUFFER_EMPTY;
	struct managesieve_line line;
	ssize_t length = 0;

	(void)state;
	for (int i = 0; i < 5 && length == 0; i++) {
		buffer_printf(&text, "{%d}\r\n", MANAGESIEVE_LITERAL_MAX / 2);
		memset(buffer_reserve(&text, MANAGESIEVE_LITERAL_MAX / 2), 'x', MANAGESIEVE_LITERAL_MAX / 2);
		buffer_grow(&text, MANAGESIEVE_LITERAL_MAX / 2);
		length = managesieve_line_parse(text.data, text.length, &line);
	}
	assert_int_equal(length, -1);
	buffer_release(&text);
}

static void capabilities_are_those_that_are_known(void **state)
{
	static const struct { const char *line; unsigned set; } cases[] = {
		{"\"STARTTLS\"\r\n", MANAGESIEVE_CAN_STARTTLS},
		{"\"SASL\" \"DIGEST-MD5 PLAIN\"\r\n", MANAGESIEVE_CAN_PLAIN},
		{"\"sasl\" \"plainer\"\r\n", 0},
		{"\"SASL\" \"vacation\"\r\n", 0},
		{"\"SIEVE\" \"fileinto vacation PLAIN include\"\r\n", MANAGESIEVE_CAN_VACATION | MANAGESIEVE_CAN_INCLUDE},
		{"\"SIEVE\" {24}\r\ndate relational envelope\r\n",
			MANAGESIEVE_CAN_DATE | MANAGESIEVE_CAN_RELATIONAL | MANAGESIEVE_CAN_ENVELOPE},
		{"\"NOTIFY\" \"vacation\"\r\n", 0},
		{"\"SIEVE\"\r\n", 0},
		{"OK \"vacation\"\r\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct managesieve_line line;
		assert_true(managesieve_line_parse(cases[i].line, strlen(cases[i].line), &line) > 0);
		assert_int_equal(managesieve_capability(&line), cases[i].set);
	}
}

static void a_string_is_no_part_of_a_command(void **state)
{
	struct buffer command = BUFFER_EMPTY;

	(void)state;
	managesieve_append_string(&command, "a\"\r\nLOGOUT\r\n\0", 13);
	assert_int_equal(command.length, 7 + 13);
	assert_memory_equal(command.data, "{13+}\r\na\"\r\nLOGOUT\r\n\0", 20);
	buffer_release(&command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_ends_a_response_or_has_data),
		cmocka_unit_test(a_part_of_a_line_is_waited_for),
		cmocka_unit_test(what_no_server_says_is_refused),
		cmocka_unit_test(a_line_without_an_end_is_given_up),
		cmocka_unit_test(literals_do_not_add_up_without_end),
		cmocka_unit_test(capabilities_are_those_that_are_known),
		cmocka_unit_test(a_string_is_no_part_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
