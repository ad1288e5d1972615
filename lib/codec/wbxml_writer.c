/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The WBXML writer: a whole element is one reservation in the buffer and one table look-up. */
#include "lib/codec/wbxml_writer.h"

#include <assert.h>
#include <string.h>

#include "lib/core/utf8.h"

enum {
	/* A started element still pending, then a tag: each a byte with a page switch before it. */
	TAGS_BYTES_MAX = 6,
	/* An mb_u_int32. */
	NUMBER_BYTES_MAX = 5,
	/* -9223372036854775808 */
	DECIMAL_BYTES_MAX = 20,
};

static inline uint8_t *put_tag(struct wbxml_writer *writer, uint8_t *at, uint16_t tag, uint8_t has_content)
{
	assert(wbxml_tag_find(writer->language, tag) != NULL);
	if (tag >> 8 != writer->page) {
		writer->page = (uint8_t)(tag >> 8);
		*at++ = WBXML_SWITCH_PAGE;
		*at++ = writer->page;
	}
	*at++ = (uint8_t)(tag & WBXML_TAG_MASK) | has_content;
	return at;
}

static inline uint8_t *put_pending(struct wbxml_writer *writer, uint8_t *at)
{
	if (writer->pending == 0)
		return at;
	at = put_tag(writer, at, writer->pending, WBXML_TAG_HAS_CONTENT);
	writer->pending = 0;
	return at;
}

static inline uint8_t *put_number(uint8_t *at, uint32_t number)
{
	for (int shift = 28; shift > 0; shift -= 7)
		if (number >> shift != 0)
			*at++ = 0x80 | (number >> shift & 0x7F);
	*at++ = number & 0x7F;
	return at;
}

static inline uint8_t *reserve(struct wbxml_writer *writer, size_t room)
{
	return (uint8_t *)buffer_reserve(writer->out, room);
}

/* at: behind the last byte that was put into the reservation. */
static inline void written(struct wbxml_writer *writer, const uint8_t *at)
{
	buffer_grow(writer->out, (size_t)((const char *)at - (writer->out->data + writer->out->length)));
}

void wbxml_writer_begin(struct wbxml_writer *writer, struct buffer *out, const struct wbxml_language *language)
{
	*writer = (struct wbxml_writer){.out = out, .language = language};
	uint8_t *at = reserve(writer, 3 + NUMBER_BYTES_MAX);
	*at++ = WBXML_VERSION_1_3;
	at = put_number(at, language->public_id);
	*at++ = WBXML_MIB_UTF_8;
	*at++ = 0; /* no string table */
	written(writer, at);
}

void wbxml_writer_finish(struct wbxml_writer *writer)
{
	assert(writer->depth == 0 && writer->pending == 0);
	writer->out = NULL;
}

void wbxml_writer_start(struct wbxml_writer *writer, uint16_t tag)
{
	if (writer->pending != 0)
		written(writer, put_pending(writer, reserve(writer, TAGS_BYTES_MAX)));
	writer->pending = tag;
	writer->depth++;
}

void wbxml_writer_end(struct wbxml_writer *writer)
{
	uint8_t *at = reserve(writer, TAGS_BYTES_MAX);

	assert(writer->depth > 0);
	writer->depth--;
	if (writer->pending != 0)
		at = put_tag(writer, at, writer->pending, 0);
	else
		*at++ = WBXML_END_ELEMENT;
	writer->pending = 0;
	written(writer, at);
}

void wbxml_writer_empty_element(struct wbxml_writer *writer, uint16_t tag)
{
	uint8_t *at = put_pending(writer, reserve(writer, TAGS_BYTES_MAX));

	written(writer, put_tag(writer, at, tag, 0));
}

void wbxml_writer_text_element_n(struct wbxml_writer *writer, uint16_t tag, const char *text, size_t length)
{
	size_t clean = length != 0 ? utf8_xml_prefix(text, length) : 0;

	if (length == 0) {
		wbxml_writer_empty_element(writer, tag);
		return;
	}
	uint8_t *at = put_pending(writer, reserve(writer, TAGS_BYTES_MAX + 3 + clean));
	at = put_tag(writer, at, tag, WBXML_TAG_HAS_CONTENT);
	*at++ = WBXML_STR_I;
	memcpy(at, text, clean);
	at += clean;
	if (clean < length) {
		written(writer, at);
		utf8_append_xml(writer->out, text + clean, length - clean);
		at = reserve(writer, 2);
	}
	*at++ = '\0';
	*at++ = WBXML_END_ELEMENT;
	written(writer, at);
}

void wbxml_writer_text_element(struct wbxml_writer *writer, uint16_t tag, const char *text)
{
	wbxml_writer_text_element_n(writer, tag, text, text != NULL ? strlen(text) : 0);
}

void wbxml_writer_number_element(struct wbxml_writer *writer, uint16_t tag, int64_t number)
{
	char digits[DECIMAL_BYTES_MAX], *at = digits + sizeof digits;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) != 0);
	if (number < 0)
		*--at = '-';
	wbxml_writer_text_element_n(writer, tag, at, (size_t)(digits + sizeof digits - at));
}

void wbxml_writer_opaque_element(struct wbxml_writer *writer, uint16_t tag, const void *bytes, size_t length)
{
	if (length == 0) {
		wbxml_writer_empty_element(writer, tag);
		return;
	}
	assert(length <= WBXML_DOCUMENT_MAX);
	wbxml_writer_start(writer, tag);
	wbxml_writer_opaque_open(writer, (uint32_t)length);
	buffer_append(writer->out, bytes, length);
	wbxml_writer_end(writer);
}

void wbxml_writer_opaque_open(struct wbxml_writer *writer, uint32_t length)
{
	uint8_t *at = put_pending(writer, reserve(writer, TAGS_BYTES_MAX + 1 + NUMBER_BYTES_MAX));

	assert(writer->depth > 0);
	*at++ = WBXML_OPAQUE_DATA;
	written(writer, put_number(at, length));
}

void wbxml_writer_text_open(struct wbxml_writer *writer)
{
	uint8_t *at = put_pending(writer, reserve(writer, TAGS_BYTES_MAX + 1));

	assert(writer->depth > 0);
	*at++ = WBXML_STR_I;
	written(writer, at);
}

void wbxml_writer_text_piece(struct wbxml_writer *writer, const char *text, size_t length)
{
	utf8_pieces_append_xml(&writer->pieces, writer->out, text, length);
}

void wbxml_writer_text_close(struct wbxml_writer *writer)
{
	utf8_pieces_end_xml(&writer->pieces, writer->out);
	buffer_append_byte(writer->out, '\0');
}
