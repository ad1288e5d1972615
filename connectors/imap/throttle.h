/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Slows down who guesses passwords, without locking out whom they guess for: wrong passwords count by user and
 * address together, and by address over all users; a device that has logged in as that user before counts by itself,
 * wherever it is. The same wrong password again is no guess: a phone repeats what it has saved.
 */
#ifndef BELFRY_CONNECTORS_IMAP_THROTTLE_H
#define BELFRY_CONNECTORS_IMAP_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	THROTTLE_FREE = 5,              /* wrong passwords before the first wait: typing errors */
	THROTTLE_ADDRESS_FREE = 50,     /* of one address with any user: many phones may share it */
	THROTTLE_WAIT_MAX_S = 900,      /* waits double from 1 s to this */
	THROTTLE_FORGET_S = 3600,       /* without a wrong password */
	THROTTLE_SAME_S = 30,           /* so long a refused password is refused without asking the backend again */
	THROTTLE_ENTRIES_MAX = 65536,   /* over it the longest untouched goes: about 10 MB */
	THROTTLE_DEVICES_MAX = 262144
};

struct throttle;

/* Who tries. digest: of user and password, never the password. address: as the front sees it, may be "". */
struct throttle_try {
	const char *user, *address, *device;
	uint64_t digest;
};

struct throttle *throttle_create(void);
void throttle_free(struct throttle **);

/* Seconds to wait before this may be tried; 0: now. */
unsigned throttle_wait_s(const struct throttle *, const struct throttle_try *, int64_t now_ms);
/* Was just this password refused a moment ago? */
bool throttle_is_refused(const struct throttle *, const struct throttle_try *, int64_t now_ms);
void throttle_refused(struct throttle *, const struct throttle_try *, int64_t now_ms);
/* The password was right: the device is known from now on, its count is cleared. */
void throttle_accepted(struct throttle *, const struct throttle_try *);

#endif
