/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A simulated ActiveSync 14.1 phone for load: Provision, FolderSync, Sync of five collections to their end, then Pings
 * that are held; after each bell it synchronises again and goes on holding. Thousands live in one process.
 *
 * With `floor` it knows nothing but a Ping and its answer: what the bare server of floor_server.c understands.
 */
#ifndef BELFRY_TESTS_LOAD_PHONE_H
#define BELFRY_TESTS_LOAD_PHONE_H

#include "lib/core/stream.h"
#include "lib/net/tls.h"

enum { PHONE_COLLECTIONS = 5, PHONE_KEY_MAX = 48 };

enum phone_state {
	PHONE_OFF, PHONE_TOLD_TO_WAIT, PHONE_PROVISION, PHONE_ACKNOWLEDGE, PHONE_FOLDERS, PHONE_SYNC, PHONE_HELD, PHONE_STOPPED, PHONE_BROKEN
};

struct phone;

struct phone_events {
	void (*held)(struct phone *);                       /* its Ping has been sent */
	void (*rung)(struct phone *, int64_t answered_ns);  /* an answer "changes" was read whole */
	void (*told_to_wait)(struct phone *);               /* 503: it comes again when Retry-After is over */
	void (*broken)(struct phone *, const char *why);    /* nothing more comes from it */
};

struct phone_settings {
	struct loop *loop;
	const char *address;              /* "127.0.0.1:443" */
	struct tls_client_context *tls;   /* NULL: plain HTTP */
	const char *domain, *password;    /* its user is u<number>@<domain> */
	unsigned heartbeat_s;
	bool floor;
	const struct phone_events *events;
	void *owner;
};

struct phone {
	const struct phone_settings *settings;
	struct stream *stream;
	struct timer again;               /* TOLD_TO_WAIT */
	uint32_t number;                  /* of its user */
	uint32_t policy_key;
	uint32_t rung;                    /* times */
	uint8_t state;
	bool stops_after_bell;            /* phone_go_on() lets it synchronise */
	bool more;                        /* a collection has more to tell */
	uint8_t collections;
	uint16_t ids[PHONE_COLLECTIONS];
	char keys[PHONE_COLLECTIONS][PHONE_KEY_MAX];
};

void phone_start(struct phone *, const struct phone_settings *, uint32_t number);
/* After a bell with stops_after_bell: Sync, then Ping again. */
void phone_go_on(struct phone *);
void phone_stop(struct phone *);
int64_t phone_now_ns(void);           /* CLOCK_MONOTONIC */

#endif
