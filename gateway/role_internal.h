/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between gateway/role.c and the two roles. */
#ifndef BELFRY_GATEWAY_ROLE_INTERNAL_H
#define BELFRY_GATEWAY_ROLE_INTERNAL_H

#include "gateway/role.h"
#include "lib/ipc/role.pb-c.h"

/* What differs between roles. */
struct role_ops {
	/* Reads what only root can read, before privileges go. NULL with error_r. */
	void *(*create)(const struct role_settings *, unsigned number, struct error *error_r);
	int (*start)(void *instance, struct net *, struct error *error_r);
	void (*certificate)(void *instance, const Belfry__Role__Certificate *); /* NULL: gets none */
	void (*drain)(void *instance, unsigned over_s);                         /* NULL: ends at once */
	bool (*is_idle)(void *instance);                                        /* drained; NULL: at once */
	void (*free)(void *instance);
};

extern const struct role_ops role_hub_ops, role_front_ops;

#endif
