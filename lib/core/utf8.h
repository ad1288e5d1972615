/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UTF-8 (RFC 3629) and the characters that XML 1.0 allows (section 2.2). */
#ifndef BELFRY_LIB_CORE_UTF8_H
#define BELFRY_LIB_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

/* One character: its length (1 to 4); for bytes that are none, minus the length of what one U+FFFD replaces (a maximal
 * subpart, as Unicode recommends). length is at least 1. A NUL is a character here. */
int utf8_character(const char *bytes, size_t length);
/* Writes a code point and returns its length; 0 for surrogates and beyond U+10FFFF. */
size_t utf8_encode(uint32_t code_point, char bytes_r[4]);

/* Well-formed throughout. */
bool utf8_is_valid(const char *text, size_t length);
/* How many bytes from the start are well-formed UTF-8 without NUL. */
size_t utf8_string_prefix(const char *bytes, size_t length);
/* How many bytes from the start are text that XML 1.0 can carry: no control characters but tab, newline and carriage
 * return, no U+FFFE and U+FFFF. */
size_t utf8_xml_prefix(const char *bytes, size_t length);
/* Appends the bytes as such text: forbidden characters are left out, what is not UTF-8 becomes U+FFFD. */
void utf8_append_xml(struct buffer *, const char *bytes, size_t length);
/* The same, with what is markup in an element's content escaped. */
void utf8_append_xml_escaped(struct buffer *, const char *bytes, size_t length);
/* How many bytes at the end begin a character that is not complete (0 to 3): they belong to the next piece. */
size_t utf8_incomplete_tail(const char *bytes, size_t length);

/* Text that comes in pieces, cut anywhere. Begins as {0}. */
struct utf8_pieces {
	char tail[3];       /* an incomplete character at the end of the last piece */
	uint8_t tail_length;
};

/* utf8_append_xml() of one more piece; its incomplete tail waits for the next. */
void utf8_pieces_append_xml(struct utf8_pieces *, struct buffer *, const char *bytes, size_t length);
/* No more comes: what still waits is no character. */
void utf8_pieces_end_xml(struct utf8_pieces *, struct buffer *);

#endif
