/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mailboxes of a replay: what "backend !" lines do to them (README), and what the devices must have in the end. */
#ifndef BELFRY_TESTS_REPLAY_BACKEND_H
#define BELFRY_TESTS_REPLAY_BACKEND_H

#include "connectors/null/mailbox.h"
#include "lib/core/buffer.h"
#include "tests/replay/script.h"

/* The full name of a user of the transcript: alice@example.org. */
const char *backend_user(const char *name, struct arena *);

/* The words from words[from] on. -1: the transcript is wrong. */
int backend_do(struct null_store *, struct loop *, const struct step *, size_t from, struct arena *,
	struct error *error_r);

/* The daemon was started anew: it knows no login and watches nobody. */
void backend_restarted(struct null_store *);

/* An item by its subject, or "?7": the seventh, counted round and round. 0: there is none. */
uint64_t backend_item(struct null_store *, const char *user, const char *mailbox, const char *subject);
/* One line an item as device_list() writes it, of what is no older than received_since_s. -1: no such mailbox. */
int backend_list(struct null_store *, const char *user, const char *mailbox, uint64_t received_since_s, bool shows_all,
	struct buffer *list_r);
/* The names of all mailboxes, sorted, a line each. */
void backend_mailboxes(struct null_store *, const char *user, struct buffer *list_r);
/* Everything that all users have, as text: equal texts are equal mailboxes. */
void backend_dump(struct null_store *, struct buffer *dump_r);

#endif
