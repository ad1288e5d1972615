/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A small WBXML document, a request, as a tree in an arena. Engines ask it by tag:
 *
 *	const struct wbxml_node *collection = wbxml_node_child(collections, AS_AIRSYNC_COLLECTION);
 *	uint32_t window = 100;
 *	if (wbxml_node_number(collection, AS_AIRSYNC_WINDOWSIZE, &window) == WBXML_VALUE_BAD)
 *		return refuse(…);
 *
 * Every function takes a NULL node and treats it as an element with nothing inside, so that a path can be walked
 * without a check a step. An element that is missing and one that is empty are different things (an empty Options or
 * Supported has a meaning of its own): a missing one is NULL, or WBXML_VALUE_MISSING.
 */
#ifndef BELFRY_LIB_CODEC_WBXML_TREE_H
#define BELFRY_LIB_CODEC_WBXML_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/codec/wbxml.h"

struct arena;

enum {
	/* Elements of a request. The largest seen are first uploads: 100 contacts of some 40 properties a Sync; a device
	 * that ignores every window and sends 1,000 still passes. One is 48 bytes. */
	WBXML_TREE_NODES_MAX = 50000,
};

struct wbxml_node {
	const struct wbxml_node *next, *first_child;
	/* The element's own text or data, pieces joined; NULL without any. Text ends with a NUL that is not counted,
	 * opaque data do not. It points into the input, or the arena. */
	const char *text;
	size_t length;
	uint16_t tag;
	bool known;       /* false: a tag that the language does not have; its content is there all the same */
	bool has_content; /* false: a tag without content on the wire */
	bool is_opaque;
};

struct wbxml_tree {
	const struct wbxml_node *root;
	uint16_t first_unknown; /* the first tag that the language does not have; 0: it has them all */
};

/* The bytes and the arena must outlive the tree. 0, or -1 with a message. */
int wbxml_tree_parse(struct wbxml_tree *tree_r, struct arena *, const struct wbxml_language *, const void *bytes,
		     size_t length, struct error *error_r);

/* The first child with that tag, and the next sibling with the same tag as the node; NULL when there is none. */
const struct wbxml_node *wbxml_node_child(const struct wbxml_node *, uint16_t tag);
const struct wbxml_node *wbxml_node_next(const struct wbxml_node *);
unsigned wbxml_node_count(const struct wbxml_node *, uint16_t tag);

/* Nothing inside: neither elements nor text, whether it was sent with content or without. */
bool wbxml_node_is_empty(const struct wbxml_node *);

/* The child's text as a string: "" when it is empty; NULL when it is missing, or when it holds opaque data. */
const char *wbxml_node_text(const struct wbxml_node *, uint16_t tag);
/* The child's text or data: some clients send as opaque what others send as text. "" and NULL as above. */
const char *wbxml_node_bytes(const struct wbxml_node *, uint16_t tag, size_t *length_r);

enum wbxml_value {
	WBXML_VALUE_MISSING, /* *value_r is left as it was: put the default there before */
	WBXML_VALUE_EMPTY,   /* the element is there and says nothing: left as it was, but for a boolean */
	WBXML_VALUE_GOOD,
	WBXML_VALUE_BAD,     /* something else than the type allows: left as it was */
};

/* An unsigned decimal number of 32 bits (MS-ASDTYPE 2.6). */
enum wbxml_value wbxml_node_number(const struct wbxml_node *, uint16_t tag, uint32_t *value_r);
/* "0" or "1" (MS-ASDTYPE 2.1). An empty boolean says true, as GetChanges and DeletesAsMoves are sent: it is set. */
enum wbxml_value wbxml_node_bool(const struct wbxml_node *, uint16_t tag, bool *value_r);

#endif
