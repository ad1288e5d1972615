/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An answer being put together: status, header lines, and a body in pieces. A piece is heap memory or a part of a
 * file (a memfd); files are read as the phone takes the bytes, so that a slow phone costs no heap.
 * Zeroed memory (HTTP_RESPONSE(status)) is an empty one.
 */
#ifndef BELFRY_LIB_HTTP_RESPONSE_H
#define BELFRY_LIB_HTTP_RESPONSE_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/core/buffer.h"

struct http_piece {
	struct http_piece *next;
	struct buffer bytes;    /* used when fd is -1 */
	int fd;                 /* closed when the piece has left */
	off_t offset;
	size_t length;          /* of the file's part, still to go */
};

struct http_response {
	unsigned status;
	struct buffer header;   /* whole lines */
	struct http_piece *first, *last;
	size_t length;          /* of the body */
};

#define HTTP_RESPONSE(status_code) ((struct http_response){.status = (status_code)})

/* Adds a line. What would break out of it (CR, LF, NUL) becomes "?". */
void http_response_header(struct http_response *, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds to the body; takes the buffer's content, which is empty afterwards. */
void http_response_bytes(struct http_response *, struct buffer *);
void http_response_string(struct http_response *, const char *text);
/* Adds a part of a regular file or memfd to the body; the response owns the descriptor from here on. */
void http_response_file(struct http_response *, int fd, off_t offset, size_t length);
/* Adds another's body, which is empty afterwards. */
void http_response_append(struct http_response *, struct http_response *from);
/* For a response that is not sent after all. */
void http_response_release(struct http_response *);

const char *http_status_text(unsigned status);

#endif
