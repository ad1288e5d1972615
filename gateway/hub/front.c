/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The links of fronts: who may connect, what a frame must have, and which part of the hub it is for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/hub/internal.h"
#include "gateway/service/access.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/trace.h"

void hub_front_answer(struct hub_front *front, uint64_t id, Belfry__Role__FromHub *message)
{
	message->id = id;
	link_send(front->link, &message->base, -1);
}

void hub_front_close(struct hub_front *front, const char *why)
{
	struct hub *hub = front->hub;

	if (!hub->is_stopping)
		log_info(LOG_HUB, "front=%u pid=%u gone: %s", front->number, front->pid, why);
	hub_route_front_gone(front);
	hub_records_front_gone(front);
	link_close(&front->link);
	hub->fronts[front->index] = NULL;
	hub->counters.fronts--;
	free(front->slots);
	free(front);
}

struct principal hub_principal(const Belfry__Role__Principal *principal)
{
	return (struct principal){principal->user, principal->device};
}

static bool is_named(const Belfry__Role__Principal *principal)
{
	return principal != NULL && *principal->user != '\0';
}

/* Whether it may act at all: on the records that it asks for, which are its own by their form. */
static bool may_act(const Belfry__Role__Principal *named, enum action action)
{
	if (!is_named(named))
		return false;
	struct principal principal = hub_principal(named);
	return principal_may(&principal, action, &(struct object){.user = principal.user, .device = principal.device});
}

/* NULL: the frame is fine; else why the front is broken. It may pass on what a phone sent as its user or device, but
 * our own code has no reason to leave a field out. */
static const char *flaw_of(const Belfry__Role__ToHub *message)
{
	switch (message->body_case) {
	case BELFRY__ROLE__TO_HUB__BODY_BEGIN: return may_act(message->begin->principal, ACTION_READ) ? NULL : "a Begin for nobody";
	case BELFRY__ROLE__TO_HUB__BODY_COMMIT:
		return may_act(message->commit->principal, ACTION_CHANGE) ? NULL : "a Commit for nobody";
	case BELFRY__ROLE__TO_HUB__BODY_PARK: return is_named(message->park->principal) ? NULL : "a Park for nobody";
	case BELFRY__ROLE__TO_HUB__BODY_OUTCOME: return is_named(message->outcome->principal) ? NULL : "an Outcome of nobody";
	default: return NULL;
	}
}

static void hello(struct hub_front *front, const Belfry__Role__Hello *hello_from)
{
	front->number = hello_from->number;
	front->pid = hello_from->pid;
	log_info(LOG_HUB, "front=%u pid=%u connected", front->number, front->pid);
}

static void count_answer(struct hub *hub, const Belfry__Role__Outcome *outcome)
{
	for (size_t i = 0; i < hub->counters.source_count; i++) /* no new one: the hub named it in its wake */
		if (strcmp(hub->counters.sources[i].name, outcome->source) == 0)
			histogram_add(&hub->counters.sources[i].to_answer, outcome->change_us);
}

static void note_outcome(struct hub *hub, const Belfry__Role__Outcome *outcome)
{
	char text[200];

	if (outcome->change_us != 0) {
		count_answer(hub, outcome);
		snprintf(text, sizeof text, "%s, %llu us after the change", outcome->result, (unsigned long long)outcome->change_us);
	} else {
		snprintf(text, sizeof text, "%s", outcome->result);
	}
	hub_note(hub, &(struct hub_event){
		.kind = EVENT_ANSWERED, .user = outcome->principal->user, .device = outcome->principal->device,
		.number = outcome->duration_ms, .collection = outcome->command, .text = text,
		.id = outcome->change_id, .source = outcome->address,
	});
}

static void answer_metrics(struct hub_front *front, uint64_t id)
{
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Metrics metrics = BELFRY__ROLE__METRICS__INIT;
	struct buffer text = BUFFER_EMPTY;

	hub_metrics(front->hub, &text);
	metrics.text.data = (uint8_t *)text.data;
	metrics.text.len = text.length;
	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_METRICS;
	message.metrics = &metrics;
	hub_front_answer(front, id, &message);
	buffer_release(&text);
}

