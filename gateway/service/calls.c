/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Questions under way on one link, and the link itself. */
#include "gateway/service/calls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"

struct call {
	uint64_t id;
	struct calls *calls;
	call_answered *answered;
	void *data;
	int64_t timeout_ms;
	struct timer timeout;
	UT_hash_handle hh;
};

struct calls {
	struct net *net;
	struct loop *loop;
	char *place;
	const struct calls_events *events;
	void *owner;
	struct link *link; /* connecting or connected; NULL: waiting to connect again */
	bool connected;
	struct timer reconnect;
	int64_t reconnect_ms;
	uint64_t last_id;
	struct call *under_way;
};

/* --- one call -------------------------------------------------------------------------------------------------- */

static void forget(struct call *call)
{
	timer_stop(call->calls->loop, &call->timeout);
	HASH_DEL(call->calls->under_way, call);
	free(call);
}

static void unavailable(struct call *call)
{
	call_answered *answered = call->answered;
	void *data = call->data;

	forget(call);
	answered(NULL, 0, -1, data);
}

static void timed_out(struct timer *timer)
{
	unavailable(container_of(timer, struct call, timeout));
}

struct call *calls_begin(struct calls *calls, int64_t timeout_ms, call_answered *answered, void *data)
{
	struct call *call = mem_alloc(sizeof *call);

	*call = (struct call){.id = ++calls->last_id, .calls = calls, .answered = answered, .data = data,
		.timeout_ms = timeout_ms};
	HASH_ADD(hh, calls->under_way, id, sizeof call->id, call);
	timer_start(calls->loop, &call->timeout, timeout_ms, timed_out);
	return call;
}

uint64_t call_id(const struct call *call)
{
	return call->id;
}

void call_cancel(struct call **owner)
{
	if (*owner != NULL)
		forget(*owner);
	*owner = NULL;
}

void calls_send_fd(struct calls *calls, const ProtobufCMessage *message, int fd, struct call *call)
{
	bool can_be_sent = calls->link != NULL && HASH_COUNT(calls->under_way) <= CALLS_MAX;

	if (!can_be_sent && fd >= 0)
		close(fd);
	if ((!can_be_sent || link_send(calls->link, message, fd) < 0) && call != NULL)
		timer_start(calls->loop, &call->timeout, 0, timed_out);
}

void calls_send(struct calls *calls, const ProtobufCMessage *message, struct call *call)
{
	calls_send_fd(calls, message, -1, call);
}

bool calls_are_connected(const struct calls *calls)
{
	return calls->connected;
}

/* --- the link -------------------------------------------------------------------------------------------------- */

static void connect_now(struct timer *);

static void end_all(struct calls *calls)
{
	struct call *call, *next;

	HASH_ITER(hh, calls->under_way, call, next)
		timer_start(calls->loop, &call->timeout, 0, timed_out);
}

static void connected(struct link *link, void *owner)
{
	struct calls *calls = owner;

	(void)link;
	calls->connected = true;
	calls->reconnect_ms = CALLS_RECONNECT_FIRST_MS;
	if (calls->events->connected != NULL)
		calls->events->connected(calls->owner);
}

static void wait_to_reconnect(struct calls *calls)
{
	timer_start(calls->loop, &calls->reconnect, calls->reconnect_ms, connect_now);
	calls->reconnect_ms *= 2;
	if (calls->reconnect_ms > CALLS_RECONNECT_MAX_MS)
		calls->reconnect_ms = CALLS_RECONNECT_MAX_MS;
}

static void lost(struct link *link, const char *why, void *owner)
{
	struct calls *calls = owner;

	(void)link;
	if (calls->connected)
		log_warning(LOG_IPC, "place=%s lost: %s; connecting again", calls->place, why);
	link_close(&calls->link);
	calls->connected = false;
	wait_to_reconnect(calls);
	end_all(calls);
}

static int skip_varint(const uint8_t **at, const uint8_t *end, uint64_t *value_r)
{
	*value_r = 0;
	for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
		uint8_t byte = *(*at)++;
		*value_r |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return 0;
	}
	return -1;
}

/* Field 1 of a packed message, without unpacking the rest; 0 where it is missing. -1: not such a message. */
static int find_id(const uint8_t *at, size_t length, uint64_t *id_r)
{
	const uint8_t *end = at + length;
	uint64_t tag, value;

	*id_r = 0;
	while (at < end) {
		if (skip_varint(&at, end, &tag) < 0)
			return -1;
		if ((tag & 7) == 1 || (tag & 7) == 5)
			value = (tag & 7) == 1 ? 8 : 4;
		else if (skip_varint(&at, end, &value) < 0)
			return -1;
		if (tag == (1 << 3 | 0)) {
			*id_r = value;
			return 0;
		}
		if ((tag & 7) == 0)
			continue;
		if (value > (uint64_t)(end - at))
			return -1;
		at += value;
	}
	return 0;
}

static void received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct calls *calls = owner;
	struct call *call = NULL;
	uint64_t id = 0;

	(void)link;
	if (find_id(body, length, &id) < 0 || (id == 0 && calls->events->told(body, length, calls->owner) < 0))
		log_error(LOG_IPC, "place=%s sent a message of the wrong form: dropped", calls->place);
	if (id != 0)
		HASH_FIND(hh, calls->under_way, &id, sizeof id, call);
	if (call == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	timer_start(calls->loop, &call->timeout, call->timeout_ms, timed_out);
	bool more = call->answered(body, length, fd, call->data);
	HASH_FIND(hh, calls->under_way, &id, sizeof id, call); /* the callback may have cancelled it */
	if (!more && call != NULL)
		forget(call);
}

static const struct link_events link_events = {.connected = connected, .received = received, .lost = lost};

static void connect_now(struct timer *timer)
{
	struct calls *calls = container_of(timer, struct calls, reconnect);
	struct stream *stream = net_connect(calls->net, calls->place, NULL, NULL);

	if (stream == NULL) {
		log_error(LOG_IPC, "place=%s is not known here", calls->place);
		wait_to_reconnect(calls);
		return;
	}
	calls->link = link_create(stream, &link_events, calls);
	if (calls->events->carry_secrets)
		link_carry_secrets(calls->link);
	calls->events->hello(calls, calls->owner);
}

struct calls *calls_create(struct net *net, const char *place, const struct calls_events *events, void *owner)
{
	struct calls *calls = mem_alloc(sizeof *calls);

	*calls = (struct calls){
		.net = net, .loop = net_loop(net), .place = mem_strdup(place), .events = events, .owner = owner,
		.reconnect_ms = CALLS_RECONNECT_FIRST_MS,
	};
	connect_now(&calls->reconnect);
	return calls;
}

void calls_free(struct calls **owner)
{
	struct calls *calls = *owner;

	if (calls == NULL)
		return;
	*owner = NULL;
	link_close(&calls->link);
	while (calls->under_way != NULL)
		unavailable(calls->under_way);
	timer_stop(calls->loop, &calls->reconnect);
	free(calls->place);
	free(calls);
}
