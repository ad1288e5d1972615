/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Modified UTF-7 and back. */
#include "connectors/imap/mailbox_name.h"

#include <stdbool.h>
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

/* -1: not UTF-8, or a control character. */
static int encode(struct buffer *wire, const char *name, size_t length)
{
	const char *end = name + length;
	struct bits bits = {0, 0};
	bool shifted = false;

	while (name < end) {
		int size = utf8_character(name, (size_t)(end - name));
		uint32_t point = size > 0 ? code_point(name, size) : 0;

		if (point < ' ' || point == 0x7f)
			return -1;
		name += size;
		if (point < 0x7f) {
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
static const char *decode_run(struct buffer *name, const char *wire, const char *end)
{
	uint32_t high = 0;
	struct bits bits = {0, 0};

	if (wire < end && *wire == '-') {
		buffer_append_byte(name, '&');
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
			append_point(name, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
			high = 0;
		} else {
			append_point(name, unit);
		}
	}
	return wire < end ? wire + 1 : NULL;
}

static bool decode(struct buffer *name, const char *wire, size_t length)
{
	const char *end = wire + length;

	while (wire != NULL && wire < end) {
		if (*wire != '&')
			buffer_append_byte(name, (uint8_t)*wire++);
		else
			wire = decode_run(name, wire + 1, end);
	}
	return wire != NULL;
}

int mailbox_name_encode(struct buffer *wire, const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > MAILBOX_NAME_MAX)
		return -1;
	if (*name != MAILBOX_NAME_RAW)
		return encode(wire, name, length);
	buffer_append(wire, name + 1, length - 1);
	return strpbrk(name, "\r\n") == NULL ? 0 : -1;
}

int mailbox_name_quote(struct buffer *command, const char *name)
{
	struct buffer wire = BUFFER_EMPTY;
	int result = mailbox_name_encode(&wire, name);

	buffer_append_byte(command, '"');
	for (size_t i = 0; i < wire.length; i++) {
		if (wire.data[i] == '"' || wire.data[i] == '\\')
			buffer_append_byte(command, '\\');
		buffer_append_byte(command, (uint8_t)wire.data[i]);
	}
	buffer_append_byte(command, '"');
	buffer_release(&wire);
	return result;
}

void mailbox_name_decode(struct buffer *name, const char *wire, size_t length)
{
	struct buffer again = BUFFER_EMPTY;
	size_t before = name->length;
	bool same;

	if (length == 0)
		return;
	same = decode(name, wire, length) && name->length > before && encode(&again, name->data + before, name->length - before) == 0
		&& again.length == length && memcmp(again.data, wire, length) == 0;
	buffer_release(&again);
	if (same)
		return;
	buffer_truncate(name, before);
	buffer_append_byte(name, MAILBOX_NAME_RAW);
	buffer_append(name, wire, length);
}

void mailbox_name_display(struct buffer *display, const char *name)
{
	struct buffer decoded = BUFFER_EMPTY;
	bool is_raw = *name == MAILBOX_NAME_RAW;
	const char *text = is_raw ? name + 1 : name;

	if (is_raw && decode(&decoded, text, strlen(text)))
		utf8_append_xml(display, decoded.data, decoded.length);
	else
		utf8_append_xml(display, text, strlen(text));
	buffer_release(&decoded);
}
