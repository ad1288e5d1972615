/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The buffered stream, whatever is below it. Writes gather until the end of the turn and leave in one call;
 * closing frees the memory at the end of the turn, so that a callback may close what it was called for.
 */
#include "lib/core/stream.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/mem.h"
#include "lib/core/stream_internal.h"

/* Descriptors waiting to leave (each with the count of bytes to send before it) or to be taken. A link carries the
 * answers to many: a Fetch may bring 50, and a peer that does not take them is cut off at 20 such. */
enum { STREAM_FDS_MAX = 1024 };

struct stream_fd {
	int fd;
	size_t bytes_before;
};

struct fd_queue {
	struct stream_fd *list;
	size_t count, room;
};

struct stream_fds {
	struct fd_queue out, in;
};

struct linger {
	struct timer timer;
	struct stream *stream;
};

/* --- what is under way ----------------------------------------------------------------------------------------- */

static struct stream_work *work_of(struct stream *stream)
{
	if (stream->work == NULL) {
		stream->work = mem_alloc(sizeof *stream->work);
		stream->work->stream = stream;
		stream->work->in.wipes = stream->work->out.wipes = stream->has_secrets;
	}
	return stream->work;
}

/* Nothing is under way any more: a stream that waits holds no memory but its own. */
static void settle(struct stream *stream)
{
	struct stream_work *work = stream->work;

	if (work == NULL || work->turn.link != NULL || work->fds != NULL || work->error != NULL)
		return;
	if (work->in.length > 0 || work->out.length > 0)
		return;
	buffer_release(&work->in);
	buffer_release(&work->out);
	free(work);
	stream->work = NULL;
}

static bool has_output(const struct stream *stream)
{
	return stream_pending(stream) > 0;
}

struct stream *stream_create(struct loop *loop, const struct stream_ops *ops, int fd, stream_callback *callback,
	void *owner)
{
	struct stream *stream = mem_alloc(sizeof *stream);

	stream->ops = ops;
	stream->loop = loop;
	stream->callback = callback;
	stream->io.data = owner;
	stream->io.fd = fd;
	stream->connected = ops->connect == NULL;
	return stream;
}

int stream_break(struct stream *stream, const char *format, ...)
{
	va_list args;
	char text[256];

	if (work_of(stream)->error == NULL) {
		va_start(args, format);
		vsnprintf(text, sizeof text, format, args);
		va_end(args);
		stream->work->error = mem_strdup(text);
	}
	return STREAM_BROKEN;
}

static void tell(struct stream *stream, enum stream_event event)
{
	if (stream->callback != NULL)
		stream->callback(stream, event, stream->io.data);
}

static void fail(struct stream *stream)
{
	if (stream->failed || stream->closed)
		return;
	stream->failed = true;
	stream->ops->want(stream, false, false);
	if (stream->finishing) {
		stream->finishing = false;
		stream_close(&stream);
		return;
	}
	tell(stream, STREAM_FAILED);
}

static void want(struct stream *stream)
{
	if (!stream->closed && !stream->failed)
		stream->ops->want(stream, !stream->paused && !stream->ended && !stream->finishing,
			!stream->connected || has_output(stream));
}

/* How much may leave in one write: up to the byte that a descriptor travels with. */
static ssize_t write_some(struct stream *stream)
{
	struct stream_work *work = stream->work;
	size_t length = work->out.length;

	for (size_t i = 0; work->fds != NULL && i < work->fds->out.count; i++)
		if (work->fds->out.list[i].bytes_before > 0) { /* one at 0 goes along */
			length = work->fds->out.list[i].bytes_before;
			break;
		}
	ssize_t written = stream->ops->write(stream, work->out.data, length);
	if (written > 0) {
		buffer_consume(&work->out, (size_t)written);
		for (size_t i = 0; work->fds != NULL && i < work->fds->out.count; i++)
			work->fds->out.list[i].bytes_before -= (size_t)written;
	}
	return written;
}

static void flush(struct stream *stream)
{
	if (!stream->connected || !has_output(stream) || stream->failed || stream->closed)
		return;
	while (has_output(stream)) {
		ssize_t written = write_some(stream);
		if (written == STREAM_BROKEN) {
			fail(stream);
			return;
		}
		if (written <= 0) {
			want(stream);
			return;
		}
	}
	buffer_release(&stream->work->out);
	want(stream);
	if (stream->finishing) {
		stream->finishing = false;
		stream_close(&stream);
		return;
	}
	tell(stream, STREAM_DRAINED);
}

