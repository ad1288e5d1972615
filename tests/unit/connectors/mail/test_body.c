/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which body is given for which wishes, how much of it, and what is told of the rest. */
#include "tests/unit/connectors/mail/try.h"

#include <stdio.h>

#include "connectors/mail/mail.h"

#define ALTERNATIVE "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nplain \xc3\xa4\xc3\xb6 text\r\n" \
	"--b\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--b--\r\n"
#define PLAIN_ONLY "Subject: x\r\n\r\nplain \xc3\xa4\xc3\xb6 text"
#define SIGNED "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"

enum { NONE, PLAIN, HTML, RTF, MIME };
enum { ALL = -1 };

struct wish { int type, truncate; bool all_or_none; unsigned preview; };

/* The body for the wishes, as words: "html 11/11 <p>html</p>". */
static char *body_for(struct arena *arena, const char *octets, unsigned mime_support, const struct wish *wishes, size_t count)
{
	static const char *const types[] = {"none", "plain", "html", "rtf", "mime"};
	Belfry__Connector__BodyWish messages[4], *pointers[4];
	Belfry__Connector__Mail mail = BELFRY__CONNECTOR__MAIL__INIT;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;

	for (size_t i = 0; i < count; i++) {
		belfry__connector__body_wish__init(&messages[i]);
		messages[i].type = (Belfry__Connector__BodyType)wishes[i].type;
		messages[i].has_truncate = wishes[i].truncate != ALL;
		messages[i].truncate = wishes[i].truncate != ALL ? (uint64_t)wishes[i].truncate : 0;
		messages[i].all_or_none = wishes[i].all_or_none;
		messages[i].preview = wishes[i].preview;
		pointers[i] = &messages[i];
	}
	mail_read(arena, octets, strlen(octets), pointers, count, mime_support, &mail, &body);
	return arena_printf(arena, "%s %zu/%llu%s%s%s %.*s", types[body.type], body.data.len,
		(unsigned long long)body.full_size, body.truncated ? " truncated" : "", *body.preview != '\0' ? " " : "",
		body.preview, body.type == BELFRY__CONNECTOR__BODY_TYPE__MIME ? 0 : (int)body.data.len, (const char *)body.data.data);
}

