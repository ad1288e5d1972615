/* SPDX-License-Identifier: GPL-3.0-or-later */
/* XML of transcripts: read, written as WBXML, compared with an answer. */
#include "tests/replay/mark.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/codec/activesync_tokens.h"

enum { MARK_DEPTH_MAX = 32 };

/* --- reading --------------------------------------------------------------------------------------------------- */

struct reader {
	const char *at;
	struct arena *arena;
	struct error *error;
};

static void skip_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t\r\n");
}

static const char *take_name(struct reader *reader)
{
	size_t length = strcspn(reader->at, " \t\r\n/<>");
	const char *name = arena_strndup(reader->arena, reader->at, length);

	reader->at += length;
	return name;
}

static int expect(struct reader *reader, const char *text)
{
	size_t length = strlen(text);

	if (strncmp(reader->at, text, length) != 0)
		return error_set(reader->error, "\"%s\" is missing before \"%.30s\"", text, reader->at);
	reader->at += length;
	return 0;
}

/* Text up to the next tag, without blanks around it; &lt; &gt; &amp; are read. */
static const char *take_text(struct reader *reader)
{
	size_t length = strcspn(reader->at, "<");
	char *text = arena_strndup(reader->arena, reader->at, length), *to = text;

	reader->at += length;
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		text[--length] = '\0';
	for (const char *from = text; *from != '\0';) {
		static const char *const names[] = {"&lt;", "&gt;", "&amp;"};
		size_t i = 0;
		while (i < 3 && strncmp(from, names[i], strlen(names[i])) != 0)
			i++;
		*to++ = i < 3 ? "<>&"[i] : *from;
		from += i < 3 ? strlen(names[i]) : 1;
	}
	*to = '\0';
	return text;
}

static int take_element(struct reader *reader, unsigned depth, struct mark **mark_r);

static int take_children(struct reader *reader, unsigned depth, struct mark *mark)
{
	struct mark **end = &mark->first_child;

	for (;;) {
		skip_blanks(reader);
		if (strncmp(reader->at, "</", 2) == 0)
			return 0;
		if (*reader->at == '<') {
			if (take_element(reader, depth + 1, end) < 0)
				return -1;
		} else if (strncmp(reader->at, "...", 3) == 0 && reader->at[3] != '\0') {
			reader->at += 3;
			*end = arena_alloc(reader->arena, sizeof **end);
			(*end)->text = "...";
		} else if (*reader->at != '\0') {
			mark->text = take_text(reader);
			continue;
		} else
			return error_set(reader->error, "<%s> does not end", mark->name);
		end = &(*end)->next;
	}
}

static int take_element(struct reader *reader, unsigned depth, struct mark **mark_r)
{
	struct mark *mark = *mark_r = arena_alloc(reader->arena, sizeof *mark);

	if (depth > MARK_DEPTH_MAX)
		return error_set(reader->error, "the elements are too deep");
	if (expect(reader, "<") < 0)
		return -1;
	mark->name = take_name(reader);
	if (strncmp(reader->at, "/>", 2) == 0) {
		reader->at += 2;
		return 0;
	}
	if (expect(reader, ">") < 0 || take_children(reader, depth, mark) < 0 || expect(reader, "</") < 0)
		return -1;
	if (strcmp(take_name(reader), mark->name) != 0)
		return error_set(reader->error, "<%s> ends with another name", mark->name);
	return expect(reader, ">");
}

int mark_parse(const char *text, struct arena *arena, struct mark **root_r, struct error *error_r)
{
	struct reader reader = {.at = text, .arena = arena, .error = error_r};

	skip_blanks(&reader);
	if (take_element(&reader, 0, root_r) < 0)
		return -1;
	skip_blanks(&reader);
	return *reader.at == '\0' ? 0 : error_set(error_r, "something follows the root element: \"%.30s\"", reader.at);
}

/* --- writing --------------------------------------------------------------------------------------------------- */

static uint16_t tag_in_page(const char *name, size_t page)
{
	const struct wbxml_tag *tags = activesync_language.pages[page].tags;

	for (unsigned token = WBXML_TAG_FIRST; tags != NULL && token < WBXML_TAGS_A_PAGE; token++)
		if (tags[token].name != NULL && strcmp(tags[token].name, name) == 0)
			return (uint16_t)(page << 8 | token);
	return 0;
}

