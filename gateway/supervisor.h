/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Main's work once everything is bound: starts the hub, the connectors and the fronts, starts again what dies, kills
 * what hangs so that it is started again, hands out certificates, and ends all of them in order.
 */
#ifndef BELFRY_GATEWAY_SUPERVISOR_H
#define BELFRY_GATEWAY_SUPERVISOR_H

#include "gateway/role.h"

enum {
	SUPERVISOR_BACKOFF_FIRST_MS = 100,
	SUPERVISOR_BACKOFF_MAX_MS = 30000,
	SUPERVISOR_HEALTHY_MS = 60000, /* who lived so long starts again at once and without growing back-off */
	SUPERVISOR_DRAIN_S = 2,        /* held requests are answered over this time; then fronts end */
	SUPERVISOR_KILL_MS = 10000     /* who has not ended this long after it was told is killed */
};

/* Until SIGTERM or SIGINT. single: hub and one front in this process. The status to exit with. */
int supervisor_run(const struct role_settings *, struct places *, bool single);

#endif
