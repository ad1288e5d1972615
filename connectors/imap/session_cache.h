/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Logged-in sessions that wait for their next request. The daemon's key says whose they are. */
#ifndef BELFRY_CONNECTORS_IMAP_SESSION_CACHE_H
#define BELFRY_CONNECTORS_IMAP_SESSION_CACHE_H

#include <stdint.h>

#include "connectors/imap/session.h"

enum {
	SESSION_CACHE_MAX = 50,   /* of one worker; an idle Dovecot session costs the server half a megabyte */
	SESSION_CACHE_TRUST_S = 2, /* one that has been idle for longer is asked whether it is still there */
	SESSION_CACHE_IDLE_S = 60 /* a phone that synchronises asks several times within seconds, then not for minutes */
};

struct session_cache;

struct session_cache *session_cache_create(void);
void session_cache_free(struct session_cache **);
/* NULL: there is none that works. It is the caller's until put back. */
struct session *session_cache_take(struct session_cache *, const uint8_t *key, size_t length);
/* Takes the session over; a broken one is closed, and the longest idle one when there are too many. */
void session_cache_put(struct session_cache *, const uint8_t *key, size_t length, struct session **);
void session_cache_forget(struct session_cache *, const uint8_t *key, size_t length);
/* Closes what has been idle for too long. */
void session_cache_tidy(struct session_cache *);

#endif
