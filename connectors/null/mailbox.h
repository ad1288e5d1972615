/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A connector without a backend: mailboxes in memory that keep the whole contract. As a library it stands in the
 * replay harness, where a test delivers, flags and expunges; as belfry-null it feeds load tests.
 *
 * Users need not be made: each name starts with the mailboxes of the template (user NULL), and gets its own copy at
 * its first change. A user is known by what stands before the @. Ids, positions and order depend only on the calls made, never on time or chance.
 */
#ifndef BELFRY_CONNECTORS_NULL_MAILBOX_H
#define BELFRY_CONNECTORS_NULL_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/error.h"
#include "lib/ipc/connector.pb-c.h"
#include "lib/net/net.h"

struct null_store;

/* Listens at the place, with a template of INBOX, Drafts, Sent, Trash and Junk, all empty. NULL with error_r. */
struct null_store *null_store_create(struct net *, const char *place, struct error *error_r);
void null_store_free(struct null_store **);

/* --- who may log in -------------------------------------------------------------------------------------------- */

/* Everybody's password, from the start "secret"; and one user's own. A change voids the user's handle and watch. */
void null_store_set_password(struct null_store *, const char *password);
void null_user_set_password(struct null_store *, const char *user, const char *password);
/* From now on every answer (but to Hello) has this status; OK: as usual again. */
void null_store_set_trouble(struct null_store *, Belfry__Connector__Status);

/* --- what a backend would do. user NULL: the template, before any user's copy was made ------------------------- */

struct null_mail {
	const char *from, *to, *cc, *subject; /* NULL: made up */
	const char *text;     /* the plain text; NULL: made up */
	const char *html;     /* makes HTML the native form; NULL: plain text is */
	const char *message_class; /* NULL: IPM.Note */
	const char *message_id;    /* NULL: made up */
	const char *in_reply_to;   /* message id of another mail: same conversation */
	uint64_t received_s;  /* 0: the loop's wall clock */
	uint32_t flags;       /* Belfry__Connector__Flag */
	const char *attachment_name, *attachment_type; /* NULL: none */
	const char *keywords; /* categories, a line each; NULL: none */
	bool is_bad;          /* is listed, but Fetch answers BAD_ITEM */
};
/* A new item; its id. The collection must exist. */
uint64_t null_deliver(struct null_store *, const char *user, const char *collection, const struct null_mail *);
/* false: no such item. */
bool null_flag(struct null_store *, const char *user, const char *collection, uint64_t id, uint32_t set, uint32_t clear);
/* Categories, a line each; NULL: none. */
bool null_label(struct null_store *, const char *user, const char *collection, uint64_t id, const char *set,
	const char *clear);
bool null_expunge(struct null_store *, const char *user, const char *collection, uint64_t id);
/* Names are paths with '/'; the parent must exist. */
void null_collection_add(struct null_store *, const char *user, const char *name, Belfry__Connector__Role);
bool null_collection_remove(struct null_store *, const char *user, const char *name);
/* The mailbox was made anew: another validity, ids from 1 again, empty. */
void null_collection_renew(struct null_store *, const char *user, const char *name);

/* --- what a test looks at -------------------------------------------------------------------------------------- */

/* The flags of an item; -1: no such item. */
int null_flags(const struct null_store *, const char *user, const char *collection, uint64_t id);
/* How many items; -1: no such collection. */
int null_count(const struct null_store *, const char *user, const char *collection);
/* Where it stands; all zero: no such collection. */
Belfry__Role__Position null_position(const struct null_store *, const char *user, const char *collection);
/* Is the user watched (Watch without hooks)? */
bool null_is_watched(const struct null_store *, const char *user);
/* Mails that this user has handed in by Send. */
unsigned null_submitted(const struct null_store *, const char *user);
/* Requests that came so far, for tests of how often somebody asks. */
unsigned null_asked(const struct null_store *, Belfry__Connector__Request__BodyCase);

#endif
