/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gumbo builds the tree in memory of ours, which is counted and dropped at once. */
#include "connectors/mail/html_tree.h"

#include <setjmp.h>
#include <stdint.h>
#include <time.h>

#include "connectors/mail/html.h"
#include "connectors/mail/html_bounds.h"
#include "lib/core/arena.h"

/* --- the parser's memory and time ------------------------------------------------------------------------------ */

enum { CALLS_A_LOOK = 256 }; /* at the clock */

struct memory {
	struct arena *arena;
	unsigned calls;
	int64_t until_ms;
	jmp_buf full;
};

static int64_t cpu_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Whatever the parser does it does in pieces of memory. */
static void *parser_alloc(void *data, size_t size)
{
	struct memory *memory = data;
	bool is_late = memory->calls++ % CALLS_A_LOOK == 0 && cpu_ms() > memory->until_ms;

	if (is_late || arena_used(memory->arena) + size > HTML_MEMORY_MAX)
		longjmp(memory->full, 1);
	return arena_alloc(memory->arena, size);
}

static void parser_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

/* --- the tree -------------------------------------------------------------------------------------------------- */

bool html_tree(struct slice html, html_tree_use *use, void *data)
{
	struct memory memory = {.until_ms = cpu_ms() + HTML_CPU_MS};
	GumboOptions options = kGumboDefaultOptions;
	volatile bool is_done = false;

	if (html.length > HTML_BYTES_MAX || !html_is_bounded(html))
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
