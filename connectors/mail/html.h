/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTML to readable plain text, and plain text to small HTML. Both take and give UTF-8; line ends are CRLF. */
#ifndef BELFRY_CONNECTORS_MAIL_HTML_H
#define BELFRY_CONNECTORS_MAIL_HTML_H

#include "connectors/mail/slice.h"
#include "lib/core/buffer.h"

enum {
	HTML_BYTES_MAX = 1024 * 1024,       /* what is converted of one body; the rest is left out */
	HTML_MEMORY_MAX = 64 * 1024 * 1024, /* of the parser's tree: unclosed formatting can square its size */
	HTML_CPU_MS = 3000                  /* of the processor: a megabyte of what people write takes a thirtieth of it */
};

/* Links keep their address, lists their bullets, quotes their '>'. Over a limit the tags are just dropped. */
void html_to_text(struct buffer *out, struct slice html);
/* Escaped, line ends as <br>, runs of spaces kept. */
void html_from_text(struct buffer *out, struct slice text);
/* Appends the document with what its <meta> says of the character set corrected to utf-8, which it now is. */
void html_append_as_utf8(struct buffer *out, struct slice html);
/* The character set that a document names in its first kilobyte; length 0: none. */
struct slice html_charset(struct slice html);

#endif
