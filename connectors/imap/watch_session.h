/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One IMAP session of the watch half: says where mailboxes stand (STATUS), and notices changes the best way that the
 * server has. When, for whom and what is told of it is watch.c's.
 *
 *   opening ─▶ ENABLE CONDSTORE ─▶ open ─▶ (watch) NOTIFY, or EXAMINE + IDLE, or nothing: the owner polls
 */
#ifndef BELFRY_CONNECTORS_IMAP_WATCH_SESSION_H
#define BELFRY_CONNECTORS_IMAP_WATCH_SESSION_H

#include "connectors/imap/backend.h"
#include "connectors/imap/position.h"

struct watch_session;

enum watch_how {
	WATCH_BY_POLL,   /* the server announces nothing (yet) */
	WATCH_BY_IDLE,   /* one mailbox by IDLE: watch_session_covers() */
	WATCH_BY_NOTIFY  /* all by NOTIFY (RFC 5465), one connection */
};

enum watch_answer { WATCH_THERE, WATCH_NOT_FOUND, WATCH_UNAVAILABLE };

struct watch_session_events {
	/* Logged in; watch_session_ask() may be called from now on. */
	void (*opened)(struct watch_session *, void *owner);
	/* The answer to one watch_session_ask(), in any order. The position is valid when WATCH_THERE. */
	void (*answered)(struct watch_session *, const char *collection, enum watch_answer, struct position, void *owner);
	/* The server announced a change there. */
	void (*noticed)(struct watch_session *, const char *collection, void *owner);
	/* What was asked for by watch_session_watch() holds: watch_session_how(). What changes from here on is noticed. */
	void (*watching)(struct watch_session *, void *owner);
	/* Over. The callee closes the session. */
	void (*failed)(struct watch_session *, enum imap_failure, const char *why, void *owner);
};

/* Waits for its turn at the backend first. The credentials stay valid until `opened` or `failed`. */
struct watch_session *watch_session_open(struct backend *, const struct imap_credentials *, const char *trace_user,
	const struct watch_session_events *, void *owner);
/* Logs out. */
void watch_session_close(struct watch_session **);

/* "": where the hierarchy stands. */
void watch_session_ask(struct watch_session *, const char *collection);
/* Notice changes of these from now on, instead of those named before. The names stay valid until the next call or the
 * end of the session. */
void watch_session_watch(struct watch_session *, char *const *collections, size_t count);
/* Nothing is to be noticed any more. */
void watch_session_unwatch(struct watch_session *);
enum watch_how watch_session_how(const struct watch_session *);
/* Are changes of this collection noticed without asking? The hierarchy counts as such: it is too dear to be polled for,
 * and what no hook and no NOTIFY tells of it the next Check will. */
bool watch_session_covers(const struct watch_session *, const char *collection);
bool watch_session_is_open(const struct watch_session *);

#endif
