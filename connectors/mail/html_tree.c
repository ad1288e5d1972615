/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gumbo builds the tree in memory of ours, which is counted and dropped at once. */
#include "connectors/mail/html_tree.h"

#include <setjmp.h>

#include "connectors/mail/html.h"
#include "lib/core/arena.h"

/* --- the parser's memory --------------------------------------------------------------------------------------- */

struct memory {
	struct arena *arena;
	jmp_buf full;
};

static void *parser_alloc(void *data, size_t size)
{
	struct memory *memory = data;

	if (arena_used(memory->arena) + size > HTML_MEMORY_MAX)
		longjmp(memory->full, 1);
	return arena_alloc(memory->arena, size);
}

static void parser_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

/* --- what is too much ------------------------------------------------------------------------------------------ */

/* Elements that have no end or whose end may be left out: they do not add to the depth. */
static bool is_flat(struct slice name)
{
	static const char *const flat[] = {"br", "img", "hr", "input", "meta", "link", "col", "area", "base", "wbr", "p",
		"li", "td", "th", "tr", "dt", "dd", "option", "tbody", "thead", "body", "html", "head", "o:p"};

	for (size_t i = 0; i < sizeof flat / sizeof *flat; i++)
		if (slice_is(name, flat[i]))
			return true;
	return false;
}

/* Elements open at the same time, at the most, counted roughly and without a parser. */
static bool is_too_deep(struct slice html)
{
	const char *at = html.at, *end = html.at + html.length;
	int depth = 0;

	while (at < end && (at = memchr(at, '<', (size_t)(end - at))) != NULL && ++at < end) {
		bool closes = *at == '/';
		const char *name = closes ? at + 1 : at;

		for (at = name; at < end && (((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z') || *at == ':'); at++)
			;
		if (at == name || is_flat(slice_of(name, (size_t)(at - name))))
			continue;
		depth += closes ? (depth > 0 ? -1 : 0) : 1;
		if (depth > HTML_DEPTH_MAX)
			return true;
	}
	return false;
}

/* --- the tree -------------------------------------------------------------------------------------------------- */

bool html_tree(struct slice html, html_tree_use *use, void *data)
{
	struct memory memory = {.arena = NULL};
	GumboOptions options = kGumboDefaultOptions;
	volatile bool is_done = false;

	if (html.length > HTML_BYTES_MAX || is_too_deep(html))
		return false;
	memory.arena = arena_create(64 * 1024);
	options.allocator = parser_alloc;
	options.deallocator = parser_free;
	options.userdata = &memory;
	options.max_errors = 0;
	if (setjmp(memory.full) == 0) {
		GumboOutput *tree = gumbo_parse_with_options(&options, html.at, html.length);
		use(tree->document, data);
		is_done = true;
	}
	arena_free(&memory.arena);
	return is_done;
}

const char *html_attribute(const GumboNode *node, const char *name)
{
	const GumboAttribute *found = gumbo_get_attribute(&node->v.element.attributes, name);

	return found != NULL ? found->value : "";
}

bool html_is_invisible(GumboTag tag)
{
	switch (tag) {
	case GUMBO_TAG_HEAD: case GUMBO_TAG_SCRIPT: case GUMBO_TAG_STYLE: case GUMBO_TAG_TITLE: case GUMBO_TAG_TEMPLATE:
	case GUMBO_TAG_NOSCRIPT: case GUMBO_TAG_IFRAME: case GUMBO_TAG_OBJECT: case GUMBO_TAG_SELECT:
	case GUMBO_TAG_TEXTAREA: case GUMBO_TAG_SVG: case GUMBO_TAG_MATH:
		return true;
	default:
		return false;
	}
}
