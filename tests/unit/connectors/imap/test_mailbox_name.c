/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Modified UTF-7 there and back, and names that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "connectors/imap/mailbox_name.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void names_go_there_and_back(void **state)
{
	static const struct { const char *wire, *name, *display; } cases[] = {
		{"INBOX", "INBOX", "INBOX"},
		{"a/b c", "a/b c", "a/b c"},
		{"&-", "&", "&"},
		{"R&-D", "R&D", "R&D"},
		{"&ANw-bersicht", "\xc3\x9c" "bersicht", "\xc3\x9c" "bersicht"},
		{"Entw&APw-rfe", "Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe"},
		{"&U,BTFw-/&ZeVnLIqe-", "\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "\xe5\x8f\xb0\xe5\x8c\x97/"
			"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
		{"&2D3eAA-", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		/* not canonical: kept as it is */
		{"&AGE-", "\x7f&AGE-", "a"},
		{"&ANw", "\x7f&ANw", "&ANw"},
		{"&", "\x7f&", "&"},
		{"&!-", "\x7f&!-", "&!-"},
		{"&ANw-&ANw-", "\x7f&ANw-&ANw-", "\xc3\x9c\xc3\x9c"},
		{"&3gA-", "\x7f&3gA-", "&3gA-"},
		{"\xfc", "\x7f\xfc", "\xef\xbf\xbd"},
		{"a\x01", "\x7f" "a\x01", "a"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer name = BUFFER_EMPTY, wire = BUFFER_EMPTY, display = BUFFER_EMPTY;

		mailbox_name_decode(&name, cases[i].wire, strlen(cases[i].wire));
		assert_string_equal(buffer_string(&name), cases[i].name);
		assert_int_equal(mailbox_name_encode(&wire, buffer_string(&name)), 0);
		assert_string_equal(buffer_string(&wire), cases[i].wire);
		mailbox_name_display(&display, buffer_string(&name));
		assert_string_equal(buffer_string(&display), cases[i].display);
		buffer_release(&name);
		buffer_release(&wire);
		buffer_release(&display);
	}
}

static void names_are_quoted_for_a_command(void **state)
{
	struct buffer command = BUFFER_EMPTY;

	(void)state;
	assert_int_equal(mailbox_name_quote(&command, "a \"b\" \\ \xc3\x9c"), 0);
	assert_string_equal(buffer_string(&command), "\"a \\\"b\\\" \\\\ &ANw-\"");
	buffer_release(&command);
}

/* None of these may reach a server: a line end would begin a command of its own. */
static void impossible_names_are_refused(void **state)
{
	static const char *const names[] = {"", "a\nb", "a\r\nB1 DELETE INBOX", "a\tb", "\xff", "\xc3", "\xed\xa0\x80", "\x7f" "a\r\nb"};
	char *longest = test_malloc(MAILBOX_NAME_MAX + 2);

	(void)state;
	for (size_t i = 0; i < LENGTH(names); i++) {
		struct buffer command = BUFFER_EMPTY;
		assert_int_equal(mailbox_name_quote(&command, names[i]), -1);
		buffer_release(&command);
	}
	memset(longest, 'x', MAILBOX_NAME_MAX + 1);
	longest[MAILBOX_NAME_MAX + 1] = '\0';
	struct buffer command = BUFFER_EMPTY;
	assert_int_equal(mailbox_name_quote(&command, longest), -1);
	buffer_release(&command);
	test_free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_there_and_back),
		cmocka_unit_test(names_are_quoted_for_a_command),
		cmocka_unit_test(impossible_names_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
