/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes WBXML 1.3 into a buffer as it goes: header, page switches and tags without content are the writer's affair.
 * What it writes is always well-formed: text is cleaned (utf8_append_xml()), so that a broken mail cannot spoil an
 * answer; a tag that the language does not have and elements that are not balanced are bugs of ours and asserted.
 * The buffer may be emptied at any time between two calls; nothing that was written is touched again.
 *
 *	wbxml_writer_begin(&writer, &answer, &activesync_language);
 *	wbxml_writer_start(&writer, AS_FOLDERHIERARCHY_FOLDERSYNC);
 *	wbxml_writer_number_element(&writer, AS_FOLDERHIERARCHY_STATUS, 1);
 *	wbxml_writer_end(&writer);
 *	wbxml_writer_finish(&writer);
 */
#ifndef BELFRY_LIB_CODEC_WBXML_WRITER_H
#define BELFRY_LIB_CODEC_WBXML_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/codec/wbxml.h"
#include "lib/core/buffer.h"
#include "lib/core/utf8.h"

struct wbxml_writer {
	struct buffer *out;
	const struct wbxml_language *language;
	unsigned depth;
	uint16_t pending;   /* a started element that is not written yet: whether it gets content is not known; 0: none */
	uint8_t page;
	struct utf8_pieces pieces;
};

/* Appends the header to the buffer. */
void wbxml_writer_begin(struct wbxml_writer *, struct buffer *out, const struct wbxml_language *);
/* Asserts that every element was ended. */
void wbxml_writer_finish(struct wbxml_writer *);

/* An element with what is called until its end inside; with nothing inside it becomes a tag without content. */
void wbxml_writer_start(struct wbxml_writer *, uint16_t tag);
void wbxml_writer_end(struct wbxml_writer *);

/* Whole elements. Empty text or data (NULL, too) makes a tag without content. */
void wbxml_writer_empty_element(struct wbxml_writer *, uint16_t tag);
void wbxml_writer_text_element(struct wbxml_writer *, uint16_t tag, const char *text);
void wbxml_writer_text_element_n(struct wbxml_writer *, uint16_t tag, const char *text, size_t length);
void wbxml_writer_number_element(struct wbxml_writer *, uint16_t tag, int64_t number);
void wbxml_writer_opaque_element(struct wbxml_writer *, uint16_t tag, const void *bytes, size_t length);

/* One text in pieces inside a started element, for a body that is not in memory as a whole; a character may be cut
 * between two pieces. It stays one string on the wire: there are clients that read only an element's first. */
void wbxml_writer_text_open(struct wbxml_writer *);
void wbxml_writer_text_piece(struct wbxml_writer *, const char *text, size_t length);
void wbxml_writer_text_close(struct wbxml_writer *);

/* Announces opaque data inside a started element: the caller appends exactly `length` bytes to the buffer itself. */
void wbxml_writer_opaque_open(struct wbxml_writer *, uint32_t length);

#endif
