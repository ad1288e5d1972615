/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the hierarchy stands, as the hub will be told it: asked of the watch half, kept in the record HIERARCHY_RECORD
 * for the device's Pings. */
#ifndef BELFRY_GATEWAY_ACTIVESYNC_HIERARCHY_H
#define BELFRY_GATEWAY_ACTIVESYNC_HIERARCHY_H

#include "gateway/activesync/request.h"

enum { HIERARCHY_SILENCE_MS = 1000 }; /* who is waited for so long in vain is waited for no second time */

void hierarchy_ask(struct request *, connector_answered *);
/* Nothing was answered but that nothing was answered, and it took its time: asked anything else, the backend would be
 * waited for as long again. */
bool hierarchy_is_silent(const struct request *, const Belfry__Connector__Response *);
/* From the answer, in the arena. NULL: it is not to be had, and Pings will not tell of new folders. */
Belfry__Role__Position *hierarchy_read(const Belfry__Connector__Response *, struct arena *);
/* The record's new content (Begin has read the old); NULL: it is as before. */
Belfry__Role__Write *hierarchy_write(struct request *, Belfry__Role__Position *);

#endif
