/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The server half of HTTP/1.1 (RFC 9110, RFC 9112): streams come in, whole requests go up, answers go down.
 *
 * One request at a time on a connection; a pipelined one waits in the stream's input. A request that is held costs
 * struct stream, one small record here, and nothing else: its arena, header and body are freed when it is held.
 *
 * What is ambiguous is refused and the connection closed, for it is how requests are smuggled past a proxy:
 * Content-Length beside Transfer-Encoding, either twice, folded header lines, bare CR or LF, odd chunk sizes.
 *
 * A request that comes compressed is told 415: MS-ASHTTP has Content-Encoding in answers only, and what unpacks to a
 * thousand times its length is not worth the trouble.
 */
#ifndef BELFRY_LIB_HTTP_SERVER_H
#define BELFRY_LIB_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/core/stream.h"
#include "lib/http/response.h"
#include "lib/net/ip.h"

enum {
	HTTP_HEADER_MAX = 16 * 1024,       /* request line and header: phones with long cookies stay under 4 kB */
	HTTP_HEADERS_MAX = 64,             /* lines of it; Outlook and iOS send about 15 */
	HTTP_REQUEST_LINE_MAX = 8 * 1024,  /* RFC 9112 3 asks for 8000 at least */
	HTTP_HEADER_TIMEOUT_MS = 30000,    /* TLS handshake and whole header, however it dribbles: ten round trips of GPRS */
	HTTP_IDLE_TIMEOUT_MS = 120000,     /* between two requests: a phone syncs within seconds of its Ping's answer */
	HTTP_RATE_WINDOW_MS = 30000,       /* a body, either way, is looked at this often … */
	HTTP_RATE_MIN_BYTES = 8 * 1024,    /* … and must have moved so far (or be done): GPRS moves ten times as much */
	HTTP_ANSWER_MS = 60000,            /* an answer has so long … */
	HTTP_ANSWER_BYTES_S = 4 * 1024,    /* … and a second for each so many of its bytes: as slow as GPRS was; 4 MB take 18
	                                      minutes at most */
	HTTP_ANSWERS_MAX = 256 * 1024 * 1024, /* bytes of answers that phones have not taken yet; over it the oldest gives way,
	                                      or the newest is a 503 */
	HTTP_ANSWER_SMALL = 4 * 1024,      /* an answer so small leaves always: as many connections as there may be have 60 MB */
	HTTP_ANSWER_SAFE_MS = 30000,       /* an answer on its way for less does not give way */
	HTTP_LINGER_MS = 2000,             /* after a refusal, what the phone still sends is thrown away, lest a TCP reset
	                                      overtakes the answer */
	HTTP_IDLE_SAFE_MS = 30000,         /* a connection idle for less is not closed to make room for a newcomer: its phone
	                                      is between a Sync and a Ping */
	HTTP_NEW_SAFE_MS = 5000,           /* nor one that has not brought its first header for less: handshake and header take
	                                      five round trips, a second each on a bad day */
	HTTP_GUESTS_SHARE = 4,             /* once half of all places are taken, so many of them (a fourth, … */
	HTTP_GUESTS_MIN = 16,              /* … but so many) may go to guests of one network: a provider's phones behind one
	                                      address log in within a second */
	HTTP_BODIES_MAX = 256 * 1024 * 1024, /* of all requests under way; over it a request with a body is told 503 */
	HTTP_BODY_SMALL = 1024 * 1024,     /* a longer one may have no more than half of that together with all others: */
	HTTP_BODIES_LARGE_MAX = HTTP_BODIES_MAX / 2, /* mails, whoever sends them, do not crowd out what is small */
	HTTP_OVERFLOW_MAX = 256,           /* connections over the maximum that are told 503; more are closed unheard */
	HTTP_OVERFLOW_TIMEOUT_MS = 5000,   /* they get less time, so that the next can be told */
	HTTP_RETRY_AFTER_S = 30,           /* first and … */
	HTTP_RETRY_SPREAD_S = 60           /* … spread of Retry-After: a crowd that was refused does not come back as one */
};

struct http_server;
struct http_exchange;

struct http_header {
	const char *name, *value;
};

/* One request, from its header until it is answered or held. */
struct http_exchange {
	struct arena *arena;               /* lives as long as the exchange */
	const char *method;                /* "POST" */
	const char *path;                  /* as sent, without the query: "/Microsoft-Server-ActiveSync" */
	const char *query;                 /* as sent, after the "?"; "" without one */
	const struct http_header *headers;
	size_t header_count;
	size_t body_max;                   /* header() sets it; 0 at first: no body is welcome */
	bool discards_body;                /* header() sets it: body is thrown away as it comes, and stays empty */
	struct buffer body;                /* complete when request() is called; the callee may take its content away */
	void *route;                       /* header() may leave here what it found, for request() */

