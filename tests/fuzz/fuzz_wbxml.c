/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * WBXML: parser, tree, XML and writer agree about any input. What the parser takes, the tree takes, with as many
 * elements and as much text; and written again and read again it says the same.
 */
#include <assert.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_tree.h"
#include "lib/codec/wbxml_writer.h"
#include "lib/codec/wbxml_xml.h"
#include "lib/core/arena.h"
#include "lib/core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a document says, without how it says it; and the same written by our writer. */
struct reading {
	struct buffer saying;
	struct buffer written; /* empty when an unknown tag cannot be written */
	size_t elements, text_bytes;
	bool is_writable;
};

static void say(struct reading *reading, const struct wbxml_parser *parser, enum wbxml_event event)
{
	switch (event) {
	case WBXML_START:
		reading->elements++;
		buffer_printf(&reading->saying, parser->has_content ? "<%04X" : "<%04X>", parser->tag);
		break;
	case WBXML_END:
		buffer_append_byte(&reading->saying, '>');
		break;
	case WBXML_TEXT:
		assert(parser->text[parser->length] == '\0' && utf8_string_prefix(parser->text, parser->length) == parser->length);
		utf8_append_xml(&reading->saying, parser->text, parser->length);
		break;
	default:
		buffer_printf(&reading->saying, "#%zu:", parser->length);
		buffer_append(&reading->saying, parser->text, parser->length);
	}
	if (event == WBXML_TEXT || event == WBXML_OPAQUE)
		reading->text_bytes += parser->length;
}

static void write_again(struct wbxml_writer *writer, const struct wbxml_parser *parser, enum wbxml_event event)
{
	switch (event) {
	case WBXML_START:
		if (parser->has_content)
			wbxml_writer_start(writer, parser->tag);
		else
			wbxml_writer_empty_element(writer, parser->tag);
		break;
	case WBXML_END:
		wbxml_writer_end(writer);
		break;
	case WBXML_TEXT:
		wbxml_writer_text_open(writer);
		wbxml_writer_text_piece(writer, parser->text, parser->length / 2);
		wbxml_writer_text_piece(writer, parser->text + parser->length / 2, parser->length - parser->length / 2);
		wbxml_writer_text_close(writer);
		break;
	default:
		wbxml_writer_opaque_open(writer, (uint32_t)parser->length);
		buffer_append(writer->out, parser->text, parser->length);
	}
}

static int read_document(struct reading *reading, const void *data, size_t size)
{
	struct wbxml_parser parser;
	struct wbxml_writer writer;
	enum wbxml_event event;
	struct error error;

	*reading = (struct reading){.is_writable = true};
	wbxml_writer_begin(&writer, &reading->written, &activesync_language);
	if (wbxml_parser_open(&parser, &activesync_language, data, size, &error) < 0)
		return -1;
	while ((event = wbxml_parser_next(&parser, &error)) > WBXML_DONE) {
		say(reading, &parser, event);
		reading->is_writable &= parser.known;
		if (reading->is_writable)
			write_again(&writer, &parser, event);
	}
	return event;
}

static void reading_release(struct reading *reading)
{
	buffer_release(&reading->saying);
	buffer_release(&reading->written);
}

static void check_tree(const struct reading *reading, int result, const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create(0);
	struct wbxml_tree tree;
	struct error error;
	uint32_t number;
	bool flag;
	size_t length;

	int tree_result = wbxml_tree_parse(&tree, arena, &activesync_language, data, size, &error);
	assert(tree_result == (reading->elements > WBXML_TREE_NODES_MAX ? -1 : result));
	if (tree_result == 0)
		for (const struct wbxml_node *node = tree.root->first_child; node != NULL; node = node->next) {
			wbxml_node_number(tree.root, node->tag, &number);
			wbxml_node_bool(tree.root, node->tag, &flag);
			const char *text = wbxml_node_text(tree.root, node->tag);
			assert(text == NULL || strlen(text) <= reading->text_bytes);
			assert(wbxml_node_bytes(tree.root, node->tag, &length) != NULL && length <= reading->text_bytes);
			assert(wbxml_node_count(tree.root, node->tag) > 0);
		}
	arena_free(&arena);
}

static void check_xml(int result, const uint8_t *data, size_t size)
{
	static const struct wbxml_xml_options options[] = {
		{0}, {.indent = true, .opaque_as_text = true}, {.hide_secrets = true, .text_max = 3}
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		struct buffer xml = BUFFER_EMPTY;
		struct error error;
		int xml_result = wbxml_to_xml(&xml, &activesync_language, data, size, &options[i], &error);
		assert(xml_result == result || xml.length > WBXML_XML_MAX);
		assert(utf8_xml_prefix(xml.data, xml.length) == xml.length);
		buffer_release(&xml);
	}
}

static void check_skip(int result, const uint8_t *data, size_t size)
{
	struct wbxml_parser parser;
	struct error error;

	if (wbxml_parser_open(&parser, &activesync_language, data, size, &error) < 0 ||
	    wbxml_parser_next(&parser, &error) != WBXML_START)
		return;
	int skipped = wbxml_parser_skip(&parser, &error);
	assert(skipped == 0 || result < 0);
	assert(skipped < 0 || (int)wbxml_parser_next(&parser, &error) == result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading reading, again = {0};

	int result = read_document(&reading, data, size);
	if (result == 0 && reading.is_writable) {
		assert(read_document(&again, reading.written.data, reading.written.length) == 0);
		assert(again.saying.length == reading.saying.length);
		assert(memcmp(again.saying.data, reading.saying.data, reading.saying.length) == 0);
	}
	check_tree(&reading, result, data, size);
	check_xml(result, data, size);
	check_skip(result, data, size);
	reading_release(&reading);
	reading_release(&again);
	return 0;
}
