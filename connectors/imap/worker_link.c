/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames on a blocking socket. */
#include "connectors/imap/worker_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/ipc/link.h"

enum { HEAD_BYTES = 5, READ_BYTES = 16 * 1024 };

/* --- receiving ------------------------------------------------------------------------------------------------- */

static bool has_frame(const struct worker_link *link, size_t *length_r)
{
	uint32_t length;

	if (link->input.length < HEAD_BYTES)
		return false;
	memcpy(&length, link->input.data, sizeof length);
	*length_r = ntohl(length);
	return link->input.length >= sizeof length + *length_r;
}

int worker_link_take_fd(struct worker_link *link)
{
	int fd = link->received_fd;

	link->received_fd = -1;
	return fd;
}

bool worker_link_is_alive(const struct worker_link *link)
{
	struct pollfd poll_fd = {.fd = link->fd};

	return !link->is_lost && poll(&poll_fd, 1, 0) <= 0;
}

/* There is one request at a time, so one descriptor at the most: a second one takes the place of the first. */
static void keep_fd(struct worker_link *link, struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL; head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		if (link->received_fd >= 0)
			close(link->received_fd);
		memcpy(&link->received_fd, CMSG_DATA(head), sizeof link->received_fd);
	}
}

static ssize_t receive(struct worker_link *link)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
	struct iovec piece = {buffer_reserve(&link->input, READ_BYTES), READ_BYTES};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	ssize_t got = recvmsg(link->fd, &message, MSG_CMSG_CLOEXEC);

	if (got > 0)
		keep_fd(link, &message);
	return got;
}

/* 1: something came, 0: not in time, -1: the end. */
static int fill(struct worker_link *link, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = link->fd, .events = POLLIN};
	int ready = poll(&poll_fd, 1, timeout_ms);
	ssize_t got;

	if (ready <= 0)
		return ready < 0 && errno != EINTR ? -1 : 0;
	got = receive(link);
	if (got > 0)
		buffer_grow(&link->input, (size_t)got);
	return got > 0 ? 1 : got < 0 && errno == EINTR ? 0 : -1;
}

int worker_link_receive(struct worker_link *link, int timeout_ms, const uint8_t **body_r, size_t *length_r)
{
	size_t length = 0;

	buffer_consume(&link->input, link->taken);
	link->taken = 0;
	while (!has_frame(link, &length)) {
		int filled = length > LINK_FRAME_MAX ? -1 : fill(link, timeout_ms);
		if (filled <= 0)
			return filled;
	}
	if (length < 1 || length > LINK_FRAME_MAX)
		return -1;
	link->taken = sizeof(uint32_t) + length;
	*body_r = (const uint8_t *)link->input.data + HEAD_BYTES;
	*length_r = length - 1;
	return 1;
}

/* --- sending --------------------------------------------------------------------------------------------------- */

static void send_bytes(struct worker_link *link, const char *bytes, size_t length)
{
	while (length > 0 && !link->is_lost) {
		ssize_t sent = send(link->fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			link->is_lost = true;
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
}

void worker_link_flush(struct worker_link *link)
{
	send_bytes(link, link->output.data, link->output.length);
	buffer_consume(&link->output, link->output.length);
}

static void append_frame(struct buffer *out, const ProtobufCMessage *message, uint8_t flags)
{
	size_t length = protobuf_c_message_get_packed_size(message);
	uint32_t head = htonl((uint32_t)length + 1);

	buffer_append(out, &head, sizeof head);
	buffer_append_byte(out, flags);
	buffer_grow(out, protobuf_c_message_pack(message, (uint8_t *)buffer_reserve(out, length)));
}

void worker_link_send(struct worker_link *link, const ProtobufCMessage *message)
{
	append_frame(&link->output, message, 0);
	if (link->output.length >= WORKER_LINK_BATCH)
		worker_link_flush(link);
}

/* The descriptor travels with the frame's first byte. */
static size_t send_first_with_fd(struct worker_link *link, const struct buffer *frame, int fd)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {{0}};
	struct iovec piece = {frame->data, frame->length};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	ssize_t sent;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(head), &fd, sizeof fd);
	do {
		sent = sendmsg(link->fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	link->is_lost = link->is_lost || sent < 0;
	return sent > 0 ? (size_t)sent : 0;
}

void worker_link_send_fd(struct worker_link *link, const ProtobufCMessage *message, int fd)
{
	struct buffer frame = BUFFER_EMPTY;

	worker_link_flush(link);
	append_frame(&frame, message, LINK_FLAG_FD);
	buffer_consume(&frame, send_first_with_fd(link, &frame, fd));
	send_bytes(link, frame.data, frame.length);
	buffer_release(&frame);
}

void worker_link_release(struct worker_link *link)
{
	buffer_release(&link->input);
	buffer_release(&link->output);
}
