/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The watch half: Watch, Unwatch and Check of the hub. One session a user at the most; thousands in the one loop.
 *
 *   without hooks   a session as long as the user is watched: NOTIFY, else IDLE and polling for the rest
 *   with hooks      no session; a Check opens one, which stays linger_s for the next
 */
#ifndef BELFRY_CONNECTORS_IMAP_WATCH_H
#define BELFRY_CONNECTORS_IMAP_WATCH_H

#include "connectors/imap/account.h"
#include "connectors/imap/backend.h"
#include "connectors/service.h"

enum {
	WATCH_COLLECTIONS_MAX = 1001,      /* of one Watch or Check; a Ping names up to 300, and has the hierarchy */
	WATCH_CHECKS_MAX = 16,             /* of one user at a time: the hub asks once and waits */
	WATCH_BACKOFF_MS = 1000,           /* before the first new try after a lost session; doubles … */
	WATCH_BACKOFF_MOST_MS = 300000,    /* … up to this; each time by chance between half and one and a half */
	/* After IDLE has started (again) it is looked once more: Dovecot loses what comes in the last half second before it
	 * hibernates an IDLE session, and imap_hibernate_timeout = 3s is what we recommend. */
	WATCH_LOOK_MS = 5000,
	WATCH_LOG_MS = 10000,              /* lost sessions are logged together: a restarted server loses all */
	WATCH_FULL_LOG_MS = 60000          /* that sessions_max is reached is said so often */
};

struct watches;

struct watches_events {
	/* The backend refused the login of this account. */
	void (*refused)(struct account *, void *owner);
	/* The backend does not let the master user in as this user (any more). */
	void (*refused_user)(const char *user, void *owner);
};

struct watches *watches_create(struct backend *, struct accounts *, const struct imap_settings *,
	const struct watches_events *, void *owner);
void watches_free(struct watches **);

void watches_watch(struct watches *, struct service_client *, uint64_t id, const Belfry__Connector__Watch *);
void watches_unwatch(struct watches *, struct service_client *, uint64_t id, const Belfry__Connector__Unwatch *);
void watches_check(struct watches *, struct service_client *, uint64_t id, const Belfry__Connector__Check *);
/* The client is gone; what it watched goes on for CONNECTOR_ORPHAN_S. */
void watches_forget_client(struct watches *, const struct service_client *);
/* The account is void: watches that live by it are over, and told so. */
void watches_forget_account(struct watches *, const struct account *);
unsigned watches_sessions(const struct watches *);

#endif
