/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Stands between an asker and a connector, for tests: holds each answer back for a turn of the loop or several, lets
 * answers to different requests overtake each other, shows all that passes, and can cut the line. Whoever relies on
 * an answer coming at once, or in the order of asking, is found out.
 */
#ifndef BELFRY_CONNECTORS_PROXY_PROXY_H
#define BELFRY_CONNECTORS_PROXY_PROXY_H

#include <stdint.h>

#include "lib/net/net.h"

struct proxy;

struct proxy_options {
	unsigned least_turns, most_turns; /* how long an answer is held; both 0: not at all */
	uint32_t seed;                    /* the same seed, the same delays */
	/* Each frame as a line: "> id=3 survey", "< id=3 surveyed status=0". NULL: not wanted. */
	void (*passed)(const char *line, void *data);
	void *data;
};

/* Listens at `place`; for each who comes it connects to `behind`. NULL with error_r. */
struct proxy *proxy_create(struct net *, const char *place, const char *behind, const struct proxy_options *,
	struct error *error_r);
void proxy_free(struct proxy **);
/* Breaks all connections, as if the connector had died; what is held is lost. New ones are taken. */
void proxy_cut(struct proxy *);

#endif
