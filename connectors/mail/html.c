/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTML and text. The tree is walked in a loop. */
#include "connectors/mail/html.h"

#include <stdint.h>
#include <stdio.h>

#include "connectors/mail/html_tree.h"
#include "lib/core/utf8.h"

/* --- from a tree to text --------------------------------------------------------------------------------------- */

enum { QUOTES_MAX = 20, LISTS_MAX = 20 };

struct writer {
	struct buffer *out;
	int quotes;          /* depth of <blockquote> */
	int lists;           /* depth of <ul>, <ol> */
	int number[LISTS_MAX]; /* of the last item; -1: bullets */
	int preformatted;
	int breaks;          /* line ends that are due before the next text: 0, 1, 2 (an empty line) */
	bool at_start;       /* nothing on this line yet */
	bool space;          /* one is due before the next word */
	bool is_empty;       /* nothing was written at all */
};

static void start_line(struct writer *writer)
{
	for (int i = 0; i < writer->quotes && i < QUOTES_MAX; i++)
		buffer_append_string(writer->out, "> ");
}

static void end_line(struct writer *writer)
{
	while (writer->out->length > 0 && writer->out->data[writer->out->length - 1] == ' ')
		buffer_truncate(writer->out, writer->out->length - 1);
	buffer_append_string(writer->out, "\r\n");
}

/* Ends the line, and those that are to be empty, at the depth of quotes that held so far. */
static void flush_breaks(struct writer *writer)
{
	for (; writer->breaks > 0 && !writer->is_empty; writer->breaks--) {
		end_line(writer);
		writer->at_start = true;
		if (writer->breaks > 1)
			start_line(writer);
	}
	writer->breaks = 0;
}

/* Whatever is due before visible text. */
static void settle(struct writer *writer)
{
	flush_breaks(writer);
	if (writer->at_start)
		start_line(writer);
	else if (writer->space)
		buffer_append_byte(writer->out, ' ');
	writer->at_start = writer->is_empty = writer->space = false;
}

static void want_break(struct writer *writer, int lines)
{
	if (lines == 0)
		return;
	if (writer->breaks < lines)
		writer->breaks = lines;
	writer->space = false;
}

static bool is_html_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\f';
}

/* Runs of white space are one space. */
static void write_flowing(struct writer *writer, const char *text)
{
	while (*text != '\0') {
		const char *word = text;

		while (*text != '\0' && !is_html_space(*text))
			text++;
		if (text > word) {
			settle(writer);
			buffer_append(writer->out, word, (size_t)(text - word));
		}
		if (*text != '\0' && !writer->is_empty && writer->breaks == 0)
			writer->space = true;
		while (is_html_space(*text))
			text++;
	}
}

static void write_preformatted(struct writer *writer, const char *text)
{
	while (*text != '\0') {
		size_t line = strcspn(text, "\r\n");

		if (line > 0) {
			settle(writer);
			buffer_append(writer->out, text, line);
		}
		text += line;
		if (*text == '\r')
			text++;
		if (*text == '\n') {
			settle(writer);
			writer->breaks = 1;
			text++;
		}
	}
}

static void write_text(struct writer *writer, const char *text)
{
	if (writer->preformatted > 0)
		write_preformatted(writer, text);
	else
		write_flowing(writer, text);
}

static void begin_item(struct writer *writer)
{
	char label[16] = "* ";
	int list = writer->lists - 1;

	want_break(writer, 1);
	settle(writer);
	for (int i = 0; i < list && i < LISTS_MAX; i++)
		buffer_append_string(writer->out, "  ");
	if (list >= 0 && list < LISTS_MAX && writer->number[list] >= 0)
		snprintf(label, sizeof label, "%d. ", ++writer->number[list]);
	buffer_append_string(writer->out, label);
}

static void begin_list(struct writer *writer, bool is_numbered)
{
	want_break(writer, writer->lists == 0 ? 2 : 1);
	if (writer->lists < LISTS_MAX)
		writer->number[writer->lists] = is_numbered ? 0 : -1;
	writer->lists++;
}

