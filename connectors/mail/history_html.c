/* SPDX-License-Identifier: GPL-3.0-or-later */
/* History in HTML: the tree says where it is, and the octets of the document are left out there. */
#include "connectors/mail/history.h"

#include "connectors/mail/html_tree.h"
#include "lib/model/ranges.h"

struct scan {
	struct slice html;
	struct ranges history;     /* places of octets, from 1 */
	struct ranges last;        /* the last quotation, with who wrote it */
	int blocks;
	const GumboNode *said;     /* the last text or element before it that says who wrote it; NULL: none */
	const GumboNode *written;  /* the last text */
	bool ends_with_text, is_over;
};

/* --- places in the document ------------------------------------------------------------------------------------ */

/* Where in the document this is; its end for what the parser has made up. */
static size_t offset_of(const struct scan *scan, const char *at)
{
	return at >= scan->html.at && at <= scan->html.at + scan->html.length ? (size_t)(at - scan->html.at)
		: scan->html.length;
}

static bool is_text(const GumboNode *node)
{
	return node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE || node->type == GUMBO_NODE_CDATA;
}

static size_t begin_of(const struct scan *scan, const GumboNode *node)
{
	return offset_of(scan, is_text(node) ? node->v.text.original_text.data : node->v.element.original_tag.data);
}

/* Where its content ends: at its end tag, or where the parser saw that there will be none. */
static size_t content_end_of(const struct scan *scan, const GumboNode *node)
{
	const GumboElement *element = &node->v.element;
	size_t end = element->original_end_tag.length > 0 ? offset_of(scan, element->original_end_tag.data)
		: element->end_pos.offset;
	size_t begin = begin_of(scan, node) + element->original_tag.length;

	return end > scan->html.length ? scan->html.length : end < begin ? begin : end;
}

static size_t end_of(const struct scan *scan, const GumboNode *node)
{
	size_t end;

	if (is_text(node))
		end = begin_of(scan, node) + node->v.text.original_text.length;
	else
		end = content_end_of(scan, node) + node->v.element.original_end_tag.length;
	return end < scan->html.length ? end : scan->html.length;
}

static void add(struct ranges *ranges, size_t begin, size_t end)
{
	if (begin < end)
		ranges_add(ranges, begin + 1, end);
}

/* All from here on, but the end tags of what is open. */
static void drop_from(struct scan *scan, const GumboNode *node)
{
	size_t begin = begin_of(scan, node);

	for (const GumboNode *up = node->parent; up != NULL && up->type == GUMBO_NODE_ELEMENT; up = up->parent) {
		if (up->v.element.tag == GUMBO_TAG_HTML)
			break;
		add(&scan->history, begin, content_end_of(scan, up));
		begin = end_of(scan, up);
	}
	scan->is_over = true;
}

/* --- what elements mean ---------------------------------------------------------------------------------------- */

static bool has(const char *text, const char *word)
{
	return strcasestr(text, word) != NULL;
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcasecmp(name, *names) == 0)
			return true;
	return false;
}

/* Below it stands a whole mail: Outlook, its web and Mac and phone forms, Hotmail, Yahoo, Proton. */
static bool begins_whole_mail(const GumboNode *node)
{
	static const char *const ids[] = {"divRplyFwdMsg", "appendonsend", "OLK_SRC_BODY_SECTION", "stopSpelling",
		"mail-editor-reference-message-container", "ms-outlook-mobile-reference-message", NULL};
	static const char *const classes[] = {"OutlookMessageHeader", "yahoo_quoted", "protonmail_quote", NULL};
	const char *style = html_attribute(node, "style");

	if (is_one_of(html_attribute(node, "id"), ids) || is_one_of(html_attribute(node, "class"), classes))
		return true;
	/* Outlook for Windows: a rule of its own colours over the fields */
	return node->v.element.tag == GUMBO_TAG_DIV && has(style, "border:none;") &&
		(has(style, "border-top:solid #b5c4df") || has(style, "border-top:solid #e1e1e1"));
}

/* Not one that the author has only indented. */
static bool is_quotation(const GumboNode *node)
{
	return node->v.element.tag == GUMBO_TAG_BLOCKQUOTE && (has(html_attribute(node, "type"), "cite") ||
		has(html_attribute(node, "class"), "quote") || html_attribute(node, "cite")[0] != '\0' ||
		has(html_attribute(node, "style"), "border-left"));
}

/* Who wrote what is quoted, in Gmail and Thunderbird. */
static bool is_marked_attribution(const GumboNode *node)
{
	return has(html_attribute(node, "class"), "gmail_attr") || has(html_attribute(node, "class"), "moz-cite-prefix");
}

