/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection of the server: shared by server.c (reading) and answer.c (answering, holding).
 *
 *            header               body                 request()
 *   HEADER ─────────▶ BODY ─────────────────▶ BUSY ─────────────────┬─ http_respond ─▶ ANSWER ─drained─▶ HEADER
 *     │                 │                       └─ http_hold ─▶ HELD ┘                    │
 *     └──── refused ────┴──────────────────────────────────────────────▶ ANSWER ─drained─▶ LINGER ─▶ closed
 */
#ifndef BELFRY_LIB_HTTP_CONNECTION_H
#define BELFRY_LIB_HTTP_CONNECTION_H

#include "lib/http/request.h"
#include "lib/http/server.h"

enum http_state {
	HTTP_STATE_HEADER, HTTP_STATE_BODY, HTTP_STATE_BUSY, HTTP_STATE_HELD, HTTP_STATE_ANSWER, HTTP_STATE_LINGER
};

struct http_guest;
struct http_gzip;
struct http_network;
struct http_proxied;

struct http_held {
	void *owner;
};

/* An answer on its way. */
struct http_answer {
	struct http_answer *next, **link;  /* in server->answers */
	struct http_connection *connection;
	struct http_gzip *gzip;            /* as long as it is being compressed; NULL: it is leaving */
	struct http_piece *pieces;
	size_t left_before;                /* when the rate was looked at last */
	size_t counted_bytes;              /* what the server's sum holds of it */
	int64_t began_ms, until_ms;        /* of the loop's clock; cut off then */
};

struct http_list {
	struct http_connection *first, **last;
};
/* Each connection is in one: LIST_NEW until its first header is whole, LIST_IDLE between two requests. */
enum http_list_number { HTTP_LIST_NEW, HTTP_LIST_IDLE, HTTP_LIST_REST, HTTP_LISTS };

enum { HTTP_HOLDERS_MAX = 16 }; /* kinds of held_events: an engine has one */

/* Small: a held request keeps one of these. */
struct http_connection {
	struct http_server *server;
	struct stream *stream;
	struct http_connection *next, **link;  /* in server->lists[list] */
	struct timer timer;                    /* its meaning is the state's */
	uint8_t state;
	uint8_t holder;                        /* HELD: in server->holders */
	uint8_t list;                          /* enum http_list_number */
	bool keep_alive : 1;
	bool is_head : 1;        /* the answer has no body */
	bool has_input : 1;      /* stream_input() may hold bytes (asking it would allocate) */
	bool is_cut : 1;         /* refused in the middle: bytes of the request may still come */
	bool ended : 1;          /* the phone has closed its half */
	bool is_overflow : 1;    /* over the maximum: is told 503 */
	bool awaits_proxy_header : 1;
	bool is_proxied : 1;     /* its PROXY header named the phone */
	bool header_begun : 1;
	bool is_guest : 1;
	bool accepts_gzip : 1;   /* the request said so, and we have it */
	union {
		struct http_scan scan;                                          /* HEADER */
		struct http_request *request;                                   /* BODY, BUSY */
		struct http_held held;                                          /* HELD */
		struct http_answer *answer;                                     /* ANSWER */
	};
};

struct http_server {
	struct http_server_settings settings;
	struct http_server_counts counts;
	struct http_list lists[HTTP_LISTS]; /* who is there for the longest first */
	struct http_guest *guests;
	struct http_network *networks;   /* that guests come from */
	struct http_proxied *proxied;    /* connections whose phone a proxy named */
	struct http_answer *answers, **last_answer; /* the oldest first */
	int64_t complained_ms;           /* of answers that there is no room for */
	const struct http_held_events *holders[HTTP_HOLDERS_MAX]; /* those seen so far */
	unsigned overflow;               /* of counts.connections, those over the maximum */
	size_t bodies;                   /* bytes, of requests under way */
	unsigned gzips;                  /* answers that are being compressed */
	bool is_draining;
	int64_t date_s;                  /* the second that date is for */
	char date[32];
};

/* Sends and goes to ANSWER. The response is used up. May free the connection. */
void http_connection_answer(struct http_connection *, struct http_response *);
/* Something has left: goes on, or on to the next request. May free the connection. */
void http_connection_drained(struct http_connection *);
/* The answer has left and the connection goes on: the next request. May free the connection. */
void http_connection_next(struct http_connection *);
/* Says that the phone is gone to whoever waits, and frees the connection. */
void http_connection_close(struct http_connection *);
void http_connection_refuse(struct http_connection *, const struct http_fault *);
/* Starts the timer that the connection's state needs. */
void http_connection_time(struct http_connection *, int64_t delay_ms);
/* The answer's window is over: whether it goes on. */
bool http_answer_goes_on(struct http_connection *);
/* The next slice of an answer's gzip, or its sending. May free the connection. */
void http_answer_compress(struct http_connection *);
void http_answer_free(struct http_server *, struct http_answer **);
/* The header line that says when to come again. */
void http_response_retry_after(struct http_server *, struct http_response *);
/* guest.c. Whether this address' network has as many guests here as it may; one more, one less. */
bool http_guests_are_enough(const struct http_server *, const char *address);
void http_guest_comes(struct http_connection *);
void http_guest_goes(struct http_connection *);
/* forwarded.c. Takes what the proxy says first: 1: it has, 0: more is needed, -1: it says something else. */
int http_proxy_header_take(struct http_connection *);
void http_proxied_forget(struct http_connection *);
/* Of the phone, or of the last proxy before it that does not speak the PROXY protocol. */
void http_connection_address(const struct http_connection *, char *text, size_t size);
bool http_is_trusted_address(const struct http_server *, const char *address);
void http_request_discard(struct http_server *, struct http_request **);

#endif
