/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "connectors/imap/utf7.h"

#include <string.h>

#include "lib/core/utf8.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Bits that are on their way between UTF-16 units and base64 digits. */
struct bits { uint32_t value; unsigned count; };

static void put_unit(struct buffer *wire, struct bits *bits, unsigned unit)
{
	bits->value = bits->value << 16 | unit;
	bits->count += 16;
	while (bits->count >= 6) {
		bits->count -= 6;
		buffer_append_byte(wire, (uint8_t)digits[bits->value >> bits->count & 63]);
	}
}

static void put_end(struct buffer *wire, struct bits *bits)
{
	if (bits->count > 0)
		buffer_append_byte(wire, (uint8_t)digits[bits->value << (6 - bits->count) & 63]);
	buffer_append_byte(wire, '-');
	*bits = (struct bits){0, 0};
}

/* The code point of a well-formed character of this many bytes. */
static uint32_t code_point(const char *bytes, int size)
{
	static const uint8_t mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t point = (uint8_t)bytes[0] & mask[size];

	for (int i = 1; i < size; i++)
		point = point << 6 | ((uint8_t)bytes[i] & 0x3f);
	return point;
}

static void append_point(struct buffer *text, uint32_t point)
{
	char bytes[4];

	buffer_append(text, bytes, utf8_encode(point, bytes));
}

int utf7_encode(struct buffer *wire, const char *text, size_t length, bool (*is_direct)(uint32_t point, bool is_first))
{
	const char *at = text, *end = text + length;
	struct bits bits = {0, 0};
	bool shifted = false;

	while (at < end) {
		int size = utf8_character(at, (size_t)(end - at));
		uint32_t point = size > 0 ? code_point(at, size) : 0;
		bool is_first = at == text;

		if (point < ' ' || point == 0x7f)
			return -1;
		at += size;
		if (is_direct(point, is_first)) {
			if (shifted)
				put_end(wire, &bits);
			shifted = false;
			buffer_append_byte(wire, (uint8_t)point);
			if (point == '&')
				buffer_append_byte(wire, '-');
			continue;
		}
		if (!shifted)
			buffer_append_byte(wire, '&');
		shifted = true;
		if (point > 0xffff) {
			put_unit(wire, &bits, 0xd800 + ((point - 0x10000) >> 10));
			point = 0xdc00 + ((point - 0x10000) & 0x3ff);
		}
		put_unit(wire, &bits, point);
	}
	if (shifted)
		put_end(wire, &bits);
	return 0;
}

/* One run "&…-" behind its '&'; returns what follows it, NULL: not base64. */
static const char *decode_run(struct buffer *text, const char *wire, const char *end)
{
	uint32_t high = 0;
	struct bits bits = {0, 0};

	if (wire < end && *wire == '-') {
		buffer_append_byte(text, '&');
		return wire + 1;
	}
	for (; wire < end && *wire != '-'; wire++) {
		const char *digit = *wire != '\0' ? strchr(digits, *wire) : NULL;

		if (digit == NULL)
			return NULL;
		bits.value = bits.value << 6 | (uint32_t)(digit - digits);
		bits.count += 6;
		if (bits.count < 16)
			continue;
		bits.count -= 16;
		uint32_t unit = bits.value >> bits.count & 0xffff;
		if (unit >= 0xd800 && unit < 0xdc00) {
			high = unit;
		} else if (unit >= 0xdc00 && unit < 0xe000) {
			if (high == 0)
				return NULL;
			append_point(text, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
			high = 0;
		} else {
			append_point(text, unit);
		}
	}
	return wire < end ? wire + 1 : NULL;
}

bool utf7_decode(struct buffer *text, const char *wire, size_t length)
{
	const char *end = wire + length;

	while (wire != NULL && wire < end) {
		if (*wire != '&')
			buffer_append_byte(text, (uint8_t)*wire++);
		else
			wire = decode_run(text, wire + 1, end);
	}
	return wire != NULL;
}
