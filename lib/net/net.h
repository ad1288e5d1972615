/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where the roles find each other and the world. A place is a name ("hub", "hook", "control", "connector/imap",
 * "http"); what stands behind it is decided once: sockets that main has bound and a role inherits, paths to connect
 * to, or, in tests, memory. No role knows which.
 */
#ifndef BELFRY_LIB_NET_NET_H
#define BELFRY_LIB_NET_NET_H

#include "lib/core/error.h"
#include "lib/core/stream.h"

struct net;
struct listener;

/* Somebody came. The stream is the callee's; it calls stream_own(). */
typedef void net_accepted(struct stream *, void *data);

/* Sockets: places are given with net_add_listener() and net_add_path(). */
struct net *net_create(struct loop *);
/* Everything in memory: a connect finds the listener of the same name in the same net, or is refused. */
struct net *net_create_memory(struct loop *);
void net_free(struct net **);

/* An inherited listening socket (non-blocking, close-on-exec; owned by the net from here on). */
void net_add_listener(struct net *, const char *place, int fd);
/* An AF_UNIX path to connect to. */
void net_add_path(struct net *, const char *place, const char *path);

/* Accepts at the place, at most NET_ACCEPT_BATCH a turn; out of descriptors it waits NET_ACCEPT_BACKOFF_MS each time, and
 * says so at the first and then at each NET_ACCEPT_SAY_EACH in a row. Who comes meanwhile waits in the kernel. */
enum { NET_ACCEPT_BATCH = 64, NET_ACCEPT_BACKOFF_MS = 100, NET_ACCEPT_SAY_EACH = 100 };
struct listener *net_listen(struct net *, const char *place, net_accepted *, void *data, struct error *error_r);
void listener_close(struct listener **);
/* For a process that is full: leaves newcomers to the others at the same socket. Within accepted(), too. */
void listener_pause(struct listener *);
void listener_resume(struct listener *);
/* Whether somebody waits there that nobody has accepted yet. */
bool listener_is_waited(const struct listener *);

/* Never blocks. STREAM_CONNECTED or STREAM_FAILED follows. NULL: there is no such place. */
struct stream *net_connect(struct net *, const char *place, stream_callback *, void *owner);
struct loop *net_loop(const struct net *);

/* --- sockets, for main, the load tools and the connectors ------------------------------------------------------ */

enum { NET_BACKLOG = 4096 }; /* a burst of hooks while the hub is busy waits in the kernel instead of being lost */

/* Binds and listens. Address: "unix:PATH", "PORT", "HOST:PORT", "[HOST]:PORT" with a numeric HOST; -1 with error_r. */
int net_bind(const char *address, unsigned unix_mode, struct error *error_r);
/* Whether this is a listening TCP socket at that address. */
bool net_is_bound_to(int fd, const char *address);
/* Connects without blocking; numeric addresses only (names go through lib/net/resolve.h first). NULL with error_r. */
struct stream *net_connect_address(struct loop *, const char *address, stream_callback *, void *owner,
	struct error *error_r);
/* A stream over a connected, non-blocking socket, which it owns. */
struct stream *net_stream(struct loop *, int fd);

#endif
