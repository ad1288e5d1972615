/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Datagrams at an inherited UDP socket. */
#include "lib/net/datagram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ev.h>

#include "lib/core/mem.h"
#include "lib/net/net_internal.h"

struct datagrams {
	struct loop *loop;
	datagram_received *received;
	void *data;
	ev_io io;
};

static void sender_name(const struct sockaddr_storage *from, char *text, size_t size)
{
	char number[INET6_ADDRSTRLEN] = "unknown";

	if (from->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, number, sizeof number);
	else if (from->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)from)->sin6_addr, number, sizeof number);
	snprintf(text, size, "%s", number);
}

/* The callback must not close what it was called for: the hub closes it when it stops. */
static void readable(struct ev_loop *ev, ev_io *io, int events)
{
	struct datagrams *datagrams = io->data;
	char bytes[DATAGRAM_MAX + 1], name[INET6_ADDRSTRLEN];

	(void)ev;
	(void)events;
	for (int i = 0; i < DATAGRAM_BATCH; i++) {
		struct sockaddr_storage from = {0};
		socklen_t from_length = sizeof from;
		ssize_t length = recvfrom(io->fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);
		if (length < 0)
			return;
		if (length > DATAGRAM_MAX)
			continue;
		sender_name(&from, name, sizeof name);
		datagrams->received(bytes, (size_t)length, name, datagrams->data);
	}
}

struct datagrams *datagrams_open(struct net *net, const char *place, datagram_received *received, void *data,
	struct error *error_r)
{
	int fd = net_place_fd(net, place);

	if (fd < 0 && !loop_is_manual(net_loop(net))) {
		error_set(error_r, "no socket was bound for %s", place);
		return NULL;
	}
	struct datagrams *datagrams = mem_alloc(sizeof *datagrams);
	*datagrams = (struct datagrams){.loop = net_loop(net), .received = received, .data = data};
	if (fd >= 0) {
		ev_io_init(&datagrams->io, readable, fd, EV_READ);
		datagrams->io.data = datagrams;
		ev_io_start(loop_ev(datagrams->loop), &datagrams->io);
	}
	return datagrams;
}

void datagrams_close(struct datagrams **owner)
{
	if (*owner == NULL)
		return;
	if (ev_is_active(&(*owner)->io))
		ev_io_stop(loop_ev((*owner)->loop), &(*owner)->io);
	free(*owner);
	*owner = NULL;
}

static int bind_found(const struct addrinfo *found)
{
	int off = 0, fd = socket(found->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (found->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, found->ai_addr, found->ai_addrlen) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

int datagram_bind(const char *address, struct error *error_r)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found = NULL;
	const char *colon = strrchr(address, ':'), *port = colon == NULL ? address : colon + 1;
	size_t length = colon == NULL ? 0 : (size_t)(colon - address);
	char host[INET6_ADDRSTRLEN + 2];

	if (length >= 2 && address[0] == '[' && colon[-1] == ']') {
		address++;
		length -= 2;
	}
	if (length >= sizeof host || *port == '\0')
		return error_set(error_r, "%s: not a numeric address and port", address);
	snprintf(host, sizeof host, "%.*s", (int)length, address);
	if (getaddrinfo(length == 0 ? "::" : host, port, &hints, &found) != 0)
		return error_set(error_r, "%s: not a numeric address and port", address);
	int fd = bind_found(found);
	if (fd < 0)
		error_set(error_r, "udp %s: %s", address, strerror(errno));
	freeaddrinfo(found);
	return fd;
}
