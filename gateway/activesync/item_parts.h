/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A multipart answer (MS-ASCMD 2.2.1.10.1.1): a table of offsets and lengths, the document, and what the document refers
 * to by Part elements.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_ITEM_PARTS_H
#define BELFRY_GATEWAY_ACTIVESYNC_ITEM_PARTS_H

#include "lib/codec/wbxml_writer.h"
#include "lib/http/response.h"

/* Zeroed memory is an empty one. */
struct item_parts {
	struct http_response content; /* of all parts but the document */
	struct buffer lengths;        /* of each of them, uint32_t */
};

/* Adds a part: a file from its offset 0, which is duplicated, or, when fd is -1, bytes; and writes its Part element.
 * Nothing is done about an empty one. */
void item_parts_write(struct item_parts *, struct wbxml_writer *, const void *bytes, size_t length, int fd);
/* Puts all together into the response; takes the document's content. */
void item_parts_wrap(struct item_parts *, struct buffer *document, struct http_response *);
void item_parts_release(struct item_parts *);

#endif
