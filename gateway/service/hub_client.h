/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A front's side of the hub (lib/ipc/role.proto): reading and writing records, locks, parks.
 * Commits are durable when they are answered. Without a hub every question ends UNAVAILABLE.
 */
#ifndef BELFRY_GATEWAY_SERVICE_HUB_CLIENT_H
#define BELFRY_GATEWAY_SERVICE_HUB_CLIENT_H

#include "lib/ipc/role.pb-c.h"
#include "lib/net/net.h"

struct hub_client;
struct hub_call;

struct hub_client_events {
	/* The hub wakes a park. A wake of another generation than the slot's present one is the callee's to drop. */
	void (*woken)(const Belfry__Role__Wake *, void *owner);
	/* The hub is there again: park everything anew (bounded a second by the callee). */
	void (*returned)(void *owner);
};

/* number: the front's, for Hello. */
struct hub_client *hub_client_create(struct net *, unsigned number, const struct hub_client_events *, void *owner);
void hub_client_free(struct hub_client **);

/* NULL: the hub is gone or silent. The message is valid during the call. */
typedef void hub_begun(const Belfry__Role__Begun *, void *data);
typedef void hub_committed(const Belfry__Role__Committed *, void *data);

struct hub_call *hub_begin(struct hub_client *, Belfry__Role__Begin *, hub_begun *, void *data);
struct hub_call *hub_commit(struct hub_client *, Belfry__Role__Commit *, hub_committed *, void *data);
/* No answer will come any more. A transaction that a cancelled Begin still brings is released. Clears the pointer. */
void hub_call_cancel(struct hub_call **);
/* A transaction ends with the link to the hub: to release one of an earlier link is fine, to commit it a CONFLICT. */
void hub_release(struct hub_client *, uint64_t transaction);

/* Parked and Wake both come as `woken` when there is something to say; a park that stays says nothing. */
void hub_park(struct hub_client *, Belfry__Role__Park *);
void hub_unpark(struct hub_client *, uint32_t slot, uint32_t generation);
void hub_outcome(struct hub_client *, Belfry__Role__Outcome *);
void hub_counts(struct hub_client *, Belfry__Role__Counts *);

/* All that is counted, as text of Prometheus; NULL: the hub is gone or silent. */
typedef void hub_metrics_came(const Belfry__Role__Metrics *, void *data);
struct hub_call *hub_ask_metrics(struct hub_client *, hub_metrics_came *, void *data);

/* A Begin waits for whoever holds the lock, and that one for its backend: longer than a connector of the usual
 * timeout_s is waited for twice (connector_client.h). */
enum { HUB_TIMEOUT_MS = 150000 };

#endif
