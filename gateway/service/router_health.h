/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Are the hooks of an instance alive? Judged by news (new items: a hook in the delivery path does not know of flags):
 * announced when a hint came before it was found otherwise, missed when a watch or a recheck found it alone.
 * Healthy hooks spare the backend all IDLE; while they are not, IDLE or NOTIFY watches, and shows when they are again.
 */
#ifndef BELFRY_GATEWAY_SERVICE_ROUTER_HEALTH_H
#define BELFRY_GATEWAY_SERVICE_ROUTER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum {
	HEALTH_WINDOW = 16,        /* the last news that count … */
	HEALTH_MISSED_MAX = 3,     /* … of which so many may be missed: another client's APPEND has no delivery hook */
	HEALTH_ANNOUNCED_MIN = 5,  /* announced in a row before an instance is hooked (again) … */
	HEALTH_ANNOUNCED_MOST = 160 /* … doubled with each time that they broke, up to this: no flapping */
};

struct router_health {
	bool is_healthy;
	uint8_t count;             /* news in the window */
	uint16_t missed;           /* a bit each, the latest lowest */
	uint16_t in_a_row;         /* announced, while not healthy */
	uint16_t needed;
};

void router_health_start(struct router_health *, bool is_healthy);
/* true: the verdict has changed by it. */
bool router_health_announced(struct router_health *);
bool router_health_missed(struct router_health *);
/* The hint of the last missed one came right after: hooks may be slower than a watch. */
void router_health_amend(struct router_health *);

#endif
