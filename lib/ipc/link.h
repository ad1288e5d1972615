/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A link carries frames over a stream: 4 bytes length (big endian, of what follows), 1 byte flags, then one protobuf
 * message. Flag LINK_FLAG_FD says that a descriptor (SCM_RIGHTS) travels with the frame.
 * The schemas are role.proto (between roles) and connector.proto (to connector daemons).
 */
#ifndef BELFRY_LIB_IPC_LINK_H
#define BELFRY_LIB_IPC_LINK_H

#include <stdint.h>
#include <protobuf-c/protobuf-c.h>

#include "lib/core/stream.h"

enum { LINK_FLAG_FD = 1 };
enum {
	LINK_FRAME_MAX = 4 * 1024 * 1024,  /* a frame over this is a broken peer: bodies over 64 kB travel as a descriptor */
	LINK_PENDING_MAX = 64 * 1024 * 1024 /* a peer that does not read is cut off here; it reconnects and asks anew */
};

struct link;

struct link_events {
	/* The stream is connected (comes at once for an accepted one). May be NULL. */
	void (*connected)(struct link *, void *owner);
	/* A frame: the body is valid during the call; fd is the caller's to close, -1: none. */
	void (*received)(struct link *, const uint8_t *body, size_t length, int fd, void *owner);
	/* The peer is gone or broke the form; why is for the log. The callee calls link_close(). */
	void (*lost)(struct link *, const char *why, void *owner);
	/* All that was sent has left. May be NULL. */
	void (*drained)(struct link *, void *owner);
};

/* Takes the stream over. The callbacks may close the link. */
struct link *link_create(struct stream *, const struct link_events *, void *owner);
void link_close(struct link **);
/* Passwords pass here: frames are overwritten where they stood. */
void link_carry_secrets(struct link *);
/* Whose uid is at the other end; -1: unknown. */
int link_peer_user(const struct link *, uid_t *uid_r);

/* Packs and sends; leaves with whatever else is sent in this turn. fd: -1 or a descriptor that the link takes over.
 * -1: too long for a frame; it is not sent, and the log says so. The link goes on: it carries others' messages, too. */
int link_send(struct link *, const ProtobufCMessage *, int fd);
/* Passes a packed message on, unread (a daemon between a worker and a front). */
int link_send_packed(struct link *, const uint8_t *body, size_t length, int fd);
size_t link_pending(const struct link *);
/* No more frames until resumed, from within `received` too; the peer is slowed down by its own full socket. */
void link_pause(struct link *);
void link_resume(struct link *);

#endif
