/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Line ends and dots of a mail on its way out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/smtp/lines.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *bytes;
	size_t length;
	const char *dotted, *plain;
} cases[] = {
#define CASE(bytes, dotted, plain) {bytes, sizeof(bytes) - 1, dotted, plain}
	CASE("", "", ""),
	CASE("a", "a\r\n", "a\r\n"),
	CASE("a\r\nb\r\n", "a\r\nb\r\n", "a\r\nb\r\n"),
	CASE("a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n"),
	CASE("a\rb\r", "a\r\nb\r\n", "a\r\nb\r\n"),
	CASE("a\n\rb", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"),
	CASE("a\r\r\nb", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"),
	CASE("\r\n\n\r", "\r\n\r\n\r\n", "\r\n\r\n\r\n"),
	CASE(".", "..\r\n", ".\r\n"),
	CASE("..\r\n.x\r\na.b\r\n", "...\r\n..x\r\na.b\r\n", "..\r\n.x\r\na.b\r\n"),
	/* what might be taken for the end of the mail, and a second one behind it */
	CASE("a\r\n.\r\nMAIL FROM:<b>\r\n", "a\r\n..\r\nMAIL FROM:<b>\r\n", "a\r\n.\r\nMAIL FROM:<b>\r\n"),
	CASE("a\n.\nMAIL", "a\r\n..\r\nMAIL\r\n", "a\r\n.\r\nMAIL\r\n"),
	CASE("a\n.\r\nMAIL", "a\r\n..\r\nMAIL\r\n", "a\r\n.\r\nMAIL\r\n"),
	CASE("a\r.\rMAIL", "a\r\n..\r\nMAIL\r\n", "a\r\n.\r\nMAIL\r\n"),
	CASE("a\r\n\0.\r\n", "a\r\n..\r\n", "a\r\n.\r\n"),
	CASE("a\r\0\nb\0c\0", "a\r\nbc\r\n", "a\r\nbc\r\n"),
	CASE("\xff\xfe\x80", "\xff\xfe\x80\r\n", "\xff\xfe\x80\r\n"),
#undef CASE
};

static void check(size_t i, bool with_dots, size_t piece)
{
	struct smtp_lines lines = {.with_dots = with_dots};
	struct buffer out = BUFFER_EMPTY;

	for (size_t at = 0; at < cases[i].length; at += piece)
		smtp_lines_append(&lines, &out, cases[i].bytes + at, cases[i].length - at < piece ? cases[i].length - at : piece);
	smtp_lines_end(&lines, &out);
	assert_string_equal(buffer_string(&out), with_dots ? cases[i].dotted : cases[i].plain);
	buffer_release(&out);
}

static void every_line_ends_in_crlf_and_no_dot_stands_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		for (size_t piece = 1; piece <= cases[i].length + 1; piece++) {
			check(i, true, piece);
			check(i, false, piece);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_line_ends_in_crlf_and_no_dot_stands_alone)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
