/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rings a device whose request is held: one Wake to the front that holds it. */
#include "notify/ping.h"

#include <stdint.h>

Belfry__Role__Wake ping_wake(const struct notice *notice)
{
	Belfry__Role__Wake wake = BELFRY__ROLE__WAKE__INIT;

	wake.slot = notice->slot;
	wake.generation = notice->generation;
	wake.reason = notice->reason;
	wake.n_changed = notice->changed_count;
	wake.changed = (uint32_t *)(uintptr_t)notice->changed; /* packing does not write there */
	wake.change_id = (char *)(uintptr_t)notice->change_id;
	wake.source = (char *)(uintptr_t)notice->source;
	wake.happened_us = notice->happened_us;
	return wake;
}

static void ring(const struct notice *notice)
{
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Wake wake = ping_wake(notice);

	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_WAKE;
	message.wake = &wake;
	link_send(notice->front, &message.base, -1);
}

const struct notifier notifier_ping = {.name = "ping", .ring = ring};