	/* Set by whoever got the request, both optional. gone: the phone is gone, nobody will read an answer: work may
	 * be cut short. The exchange stays valid: it must still be answered or abandoned, in this call or later. */
	void (*gone)(struct http_exchange *);
	void *owner;
	bool is_gone;
};

struct http_server_settings {
	struct loop *loop;
	unsigned connections_max;
	size_t answers_max;                /* 0: HTTP_ANSWERS_MAX */
	bool has_gzip;                     /* answers are compressed for those who take it: lib/http/gzip.h */
	const struct ip_network *trusted;  /* whose X-Forwarded-For is believed; outlives the server */
	size_t trusted_count;
	/* The header has come: set body_max, or answer at once (then request() is not called). */
	void (*header)(struct http_exchange *, void *data);
	/* The request is complete: answer, hold or abandon it, now or later, exactly once. */
	void (*request)(struct http_exchange *, void *data);
	void *data;
};

struct http_server *http_server_create(const struct http_server_settings *);
/* Closes every connection: gone() is called for what is held or unanswered. Exchanges still have to be finished. */
void http_server_free(struct http_server **);
/* Who comes at a listener: phones (and perhaps proxies that are trusted); proxies only; proxies that say first, by the
 * PROXY protocol, for whom they come. */
enum http_from { HTTP_FROM_PHONE, HTTP_FROM_PROXY, HTTP_FROM_PROXY_PROTOCOL };
/* Takes the stream over; it may still be shaking hands. */
void http_server_accept(struct http_server *, struct stream *, enum http_from);
/* The next one to come would be told 503. */
bool http_server_is_full(const struct http_server *);
/* From now on each answer is the last of its connection; idle connections are closed. */
void http_server_drain(struct http_server *);

struct http_server_counts {
	uint64_t accepted, requests, refused, overflowed; /* since the start; refused: broken or over a limit */
	uint64_t answers_refused, answers_cut;            /* for want of memory; cut: too slow, or to make room */
	unsigned connections, held, idle;                 /* now */
	size_t answers;                                   /* bytes that phones have not taken yet */
};
void http_server_counts(const struct http_server *, struct http_server_counts *counts_r);

/* The header's value; of several lines the first; NULL: absent. The name in any case. */
const char *http_exchange_header(const struct http_exchange *, const char *name);
/* The phone's address as stream_peer_address() writes it: the peer's, or, behind trusted proxies, what the PROXY header
 * said, and whom X-Forwarded-For names last that is not trusted itself. What else stands there anybody can write. */
void http_exchange_address(const struct http_exchange *, char *text, size_t size);

/* Somebody has proved who it is: the connection is no guest's any more. */
void http_exchange_welcome(struct http_exchange *);

/* Answers; the response is used up and the exchange freed. Content-Length, Date and Connection are added.
 * HEAD is answered without the body. */
void http_respond(struct http_exchange *, struct http_response *);
/* A short answer in words, text/plain. */
void http_respond_text(struct http_exchange *, unsigned status, const char *text);
/* No answer: closes the connection and frees the exchange. */
void http_abandon(struct http_exchange *);

/* --- held requests --------------------------------------------------------------------------------------------- */

struct http_held; /* freed by http_held_respond(), http_held_abandon(), and before gone() */

/* The same for all that one holder holds, so that it may find itself by container_of. */
struct http_held_events {
	/* The phone hung up; the record is no more. */
	void (*gone)(const struct http_held_events *, void *owner);
	/* The time of http_held_expire() is over: answer it. */
	void (*expired)(const struct http_held_events *, struct http_held *, void *owner);
};

/* Frees all of the exchange and keeps the phone waiting. NULL: it is gone already. */
struct http_held *http_hold(struct http_exchange *, const struct http_held_events *, void *owner);
/* One timer comes with each held request; a new time replaces the old. */
void http_held_expire(struct http_held *, int64_t delay_ms);
void *http_held_owner(const struct http_held *);
void http_held_respond(struct http_held *, struct http_response *);
void http_held_abandon(struct http_held *);

/* Bytes of ours for a held request, besides struct stream and TLS; its place among the loop's timers is counted. */
size_t http_held_size(void);

#endif