/* Elements that stand on lines of their own, and how many line ends part them from the rest. */
static int breaks_around(GumboTag tag)
{
	switch (tag) {
	case GUMBO_TAG_P: case GUMBO_TAG_H1: case GUMBO_TAG_H2: case GUMBO_TAG_H3: case GUMBO_TAG_H4: case GUMBO_TAG_H5:
	case GUMBO_TAG_H6: case GUMBO_TAG_BLOCKQUOTE: case GUMBO_TAG_PRE: case GUMBO_TAG_DL:
		return 2;
	case GUMBO_TAG_DIV: case GUMBO_TAG_TR: case GUMBO_TAG_TABLE: case GUMBO_TAG_LI: case GUMBO_TAG_DT: case GUMBO_TAG_DD:
	case GUMBO_TAG_ADDRESS: case GUMBO_TAG_ARTICLE: case GUMBO_TAG_SECTION: case GUMBO_TAG_HEADER:
	case GUMBO_TAG_FOOTER: case GUMBO_TAG_CENTER: case GUMBO_TAG_FORM: case GUMBO_TAG_FIELDSET: case GUMBO_TAG_CAPTION:
	case GUMBO_TAG_HR: case GUMBO_TAG_UL: case GUMBO_TAG_OL:
		return 1;
	default:
		return 0;
	}
}

/* A line break within a paragraph; two of them are an empty line. */
static void write_line_break(struct writer *writer)
{
	if (writer->is_empty)
		return;
	if (writer->breaks > 0)
		settle(writer);
	writer->breaks = 1;
	writer->space = false;
}

static void enter(struct writer *writer, const GumboNode *node)
{
	GumboTag tag = node->v.element.tag;

	want_break(writer, breaks_around(tag));
	switch (tag) {
	case GUMBO_TAG_BR: write_line_break(writer); break;
	case GUMBO_TAG_HR: write_text(writer, "--------------------"); want_break(writer, 1); break;
	case GUMBO_TAG_PRE: writer->preformatted++; break;
	case GUMBO_TAG_BLOCKQUOTE: flush_breaks(writer); writer->quotes++; break;
	case GUMBO_TAG_UL: begin_list(writer, false); break;
	case GUMBO_TAG_OL: begin_list(writer, true); break;
	case GUMBO_TAG_LI: begin_item(writer); break;
	case GUMBO_TAG_TD: case GUMBO_TAG_TH: writer->space = writer->breaks == 0 && !writer->is_empty; break;
	case GUMBO_TAG_IMG:
		if (*html_attribute(node, "alt") != '\0') {
			write_text(writer, "[");
			write_text(writer, html_attribute(node, "alt"));
			writer->space = false;
			write_text(writer, "]");
		}
		break;
	default: break;
	}
}

/* The address of a link, unless its text said it already. */
static void write_address(struct writer *writer, const GumboNode *node, size_t text_start)
{
	const char *address = html_attribute(node, "href");
	const char *bare = strncasecmp(address, "mailto:", 7) == 0 ? address + 7 : address;
	size_t shown = writer->out->length > text_start ? writer->out->length - text_start : 0;

	if (shown == 0 || strstr(bare, ":") == NULL || memmem(writer->out->data + text_start, shown, bare, strlen(bare)) != NULL)
		return;
	writer->space = true;
	settle(writer);
	buffer_append_byte(writer->out, '<');
	buffer_append_string(writer->out, address);
	buffer_append_byte(writer->out, '>');
}

static void leave(struct writer *writer, const GumboNode *node, size_t text_start)
{
	GumboTag tag = node->v.element.tag;

	switch (tag) {
	case GUMBO_TAG_A: write_address(writer, node, text_start); break;
	case GUMBO_TAG_PRE: writer->preformatted--; break;
	case GUMBO_TAG_BLOCKQUOTE: writer->quotes--; break;
	case GUMBO_TAG_UL: case GUMBO_TAG_OL: writer->lists--; break;
	default: break;
	}
	want_break(writer, breaks_around(tag));
}

static const GumboVector *children_of(const GumboNode *node)
{
	if (node->type == GUMBO_NODE_DOCUMENT)
		return &node->v.document.children;
	return node->type == GUMBO_NODE_ELEMENT && !html_is_invisible(node->v.element.tag) ? &node->v.element.children : NULL;
}

