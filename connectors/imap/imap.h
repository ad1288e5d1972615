/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * belfry-imap, the daemon: one loop that takes hub and fronts in, verifies logins, watches mailboxes, and passes the
 * work on mails to worker processes. It never looks into a mail, nor into the answers that it passes on.
 *
 *   service ─▶ login ─▶ throttle, account (verified logins, handles) ─▶ backend
 *           ─▶ pool ─▶ workers                    (access half)
 *           ─▶ watch ─▶ watch_session ─▶ backend  (watch half)
 */
#ifndef BELFRY_CONNECTORS_IMAP_IMAP_H
#define BELFRY_CONNECTORS_IMAP_IMAP_H

#include "connectors/imap/process.h"
#include "connectors/imap/settings.h"
#include "lib/net/net.h"

struct imap;

/* Listens at the place. The settings stay the caller's. NULL with error_r. */
struct imap *imap_start(struct net *, const char *place, const struct imap_settings *, const struct process_ways *,
	struct error *error_r);
void imap_stop(struct imap **);

#endif
