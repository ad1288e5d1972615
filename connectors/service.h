/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The daemon's end of connector.proto: takes hub and fronts in at a place, unpacks what they ask, sends what is
 * answered. What it means is the owner's.
 */
#ifndef BELFRY_CONNECTORS_SERVICE_H
#define BELFRY_CONNECTORS_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/error.h"
#include "lib/ipc/connector.pb-c.h"
#include "lib/net/net.h"

struct service;
struct service_client; /* the hub or a front */

struct service_events {
	/* Anything but Hello and Trace. The request and all in it live until this returns; a password in it is wiped then. */
	void (*asked)(struct service_client *, const Belfry__Connector__Request *, void *owner);
	/* The client is gone: forget the pointer. */
	void (*left)(struct service_client *, void *owner);
	/* The client has taken all that was sent to it. May be NULL. */
	void (*drained)(struct service_client *, void *owner);
	/* What is traced in this process has changed so. May be NULL. */
	void (*traced)(const Belfry__Role__Trace *, void *owner);
};

/* NULL with error_r. The clients' `left` is not called by service_close. */
struct service *service_listen(struct net *, const char *place, const struct service_events *, void *owner,
	struct error *error_r);
void service_close(struct service **);

/* During `asked`: the descriptor that came with the request, for the callee to close; -1: none, or taken already. */
int service_take_fd(struct service_client *);
/* Sends a response; fd -1, or a descriptor that it takes over. One with id 0 that answers a request is not sent. */
void service_answer(struct service_client *, const Belfry__Connector__Response *, int fd);
/* A status and no body. reason may be NULL; never a secret. */
void service_answer_status(struct service_client *, uint64_t id, Belfry__Connector__Status, const char *reason);
/* Without having been asked: Positions with id 0. */
void service_tell(struct service_client *, const Belfry__Connector__Positions *);
/* How the backend is now: told to each hub, now and when it comes. trouble: NULL: all is well. */
void service_tell_backend(struct service *, const char *trouble);
/* A packed response, unread. */
void service_pass(struct service_client *, const void *packed, size_t length, int fd);
/* The client has not taken much of what it was sent: whoever sends more waits for `drained`. */
bool service_is_clogged(const struct service_client *);
enum {
	SERVICE_PENDING_MAX = 1024 * 1024, /* bytes that wait for one client */
	SERVICE_DESCRIPTORS_MAX = 24       /* and descriptors: a stream carries 64 */
};

#endif
