/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * WBXML 1.3 (WAP-192) for protocols without attributes: ActiveSync (MS-ASWBXML) and SyncML. This header has the
 * languages and the parser; wbxml_writer.h writes, wbxml_tree.h gives small documents as a tree, wbxml_xml.h as XML.
 *
 * The parser walks over a whole document in memory and gives one event at a time. Nothing is copied, nothing is
 * allocated and nothing is recursive; the peer decides neither how deep nor how long anything gets:
 *
 *	struct wbxml_parser parser;
 *	enum wbxml_event event;
 *
 *	if (wbxml_parser_open(&parser, &activesync_language, body, length, &error) < 0)
 *		return -1;
 *	while ((event = wbxml_parser_next(&parser, &error)) > WBXML_DONE)
 *		…
 *	return event;                        // WBXML_DONE is 0, WBXML_ERROR is -1
 */
#ifndef BELFRY_LIB_CODEC_WBXML_H
#define BELFRY_LIB_CODEC_WBXML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/error.h"

/* Global tokens (WAP-192 section 7.1). A byte with the low six bits from 5 on is a tag. */
enum wbxml_global {
	WBXML_SWITCH_PAGE = 0x00, WBXML_END_ELEMENT = 0x01, WBXML_ENTITY = 0x02, WBXML_STR_I = 0x03, WBXML_LITERAL = 0x04,
	WBXML_EXT_I_0 = 0x40, WBXML_EXT_I_1 = 0x41, WBXML_EXT_I_2 = 0x42, WBXML_PI = 0x43, WBXML_LITERAL_C = 0x44,
	WBXML_EXT_T_0 = 0x80, WBXML_EXT_T_1 = 0x81, WBXML_EXT_T_2 = 0x82, WBXML_STR_T = 0x83, WBXML_LITERAL_A = 0x84,
	WBXML_EXT_0 = 0xC0, WBXML_EXT_1 = 0xC1, WBXML_EXT_2 = 0xC2, WBXML_OPAQUE_DATA = 0xC3, WBXML_LITERAL_AC = 0xC4,
};
enum {
	WBXML_TAGS_A_PAGE = 64,
	WBXML_TAG_FIRST = 0x05,
	WBXML_TAG_MASK = 0x3F,
	WBXML_TAG_HAS_CONTENT = 0x40,
	WBXML_TAG_HAS_ATTRIBUTES = 0x80,
	WBXML_VERSION_1_3 = 0x03,
	WBXML_PUBLIC_ID_UNKNOWN = 0x01,
	WBXML_MIB_UNKNOWN = 0, WBXML_MIB_US_ASCII = 3, WBXML_MIB_UTF_8 = 106, /* IANA MIBenum */
};

enum {
	/* Elements inside one another. The deepest that MS-ASCMD and the data classes define is 13 (an attendee of an
	 * exception in a Sync), a nested Search query some more. */
	WBXML_DEPTH_MAX = 64,
	/* ActiveSync has no string table; SyncML clients put their public identifier into one. */
	WBXML_STRING_TABLE_MAX = 4096,
	/* A document: above the largest mail that any server takes, in base64, with room for its envelope. */
	WBXML_DOCUMENT_MAX = 256 * 1024 * 1024,
};

/* A tag everywhere in this codec is a number: code page << 8 | token (0x05 to 0x3F). 0 is no tag. */

/* name NULL: no such token. first, last: the protocol versions (times ten) that know it. */
struct wbxml_tag {
	const char *name;
	uint8_t first, last;
};

/* tags: WBXML_TAGS_A_PAGE of them, by token. */
struct wbxml_page {
	const char *xmlns;
	const struct wbxml_tag *tags;
};

/* secrets: tags whose text must never reach a log, ended by 0. */
struct wbxml_language {
	const char *name;
	uint32_t public_id;
	const struct wbxml_page *pages;
	size_t page_count;
	const uint16_t *secrets;
};

/* NULL when the language has no such tag (the page may be any, too). */
const struct wbxml_tag *wbxml_tag_find(const struct wbxml_language *, uint16_t tag);
const char *wbxml_tag_name(const struct wbxml_language *, uint16_t tag);
bool wbxml_tag_is_secret(const struct wbxml_language *, uint16_t tag);

enum wbxml_event {
	WBXML_ERROR = -1,   /* not WBXML, or something in it that these protocols do not have; error_r says what and where */
	WBXML_DONE = 0,     /* the root element has ended and the input with it */
	WBXML_START,        /* an element: tag, known, has_content. Without content it is over: no WBXML_END follows */
	WBXML_END,          /* the end of an element with content: tag, known */
	WBXML_TEXT,         /* text, length: UTF-8, well-formed, without NUL, followed by a NUL that is not counted */
	WBXML_OPAQUE,       /* text, length: any bytes, nothing after them */
};

struct wbxml_parser {
	/* What the last event is about. text points into the input; after a character entity, into this struct, where
	 * it stays until the next call. An element's text may come in several events. */
	uint16_t tag;
	bool has_content;
	bool known;                   /* false: the language has no such token or no such page */
	const char *text;
	size_t length;

	/* From the header. The public identifier is 0 when it was given as text. */
	uint8_t version;
	uint8_t charset;
	uint32_t public_id;

	/* The parser's own. */
	const struct wbxml_language *language;
	const struct wbxml_tag *tags; /* of the current page */
	const uint8_t *start, *at, *end;
	const char *strings;
	size_t strings_length;
	uint8_t page;
	bool root_seen, failed;
	char entity[8];
	unsigned depth;
	uint16_t open[WBXML_DEPTH_MAX];
};

/* Reads the header. The bytes must outlive the parser. 0, or -1 with a message. */
int wbxml_parser_open(struct wbxml_parser *, const struct wbxml_language *, const void *bytes, size_t length,
		      struct error *error_r);
/* After the end it says WBXML_DONE again, after an error WBXML_ERROR. */
enum wbxml_event wbxml_parser_next(struct wbxml_parser *, struct error *error_r);
/* After WBXML_START: passes over the whole element, so that the next event is what follows it. 0, or -1. */
int wbxml_parser_skip(struct wbxml_parser *, struct error *error_r);

#endif
