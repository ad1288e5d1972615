/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The places of ARCHITECTURE.md, bound by main before it forks: a role that dies loses no connection attempt, and no
 * role needs the right to bind. Also the folders: run_dir with its spool, state_dir.
 */
#ifndef BELFRY_GATEWAY_PLACES_H
#define BELFRY_GATEWAY_PLACES_H

#include "gateway/config.h"
#include "lib/net/net.h"

struct places {
	const struct config *config;
	int lock;                /* of run_dir: there is one belfryd to it */
	int hub, hook, control;
	int hook_udp, metrics;   /* -1: none */
	int *connectors;         /* one each, in the configuration's order */
	int *https, *http, *proxy; /* one an address */
};

/* Makes the folders and binds everything, with the owners and modes that say who may connect. NULL with error_r; another
 * belfryd that serves there is left alone. */
struct places *places_bind(const struct config *, struct error *error_r);
/* Closes what is not -1, and removes the sockets' names when `unbind`. */
void places_free(struct places **, bool unbind);

/* Which places a role listens at; it may connect to all that have a path. */
enum { PLACES_HUB = 1, PLACES_FRONT = 2 };
/* Hands the descriptors of these roles over to the net (they are -1 here from then on), and all paths; 0: those only. */
void places_give(struct places *, struct net *, unsigned roles);

/* run_dir/spool, in a buffer of the caller's. */
void places_spool(const struct config *, char *path_r, size_t size);

#endif
