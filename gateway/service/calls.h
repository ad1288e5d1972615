/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Questions under way on one link: an id each, an answer or an end for each. The place may die and come back:
 * whoever waits is told "unavailable" once, and the link is made again with back-off. Field 1 of each message is its
 * id, a varint. For hub_client and connector_client.
 */
#ifndef BELFRY_GATEWAY_SERVICE_CALLS_H
#define BELFRY_GATEWAY_SERVICE_CALLS_H

#include "lib/ipc/link.h"
#include "lib/net/net.h"

enum {
	CALLS_RECONNECT_FIRST_MS = 20,
	CALLS_RECONNECT_MAX_MS = 2000,
	CALLS_MAX = 50000 /* under way; over it a caller is told "unavailable" at once: every phone of a front, thrice */
};

struct calls;
struct call;

/* Answered with a frame (body valid during the call; fd the callee's, -1 none), or with body NULL: unavailable.
 * Returns true while more frames of the same answer are to come (ignored after NULL). */
typedef bool call_answered(const uint8_t *body, size_t length, int fd, void *data);

struct calls_events {
	void (*hello)(struct calls *, void *owner); /* the link was made: what is sent now goes first */
	void (*connected)(void *owner);             /* and reached the other end. May be NULL */
	/* A frame that answers nothing (id 0). -1: wrong form. */
	int (*told)(const uint8_t *body, size_t length, void *owner);
	bool carry_secrets;                         /* as link_carry_secrets() */
};

struct calls *calls_create(struct net *, const char *place, const struct calls_events *, void *owner);
/* Everybody who waits is told "unavailable". */
void calls_free(struct calls **);

/* A new question: the caller sends it under call_id() with calls_send(). timeout_ms: silence for so long is "unavailable". */
struct call *calls_begin(struct calls *, int64_t timeout_ms, call_answered *, void *data);
uint64_t call_id(const struct call *);
/* The caller does not care any more: no answer will come. Clears the pointer; NULL is fine. */
void call_cancel(struct call **);

/* Without a link, or when the message is too long for one, the call (NULL: none) ends "unavailable" in the next turn. */
void calls_send(struct calls *, const ProtobufCMessage *, struct call *);
/* The same with a descriptor, which is taken over. */
void calls_send_fd(struct calls *, const ProtobufCMessage *, int fd, struct call *);
bool calls_are_connected(const struct calls *);

#endif
