/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a connector daemon starts and ends: the first chapter of connectors/contract.h. */
#ifndef BELFRY_CONNECTORS_DAEMON_H
#define BELFRY_CONNECTORS_DAEMON_H

#include <sys/types.h>

#include "lib/net/net.h"

/* The listening socket's name in the daemon's net. */
#define DAEMON_PLACE "connector"

struct daemon {
	struct loop *loop;
	struct net *net;    /* has DAEMON_PLACE */
	struct loop_wakeup *stop;
	struct timer orphan; /* looks whether main is still there */
	pid_t parent;
};

/* The process cannot be dumped or traced, ends with its parent, ignores SIGPIPE. First of all, also in workers. */
void daemon_protect(void);
/* Loop, net and SIGTERM. Ends the process when descriptor 3 is no listening socket. One a process. */
void daemon_start(struct daemon *daemon_r);
/* Runs until SIGTERM, SIGINT, or until main is gone. */
void daemon_run(struct daemon *);
void daemon_free(struct daemon *);
/* Says why on standard error and ends with CONNECTOR_EXIT_CONFIG. */
void daemon_refuse(const struct error *) __attribute__((noreturn));

#endif
