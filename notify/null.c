/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rings nobody. */
#include "notify/null.h"

#include "lib/core/log.h"

static void ring(const struct notice *notice)
{
	log_trace(LOG_NOTIFY, notice->user, notice->device, "notifier=null user=%s device=%s change=%s source=%s",
		log_quote(notice->user), log_quote(notice->device), log_quote(notice->change_id), log_quote(notice->source));
}

const struct notifier notifier_null = {.name = "null", .ring = ring};
