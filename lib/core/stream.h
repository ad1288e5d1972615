/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One buffered stream of bytes with few events. Whether a TCP or AF_UNIX socket, TLS or memory is below, no caller
 * sees a descriptor, OpenSSL or libev. Made by lib/net (sockets, TLS) or stream_memory_pair().
 *
 * A stream that is idle holds no buffer: sizeof(struct stream) plus what TLS keeps is all a parked phone costs here.
 */
#ifndef BELFRY_LIB_CORE_STREAM_H
#define BELFRY_LIB_CORE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/core/buffer.h"
#include "lib/core/loop.h"

struct stream;

enum stream_event {
	STREAM_CONNECTED, /* connected, and TLS is ready where there is TLS */
	STREAM_DATA,      /* more bytes in stream_input() */
	STREAM_DRAINED,   /* all that was written has left */
	STREAM_ENDED,     /* the peer closed; what it sent before is in stream_input() */
	STREAM_FAILED     /* broken; stream_error() says how. Only stream_close() makes sense now */
};

/* The callback may close the stream and free its owner: whoever called it touches neither afterwards. */
typedef void stream_callback(struct stream *, enum stream_event, void *owner);

/* Two ends joined in memory: what one writes the other reads in the next turn of the loop. Both are connected. */
void stream_memory_pair(struct loop *, struct stream **a_r, struct stream **b_r);

/* From now on events go here; bytes that arrived before are announced again in the next turn. */
void stream_own(struct stream *, stream_callback *, void *owner);

/* From now on bytes that have passed, either way, are overwritten where they stood. */
void stream_carry_secrets(struct stream *);

/* Bytes received and not yet consumed (buffer_consume()); the buffer belongs to the stream. */
struct buffer *stream_input(struct stream *);
/* No more STREAM_DATA until resumed; the peer is slowed down by its own full socket. */
void stream_pause(struct stream *);
void stream_resume(struct stream *);

/* Takes a copy; leaves together with whatever else is written in this turn. */
void stream_write(struct stream *, const void *bytes, size_t length);
/* Takes the buffer's content without a copy where it can; the buffer is empty afterwards. */
void stream_write_buffer(struct stream *, struct buffer *);
/* Bytes written that have not left yet. */
size_t stream_pending(const struct stream *);

/* A descriptor travels with the next byte written (AF_UNIX and memory only); the stream owns it from here on. */
void stream_write_fd(struct stream *, int fd);
/* From now on descriptors that come along are kept for stream_take_fd(). Elsewhere they are dropped unseen, lest whoever
 * may connect fills our table with his. */
void stream_expect_fds(struct stream *);
/* The oldest descriptor received and not taken; -1: none. The caller owns it. */
int stream_take_fd(struct stream *);

/* Closes now; what has not left is lost. Clears the pointer; NULL is fine. */
void stream_close(struct stream **);
/* Sends what is pending (within STREAM_LINGER_MS), then closes. No event comes any more. Clears the pointer. */
void stream_finish(struct stream **);
enum { STREAM_LINGER_MS = 30000 };  /* a phone at 1 kB/s takes the rest of an error answer in far less */

const char *stream_error(const struct stream *);
/* The peer's address, "192.0.2.1" or "[2001:db8::1]", "local" for AF_UNIX and memory; always terminated. */
void stream_peer_address(const struct stream *, char *text, size_t size);
/* Who is at the other end of an AF_UNIX socket (SO_PEERCRED); memory: ourselves. -1: not known. */
int stream_peer_user(const struct stream *, uid_t *uid_r, pid_t *pid_r);
struct loop *stream_loop(const struct stream *);

#endif
