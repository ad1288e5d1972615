/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The link to a connector and what goes over it in its own time.
 *
 *   park ──▶ queue (HUB_CHECKS_PER_S) ──▶ Watch, Check
 *   recheck_s ──▶ queue ──▶ Check ─▶ different and no hint came: the hooks missed it
 *   the connector is there (again) ──▶ queue ──▶ Watch and Check for everybody
 *   last park gone ──▶ HUB_LINGER_MS ──▶ Unwatch
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/hub/internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/ipc/trace.h"

enum { PUMP_MS = 20 }; /* the queue is looked at this often while it waits */

bool hub_instance_is_up(const struct hub_instance *instance)
{
	return !instance->hub->is_stopping && calls_are_connected(instance->calls);
}

enum hub_backend hub_instance_backend(const struct hub_instance *instance)
{
	if (!hub_instance_is_up(instance) || !instance->knows_backend)
		return BACKEND_IS_UNKNOWN;
	return instance->backend_trouble.text[0] == '\0' ? BACKEND_IS_UP : BACKEND_IS_DOWN;
}

void hub_instance_send(struct hub_instance *instance, Belfry__Connector__Request *request, struct call *call)
{
	request->id = call == NULL ? 0 : call_id(call);
	calls_send(instance->calls, &request->base, call);
}

static void queue_remove(struct hub_instance *instance, struct park_user *user)
{
	if (user->queued != 0)
		instance->queue[user->queued - 1] = NULL;
	user->queued = 0;
}

void hub_name_add(uint32_t collection, void *data)
{
	struct hub_name_list *list = data;

	if (list->count == list->size) {
		list->size = list->size == 0 ? 16 : list->size * 2;
		list->names = mem_realloc(list->names, list->size * sizeof *list->names);
	}
	list->names[list->count++] = (char *)(uintptr_t)park_name(&list->instance->table, collection);
}

/* The newest park's, which is the likeliest to be good. */
ProtobufCBinaryData hub_user_handle(const struct park_user *user)
{
	for (const struct park *park = user->parks; park != NULL; park = park->next)
		if (park->handle_length > 0)
			return (ProtobufCBinaryData){park->handle_length, (uint8_t *)(uintptr_t)park_handle(park)};
	return (ProtobufCBinaryData){0};
}

/* --- Watch ---------------------------------------------------------------------------------------------------------- */

/* The user may have gone meanwhile, so he is named by his name. */
struct watch_asked {
	struct hub_instance *instance;
	char user[];
};

static bool watched(const uint8_t *body, size_t length, int fd, void *data)
{
	struct watch_asked *asked_for = data;
	struct hub_instance *instance = asked_for->instance;
	struct park_user *user = park_user_find(&instance->table, asked_for->user);
	Belfry__Connector__Response *response = body == NULL ? NULL : belfry__connector__response__unpack(NULL, length, body);

	if (fd >= 0)
		close(fd);
	free(asked_for);
	if (user != NULL && response != NULL && response->status == BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED) {
		hub_user_come_again(instance, user);
	} else if (user != NULL && response != NULL && response->status != BELFRY__CONNECTOR__STATUS__OK &&
	           response->status != BELFRY__CONNECTOR__STATUS__UNSUPPORTED) {
		hub_note_failed(instance, user, "", "watch", response->status, response->reason);
		instance->limited += response->status == BELFRY__CONNECTOR__STATUS__LIMIT;
		user->flags &= (uint8_t)~USER_WATCHED; /* the next recheck tries again */
	}
	if (response != NULL)
		belfry__connector__response__free_unpacked(response, NULL);
	return false;
}

static void user_watch(struct hub_instance *instance, struct park_user *user)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Watch watch = BELFRY__CONNECTOR__WATCH__INIT;
	struct hub_name_list list = {.instance = instance};
	struct watch_asked *asked_for;
	size_t length = strlen(user->name);

	park_each_collection(user, 0, false, hub_name_add, &list);
	park_flag(user, 0, PARK_WATCHED, 0);
	user->flags &= (uint8_t)~(USER_TOLD_HOOKED | USER_LOGIN_NEEDED);
	user->flags |= USER_WATCHED | (hub_user_is_hooked(instance, user) ? USER_TOLD_HOOKED : 0);
	watch.user = user->name;
	watch.handle = hub_user_handle(user);
	watch.collections = list.names;
	watch.n_collections = list.count;
	watch.hooked = (user->flags & USER_TOLD_HOOKED) != 0;
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_WATCH;
	request.watch = &watch;
	asked_for = mem_alloc(sizeof *asked_for + length + 1);
	asked_for->instance = instance;
	memcpy(asked_for->user, user->name, length);
	hub_instance_send(instance, &request, calls_begin(instance->calls, HUB_CHECK_TIMEOUT_MS, watched, asked_for));
	free(list.names);
}

/* Something waits that the last Watch did not name, or was told otherwise, or without credentials. */
static bool needs_watch(const struct hub_instance *instance, const struct park_user *user)
{
	bool is_hooked = (user->flags & USER_TOLD_HOOKED) != 0;

	return !(user->flags & USER_WATCHED) || (user->flags & USER_LOGIN_NEEDED) ||
		is_hooked != hub_user_is_hooked(instance, user) || park_waits_without(user, PARK_WATCHED);
}