static void visit(struct writer *writer, const GumboNode *node)
{
	if (node->type == GUMBO_NODE_ELEMENT && !html_is_invisible(node->v.element.tag))
		enter(writer, node);
	else if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE || node->type == GUMBO_NODE_CDATA)
		write_text(writer, node->v.text.text);
}

/* Depth first in a loop: where a node has no child or brother left, its parents are left. */
static void walk(struct writer *writer, const GumboNode *root)
{
	const GumboNode *node = root;
	size_t link_start = 0; /* links do not nest in a parsed tree */

	for (;;) {
		const GumboVector *children = children_of(node);

		visit(writer, node);
		if (node->type == GUMBO_NODE_ELEMENT && node->v.element.tag == GUMBO_TAG_A)
			link_start = writer->out->length;
		if (children != NULL && children->length > 0) {
			node = children->data[0];
			continue;
		}
		for (;;) {
			if (node->type == GUMBO_NODE_ELEMENT && !html_is_invisible(node->v.element.tag))
				leave(writer, node, link_start);
			if (node == root)
				return;
			const GumboVector *brothers = children_of(node->parent);
			if (node->index_within_parent + 1 < brothers->length) {
				node = brothers->data[node->index_within_parent + 1];
				break;
			}
			node = node->parent;
		}
	}
}

/* --- when the document is too much ----------------------------------------------------------------------------- */

static void drop_tags(struct buffer *out, struct slice html)
{
	const char *at = html.at, *end = html.at + html.length;

	while (at < end) {
		const char *tag = memchr(at, '<', (size_t)(end - at));

		utf8_append_xml(out, at, (size_t)((tag != NULL ? tag : end) - at));
		if (tag == NULL)
			return;
		const char *close = memchr(tag, '>', (size_t)(end - tag));
		at = close != NULL ? close + 1 : end;
	}
}

static void write_tree(const GumboNode *document, void *data)
{
	struct writer writer = {.out = data, .is_empty = true, .at_start = true};

	walk(&writer, document);
}

void html_to_text(struct buffer *out, struct slice html)
{
	html = slice_cut(html, HTML_BYTES_MAX);
	if (html.length > 0 && !html_tree(html, write_tree, out))
		drop_tags(out, html);
}

/* --- from text ------------------------------------------------------------------------------------------------- */

void html_from_text(struct buffer *out, struct slice text)
{
	bool after_space = true; /* at a line's start too, so that indents stay */

	buffer_append_string(out, "<html><body>");
	for (size_t i = 0; i < text.length; i++) {
		char byte = text.at[i];

		switch (byte) {
		case '<': buffer_append_string(out, "&lt;"); break;
		case '>': buffer_append_string(out, "&gt;"); break;
		case '&': buffer_append_string(out, "&amp;"); break;
		case '\r': continue;
		case '\n': buffer_append_string(out, "<br>\r\n"); break;
		case ' ': buffer_append_string(out, after_space ? "&nbsp;" : " "); break;
		default: buffer_append_byte(out, (uint8_t)byte); break;
		}
		after_space = byte == ' ' || byte == '\n';
	}
	buffer_append_string(out, "</body></html>");
}

/* --- the character set in the document ------------------------------------------------------------------------- */

struct slice html_charset(struct slice html)
{
	static const char stops[] = "\"'>; /\r\n\t";
	struct slice head = slice_cut(html, 1024);

	for (size_t i = 0; i + 8 < head.length; i++) {
		struct slice value = slice_of(head.at + i + 8, 0);

		if (!slice_begins(slice_of(head.at + i, head.length - i), "charset="))
			continue;
		if (*value.at == '"' || *value.at == '\'')
			value.at++;
		while (value.at + value.length < head.at + head.length && strchr(stops, value.at[value.length]) == NULL)
			value.length++;
		return value;
	}
	return slice_of(NULL, 0);
}

void html_append_as_utf8(struct buffer *out, struct slice html)
{
	struct slice charset = html_charset(html);

	if (charset.length == 0 || slice_is(charset, "utf-8")) {
		buffer_append(out, html.at, html.length);
		return;
	}
	buffer_append(out, html.at, (size_t)(charset.at - html.at));
	buffer_append_string(out, "utf-8");
	charset.at += charset.length;
	buffer_append(out, charset.at, html.length - (size_t)(charset.at - html.at));
}
