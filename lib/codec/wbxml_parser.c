/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The WBXML pull parser: one event a call, one table look-up a tag, every length checked against what is there. */
#include "lib/codec/wbxml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/core/utf8.h"

/* A page that the language does not have: no token of it is known. */
static const struct wbxml_tag no_tags[WBXML_TAGS_A_PAGE];

static const struct wbxml_tag *page_tags(const struct wbxml_language *language, uint8_t page)
{
	return page < language->page_count ? language->pages[page].tags : no_tags;
}

const struct wbxml_tag *wbxml_tag_find(const struct wbxml_language *language, uint16_t tag)
{
	const struct wbxml_tag *found = &page_tags(language, (uint8_t)(tag >> 8))[tag & WBXML_TAG_MASK];

	return found->name != NULL ? found : NULL;
}

const char *wbxml_tag_name(const struct wbxml_language *language, uint16_t tag)
{
	return page_tags(language, (uint8_t)(tag >> 8))[tag & WBXML_TAG_MASK].name;
}

bool wbxml_tag_is_secret(const struct wbxml_language *language, uint16_t tag)
{
	if (language->secrets == NULL)
		return false;
	for (const uint16_t *secret = language->secrets; *secret != 0; secret++)
		if (*secret == tag)
			return true;
	return false;
}

/* "ActiveSync WBXML, byte 17: …" */
static enum wbxml_event __attribute__((format(printf, 3, 4)))
refuse(struct wbxml_parser *parser, struct error *error_r, const char *format, ...)
{
	char reason[160];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	parser->failed = true;
	error_set(error_r, "%s WBXML, byte %zu: %s", parser->language->name, (size_t)(parser->at - parser->start), reason);
	return WBXML_ERROR;
}

/* mb_u_int32 (section 5.1): seven bits a byte, the high bit says that more follow. NULL when it was read. */
static const char *read_number(struct wbxml_parser *parser, uint32_t *number_r)
{
	uint32_t number = 0;

	for (const uint8_t *at = parser->at; at < parser->end; at++) {
		if (number > UINT32_MAX >> 7 || at - parser->at == 5)
			return "a number of more than 32 bits";
		number = number << 7 | (*at & 0x7F);
		if ((*at & 0x80) == 0) {
			parser->at = at + 1;
			*number_r = number;
			return NULL;
		}
	}
	return "the input ends inside a number";
}

/* A string that ends with NUL inside its room. Returns what is wrong, or NULL. */
static const char *take_string(struct wbxml_parser *parser, const char *text, size_t room)
{
	size_t length = utf8_string_prefix(text, room);

	if (length == room)
		return "a string without its end";
	if (text[length] != '\0')
		return "a string that is not UTF-8";
	parser->text = text;
	parser->length = length;
	return NULL;
}

static const char *take_inline_string(struct wbxml_parser *parser)
{
	const char *wrong = take_string(parser, (const char *)parser->at, (size_t)(parser->end - parser->at));

	if (wrong == NULL)
		parser->at += parser->length + 1;
	return wrong;
}

static const char *take_table_string(struct wbxml_parser *parser)
{
	uint32_t offset = 0;
	const char *wrong = read_number(parser, &offset);

	if (wrong != NULL)
		return wrong;
	if (offset >= parser->strings_length)
		return "a string from beyond the string table";
	return take_string(parser, parser->strings + offset, parser->strings_length - offset);
}

static const char *take_entity(struct wbxml_parser *parser)
{
	uint32_t code_point = 0;
	const char *wrong = read_number(parser, &code_point);

	if (wrong != NULL)
		return wrong;
	parser->length = code_point != 0 ? utf8_encode(code_point, parser->entity) : 0;
	parser->entity[parser->length] = '\0';
	parser->text = parser->entity;
	return parser->length != 0 ? NULL : "a character entity that is no character";
}

static const char *take_opaque(struct wbxml_parser *parser)
{
	uint32_t length = 0;
	const char *wrong = read_number(parser, &length);

	if (wrong != NULL)
		return wrong;
	if (length > (size_t)(parser->end - parser->at))
		return "opaque data that are longer than the input";
	parser->text = (const char *)parser->at;
	parser->length = length;
	parser->at += length;
	return NULL;
}

static void enter_page(struct wbxml_parser *parser, uint8_t page)
{
	parser->page = page;
	parser->tags = page_tags(parser->language, page);
}

/* The header (section 5.4): version, public identifier, character set, string table. */
static const char *read_header(struct wbxml_parser *parser)
{
	uint32_t number = 0, public_id_offset = 0;
	const char *wrong;

	if (parser->at == parser->end)
		return "an empty document";
	parser->version = *parser->at++;
	if (parser->version < 0x01 || parser->version > WBXML_VERSION_1_3)
		return "not WBXML 1.1, 1.2 or 1.3";
	if ((wrong = read_number(parser, &parser->public_id)) != NULL)
		return wrong;
	if (parser->public_id == 0 && (wrong = read_number(parser, &public_id_offset)) != NULL)
		return wrong;
	if ((wrong = read_number(parser, &number)) != NULL)
		return wrong;
	if (number != WBXML_MIB_UTF_8 && number != WBXML_MIB_US_ASCII && number != WBXML_MIB_UNKNOWN)
		return "a character set other than UTF-8";
	parser->charset = (uint8_t)number;
	if ((wrong = read_number(parser, &number)) != NULL)
		return wrong;
	if (number > WBXML_STRING_TABLE_MAX || number > (size_t)(parser->end - parser->at))
		return "a string table that is too long";
	parser->strings = (const char *)parser->at;
	parser->strings_length = number;
	parser->at += number;
	return public_id_offset == 0 || public_id_offset < number ? NULL : "a public identifier beyond the string table";
}

