/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data of the null connector: for connectors/null only. */
#ifndef BELFRY_CONNECTORS_NULL_STORE_H
#define BELFRY_CONNECTORS_NULL_STORE_H

#include <uthash.h>

#include "connectors/null/mailbox.h"
#include "connectors/service.h"
#include "lib/core/arena.h"

enum { NULL_HANDLE_BYTES = 16 };

struct null_item {
	uint64_t id, modseq, received_s;
	uint32_t flags;
	bool is_bad;
	char *from, *to, *cc, *subject, *text, *html, *message_class, *message_id, *in_reply_to;
	char *attachment_name, *attachment_type;
	char *keywords;                  /* categories, a line each */
};

struct null_collection {
	char *name;
	Belfry__Connector__Role role;
	uint64_t validity, next, modseq;
	struct null_item **items; /* ascending by id */
	size_t count, room;
};

struct null_mailboxes {
	struct null_collection **list;
	size_t count;
};

struct null_user {
	UT_hash_handle hh;               /* by name */
	UT_hash_handle by_handle;
	char *password;                  /* NULL: everybody's */
	struct null_mailboxes *own;      /* NULL: the template still */
	struct null_watch *watch;        /* NULL: nobody watches, or only hooks */
	unsigned submitted;              /* mails handed in */
	uint8_t *oof;                    /* what was set for who is out of office, packed */
	size_t oof_length;
	bool has_handle;
	uint8_t handle[NULL_HANDLE_BYTES];
	char name[];                     /* without the domain */
};

struct null_watch {
	struct service_client *client;
	char *user;                      /* as the client calls him */
	char **collections;
	size_t count;
};

/* A mail that was handed in. */
struct null_submission {
	UT_hash_handle hh;
	char message_id[];
};

enum { NULL_REQUEST_KINDS = BELFRY__CONNECTOR__REQUEST__BODY_SEND + 1 };

struct null_store {
	struct loop *loop;
	struct service *service;
	struct null_mailboxes template;
	struct null_user *users, *handles;
	struct null_submission *submissions; /* by message id */
	char *password;
	Belfry__Connector__Status trouble;
	uint64_t last_validity;
	unsigned asked[NULL_REQUEST_KINDS];
};

/* The user, made when new. */
struct null_user *null_user(struct null_store *, const char *name);
struct null_user *null_user_by_handle(struct null_store *, const uint8_t *handle, size_t length);
void null_user_forget_handle(struct null_store *, struct null_user *);
void null_user_unwatch(struct null_user *);
/* What the user has, for reading; for writing (a copy of the template the first time). user NULL: the template. */
const struct null_mailboxes *null_mailboxes_of(const struct null_store *, const struct null_user *);
struct null_mailboxes *null_mailboxes_own(struct null_store *, struct null_user *);
struct null_collection *null_collection(const struct null_mailboxes *, const char *name); /* NULL: none */
struct null_collection *null_collection_of_role(const struct null_mailboxes *, Belfry__Connector__Role);
struct null_item *null_item(const struct null_collection *, uint64_t id);                 /* NULL: none */
void null_item_flag(struct null_collection *, struct null_item *, uint32_t set, uint32_t clear);
/* Categories, a line each, in any case of letters; NULL: none. */
void null_item_label(struct null_collection *, struct null_item *, const char *set, const char *clear);
/* Takes the next line from the front, into the arena; NULL: that was the last. */
char *null_keyword_next(const char **keywords, struct arena *);
void null_item_remove(struct null_collection *, uint64_t id);
/* Takes the item over and gives it the next id. */
void null_item_put(struct null_collection *, struct null_item *);
struct null_item *null_item_copy(const struct null_item *);

void null_position_fill(const struct null_collection *, Belfry__Role__Position *);
/* store.c says to serve.c that something changed: tells who watches. user NULL: nobody does. */
void null_changed(struct null_store *, struct null_user *, const struct null_collection *);
void null_hierarchy_changed(struct null_store *, struct null_user *);
/* item.c: the item as it is fetched, with the body that the wishes ask for, in the arena. *fd_r: a memfd with the
 * body, or -1. */
Belfry__Connector__Item *null_item_fetched(const struct null_item *, const Belfry__Connector__Fetch *, struct arena *,
	int *fd_r);

/* The Message-ID of the first mail of its conversation. */
const char *null_item_root(const struct null_item *);

/* The item's attachment, or what is wanted of it; item NULL: is not there. */
Belfry__Connector__Status null_item_part(const struct null_item *, const Belfry__Connector__FetchPart *,
	Belfry__Connector__Part *, int *fd_r);

extern const struct service_events null_service_events;

/* --- alter.c --------------------------------------------------------------------------------------------------- */

/* name: that the collection gets. */
Belfry__Connector__Status null_alter(struct null_store *, struct null_user *, const Belfry__Connector__Alter *,
	const char *name);

/* --- search.c -------------------------------------------------------------------------------------------------- */

/* found: initialised; filled from the arena. */
void null_search(const struct null_mailboxes *, const Belfry__Connector__Search *, Belfry__Connector__Found *found,
	struct arena *);

/* --- oof.c ----------------------------------------------------------------------------------------------------- */

/* What is kept, in the arena. */
Belfry__Connector__Oof *null_oof(const struct null_user *, struct arena *);
void null_oof_set(struct null_user *, const Belfry__Connector__SetOof *, struct arena *);

/* --- send.c ---------------------------------------------------------------------------------------------------- */

/* fd: the mail, when it is not in the request; stays the caller's. */
Belfry__Connector__Status null_send(struct null_store *, struct null_user *, const Belfry__Connector__Send *, int fd,
	struct arena *);
/* NULL: no such mail. */
struct null_submission *null_submission(const struct null_store *, const char *message_id);

#endif
