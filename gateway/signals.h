/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signals as calls from the loop. One set a process. */
#ifndef BELFRY_GATEWAY_SIGNALS_H
#define BELFRY_GATEWAY_SIGNALS_H

#include "lib/core/loop.h"

struct signals;

/* SIGTERM, SIGINT, SIGHUP and SIGCHLD are told from now on; SIGPIPE and SIGUSR1 are ignored. Not to be closed from
 * within what it calls. */
typedef void signals_told(int signal, void *data);
struct signals *signals_open(struct loop *, signals_told *, void *data);
void signals_close(struct signals **);
/* In a child, before anything else: everything as the kernel has it, nothing of the parent's loop touched. */
void signals_reset(void);

#endif
