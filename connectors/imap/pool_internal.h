/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pool from within:
 *
 *	pool.c          clients and accounts come and go; the pool itself
 *	pool_request.c  a request, from its arrival to its answer
 *	pool_turn.c     which request is next, and for which worker
 *	pool_slot.c     a worker: its start, what it answers, its end
 */
#ifndef BELFRY_CONNECTORS_IMAP_POOL_INTERNAL_H
#define BELFRY_CONNECTORS_IMAP_POOL_INTERNAL_H

#include "connectors/imap/doubts.h"
#include "connectors/imap/pool.h"
#include "connectors/imap/quarantine.h"
#include "connectors/imap/sends.h"
#include "connectors/imap/undertaker.h"
#include "connectors/imap/unsettled.h"
#include "lib/ipc/link.h"

#define STATUS(name) BELFRY__CONNECTOR__STATUS__##name

struct request {
	struct request *next;
	struct service_client *client;    /* NULL: gone */
	struct account *account;
	uint64_t id, validity;
	int64_t until_ms;                 /* then it is over, whether it waits or runs: its client gives up soon after */
	Belfry__Connector__Request__BodyCase kind;
	char *collection;                 /* "" where there is none */
	char *message_id;                 /* of a Send; NULL: none */
	int fd;                           /* for the worker; -1: none, or the worker has it */
	char *target;                     /* of an Apply that moves: where to; "": the trash, or it does not */
	uint8_t *packed;                  /* the Request, without the handle */
	size_t length;
	struct timer deadline;
	struct pool *pool;
	struct slot *slot;                /* NULL: waits */
	bool is_careful;                  /* it was given to the worker so */
};

struct slot {
	struct pool *pool;
	struct process process;
	struct link *link;                /* NULL: empty */
	struct request *request;          /* NULL: idle */
	struct timer timer;               /* idle: to end; empty: until it may be started again */
	unsigned backoff_ms;
	bool has_served, is_paused;
};

struct pool {
	struct loop *loop;
	const struct imap_settings *settings;
	const struct process_ways *ways;
	const struct pool_events *events;
	void *owner;
	struct quarantine *quarantine;
	struct unsettled *unsettled;
	struct doubts *doubts;
	struct sends *sends;
	struct slot *slots;
	struct request *first, **last;
	unsigned waiting;
	uint64_t last_id;
	struct undertaker *undertaker;
	struct deferred hand_out;
};

/* --- pool_request.c -------------------------------------------------------------------------------------------- */

void pool_request_free(struct request *);
/* The only answer; and frees it. */
void pool_request_answer(struct request *, Belfry__Connector__Status, const char *reason);
/* Out of the queue: it runs, or is over. */
void pool_take_out(struct pool *, struct request *);
int64_t pool_request_left_ms(const struct request *);
/* Its time counts from now on: for a request that comes in, and with each item of an answer; or goes on counting. */
void pool_request_restart(struct request *);
void pool_request_watch(struct request *);

/* --- pool_turn.c ----------------------------------------------------------------------------------------------- */

void pool_hand_out_soon(struct pool *);

/* --- pool_slot.c ----------------------------------------------------------------------------------------------- */

/* -1: it could not be started, and is not to be for a while. */
int pool_slot_start(struct slot *);
/* The one way out of a worker; its request, if any, is the caller's from then on. */
void pool_slot_end(struct slot *, enum death_cause, int64_t grace_ms);
/* It gave no answer in time: its request is the caller's. */
void pool_slot_hung(struct slot *);
void pool_slot_run(struct slot *, struct request *);
/* Its client reads again, or is gone. */
void pool_slot_go_on(struct slot *);
void pool_slot_trace(const Belfry__Role__Trace *, void *slot);

#endif
