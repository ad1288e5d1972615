/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands in bodies: transfer encodings, character sets, HTML, threads. */
#include "tests/unit/connectors/mail/try.h"

#include <stdio.h>

#include "connectors/mail/charset.h"
#include "connectors/mail/html.h"
#include "connectors/mail/thread.h"
#include "connectors/mail/transfer.h"
#include "lib/core/utf8.h"

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

/* Each with letters that only it writes so; labels as mails have them. */
static void every_character_set_of_mails_is_read(void **state)
{
#define SIZED(text) text, sizeof text - 1
	static const struct { const char *name, *text; size_t length; const char *utf8; } cases[] = {
		{"iso-8859-2", SIZED("\xa3\xf3" "d\xbc"), "\xc5\x81\xc3\xb3" "d\xc5\xba"},
		{"iso-8859-3", SIZED("\xd8is"), "\xc4\x9cis"},
		{"iso-8859-4", SIZED("\xab" "e"), "\xc4\xa2" "e"},
		{"iso-8859-5", SIZED("\xb4\xde\xdc"), "\xd0\x94\xd0\xbe\xd0\xbc"},
		{"iso-8859-6", SIZED("\xd3\xe4\xc7\xe5"), "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85"},
		{"iso-8859-7", SIZED("\xc3\xe5\xe9\xe1"), "\xce\x93\xce\xb5\xce\xb9\xce\xb1"},
		{"iso-8859-8-i", SIZED("\xf9\xec\xe5\xed"), "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
		{"iso-8859-9", SIZED("\xfd\xf0\xfe"), "\xc4\xb1\xc4\x9f\xc5\x9f"},
		{"iso-8859-10", SIZED("\xa9\xbc"), "\xc4\x90\xc5\xbe"},
		{"iso-8859-11", SIZED("\xe4\xb7\xc2"), "\xe0\xb9\x84\xe0\xb8\x97\xe0\xb8\xa2"},
		{"iso-8859-13", SIZED("\xc0\xfe"), "\xc4\x84\xc5\xbe"},
		{"iso-8859-14", SIZED("\xd0\xfe"), "\xc5\xb4\xc5\xb7"},
		{"iso-8859-15", SIZED("\xa4\xbd"), "\xe2\x82\xac\xc5\x93"},
		{"iso-8859-16", SIZED("\xde\xba"), "\xc8\x9a\xc8\x99"},
		{"windows-1250", SIZED("\x9elu\x9dou\xe8k\xfd"), "\xc5\xbelu\xc5\xa5ou\xc4\x8dk\xc3\xbd"},
		{"windows-1251", SIZED("\xcf\xf0\xe8\xe2\xe5\xf2"), "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
		{"win-1251", SIZED("\xcf\xf0\xe8\xe2\xe5\xf2"), "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
		{"windows-1252", SIZED("\x84\x80\x93"), "\xe2\x80\x9e\xe2\x82\xac\xe2\x80\x9c"},
		{"windows-1253", SIZED("\xa2\xeb\xf6\xe1"), "\xce\x86\xce\xbb\xcf\x86\xce\xb1"},
		{"windows-1254", SIZED("\xdd\xfe"), "\xc4\xb0\xc5\x9f"},
		{"windows-1255", SIZED("\xf9\xec\xe5\xed"), "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
		{"windows-1256", SIZED("\xd3\xe1\xc7\xe3"), "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85"},
		{"windows-1257", SIZED("\xe0\xfeuolas"), "\xc4\x85\xc5\xbeuolas"},
		{"windows-1258", SIZED("\xf0\xf4"), "\xc4\x91\xc3\xb4"},
		{"koi8-r", SIZED("\xf0\xd2\xc9\xd7\xc5\xd4"), "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
		{"koi8-u", SIZED("\xb7\xd6\xc1\xcb"), "\xd0\x87\xd0\xb6\xd0\xb0\xd0\xba"},
		{"ibm437", SIZED("\x82\xab"), "\xc3\xa9\xc2\xbd"},
		{"cp850", SIZED("\xa4\xd1"), "\xc3\xb1\xc3\x90"},
		{"cp852", SIZED("\x9f\xa7"), "\xc4\x8d\xc5\xbe"},
		{"cp855", SIZED("\xa7\xd6\xd2"), "\xd0\x94\xd0\xbe\xd0\xbc"},
		{"cp866", SIZED("\x84\xae\xac"), "\xd0\x94\xd0\xbe\xd0\xbc"},
		{"cp862", SIZED("\x99\x8c\x85\x8d"), "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
		{"cp737", SIZED("\x82\x9c\xa0\x98"), "\xce\x93\xce\xb5\xce\xb9\xce\xb1"},
		{"macintosh", SIZED("\x8e\xa0"), "\xc3\xa9\xe2\x80\xa0"},
		{"x-mac-cyrillic", SIZED("\x84\xee\xec"), "\xd0\x94\xd0\xbe\xd0\xbc"},
		{"x-mac-ce", SIZED("\xfc\xec"), "\xc5\x81\xc5\xbe"},
		{"gb2312", SIZED("\xc4\xe3\xba\xc3"), "\xe4\xbd\xa0\xe5\xa5\xbd"},
		{"gbk", SIZED("\xe6g"), "\xe9\x8e\x94"},
		{"gb18030", SIZED("\xc4\xe3\xa2\xe3\x94" "9\xe5" "0"), "\xe4\xbd\xa0\xe2\x82\xac\xf0\x9f\x94\x94"},
		{"big5", SIZED("\xa7" "A\xa6n"), "\xe4\xbd\xa0\xe5\xa5\xbd"},
		{"cp950", SIZED("\xa7" "A\xa6n"), "\xe4\xbd\xa0\xe5\xa5\xbd"},
		{"euc-jp", SIZED("\xc6\xfc\xcb\xdc\xb8\xec"), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
		{"shift_jis", SIZED("\x93\xfa\x96{\x8c\xea\x87@"), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe2\x91\xa0"},
		{"iso-2022-jp", SIZED("\x1b$BF|K\\8l\x1b(Bx"), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9ex"},
		{"iso-2022-jp-1", SIZED("\x1b$BF|K\\8l\x1b(Bx"), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9ex"},
		{"iso-2022-jp-2", SIZED("\x1b$BF|K\\8l\x1b$(D+1\x1b(B"), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xc3\xa9"},
		{"iso-2022-jp-3", SIZED("\x1b$BF|K\\8l\x1b(Bx"), "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9ex"},
		{"euc-kr", SIZED("\xc7\xd1\xb1\xb9"), "\xed\x95\x9c\xea\xb5\xad"},
		{"ks_c_5601-1987", SIZED("\x8c" "c\xb9\xe6"), "\xeb\x98\xa0\xeb\xb0\xa9"},
		{"johab", SIZED("\xd0" "e\x8a\x82"), "\xed\x95\x9c\xea\xb5\xad"},
		{"iso-2022-kr", SIZED("\x1b$)C\x0eGQ19\x0f x"), "\xed\x95\x9c\xea\xb5\xad x"},
		{"utf-16le", SIZED("a\x00\xe4\x00=\xd8\x14\xdd"), "a\xc3\xa4\xf0\x9f\x94\x94"},
		{"utf-16be", SIZED("\x00" "a\x00\xe4\xd8=\xdd\x14"), "a\xc3\xa4\xf0\x9f\x94\x94"},
		{"utf-7", SIZED("a+AOTYPd0UACs-"), "a\xc3\xa4\xf0\x9f\x94\x94+"},
		{"utf-32le", SIZED("a\x00\x00\x00\xe4\x00\x00\x00"), "a\xc3\xa4"},
		{"utf-32be", SIZED("\x00\x00\x00" "a\x00\x00\x00\xe4"), "a\xc3\xa4"},
		{"kz-1048", SIZED("\x8d\xe0\xe7\xe0\x9d"), "\xd2\x9a\xd0\xb0\xd0\xb7\xd0\xb0\xd2\x9b"},
		{"pt154", SIZED("\x8d\xe0\xe7\xe0\x9d"), "\xd2\x9a\xd0\xb0\xd0\xb7\xd0\xb0\xd2\x9b"},
		{"utf-16", SIZED("\xff\xfe" "a\x00\xe4\x00"), "a\xc3\xa4"},
		{"utf-16", SIZED("\xfe\xff\x00" "a\x00\xe4"), "a\xc3\xa4"},
		{"utf-16", SIZED("a\x00\xe4\x00"), "a\xc3\xa4"},
		{"utf-16", SIZED("\x00" "a\x00\xe4"), "a\xc3\xa4"},
		{"utf-32", SIZED("\x00\x00\xfe\xff\x00\x00\x00" "a"), "a"},
		{"utf-32", SIZED("a\x00\x00\x00"), "a"},
		{"unicode", SIZED("a\x00\xe4\x00"), "a\xc3\xa4"},
		{"iso-2022-jp", SIZED("\x1b(I1\x1b(B"), "\xef\xbd\xb1"},
	};
#undef SIZED

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer out = BUFFER_EMPTY;
		charset_append(&out, slice_string(cases[i].name), slice_of(cases[i].text, cases[i].length));
		assert_string_equal(buffer_string(&out), cases[i].utf8);
		buffer_release(&out);
	}
}

/* All that iconv knows, and more: whatever the label says, there is some text, and an end. */
static void every_label_gives_some_text(void **state)
{
	static const char *const names[] = {"ISO-2022-CN", "ISO-2022-CN-EXT", "HZ-GB-2312", "UTF-7-IMAP", "EBCDIC-US", "IBM1390",
		"TSCII", "WCHAR_T", "UCS-4-INTERNAL", "binary", "8bit", "unknown-8bit", "x-unknown", "default", "utf-8;", "\"utf-8\"",
		"iso-8859-99", "//TRANSLIT", "UTF-8//IGNORE", "../../etc/passwd", "\xff\xfe"};
	char every[256];

	(void)state;
	for (size_t i = 0; i < sizeof every; i++)
		every[i] = (char)i;
	for (size_t i = 0; i < LENGTH(names); i++) {
		struct buffer out = BUFFER_EMPTY;
		charset_append(&out, slice_string(names[i]), slice_string("plain"));
		assert_string_equal(buffer_string(&out), "plain");
		charset_append(&out, slice_string(names[i]), slice_of(every, sizeof every));
		assert_true(out.length > 100 && utf8_is_valid(out.data, out.length));
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
		cmocka_unit_test(every_character_set_of_mails_is_read),
		cmocka_unit_test(every_label_gives_some_text),
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
