/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The addresses of one host, looked up by a thread of its own so that no loop waits for DNS. It is looked up again when
 * it is RESOLVE_AGE_S old and somebody asks, and meanwhile the old ones are given: a backend rarely moves.
 */
#ifndef BELFRY_LIB_NET_RESOLVE_H
#define BELFRY_LIB_NET_RESOLVE_H

#include "lib/core/error.h"
#include "lib/core/loop.h"

enum {
	RESOLVE_AGE_S = 300,
	RESOLVE_RETRY_S = 5,   /* after a failure */
	RESOLVE_ADDRESSES_MAX = 8
};

struct resolver;

/* host: a name or a numeric address (then nothing is ever looked up). Starts the first lookup. Real loops only. */
struct resolver *resolver_create(struct loop *, const char *host, unsigned port);
/* "192.0.2.1:143" or "[2001:db8::1]:143", for net_connect_address(); valid until the next call. number: 0 is to be tried
 * first, the next when it cannot be reached. NULL with error_r: there is no such one, or none is known (yet). */
const char *resolver_address(struct resolver *, unsigned number, struct error *error_r);
/* The first lookup is not over: waiting a moment may help. */
bool resolver_is_starting(const struct resolver *);
/* Waits for a lookup under way: seconds at the most. */
void resolver_free(struct resolver **);

#endif
