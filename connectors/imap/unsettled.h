/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moves whose outcome nobody knows, because the worker or its session was lost in the middle. For servers
 * on which a move leaves no trace of its own (worker_move.c).
 */
#ifndef BELFRY_CONNECTORS_IMAP_UNSETTLED_H
#define BELFRY_CONNECTORS_IMAP_UNSETTLED_H

#include <stdint.h>

enum {
	UNSETTLED_MAX = 1000,       /* collections at a time; over it the oldest is forgotten */
	UNSETTLED_KEEP_S = 3600     /* a phone repeats its request within minutes; later it is a deletion of its own */
};

struct unsettled;

struct unsettled *unsettled_create(void);
void unsettled_free(struct unsettled **);

/* target: where to; "": the trash. uid_next: its UIDNEXT before the move. Of several moves the first counts, and the time of
 * the last. */
void unsettled_add(struct unsettled *, const char *user, const char *collection, const char *target, uint64_t uid_next,
	int64_t now_ms);
/* 0: there is none. since_ms_r: when it was lost. */
uint64_t unsettled_find(const struct unsettled *, const char *user, const char *collection, const char *target,
	int64_t now_ms, int64_t *since_ms_r);

#endif
