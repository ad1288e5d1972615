/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict on an instance's hooks. */
#include "gateway/service/router_health.h"

static void restart(struct router_health *health, bool is_healthy)
{
	health->is_healthy = is_healthy;
	health->count = 0;
	health->missed = 0;
	health->in_a_row = 0;
}

void router_health_start(struct router_health *health, bool is_healthy)
{
	restart(health, is_healthy);
	health->needed = HEALTH_ANNOUNCED_MIN;
}

static void note(struct router_health *health, bool missed)
{
	health->missed = (uint16_t)(health->missed << 1 | missed);
	if (health->count < HEALTH_WINDOW)
		health->count++;
	health->in_a_row = missed ? 0 : health->in_a_row + (health->in_a_row < HEALTH_ANNOUNCED_MOST);
}

bool router_health_announced(struct router_health *health)
{
	note(health, false);
	if (health->is_healthy || health->in_a_row < health->needed)
		return false;
	restart(health, true);
	return true;
}

bool router_health_missed(struct router_health *health)
{
	note(health, true);
	if (!health->is_healthy || __builtin_popcount(health->missed) <= HEALTH_MISSED_MAX)
		return false;
	restart(health, false);
	health->needed = health->needed * 2 > HEALTH_ANNOUNCED_MOST ? HEALTH_ANNOUNCED_MOST : health->needed * 2;
	return true;
}

void router_health_amend(struct router_health *health)
{
	health->missed &= (uint16_t)~1u;
}
