/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UTF-8: what is a character, what XML can carry, and how broken text is mended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/core/utf8.h"
#include "lib/core/buffer.h"

#define BYTES(text) text, sizeof(text) - 1

static void well_formed_text_is_told_from_the_rest(void **state)
{
	static const struct { const char *text; bool is_valid; } cases[] = {
		{"", true}, {"INBOX", true}, {"Entw\xc3\xbcrfe", true}, {"\xe2\x82\xac", true}, {"\xf0\x9f\x94\x94", true},
		{"\xf4\x8f\xbf\xbf", true}, {"\xed\x9f\xbf", true},
		{"\x80", false}, {"\xc3", false}, {"\xe2\x82", false}, {"\xf0\x9f\x94", false}, /* cut */
		{"\xc0\xaf", false}, {"\xc1\xbf", false}, {"\xe0\x80\xaf", false}, {"\xf0\x80\x80\xaf", false}, /* overlong */
		{"\xed\xa0\x80", false}, {"\xf4\x90\x80\x80", false}, {"\xf5\x80\x80\x80", false}, {"\xff", false},
		{"a\xc3(", false}, {"Entw\xfcrfe", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(utf8_is_valid(cases[i].text, strlen(cases[i].text)), cases[i].is_valid);
}

static void characters_are_told_from_broken_bytes(void **state)
{
	static const struct { const char *bytes; size_t length; int size; } cases[] = {
		{BYTES("A"), 1}, {BYTES("\x00"), 1}, {BYTES("\x7F"), 1},
		{BYTES("\xC3\xBC"), 2}, {BYTES("\xE2\x82\xAC!"), 3}, {BYTES("\xF0\x9F\x94\x94"), 4}, {BYTES("\xF4\x8F\xBF\xBF"), 4},
		{BYTES("\x80"), -1}, {BYTES("\xBF\xBF"), -1}, {BYTES("\xFF"), -1}, {BYTES("\xF5\x80\x80\x80"), -1},
		{BYTES("\xC0\x80"), -1}, {BYTES("\xC1\xBF"), -1},                    /* overlong */
		{BYTES("\xE0\x9F\xBF"), -1}, {BYTES("\xF0\x8F\xBF\xBF"), -1},        /* overlong */
		{BYTES("\xED\xA0\x80"), -1}, {BYTES("\xF4\x90\x80\x80"), -1},        /* surrogate; beyond U+10FFFF */
		{BYTES("\xC3"), -1}, {BYTES("\xE2\x82"), -2}, {BYTES("\xF0\x9F\x94"), -3}, /* cut */
		{BYTES("\xE2\x82" "A"), -2}, {BYTES("\xF0\x9F\x94" "A"), -3}, {BYTES("\xC3\xC3"), -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(utf8_character(cases[i].bytes, cases[i].length), cases[i].size);
}

static void every_code_point_is_encoded_as_one_character(void **state)
{
	char bytes[4];

	(void)state;
	for (uint32_t code_point = 0; code_point < 0x112000; code_point += code_point < 0x3000 ? 1 : 61) {
		size_t length = utf8_encode(code_point, bytes);
		if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point < 0xE000))
			assert_int_equal(length, 0);
		else
			assert_int_equal(utf8_character(bytes, length), (int)length);
	}
	assert_int_equal(utf8_encode(0x20AC, bytes), 3);
	assert_memory_equal(bytes, "\xE2\x82\xAC", 3);
}

static void prefixes_end_where_the_text_does_at_every_place_in_a_word(void **state)
{
	static const struct { const char *bad; size_t string, xml; } cases[] = {
		{"\x01", 20, 0}, {"\x1F", 20, 0}, {"\n", 20, 20}, {"\t", 20, 20}, {"\r", 20, 20}, {"\x7F", 20, 20},
		{"\xFF", 0, 0}, {"\xC3\xBC", 20, 20}, {"\xEF\xBF\xBD", 20, 20}, {"\xEF\xBF\xBE", 20, 0}, {"\xEF\xBF\xBF", 20, 0},
		{"\xC2\x80", 20, 20},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t at = 0; at < 17; at++) {
			char text[21];
			memset(text, 'x', sizeof text);
			memcpy(text + at, cases[i].bad, strlen(cases[i].bad));
			assert_int_equal(utf8_string_prefix(text, 20), cases[i].string == 0 ? at : 20);
			assert_int_equal(utf8_xml_prefix(text, 20), cases[i].xml == 0 ? at : 20);
			text[at] = '\0';
			assert_int_equal(utf8_string_prefix(text, 20), at);
			assert_int_equal(utf8_xml_prefix(text, 20), at);
		}
}

static void broken_text_is_mended(void **state)
{
	static const struct { const char *bytes; size_t length; const char *mended; } cases[] = {
		{BYTES("Gr\xC3\xBC\xC3\x9F" "e\r\n\t"), "Gr\xC3\xBC\xC3\x9F" "e\r\n\t"},
		{BYTES("a\0b\x01" "c\x1B[0m"), "abc[0m"},
		{BYTES("Gr\xFC\xDF" "e"), "Gr\xEF\xBF\xBD\xEF\xBF\xBD" "e"},
		{BYTES("\xE2\x82" "A\xF0\x9F\x94"), "\xEF\xBF\xBD" "A\xEF\xBF\xBD"},
		{BYTES("\xEF\xBF\xBE!"), "!"},
		{BYTES("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
		{BYTES(""), ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer buffer = BUFFER_EMPTY;
		utf8_append_xml(&buffer, cases[i].bytes, cases[i].length);
		assert_string_equal(buffer_string(&buffer), cases[i].mended);
		assert_int_equal(utf8_xml_prefix(buffer.data, buffer.length), buffer.length);
		buffer_release(&buffer);
	}
}

static void a_cut_character_is_seen_at_the_end(void **state)
{
	static const struct { const char *bytes; size_t length, tail; } cases[] = {
		{BYTES(""), 0}, {BYTES("abc"), 0}, {BYTES("ab\xC3"), 1}, {BYTES("ab\xC3\xBC"), 0}, {BYTES("\xE2\x82"), 2},
		{BYTES("\xE2\x82\xAC"), 0}, {BYTES("x\xF0\x9F\x94"), 3}, {BYTES("x\xF0\x9F\x94\x94"), 0}, {BYTES("\xBF\xBF\xBF\xBF"), 0},
		{BYTES("\xED\xA0"), 0}, {BYTES("\xFF"), 0}, {BYTES("\xC3\xF0"), 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(utf8_incomplete_tail(cases[i].bytes, cases[i].length), cases[i].tail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed_text_is_told_from_the_rest),
		cmocka_unit_test(characters_are_told_from_broken_bytes),
		cmocka_unit_test(every_code_point_is_encoded_as_one_character),
		cmocka_unit_test(prefixes_end_where_the_text_does_at_every_place_in_a_word),
		cmocka_unit_test(broken_text_is_mended),
		cmocka_unit_test(a_cut_character_is_seen_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