int wbxml_parser_open(struct wbxml_parser *parser, const struct wbxml_language *language, const void *bytes, size_t length,
		      struct error *error_r)
{
	memset(parser, 0, offsetof(struct wbxml_parser, open));
	parser->language = language;
	parser->start = parser->at = bytes;
	parser->end = parser->start + length;
	enter_page(parser, 0);

	const char *wrong = length > WBXML_DOCUMENT_MAX ? "the document is too long" : read_header(parser);
	if (wrong != NULL)
		refuse(parser, error_r, "%s", wrong);
	return wrong == NULL ? 0 : -1;
}

static enum wbxml_event start_element(struct wbxml_parser *parser, uint8_t byte, struct error *error_r)
{
	uint8_t token = byte & WBXML_TAG_MASK;

	if ((byte & WBXML_TAG_HAS_ATTRIBUTES) != 0)
		return refuse(parser, error_r, "an element with attributes (0x%02X)", byte);
	if (parser->depth == 0 && parser->root_seen)
		return refuse(parser, error_r, "an element after the end of the document");
	parser->root_seen = true;
	parser->tag = (uint16_t)(parser->page << 8 | token);
	parser->known = parser->tags[token].name != NULL;
	parser->has_content = (byte & WBXML_TAG_HAS_CONTENT) != 0;
	if (!parser->has_content)
		return WBXML_START;
	if (parser->depth == WBXML_DEPTH_MAX)
		return refuse(parser, error_r, "more than %d elements inside one another", WBXML_DEPTH_MAX);
	parser->open[parser->depth++] = parser->tag;
	return WBXML_START;
}

static enum wbxml_event end_element(struct wbxml_parser *parser, struct error *error_r)
{
	if (parser->depth == 0)
		return refuse(parser, error_r, "an end without an element");
	parser->tag = parser->open[--parser->depth];
	parser->known = wbxml_tag_name(parser->language, parser->tag) != NULL;
	return WBXML_END;
}

/* Text or data, which `take` reads. */
static enum wbxml_event content(struct wbxml_parser *parser, enum wbxml_event event,
				const char *take(struct wbxml_parser *), struct error *error_r)
{
	if (parser->depth == 0)
		return refuse(parser, error_r, "text outside of the root element");
	const char *wrong = take(parser);
	return wrong == NULL ? event : refuse(parser, error_r, "%s", wrong);
}

static enum wbxml_event global_token(struct wbxml_parser *parser, uint8_t byte, struct error *error_r)
{
	switch (byte) {
	case WBXML_END_ELEMENT:
		return end_element(parser, error_r);
	case WBXML_STR_I:
		return content(parser, WBXML_TEXT, take_inline_string, error_r);
	case WBXML_STR_T:
		return content(parser, WBXML_TEXT, take_table_string, error_r);
	case WBXML_ENTITY:
		return content(parser, WBXML_TEXT, take_entity, error_r);
	case WBXML_OPAQUE_DATA:
		return content(parser, WBXML_OPAQUE, take_opaque, error_r);
	case WBXML_PI:
		return refuse(parser, error_r, "a processing instruction");
	case WBXML_LITERAL: case WBXML_LITERAL_A: case WBXML_LITERAL_C: case WBXML_LITERAL_AC:
		return refuse(parser, error_r, "a literal tag (0x%02X)", byte);
	default:
		return refuse(parser, error_r, "an extension token (0x%02X)", byte);
	}
}

static enum wbxml_event end_of_input(struct wbxml_parser *parser, struct error *error_r)
{
	if (parser->depth == 0)
		return parser->root_seen ? WBXML_DONE : refuse(parser, error_r, "a document without an element");
	uint16_t tag = parser->open[parser->depth - 1];
	const char *name = wbxml_tag_name(parser->language, tag);
	return refuse(parser, error_r, "the input ends inside the element %s (0x%04X)", name != NULL ? name : "unknown", tag);
}

enum wbxml_event wbxml_parser_next(struct wbxml_parser *parser, struct error *error_r)
{
	if (parser->failed)
		return refuse(parser, error_r, "nothing more is read after an error");
	while (parser->at < parser->end) {
		uint8_t byte = *parser->at++;
		if (byte != WBXML_SWITCH_PAGE)
			return (byte & WBXML_TAG_MASK) >= WBXML_TAG_FIRST ? start_element(parser, byte, error_r)
									  : global_token(parser, byte, error_r);
		if (parser->at == parser->end)
			return refuse(parser, error_r, "the input ends inside a page switch");
		if (parser->depth == 0 && parser->root_seen)
			return refuse(parser, error_r, "a page switch after the end of the document");
		enter_page(parser, *parser->at++);
	}
	return end_of_input(parser, error_r);
}

int wbxml_parser_skip(struct wbxml_parser *parser, struct error *error_r)
{
	if (!parser->has_content)
		return 0;
	unsigned outside = parser->depth - 1;
	while (parser->depth > outside)
		if (wbxml_parser_next(parser, error_r) == WBXML_ERROR)
			return -1;
	return 0;
}