/* Returns whether the message was taken over. */
static bool handle(struct hub_front *front, Belfry__Role__ToHub *message)
{
	switch (message->body_case) {
	case BELFRY__ROLE__TO_HUB__BODY_HELLO: hello(front, message->hello); return false;
	case BELFRY__ROLE__TO_HUB__BODY_BEGIN: hub_records_begin(front, message); return true;
	case BELFRY__ROLE__TO_HUB__BODY_COMMIT: hub_records_commit(front, message); return true;
	case BELFRY__ROLE__TO_HUB__BODY_RELEASE: hub_records_release(front, message->release->transaction); return false;
	case BELFRY__ROLE__TO_HUB__BODY_PARK: hub_route_park(front, message); return false;
	case BELFRY__ROLE__TO_HUB__BODY_UNPARK: hub_route_unpark(front, message->unpark); return false;
	case BELFRY__ROLE__TO_HUB__BODY_OUTCOME: note_outcome(front->hub, message->outcome); return false;
	case BELFRY__ROLE__TO_HUB__BODY_COUNTS: front->counts = *message->counts; return false;
	case BELFRY__ROLE__TO_HUB__BODY_ASK_METRICS: answer_metrics(front, message->id); return false;
	default: return false; /* a newer front's: main starts all roles of one version, so it cannot matter */
	}
}

static void received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct hub_front *front = owner;
	Belfry__Role__ToHub *message = belfry__role__to_hub__unpack(NULL, length, body);
	const char *flaw = message == NULL ? "a frame that is no message" : fd >= 0 ? "a descriptor" : flaw_of(message);

	(void)link;
	if (fd >= 0)
		close(fd);
	if (flaw != NULL) {
		log_error(LOG_HUB, "front=%u pid=%u sent %s: closing its link", front->number, front->pid, flaw);
		hub_front_close(front, "it broke the form");
	}
	if (message != NULL && (flaw != NULL || !handle(front, message)))
		belfry__role__to_hub__free_unpacked(message, NULL);
}

static void lost(struct link *link, const char *why, void *owner)
{
	(void)link;
	hub_front_close(owner, why);
}

static const struct link_events link_events = {.received = received, .lost = lost};

/* --- accepting ---------------------------------------------------------------------------------------------------- */

static bool is_permitted(const struct hub_settings *settings, struct stream *stream)
{
	uid_t uid;
	pid_t pid;

	if (settings->front_user_count == 0)
		return true;
	if (stream_peer_user(stream, &uid, &pid) < 0)
		return false;
	for (size_t i = 0; i < settings->front_user_count; i++)
		if (settings->front_users[i] == uid)
			return true;
	log_warning(LOG_HUB, "uid=%u pid=%d refused at the fronts' socket: it is not a front's user", uid, (int)pid);
	return false;
}

static void trace_send(const Belfry__Role__Trace *trace, void *data)
{
	struct hub_front *front = data;
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;

	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_TRACE;
	message.trace = (Belfry__Role__Trace *)(uintptr_t)trace;
	hub_front_answer(front, 0, &message);
}

static void accepted(struct stream *stream, void *data)
{
	struct hub *hub = data;
	size_t index = 0;

	while (index < HUB_FRONTS_MAX && hub->fronts[index] != NULL)
		index++;
	if (index == HUB_FRONTS_MAX || !is_permitted(&hub->settings, stream)) {
		stream_close(&stream);
		return;
	}
	struct hub_front *front = mem_alloc(sizeof *front);
	front->hub = hub;
	front->index = (uint16_t)index;
	front->serial = ++hub->last_serial;
	front->link = link_create(stream, &link_events, front);
	hub->fronts[index] = front;
	hub->counters.fronts++;
	trace_each(trace_send, front);
}

void hub_fronts_trace(struct hub *hub, const Belfry__Role__Trace *trace)
{
	for (size_t i = 0; i < HUB_FRONTS_MAX; i++)
		if (hub->fronts[i] != NULL)
			trace_send(trace, hub->fronts[i]);
}

int hub_fronts_start(struct hub *hub, struct error *error_r)
{
	hub->listener = net_listen(hub->net, "hub", accepted, hub, error_r);
	return hub->listener == NULL ? -1 : 0;
}

void hub_fronts_stop(struct hub *hub)
{
	listener_close(&hub->listener);
	for (size_t i = 0; i < HUB_FRONTS_MAX; i++)
		if (hub->fronts[i] != NULL)
			hub_front_close(hub->fronts[i], "the hub stops");
}
