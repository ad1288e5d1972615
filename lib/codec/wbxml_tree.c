/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Documents as trees: the parser's events hung into an arena, and questions to what hangs there. */
#include "lib/codec/wbxml_tree.h"

#include <string.h>

#include "lib/core/arena.h"

/* An element that is being read. */
struct open_element {
	struct wbxml_node *node;
	const struct wbxml_node **next_child; /* where its next child is hung */
	char *joined;                         /* its text once there is more than one piece */
	size_t room;
};

struct builder {
	struct arena *arena;
	struct wbxml_tree *tree;
	unsigned nodes;
	unsigned depth;
	struct open_element open[WBXML_DEPTH_MAX + 1]; /* [0] holds the root */
};

static int add_element(struct builder *builder, const struct wbxml_parser *parser, struct error *error_r)
{
	struct open_element *parent = &builder->open[builder->depth];

	if (builder->nodes++ == WBXML_TREE_NODES_MAX)
		return error_set(error_r, "a request of more than %d elements", WBXML_TREE_NODES_MAX);
	struct wbxml_node *node = arena_alloc(builder->arena, sizeof *node);
	node->tag = parser->tag;
	node->known = parser->known;
	node->has_content = parser->has_content;
	if (!node->known && builder->tree->first_unknown == 0)
		builder->tree->first_unknown = node->tag;
	*parent->next_child = node;
	parent->next_child = &node->next;
	if (node->has_content)
		builder->open[++builder->depth] = (struct open_element){.node = node, .next_child = &node->first_child};
	return 0;
}

/* A further piece of a text: room doubles, so that a text in a million pieces costs no more than a few copies. */
static void join_text(struct builder *builder, struct open_element *element, const struct wbxml_parser *parser)
{
	struct wbxml_node *node = element->node;
	size_t length = node->length + parser->length;

	if (length + 1 > element->room) {
		element->room = 2 * (length + 1);
		char *joined = arena_alloc(builder->arena, element->room);
		if (node->length != 0)
			memcpy(joined, node->text, node->length);
		element->joined = joined;
		node->text = joined;
	}
	memcpy(element->joined + node->length, parser->text, parser->length);
	element->joined[length] = '\0';
	node->length = length;
}

static void add_text(struct builder *builder, const struct wbxml_parser *parser, bool is_opaque)
{
	struct open_element *element = &builder->open[builder->depth];
	struct wbxml_node *node = element->node;

	node->is_opaque |= is_opaque;
	/* What a character entity stands for is gone with the next event. */
	if (node->text != NULL || parser->text == parser->entity) {
		join_text(builder, element, parser);
	} else {
		node->text = parser->text;
		node->length = parser->length;
	}
}

int wbxml_tree_parse(struct wbxml_tree *tree_r, struct arena *arena, const struct wbxml_language *language,
		     const void *bytes, size_t length, struct error *error_r)
{
	struct wbxml_parser parser;
	struct builder builder = {.arena = arena, .tree = tree_r};
	enum wbxml_event event;

	*tree_r = (struct wbxml_tree){0};
	builder.open[0].next_child = &tree_r->root;
	if (wbxml_parser_open(&parser, language, bytes, length, error_r) < 0)
		return -1;
	while ((event = wbxml_parser_next(&parser, error_r)) > WBXML_DONE) {
		if (event == WBXML_START && add_element(&builder, &parser, error_r) < 0)
			return -1;
		if (event == WBXML_END)
			builder.depth--;
		if (event == WBXML_TEXT || event == WBXML_OPAQUE)
			add_text(&builder, &parser, event == WBXML_OPAQUE);
	}
	return event;
}

static const struct wbxml_node *find(const struct wbxml_node *node, uint16_t tag)
{
	while (node != NULL && node->tag != tag)
		node = node->next;
	return node;
}

const struct wbxml_node *wbxml_node_child(const struct wbxml_node *node, uint16_t tag)
{
	return node != NULL ? find(node->first_child, tag) : NULL;
}

const struct wbxml_node *wbxml_node_next(const struct wbxml_node *node)
{
	return node != NULL ? find(node->next, node->tag) : NULL;
}

unsigned wbxml_node_count(const struct wbxml_node *node, uint16_t tag)
{
	unsigned count = 0;

	for (node = wbxml_node_child(node, tag); node != NULL; node = wbxml_node_next(node))
		count++;
	return count;
}

bool wbxml_node_is_empty(const struct wbxml_node *node)
{
	return node == NULL || (node->first_child == NULL && node->length == 0);
}

const char *wbxml_node_bytes(const struct wbxml_node *node, uint16_t tag, size_t *length_r)
{
	const struct wbxml_node *child = wbxml_node_child(node, tag);

	*length_r = child != NULL ? child->length : 0;
	if (child == NULL)
		return NULL;
	return child->text != NULL ? child->text : "";
}

const char *wbxml_node_text(const struct wbxml_node *node, uint16_t tag)
{
	const struct wbxml_node *child = wbxml_node_child(node, tag);

	if (child == NULL || child->is_opaque)
		return NULL;
	return child->text != NULL ? child->text : "";
}

/* Whether there is a value to read, and where: GOOD until it turns out otherwise. */
static enum wbxml_value value_text(const struct wbxml_node *node, uint16_t tag, const char **text_r)
{
	const struct wbxml_node *child = wbxml_node_child(node, tag);

	if (child == NULL)
		return WBXML_VALUE_MISSING;
	if (child->first_child != NULL || child->is_opaque)
		return WBXML_VALUE_BAD;
	*text_r = child->text;
	return child->length != 0 ? WBXML_VALUE_GOOD : WBXML_VALUE_EMPTY;
}

enum wbxml_value wbxml_node_number(const struct wbxml_node *node, uint16_t tag, uint32_t *value_r)
{
	const char *text = NULL;
	uint64_t number = 0;
	enum wbxml_value value = value_text(node, tag, &text);

	if (value != WBXML_VALUE_GOOD)
		return value;
	for (; *text >= '0' && *text <= '9' && number <= UINT32_MAX; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	if (*text != '\0' || number > UINT32_MAX)
		return WBXML_VALUE_BAD;
	*value_r = (uint32_t)number;
	return WBXML_VALUE_GOOD;
}

enum wbxml_value wbxml_node_bool(const struct wbxml_node *node, uint16_t tag, bool *value_r)
{
	const char *text = NULL;
	enum wbxml_value value = value_text(node, tag, &text);

	if (value == WBXML_VALUE_EMPTY)
		*value_r = true;
	if (value != WBXML_VALUE_GOOD)
		return value;
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return WBXML_VALUE_BAD;
	*value_r = *text == '1';
	return WBXML_VALUE_GOOD;
}
