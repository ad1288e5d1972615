/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How often a device comes. Each request takes one of its tokens, and one that got it further gives the token back: so
 * a first Sync of any length is never in the way of itself, and a device that goes round in circles has `burst`
 * requests, and then `per_minute`. Devices that are as good as new are not remembered.
 */
#ifndef BELFRY_GATEWAY_HUB_PACE_H
#define BELFRY_GATEWAY_HUB_PACE_H

#include "gateway/service/principal.h"
#include "lib/core/loop.h"

enum {
	PACE_DEVICES_MAX = 65536,  /* over it the longest unseen goes: about 10 MB, and it takes so many storms at once */
	PACE_REST_S = 30           /* who comes too often is to wait for so long: not to be refused each other time */
};

struct pace;
/* per_minute 0: every device may come as often as it likes. */
struct pace *pace_create(struct loop *, unsigned burst, unsigned per_minute);
void pace_free(struct pace **);

/* 0: it may come; else it is to come again in so many seconds. */
unsigned pace_take(struct pace *, const struct principal *);
void pace_give_back(struct pace *, const struct principal *);
/* How many devices are remembered. */
unsigned pace_count(const struct pace *);

#endif
