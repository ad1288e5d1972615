/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stream over a TCP or AF_UNIX socket. */
#include "lib/net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/core/stream_internal.h"
#include "lib/net/net.h"

static bool is_again(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == EINPROGRESS;
}

static int trouble(struct stream *stream, const char *what)
{
	return is_again(errno) ? STREAM_AGAIN : stream_break(stream, "%s: %s", what, strerror(errno));
}

int socket_connect(struct stream *stream)
{
	int error = 0;
	socklen_t length = sizeof error;

	if (getsockopt(stream->io.fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	return error == 0 ? 0 : stream_break(stream, "connect: %s", strerror(error));
}

static void take_fds(struct stream *stream, struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			stream_fd_received(stream, fd);
		}
	}
}

static ssize_t read_with_fds(struct stream *stream, char *bytes, size_t room)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))];
	struct iovec part = {bytes, room};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	ssize_t length = recvmsg(stream->io.fd, &message, MSG_CMSG_CLOEXEC);

	if (length >= 0)
		take_fds(stream, &message);
	return length;
}

/* Without room for descriptors the kernel closes those that come. */
ssize_t socket_read(struct stream *stream, char *bytes, size_t room)
{
	ssize_t length = stream->takes_fds ? read_with_fds(stream, bytes, room) : recv(stream->io.fd, bytes, room, 0);

	if (length < 0)
		return trouble(stream, "read");
	return length == 0 ? STREAM_EOF : length;
}

static ssize_t local_write_fd(struct stream *stream, const char *bytes, size_t length, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {(void *)(uintptr_t)bytes, length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	ssize_t written = sendmsg(stream->io.fd, &message, MSG_NOSIGNAL);
	if (written > 0)
		stream_fd_sent(stream);
	return written;
}

static ssize_t socket_write(struct stream *stream, const char *bytes, size_t length)
{
	size_t before = 1;
	int fd = stream_fd_next_out(stream, &before);
	ssize_t written;

	if (fd >= 0 && before == 0)
		written = local_write_fd(stream, bytes, length, fd);
	else
		written = send(stream->io.fd, bytes, length, MSG_NOSIGNAL);
	return written < 0 ? trouble(stream, "write") : written;
}

static void io_ready(struct ev_loop *ev, ev_io *io, int events)
{
	(void)ev;
	stream_ready(container_of(io, struct stream, io), events & EV_READ, events & EV_WRITE);
}

void socket_want(struct stream *stream, bool read, bool write)
{
	int events = (read ? EV_READ : 0) | (write ? EV_WRITE : 0);

	if (ev_is_active(&stream->io) && (stream->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop_ev(stream->loop), &stream->io);
	if (events == 0)
		return;
	ev_io_set(&stream->io, stream->io.fd, events);
	ev_io_start(loop_ev(stream->loop), &stream->io);
}

void socket_close(struct stream *stream)
{
	ev_io_stop(loop_ev(stream->loop), &stream->io);
	close(stream->io.fd);
}

void socket_peer_address(const struct stream *stream, char *text, size_t size)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof address;
	char number[INET6_ADDRSTRLEN] = "unknown";

	getpeername(stream->io.fd, (struct sockaddr *)&address, &length);
	if (address.ss_family == AF_INET) {
		inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, number, sizeof number);
	} else if (address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, number, sizeof number);
		if (strncmp(number, "::ffff:", 7) != 0) {
			snprintf(text, size, "[%s]", number);
			return;
		}
		memmove(number, number + 7, strlen(number + 7) + 1);
	} else if (address.ss_family == AF_UNIX) {
		snprintf(number, sizeof number, "local");
	}
	snprintf(text, size, "%s", number);
}

int socket_peer_user(const struct stream *stream, uid_t *uid_r, pid_t *pid_r)
{
	struct ucred who;
	socklen_t length = sizeof who;

	if (!stream->is_local || getsockopt(stream->io.fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0)
		return -1;
	*uid_r = who.uid;
	*pid_r = who.pid;
	return 0;
}

static const struct stream_ops accepted_ops = {
	.read = socket_read, .write = socket_write, .want = socket_want, .close = socket_close,
	.peer_address = socket_peer_address, .peer_user = socket_peer_user,
};

static const struct stream_ops connecting_ops = {
	.connect = socket_connect, .read = socket_read, .write = socket_write, .want = socket_want,
	.close = socket_close, .peer_address = socket_peer_address, .peer_user = socket_peer_user,
};

void socket_init(struct stream *stream)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof address;
	int on = 1, fd = stream->io.fd;

	ev_io_init(&stream->io, io_ready, fd, 0);
	getsockname(fd, (struct sockaddr *)&address, &length);
	stream->is_local = address.ss_family == AF_UNIX;
	if (!stream->is_local) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	}
}

struct stream *net_stream(struct loop *loop, int fd)
{
	struct stream *stream = stream_create(loop, &accepted_ops, fd, NULL, NULL);

	socket_init(stream);
	return stream;
}

struct stream *socket_connecting(struct loop *loop, int fd, stream_callback *callback, void *owner)
{
	struct stream *stream = stream_create(loop, &connecting_ops, fd, callback, owner);

	socket_init(stream);
	socket_want(stream, false, true);
	return stream;
}
