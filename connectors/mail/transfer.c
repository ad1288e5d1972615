/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base64 and quoted-printable, forgiving. */
#include "connectors/mail/transfer.h"

/* The value of a base64 digit plus one; 0: none. */
static const uint8_t base64_digit[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10,
	['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19,
	['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37,
	['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46,
	['u'] = 47, ['v'] = 48, ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55,
	['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

enum transfer transfer_from_name(struct slice name)
{
	name = slice_trim(name);
	if (slice_is(name, "base64"))
		return TRANSFER_BASE64;
	if (slice_is(name, "quoted-printable"))
		return TRANSFER_QUOTED_PRINTABLE;
	return TRANSFER_IDENTITY;
}

/* '=' ends a run of digits; what follows starts anew, as in bodies that were encoded in pieces. */
static void append_base64(struct buffer *out, struct slice encoded, uint32_t *bits_before, unsigned *count_before)
{
	char *start = buffer_reserve(out, encoded.length / 4 * 3 + 6), *to = start;
	uint32_t bits = *bits_before;
	unsigned count = *count_before;

	for (size_t i = 0; i < encoded.length; i++) {
		unsigned digit = base64_digit[(unsigned char)encoded.at[i]];

		if (digit == 0) {
			if (encoded.at[i] == '=')
				bits = count = 0;
			continue;
		}
		bits = bits << 6 | (digit - 1);
		count += 6;
		if (count >= 8) {
			count -= 8;
			*to++ = (char)(bits >> count & 0xff);
		}
	}
	buffer_grow(out, (size_t)(to - start));
	*bits_before = bits;
	*count_before = count;
}

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The length of a soft line break "=", spaces, line end; 0: it is none. */
static size_t soft_break(struct slice at)
{
	size_t i = 1;

	while (i < at.length && (at.at[i] == ' ' || at.at[i] == '\t'))
		i++;
	if (i < at.length && at.at[i] == '\r')
		i++;
	if (i == at.length)
		return i;
	return at.at[i] == '\n' ? i + 1 : 0;
}

/* One "=…": appends what it stands for, returns its length. */
static size_t append_escape(struct buffer *out, struct slice at)
{
	int high = at.length > 2 ? hex_digit(at.at[1]) : -1, low = at.length > 2 ? hex_digit(at.at[2]) : -1;
	size_t broken_line;

	if (high >= 0 && low >= 0) {
		buffer_append_byte(out, (uint8_t)(high << 4 | low));
		return 3;
	}
	broken_line = soft_break(at);
	if (broken_line > 0)
		return broken_line;
	buffer_append_byte(out, '=');
	return 1;
}

static void append_quoted_printable(struct buffer *out, struct slice encoded)
{
	size_t i = 0;

	while (i < encoded.length) {
		const char *escape = memchr(encoded.at + i, '=', encoded.length - i);
		size_t plain = escape != NULL ? (size_t)(escape - encoded.at) - i : encoded.length - i;

		buffer_append(out, encoded.at + i, plain);
		i += plain;
		if (escape != NULL)
			i += append_escape(out, slice_of(encoded.at + i, encoded.length - i));
	}
}

void transfer_append_q(struct buffer *out, struct slice encoded)
{
	size_t i = 0;

	while (i < encoded.length) {
		if (encoded.at[i] == '=') {
			i += append_escape(out, slice_of(encoded.at + i, encoded.length - i));
			continue;
		}
		buffer_append_byte(out, encoded.at[i] == '_' ? ' ' : (uint8_t)encoded.at[i]);
		i++;
	}
}

void transfer_append(struct buffer *out, enum transfer transfer, struct slice encoded)
{
	uint32_t bits = 0;
	unsigned count = 0;

	if (encoded.length == 0)
		return;
	switch (transfer) {
	case TRANSFER_BASE64: append_base64(out, encoded, &bits, &count); break;
	case TRANSFER_QUOTED_PRINTABLE: append_quoted_printable(out, encoded); break;
	case TRANSFER_IDENTITY: buffer_append(out, encoded.at, encoded.length); break;
	}
}

/* How much of it is surely whole: up to the last "=" of its last line, behind which an escape or a line break may go on. */
static size_t whole_quoted_printable(const struct buffer *text)
{
	enum { LINE_MAX = 4096 }; /* the encoding has 76, SMTP 998: what is longer is no quoted-printable */
	size_t end = text->length;

	for (size_t at = end; at > 0 && text->data[at - 1] != '\n' && text->length - at < LINE_MAX; at--)
		if (text->data[at - 1] == '=')
			end = at - 1;
	return end;
}

void transfer_append_piece(struct transfer_pieces *pieces, struct buffer *out, struct slice encoded)
{
	size_t whole;

	switch (pieces->transfer) {
	case TRANSFER_BASE64:
		if (encoded.length > 0)
			append_base64(out, encoded, &pieces->bits, &pieces->count);
		break;
	case TRANSFER_QUOTED_PRINTABLE:
		buffer_append(&pieces->held, encoded.at, encoded.length);
		whole = whole_quoted_printable(&pieces->held);
		append_quoted_printable(out, slice_of(pieces->held.data, whole));
		buffer_consume(&pieces->held, whole);
		break;
	case TRANSFER_IDENTITY: buffer_append(out, encoded.at, encoded.length); break;
	}
}

void transfer_end_pieces(struct transfer_pieces *pieces, struct buffer *out)
{
	append_quoted_printable(out, slice_of(pieces->held.data, pieces->held.length));
	buffer_release(&pieces->held);
}

uint64_t transfer_decoded_size(enum transfer transfer, uint64_t encoded_bytes)
{
	/* 57 octets make a line of 76 digits and CRLF. */
	return transfer == TRANSFER_BASE64 ? encoded_bytes / 78 * 57 + encoded_bytes % 78 * 3 / 4 : encoded_bytes;
}
