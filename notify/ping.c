/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rings a device whose request is held: one Wake to the front that holds it. */
#include "notify/ping.h"

static void ring(const struct notice *notice)
{
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Wake wake = notice_wake(notice);

	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_WAKE;
	message.wake = &wake;
	link_send(notice->front, &message.base, -1);
}

const struct notifier notifier_ping = {.name = "ping", .ring = ring};
