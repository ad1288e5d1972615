/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UDP: datagrams that come in at a place. Nothing is answered: who sends them learns nothing from us. */
#ifndef BELFRY_LIB_NET_DATAGRAM_H
#define BELFRY_LIB_NET_DATAGRAM_H

#include "lib/net/net.h"

struct datagrams;

/* from: the sender's address, which anybody can forge; the bytes are valid during the call. */
typedef void datagram_received(const void *bytes, size_t length, const char *from, void *data);

enum {
	DATAGRAM_MAX = 2048,     /* what is longer is dropped: no message of ours comes near */
	DATAGRAM_BATCH = 64      /* at most so many a turn */
};

/* The place's socket was given with net_add_listener(); a memory place never receives anything. NULL with error_r. */
struct datagrams *datagrams_open(struct net *, const char *place, datagram_received *, void *data, struct error *error_r);
/* The socket stays the net's. */
void datagrams_close(struct datagrams **);

/* A bound UDP socket: "PORT", "HOST:PORT", "[HOST]:PORT" with a numeric HOST; -1 with error_r. */
int datagram_bind(const char *address, struct error *error_r);

#endif