static void user_unwatch(struct hub_instance *instance, struct park_user *user)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Unwatch unwatch = BELFRY__CONNECTOR__UNWATCH__INIT;

	if (!(user->flags & USER_WATCHED) || !hub_instance_is_up(instance))
		return;
	unwatch.user = user->name;
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_UNWATCH;
	request.unwatch = &unwatch;
	hub_instance_send(instance, &request, NULL);
}

void hub_user_end(struct hub_instance *instance, struct park_user *user)
{
	user_unwatch(instance, user);
	queue_remove(instance, user);
	if (instance->cursor == user)
		instance->cursor = user->hh.next;
	hub_user_busy_end(user);
	park_user_free(&instance->table, &user);
}

/* --- the queue ------------------------------------------------------------------------------------------------------ */

static void pump(struct timer *);

/* Users who wait, each once in recheck_s, must fit in half the rate. */
static int64_t rate_of(const struct hub_instance *instance)
{
	int64_t needed = 2 * (int64_t)HASH_COUNT(instance->table.users) / instance->settings->recheck_s;

	return needed > HUB_CHECKS_PER_S ? needed : HUB_CHECKS_PER_S;
}

/* A token costs 1/rate s of a clock that lags behind the loop's by a burst at the most. */
static bool token_take(struct hub_instance *instance)
{
	int64_t now_ms = loop_now_ms(instance->hub->loop), rate = rate_of(instance);
	int64_t earliest_us = now_ms * 1000 - HUB_CHECKS_BURST * 1000000 / rate;

	if (instance->paid_us < earliest_us)
		instance->paid_us = earliest_us;
	if (instance->paid_us > now_ms * 1000)
		return false;
	instance->paid_us += 1000000 / rate;
	return true;
}

static void user_serve(struct hub_instance *instance, struct park_user *user)
{
	uint8_t wanted = user->flags;

	user->flags &= (uint8_t)~(USER_WANT_WATCH | USER_WANT_CHECK);
	if (user->parks == NULL)
		return;
	if ((wanted & USER_WANT_WATCH) && needs_watch(instance, user))
		user_watch(instance, user);
	if (wanted & USER_WANT_CHECK)
		hub_user_ask(instance, user);
}

static struct park_user *queue_take(struct hub_instance *instance)
{
	while (instance->queue_head < instance->queue_tail) {
		struct park_user *user = instance->queue[instance->queue_head++];
		if (user != NULL) {
			user->queued = 0;
			return user;
		}
	}
	instance->queue_head = instance->queue_tail = 0;
	return NULL;
}

static bool queue_is_empty(const struct hub_instance *instance)
{
	return instance->queue_head == instance->queue_tail;
}

static void queue_pump(struct hub_instance *instance)
{
	struct park_user *user;

	while (hub_instance_is_up(instance) && !queue_is_empty(instance) && token_take(instance)) {
		user = queue_take(instance);
		if (user != NULL)
			user_serve(instance, user);
	}
	if (hub_instance_is_up(instance) && !queue_is_empty(instance) && !timer_is_started(&instance->pump))
		timer_start(instance->hub->loop, &instance->pump, PUMP_MS, pump);
}

static void pump(struct timer *timer)
{
	queue_pump(container_of(timer, struct hub_instance, pump));
}

static void queue_compact(struct hub_instance *instance)
{
	uint32_t to = 0;

	for (uint32_t from = instance->queue_head; from < instance->queue_tail; from++) {
		if (instance->queue[from] == NULL)
			continue;
		instance->queue[to] = instance->queue[from];
		instance->queue[to]->queued = to + 1;
		to++;
	}
	instance->queue_head = 0;
	instance->queue_tail = to;
}

static void queue_add(struct hub_instance *instance, struct park_user *user)
{
	if (user->queued != 0)
		return;
	if (instance->queue_tail == instance->queue_size) {
		queue_compact(instance);
		if (instance->queue_tail >= instance->queue_size / 2) {
			instance->queue_size = instance->queue_size == 0 ? 64 : instance->queue_size * 2;
			instance->queue = mem_realloc(instance->queue, instance->queue_size * sizeof *instance->queue);
		}
	}
	instance->queue[instance->queue_tail++] = user;
	user->queued = instance->queue_tail;
}

void hub_user_want(struct hub_instance *instance, struct park_user *user, uint8_t wanted)
{
	user->flags |= wanted;
	if (!hub_instance_is_up(instance))
		return; /* all are queued when it is there */
	queue_add(instance, user);
	queue_pump(instance);
}

/* --- recheck --------------------------------------------------------------------------------------------------------- */

static void recheck_user(struct hub_instance *instance, struct park_user *user)
{
	bool watched_went = park_tidy(&instance->table, user);

	if (user->parks == NULL)
		return;
	if (watched_went)
		user->flags &= (uint8_t)~USER_WATCHED;
	park_flag_parked(user, PARK_ASK);
	if (!(user->flags & USER_WANT_CHECK))
		user->flags |= USER_RECHECK;
	hub_user_want(instance, user, USER_WANT_WATCH | USER_WANT_CHECK);
}

