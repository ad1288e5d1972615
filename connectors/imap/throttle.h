/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Slows down who guesses passwords, without locking out whom they guess for: wrong passwords count by user and
 * address together, and by address over all users; a device that has logged in as that user from that network before
 * counts by itself there. The same wrong password again is no guess: a phone repeats what it has saved.
 *
 * What is under way counts as wrong until it has ended: else a thousand guesses at once would all be free.
 */
#ifndef BELFRY_CONNECTORS_IMAP_THROTTLE_H
#define BELFRY_CONNECTORS_IMAP_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	THROTTLE_FREE = 5,              /* wrong passwords before the first wait: typing errors */
	THROTTLE_ADDRESS_FREE = 50,     /* of one address with any user: many phones may share it */
	THROTTLE_ADDRESS_PENDING_MAX = 500, /* under way of one address: phones behind it come in storms, and are right */
	THROTTLE_PENDING_WAIT_S = 1,    /* what is under way is soon decided */
	THROTTLE_WAIT_MAX_S = 900,      /* waits double from 1 s to this */
	THROTTLE_FORGET_S = 3600,       /* without a wrong password */
	THROTTLE_SAME_S = 30,           /* so long a refused password is refused without asking the backend again */
	THROTTLE_ENTRIES_MAX = 65536,   /* over it the longest untouched goes: about 10 MB */
	THROTTLE_NETWORK_BYTES = 64     /* of the name of a network, with its NUL */
};

struct throttle;

/* Who tries. digest: of user and password, never the password. address: as the front sees it, may be "". */
struct throttle_try {
	const char *user, *address, *device;
	uint64_t digest;
};

/* One that is under way; zeroed: none. */
struct throttle_claim {
	struct pending *own, *network;
};

struct throttle *throttle_create(void);
void throttle_free(struct throttle **);

/* Seconds to wait before this may be tried; 0: now. */
unsigned throttle_wait_s(const struct throttle *, const struct throttle_try *, int64_t now_ms);
/* Was just this password refused a moment ago? */
bool throttle_is_refused(const struct throttle *, const struct throttle_try *, int64_t now_ms);
/* Before the backend is asked. False: so many are under way that this one must wait, THROTTLE_PENDING_WAIT_S. */
bool throttle_begin(struct throttle *, const struct throttle_try *, int64_t now_ms, struct throttle_claim *claim_r);
void throttle_end(struct throttle *, struct throttle_claim *);
void throttle_refused(struct throttle *, const struct throttle_try *, int64_t now_ms);
/* The password was right: the device is known there from now on. */
void throttle_accepted(struct throttle *, const struct throttle_try *);
/* The password was right and had to be found first: wrong ones before it were typing errors. Not for one that was
 * right already, or a phone that goes on working would pardon whoever guesses beside it. */
void throttle_pardon(struct throttle *, const struct throttle_try *);

/* The address, or of an IPv6 address its /64: whoever has that has 2^64 addresses. The front writes them in brackets. */
void throttle_network(const char *address, char network_r[THROTTLE_NETWORK_BYTES]);

#endif
