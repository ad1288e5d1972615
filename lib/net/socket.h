/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The socket transport of a stream: for lib/net only. TLS stands on the same descriptor and watcher. */
#ifndef BELFRY_LIB_NET_SOCKET_H
#define BELFRY_LIB_NET_SOCKET_H

#include "lib/core/stream_internal.h"

/* Sets up the watcher and the socket's options. */
void socket_init(struct stream *);
/* A socket whose connect() is under way. */
struct stream *socket_connecting(struct loop *, int fd, stream_callback *, void *owner);

/* The connect() under way: 0 done, STREAM_BROKEN. */
int socket_connect(struct stream *);
ssize_t socket_read(struct stream *, char *bytes, size_t room);
void socket_want(struct stream *, bool read, bool write);
void socket_close(struct stream *);
void socket_peer_address(const struct stream *, char *text, size_t size);
int socket_peer_user(const struct stream *, uid_t *uid_r, pid_t *pid_r);

#endif