/* Each second so many users that all have their turn in recheck_s. */
static void recheck(struct timer *timer)
{
	struct hub_instance *instance = container_of(timer, struct hub_instance, recheck);

	instance->recheck_debt += HASH_COUNT(instance->table.users);
	while (hub_instance_is_up(instance) && instance->recheck_debt >= instance->settings->recheck_s &&
	       instance->table.users != NULL) {
		struct park_user *user = instance->cursor != NULL ? instance->cursor : instance->table.users;
		instance->cursor = user->hh.next;
		instance->recheck_debt -= instance->settings->recheck_s;
		recheck_user(instance, user);
	}
	if (!hub_instance_is_up(instance))
		instance->recheck_debt = 0;
	timer_start(instance->hub->loop, &instance->recheck, 1000, recheck);
}

/* --- the link -------------------------------------------------------------------------------------------------------- */

static void trace_send(const Belfry__Role__Trace *trace, void *data)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;

	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_TRACE;
	request.trace = (Belfry__Role__Trace *)(uintptr_t)trace;
	calls_send(data, &request.base, NULL);
}

static void hello(struct calls *calls, void *owner)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Hello who = BELFRY__CONNECTOR__HELLO__INIT;

	(void)owner;
	who.role = (char *)(uintptr_t)"hub";
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_HELLO;
	request.hello = &who;
	calls_send(calls, &request.base, NULL);
	trace_each(trace_send, calls);
}

void hub_instances_trace(struct hub *hub, const Belfry__Role__Trace *trace)
{
	for (size_t i = 0; i < hub->settings.instance_count; i++)
		trace_send(trace, hub->instances[i].calls);
}

/* Nothing is known after a break: each user is watched anew and asked about once, through the queue. */
static void connected(void *owner)
{
	struct hub_instance *instance = owner;

	log_info(LOG_HUB, "connector=%s connected users=%u", instance->settings->name,
		(unsigned)HASH_COUNT(instance->table.users));
	instance->knows_backend = false;
	for (struct park_user *user = instance->table.users; user != NULL; user = user->hh.next) {
		park_forget(user);
		park_flag_parked(user, PARK_ASK);
		user->flags &= (uint8_t)~(USER_WATCHED | USER_TOLD_HOOKED | USER_RECHECK);
		user->flags |= USER_WANT_WATCH | USER_WANT_CHECK;
		queue_add(instance, user);
	}
	queue_pump(instance);
}

static void backend_told(struct hub_instance *instance, const Belfry__Connector__Backend *backend)
{
	instance->knows_backend = true;
	error_set(&instance->backend_trouble, "%s", backend->up ? "" : *backend->trouble == '\0' ? "?" : backend->trouble);
}

static int told(const uint8_t *body, size_t length, void *owner)
{
	struct hub_instance *instance = owner;
	Belfry__Connector__Response *response = belfry__connector__response__unpack(NULL, length, body);
	struct park_user *user;

	if (response == NULL)
		return -1;
	if (response->body_case == BELFRY__CONNECTOR__RESPONSE__BODY_POSITIONS) {
		user = park_user_find(&instance->table, response->positions->user);
		if (user != NULL)
			hub_user_told(instance, user, response);
	} else if (response->body_case == BELFRY__CONNECTOR__RESPONSE__BODY_BACKEND) {
		backend_told(instance, response->backend);
	}
	belfry__connector__response__free_unpacked(response, NULL);
	return 0;
}

static const struct calls_events calls_events = {.hello = hello, .connected = connected, .told = told};

static void instance_start(struct hub_instance *instance)
{
	instance->place = mem_printf("connector/%s", instance->settings->name);
	hub_health_start(instance);
	instance->paid_us = -HUB_CHECKS_BURST * INT64_C(1000000);
	instance->calls = calls_create(instance->hub->net, instance->place, &calls_events, instance);
	timer_start(instance->hub->loop, &instance->recheck, 1000, recheck);
}

void hub_instances_start(struct hub *hub)
{
	hub->instances = mem_alloc_array(hub->settings.instance_count, sizeof *hub->instances);
	for (size_t i = 0; i < hub->settings.instance_count; i++) {
		hub->instances[i].hub = hub;
		hub->instances[i].settings = &hub->settings.instances[i];
		instance_start(&hub->instances[i]);
	}
}

static void instance_stop(struct hub_instance *instance)
{
	while (instance->table.users != NULL)
		hub_user_end(instance, instance->table.users);
	calls_free(&instance->calls);
	timer_stop(instance->hub->loop, &instance->pump);
	timer_stop(instance->hub->loop, &instance->recheck);
	park_table_release(&instance->table);
	free(instance->queue);
	free(instance->place);
}

void hub_instances_stop(struct hub *hub)
{
	for (size_t i = 0; i < hub->settings.instance_count; i++)
		instance_stop(&hub->instances[i]);
	free(hub->instances);
}
