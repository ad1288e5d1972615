/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The IMAP server as the daemon's loop sees it: where it is, how TLS is done, and how many may log in at once. Who
 * wants in takes a ticket, is called when it is its turn, and leaves when it is logged in or has failed: so a server
 * that comes back is not met by ten thousand logins in one second. Logins of users go before those of watches. Those
 * who wait stand in lanes that are served in turn, so that one who queues hundreds holds up only his own lane.
 */
#ifndef BELFRY_CONNECTORS_IMAP_BACKEND_H
#define BELFRY_CONNECTORS_IMAP_BACKEND_H

#include "connectors/imap/settings.h"
#include "lib/core/error.h"
#include "lib/imap/client.h"
#include "lib/net/net.h"

/* In a memory net the backend is whoever listens here. */
#define BACKEND_PLACE "backend"

struct backend;

/* The settings stay the caller's. NULL with error_r: the CA file cannot be read. */
struct backend *backend_create(struct net *, const struct imap_settings *, struct error *error_r);
void backend_free(struct backend **);
struct loop *backend_loop(const struct backend *);

enum backend_rank { BACKEND_LOGIN, BACKEND_WATCH, BACKEND_RANKS };

/* Inside its owner; zeroed memory is one that is not in use. */
struct backend_ticket {
	struct backend_ticket *next;
	struct backend_lane *lane;
	enum { TICKET_UNUSED, TICKET_WAITS, TICKET_IN } state;
	enum backend_rank rank;
	void (*enter)(struct backend_ticket *);
};

/* lane: a name, copied; for logins the network that they come from. enter is called when there is room, never from
 * within this call. */
void backend_queue(struct backend *, struct backend_ticket *, enum backend_rank, const char *lane,
	void (*enter)(struct backend_ticket *));
/* Logged in, failed or no longer wanted. */
void backend_leave(struct backend *, struct backend_ticket *);
/* Tickets that wait. */
unsigned backend_waiting(const struct backend *, enum backend_rank);

/* Starts to connect and log in; for_address: of the device that the login is for, NULL: for none. NULL with error_r: it
 * cannot even be tried (no address, no descriptors left). */
struct imap_client *backend_connect(struct backend *, const struct imap_credentials *, const char *trace_user,
	const char *for_address, const struct imap_client_events *, void *owner, struct error *error_r);

/* --- how it is --------------------------------------------------------------------------------------------------- */

/* What may be wrong with it: it is not reached, or lets users in, but not the master user. */
enum backend_side { BACKEND_REACH, BACKEND_MASTER, BACKEND_SIDES };

/* What happened there, beginning with "HOST:PORT". */
void backend_trouble(const struct backend *, const char *why, struct error *error_r);
/* Found out just now; trouble: as backend_trouble() writes it; NULL: none. News are logged at once, and told. */
void backend_note(struct backend *, enum backend_side, const char *trouble);
/* What is wrong; NULL: nothing that is known. */
const char *backend_wrong(const struct backend *);
/* Called whenever that is another one, and when it is first known; trouble: as backend_wrong(). */
void backend_on_news(struct backend *, void (*news)(const char *trouble, void *owner), void *owner);

#endif
