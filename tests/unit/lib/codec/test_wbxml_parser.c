/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The WBXML parser: documents and the events they give, and documents that it refuses, with the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/core/buffer.h"

#define BYTES(text) text, sizeof(text) - 1
#define HEADER "\x03\x01\x6A\x00"

/* Events as text: <0005 an element, <0005/ without content, ? unknown, 'text', #data in hex#, >0005 its end. Parses a copy
 * of exact size, so that the sanitizer sees whoever reads on. */
static int parse(const void *bytes, size_t length, struct buffer *events_r, struct error *error_r)
{
	struct wbxml_parser parser;
	enum wbxml_event event;
	char *copy = malloc(length != 0 ? length : 1);

	memcpy(copy, bytes, length);
	*events_r = BUFFER_EMPTY;
	int result = wbxml_parser_open(&parser, &activesync_language, copy, length, error_r);
	while (result == 0 && (event = wbxml_parser_next(&parser, error_r)) != WBXML_DONE) {
		if (event == WBXML_START)
			buffer_printf(events_r, "<%04X%s%s", parser.tag, parser.known ? "" : "?", parser.has_content ? "" : "/");
		else if (event == WBXML_END)
			buffer_printf(events_r, ">%04X", parser.tag);
		else if (event == WBXML_TEXT)
			buffer_printf(events_r, "'%s'", parser.text);
		else if (event == WBXML_ERROR)
			result = -1;
		if (event == WBXML_TEXT)
			assert_int_equal(strlen(parser.text), parser.length);
		if (event == WBXML_OPAQUE) {
			buffer_append_byte(events_r, '#');
			for (size_t i = 0; i < parser.length; i++)
				buffer_printf(events_r, "%02X", (uint8_t)parser.text[i]);
			buffer_append_byte(events_r, '#');
		}
	}
	if (result < 0) {
		struct error again;
		assert_int_equal(wbxml_parser_next(&parser, &again), WBXML_ERROR);
	} else {
		assert_int_equal(wbxml_parser_next(&parser, error_r), WBXML_DONE);
	}
	free(copy);
	return result;
}

