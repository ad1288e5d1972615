/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What systemd is told (sd_notify(3)): one datagram each, so no library is needed. Without systemd nothing happens. */
#ifndef BELFRY_GATEWAY_NOTIFY_READY_H
#define BELFRY_GATEWAY_NOTIFY_READY_H

/* "READY=1", "STOPPING=1", "WATCHDOG=1" … */
void notify_ready(const char *state);
/* How often the watchdog is to be told, in ms: half of what systemd waits for. 0: not at all. */
long notify_watchdog_ms(void);

#endif
