/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store in memory, for tests: nothing survives but snapshots, and it can be slow, refuse, and crash on demand. */
#ifndef BELFRY_GATEWAY_SERVICE_STORE_MEMORY_H
#define BELFRY_GATEWAY_SERVICE_STORE_MEMORY_H

#include "gateway/service/store.h"
#include "lib/core/loop.h"

/* Any loop, a manual one too: loop_settle() then brings all answers. */
struct store *store_memory_create(struct loop *);

/* Answers come this many turns of the loop's deferred calls later (at first 1): finds who relied on synchrony. */
void store_memory_postpone(struct store *, unsigned turns);

/* How many commits (with at least one write, answered or to be answered STORE_OK) were carried out so far. */
unsigned store_memory_commits(const struct store *);

/*
 * The process dies after `commits` more commits: that one is in the store, but neither its answer nor any other comes
 * any more, and later calls are swallowed. `crashed` (may be NULL) is then called once, on the loop: the test takes a
 * snapshot, throws its world away and builds a new one upon the snapshot.
 */
void store_memory_crash(struct store *, unsigned commits, void (*crashed)(void *data), void *data);

/* After `commits` more commits everything is answered STORE_UNAVAILABLE, until called with UINT_MAX: never. */
void store_memory_refuse(struct store *, unsigned commits);

/* All that was committed, as a copy; several stores may be made from one. Revisions go on from where they were. */
struct store_snapshot;
struct store_snapshot *store_memory_snapshot(const struct store *);
struct store *store_memory_restore(struct loop *, const struct store_snapshot *);
void store_snapshot_free(struct store_snapshot **);
/* Whether all records are the ones of the snapshot, whatever has been written meanwhile; but those of this key. */
bool store_memory_is(const struct store *, const struct store_snapshot *, const char *except);

#endif