static void announce(struct stream *stream)
{
	stream->announce = false;
	if (stream_has_input(stream) && !stream->paused)
		tell(stream, STREAM_DATA);
	if (!stream->closed && stream->work != NULL && stream->work->in.length == 0)
		buffer_release(&stream->work->in);
	if (!stream->closed && !stream->failed && stream->ended && !stream->ended_told && !stream->paused) {
		stream->ended_told = true;
		tell(stream, STREAM_ENDED);
	}
}

/* Who connects on this machine to say one thing has said it and hung up by now: one read for each. */
static void read_at_once(struct stream *stream)
{
	stream->reads_at_once = false;
	for (int i = 0; i < 2; i++)
		stream_ready(stream, true, false);
}

static void turn_ends(struct deferred *turn)
{
	struct stream_work *work = container_of(turn, struct stream_work, turn);
	struct stream *stream = work->stream;

	if (stream->closed) {
		buffer_release(&work->in); /* not before: who closed it may still be reading there */
		free(work->error);
		free(work);
		free(stream);
		return;
	}
	if (!stream->connected && stream->io.fd < 0) /* memory: nothing else would go on connecting */
		stream_ready(stream, false, true);
	if (!stream->closed && stream->connected && stream->announce)
		announce(stream);
	if (stream->reads_at_once)
		read_at_once(stream);
	if (!stream->closed)
		flush(stream);
	settle(stream);
}

static void later(struct stream *stream)
{
	loop_defer(stream->loop, &work_of(stream)->turn, turn_ends);
}

void stream_flush(struct stream *stream)
{
	later(stream);
}

void stream_announce(struct stream *stream)
{
	stream->announce = true;
	later(stream);
}

static void read_some(struct stream *stream)
{
	static char scratch[STREAM_READ_BYTES];
	ssize_t length = stream->ops->read(stream, scratch, sizeof scratch);

	if (length == STREAM_BROKEN) {
		fail(stream);
		return;
	}
	if (length > 0)
		buffer_append(stream_input(stream), scratch, (size_t)length);
	if (length > 0 && stream->has_secrets)
		mem_wipe(scratch, (size_t)length);
	if (length == STREAM_EOF) {
		stream->ended = true;
		want(stream);
	}
	if (length > 0 || length == STREAM_EOF)
		announce(stream);
}

void stream_ready(struct stream *stream, bool readable, bool writable)
{
	if (stream->closed || stream->failed)
		return;
	if (!stream->connected) {
		int result = stream->ops->connect(stream);
		if (result == STREAM_BROKEN)
			fail(stream);
		if (result != 0)
			return;
		stream->connected = true;
		want(stream);
		later(stream);
		tell(stream, STREAM_CONNECTED);
		return;
	}
	if (writable)
		flush(stream);
	if (readable && !stream->closed && !stream->failed && !stream->paused && !stream->ended && !stream->finishing)
		read_some(stream);
	settle(stream);
}

void stream_own(struct stream *stream, stream_callback *callback, void *owner)
{
	stream->callback = callback;
	stream->io.data = owner;
	stream->ended_told = false;
	stream_announce(stream);
	want(stream);
}

struct buffer *stream_input(struct stream *stream)
{
	return &work_of(stream)->in;
}

void stream_carry_secrets(struct stream *stream)
{
	stream->has_secrets = true;
	if (stream->work != NULL)
		stream->work->in.wipes = stream->work->out.wipes = true;
}

void stream_pause(struct stream *stream)
{
	stream->paused = true;
	want(stream);
}

void stream_resume(struct stream *stream)
{
	if (!stream->paused)
		return;
	stream->paused = false;
	stream_announce(stream);
	want(stream);
}

void stream_write(struct stream *stream, const void *bytes, size_t length)
{
	if (length == 0 || stream->failed || stream->closed)
		return;
	buffer_append(&work_of(stream)->out, bytes, length);
	later(stream);
}

void stream_write_buffer(struct stream *stream, struct buffer *buffer)
{
	if (!has_output(stream) && !stream->failed && !stream->closed && buffer->length > 0) {
		work_of(stream)->out = *buffer;
		stream->work->out.wipes = stream->has_secrets;
		*buffer = BUFFER_EMPTY;
		later(stream);
		return;
	}
	stream_write(stream, buffer->data, buffer->length);
	buffer_release(buffer);
}

size_t stream_pending(const struct stream *stream)
{
	return stream->work == NULL ? 0 : stream->work->out.length;
}

/* --- descriptors under way ------------------------------------------------------------------------------------- */

static struct stream_fds *fds(struct stream *stream)
{
	struct stream_work *work = work_of(stream);

