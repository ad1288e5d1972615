/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LIST responses as collections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "connectors/imap/folder_list.h"
#include "connectors/imap/folder_role.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* "name role parent display", a line a collection; unselectable ones begin with '-'. */
static char *tell(struct arena *arena, const char *const *lines, size_t count)
{
	static const char *const roles[] = {"none", "inbox", "drafts", "trash", "sent", "outbox", "junk", "archive"};
	struct folder_list list = {.arena = arena};
	char *text = "";

	for (size_t i = 0; i < count; i++)
		folder_list_add(&list, (struct imap_text){lines[i], strlen(lines[i])});
	folder_list_finish(&list);
	for (size_t i = 0; i < list.count; i++)
		text = arena_printf(arena, "%s%s%s %s <%s> <%s>\n", text, list.list[i]->selectable ? "" : "-", list.list[i]->name,
			roles[list.list[i]->role], list.list[i]->parent, list.list[i]->display_name);
	return text;
}

static void attributes_give_roles_and_inbox_is_first(void **state)
{
	static const char *const lines[] = {"(\\HasChildren) \"/\" Archiv", "(\\Sent) \"/\" \"Archiv/Post aus\"",
		"(\\HasNoChildren \\DRAFTS) \"/\" x", "() \"/\" Trash", "() \"/\" iNbOx", "(\\Noselect) \"/\" zz"};
	struct arena *arena = arena_create(0);

	(void)state;
	assert_string_equal(tell(arena, lines, LENGTH(lines)),
		"INBOX inbox <> <iNbOx>\n"
		"Archiv none <> <Archiv>\n"
		"Archiv/Post aus sent <Archiv> <Post aus>\n"
		"Trash none <> <Trash>\n"
		"x drafts <> <x>\n"
		"-zz none <> <zz>\n");
	arena_free(&arena);
}

static void names_give_roles_where_no_attribute_does(void **state)
{
	static const char *const lines[] = {"() \".\" INBOX", "() \".\" INBOX.sent", "() \".\" \"INBOX.Gel&APY-schte Elemente\"",
		"() \".\" INBOX.Trash", "() \".\" INBOX.old.Drafts", "(\\Noselect) \".\" Drafts", "() \".\" Spam"};
	struct arena *arena = arena_create(0);

	(void)state;
	assert_string_equal(tell(arena, lines, LENGTH(lines)),
		"INBOX inbox <> <INBOX>\n"
		"-Drafts none <> <Drafts>\n"
		"INBOX.Gel\xc3\xb6schte Elemente trash <INBOX> <Gel\xc3\xb6schte Elemente>\n"
		"INBOX.Trash none <INBOX> <Trash>\n"
		"INBOX.old.Drafts none <INBOX.old> <Drafts>\n"
		"INBOX.sent sent <INBOX> <sent>\n"
		"Spam junk <> <Spam>\n");
	arena_free(&arena);
}

static void each_name_is_listed_once_and_broken_lines_not_at_all(void **state)
{
	static const char *const lines[] = {"() \"/\" a", "() \"/\" a", "() \"/\"", "(\\x", "a b c", "", "() NIL flat/name",
		"() \"/\" {1}\nb", "() \"\\\\\" \"p\\\\q\""};
	struct arena *arena = arena_create(0);

	(void)state;
	assert_string_equal(tell(arena, lines, LENGTH(lines)),
		"a none <> <a>\n"
		"b none <> <b>\n"
		"flat/name none <> <flat/name>\n"
		"p\\q none <p> <q>\n");
	assert_string_equal(tell(arena, NULL, 0), "");
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_give_roles_and_inbox_is_first),
		cmocka_unit_test(names_give_roles_where_no_attribute_does),
		cmocka_unit_test(each_name_is_listed_once_and_broken_lines_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