static bool is_inline(const GumboNode *node)
{
	if (is_text(node))
		return true;
	if (node->type != GUMBO_NODE_ELEMENT)
		return false;
	switch (node->v.element.tag) {
	case GUMBO_TAG_A: case GUMBO_TAG_SPAN: case GUMBO_TAG_B: case GUMBO_TAG_I: case GUMBO_TAG_FONT: case GUMBO_TAG_EM:
	case GUMBO_TAG_STRONG: case GUMBO_TAG_U:
		return true;
	default:
		return false;
	}
}

/* --- who wrote it ---------------------------------------------------------------------------------------------- */

/* The line that ends with the last text, when it ends with a colon: all of it that stands beside each other. */
static void add_said(struct scan *scan)
{
	const GumboNode *last = scan->written, *first;

	if (last == NULL || !history_is_attribution(slice_string(last->v.text.text)))
		return;
	while (last->parent != NULL && is_inline(last->parent))
		last = last->parent;
	first = last;
	for (const GumboVector *row = &last->parent->v.element.children; first->index_within_parent > 0;) {
		const GumboNode *before = row->data[first->index_within_parent - 1];
		if (!is_inline(before))
			break;
		first = before;
	}
	size_t begin = begin_of(scan, first), end = end_of(scan, last);
	if (end > begin && history_is_attribution(slice_of(scan->html.at + begin, end - begin)))
		add(&scan->last, begin, end);
}

static void take_quotation(struct scan *scan, const GumboNode *node)
{
	ranges_release(&scan->last);
	add(&scan->last, begin_of(scan, node), end_of(scan, node));
	if (scan->said != NULL)
		add(&scan->last, begin_of(scan, scan->said), end_of(scan, scan->said));
	else
		add_said(scan);
	scan->blocks++;
	scan->ends_with_text = false;
	scan->said = scan->written = NULL;
}

static void take_text(struct scan *scan, const GumboNode *node)
{
	if (slice_trim(slice_string(node->v.text.text)).length == 0)
		return;
	if (history_is_separator(slice_string(node->v.text.text))) {
		drop_from(scan, node);
		return;
	}
	scan->written = node;
	scan->said = NULL;
	scan->ends_with_text = true;
}

/* --- the tree -------------------------------------------------------------------------------------------------- */

/* True: its children are to be looked at. */
static bool enter(struct scan *scan, const GumboNode *node)
{
	if (is_text(node))
		take_text(scan, node);
	if (node->type == GUMBO_NODE_DOCUMENT)
		return true;
	if (node->type != GUMBO_NODE_ELEMENT || html_is_invisible(node->v.element.tag))
		return false;
	if (begins_whole_mail(node))
		drop_from(scan, node);
	else if (is_quotation(node))
		take_quotation(scan, node);
	else if (is_marked_attribution(node))
		scan->said = node;
	else {
		scan->ends_with_text |= node->v.element.tag == GUMBO_TAG_IMG;
		return true;
	}
	return false;
}

static const GumboVector *children_of(const GumboNode *node)
{
	return node->type == GUMBO_NODE_DOCUMENT ? &node->v.document.children : &node->v.element.children;
}

/* In the order of the document, in a loop. */
static void scan_tree(const GumboNode *root, void *data)
{
	struct scan *scan = data;
	const GumboNode *node = root;

	while (node != NULL) {
		const GumboNode *next = enter(scan, node) && children_of(node)->length > 0 ? children_of(node)->data[0] : NULL;

		if (scan->is_over)
			return;
		while (next == NULL && node != root) {
			const GumboVector *row = children_of(node->parent);
			if (node->index_within_parent + 1 < row->length)
				next = row->data[node->index_within_parent + 1];
			else
				node = node->parent;
		}
		node = next;
	}
}

static void append_rest(struct buffer *out, const struct scan *scan)
{
	size_t at = 0;

	for (size_t i = 0; i < scan->history.count; i++) {
		buffer_append(out, scan->html.at + at, (size_t)scan->history.list[i].first - 1 - at);
		at = (size_t)scan->history.list[i].last;
	}
	buffer_append(out, scan->html.at + at, scan->html.length - at);
}

void history_drop_from_html(struct buffer *out, struct slice html)
{
	struct scan scan = {.html = html, .history = RANGES_EMPTY, .last = RANGES_EMPTY};

	if (html.length == 0)
		return;
	html_tree(html, scan_tree, &scan);
	if (scan.blocks > 0 && (scan.blocks == 1 || !scan.ends_with_text))
		for (size_t i = 0; i < scan.last.count; i++)
			ranges_add(&scan.history, scan.last.list[i].first, scan.last.list[i].last);
	append_rest(out, &scan);
	ranges_release(&scan.history);
	ranges_release(&scan.last);
}
