/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The worker processes and the requests for them. A request goes to the worker of its user, so that the session there
 * is used again; when that one is busy, to any that is not; when all are, it waits. A worker has one request at a
 * time; one that dies or hangs costs that request only, is replaced, and the item it died on is not touched again.
 * timeout_s is counted from when a request came, so that none is started or goes on that its client has given up.
 * Of a collection one Apply runs at a time, in the order they came; what only reads goes on beside it. Searches, which may
 * read whole mailboxes, and what asks other servers leave half of the workers to others; a user has one search at a time.
 *
 *   slot: empty ─▶ idle ◀─▶ busy          (empty: none started, ended for want of work, or died)
 */
#ifndef BELFRY_CONNECTORS_IMAP_POOL_H
#define BELFRY_CONNECTORS_IMAP_POOL_H

#include "connectors/imap/account.h"
#include "connectors/imap/process.h"
#include "connectors/imap/settings.h"
#include "connectors/service.h"

enum {
	POOL_WAITING_MAX = 1000,        /* requests that no worker has taken yet; over it UNAVAILABLE */
	POOL_USER_WAITING_MAX = 64,     /* of them of one user; over it LIMIT */
	POOL_USER_RUNNING_MAX = 2,      /* of one user at a time: one user does not take all workers */
	POOL_GRACE_MS = 2000            /* a worker gives up, or logs out and ends, by itself; after this it is killed */
};

struct pool;

struct pool_events {
	/* The backend refused the account's login in a worker. */
	void (*refused)(struct account *, void *owner);
};

struct pool *pool_create(struct loop *, const struct imap_settings *, const struct process_ways *,
	const struct pool_events *, void *owner);
void pool_free(struct pool **);

/* Answers, now or later. The body is one of list, survey, fetch, fetch_part, apply, alter, search, send, get_oof,
 * set_oof. fd: that came with it, -1
 * none; it is taken over. */
void pool_ask(struct pool *, struct service_client *, const Belfry__Connector__Request *, int fd, struct account *);
/* The client is gone, or has taken all that was sent. */
void pool_forget_client(struct pool *, const struct service_client *);
void pool_client_drained(struct pool *, const struct service_client *);
/* The account is void: its requests are answered LOGIN_NEEDED, its sessions closed. */
void pool_forget_account(struct pool *, const struct account *);
/* For all workers; those that are started later learn what is traced here. */
void pool_trace(struct pool *, const Belfry__Role__Trace *);

#endif
