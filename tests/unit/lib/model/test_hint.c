/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The line that a hook sends: what is taken, what is refused, and that writing and reading agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/hint.h"

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A250 A50 A50 A50 A50 A50

static int parse(const char *line, struct hint_text *text, struct hint *hint, struct error *error)
{
	size_t length = strlen(line);
	char *exact = malloc(length + 1); /* the sanitizer sees a read beyond it */

	memcpy(exact, line, length);
	exact = realloc(exact, length == 0 ? 1 : length);
	int result = hint_parse(exact, length, text, hint, error);
	free(exact);
	return result;
}

static void a_full_line_gives_every_field(void **state)
{
	struct hint_text text;
	struct hint hint;

	(void)state;
	assert_int_equal(parse("BELFRY1\tid=0f-A_z\tsource=lua\tuid=17\tuidvalidity=1795380072\tmailbox=Entw\xc3\xbcrfe/50%25%0A"
		"\tevent=messagenew\tuser=alice@example.org\n", &text, &hint, NULL), 0);
	assert_string_equal(hint.user, "alice@example.org");
	assert_string_equal(hint.mailbox, "Entw\xc3\xbcrfe/50%\n");
	assert_int_equal(hint.event, HINT_MESSAGE_NEW);
	assert_true(hint.uid == 17 && hint.uidvalidity == 1795380072);
	assert_string_equal(hint.id, "0f-A_z");
	assert_string_equal(hint.source, "lua");
}

static void a_short_line_leaves_the_rest_unknown(void **state)
{
	struct hint_text text;
	struct hint hint;

	(void)state;
	assert_int_equal(parse("BELFRY1\tuser=alice\tevent=FlagsSet", &text, &hint, NULL), 0);
	assert_string_equal(hint.mailbox, "");
	assert_string_equal(hint.id, "");
	assert_true(hint.uid == 0 && hint.uidvalidity == 0);
}

static void a_wrong_line_is_refused_in_words(void **state)
{
	static const struct { const char *line, *why; } cases[] = {
		{"", "begin with"},
		{"\n", "begin with"},
		{"BELFRY1", "begin with"},
		{"BELFRY1 user=a\tevent=MessageNew", "begin with"},
		{"BELFRY2\tuser=a\tevent=MessageNew", "begin with"},
		{"BELFRY1\tevent=MessageNew", "no user"},
		{"BELFRY1\tuser=a", "no event"},
		{"BELFRY1\t", "not known"},
		{"BELFRY1\tuser=a\t\tevent=MessageNew", "not known"},
		{"BELFRY1\tuser=a\tevent=MessageNew\t", "not known"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tpassword=b", "not known"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tUser=b", "not known"},
		{"BELFRY1\tuser=a\tuser=b\tevent=MessageNew", "twice"},
		{"BELFRY1\tuser=\tevent=MessageNew", "user"},
		{"BELFRY1\tuser=a%0Ab\tevent=MessageNew", "user"},
		{"BELFRY1\tuser=a%00b\tevent=MessageNew", "user"},
		{"BELFRY1\tuser=a%4\tevent=MessageNew", "user"},
		{"BELFRY1\tuser=a%g0\tevent=MessageNew", "user"},
		{"BELFRY1\tevent=MessageNew\tuser=a%", "user"},
		{"BELFRY1\tuser=\xff\tevent=MessageNew", "user"},
		{"BELFRY1\tuser=a\x01\tevent=MessageNew", "user"},
		{"BELFRY1\tuser=" A250 "aaaaaa\tevent=MessageNew", "user"},
		{"BELFRY1\tuser=a\tevent=MailReady", "event"},
		{"BELFRY1\tuser=a\tevent=", "event"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tmailbox=\xc3(", "mailbox"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tuid=-1", "uid"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tuid=", "uid"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tuid=18446744073709551616", "uid"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tid=a/b", "id"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tid=012345678901234567890123456789012", "id"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tsource=Lua", "source"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tmailbox=" A250 A250 A250, "mailbox"},
		{"BELFRY1\tuser=a\tevent=MessageNew\tmailbox=" A250 A250 A250 A250, "longer"},
	};
	struct hint_text text;
	struct hint hint;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		error.text[0] = '\0';
		if (parse(cases[i].line, &text, &hint, &error) != -1 || strstr(error.text, cases[i].why) == NULL)
			fail_msg("case %zu: %s", i, error.text);
	}
}

static void what_is_written_is_read_back_the_same(void **state)
{
	static const struct hint hints[] = {
		{.user = "alice", .event = HINT_MESSAGE_NEW},
		{.user = "a%b\xc3\xbc@x", .mailbox = "A\tB\x7f\n%41", .event = HINT_MAILBOX_UNSUBSCRIBE, .uid = UINT64_MAX,
			.uidvalidity = 1, .id = "00aa", .source = "hook"},
	};
	char line[HINT_LINE_MAX + 1];
	struct hint_text text;
	struct hint again;

	(void)state;
	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
		int length = hint_format(&hints[i], line, NULL);
		assert_true(length > 0 && length == (int)strlen(line) && line[length - 1] == '\n');
		assert_int_equal(hint_parse(line, (size_t)length, &text, &again, NULL), 0);
		assert_string_equal(again.user, hints[i].user);
		assert_string_equal(again.mailbox, hints[i].mailbox == NULL ? "" : hints[i].mailbox);
		assert_true(again.event == hints[i].event && again.uid == hints[i].uid);
		assert_true(again.uidvalidity == hints[i].uidvalidity);
		assert_string_equal(again.id, hints[i].id == NULL ? "" : hints[i].id);
	}
}

static void what_cannot_be_read_is_not_written(void **state)
{
	static const char *const users[] = {NULL, "", "a\nb", "\xff", A250 "aaaaaa"};
	char line[HINT_LINE_MAX + 1];
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
		struct hint hint = {.user = users[i], .event = HINT_MESSAGE_NEW};
		assert_int_equal(hint_format(&hint, line, &error), -1);
	}
	char mailbox[HINT_MAILBOX_MAX + 1];
	memset(mailbox, '%', HINT_MAILBOX_MAX);
	mailbox[HINT_MAILBOX_MAX] = '\0';
	struct hint hint = {.user = "alice", .mailbox = mailbox, .event = HINT_MESSAGE_NEW};
	assert_int_equal(hint_format(&hint, line, &error), -1);
}

static void every_event_has_a_name_that_finds_it(void **state)
{
	(void)state;
	for (int i = 0; i < HINT_EVENTS; i++) {
		const char *name = hint_event_name((enum hint_event)i);
		assert_int_equal(hint_event_by_name(name, strlen(name)), i);
	}
	assert_int_equal(hint_event_by_name("MessageNew", 9), -1);
}

static void ids_differ(void **state)
{
	char one[HINT_ID_SIZE], two[HINT_ID_SIZE];

	(void)state;
	hint_new_id(one);
	hint_new_id(two);
	assert_int_equal(strlen(one), 16);
	assert_string_not_equal(one, two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_line_gives_every_field),
		cmocka_unit_test(a_short_line_leaves_the_rest_unknown),
		cmocka_unit_test(a_wrong_line_is_refused_in_words),
		cmocka_unit_test(what_is_written_is_read_back_the_same),
		cmocka_unit_test(what_cannot_be_read_is_not_written),
		cmocka_unit_test(every_event_has_a_name_that_finds_it),
		cmocka_unit_test(ids_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
