/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Documents as transcripts write them, XML without attributes: <Ping><Status>2</Status></Ping>. The namespace of an
 * element is its parent's when that has the name, else one that is given as airsyncbase:Body, else the first that has
 * it. As an expectation "..." stands for any text, or for any elements in that place.
 */
#ifndef BELFRY_TESTS_REPLAY_MARK_H
#define BELFRY_TESTS_REPLAY_MARK_H

#include "lib/codec/wbxml_tree.h"
#include "lib/codec/wbxml_writer.h"
#include "lib/core/arena.h"
#include "lib/core/error.h"

struct mark {
	struct mark *next, *first_child;
	const char *name; /* NULL: "..." between elements */
	const char *text; /* NULL: none */
};

/* -1 with error_r. */
int mark_parse(const char *text, struct arena *, struct mark **root_r, struct error *error_r);
/* Writes it as a whole WBXML document; -1: an element has a name that ActiveSync does not know. */
int mark_write(const struct mark *, struct buffer *, struct error *error_r);
/* -1: the document is another one, and where. */
int mark_compare(const struct mark *, const struct wbxml_node *, struct error *error_r);

/* The tag of a name, "Status" or "airsync:Status"; page: where it is looked for first. 0: there is none. */
uint16_t mark_tag(const char *name, uint8_t page);

#endif
