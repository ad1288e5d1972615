/* SPDX-License-Identifier: GPL-3.0-or-later */
/* WBXML shown as XML. */
#include "lib/codec/wbxml_xml.h"

#include <stdint.h>
#include <string.h>

#include "lib/core/buffer.h"
#include "lib/core/utf8.h"

enum { NO_PAGE = -1 };

struct printer {
	struct buffer *out;
	const struct wbxml_language *language;
	const struct wbxml_xml_options *options;
	const struct wbxml_parser *parser;
	bool in_text; /* after a start tag or text: the end tag follows on the same line */
};

static void new_line(struct printer *printer, unsigned depth)
{
	if (!printer->options->indent)
		return;
	buffer_append_byte(printer->out, '\n');
	for (unsigned i = 0; i < depth; i++)
		buffer_append(printer->out, "  ", 2);
}

static void put_name(struct printer *printer, uint16_t tag)
{
	const char *name = wbxml_tag_name(printer->language, tag);

	if (name != NULL)
		buffer_append_string(printer->out, name);
	else
		buffer_printf(printer->out, "unknown-%02X-%02X", tag >> 8, tag & WBXML_TAG_MASK);
}

static void put_namespace(struct printer *printer, unsigned page)
{
	if (page < printer->language->page_count)
		buffer_printf(printer->out, " xmlns=\"%s\"", printer->language->pages[page].xmlns);
	else
		buffer_printf(printer->out, " xmlns=\"page-%02X\"", page);
}

static void put_start(struct printer *printer)
{
	const struct wbxml_parser *parser = printer->parser;
	unsigned depth = parser->depth - (parser->has_content ? 1 : 0);
	int parent_page = depth > 0 ? parser->open[depth - 1] >> 8 : NO_PAGE;

	new_line(printer, depth);
	buffer_append_byte(printer->out, '<');
	put_name(printer, parser->tag);
	if (parser->tag >> 8 != parent_page)
		put_namespace(printer, parser->tag >> 8);
	buffer_append_string(printer->out, parser->has_content ? ">" : "/>");
	printer->in_text = parser->has_content;
}

static void put_end(struct printer *printer)
{
	if (!printer->in_text)
		new_line(printer, printer->parser->depth);
	buffer_append(printer->out, "</", 2);
	put_name(printer, printer->parser->tag);
	buffer_append_byte(printer->out, '>');
	printer->in_text = false;
}

static void put_base64(struct printer *printer, const char *bytes, size_t length)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *from = (const uint8_t *)bytes;

	for (size_t at = 0; at < length; at += 3) {
		size_t left = length - at;
		uint32_t group = (uint32_t)from[at] << 16;
		if (left > 1)
			group |= (uint32_t)from[at + 1] << 8;
		if (left > 2)
			group |= from[at + 2];
		for (unsigned i = 0; i < 4; i++)
			buffer_append_byte(printer->out, i <= left ? (uint8_t)digits[group >> (18 - 6 * i) & 0x3F] : '=');
	}
}

static void put_content(struct printer *printer, enum wbxml_event event)
{
	const struct wbxml_parser *parser = printer->parser;
	const struct wbxml_xml_options *options = printer->options;
	size_t length = options->text_max != 0 && parser->length > options->text_max ? options->text_max : parser->length;

	if (options->hide_secrets && wbxml_tag_is_secret(printer->language, parser->open[parser->depth - 1])) {
		buffer_append_string(printer->out, "***");
		return;
	}
	if (event == WBXML_TEXT ||
	    (options->opaque_as_text && utf8_xml_prefix(parser->text, parser->length) == parser->length))
		utf8_append_xml_escaped(printer->out, parser->text,
			length - (length < parser->length ? utf8_incomplete_tail(parser->text, length) : 0));
	else
		put_base64(printer, parser->text, length);
	if (length < parser->length)
		buffer_printf(printer->out, "[and %zu bytes]", parser->length - length);
}

int wbxml_to_xml(struct buffer *out, const struct wbxml_language *language, const void *bytes, size_t length,
		 const struct wbxml_xml_options *options, struct error *error_r)
{
	struct wbxml_parser parser;
	struct printer printer = {.out = out, .language = language, .options = options, .parser = &parser};
	size_t before = out->length;
	enum wbxml_event event;

	if (wbxml_parser_open(&parser, language, bytes, length, error_r) < 0)
		return -1;
	buffer_append_string(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>");
	while ((event = wbxml_parser_next(&parser, error_r)) > WBXML_DONE) {
		if (event == WBXML_START)
			put_start(&printer);
		else if (event == WBXML_END)
			put_end(&printer);
		else
			put_content(&printer, event);
		if (out->length - before > WBXML_XML_MAX)
			return error_set(error_r, "the document is longer than %d bytes as XML", WBXML_XML_MAX);
	}
	buffer_append_byte(out, '\n');
	return event;
}
