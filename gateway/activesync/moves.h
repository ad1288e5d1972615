/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a device has moved lately (record "moves"). It serves three ends: a request that comes again is answered as the
 * first time; a move that something died in is found again; and what is in a collection for the device's own move, or
 * gone from there, does not ring. Pure.
 */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_MOVES_H
#define BELFRY_GATEWAY_ACTIVESYNC_MOVES_H

#include "gateway/activesync/sync_state.h"
#include "lib/core/arena.h"

enum { MOVES_MAX = 1000 }; /* the most of one request, and what is kept; the record of so many is some 30 kB */

/* The last move of this item, done or under way; NULL: none. */
Belfry__Activesync__Moved *moves_find(const Belfry__Activesync__Moves *, uint32_t from, uint64_t item, uint64_t validity);
/* A new one, in the arena; the oldest go when there are too many. */
Belfry__Activesync__Moved *moves_add(Belfry__Activesync__Moves *, struct arena *);
/* It was not done after all. */
void moves_remove(Belfry__Activesync__Moves *, const Belfry__Activesync__Moved *);

/* Takes out of what is present in the collection, which has this state on the device, what the device moved there, and
 * puts in what it moved away: as the collection would be had the device moved nothing. */
void moves_undo(const Belfry__Activesync__Moves *, uint32_t collection, const struct sync_state *, struct ranges *present);

#endif
