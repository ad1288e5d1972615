/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kinds of stream share: for lib/core/stream*.c and lib/net only. */
#ifndef BELFRY_LIB_CORE_STREAM_INTERNAL_H
#define BELFRY_LIB_CORE_STREAM_INTERNAL_H

#include <ev.h>

#include "lib/core/stream.h"

enum { STREAM_READ_BYTES = 64 * 1024 }; /* at most so much is read from one stream in one turn: nobody starves others */

/* What a read or write of a transport says besides a count of bytes. */
enum { STREAM_AGAIN = -1, STREAM_EOF = -2, STREAM_BROKEN = -3 };

struct stream_ops {
	/* Goes on connecting or shaking hands: 0 done, STREAM_AGAIN, STREAM_BROKEN. NULL: is connected at once. */
	int (*connect)(struct stream *);
	ssize_t (*read)(struct stream *, char *bytes, size_t room);
	ssize_t (*write)(struct stream *, const char *bytes, size_t length);
	/* Tells the transport which ways are wanted; may be more than before. */
	void (*want)(struct stream *, bool read, bool write);
	void (*close)(struct stream *);
	void (*peer_address)(const struct stream *, char *text, size_t size);
	int (*peer_user)(const struct stream *, uid_t *uid_r, pid_t *pid_r);
};

struct stream_fds;

/* What a stream needs only while bytes are under way, or something is to be done in this turn. */
struct stream_work {
	struct stream *stream;
	struct buffer in, out;
	struct stream_fds *fds;     /* descriptors on their way, NULL mostly */
	char *error;
	struct deferred turn;       /* flush, announce or free in this turn */
};

/* Small: each phone that waits keeps one of these. Its owner is in io.data, which libev leaves alone. */
struct stream {
	const struct stream_ops *ops;
	struct loop *loop;
	stream_callback *callback;
	void *transport;            /* SSL of lib/net/tls, the peer of a memory stream */
	struct stream_work *work;   /* NULL mostly */
	ev_io io;                   /* sockets; fd -1 otherwise */
	bool connected : 1, paused : 1, finishing : 1, closed : 1, failed : 1, ended : 1, announce : 1, ended_told : 1;
	bool is_local : 1;                         /* AF_UNIX, descriptors can travel */
	bool takes_fds : 1;                        /* stream_expect_fds() */
	bool has_secrets : 1;                      /* its buffers wipe */
	bool reads_at_once : 1;                    /* its first bytes are probably there: not worth a turn of polling */
};

/* A stream over these operations; fd -1 for one without a socket. */
struct stream *stream_create(struct loop *, const struct stream_ops *, int fd, stream_callback *, void *owner);
/* The transport can read or write (or go on connecting). */
void stream_ready(struct stream *, bool readable, bool writable);
/* Tells the owner in this turn of what is in stream_input(), and of the end; and: flushes in this turn. */
void stream_announce(struct stream *);
void stream_flush(struct stream *);
/* Whether bytes came that were not consumed yet. */
static inline bool stream_has_input(const struct stream *stream)
{
	return stream->work != NULL && stream->work->in.length > 0;
}
/* Notes why, once; returns STREAM_BROKEN. */
int stream_break(struct stream *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One end of a memory pair that is not connected yet: STREAM_CONNECTED comes in the next turn, or STREAM_FAILED when
 * the other end was closed by then. */
void stream_memory_connect(struct stream *, stream_callback *, void *owner);
/* A stream that fails in the next turn, for the reason given. */
struct stream *stream_refused(struct loop *, stream_callback *, void *owner, const char *why);
/* Descriptors on their way with bytes: AF_UNIX and memory streams. */
int stream_fd_next_out(struct stream *, size_t *bytes_before_r); /* -1: none */
void stream_fd_sent(struct stream *);
void stream_fd_received(struct stream *, int fd); /* closes it where none is expected */

#endif
