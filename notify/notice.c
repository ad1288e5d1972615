/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a notice is for the front that holds the device's request. */
#include "notify/contract.h"

Belfry__Role__Wake notice_wake(const struct notice *notice)
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
	wake.sent_us = notice->sent_us;
	return wake;
}