static void the_native_form_is_taken_when_it_is_wished(void **state)
{
	static const struct { const char *octets; unsigned mime_support; struct wish wishes[3]; size_t count; const char *body; } cases[] = {
		{ALTERNATIVE, 0, {{PLAIN, ALL, 0, 0}, {HTML, ALL, 0, 0}}, 2, "html 11/11 <p>html</p>"},
		{ALTERNATIVE, 0, {{PLAIN, ALL, 0, 0}}, 1, "plain 15/15 plain \xc3\xa4\xc3\xb6 text"},
		{PLAIN_ONLY, 0, {{HTML, ALL, 0, 0}, {PLAIN, ALL, 0, 0}}, 2, "plain 15/15 plain \xc3\xa4\xc3\xb6 text"},
		{PLAIN_ONLY, 0, {{HTML, ALL, 0, 0}}, 1, "html 41/41 <html><body>plain \xc3\xa4\xc3\xb6 text</body></html>"},
		{PLAIN_ONLY, 0, {{RTF, ALL, 0, 0}, {PLAIN, ALL, 0, 0}}, 2, "plain 15/15 plain \xc3\xa4\xc3\xb6 text"},
		{PLAIN_ONLY, 0, {{RTF, 5, 0, 0}}, 1, "plain 5/15 truncated plain"},
		{PLAIN_ONLY, 0, {{0}}, 0, "none 0/0 "},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(body_for(arena, cases[i].octets, cases[i].mime_support, cases[i].wishes, cases[i].count), cases[i].body);
	arena_free(&arena);
}

static void mime_is_given_to_those_who_support_it(void **state)
{
	static const struct wish wishes[] = {{MIME, ALL, 0, 0}, {PLAIN, ALL, 0, 0}};
	static const struct { const char *octets; unsigned mime_support; const char *type; } cases[] = {
		{PLAIN_ONLY, 0, "plain"}, {PLAIN_ONLY, 1, "plain"}, {PLAIN_ONLY, 2, "mime"},
		{SIGNED, 0, "plain"}, {SIGNED, 1, "mime"}, {SIGNED, 2, "mime"},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_memory_equal(body_for(arena, cases[i].octets, cases[i].mime_support, wishes, 2), cases[i].type, strlen(cases[i].type));
	arena_free(&arena);
}

static void bodies_are_cut_between_characters(void **state)
{
	static const struct { struct wish wish; const char *body; } cases[] = {
		{{PLAIN, 15, 0, 0}, "plain 15/15 plain \xc3\xa4\xc3\xb6 text"},
		{{PLAIN, 9, 0, 0}, "plain 8/15 truncated plain \xc3\xa4"},
		{{PLAIN, 8, 0, 0}, "plain 8/15 truncated plain \xc3\xa4"},
		{{PLAIN, 7, 0, 0}, "plain 6/15 truncated plain "},
		{{PLAIN, 0, 0, 0}, "plain 0/15 truncated "},
		{{PLAIN, 14, true, 0}, "plain 0/15 truncated "},
		{{PLAIN, 15, true, 0}, "plain 15/15 plain \xc3\xa4\xc3\xb6 text"},
		{{PLAIN, 0, 0, 8}, "plain 0/15 truncated plain \xc3\xa4\xc3\xb6 "},
		{{MIME, 9, 0, 0}, "mime 9/29 truncated "},
		{{MIME, 28, true, 0}, "mime 0/29 truncated "},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(body_for(arena, PLAIN_ONLY, 2, &cases[i].wish, 1), cases[i].body);
	arena_free(&arena);
}

static void previews_are_plain_and_short(void **state)
{
	static const struct wish html = {HTML, 0, 0, 100}, plain = {PLAIN, 0, 0, 5};
	struct arena *arena = arena_create(0);

	(void)state;
	assert_string_equal(body_for(arena, "Content-Type: text/html\r\n\r\n<p>One\r\n<b>two</b>\r\n\r\n<p>three", 0, &html, 1),
		"html 0/30 truncated One two three ");
	assert_string_equal(body_for(arena, "\r\n\r\n  a \t b\r\n\r\nc d", 0, &plain, 1), "plain 0/16 truncated a b c ");
	arena_free(&arena);
}

static void a_wish_for_all_or_nothing_makes_place_for_the_next(void **state)
{
	static const struct { const char *octets; unsigned mime_support; struct wish wishes[3]; size_t count; const char *body; } cases[] = {
		/* MS-ASAIRS 2.2.2.3.2 */
		{ALTERNATIVE, 0, {{HTML, 10, true, 0}, {PLAIN, 9, 0, 0}}, 2, "plain 8/15 truncated plain \xc3\xa4"},
		{ALTERNATIVE, 0, {{HTML, 11, true, 0}, {PLAIN, 9, 0, 0}}, 2, "html 11/11 <p>html</p>"},
		{ALTERNATIVE, 0, {{PLAIN, 9, 0, 0}, {HTML, 10, true, 0}}, 2, "plain 8/15 truncated plain \xc3\xa4"},
		{PLAIN_ONLY, 2, {{MIME, 5, true, 0}, {HTML, 40, true, 0}, {PLAIN, 15, 0, 0}}, 3, "plain 15/15 plain \xc3\xa4\xc3\xb6 text"},
		{SIGNED, 1, {{MIME, 5, true, 0}, {PLAIN, ALL, 0, 0}}, 2, "plain 1/1 x"},
		/* nothing but such wishes: nothing */
		{ALTERNATIVE, 0, {{HTML, 10, true, 0}, {PLAIN, 14, true, 0}}, 2, "plain 0/15 truncated "},
		/* without a bound there is nothing to say */
		{ALTERNATIVE, 0, {{HTML, ALL, true, 0}, {PLAIN, ALL, 0, 0}}, 2, "html 11/11 <p>html</p>"},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(body_for(arena, cases[i].octets, cases[i].mime_support, cases[i].wishes, cases[i].count), cases[i].body);
	arena_free(&arena);
}

static void mime_has_a_preview_of_its_text(void **state)
{
	static const struct { const char *octets; struct wish wish; const char *body; } cases[] = {
		{ALTERNATIVE, {MIME, 0, 0, 5}, "mime 0/127 truncated plain "},
		{SIGNED, {MIME, 3, 0, 255}, "mime 3/103 truncated x "},
		{"Content-Type: text/html\r\n\r\n<p>One", {MIME, 0, 0, 9}, "mime 0/33 truncated One "},
		{"Content-Type: application/pkcs7-mime\r\n\r\nMIIB", {MIME, 0, 0, 9}, "mime 0/44 truncated "},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(body_for(arena, cases[i].octets, 2, &cases[i].wish, 1), cases[i].body);
	arena_free(&arena);
}

/* As after BODYSTRUCTURE: the beginning of a text is there, its size is known. */
static void a_text_that_is_not_there_as_a_whole_is_told_as_truncated(void **state)
{
	struct arena *arena = arena_create(0);
	struct mime_part *root = mime_part_create(arena, NULL);
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT, *wishes = &wish;
	Belfry__Connector__Body body = BELFRY__CONNECTOR__BODY__INIT;
	struct body_plan plan;

	(void)state;
	wish.type = BELFRY__CONNECTOR__BODY_TYPE__PLAIN;
	wish.has_truncate = true;
	wish.truncate = 100000;
	root->size = 10 * 1000 * 1000;
	body_choose(root, &wishes, 1, 0, &plan);
	assert_int_equal(body_octets_needed(&plan, root), 100000 * 4 + 64 * 1024);
	root->body = slice_string("beginning");
	root->is_loaded = true;
	body_fill(arena, &plan, &body);
	assert_int_equal(body.data.len, 9);
	assert_true(body.truncated);
	assert_int_equal(body.full_size, 10 * 1000 * 1000);
	wish.has_truncate = false;
	wish.all_or_none = true; /* means nothing then (MS-ASAIRS section 2.2.2.3.2) */
	body_fill(arena, &plan, &body);
	assert_int_equal(body.data.len, 9);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_native_form_is_taken_when_it_is_wished),
		cmocka_unit_test(mime_is_given_to_those_who_support_it),
		cmocka_unit_test(bodies_are_cut_between_characters),
		cmocka_unit_test(previews_are_plain_and_short),
		cmocka_unit_test(a_wish_for_all_or_nothing_makes_place_for_the_next),
		cmocka_unit_test(mime_has_a_preview_of_its_text),
		cmocka_unit_test(a_text_that_is_not_there_as_a_whole_is_told_as_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
