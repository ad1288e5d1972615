/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mails being handed in, and those that were since the daemon was started: workers, fronts and the hub may die, and a
 * request that is repeated because of that must not send its mail twice. Keyed by user and message id.
 */
#ifndef BELFRY_CONNECTORS_IMAP_SENDS_H
#define BELFRY_CONNECTORS_IMAP_SENDS_H

#include <stdbool.h>

/* A repeated request comes within minutes; so many mails in that time would be a thousand busy phones. */
enum { SENDS_MAX = 4096 };

enum send_state { SEND_UNKNOWN, SEND_UNDER_WAY, SEND_SUBMITTED, SEND_SUBMITTED_UNDER_WAY };

struct sends;

struct sends *sends_create(void);
void sends_free(struct sends **);

enum send_state sends_state(const struct sends *, const char *user, const char *message_id);
/* A worker begins with it. Not while it is under way. */
void sends_begin(struct sends *, const char *user, const char *message_id);
/* The server has taken it. */
void sends_submitted(struct sends *, const char *user, const char *message_id);
/* The worker has answered, or died. */
void sends_end(struct sends *, const char *user, const char *message_id);

static inline bool send_is_under_way(enum send_state state)
{
	return state == SEND_UNDER_WAY || state == SEND_SUBMITTED_UNDER_WAY;
}

#endif
