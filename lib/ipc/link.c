/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames over a stream. */
#include "lib/ipc/link.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

enum { HEAD_BYTES = 5 };

struct link {
	struct stream *stream;
	const struct link_events *events;
	void *owner;
	bool closed, paused, has_secrets;
	struct deferred gone; /* frees the link at the end of the turn */
	struct deferred overflow;
};

static void lose(struct link *link, const char *why)
{
	if (!link->closed)
		link->events->lost(link, why, link->owner);
}

/* One frame from the front of the input; 0: not whole yet, -1: broken. */
static int take_frame(struct link *link)
{
	struct buffer *input = stream_input(link->stream);
	uint32_t length;

	if (input->length < HEAD_BYTES)
		return 0;
	memcpy(&length, input->data, sizeof length);
	length = ntohl(length);
	if (length < 1 || length > LINK_FRAME_MAX)
		return -1;
	if (input->length < sizeof length + length)
		return 0;
	uint8_t flags = (uint8_t)input->data[4];
	int fd = flags & LINK_FLAG_FD ? stream_take_fd(link->stream) : -1;
	if ((flags & LINK_FLAG_FD) && fd < 0)
		return -1;
	link->events->received(link, (const uint8_t *)input->data + HEAD_BYTES, length - 1, fd, link->owner);
	if (!link->closed)
		buffer_consume(stream_input(link->stream), sizeof length + length);
	return 1;
}

static void take_frames(struct link *link)
{
	int taken;

	do {
		taken = take_frame(link);
	} while (taken > 0 && !link->closed && !link->paused);
	if (taken < 0)
		lose(link, "it sent a frame of the wrong form");
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct link *link = owner;

	switch (event) {
	case STREAM_CONNECTED:
		if (link->events->connected != NULL)
			link->events->connected(link, link->owner);
		break;
	case STREAM_DATA: take_frames(link); break;
	case STREAM_DRAINED:
		if (link->events->drained != NULL)
			link->events->drained(link, link->owner);
		break;
	case STREAM_ENDED: lose(link, "it closed the connection"); break;
	case STREAM_FAILED: lose(link, stream_error(stream)); break;
	}
}

struct link *link_create(struct stream *stream, const struct link_events *events, void *owner)
{
	struct link *link = mem_alloc(sizeof *link);

	*link = (struct link){.stream = stream, .events = events, .owner = owner};
	stream_expect_fds(stream);
	stream_own(stream, happened, link);
	return link;
}

void link_carry_secrets(struct link *link)
{
	link->has_secrets = true;
	stream_carry_secrets(link->stream);
}

static void free_later(struct deferred *gone)
{
	free(container_of(gone, struct link, gone));
}

void link_close(struct link **owner)
{
	struct link *link = *owner;

	*owner = NULL;
	if (link == NULL || link->closed)
		return;
	struct loop *loop = stream_loop(link->stream);
	link->closed = true;
	loop_undefer(loop, &link->overflow);
	stream_close(&link->stream);
	loop_defer(loop, &link->gone, free_later);
}

int link_peer_user(const struct link *link, uid_t *uid_r)
{
	pid_t pid;

	return stream_peer_user(link->stream, uid_r, &pid);
}

static void overflowed(struct deferred *overflow)
{
	lose(container_of(overflow, struct link, overflow), "it does not read what it is sent");
}

static void head_write(struct link *link, size_t length, int fd)
{
	uint32_t size = htonl((uint32_t)length + 1);
	uint8_t flags = fd >= 0 ? LINK_FLAG_FD : 0;

	if (fd >= 0)
		stream_write_fd(link->stream, fd);
	stream_write(link->stream, &size, sizeof size);
	stream_write(link->stream, &flags, 1);
	if (stream_pending(link->stream) + length > LINK_PENDING_MAX)
		loop_defer(stream_loop(link->stream), &link->overflow, overflowed);
}

int link_send_packed(struct link *link, const uint8_t *body, size_t length, int fd)
{
	if (link->closed || length >= LINK_FRAME_MAX) {
		if (fd >= 0)
			close(fd);
		if (!link->closed)
			log_error(LOG_IPC, "a message of %zu bytes is not sent: a frame has %d at the most", length, LINK_FRAME_MAX);
		return link->closed ? 0 : -1;
	}
	head_write(link, length, fd);
	stream_write(link->stream, body, length);
	return 0;
}

int link_send(struct link *link, const ProtobufCMessage *message, int fd)
{
	size_t length = protobuf_c_message_get_packed_size(message);
	uint8_t small[1024], *packed = length <= sizeof small ? small : mem_alloc(length);

	protobuf_c_message_pack(message, packed);
	int result = link_send_packed(link, packed, length, fd);
	if (link->has_secrets)
		mem_wipe(packed, length);
	if (packed != small)
		free(packed);
	return result;
}

size_t link_pending(const struct link *link)
{
	return link->closed ? 0 : stream_pending(link->stream);
}

void link_pause(struct link *link)
{
	if (link->closed)
		return;
	link->paused = true;
	stream_pause(link->stream);
}

void link_resume(struct link *link)
{
	if (link->closed)
		return;
	link->paused = false;
	stream_resume(link->stream);
}
