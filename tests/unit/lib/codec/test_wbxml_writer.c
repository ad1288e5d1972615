/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The WBXML writer: calls and the bytes they give, and that whatever is written can be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_writer.h"

#define BYTES(text) text, sizeof(text) - 1
#define HEADER "\x03\x01\x6A\x00"

static void write_nested(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_AIRSYNC_SYNC);
	wbxml_writer_start(writer, AS_AIRSYNC_COLLECTIONS);
	wbxml_writer_text_element(writer, AS_AIRSYNC_SYNCKEY, "2");
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
}

static void write_page_switches(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_AIRSYNC_SYNC);
	wbxml_writer_start(writer, AS_AIRSYNCBASE_BODY);
	wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TYPE, 1);
	wbxml_writer_end(writer);
	wbxml_writer_empty_element(writer, AS_AIRSYNC_MOREAVAILABLE);
	wbxml_writer_end(writer);
}

static void write_first_tag_of_another_page(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_PING_PING);
	wbxml_writer_number_element(writer, AS_PING_STATUS, 2);
	wbxml_writer_end(writer);
}

static void write_nothing_inside(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_AIRSYNC_SYNC);
	wbxml_writer_start(writer, AS_AIRSYNC_OPTIONS);
	wbxml_writer_end(writer);
	wbxml_writer_text_element(writer, AS_AIRSYNC_CLASS, "");
	wbxml_writer_text_element(writer, AS_AIRSYNC_CLASS, NULL);
	wbxml_writer_opaque_element(writer, AS_AIRSYNCBASE_DATA, NULL, 0);
	wbxml_writer_end(writer);
}

static void write_lone_root(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_AIRSYNC_SYNC);
	wbxml_writer_end(writer);
}

static void write_numbers(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_AIRSYNC_SYNC);
	wbxml_writer_number_element(writer, AS_AIRSYNC_LIMIT, 0);
	wbxml_writer_number_element(writer, AS_AIRSYNC_LIMIT, 4294967296);
	wbxml_writer_number_element(writer, AS_AIRSYNC_LIMIT, INT64_MIN);
	wbxml_writer_number_element(writer, AS_AIRSYNC_LIMIT, INT64_MAX);
	wbxml_writer_end(writer);
}

static void write_dirty_text(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_EMAIL_SUBJECT);
	wbxml_writer_text_element_n(writer, AS_EMAIL_FROM, BYTES("a\0b\x01" "c\xFC" "d\xE2\x82"));
	wbxml_writer_text_element_n(writer, AS_EMAIL_TO, BYTES("Gr\xC3\xBC\xC3\x9F" "e\r\n"));
	wbxml_writer_text_element_n(writer, AS_EMAIL_CC, BYTES("\x07"));
	wbxml_writer_end(writer);
}

static void write_opaque(struct wbxml_writer *writer)
{
	static const char data[300] = {1};

	wbxml_writer_start(writer, AS_COMPOSEMAIL_SENDMAIL);
	wbxml_writer_opaque_element(writer, AS_COMPOSEMAIL_MIME, "\x00\xFF", 2);
	wbxml_writer_start(writer, AS_COMPOSEMAIL_MIME);
	wbxml_writer_opaque_open(writer, 3);
	buffer_append(writer->out, "xyz", 3);
	wbxml_writer_end(writer);
	wbxml_writer_opaque_element(writer, AS_COMPOSEMAIL_MIME, data, 130);
	wbxml_writer_end(writer);
	buffer_truncate(writer->out, writer->out->length - 130 - 2); /* the zeros say nothing; keep the length */
	buffer_append(writer->out, "\x01\x01", 2);
}

