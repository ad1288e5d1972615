/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The held Pings of this front. What is kept of one is small: the phone's connection, who it is, and the ids of its
 * folders; the positions are in the store and, while it waits, in the hub.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_PARK_H
#define BELFRY_GATEWAY_ACTIVESYNC_PARK_H

#include "gateway/activesync/request.h"

struct parks;

enum {
	PARKS_AGAIN_EVERY_MS = 50, /* after the hub came back … */
	PARKS_AGAIN_BATCH = 200    /* … so many are parked anew at a time: 4,000 a second from each front */
};

/* One folder that a Ping watches. */
struct park_folder {
	uint32_t id;
	const char *name; /* the connector's */
	Belfry__Role__Position position;
};

struct parks *parks_create(struct activesync *);
void parks_free(struct parks **);

/* Holds the request until one of the folders changes, or heartbeat_s have passed. The request is gone afterwards. */
void parks_hold(struct parks *, struct request *, uint32_t heartbeat_s, const struct park_folder *, size_t count);

void parks_woken(struct parks *, const Belfry__Role__Wake *);
void parks_hub_returned(struct parks *);
/* Answers "nothing new" to all within over_s, spread evenly. */
void parks_drain(struct parks *, unsigned over_s);
size_t parks_count(const struct parks *);
/* Bytes of ours for one park with so many folders, besides the connection's. */
size_t parks_size(size_t folders, size_t user_length, size_t device_length);

#endif
