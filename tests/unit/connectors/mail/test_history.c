/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an answer repeats, as mailers write it. */
#include "tests/unit/connectors/mail/try.h"

#include "connectors/mail/history.h"
#include "connectors/mail/mail.h"

static void quoted_text_is_dropped_where_it_is_not_answered_to(void **state)
{
	static const struct { const char *text, *rest; } cases[] = {
		{"", ""},
		{"just this\r\n", "just this\r\n"},
		/* below the answer */
		{"yes\r\n\r\nOn Mon, 3 Mar 2025, Ann wrote:\r\n> will you?\r\n>> maybe\r\n", "yes\r\n\r\n"},
		{"yes\n\nOn Mon, 3 Mar 2025 at 12:00 Ann Example <ann@example.org>\nwrote:\n\n> will you?\n", "yes\n\n"},
		{"yes\n\nAm 3.3.2025 schrieb Ann:\n> will you?\n\n-- \nme\n", "yes\n\n\n-- \nme\n"},
		{"hi\nAnn:\n> will you?\n", "hi\n"},
		{"yes\n> will you?", "yes\n"},
		{"\xe3\x81\xaf\xe3\x81\x84\nAnn\xef\xbc\x9a\n> x\n", "\xe3\x81\xaf\xe3\x81\x84\n"},
		/* above it */
		{"Ann wrote:\n> will you?\n\nyes\n", "\nyes\n"},
		/* between the lines: all but what is at the end */
		{"> one?\nyes\n> two?\nno\n", "> one?\nyes\n> two?\nno\n"},
		{"> one?\nyes\n> two?\n", "> one?\nyes\n"},
		/* whole mails */
		{"yes\r\n-----Original Message-----\r\nFrom: Ann\r\n\r\nwill you?\r\n", "yes\r\n"},
		{"ja\n-----Urspr\xc3\xbcngliche Nachricht-----\nVon: Ann\n", "ja\n"},
		{"yes\n________________________________\nFrom: Ann <a@example.org>\nSent: Monday\n\nwill you?\n", "yes\n"},
		/* what only looks so */
		{"see\n---------- Forwarded message ---------\nFrom: Ann\n\nx\n", "see\n---------- Forwarded message ---------\nFrom: Ann\n\nx\n"},
		{"a\n________________________________\nb\n", "a\n________________________________\nb\n"},
		{"a > b\n", "a > b\n"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer out = BUFFER_EMPTY;
		history_drop_from_text(&out, slice_string(cases[i].text));
		assert_string_equal(buffer_string(&out), cases[i].rest);
		buffer_release(&out);
	}
}

static void quoted_html_is_dropped_and_the_rest_stays_well_formed(void **state)
{
	static const struct { const char *html, *rest; } cases[] = {
		{"", ""},
		{"<p>just this</p>", "<p>just this</p>"},
		/* Apple Mail */
		{"<html><body>yes<div><br><blockquote type=\"cite\"><div>On 3 Mar, Ann wrote:</div>will you?</blockquote></div></body></html>",
			"<html><body>yes<div><br></div></body></html>"},
		/* Gmail */
		{"<div dir=\"ltr\">yes</div><br><div class=\"gmail_quote\"><div class=\"gmail_attr\">On Mon, Ann &lt;a@example.org&gt; wrote:<br></div>"
			"<blockquote class=\"gmail_quote\" style=\"margin:0\">will you?</blockquote></div>",
			"<div dir=\"ltr\">yes</div><br><div class=\"gmail_quote\"></div>"},
		/* Thunderbird, the answer above and below */
		{"<p>yes</p><div class=\"moz-cite-prefix\">Am 3.3. schrieb Ann:<br></div><blockquote type=\"cite\" cite=\"mid:x\">q</blockquote>",
			"<p>yes</p>"},
		{"<div class=\"moz-cite-prefix\">Ann:<br></div><blockquote type=\"cite\">q</blockquote><p>yes</p>", "<p>yes</p>"},
		/* who wrote it, in a line of its own with a link in it */
		{"yes<br>On Mon, <a href=\"mailto:a\">Ann</a> wrote:<br><blockquote type=cite>q</blockquote>", "yes<br><br>"},
		{"<div>yes</div><p>On Mon, Ann wrote:</p><blockquote type=cite>q</blockquote>", "<div>yes</div><p></p>"},
		/* between the lines */
		{"<blockquote type=cite>a?</blockquote>yes<blockquote type=cite>b?</blockquote>no",
			"<blockquote type=cite>a?</blockquote>yes<blockquote type=cite>b?</blockquote>no"},
		{"<blockquote type=cite>a?</blockquote>yes<blockquote type=cite>b?</blockquote>", "<blockquote type=cite>a?</blockquote>yes"},
		/* whole mails */
		{"<html><body><div>yes</div><div id=\"appendonsend\"></div><hr><div id=\"divRplyFwdMsg\"><b>From:</b> Ann</div><div>q</div></body></html>",
			"<html><body><div>yes</div></body></html>"},
		{"<html><body><div class=\"WordSection1\"><p>yes</p><div><div style=\"border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0\">"
			"<p><b>From:</b> Ann</p></div></div><p>q</p></div></body></html>",
			"<html><body><div class=\"WordSection1\"><p>yes</p><div></div></div></body></html>"},
		{"<p>yes</p><p>-----Original Message-----<br>From: Ann</p><p>q</p>", "<p>yes</p><p></p>"},
		/* what the author has only indented; what is left open */
		{"<p>see</p><blockquote>a poem</blockquote>", "<p>see</p><blockquote>a poem</blockquote>"},
		{"yes<blockquote type=cite>q<div>r", "yes"},
		{"<p>yes<blockquote type=cite>q", "<p>yes"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer out = BUFFER_EMPTY;
		history_drop_from_html(&out, slice_string(cases[i].html));
		assert_string_equal(buffer_string(&out), cases[i].rest);
		buffer_release(&out);
	}
}

#define ANSWER "In-Reply-To: <one@example.org>\r\n"

static char *part_of(struct arena *arena, const char *octets, const Belfry__Connector__BodyWish *wish)
{
	Belfry__Connector__Body part = BELFRY__CONNECTOR__BODY__INIT;

	mail_read_part(arena, octets, strlen(octets), wish, &part);
	assert_int_equal(part.type, BELFRY__CONNECTOR__BODY_TYPE__HTML);
	return arena_printf(arena, "%llu%s%s [%s] %.*s", (unsigned long long)part.full_size, part.truncated ? " truncated" : "",
		part.too_large ? " too large" : "", part.preview, (int)part.data.len, (const char *)part.data.data);
}

static void a_part_is_html_and_only_answers_lose_anything(void **state)
{
	static const struct { const char *octets; int truncate; const char *part; } cases[] = {
		{"Subject: x\r\n\r\nyes\r\nAnn wrote:\r\n> q\r\n", -1,
			"63 [yes Ann wrote: > q] <html><body>yes<br>\r\nAnn wrote:<br>\r\n&gt; q<br>\r\n</body></html>"},
		{ANSWER "\r\nyes\r\nAnn wrote:\r\n> q\r\n", -1, "35 [yes] <html><body>yes<br>\r\n</body></html>"},
		{"References: <a@b>\r\nContent-Type: text/html\r\n\r\n<p>yes</p><blockquote type=cite>q</blockquote>", -1, "10 [yes] <p>yes</p>"},
		{"Subject: FW: x\r\nReferences: <a@b>\r\nContent-Type: text/html\r\n\r\n<p>see</p><blockquote type=cite>q</blockquote>",
			-1, "46 [see > q] <p>see</p><blockquote type=cite>q</blockquote>"},
		{ANSWER "\r\nyes\r\n> q\r\n", 15, "35 truncated [yes] <html><body>yes"},
		{ANSWER "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n"
			"<p>rich</p><blockquote type=cite>q</blockquote>\r\n--b--\r\n", -1, "11 [rich] <p>rich</p>"},
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT;
		wish.preview = 30;
		wish.has_truncate = cases[i].truncate >= 0;
		wish.truncate = wish.has_truncate ? (uint64_t)cases[i].truncate : 0;
		assert_string_equal(part_of(arena, cases[i].octets, &wish), cases[i].part);
	}
	arena_free(&arena);
}

static void a_part_that_does_not_fit_into_a_frame_says_so(void **state)
{
	Belfry__Connector__BodyWish wish = BELFRY__CONNECTOR__BODY_WISH__INIT;
	struct arena *arena = arena_create(0);
	struct buffer octets = BUFFER_EMPTY;

	(void)state;
	buffer_append_string(&octets, "Subject: x\r\n\r\n");
	for (int i = 0; i < 70000; i++)
		buffer_append_byte(&octets, 'x');
	assert_string_equal(part_of(arena, buffer_string(&octets), &wish), "70026 too large [] ");
	wish.has_truncate = true;
	wish.truncate = 13;
	assert_string_equal(part_of(arena, buffer_string(&octets), &wish), "70026 truncated [] <html><body>x");
	buffer_release(&octets);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quoted_text_is_dropped_where_it_is_not_answered_to),
		cmocka_unit_test(quoted_html_is_dropped_and_the_rest_stays_well_formed),
		cmocka_unit_test(a_part_is_html_and_only_answers_lose_anything),
		cmocka_unit_test(a_part_that_does_not_fit_into_a_frame_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