/* A character cut at each of its bytes, a cut one that is never completed, and one that is broken by the next piece. */
static void write_text_in_pieces(struct wbxml_writer *writer)
{
	wbxml_writer_start(writer, AS_AIRSYNCBASE_DATA);
	wbxml_writer_text_open(writer);
	wbxml_writer_text_piece(writer, BYTES("\xF0"));
	wbxml_writer_text_piece(writer, BYTES("\x9F"));
	wbxml_writer_text_piece(writer, BYTES(""));
	wbxml_writer_text_piece(writer, BYTES("\x94\x94\xE2\x82"));
	wbxml_writer_text_piece(writer, BYTES("\xAC|\xC3"));
	wbxml_writer_text_piece(writer, BYTES("\xC3"));
	wbxml_writer_text_piece(writer, BYTES("\xBC|\xE2\x82"));
	wbxml_writer_text_piece(writer, BYTES("x\xE2"));
	wbxml_writer_text_close(writer);
	wbxml_writer_end(writer);
}

static void calls_give_their_bytes(void **state)
{
	static const struct { void (*write)(struct wbxml_writer *); const char *bytes; size_t length; } cases[] = {
		{write_nested, BYTES("\x45\x5C\x4B\x03" "2\0\x01\x01\x01")},
		{write_page_switches, BYTES("\x45\x00\x11\x4A\x46\x03" "1\0\x01\x01\x00\x00\x14\x01")},
		{write_first_tag_of_another_page, BYTES("\x00\x0D\x45\x47\x03" "2\0\x01\x01")},
		{write_nothing_inside, BYTES("\x45\x17\x10\x10\x00\x11\x0B\x01")},
		{write_lone_root, BYTES("\x05")},
		{write_numbers, BYTES("\x45\x65\x03" "0\0\x01\x65\x03" "4294967296\0\x01\x65\x03" "-9223372036854775808\0\x01"
				      "\x65\x03" "9223372036854775807\0\x01\x01")},
		{write_dirty_text, BYTES("\x00\x02\x54\x58\x03" "abc\xEF\xBF\xBD" "d\xEF\xBF\xBD\0\x01"
					 "\x56\x03" "Gr\xC3\xBC\xC3\x9F" "e\r\n\0\x01\x57\x03\0\x01\x01")},
		{write_opaque, BYTES("\x00\x15\x45\x50\xC3\x02\x00\xFF\x01\x50\xC3\x03xyz\x01\x50\xC3\x81\x02\x01\x01")},
		{write_text_in_pieces, BYTES("\x00\x11\x4B\x03\xF0\x9F\x94\x94\xE2\x82\xAC|\xEF\xBF\xBD\xC3\xBC|\xEF\xBF\xBDx\xEF\xBF\xBD\0\x01")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buffer out = BUFFER_EMPTY;
		struct wbxml_writer writer;
		wbxml_writer_begin(&writer, &out, &activesync_language);
		cases[i].write(&writer);
		wbxml_writer_finish(&writer);
		assert_int_equal(out.length, 4 + cases[i].length);
		assert_memory_equal(out.data, HEADER, 4);
		assert_memory_equal(out.data + 4, cases[i].bytes, cases[i].length);
		buffer_release(&out);
	}
}

/* A text cut anywhere into pieces gives the bytes that it gives as a whole. */
static void pieces_give_what_the_whole_gives(void **state)
{
	static const char alphabet[][5] = {"a", "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x94\x94", "\xC3", "\xE2\x82", "\xFF", "\x80", "\x01"};

	(void)state;
	srand(7);
	for (int round = 0; round < 2000; round++) {
		struct buffer text = BUFFER_EMPTY, whole = BUFFER_EMPTY, pieces = BUFFER_EMPTY;
		struct wbxml_writer writer;
		for (int i = 0; i < 12; i++)
			buffer_append_string(&text, alphabet[(size_t)rand() % (sizeof alphabet / sizeof *alphabet)]);

		wbxml_writer_begin(&writer, &whole, &activesync_language);
		wbxml_writer_text_element_n(&writer, AS_AIRSYNCBASE_DATA, text.data, text.length);
		wbxml_writer_begin(&writer, &pieces, &activesync_language);
		wbxml_writer_start(&writer, AS_AIRSYNCBASE_DATA);
		wbxml_writer_text_open(&writer);
		for (size_t at = 0, length; at < text.length; at += length) {
			length = (size_t)rand() % (text.length - at) + 1;
			if (length > 3)
				length = 3;
			wbxml_writer_text_piece(&writer, text.data + at, length);
		}
		wbxml_writer_text_close(&writer);
		wbxml_writer_end(&writer);

		assert_int_equal(whole.length, pieces.length);
		assert_memory_equal(whole.data, pieces.data, whole.length);
		buffer_release(&text);
		buffer_release(&whole);
		buffer_release(&pieces);
	}
}

static uint16_t any_tag(void)
{
	for (;;) {
		uint16_t tag = (uint16_t)(rand() % ACTIVESYNC_PAGES << 8 | (5 + rand() % 59));
		if (wbxml_tag_find(&activesync_language, tag) != NULL)
			return tag;
	}
}

/* Writes elements at random, and reads them again from the same random numbers. */
static void what_is_written_at_random_is_read_again(void **state)
{
	enum { STEPS = 20000, SEED = 11 };
	struct buffer out = BUFFER_EMPTY;
	struct wbxml_writer writer;
	struct wbxml_parser parser;
	struct error error;
	uint16_t open[32], tags[STEPS];
	unsigned depth = 0;

	(void)state;
	srand(SEED);
	wbxml_writer_begin(&writer, &out, &activesync_language);
	wbxml_writer_start(&writer, AS_AIRSYNC_SYNC);
	for (int i = 0; i < STEPS; i++) {
		tags[i] = any_tag();
		if (i % 3 == 0 && depth < 30) {
			wbxml_writer_start(&writer, open[depth++] = tags[i]);
		} else if (i % 7 == 0 && depth > 0) {
			wbxml_writer_end(&writer);
			depth--;
		} else {
			wbxml_writer_number_element(&writer, tags[i], i);
		}
	}
	for (; depth > 0; depth--)
		wbxml_writer_end(&writer);
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);

	assert_int_equal(wbxml_parser_open(&parser, &activesync_language, out.data, out.length, &error), 0);
	assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_START);
	for (int i = 0; i < STEPS; i++) {
		if (i % 3 == 0 && depth < 30) {
			assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_START);
			assert_int_equal(parser.tag, tags[i]);
			open[depth++] = parser.has_content ? tags[i] : 0;
		} else if (i % 7 == 0 && depth > 0) {
			if (open[--depth] != 0) {
				assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_END);
				assert_int_equal(parser.tag, open[depth]);
			}
		} else {
			char number[16];
			snprintf(number, sizeof number, "%d", i);
			assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_START);
			assert_int_equal(parser.tag, tags[i]);
			assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_TEXT);
			assert_string_equal(parser.text, number);
			assert_int_equal(wbxml_parser_next(&parser, &error), WBXML_END);
		}
	}
	buffer_release(&out);
}

