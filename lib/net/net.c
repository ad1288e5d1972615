/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Places: inherited listening sockets, paths to connect to, or names in memory. */
#include "lib/net/net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/core/stream_internal.h"
#include "lib/net/net_internal.h"

struct place {
	struct place *next;
	char *name, *path;
	int fd;                    /* -1: none inherited */
	struct listener *listener; /* who accepts here in this process */
};

struct net {
	struct loop *loop;
	bool is_memory;
	struct place *places;
};

struct listener {
	struct place *place;
	struct loop *loop;
	net_accepted *accepted;
	void *data;
	ev_io io;
	struct timer backoff;
	unsigned failures; /* in a row */
	bool is_paused;
};

struct net *net_create(struct loop *loop)
{
	struct net *net = mem_alloc(sizeof *net);

	net->loop = loop;
	return net;
}

struct net *net_create_memory(struct loop *loop)
{
	struct net *net = net_create(loop);

	net->is_memory = true;
	return net;
}

void net_free(struct net **owner)
{
	if (*owner == NULL)
		return;
	for (struct place *place = (*owner)->places, *next; place != NULL; place = next) {
		next = place->next;
		if (place->fd >= 0)
			close(place->fd);
		free(place->name);
		free(place->path);
		free(place);
	}
	free(*owner);
	*owner = NULL;
}

static struct place *find(struct net *net, const char *name)
{
	struct place *place = net->places;

	while (place != NULL && strcmp(place->name, name) != 0)
		place = place->next;
	return place;
}

static struct place *find_or_add(struct net *net, const char *name)
{
	struct place *place = find(net, name);

	if (place == NULL) {
		place = mem_alloc(sizeof *place);
		place->name = mem_strdup(name);
		place->fd = -1;
		place->next = net->places;
		net->places = place;
	}
	return place;
}

void net_add_listener(struct net *net, const char *name, int fd)
{
	find_or_add(net, name)->fd = fd;
}

int net_place_fd(struct net *net, const char *name)
{
	const struct place *place = find(net, name);

	return place == NULL ? -1 : place->fd;
}

void net_add_path(struct net *net, const char *name, const char *path)
{
	struct place *place = find_or_add(net, name);

	free(place->path);
	place->path = mem_printf("unix:%s", path);
}

/* --- accepting ------------------------------------------------------------------------------------------------- */

static void backoff_over(struct timer *timer)
{
	struct listener *listener = container_of(timer, struct listener, backoff);

	if (!listener->is_paused)
		ev_io_start(loop_ev(listener->loop), &listener->io);
}

static void accept_failed(struct listener *listener)
{
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	if (listener->failures++ % NET_ACCEPT_SAY_EACH == 0)
		log_warning(LOG_NET, "place=%s cannot accept: %s; failures=%u, trying again every %d ms", listener->place->name,
			strerror(errno), listener->failures, NET_ACCEPT_BACKOFF_MS);
	ev_io_stop(loop_ev(listener->loop), &listener->io);
	timer_start(listener->loop, &listener->backoff, NET_ACCEPT_BACKOFF_MS, backoff_over);
}

static void acceptable(struct ev_loop *ev, ev_io *io, int events)
{
	struct listener *listener = io->data;

	(void)ev;
	(void)events;
	for (int i = 0; i < NET_ACCEPT_BATCH && ev_is_active(io); i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			accept_failed(listener);
			return;
		}
		listener->failures = 0;
		struct stream *stream = net_stream(listener->loop, fd);
		stream->reads_at_once = stream->is_local;
		listener->accepted(stream, listener->data);
	}
}

struct listener *net_listen(struct net *net, const char *name, net_accepted *accepted, void *data,
	struct error *error_r)
{
	struct place *place = net->is_memory ? find_or_add(net, name) : find(net, name);

	if (place == NULL || (!net->is_memory && place->fd < 0)) {
		error_set(error_r, "no socket was bound for %s", name);
		return NULL;
	}
	struct listener *listener = mem_alloc(sizeof *listener);
	*listener = (struct listener){.place = place, .loop = net->loop, .accepted = accepted, .data = data};
	place->listener = listener;
	if (!net->is_memory) {
		ev_io_init(&listener->io, acceptable, place->fd, EV_READ);
		listener->io.data = listener;
		ev_io_start(loop_ev(net->loop), &listener->io);
	}
	return listener;
}

void listener_close(struct listener **owner)
{
	struct listener *listener = *owner;

	if (listener == NULL)
		return;
	listener->place->listener = NULL;
	if (listener->place->fd >= 0)
		ev_io_stop(loop_ev(listener->loop), &listener->io);
	timer_stop(listener->loop, &listener->backoff);
	free(listener);
	*owner = NULL;
}

/* In memory there is no queue to wait in: whoever comes is accepted. */
void listener_pause(struct listener *listener)
{
	listener->is_paused = true;
	if (listener->place->fd >= 0)
		ev_io_stop(loop_ev(listener->loop), &listener->io);
}

void listener_resume(struct listener *listener)
{
	listener->is_paused = false;
	if (listener->place->fd >= 0 && !timer_is_started(&listener->backoff))
		ev_io_start(loop_ev(listener->loop), &listener->io);
}

bool listener_is_waited(const struct listener *listener)
{
	struct pollfd queue = {.fd = listener->place->fd, .events = POLLIN};

	return queue.fd >= 0 && poll(&queue, 1, 0) > 0;
}

/* --- connecting ------------------------------------------------------------------------------------------------ */

/* Nobody listens: the memory stream fails as a refused socket would, in the next turn. */
static struct stream *connect_memory(struct net *net, struct place *place, stream_callback *callback, void *owner)
{
	struct stream *near, *far;

	stream_memory_pair(net->loop, &near, &far);
	stream_memory_connect(near, callback, owner);
	if (place->listener == NULL)
		stream_close(&far);
	else
		place->listener->accepted(far, place->listener->data);
	return near;
}

struct stream *net_connect(struct net *net, const char *name, stream_callback *callback, void *owner)
{
	struct place *place = find(net, name);
	struct error error;

	if (net->is_memory)
		return connect_memory(net, find_or_add(net, name), callback, owner);
	if (place == NULL || place->path == NULL)
		return NULL;
	struct stream *stream = net_connect_address(net->loop, place->path, callback, owner, &error);
	if (stream == NULL)
		stream = stream_refused(net->loop, callback, owner, error.text);
	return stream;
}

struct loop *net_loop(const struct net *net)
{
	return net->loop;
}
