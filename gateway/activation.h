/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Socket activation (sd_listen_fds(3)): addresses that the service manager has bound and goes on holding while Belfry
 * is started anew, so that phones that come meanwhile wait instead of being refused. Matched by address; what is not
 * there is bound as usual.
 */
#ifndef BELFRY_GATEWAY_ACTIVATION_H
#define BELFRY_GATEWAY_ACTIVATION_H

#include <stdint.h>

struct activation {
	int first;           /* descriptor, and those after it */
	unsigned count;
	uint64_t taken;      /* a bit each */
};

enum { ACTIVATION_MAX = 64 };

/* What LISTEN_PID and LISTEN_FDS say; none, when they speak to another process. */
void activation_begin(struct activation *);
/* The listening socket of this address, as net_bind() takes it, made ready; -1: there is none. Each is given once. */
int activation_take(struct activation *, const char *address);
/* Closes those that nobody wanted, and says so. */
void activation_end(struct activation *);

#endif
