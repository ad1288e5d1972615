/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BODYSTRUCTURE gives the same tree as the mail's octets would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "connectors/imap/structure.h"
#include "lib/core/buffer.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT "(\"TEXT\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"8bit\" 12 1 NIL NIL NIL NIL)"

/* "1 text/plain 12; 2 …"; "broken" when it is not of the form. */
static char *tell(struct arena *arena, const char *text)
{
	struct imap_cursor cursor = imap_cursor_over((struct imap_text){text, strlen(text)});
	struct mime_part *root = structure_parse(arena, &cursor);
	char *told = "";

	if (root == NULL)
		return "broken";
	for (struct mime_part *part = root; part != NULL; part = mime_next(root, part)) {
		char *name = mime_part_name(arena, part);
		told = arena_printf(arena, "%s%s%.*s/%.*s %d%s%s", told, *told != '\0' ? "; " : "", (int)part->type.length,
			part->type.at, (int)part->subtype.length, part->subtype.at, (int)part->size,
			name != NULL ? " " : "", name != NULL ? name : "");
		if (part->content_id.length > 0)
			told = arena_printf(arena, "%s id=%.*s", told, (int)part->content_id.length, part->content_id.at);
		if (part->disposition == MIME_DISPOSITION_ATTACHMENT)
			told = arena_printf(arena, "%s attached", told);
	}
	return told;
}

static void structures_become_trees(void **state)
{
	static const struct { const char *text, *told; } cases[] = {
		{TEXT, "TEXT/plain 12"},
		{"(\"text\" \"html\" NIL NIL NIL \"7bit\" 3 1)", "text/html 3"},
		{"(" TEXT TEXT " \"alternative\" (\"boundary\" \"x\") NIL NIL NIL)", "multipart/alternative 0; TEXT/plain 12; TEXT/plain 12"},
		{"(" TEXT " \"mixed\")", "multipart/mixed 0; TEXT/plain 12"},
		{"((" TEXT " \"related\")(\"image\" \"png\" (\"name\" \"old\") \"<a@b>\" \"about\" \"base64\" 78 NIL"
			" (\"attachment\" (\"filename*\" \"utf-8''%C3%A4.png\")) (\"de\" \"en\") \"http://x/\" \"more\" (1 2)) \"mixed\")",
			"multipart/mixed 0; multipart/related 0; TEXT/plain 12; image/png 78 \xc3\xa4.png id=a@b attached"},
		{"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 500 (\"date\" \"subject\" ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL"
			" NIL NIL) " TEXT " 20 NIL (\"inline\" NIL) NIL NIL)", "message/rfc822 500"},
		{"(\"text\" {5}\r\nplain NIL NIL NIL \"7bit\" 3 1)", "text/plain 3"},
		{"(NIL NIL NIL NIL NIL NIL 7)", "text/plain 7"},
		{"", "broken"}, {"NIL", "broken"}, {"()", "broken"}, {"(\"text\")", "broken"}, {"(" TEXT, "broken"},
		{"(\"text\" \"plain\" (\"charset\") NIL NIL \"8bit\" 12 1)", "broken"},
		{"(\"text\" \"plain\" NIL NIL NIL \"8bit\" many 1)", "broken"},
		{"((((((((((", "broken"},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(tell(arena, cases[i].text), cases[i].told);
	arena_free(&arena);
}

static void depth_has_an_end(void **state)
{
	struct buffer text = BUFFER_EMPTY;
	struct arena *arena = arena_create(0);

	(void)state;
	for (int i = 0; i < 100000; i++)
		buffer_append_byte(&text, '(');
	assert_string_equal(tell(arena, buffer_string(&text)), "broken");
	buffer_release(&text);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structures_become_trees),
		cmocka_unit_test(depth_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
