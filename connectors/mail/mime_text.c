/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mail is gone through once, in its order: what lies between the parts, a header, a body. */
#include "connectors/mail/mime_text.h"

#include "connectors/mail/charset.h"
#include "connectors/mail/header.h"
#include "lib/core/utf8.h"

enum {
	QUOTED_LINE = 76, BASE64_LINE = 76, /* RFC 2045 sections 6.7 and 6.8, without line ends */
	BASE64_OCTETS = BASE64_LINE / 4 * 3
};

struct maker {
	struct mime_text *out;
	struct arena *arena;
	int nesting;
};

static bool is_text(struct slice bytes)
{
	return utf8_xml_prefix(bytes.at, bytes.length) == bytes.length;
}

bool mime_text_is_needed(struct slice octets)
{
	return !is_text(octets);
}

static void made(struct mime_text *out)
{
	if (out->take != NULL && out->made.length >= MIME_TEXT_PIECE)
		out->take(out);
}

static void append_as_is(struct mime_text *out, struct slice bytes)
{
	struct utf8_pieces pieces = {0};

	while (bytes.length > 0) {
		struct slice piece = slice_cut(bytes, MIME_TEXT_PIECE);

		utf8_pieces_append_xml(&pieces, &out->made, piece.at, piece.length);
		bytes = slice_of(bytes.at + piece.length, bytes.length - piece.length);
		made(out);
	}
	utf8_pieces_end_xml(&pieces, &out->made);
}

/* --- encoding -------------------------------------------------------------------------------------------------- */

/* The length of a line end at the front; 0: there is none. */
static size_t line_end(struct slice at)
{
	if (at.length > 0 && *at.at == '\n')
		return 1;
	return at.length > 1 && at.at[0] == '\r' && at.at[1] == '\n' ? 2 : 0;
}

/* Does the octet at the front stand for itself? "-" at the start of a line might make a boundary there. */
static bool is_literal(struct slice at, size_t column)
{
	unsigned char octet = (unsigned char)*at.at;

	if (octet == ' ' || octet == '\t')
		return at.length > 1 && line_end(slice_of(at.at + 1, at.length - 1)) == 0;
	return octet > ' ' && octet < 0x7f && octet != '=' && (octet != '-' || column > 0);
}

static size_t append_quoted(struct buffer *out, struct slice at, size_t column)
{
	if (is_literal(at, column)) {
		buffer_append_byte(out, (uint8_t)*at.at);
		return 1;
	}
	buffer_printf(out, "=%02X", (unsigned char)*at.at);
	return 3;
}

/* Line ends of either kind stay what they are, so that the decoded text is what it was. */
static void append_quoted_printable(struct mime_text *out, struct slice body)
{
	size_t column = 0;

	while (body.length > 0) {
		size_t taken = line_end(body);

		if (taken > 0) {
			buffer_append(&out->made, body.at, taken);
			column = 0;
			made(out);
		} else {
			if (column + 3 >= QUOTED_LINE) {
				buffer_append_string(&out->made, "=\r\n");
				column = 0;
				made(out);
			}
			column += append_quoted(&out->made, body, column);
			taken = 1;
		}
		body = slice_of(body.at + taken, body.length - taken);
	}
}

static void append_base64_line(struct buffer *out, struct slice octets)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char line[BASE64_LINE];
	size_t length = 0;

	for (size_t i = 0; i < octets.length; i += 3) {
		size_t count = octets.length - i < 3 ? octets.length - i : 3;
		uint32_t bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < count ? (unsigned char)octets.at[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			line[length++] = j <= count ? digits[bits >> (18 - 6 * j) & 63] : '=';
	}
	buffer_append(out, line, length);
}

static void append_base64(struct mime_text *out, struct slice body)
{
	while (body.length > 0) {
		struct slice line = slice_cut(body, BASE64_OCTETS);

		append_base64_line(&out->made, line);
		body = slice_of(body.at + line.length, body.length - line.length);
		if (body.length > 0)
			buffer_append_string(&out->made, "\r\n");
		made(out);
	}
}

/* Decoders skip what is foreign there; left out it might make a boundary of two pieces of a line. */
static void append_base64_without_foreign(struct mime_text *out, struct slice body)
{
	for (size_t i = 0; i < body.length; i++) {
		bool is_ascii = (body.at[i] >= ' ' && body.at[i] < 0x7f) || slice_is_blank(body.at[i]);

		buffer_append_byte(&out->made, is_ascii ? (uint8_t)body.at[i] : '?');
		made(out);
	}
}

static void append_quoted_printable_anew(struct mime_text *out, struct slice body)
{
	struct buffer octets = BUFFER_EMPTY;

	transfer_append(&octets, TRANSFER_QUOTED_PRINTABLE, body);
	append_quoted_printable(out, slice_of(octets.data, octets.length));
	buffer_release(&octets);
}

/* --- headers --------------------------------------------------------------------------------------------------- */

