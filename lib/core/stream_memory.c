/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two streams joined in memory: what tests and the replay harness stand on. Bytes and descriptors pass in the turn after. */
#include <stdio.h>
#include <unistd.h>

#include "lib/core/stream_internal.h"

static struct stream *peer_of(const struct stream *stream)
{
	return stream->transport;
}

/* The peer's input has no upper bound here but what its owner paused: then the writer has to wait. */
static ssize_t memory_write(struct stream *stream, const char *bytes, size_t length)
{
	struct stream *peer = peer_of(stream);
	size_t before;

	if (peer == NULL)
		return stream_break(stream, "the other end is closed");
	if (peer->paused)
		return STREAM_AGAIN;
	while (stream_fd_next_out(stream, &before) >= 0 && before == 0) {
		stream_fd_received(peer, dup(stream_fd_next_out(stream, &before)));
		stream_fd_sent(stream);
	}
	buffer_append(stream_input(peer), bytes, length);
	stream_announce(peer);
	return (ssize_t)length;
}

static ssize_t memory_read(struct stream *stream, char *bytes, size_t room)
{
	(void)stream;
	(void)bytes;
	(void)room;
	return STREAM_AGAIN;
}

/* Reading again lets a waiting writer go on. */
static void memory_want(struct stream *stream, bool read, bool write)
{
	struct stream *peer = peer_of(stream);

	(void)write;
	if (read && peer != NULL && stream_pending(peer) > 0)
		stream_flush(peer);
}

static void memory_close(struct stream *stream)
{
	struct stream *peer = peer_of(stream);

	if (peer == NULL)
		return;
	stream->transport = NULL;
	peer->transport = NULL;
	peer->ended = true;
	stream_announce(peer);
}

static void memory_peer_address(const struct stream *stream, char *text, size_t size)
{
	(void)stream;
	snprintf(text, size, "local");
}

static int memory_peer_user(const struct stream *stream, uid_t *uid_r, pid_t *pid_r)
{
	(void)stream;
	*uid_r = geteuid();
	*pid_r = getpid();
	return 0;
}

static int memory_connect(struct stream *stream)
{
	return peer_of(stream) != NULL ? 0 : stream_break(stream, "connect: nobody listens there");
}

static const struct stream_ops memory_ops = {
	.connect = memory_connect,
	.read = memory_read,
	.write = memory_write,
	.want = memory_want,
	.close = memory_close,
	.peer_address = memory_peer_address,
	.peer_user = memory_peer_user,
};

void stream_memory_pair(struct loop *loop, struct stream **a_r, struct stream **b_r)
{
	*a_r = stream_create(loop, &memory_ops, -1, NULL, NULL);
	*b_r = stream_create(loop, &memory_ops, -1, NULL, NULL);
	(*a_r)->transport = *b_r;
	(*b_r)->transport = *a_r;
	(*a_r)->connected = (*b_r)->connected = true;
}

void stream_memory_connect(struct stream *stream, stream_callback *callback, void *owner)
{
	stream->connected = false;
	stream_own(stream, callback, owner);
}

struct stream *stream_refused(struct loop *loop, stream_callback *callback, void *owner, const char *why)
{
	struct stream *stream = stream_create(loop, &memory_ops, -1, callback, owner);

	stream_break(stream, "%s", why);
	stream_flush(stream);
	return stream;
}