static void documents_give_their_events(void **state)
{
	static const struct { const char *bytes; size_t length; const char *events; } cases[] = {
		{BYTES(HEADER "\x05"), "<0005/"},
		{BYTES(HEADER "\x45\x01"), "<0005>0005"},
		{BYTES(HEADER "\x45\x4B\x03" "17\0\x01\x01"), "<0005<000B'17'>000B>0005"},
		{BYTES(HEADER "\x45\x4B\x03\0\x01\x13\x01"), "<0005<000B''>000B<0013/>0005"},
		/* A page holds on until the next switch, over ends, too. */
		{BYTES(HEADER "\x00\x07\x56\x52\x03" "0\0\x01\x17\x01"), "<0716<0712'0'>0712<0717/>0716"},
		{BYTES(HEADER "\x45\x00\x11\x4A\x06\x01\x07\x00\x00\x08\x01"), "<0005<110A<1106/>110A<1107/<0008/>0005"},
		{BYTES(HEADER "\x00\x07\x00\x00\x05"), "<0005/"},
		{BYTES(HEADER "\x45\xC3\x03\x00\xFF\x01\xC3\x00\x01"), "<0005#00FF01###>0005"},
		{BYTES(HEADER "\x45\xC3\x80\x02\x68\x69\x01"), "<0005#6869#>0005"},
		{BYTES(HEADER "\x45\x03" "a\0\x03" "b\0\x02\x81\x41\x01"), "<0005'a''b''\xC3\x81'>0005"},
		{BYTES(HEADER "\x45\x03" "Gr\xC3\xBC\xC3\x9F" "e\0\x01"), "<0005'Gr\xC3\xBC\xC3\x9F" "e'>0005"},
		/* The string table, by offset; into the middle of a string, too. */
		{BYTES("\x03\x01\x6A\x08" "one\0two\0" "\x45\x83\x04\x83\x01\x01"), "<0005'two''ne'>0005"},
		/* Other headers that clients send. */
		{BYTES("\x01\x01\x6A\x00\x05"), "<0005/"},
		{BYTES("\x02\x01\x03\x00\x05"), "<0005/"},
		{BYTES("\x03\xA4\x01\x6A\x00\x05"), "<0005/"},
		{BYTES("\x03\x00\x00\x6A\x03-/\0\x05"), "<0005/"},
		{BYTES("\x03\x01\x00\x00\x05"), "<0005/"},
		/* What the language does not have is reported as such, with all that is inside. */
		{BYTES(HEADER "\x45\x7F\x4B\x03x\0\x01\x01\x3E\x01"), "<0005<003F?<000B'x'>000B>003F<003E?/>0005"},
		{BYTES(HEADER "\x45\x00\xFF\x45\x03x\0\x01\x00\x1A\x05\x00\x00\x13\x01"), "<0005<FF05?'x'>FF05<1A05?/<0013/>0005"},
		/* MS-ASWBXML section 3: a contact in a Sync answer. */
		{BYTES(HEADER "\x45\x5C\x4F\x4B\x03" "2\0\x01\x56\x47\x4D\x03" "2:1\0\x01\x5D\x00\x11\x4A\x46\x03" "1\0\x01\x01\x00\x01\x5E\x03"
		       "Funk, Don\0\x01\x01\x01\x01\x01\x01\x01"),
		 "<0005<001C<000F<000B'2'>000B<0016<0007<000D'2:1'>000D<001D<110A<1106'1'>1106>110A<011E'Funk, Don'>011E"
		 ">001D>0007>0016>000F>001C>0005"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer events;
		struct error error = {0};
		int result = parse(cases[i].bytes, cases[i].length, &events, &error);
		if (result < 0)
			fail_msg("case %zu: %s", i, error.text);
		assert_string_equal(buffer_string(&events), cases[i].events);
		buffer_release(&events);
	}
}

static void broken_documents_are_refused_with_the_reason(void **state)
{
	static const struct { const char *bytes; size_t length; const char *reason; } cases[] = {
		{BYTES(""), "byte 0: an empty document"},
		{BYTES("\x03"), "byte 1: the input ends inside a number"},
		{BYTES("\x03\x01"), "the input ends inside a number"},
		{BYTES("\x03\x01\x6A"), "the input ends inside a number"},
		{BYTES(HEADER), "byte 4: a document without an element"},
		{BYTES("\x00\x01\x6A\x00\x05"), "not WBXML"},
		{BYTES("\x04\x01\x6A\x00\x05"), "not WBXML"},
		{BYTES("<?xml version='1.0'?>"), "not WBXML"},
		{BYTES("\x03\x01\x04\x00\x05"), "a character set other than UTF-8"},
		{BYTES("\x03\x01\xEA\x00\x05"), "a character set other than UTF-8"},
		{BYTES("\x03\x81\x81\x81\x81\x81\x81\x01\x6A\x00\x05"), "a number of more than 32 bits"},
		{BYTES("\x03\x90\x80\x80\x80\x00\x6A\x00\x05"), "a number of more than 32 bits"},
		{BYTES("\x03\x80\x80\x80\x80\x80\x01\x6A\x00\x05"), "a number of more than 32 bits"},
		{BYTES("\x03\x01\x6A\x05" "abc\0"), "a string table that is too long"},
		{BYTES("\x03\x01\x6A\x8F\xFF\xFF\xFF\x7F\x05"), "a string table that is too long"},
		{BYTES("\x03\x00\x04\x6A\x03-/\0\x05"), "a public identifier beyond the string table"},
		/* The structure. */
		{BYTES(HEADER "\x45"), "byte 5: the input ends inside the element Sync (0x0005)"},
		{BYTES(HEADER "\x45\x5C\x4F\x01"), "the input ends inside the element Collections (0x001C)"},
		{BYTES(HEADER "\x45\x00\x30\x45"), "the input ends inside the element unknown (0x3005)"},
		{BYTES(HEADER "\x01"), "an end without an element"},
		{BYTES(HEADER "\x05\x01"), "an end without an element"},
		{BYTES(HEADER "\x45\x01\x01"), "byte 7: an end without an element"},
		{BYTES(HEADER "\x05\x05"), "an element after the end of the document"},
		{BYTES(HEADER "\x45\x01\x00\x01"), "a page switch after the end of the document"},
		{BYTES(HEADER "\x05\x03x\0"), "text outside of the root element"},
		{BYTES(HEADER "\x03x\0\x05"), "text outside of the root element"},
		{BYTES(HEADER "\xC3\x00\x05"), "text outside of the root element"},
		{BYTES(HEADER "\x45\x00"), "the input ends inside a page switch"},
		/* Strings and data that lie. */
		{BYTES(HEADER "\x45\x03" "abc"), "byte 6: a string without its end"},
		{BYTES(HEADER "\x45\x03"), "a string without its end"},
		{BYTES(HEADER "\x45\x03" "Gr\xFC\xDF" "e\0\x01"), "a string that is not UTF-8"},
		{BYTES(HEADER "\x45\x03\xC3\0\x01"), "a string that is not UTF-8"},
		{BYTES(HEADER "\x45\xC3\x05" "abc\x01"), "opaque data that are longer than the input"},
		{BYTES(HEADER "\x45\xC3\x8F\xFF\xFF\xFF\x7F\x01"), "opaque data that are longer than the input"},
		{BYTES(HEADER "\x45\xC3\x9F\xFF\xFF\xFF\x7F\x01"), "a number of more than 32 bits"},
		{BYTES(HEADER "\x45\xC3\x80"), "the input ends inside a number"},
		{BYTES(HEADER "\x45\x83\x00\x01"), "a string from beyond the string table"},
		{BYTES("\x03\x01\x6A\x03" "abc\x45\x83\x00\x01"), "a string without its end"},
		{BYTES("\x03\x01\x6A\x02\xFF\0\x45\x83\x00\x01"), "a string that is not UTF-8"},
		{BYTES(HEADER "\x45\x02\x00\x01"), "a character entity that is no character"},
		{BYTES(HEADER "\x45\x02\x83\xB0\x00\x01"), "a character entity that is no character"},
		{BYTES(HEADER "\x45\x02\xC4\x80\x00\x01"), "a character entity that is no character"},
		/* What these protocols do not have. */
		{BYTES(HEADER "\x85\x05\x01"), "an element with attributes (0x85)"},
		{BYTES(HEADER "\x45\xC5\x05\x01\x01"), "an element with attributes (0xC5)"},
		{BYTES(HEADER "\x45\x04\x00\x01"), "a literal tag (0x04)"},
		{BYTES(HEADER "\x45\x44\x00\x01"), "a literal tag (0x44)"},
		{BYTES(HEADER "\x45\x84\x00\x01"), "a literal tag (0x84)"},
		{BYTES(HEADER "\x45\xC4\x00\x01"), "a literal tag (0xC4)"},
		{BYTES(HEADER "\x43\x05\x01\x05"), "a processing instruction"},
		{BYTES(HEADER "\x45\x40x\0\x01"), "an extension token (0x40)"},
		{BYTES(HEADER "\x45\x82\x00\x01"), "an extension token (0x82)"},
		{BYTES(HEADER "\x45\xC0\x01"), "an extension token (0xC0)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer events;
		struct error error = {0};
		if (parse(cases[i].bytes, cases[i].length, &events, &error) == 0)
			fail_msg("case %zu was taken, not refused with: %s", i, cases[i].reason);
		if (strstr(error.text, cases[i].reason) == NULL || strncmp(error.text, "ActiveSync WBXML, byte ", 23) != 0)
			fail_msg("case %zu: \"%s\" instead of \"%s\"", i, error.text, cases[i].reason);
		buffer_release(&events);
	}
}

/* Every cut of a good document is refused, and none is read beyond its end. */
static void every_cut_of_a_document_is_refused(void **state)
{
	static const char document[] = "\x03\x01\x6A\x04" "abc\0" "\x45\x5C\x4F\x4B\x03" "2\0\x01\x83\x00\x02\x81\x41\xC3\x03xyz\x00\x11\x4A\x06\x01\x01\x01\x01";
	struct buffer events;
	struct error error;

	(void)state;
	assert_int_equal(parse(document, sizeof document - 1, &events, &error), 0);
	buffer_release(&events);
	for (size_t length = 0; length < sizeof document - 1; length++) {
		assert_int_equal(parse(document, length, &events, &error), -1);
		buffer_release(&events);
	}
}

static void elements_nest_to_the_limit_and_no_deeper(void **state)
{
	static const struct { size_t depth; int result; } cases[] = {
		{1, 0}, {WBXML_DEPTH_MAX, 0}, {WBXML_DEPTH_MAX + 1, -1}, {60000, -1}, {200000, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer document = BUFFER_EMPTY, events;
		struct error error = {0};
		buffer_append(&document, BYTES(HEADER));
		for (size_t depth = 0; depth < cases[i].depth; depth++)
			buffer_append_byte(&document, 0x45);
		for (size_t depth = 0; depth < cases[i].depth; depth++)
			buffer_append_byte(&document, 0x01);
		assert_int_equal(parse(document.data, document.length, &events, &error), cases[i].result);
		if (cases[i].result < 0)
			assert_non_null(strstr(error.text, "more than 64 elements inside one another"));
		buffer_release(&document);
		buffer_release(&events);
	}
}

/* libwbxml 0.11.8 takes its tables by the public identifier and crashes on 75 bytes with 0x0E. Ours come with the request. */
static void the_public_identifier_chooses_nothing(void **state)
{
	(void)state;
	for (unsigned public_id = 1; public_id < 128; public_id++) {
		char document[75];
		struct buffer events;
		struct error error = {0};
		memset(document, 0x45, sizeof document);
		memcpy(document, "\x03\x01\x6A\x00", 4);
		document[1] = (char)public_id;
		memset(document + 4 + 35, 0x05, 1);
		memset(document + 4 + 36, 0x01, 35);
		if (parse(document, sizeof document, &events, &error) < 0)
			fail_msg("public identifier 0x%02X: %s", public_id, error.text);
		buffer_release(&events);
	}
}

static void an_element_can_be_skipped_as_a_whole(void **state)
{
	static const char document[] = HEADER "\x45\x7F\x4B\x03x\0\x01\x5C\x01\x01\x3E\x4B\x03y\0\x01\x01";
	struct wbxml_parser parser;
	struct error error;

	(void)state;
	assert_int_equal(wbxml_parser_open(&parser, &activesync_language, document, sizeof document - 1, &error), 0);
	assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_START);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_START);
		assert_false(parser.known);
		assert_int_equal(wbxml_parser_skip(&parser, &error), 0);
	}
	assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_START);
	assert_int_equal(parser.tag, AS_AIRSYNC_SYNCKEY);
	assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_TEXT);
	/* Zero copy. */
	assert_ptr_equal(parser.text, strstr(document + 15, "y"));

	/* A cut inside what is skipped. */
	assert_int_equal(wbxml_parser_open(&parser, &activesync_language, document, 9, &error), 0);
	assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_START);
	assert_int_equal(wbxml_parser_skip(&parser, &error), -1);
}