static bool is_field(struct slice raw, const char *name, const char *value_begins)
{
	struct header_field field;

	return header_next(&raw, &field) && slice_is(field.name, name) && slice_begins(field.value, value_begins);
}

/* A line of which nothing is left is left out: empty, it would end the header. */
static void append_line_as_utf8(struct buffer *out, struct slice line)
{
	size_t before = out->length, length = line.length;

	if (length > 0 && line.at[length - 1] == '\n')
		length -= length > 1 && line.at[length - 2] == '\r' ? 2 : 1;
	charset_append(out, slice_of(NULL, 0), slice_of(line.at, length));
	if (out->length > before)
		buffer_append(out, line.at + length, line.length - length);
}

static void append_field(struct buffer *out, struct slice raw)
{
	if (is_text(raw)) {
		buffer_append(out, raw.at, raw.length);
		return;
	}
	/* Its boundary has to go on being that of the lines between the parts. */
	if (is_field(raw, "content-type", "multipart/")) {
		utf8_append_xml(out, raw.at, raw.length);
		return;
	}
	while (raw.length > 0)
		append_line_as_utf8(out, header_take_line(&raw));
}

/* encoding: what the body will be encoded in; NULL: as the header says. */
static void append_header(struct mime_text *out, struct slice header, const char *encoding)
{
	while (header.length > 0) {
		struct slice raw = header_take(&header);
		bool is_end = line_end(raw) == raw.length;

		if (encoding != NULL && is_field(raw, "content-transfer-encoding", ""))
			continue;
		if (encoding != NULL && is_end)
			buffer_printf(&out->made, "Content-Transfer-Encoding: %s%.*s", encoding, (int)raw.length, raw.at);
		append_field(&out->made, raw);
	}
	made(out);
}

/* --- parts ----------------------------------------------------------------------------------------------------- */

static void make(const struct maker *, const struct mime_part *root, struct slice octets);

/* Its header says multipart, but no parts were found: RFC 2045 section 6.4 lets it have no encoding. */
static bool is_broken_multipart(const struct mime_part *part)
{
	struct slice header = part->header;

	while (header.length > 0)
		if (is_field(header_take(&header), "content-type", "multipart/"))
			return true;
	return false;
}

static void append_encoded(const struct maker *maker, const struct mime_part *part)
{
	struct mime_text *out = maker->out;

	if (mime_is(part, "text", NULL) || mime_is(part, "message", NULL)) {
		append_header(out, part->header, "quoted-printable");
		append_quoted_printable(out, part->body);
	} else {
		append_header(out, part->header, "base64");
		append_base64(out, part->body);
	}
}

static void append_leaf(const struct maker *maker, const struct mime_part *part)
{
	bool is_mail = mime_is(part, "message", "rfc822") || mime_is(part, "message", "global");

	if (part->transfer == TRANSFER_IDENTITY && !is_text(part->body) && !is_mail && !is_broken_multipart(part)) {
		append_encoded(maker, part);
		return;
	}
	append_header(maker->out, part->header, NULL);
	if (is_text(part->body)) {
		append_as_is(maker->out, part->body);
	} else if (part->transfer == TRANSFER_BASE64) {
		append_base64_without_foreign(maker->out, part->body);
	} else if (part->transfer == TRANSFER_QUOTED_PRINTABLE) {
		append_quoted_printable_anew(maker->out, part->body);
	} else if (is_mail && maker->nesting < MIME_TEXT_NESTING_MAX) {
		struct maker inner = {maker->out, maker->arena, maker->nesting + 1};
		make(&inner, mime_parse(maker->arena, part->body.at, part->body.length), part->body);
	} else {
		append_as_is(maker->out, part->body);
	}
}

static bool is_sealed(const struct mime_part *part)
{
	return mime_is(part, "multipart", "signed") || mime_is(part, "multipart", "encrypted");
}

static bool is_parsed_to_its_end(const struct mime_part *root)
{
	int count = 0;

	for (const struct mime_part *part = root; part != NULL; part = mime_next(root, part))
		count++;
	return count < MIME_PARTS_MAX;
}

static void make(const struct maker *maker, const struct mime_part *root, struct slice octets)
{
	const char *at = octets.at, *end = octets.at + octets.length;
	const struct mime_part *part = is_parsed_to_its_end(root) ? root : NULL;

	while (part != NULL) {
		append_as_is(maker->out, slice_of(at, (size_t)(part->header.at - at)));
		at = part->header.at + part->header.length;
		if (part->first != NULL) {
			append_header(maker->out, part->header, NULL);
		} else {
			append_leaf(maker, part);
			at = part->body.at + part->body.length;
		}
		part = is_sealed(part) ? mime_next_beside(root, part) : mime_next(root, part);
	}
	append_as_is(maker->out, slice_of(at, (size_t)(end - at)));
}

void mime_text_make(struct mime_text *out, struct arena *arena, const struct mime_part *root, struct slice octets)
{
	struct maker maker = {.out = out, .arena = arena};

	make(&maker, root, octets);
}
