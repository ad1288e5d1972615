/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A hub in memory with a manual clock, fronts that note what they are told, and a connector that answers by a table. */
#ifndef BELFRY_TRY_HUB_H
#define BELFRY_TRY_HUB_H

#include "gateway/hub/internal.h"
#include "gateway/service/store_memory.h"

enum { TRY_MESSAGES = 4096, TRY_STANDS = 4096, TRY_CHECKS = 64 };

struct try_front {
	struct link *link;
	Belfry__Role__FromHub *messages[TRY_MESSAGES]; /* all but Trace, in their order */
	size_t count, read;
	unsigned traces;
	char traced[64];
	bool is_lost;
	uint64_t last_id;
};

/* Where the backend stands. */
struct try_stand {
	char user[64], collection[64];
	Belfry__Connector__Status status;
	uint64_t validity, next, token;
};

struct try_connector {
	struct listener *listener;
	struct link *link;
	struct try_stand stands[TRY_STANDS];
	size_t stand_count;
	bool is_holding;                        /* Checks are not answered until try_connector_answer() */
	Belfry__Connector__Status status;       /* of every answer */
	const char *reason;                     /* … in words; NULL: none */
	uint64_t held[TRY_CHECKS];
	Belfry__Connector__Request *held_request[TRY_CHECKS];
	size_t held_count;
	unsigned hellos, checks, watches, unwatches, traces;
	char traced[64];                        /* the last, as a front's */
	Belfry__Connector__Request *last_watch, *last_check;
};

struct try_hub {
	struct loop *loop;
	struct net *net;
	struct store *store;
	struct hub *hub;
	struct hub_settings settings;
	struct hub_instance_settings instance;
	struct try_connector connector;
	char warnings[2048];                    /* log lines that are warnings or errors */
	bool is_connector_away;
};

/* Change settings and instance before try_hub_begin(). */
void try_hub_prepare(struct try_hub *);
void try_hub_begin(struct try_hub *);
/* prepare and begin */
void try_hub_start(struct try_hub *);
/* A test that logged a warning which it did not take with try_warning() fails here. */
void try_hub_stop(struct try_hub *);
/* Takes the warnings; true: the text was in them. */
bool try_warning(struct try_hub *, const char *text);

void try_front_connect(struct try_hub *, struct try_front *);
void try_front_close(struct try_hub *, struct try_front *);
void try_front_send(struct try_hub *, struct try_front *, Belfry__Role__ToHub *);
/* The next message that was not looked at yet; NULL: none. Valid until the front is closed. */
const Belfry__Role__FromHub *try_front_next(struct try_front *);

/* Parks and settles; true: it was answered at once. Nothing else may have come to the front before. */
bool try_park_at(struct try_hub *, struct try_front *, const char *user, const char *device, uint32_t slot,
	uint32_t generation, const char *collection, uint64_t validity, uint64_t next, uint64_t token);
/* The same with validity 7, generation 1, token = next. */
bool try_park(struct try_hub *, struct try_front *, const char *user, const char *device, uint32_t slot, uint64_t next);
void try_unpark(struct try_hub *, struct try_front *, uint32_t slot, uint32_t generation);
/* The next message is a wake of that slot; NULL: it is none. */
const Belfry__Role__Wake *try_woken(struct try_front *, uint32_t slot);

/* The backend of alice's INBOX and so on; validity 7, token = next. */
void try_stand(struct try_hub *, const char *user, const char *collection, uint64_t next);
void try_stand_at(struct try_hub *, const char *user, const char *collection, uint64_t validity, uint64_t next,
	uint64_t token);
void try_stand_status(struct try_hub *, const char *user, const char *collection, Belfry__Connector__Status);
/* … and the connector says so, unasked. */
void try_tell(struct try_hub *, const char *user, const char *collection, const char *source);
void try_tell_status(struct try_hub *, const char *user, Belfry__Connector__Status);
/* NULL: it is well. */
void try_tell_backend(struct try_hub *, const char *trouble);
/* Answers the Checks that were held. */
void try_connector_answer(struct try_hub *);
void try_connector_lose(struct try_hub *);
void try_connector_return(struct try_hub *);

/* uid 0: without; id "": none. */
void try_hint(struct try_hub *, const char *user, const char *mailbox, enum hint_event, uint64_t validity, uint64_t uid);
void try_hint_from(struct try_hub *, const char *source, const char *user, const char *mailbox, enum hint_event,
	uint64_t validity, uint64_t uid);

#endif
