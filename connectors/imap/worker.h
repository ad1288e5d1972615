/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The access half: a process that does the mail work of hashed users by libetpan, blocking. See worker.proto. */
#ifndef BELFRY_CONNECTORS_IMAP_WORKER_H
#define BELFRY_CONNECTORS_IMAP_WORKER_H

#include "connectors/imap/board.h"
#include "connectors/imap/settings.h"

/* Serves requests from the connected, blocking AF_UNIX socket until it ends. Returns the process's exit status.
 * Has set up nothing before but the log; the board is never NULL. */
int worker_run(int link_fd, const struct imap_settings *, struct board *);

#endif
