/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From bytes to one request: for lib/http/server.c, tests and fuzzers. Nothing here knows a stream or the clock. */
#ifndef BELFRY_LIB_HTTP_REQUEST_H
#define BELFRY_LIB_HTTP_REQUEST_H

#include "lib/http/llhttp_strict.h"
#include "lib/http/server.h"

/* Why a request is refused. */
struct http_fault {
	unsigned status;    /* 400, 413, … */
	const char *why;    /* static text, told to the phone too */
};

/* How far a header has been looked at. Zeroed: not at all. */
struct http_scan {
	uint16_t at;        /* bytes seen */
	uint16_t line;      /* where the current line begins */
	uint16_t lines;     /* whole ones, the request line among them */
};

/* Looks for the end of the header in what has come so far, and for what no parser should be given (RFC 9112 2.2, 5.2:
 * bare CR or LF, folded lines, control characters; too long, too many). Call again with more, same start.
 * Returns the header's length with its empty line, 0: more is needed, -1: refused. */
int http_header_scan(const char *bytes, size_t length, struct http_scan *, struct http_fault *fault_r);

struct http_connection;

struct http_request {
	struct http_exchange exchange;
	struct http_connection *connection; /* NULL: the phone is gone */
	llhttp_t parser;
	size_t raw_bytes;        /* of the body with its chunk headers … */
	size_t body_bytes;       /* … and without, kept or not */
	size_t window_bytes;     /* raw_bytes when the rate was looked at last */
	size_t counted_bytes;    /* what the server's sum holds of us */
	bool keep_alive;
	bool wants_continue;     /* Expect: 100-continue */
	bool has_body;
	bool complete;
	bool answers_early;      /* header() is being called: what it says is kept in … */
	bool is_abandoned;
	struct http_response early;
	/* While the header is parsed. */
	struct http_header *headers;
	char *url;
	size_t url_length;
	bool header_complete;
};

/* A whole header as http_header_scan() found it. NULL: refused. */
struct http_request *http_request_create(const char *header, size_t length, unsigned lines, struct http_fault *fault_r);
void http_request_free(struct http_request **);
/* Bytes of the body; used_r: how many belong to this request. Sets complete. -1: refused. */
int http_request_body(struct http_request *, const char *bytes, size_t length, size_t *used_r,
	struct http_fault *fault_r);

#endif