uint16_t mark_tag(const char *name, uint8_t page)
{
	const char *colon = strchr(name, ':');
	uint16_t tag = colon == NULL ? tag_in_page(name, page) : 0;

	for (size_t i = 0; tag == 0 && i < activesync_language.page_count; i++) {
		const char *xmlns = activesync_language.pages[i].xmlns;
		if (colon == NULL)
			tag = tag_in_page(name, i);
		else if (xmlns != NULL && strlen(xmlns) == (size_t)(colon - name) &&
			 strncasecmp(xmlns, name, (size_t)(colon - name)) == 0)
			tag = tag_in_page(colon + 1, i);
	}
	return tag;
}

static int write_mark(const struct mark *mark, struct wbxml_writer *writer, uint8_t page, struct error *error_r)
{
	uint16_t tag = mark->name == NULL ? 0 : mark_tag(mark->name, page);

	if (tag == 0)
		return error_set(error_r, "ActiveSync has no element <%s>", mark->name == NULL ? "..." : mark->name);
	if (mark->first_child == NULL) {
		wbxml_writer_text_element(writer, tag, mark->text);
		return 0;
	}
	wbxml_writer_start(writer, tag);
	for (const struct mark *child = mark->first_child; child != NULL; child = child->next)
		if (write_mark(child, writer, (uint8_t)(tag >> 8), error_r) < 0)
			return -1;
	wbxml_writer_end(writer);
	return 0;
}

int mark_write(const struct mark *mark, struct buffer *out, struct error *error_r)
{
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, out, &activesync_language);
	if (write_mark(mark, &writer, 0, error_r) < 0)
		return -1;
	wbxml_writer_finish(&writer);
	return 0;
}

/* --- comparing ------------------------------------------------------------------------------------------------- */

static bool is_any(const char *text)
{
	return text != NULL && strcmp(text, "...") == 0;
}

static const char *name_of(const struct wbxml_node *node)
{
	const char *name = node == NULL ? NULL : wbxml_tag_name(&activesync_language, node->tag);

	return node == NULL ? "nothing" : name == NULL ? "an unknown element" : name;
}

static bool same_name(const struct mark *mark, const struct wbxml_node *node)
{
	const char *colon = strchr(mark->name, ':');

	if (colon != NULL)
		return mark_tag(mark->name, 0) == node->tag;
	return strcmp(mark->name, name_of(node)) == 0;
}

/* Children in order; after "..." the first that fits goes on. */
static int compare_children(const struct mark *mark, const struct wbxml_node *node, struct error *error_r)
{
	const struct wbxml_node *child = node->first_child;
	bool skips = false;

	for (const struct mark *wanted = mark->first_child; wanted != NULL; wanted = wanted->next) {
		if (wanted->name == NULL) {
			skips = true;
			continue;
		}
		while (child != NULL && skips && mark_compare(wanted, child, error_r) < 0)
			child = child->next;
		if (child == NULL)
			return error_set(error_r, "<%s> has no such <%s>", mark->name, wanted->name);
		if (!skips && mark_compare(wanted, child, error_r) < 0)
			return -1;
		child = child->next;
		skips = false;
	}
	if (child != NULL && !skips)
		return error_set(error_r, "<%s> has a <%s> that is not expected", mark->name, name_of(child));
	return 0;
}

int mark_compare(const struct mark *mark, const struct wbxml_node *node, struct error *error_r)
{
	if (!same_name(mark, node))
		return error_set(error_r, "<%s> is expected, <%s> stands there", mark->name, name_of(node));
	if (is_any(mark->text))
		return 0;
	if (mark->first_child != NULL)
		return compare_children(mark, node, error_r);
	if (node->first_child != NULL)
		return error_set(error_r, "<%s> is expected to hold \"%s\", it holds <%s>", mark->name,
			mark->text == NULL ? "" : mark->text, name_of(node->first_child));
	const char *wanted = mark->text == NULL ? "" : mark->text;
	if (strlen(wanted) != node->length || (node->length != 0 && memcmp(wanted, node->text, node->length) != 0))
		return error_set(error_r, "<%s> is expected to hold \"%s\", it holds \"%.*s\"", mark->name, wanted,
			(int)(node->length > 80 ? 80 : node->length), node->text == NULL ? "" : node->text);
	return 0;
}
