/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Named locks of principals: who changes a device's state does so alone, and the others wait in the order of asking.
 * A claim takes all its locks or none: it stands in the queues of all of them from one moment on, and holds them when
 * it is first in each. So claims wait only for older ones, and no two for each other.
 */
#ifndef BELFRY_GATEWAY_SERVICE_LOCK_H
#define BELFRY_GATEWAY_SERVICE_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/service/principal.h"
#include "lib/core/loop.h"

enum {
	LOCK_WAITERS_MAX = 16,    /* that wait for one lock: a phone repeats a request some times, not for ever */
	LOCK_NAMES_MAX = 512,     /* of one claim: every collection of a Sync, 300 and room for more */
	LOCK_NAME_MAX = 512,      /* bytes of a name */
	LOCK_CLAIMS_MAX = 32768   /* of one owner: one a connection of a full front, twice */
};

struct locks;

struct locks *locks_create(struct loop *);
/* Claims that are left go without a callback. */
void locks_free(struct locks **);

/*
 * Claims locks of a principal for an owner (a front's link; the number is the caller's). Returns the claim's token, and
 * `taken` is called once all locks are held: on the loop, never from within a call of this header. 0: over a limit
 * above, nothing was claimed. Tokens are never 0 and never used again. The same name twice counts once.
 */
typedef void locks_taken(uint64_t token, void *data);
uint64_t locks_claim(struct locks *, uint64_t owner, const struct principal *, const char *const names[], size_t count,
	locks_taken *, void *data);

/* Whether the claim is this owner's and holds its locks: what a Commit's transaction must be. */
bool locks_are_held(const struct locks *, uint64_t owner, uint64_t token);

/* Gives up a claim, held or waiting; `taken` does not come any more. false: this owner has no such claim. */
bool locks_release(struct locks *, uint64_t owner, uint64_t token);
/* All claims of an owner that is gone. Returns how many they were. */
size_t locks_release_all(struct locks *, uint64_t owner);

/* Claims in all, held and waiting. */
size_t locks_count(const struct locks *);

#endif
