/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the worker share. */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_INTERNAL_H
#define BELFRY_CONNECTORS_IMAP_WORKER_INTERNAL_H

#include "connectors/imap/session.h"
#include "connectors/imap/worker.h"
#include "connectors/imap/worker_link.h"
#include "connectors/mail/slice.h"
#include "lib/core/arena.h"
#include "lib/ipc/connector.pb-c.h"
#include "lib/model/ranges.h"

typedef Belfry__Connector__Response worker_response;
typedef Belfry__Connector__Status worker_status;

/* One request while it is being done. */
struct worker_call {
	struct worker_link *link;
	struct board *board;
	struct session *session;
	struct arena *arena;             /* of this request */
	const Belfry__Worker__WorkerRequest *request;
	const struct imap_settings *settings;
	SSL_CTX *tls;
	Belfry__Worker__Outcome login;   /* told with the first answer */
	int fd;                          /* that came with the request; -1: none */
	bool is_cached;                  /* the session served before: it may be one that the server has given up */
};

/* Each does its request and sends all its answers. A session that breaks is left marked as broken. */
void worker_list(struct worker_call *);
void worker_survey(struct worker_call *);
void worker_fetch(struct worker_call *);
void worker_fetch_part(struct worker_call *);
void worker_apply(struct worker_call *);
void worker_alter(struct worker_call *);
void worker_search(struct worker_call *);
void worker_send(struct worker_call *);
void worker_oof(struct worker_call *); /* needs no session */

/* A new session in place of a broken one. NULL with error_r: call->session is as it was. */
struct session *worker_reopen(struct worker_call *, struct error *error_r);
/* The session broke: is it worth to do a request that has only read once more? Then there is a new one. */
bool worker_try_again(struct worker_call *);

/* Has a worker died of it? Then it is not to be touched. */
bool worker_is_quarantined(const struct worker_call *, uint64_t id);

/* A response with the front's id, in the arena. */
worker_response *worker_response_create(struct worker_call *);
/* Sends it; fd -1: without a descriptor (else it stays the caller's). */
void worker_answer(struct worker_call *, worker_response *, bool is_last, int fd);
/* The only answer: a status and why. */
void worker_refuse(struct worker_call *, worker_status, const char *why);
/* What it means for the request that the server answered so. */
worker_status worker_status_of(enum session_answer, const struct error *said);

/* Adds to those that are present in the selected mailbox what belongs to their conversations (worker_thread.c), as far
 * as the server can say. Not OK: the session broke. */
worker_status worker_add_conversations(struct worker_call *, struct ranges *present, struct error *error_r);

/* The octets of an item, mapped from a file of their own; length 0 unless the status is OK. The mapping is the caller's
 * to end. progress: called with each piece. error_r: why not. */
worker_status worker_original(struct worker_call *, const Belfry__Connector__Send *, void (*progress)(void *data),
	void *data, struct slice *octets_r, struct error *error_r);
/* Appends ids as an IMAP set, "1:3,7". */
void worker_append_range(struct buffer *set, uint64_t first, uint64_t last);
/* Adds the ids of a set as a server writes it: "2,10:15,21"; a range may be turned round. */
void worker_read_set(struct imap_text set, struct ranges *);
/* Adds the ids of a SEARCH or an ESEARCH response. */
void worker_read_search(const struct imap_response *, struct ranges *);
/* Appends a search key with the day of this time, " SINCE 1-Jan-2026". Servers compare days in a time zone that only they
 * know: UTC-12 to UTC+14. */
void worker_append_day(struct buffer *command, const char *key, uint64_t time_s);
enum { WORKER_ZONE_WEST_S = 12 * 3600, WORKER_ZONE_EAST_S = 14 * 3600 };
/* The ids of such a set in their order, one at a time: {set} to begin with. False: that was all. */
struct worker_set_walk {
	struct imap_text rest;
	uint64_t next, last;
};
bool worker_walk_set(struct worker_set_walk *, uint64_t *id_r);
/* Flag bits of the contract from what stands in FLAGS (…), behind its parenthesis; other keywords to keyword(). */
uint32_t worker_read_flags(struct imap_cursor *, void (*keyword)(struct imap_text, void *), void *data);
/* The attributes of a FETCH response, one at a time: zeroed to begin with. value_r stands before its value. False: that was
 * all, or it is another response. */
struct worker_attributes {
	struct imap_cursor rest;
	bool has_begun;
};
bool worker_next_attribute(const struct imap_response *, struct worker_attributes *, struct imap_text *name_r,
	struct imap_cursor *value_r);

#endif
