/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asking connector daemons (lib/ipc/connector.proto). Never blocks; a daemon that is killed or hangs costs whoever
 * asked it one "unavailable", which is a retryable answer to the device.
 */
#ifndef BELFRY_GATEWAY_SERVICE_CONNECTOR_CLIENT_H
#define BELFRY_GATEWAY_SERVICE_CONNECTOR_CLIENT_H

#include "lib/ipc/connector.pb-c.h"
#include "lib/net/net.h"

struct connector_client;
struct connector_call;

/* An instance's timeout_s. */
typedef unsigned connector_timeout(const char *instance, const void *data);

/* role, number: for Hello. timeout_s NULL: CONNECTOR_TIMEOUT_S for all. */
struct connector_client *connector_client_create(struct net *, const char *role, unsigned number,
	connector_timeout *timeout_s, const void *data);
void connector_client_free(struct connector_client **);

/* An answer, or one frame of it. Exactly one frame has is_last. When the daemon is gone or silent the status is
 * UNAVAILABLE. The response is valid during the call; fd (-1: none) is the callee's to close. */
typedef void connector_answered(const Belfry__Connector__Response *, int fd, bool is_last, void *data);

/* Sends the request (its id is set here) to the instance's daemon. */
struct connector_call *connector_ask(struct connector_client *, const char *instance, Belfry__Connector__Request *,
	connector_answered *, void *data);
/* The same with a descriptor, which is taken over. */
struct connector_call *connector_ask_fd(struct connector_client *, const char *instance, Belfry__Connector__Request *,
	int fd, connector_answered *, void *data);
/* Logins by their answers, since the start. */
struct connector_logins {
	uint64_t accepted, refused, throttled, failed;
};
void connector_logins(const struct connector_client *, struct connector_logins *logins_r);

/* No answer will come any more. Clears the pointer; NULL is fine. Not for a call whose last frame came. */
void connector_call_cancel(struct connector_call **);

/* Silence on one request, or between two frames of its answer, counts as gone when it lasts so much longer than the
 * daemon's own limit, its timeout_s: so its words reach us where it can speak, and nothing that was given up here is
 * begun there. */
enum { CONNECTOR_TIMEOUT_S = 30, CONNECTOR_MARGIN_S = 30 };

#endif
