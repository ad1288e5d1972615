/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A role of belfryd: the hub or one front, in a process of its own or, with belfryd -s, beside main. Main talks to it
 * over its rein (lib/ipc/role.proto, Rein) in both cases.
 */
#ifndef BELFRY_GATEWAY_ROLE_H
#define BELFRY_GATEWAY_ROLE_H

#include "gateway/config.h"
#include "gateway/front.h"
#include "gateway/places.h"
#include "lib/core/stream.h"
#include "notify/contract.h"

enum role_kind { ROLE_HUB, ROLE_FRONT };

/* What main's tables and the configuration say; outlives the roles. */
struct role_settings {
	const struct config *config;
	const struct front_engine *engines;
	size_t engine_count;
	const struct notifier *const *notifiers; /* up to a NULL */
};

struct role;

/* The role has done all that it will do: it was drained, or its rein broke. */
typedef void role_ended(void *data);

/* number: of a front, from 1; 0 for the hub. Reads what only root can read. NULL with error_r. */
struct role *role_create(enum role_kind, unsigned number, const struct role_settings *, struct error *error_r);
/* The rein is the role's from here on, also when it fails: -1 with error_r. */
int role_start(struct role *, struct net *, struct stream *rein, role_ended *, void *data, struct error *error_r);
void role_free(struct role **);

/* The life of a forked role: gives up its privileges, runs until told to end, exits. The places are its copy. */
_Noreturn void role_live(enum role_kind, unsigned number, const struct role_settings *, struct places *, int rein);

/* Closes every descriptor from 3 on but these. */
void role_keep_descriptors(const int *fds, size_t count);

#endif