	if (work->fds == NULL)
		work->fds = mem_alloc(sizeof *work->fds);
	return work->fds;
}

/* -1: there are too many; the descriptor is closed. */
static int queue_add(struct fd_queue *queue, int fd, size_t bytes_before)
{
	if (queue->count == STREAM_FDS_MAX) {
		close(fd);
		return -1;
	}
	if (queue->count == queue->room) {
		queue->room = queue->room == 0 ? 4 : queue->room * 2;
		queue->list = mem_realloc(queue->list, queue->room * sizeof *queue->list);
	}
	queue->list[queue->count++] = (struct stream_fd){fd, bytes_before};
	return 0;
}

static int queue_take(struct fd_queue *queue)
{
	int fd = queue->list[0].fd;

	queue->count--;
	memmove(&queue->list[0], &queue->list[1], queue->count * sizeof *queue->list);
	return fd;
}

static void queue_release(struct fd_queue *queue)
{
	while (queue->count > 0)
		close(queue->list[--queue->count].fd);
	free(queue->list);
}

void stream_write_fd(struct stream *stream, int fd)
{
	if (stream->failed || stream->closed)
		close(fd);
	else if (queue_add(&fds(stream)->out, fd, stream_pending(stream)) < 0)
		stream_break(stream, "more than %d descriptors on their way", STREAM_FDS_MAX);
}

int stream_fd_next_out(struct stream *stream, size_t *bytes_before_r)
{
	if (stream->work == NULL || stream->work->fds == NULL || stream->work->fds->out.count == 0)
		return -1;
	*bytes_before_r = stream->work->fds->out.list[0].bytes_before;
	return stream->work->fds->out.list[0].fd;
}

void stream_fd_sent(struct stream *stream)
{
	close(queue_take(&stream->work->fds->out));
}

void stream_fd_received(struct stream *stream, int fd)
{
	if (stream->takes_fds)
		queue_add(&fds(stream)->in, fd, 0);
	else
		close(fd);
}

void stream_expect_fds(struct stream *stream)
{
	stream->takes_fds = true;
}

int stream_take_fd(struct stream *stream)
{
	struct stream_fds *under_way = stream->work == NULL ? NULL : stream->work->fds;

	return under_way == NULL || under_way->in.count == 0 ? -1 : queue_take(&under_way->in);
}

static void fds_drop(struct stream *stream)
{
	struct stream_work *work = stream->work;

	if (work == NULL || work->fds == NULL)
		return;
	queue_release(&work->fds->out);
	queue_release(&work->fds->in);
	free(work->fds);
	work->fds = NULL;
}

/* --- the end --------------------------------------------------------------------------------------------------- */

static void linger_drop(struct stream *stream)
{
	struct linger *linger = stream->io.data;

	timer_stop(stream->loop, &linger->timer);
	free(linger);
	stream->io.data = NULL;
}

void stream_close(struct stream **owner)
{
	struct stream *stream = *owner;

	*owner = NULL;
	if (stream == NULL || stream->closed)
		return;
	if (stream->callback == NULL && stream->io.data != NULL) /* only a finishing stream has an owner and no callback */
		linger_drop(stream);
	stream->closed = true;
	stream->callback = NULL;
	stream->ops->close(stream);
	if (stream->work != NULL)
		buffer_release(&stream->work->out);
	fds_drop(stream);
	later(stream);
}

static void lingered(struct timer *timer)
{
	struct stream *stream = container_of(timer, struct linger, timer)->stream;

	stream_close(&stream);
}

void stream_finish(struct stream **owner)
{
	struct stream *stream = *owner;

	if (stream == NULL || !has_output(stream) || stream->failed) {
		stream_close(owner);
		return;
	}
	*owner = NULL;
	struct linger *linger = mem_alloc(sizeof *linger);
	linger->stream = stream;
	timer_start(stream->loop, &linger->timer, STREAM_LINGER_MS, lingered);
	stream->callback = NULL;
	stream->io.data = linger;
	stream->finishing = true;
	want(stream);
	later(stream);
}

const char *stream_error(const struct stream *stream)
{
	return stream->work == NULL || stream->work->error == NULL ? "no error" : stream->work->error;
}

void stream_peer_address(const struct stream *stream, char *text, size_t size)
{
	stream->ops->peer_address(stream, text, size);
}

int stream_peer_user(const struct stream *stream, uid_t *uid_r, pid_t *pid_r)
{
	return stream->ops->peer_user(stream, uid_r, pid_r);
}

struct loop *stream_loop(const struct stream *stream)
{
	return stream->loop;
}
