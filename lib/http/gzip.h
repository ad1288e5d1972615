/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Answers as gzip (RFC 1952) for those who say that they take it: whole before they leave, so that their length is
 * known, but a slice at a time, so that nobody else of the front waits for it.
 *
 * An answer's length tells an onlooker how well it compressed, and somebody who can put text of his own beside a secret,
 * often, learns the secret from that (BREACH). Here he could send mails; but a mail goes to a device once, so he has one
 * look, and that is blurred: each answer is longer by a random number of bytes. The request's password and what of the
 * request an attacker might choose are in no answer.
 */
#ifndef BELFRY_LIB_HTTP_GZIP_H
#define BELFRY_LIB_HTTP_GZIP_H

#include <stdbool.h>

#include "lib/http/response.h"

enum {
	HTTP_GZIP_MIN = 1400,              /* bytes of an answer: what fits one packet arrives no earlier for being shorter */
	HTTP_GZIP_MAX = 4 * 1024 * 1024,   /* as much as one Sync tells; what is larger is an attachment */
	HTTP_GZIP_SLICE = 64 * 1024,       /* some 1 ms: so long waits who comes meanwhile */
	HTTP_GZIP_STEPS = 16,              /* answers being compressed at once have 4 MB besides themselves; others go as they are */
	HTTP_GZIP_PADDING_MAX = 255        /* bytes */
};

struct http_gzip;

/* Whether an Accept-Encoding (RFC 9110 12.5.3) has gzip; NULL: there is none. */
bool http_gzip_is_accepted(const char *accept_encoding);
/* By its length and status. */
bool http_gzip_is_worth(const struct http_response *);

/* Takes the response over, which is empty afterwards. */
struct http_gzip *http_gzip_create(struct http_response *);
/* Compresses a slice; whether there is more to do. */
bool http_gzip_step(struct http_gzip *);
/* Gives the response back: compressed, or as it was when it was hardly getting shorter. */
void http_gzip_finish(struct http_gzip **, struct http_response *response_r);
void http_gzip_free(struct http_gzip **);

#endif