static void the_buffer_may_be_emptied_between_any_two_calls(void **state)
{
	struct buffer out = BUFFER_EMPTY, kept = BUFFER_EMPTY;
	struct wbxml_writer writer;

	(void)state;
	wbxml_writer_begin(&writer, &out, &activesync_language);
	for (int i = 0; i < 6; i++) {
		switch (i) {
		case 0: wbxml_writer_start(&writer, AS_PING_PING); break;
		case 1: wbxml_writer_start(&writer, AS_PING_FOLDERS); break;
		case 2: wbxml_writer_end(&writer); break;
		case 3: wbxml_writer_text_element(&writer, AS_AIRSYNC_SYNCKEY, "1"); break;
		case 4: wbxml_writer_end(&writer); break;
		case 5: wbxml_writer_finish(&writer); break;
		}
		buffer_append(&kept, out.data, out.length);
		buffer_release(&out);
	}
	assert_int_equal(kept.length, 4 + 12);
	assert_memory_equal(kept.data, HEADER "\x00\x0D\x45\x09\x00\x00\x4B\x03" "1\0\x01\x01", kept.length);
	buffer_release(&kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_give_their_bytes),
		cmocka_unit_test(pieces_give_what_the_whole_gives),
		cmocka_unit_test(what_is_written_at_random_is_read_again),
		cmocka_unit_test(the_buffer_may_be_emptied_between_any_two_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
