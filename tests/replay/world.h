/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The world of a replay: hub, fronts and connector as they are, each in a "process" with a net of its own, joined by
 * cables, on one manual loop:
 *
 *	phone ──▶ front 1, 2 ──cable──▶ hub (memory store)
 *	              └─────cable──▶ connector ◀──cable── hub
 */
#ifndef BELFRY_TESTS_REPLAY_WORLD_H
#define BELFRY_TESTS_REPLAY_WORLD_H

#include "connectors/null/mailbox.h"
#include "gateway/activesync/activesync.h"
#include "gateway/front.h"
#include "gateway/hub/hub.h"
#include "gateway/service/store_memory.h"
#include "tests/replay/cable.h"

enum { WORLD_FRONTS_MAX = 3 };

struct world_settings {
	struct activesync_settings limits;
	struct policy_settings policy;
	enum hub_hook hook;
	unsigned recheck_s;
	unsigned fronts;
};

struct world_front {
	struct net *net;
	struct cable *to_hub, *to_connector;
	struct front *front;         /* NULL: killed */
};

struct world {
	struct world_settings settings;
	struct loop *loop;
	struct net *hub_net, *connector_net;
	struct null_store *mailboxes;
	bool connector_is_up;
	int connector_hears, connector_says; /* so many frames more; CABLE_FREE: all */
	struct cable *hub_to_connector;
	struct store *store;         /* NULL while the hub is dead */
	struct store_snapshot *kept; /* what the store held when the hub died */
	struct hub *hub;             /* NULL: killed */
	struct world_front fronts[WORLD_FRONTS_MAX];
	struct hub_instance_settings instance;
	uid_t trusted;
	struct activesync_engine_settings engine_settings;
	struct front_engine engine;
	bool crashed;                /* the store has died with a write; see world_cut() */
	bool postpones;              /* answers come turns later */
};

extern const struct world_settings world_settings_default;

/* Starts everything. */
struct world *world_create(const struct world_settings *, bool postpones);
void world_free(struct world **);

void world_hub_kill(struct world *);
void world_hub_start(struct world *);
void world_front_kill(struct world *, unsigned number);
void world_front_start(struct world *, unsigned number);
void world_connector_kill(struct world *);
void world_connector_start(struct world *);
/* Silent: it hears so many more requests, and says so many more answers, of each front; CABLE_FREE: all. The hub is
 * not heard at all unless both are free. */
void world_connector_limit(struct world *, int hears, int says);
/* Hub and fronts die together and come back after off_ms, with what the store held. */
void world_restart(struct world *, int64_t off_ms);
/* The writes-th write from now on is the last thing that the process does: crashed is set. 0: not any more. */
void world_cut(struct world *, unsigned writes);
/* What the admin changed; it counts after the next restart. */
void world_set_policy(struct world *, const struct policy_settings *);

#endif
