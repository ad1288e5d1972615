/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UTF-8: eight bytes at a time while they are plain ASCII, character by character where they are not. */
#include "lib/core/utf8.h"

#include <string.h>

#include "lib/core/buffer.h"

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Lead bytes with the length they announce and the range of the byte after it (Unicode, table 3-7). */
static const struct lead {
	uint8_t first, last, length, second_first, second_last;
} leads[] = {
	{0x00, 0x7F, 1, 0x00, 0x00},
	{0xC2, 0xDF, 2, 0x80, 0xBF},
	{0xE0, 0xE0, 3, 0xA0, 0xBF},
	{0xE1, 0xEC, 3, 0x80, 0xBF},
	{0xED, 0xED, 3, 0x80, 0x9F},
	{0xEE, 0xEF, 3, 0x80, 0xBF},
	{0xF0, 0xF0, 4, 0x90, 0xBF},
	{0xF1, 0xF3, 4, 0x80, 0xBF},
	{0xF4, 0xF4, 4, 0x80, 0x8F},
};

static const struct lead *lead_find(uint8_t byte)
{
	for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
		if (byte >= leads[i].first && byte <= leads[i].last)
			return &leads[i];
	return NULL;
}

int utf8_character(const char *bytes, size_t length)
{
	const uint8_t *at = (const uint8_t *)bytes;
	const struct lead *lead = lead_find(at[0]);

	if (lead == NULL)
		return -1;
	for (int i = 1; i < lead->length; i++) {
		uint8_t first = i == 1 ? lead->second_first : 0x80, last = i == 1 ? lead->second_last : 0xBF;
		if ((size_t)i == length || at[i] < first || at[i] > last)
			return -i;
	}
	return lead->length;
}

size_t utf8_encode(uint32_t code_point, char bytes_r[4])
{
	if (code_point < 0x80) {
		bytes_r[0] = (char)code_point;
		return 1;
	}
	if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
		return 0;
	size_t length = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--, code_point >>= 6)
		bytes_r[i] = (char)(0x80 | (code_point & 0x3F));
	bytes_r[0] = (char)((0xF00 >> length & 0xF0) | code_point);
	return length;
}

/* A character, already known to be well-formed, that XML 1.0 section 2.2 leaves out. */
static bool is_forbidden_in_xml(const char *at)
{
	uint8_t byte = (uint8_t)*at;

	if (byte < 0x20)
		return byte != '\t' && byte != '\n' && byte != '\r';
	return byte == 0xEF && (uint8_t)at[1] == 0xBF && (uint8_t)at[2] >= 0xBE; /* U+FFFE, U+FFFF */
}

static bool is_nothing(const char *at)
{
	(void)at;
	return false;
}

static bool is_nul(const char *at)
{
	return *at == '\0';
}

/* How much from the start is ASCII from space on, in whole words. */
static inline size_t printable_words(const char *bytes, size_t length)
{
	size_t at = 0;
	uint64_t word;

	for (; length - at >= sizeof word; at += sizeof word) {
		memcpy(&word, bytes + at, sizeof word);
		/* A byte's high bit stands here if it stood there before, or if the byte is below space. */
		if (((word | (word - EACH_BYTE(0x20))) & EACH_BYTE(0x80)) != 0)
			break;
	}
	return at;
}

static inline size_t prefix_without(bool is_unwanted(const char *), const char *bytes, size_t length)
{
	size_t at = 0;

	if (length == 0)
		return 0; /* bytes may be NULL then */
	while ((at += printable_words(bytes + at, length - at)) < length) {
		int size = (int8_t)bytes[at] >= 0 ? 1 : utf8_character(bytes + at, length - at);
		if (size < 0 || is_unwanted(bytes + at))
			break;
		at += (size_t)size;
	}
	return at;
}

bool utf8_is_valid(const char *text, size_t length)
{
	return prefix_without(is_nothing, text, length) == length;
}

size_t utf8_string_prefix(const char *bytes, size_t length)
{
	return prefix_without(is_nul, bytes, length);
}

size_t utf8_xml_prefix(const char *bytes, size_t length)
{
	return prefix_without(is_forbidden_in_xml, bytes, length);
}

void utf8_append_xml(struct buffer *buffer, const char *bytes, size_t length)
{
	for (;;) {
		size_t good = utf8_xml_prefix(bytes, length);
		buffer_append(buffer, bytes, good);
		if (good == length)
			return;
		int size = utf8_character(bytes + good, length - good);
		if (size < 0)
			buffer_append(buffer, "\xEF\xBF\xBD", 3);
		size_t bad = (size_t)(size < 0 ? -size : size);
		bytes += good + bad;
		length -= good + bad;
	}
}

/* A carriage return must be escaped, or an XML parser reads it as a newline (XML 1.0 section 2.11). */
static const char *escape_of(char byte)
{
	switch (byte) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '\r': return "&#13;";
	default: return NULL;
	}
}

void utf8_append_xml_escaped(struct buffer *buffer, const char *bytes, size_t length)
{
	size_t start = 0;

	for (size_t at = 0; at < length; at++) {
		const char *escape = escape_of(bytes[at]);
		if (escape == NULL)
			continue;
		utf8_append_xml(buffer, bytes + start, at - start);
		buffer_append_string(buffer, escape);
		start = at + 1;
	}
	utf8_append_xml(buffer, bytes + start, length - start);
}

size_t utf8_incomplete_tail(const char *bytes, size_t length)
{
	for (size_t tail = 1; tail <= 3 && tail <= length; tail++) {
		const char *at = bytes + length - tail;
		const struct lead *lead = lead_find((uint8_t)*at);
		if (lead != NULL)
			return lead->length > tail && utf8_character(at, tail) == -(int)tail ? tail : 0;
		if (((uint8_t)*at & 0xC0) != 0x80)
			return 0;
	}
	return 0;
}

/* The bytes of the piece that complete the character which the last piece began; returns how many they are. */
static size_t complete_tail(struct utf8_pieces *pieces, struct buffer *buffer, const char *bytes, size_t length)
{
	char character[4];
	size_t taken = 0, have = pieces->tail_length;

	memcpy(character, pieces->tail, have);
	while (taken < length && utf8_incomplete_tail(character, have) == have)
		character[have++] = bytes[taken++];
	if (utf8_incomplete_tail(character, have) == have) {
		memcpy(pieces->tail, character, have);
		pieces->tail_length = (uint8_t)have;
		return taken;
	}
	/* The last byte may be no part of it at all, and begin the next one. */
	if (utf8_character(character, have) < 0) {
		have--;
		taken--;
	}
	utf8_append_xml(buffer, character, have);
	pieces->tail_length = 0;
	return taken;
}

void utf8_pieces_append_xml(struct utf8_pieces *pieces, struct buffer *buffer, const char *bytes, size_t length)
{
	size_t taken = pieces->tail_length != 0 ? complete_tail(pieces, buffer, bytes, length) : 0;

	if (pieces->tail_length != 0)
		return;
	size_t tail = utf8_incomplete_tail(bytes + taken, length - taken);
	utf8_append_xml(buffer, bytes + taken, length - taken - tail);
	memcpy(pieces->tail, bytes + length - tail, tail);
	pieces->tail_length = (uint8_t)tail;
}

void utf8_pieces_end_xml(struct utf8_pieces *pieces, struct buffer *buffer)
{
	utf8_append_xml(buffer, pieces->tail, pieces->tail_length);
	pieces->tail_length = 0;
}
