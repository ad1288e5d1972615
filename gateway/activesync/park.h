/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The held requests of this front: Pings, and Syncs with Wait or HeartbeatInterval. What is kept of one is small
 * (design.md section 5.9; test_park_size asserts it): who it is, the ids of its folders and, of a Sync, their keys. The
 * positions are in the store and, while it waits, in the hub; the login's handle goes to the hub and is not kept: when a
 * hub is back, the connector still has what it watches with, or the phone is to bring its password again.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_PARK_H
#define BELFRY_GATEWAY_ACTIVESYNC_PARK_H

#include "gateway/activesync/request.h"
#include "gateway/activesync/sync_key.h"

struct parks;

enum { PARK_FOLDERS_MAX = 1000 }; /* the highest that activesync.max_folders may be set to */

enum {
	PARKS_AGAIN_EVERY_MS = 50, /* after the hub came back … */
	PARKS_AGAIN_BATCH = 200    /* … so many are parked anew at a time: 4,000 a second from each front */
};

/* Where the hierarchy stood at the device's last FolderSync: an At, as of a folder whose id is 0. */
#define HIERARCHY_RECORD "position/0"
enum { HIERARCHY_ID = 0 };

/* What is kept of a folder while the phone waits. */
struct park_place {
	uint32_t id;
	struct sync_key key; /* of a Sync: the device's */
};

/* One folder that a request watches; or the hierarchy, "". */
struct park_folder {
	struct park_place place;
	const char *name; /* the connector's */
	Belfry__Role__Position position;
};

/* The folders with the hierarchy behind them, where the device has it and it can be watched. The array has room for it. */
size_t park_add_hierarchy(struct request *, struct park_folder *folders, size_t count);
/* Has the hierarchy changed? */
bool park_is_hierarchy(const struct park_place *places, const uint32_t *changed, size_t changed_count);

/* How a kind of request is answered. */
struct park_kind {
	const char *command; /* for logs */
	bool has_keys;
	/* Writes the whole answer and returns its status; changed: which of the places, by index; none: nothing new. */
	int (*write)(struct buffer *body, const struct park_place *places, size_t count, const uint32_t *changed,
		size_t changed_count);
};

struct parks *parks_create(struct activesync *);
void parks_free(struct parks **);

/* Holds the request until one of the folders changes, or heartbeat_s have passed. The request is gone afterwards.
 * folders: at most PARK_FOLDERS_MAX. kind: valid for ever. */
void parks_hold(struct parks *, struct request *, const struct park_kind *, uint32_t heartbeat_s,
	const struct park_folder *folders, size_t count);

void parks_woken(struct parks *, const Belfry__Role__Wake *);
void parks_hub_returned(struct parks *);
/* Answers "nothing new" to all within over_s, spread evenly. */
void parks_drain(struct parks *, unsigned over_s);
size_t parks_count(const struct parks *);
/* Bytes of ours for one park, its slot among them, besides the connection's. */
size_t parks_size(const struct park_kind *, const struct park_folder *folders, size_t count, const char *user,
	const char *device);

#endif
