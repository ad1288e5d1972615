/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hook's socket: many short connections, each with a line or a few, from whoever delivers. */
#include "gateway/hub/hook.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

struct hook {
	struct hook *next, **link;
	struct hub_hooks *hooks;
	struct stream *stream;
	uid_t uid;
	bool is_trusted;
	unsigned lines;
	struct timer timeout;
};

static void change_listening(struct deferred *);

static void hook_close(struct hook *hook)
{
	struct hub_hooks *hooks = hook->hooks;

	timer_stop(hooks->hub->loop, &hook->timeout);
	*hook->link = hook->next;
	if (hook->next != NULL)
		hook->next->link = hook->link;
	else
		hooks->last = hook->link;
	stream_close(&hook->stream);
	hooks->open_own -= !hook->is_trusted;
	free(hook);
	if (--hooks->open == HOOK_OPEN_MAX / 2 && hooks->listener == NULL)
		loop_defer(hooks->hub->loop, &hooks->change, change_listening);
}

static void hook_cut(struct hook *hook, const char *why)
{
	hub_speaker_babbles(hook->hooks->speakers, hook->uid, why);
	hook_close(hook);
}

static void timed_out(struct timer *timer)
{
	hook_cut(container_of(timer, struct hook, timeout), "the connection brought nothing in time");
}

/* One more of a user that is not trusted: nobody can keep the others out by being silent. */
static void make_room(struct hub_hooks *hooks, uid_t uid)
{
	struct hook *oldest = NULL, *his_oldest = NULL;
	unsigned his = 0;

	for (struct hook *hook = hooks->first; hook != NULL; hook = hook->next) {
		if (hook->is_trusted)
			continue;
		oldest = oldest != NULL ? oldest : hook;
		if (hook->uid == uid && his++ == 0)
			his_oldest = hook;
	}
	if (his >= HOOK_OPEN_UID_MAX)
		hook_cut(his_oldest, "this user has too many connections open");
	else if (hooks->open_own >= HOOK_OPEN_OWN_MAX)
		hook_cut(oldest, "too many connections are open");
}

static int take_line(struct hook *hook, const char *line, size_t length)
{
	struct hint_text text;
	struct error error;
	struct hint hint;

	if (++hook->lines > HINT_LINES_MAX) {
		hub_speaker_babbles(hook->hooks->speakers, hook->uid, "the connection brought too many lines");
		return -1;
	}
	if (hint_parse(line, length, &text, &hint, &error) < 0) {
		hub_speaker_babbles(hook->hooks->speakers, hook->uid, error.text);
		return -1;
	}
	hub_speaker_says(hook->hooks->speakers, hook->uid, &hint);
	return 0;
}

/* Whole lines; at the end of the connection the last one needs no newline. -1: of the wrong form. */
static int take_lines(struct hook *hook, bool is_end)
{
	struct buffer *input = stream_input(hook->stream);
	const char *newline;

	while (input->length > 0) {
		newline = memchr(input->data, '\n', input->length);
		size_t length = newline != NULL ? (size_t)(newline - input->data) + 1 : input->length;
		if (newline == NULL && !is_end && length <= HINT_LINE_MAX)
			return 0;
		if (take_line(hook, input->data, length) < 0)
			return -1;
		buffer_consume(input, length);
	}
	return 0;
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct hook *hook = owner;

	(void)stream;
	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_DRAINED: break;
	case STREAM_DATA:
		if (take_lines(hook, false) < 0)
			hook_close(hook);
		break;
	case STREAM_ENDED:
		take_lines(hook, true);
		hook_close(hook);
		break;
	case STREAM_FAILED: hook_close(hook); break;
	}
}

static void accepted(struct stream *stream, void *data)
{
	struct hub_hooks *hooks = data;
	uid_t uid;
	pid_t pid;

	if (stream_peer_user(stream, &uid, &pid) < 0) {
		stream_close(&stream);
		return;
	}
	bool is_trusted = hub_speaker_is_trusted(hooks->speakers, uid);
	if (!is_trusted)
		make_room(hooks, uid);
	struct hook *hook = mem_alloc(sizeof *hook);
	*hook = (struct hook){.hooks = hooks, .stream = stream, .uid = uid, .is_trusted = is_trusted, .link = hooks->last};
	hooks->open_own += !is_trusted;
	*hooks->last = hook;
	hooks->last = &hook->next;
	timer_start(hooks->hub->loop, &hook->timeout, HOOK_TIME_MS, timed_out);
	stream_own(stream, happened, hook);
	if (++hooks->open == HOOK_OPEN_MAX)
		loop_defer(hooks->hub->loop, &hooks->change, change_listening);
}

/* Not within accepted(): the listener is in use there. */
static void change_listening(struct deferred *change)
{
	struct hub_hooks *hooks = container_of(change, struct hub_hooks, change);
	struct error error;

	if (hooks->open >= HOOK_OPEN_MAX) {
		listener_close(&hooks->listener);
		return;
	}
	if (hooks->listener == NULL)
		hooks->listener = net_listen(hooks->hub->net, "hook", accepted, hooks, &error);
	if (hooks->listener == NULL)
		log_error(LOG_HOOK, "cannot listen for hooks: %s", error.text);
}

static int start_all(struct hub_hooks *hooks, struct error *error_r)
{
	struct hub *hub = hooks->hub;

	hooks->listener = net_listen(hub->net, "hook", accepted, hooks, error_r);
	if (hooks->listener == NULL)
		return -1;
	if (hub->settings.spool_folder != NULL && (hooks->spool = hub_spool_start(hooks, error_r)) == NULL)
		return -1;
	if (hub->settings.hook_keys != NULL && (hooks->datagrams = hub_datagrams_start(hooks, error_r)) == NULL)
		return -1;
	return 0;
}

int hub_hooks_start(struct hub *hub, struct error *error_r)
{
	hub->hooks = mem_alloc(sizeof *hub->hooks);
	hub->hooks->hub = hub;
	hub->hooks->last = &hub->hooks->first;
	hub->hooks->speakers = hub_speakers_create(hub);
	return start_all(hub->hooks, error_r);
}

void hub_hooks_stop(struct hub *hub)
{
	struct hub_hooks *hooks = hub->hooks;

	if (hooks == NULL)
		return;
	while (hooks->first != NULL)
		hook_close(hooks->first);
	loop_undefer(hub->loop, &hooks->change);
	listener_close(&hooks->listener);
	hub_spool_stop(&hooks->spool);
	hub_datagrams_stop(&hooks->datagrams);
	hub_speakers_free(&hooks->speakers);
	free(hooks);
	hub->hooks = NULL;
}