static void the_header_can_be_read(void **state)
{
	struct wbxml_parser parser;
	struct error error;

	(void)state;
	assert_int_equal(wbxml_parser_open(&parser, &activesync_language, BYTES("\x02\xA4\x01\x6A\x00\x05"), &error), 0);
	assert_int_equal(parser.version, 2);
	assert_int_equal(parser.public_id, 0x1201);
	assert_int_equal(parser.charset, WBXML_MIB_UTF_8);
}

static void a_document_beyond_the_limit_is_refused_unread(void **state)
{
	struct wbxml_parser parser;
	struct error error;

	(void)state;
	assert_int_equal(wbxml_parser_open(&parser, &activesync_language, "", (size_t)WBXML_DOCUMENT_MAX + 1, &error), -1);
	assert_string_equal(error.text, "ActiveSync WBXML, byte 0: the document is too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_give_their_events),
		cmocka_unit_test(broken_documents_are_refused_with_the_reason),
		cmocka_unit_test(every_cut_of_a_document_is_refused),
		cmocka_unit_test(elements_nest_to_the_limit_and_no_deeper),
		cmocka_unit_test(the_public_identifier_chooses_nothing),
		cmocka_unit_test(an_element_can_be_skipped_as_a_whole),
		cmocka_unit_test(the_header_can_be_read),
		cmocka_unit_test(a_document_beyond_the_limit_is_refused_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
