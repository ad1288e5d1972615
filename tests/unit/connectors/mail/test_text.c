/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands in bodies: transfer encodings, character sets, HTML, threads. */
#include "tests/unit/connectors/mail/try.h"

#include <stdio.h>

#include "connectors/mail/charset.h"
#include "connectors/mail/html.h"
#include "connectors/mail/thread.h"
#include "connectors/mail/transfer.h"

static void decode_in_pieces(const char *name, const char *encoded, size_t size, const char *text)
{
	struct transfer_pieces pieces = {.transfer = transfer_from_name(slice_string(name))};
	struct buffer out = BUFFER_EMPTY;

	for (size_t at = 0; at < strlen(encoded); at += size)
		transfer_append_piece(&pieces, &out, slice_cut(slice_string(encoded + at), size));
	transfer_end_pieces(&pieces, &out);
	assert_string_equal(buffer_string(&out), text);
	buffer_release(&out);
}

static void transfer_encodings_are_decoded_as_far_as_they_make_sense(void **state)
{
	static const struct { const char *name, *encoded, *text; } cases[] = {
		{"base64", "SGVsbG8=", "Hello"},
		{"BASE64 ", "SGVs\r\nbG8", "Hello"},
		{"base64", "SGVsbG8=SGVsbG8=", "HelloHello"},
		{"base64", "S?G!V s\tbG8", "Hello"},
		{"base64", "S", ""},
		{"base64", "====", ""},
		{"quoted-printable", "a=3Db=\r\nc= \t\nd=", "a=bcd"},
		{"Quoted-Printable", "=c3=A4 =XY =4", "\xc3\xa4 =XY =4"},
		{"7bit", "a=3D", "a=3D"},
		{"x-unknown", "a", "a"},
		{"", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer out = BUFFER_EMPTY;
		transfer_append(&out, transfer_from_name(slice_string(cases[i].name)), slice_string(cases[i].encoded));
		assert_string_equal(buffer_string(&out), cases[i].text);
		buffer_release(&out);
		for (size_t size = 1; size <= strlen(cases[i].encoded); size++)
			decode_in_pieces(cases[i].name, cases[i].encoded, size, cases[i].text);
	}
}

static void sizes_of_decoded_content_are_estimated(void **state)
{
	(void)state;
	assert_int_equal(transfer_decoded_size(TRANSFER_BASE64, 78 * 1000), 57 * 1000);
	assert_int_equal(transfer_decoded_size(TRANSFER_BASE64, 8), 6);
	assert_int_equal(transfer_decoded_size(TRANSFER_IDENTITY, 8), 8);
}

static void character_sets_become_utf8(void **state)
{
	static const struct { const char *name, *text, *utf8; } cases[] = {
		{"utf-8", "\xc3\xa4", "\xc3\xa4"},
		{"utf-8", "\xe4x", "\xef\xbf\xbdx"},
		{"us-ascii", "\xc3\xa4", "\xc3\xa4"},
		{"us-ascii", "\xe4", "\xc3\xa4"},
		{"", "\x80\xe4", "\xe2\x82\xac\xc3\xa4"},
		{"x-nobody-knows", "\xe4", "\xc3\xa4"},
		{"iso-8859-1", "\x80\xe4", "\xe2\x82\xac\xc3\xa4"},
		{" ISO-8859-15 ", "\xa4", "\xe2\x82\xac"},
		{"windows-1251", "\xcf\xf0\xe8", "\xd0\x9f\xd1\x80\xd0\xb8"},
		{"koi8-r", "\xf0\xd2\xc9", "\xd0\x9f\xd1\x80\xd0\xb8"},
		{"iso-8859-8-i", "\xe0", "\xd7\x90"},
		{"shift_jis", "\x83\x65\x83\x58", "\xe3\x83\x86\xe3\x82\xb9"},
		{"euc-kr", "\xb0\xa1", "\xea\xb0\x80"},
		{"big5", "\xa7\x41", "\xe4\xbd\xa0"},
		{"gb18030", "\xc4\xe3\xff", "\xe4\xbd\xa0\xef\xbf\xbd"},
		{"iso-2022-jp", "\x1b$B$3\x1b(Bx", "\xe3\x81\x93x"},
		{"iso-2022-jp", "\x1b$B$", "\xef\xbf\xbd"},
		{"", "\x1b$B$3\x1b(Bx", "\xe3\x81\x93x"},
		{"utf-7", "a+AOQ-b", "a\xc3\xa4" "b"},
		{"windows-1252", "\x81", "\xef\xbf\xbd"},
		{"utf-8", "a\x01\x0c" "b", "ab"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer out = BUFFER_EMPTY;
		charset_append(&out, slice_string(cases[i].name), slice_string(cases[i].text));
		assert_string_equal(buffer_string(&out), cases[i].utf8);
		buffer_release(&out);
	}
}

static void html_becomes_text_to_be_read(void **state)
{
	static const struct { const char *html, *text; } cases[] = {
		{"", ""},
		{"a", "a"},
		{"<p>a</p><p>b</p>", "a\r\n\r\nb"},
		{"a<br>b<br><br>c", "a\r\nb\r\n\r\nc"},
		{"<div>a<div>b</div></div>c", "a\r\nb\r\nc"},
		{"  a \n  <b> b</b>  c ", "a b c"},
		{"a<b>b</b>c", "abc"},
		{"<a href=\"https://x.example/\">here</a>", "here <https://x.example/>"},
		{"<a href=\"mailto:a@b\">a@b</a>", "a@b"},
		{"<a href=\"#top\">up</a>", "up"},
		{"<a href=\"https://x.example/\"><img src=x></a>", ""},
		{"<ul><li>a<li>b</ul>", "* a\r\n* b"},
		{"<ol><li>a</li><li>b</li></ol>c", "1. a\r\n2. b\r\nc"},
		{"a<ul><li>b<ul><li>c</ul></ul>", "a\r\n\r\n* b\r\n  * c"},
		{"a<blockquote>b<p>c</blockquote>d", "a\r\n\r\n> b\r\n>\r\n> c\r\n\r\nd"},
		{"<pre> a\n  b</pre>", " a\r\n  b"},
		{"<pre>a\n\n\nb</pre>", "a\r\n\r\n\r\nb"},
		{"<table><tr><td>a<td>b<tr><td>c</table>", "a b\r\nc"},
		{"<style>x</style><script>y</script><title>z</title>a", "a"},
		{"<!-- x -->a<!-- never closed", "a"},
		{"&lt;&amp;&nbsp;&euro;&#x41;", "<&\xc2\xa0\xe2\x82\xac" "A"},
		{"<p><p><p>a<p><p>", "a"},
		{"a<hr>b", "a\r\n--------------------\r\nb"},
		{"<img alt=logo src=x>", "[logo]"},
		{"</div></p></b>a", "a"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer out = BUFFER_EMPTY;
		html_to_text(&out, slice_string(cases[i].html));
		assert_string_equal(buffer_string(&out), cases[i].text);
		buffer_release(&out);
	}
}

/* The tree of each would take gigabytes, or hours, or a deeper stack than there is. */
static void html_that_is_too_much_loses_its_tags_only(void **state)
{
	static const char *const pieces[] = {"<div>x", "<b><p>x", "<a href=y><b><p>x", "<font color=%d><p>x", "<table><tr><td>x",
		"<blockquote><ul><li>x", "<span %d=x>", "<svg><foreignObject>x"};

	(void)state;
	for (size_t i = 0; i < LENGTH(pieces); i++) {
		struct buffer html = BUFFER_EMPTY, out = BUFFER_EMPTY;

		for (int n = 0; html.length < 500000; n++) {
			char piece[64];
			snprintf(piece, sizeof piece, pieces[i], n);
			buffer_append_string(&html, piece);
		}
		buffer_append_string(&html, "the end");
		html_to_text(&out, slice_of(html.data, html.length));
		assert_non_null(memmem(out.data, out.length, "the end", 7));
		buffer_release(&html);
		buffer_release(&out);
	}
}

static void text_becomes_small_html(void **state)
{
	struct buffer out = BUFFER_EMPTY;

	(void)state;
	html_from_text(&out, slice_string("a < b & c\r\n  indented   x\n"));
	assert_string_equal(buffer_string(&out), "<html><body>a &lt; b &amp; c<br>\r\n&nbsp;&nbsp;indented &nbsp;&nbsp;x<br>\r\n"
		"</body></html>");
	buffer_release(&out);
}

static void html_tells_its_new_character_set(void **state)
{
	static const struct { const char *html, *result; } cases[] = {
		{"<meta charset=iso-8859-1>x", "<meta charset=utf-8>x"},
		{"<meta http-equiv=\"Content-Type\" content=\"text/html; CHARSET=koi8-r\">", "<meta http-equiv=\"Content-Type\""
			" content=\"text/html; CHARSET=utf-8\">"},
		{"<meta charset=\"UTF-8\">", "<meta charset=\"UTF-8\">"},
		{"<p>charset=", "<p>charset="},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer out = BUFFER_EMPTY;
		html_append_as_utf8(&out, slice_string(cases[i].html));
		assert_string_equal(buffer_string(&out), cases[i].result);
		buffer_release(&out);
	}
}

static void topics_lose_the_prefixes_of_answers(void **state)
{
	static const struct { const char *subject, *topic; } cases[] = {
		{"Budget", "Budget"},
		{"Re: Budget", "Budget"},
		{"RE: AW:FWD : Budget", "Budget"},
		{"Re[12]: Budget", "Budget"},
		{"Re(2): Budget", "Budget"},
		{"\xe5\x9b\x9e\xe5\xa4\x8d\xef\xbc\x9a" "Budget", "Budget"},
		{"Report: Budget", "Report: Budget"},
		{"Re Budget", "Re Budget"},
		{"Re:", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(thread_topic(cases[i].subject), cases[i].topic);
}

static struct thread_source source_of(const char *id, const char *in_reply_to, const char *references)
{
	return (struct thread_source){slice_string(id), slice_string(in_reply_to), slice_string(references), "Topic"};
}

static void mails_of_a_thread_have_one_conversation_and_growing_indexes(void **state)
{
	const struct thread_source first = source_of("<1@x>", NULL, NULL), second = source_of("<2@x>", "<1@x>", NULL),
		third = source_of("<3@x>", "<2@x>", "<1@x>\r\n <2@x>"), other = source_of("<9@x>", NULL, NULL);
	uint8_t id[THREAD_ID_BYTES], again[THREAD_ID_BYTES], *short_index, *index, *long_index;
	struct arena *arena = arena_create(0);

	(void)state;
	thread_id(&first, id);
	thread_id(&third, again);
	assert_memory_equal(id, again, sizeof id);
	thread_id(&second, again);
	assert_memory_equal(id, again, sizeof id);
	thread_id(&other, again);
	assert_memory_not_equal(id, again, sizeof id);
	assert_int_equal(thread_index(arena, &first, &short_index), 5);
	assert_int_equal(thread_index(arena, &second, &index), 10);
	assert_int_equal(thread_index(arena, &third, &long_index), 15);
	assert_memory_equal(short_index, index, 5);
	assert_memory_equal(index, long_index, 10);
	arena_free(&arena);
}

static void the_case_of_a_topic_does_not_part_a_conversation(void **state)
{
	struct thread_source one = source_of("<1@x>", NULL, NULL), other = one;
	uint8_t id[THREAD_ID_BYTES], again[THREAD_ID_BYTES];

	(void)state;
	other.topic = "TOPIC";
	thread_id(&one, id);
	thread_id(&other, again);
	assert_memory_equal(id, again, sizeof id);
	other.topic = "another";
	thread_id(&other, again);
	assert_memory_not_equal(id, again, sizeof id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfer_encodings_are_decoded_as_far_as_they_make_sense),
		cmocka_unit_test(sizes_of_decoded_content_are_estimated),
		cmocka_unit_test(character_sets_become_utf8),
		cmocka_unit_test(html_becomes_text_to_be_read),
		cmocka_unit_test(html_that_is_too_much_loses_its_tags_only),
		cmocka_unit_test(text_becomes_small_html),
		cmocka_unit_test(html_tells_its_new_character_set),
		cmocka_unit_test(topics_lose_the_prefixes_of_answers),
		cmocka_unit_test(mails_of_a_thread_have_one_conversation_and_growing_indexes),
		cmocka_unit_test(the_case_of_a_topic_does_not_part_a_conversation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
