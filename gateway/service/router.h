/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules of routing, without any state: a change is a hint, a push is a difference of positions. The hub
 * (gateway/hub/route.c) applies them to its park table.
 */
#ifndef BELFRY_GATEWAY_SERVICE_ROUTER_H
#define BELFRY_GATEWAY_SERVICE_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ipc/role.pb-c.h"
#include "lib/model/hint.h"

/*
 * A Position (role.proto) in 16 bytes. validity and next are IMAP's 32 bits; what does not fit is folded into the
 * token by a mixing function: still good for equality (two different ones meet with a chance of 2^-64), never proof.
 */
struct position {
	uint64_t token;
	uint32_t validity;
	uint32_t next;
};
enum { POSITION_FOLDED = UINT32_MAX }; /* validity and next of a folded one */

/* NULL is the unknown position, as is one of zeros only. */
struct position position_pack(const Belfry__Role__Position *);
bool position_is_unknown(const struct position *);
/* Equal and known: the unknown position differs from everything, itself too. */
bool position_is_same(const struct position *, const struct position *);
/* `now` is of the same validity and has items that `then` does not: certain news, whichever of both is older. */
bool position_has_news(const struct position *now, const struct position *then);
/* `now` is of the same validity and has all items that `least` is known to have. */
bool position_has_reached(const struct position *now, const struct position *least);

/* Whether a hint alone proves that a device in this position has news: MessageNew, MessageAppend or ItemNew with the
 * same validity and an item >= next. */
bool router_hint_proves(const struct hint *, const struct position *);
/* The position that such a hint proves at the least: same validity, next above the item; token 0. Unknown if none. */
struct position router_hint_position(const struct hint *);

/*
 * After a hint the backend may still say "same", because hooks may run before the store: it is asked again so long
 * after each such answer. -1: no more, the hint was about something that the device has, or about nothing.
 */
enum { ROUTER_RETRIES = 3 };
int router_retry_ms(unsigned retries_done);

/* What asks a backend that cannot answer waits so long: doubles from 1 s to a minute. */
int router_backoff_ms(unsigned failures);

#endif
