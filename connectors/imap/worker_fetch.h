/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the two files of Fetch share: one item on its way from the server to its place in the answer. */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_FETCH_H
#define BELFRY_CONNECTORS_IMAP_WORKER_FETCH_H

#include "connectors/imap/worker_internal.h"
#include "connectors/mail/mail.h"

enum {
	/* Asked of each mail at first; smaller mails are then there as a whole. It spares the server and us a trip for
	 * sizes; larger mails cost this much of traffic too much. */
	FETCH_WHOLE_MAX = 256 * 1024,
	FETCH_IDS_MAX = 100000,          /* of one request; windows are some hundreds */
	FETCH_BATCH = 256,               /* mails a command: they are held until it is their turn */
	FETCH_PIECE = 1024 * 1024,       /* of a large mail that is wanted in MIME */
	FETCH_REOPEN_MAX = 8             /* sessions lost within one request before we say that the server is in trouble */
};

struct fetch_item {
	uint64_t id;
	struct arena *arena;             /* of what follows; NULL: not made yet */
	Belfry__Connector__Item *item;
	int fd;                          /* of the body; -1: none */
	bool is_ready;
	bool is_large;                   /* only its beginning is there: octets */
	struct slice octets;
	uint64_t size;                   /* RFC822.SIZE */
};

struct fetch {
	struct worker_call *call;
	const Belfry__Connector__Fetch *request;
	struct fetch_item *items;        /* as asked */
	size_t count, sent;
	size_t batch_first, batch_end;   /* what is being fetched */
	bool is_careful;                 /* one at a time, each announced */
	bool is_current;                 /* the mailbox's view is not older than the request */
	int reopened;
};

/* Asks for all that is needed of small mails, and for the beginning of others. */
void fetch_queue(struct session *, const char *set);
/* Initialises item->arena and item->item. */
void fetch_item_begin(struct fetch_item *);
/* The body is done: what is too long to be sent inline goes into a descriptor. */
void fetch_item_end(struct fetch_item *);
/* Fetches what is missing of a large mail. SESSION_LOST: the session broke; else the item is ready, whatever it is. */
enum session_answer fetch_large(struct fetch *, struct fetch_item *, struct error *error_r);

#endif
