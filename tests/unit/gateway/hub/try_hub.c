/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The world around a hub under test. */
#include "tests/unit/gateway/hub/try_hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "notify/null.h"
#include "notify/ping.h"

static const struct notifier *const notifiers[] = {&notifier_ping, &notifier_null, NULL};

static void sink(enum log_level level, const char *line, void *data)
{
	struct try_hub *try = data;
	size_t length = strlen(try->warnings);

	if (level <= LOG_LEVEL_WARNING)
		snprintf(try->warnings + length, sizeof try->warnings - length, "%s\n", line);
}

bool try_warning(struct try_hub *try, const char *text)
{
	bool found = strstr(try->warnings, text) != NULL;

	try->warnings[0] = '\0';
	return found;
}

/* --- connector ------------------------------------------------------------------------------------------------------ */

static struct try_stand *stand_of(struct try_connector *connector, const char *user, const char *collection)
{
	for (size_t i = 0; i < connector->stand_count; i++)
		if (strcmp(connector->stands[i].user, user) == 0 && strcmp(connector->stands[i].collection, collection) == 0)
			return &connector->stands[i];
	assert_true(connector->stand_count < TRY_STANDS);
	struct try_stand *stand = &connector->stands[connector->stand_count++];
	*stand = (struct try_stand){.validity = 7, .next = 1, .token = 1};
	snprintf(stand->user, sizeof stand->user, "%s", user);
	snprintf(stand->collection, sizeof stand->collection, "%s", collection);
	return stand;
}

static void positions_send(struct try_connector *connector, uint64_t id, Belfry__Connector__Status status, const char *user,
	char **names, size_t count, const char *source)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;
	Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;
	Belfry__Connector__CollectionPosition *list = mem_alloc_array(count + 1, sizeof *list);
	Belfry__Connector__CollectionPosition **pointers = mem_alloc_array(count + 1, sizeof(void *));
	Belfry__Role__Position *at = mem_alloc_array(count + 1, sizeof *at);

	for (size_t i = 0; i < count; i++) {
		const struct try_stand *stand = stand_of(connector, user, names[i]);
		belfry__connector__collection_position__init(&list[i]);
		belfry__role__position__init(&at[i]);
		at[i].validity = stand->validity;
		at[i].next = stand->next;
		at[i].token = stand->token;
		list[i].collection = names[i];
		list[i].status = stand->status;
		list[i].position = stand->status == BELFRY__CONNECTOR__STATUS__OK ? &at[i] : NULL;
		pointers[i] = &list[i];
	}
	positions.user = (char *)(uintptr_t)user;
	positions.status = status;
	positions.positions = pointers;
	positions.n_positions = count;
	positions.source = (char *)(uintptr_t)source;
	response.id = id;
	if (connector->reason != NULL)
		response.reason = (char *)(uintptr_t)connector->reason;
	response.status = id == 0 ? BELFRY__CONNECTOR__STATUS__OK : status;
	response.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_POSITIONS;
	response.positions = &positions;
	link_send(connector->link, &response.base, -1);
	free(list);
	free(pointers);
	free(at);
}

static void check_answer(struct try_connector *connector, uint64_t id, const Belfry__Connector__Check *check)
{
	bool is_ok = connector->status == BELFRY__CONNECTOR__STATUS__OK;

	positions_send(connector, id, connector->status, check->user, check->collections, is_ok ? check->n_collections : 0,
		"check");
}

static void keep(Belfry__Connector__Request **last, Belfry__Connector__Request *request)
{
	if (*last != NULL)
		belfry__connector__request__free_unpacked(*last, NULL);
	*last = request;
}

static Belfry__Connector__Request *copy(const uint8_t *body, size_t length)
{
	return belfry__connector__request__unpack(NULL, length, body);
}

static void watch_answer(struct try_connector *connector, uint64_t id)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;

	response.id = id;
	response.status = connector->status;
	link_send(connector->link, &response.base, -1);
}

static void trace_note(const Belfry__Role__Trace *trace, char *text, size_t size)
{
	snprintf(text, size, "%s/%s/%s/%d", trace->subsystem, trace->user, trace->device, trace->on);
}

static void connector_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct try_connector *connector = owner;
	Belfry__Connector__Request *request = copy(body, length);

	(void)link;
	(void)fd;
	assert_non_null(request);
	switch (request->body_case) {
	case BELFRY__CONNECTOR__REQUEST__BODY_HELLO:
		assert_string_equal(request->hello->role, "hub");
		connector->hellos++;
		break;
	case BELFRY__CONNECTOR__REQUEST__BODY_WATCH:
		connector->watches++;
		keep(&connector->last_watch, copy(body, length));
		watch_answer(connector, request->id);
		break;
	case BELFRY__CONNECTOR__REQUEST__BODY_UNWATCH: connector->unwatches++; break;
	case BELFRY__CONNECTOR__REQUEST__BODY_CHECK:
		connector->checks++;
		keep(&connector->last_check, copy(body, length));
		if (connector->is_holding) {
			assert_true(connector->held_count < TRY_CHECKS);
			connector->held[connector->held_count] = request->id;
			connector->held_request[connector->held_count++] = copy(body, length);
		} else {
			check_answer(connector, request->id, request->check);
		}
		break;
	case BELFRY__CONNECTOR__REQUEST__BODY_TRACE:
		assert_true(connector->hellos > 0);
		connector->traces++;
		trace_note(request->trace, connector->traced, sizeof connector->traced);
		break;
	default: fail();
	}
	belfry__connector__request__free_unpacked(request, NULL);
}

static void connector_lost(struct link *link, const char *why, void *owner)
{
	struct try_connector *connector = owner;

	(void)link;
	(void)why;
	link_close(&connector->link);
}

static const struct link_events connector_events = {.received = connector_received, .lost = connector_lost};

static void connector_accepted(struct stream *stream, void *data)
{
	struct try_connector *connector = data;

	assert_null(connector->link);
	connector->link = link_create(stream, &connector_events, connector);
}

void try_connector_answer(struct try_hub *try)
{
	struct try_connector *connector = &try->connector;

	for (size_t i = 0; i < connector->held_count; i++) {
		check_answer(connector, connector->held[i], connector->held_request[i]->check);
		belfry__connector__request__free_unpacked(connector->held_request[i], NULL);
	}
	connector->held_count = 0;
	loop_settle(try->loop);
}

void try_connector_lose(struct try_hub *try)
{
	listener_close(&try->connector.listener);
	link_close(&try->connector.link);
	loop_settle(try->loop);
}

void try_connector_return(struct try_hub *try)
{
	try->connector.listener = net_listen(try->net, "connector/main", connector_accepted, &try->connector, NULL);
	loop_advance(try->loop, CALLS_RECONNECT_MAX_MS);
}

void try_stand_at(struct try_hub *try, const char *user, const char *collection, uint64_t validity, uint64_t next,
	uint64_t token)
{
	struct try_stand *stand = stand_of(&try->connector, user, collection);

	stand->status = BELFRY__CONNECTOR__STATUS__OK;
	stand->validity = validity;
	stand->next = next;
	stand->token = token;
}

void try_stand(struct try_hub *try, const char *user, const char *collection, uint64_t next)
{
	try_stand_at(try, user, collection, 7, next, next);
}

void try_stand_status(struct try_hub *try, const char *user, const char *collection, Belfry__Connector__Status status)
{
	stand_of(&try->connector, user, collection)->status = status;
}

void try_tell(struct try_hub *try, const char *user, const char *collection, const char *source)
{
	char *names[] = {(char *)(uintptr_t)collection};

	positions_send(&try->connector, 0, BELFRY__CONNECTOR__STATUS__OK, user, names, 1, source);
	loop_settle(try->loop);
}

void try_tell_status(struct try_hub *try, const char *user, Belfry__Connector__Status status)
{
	positions_send(&try->connector, 0, status, user, NULL, 0, "idle");
	loop_settle(try->loop);
}

void try_tell_backend(struct try_hub *try, const char *trouble)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;
	Belfry__Connector__Backend backend = BELFRY__CONNECTOR__BACKEND__INIT;

	backend.up = trouble == NULL;
	if (trouble != NULL)
		backend.trouble = (char *)(uintptr_t)trouble;
	response.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_BACKEND;
	response.backend = &backend;
	link_send(try->connector.link, &response.base, -1);
	loop_settle(try->loop);
}

/* --- fronts --------------------------------------------------------------------------------------------------------- */

static void front_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	struct try_front *front = owner;
	Belfry__Role__FromHub *message = belfry__role__from_hub__unpack(NULL, length, body);

	(void)link;
	(void)fd;
	assert_non_null(message);
	if (message->body_case == BELFRY__ROLE__FROM_HUB__BODY_TRACE) {
		front->traces++;
		trace_note(message->trace, front->traced, sizeof front->traced);
		belfry__role__from_hub__free_unpacked(message, NULL);
		return;
	}
	assert_true(front->count < TRY_MESSAGES);
	front->messages[front->count++] = message;
}

static void front_lost(struct link *link, const char *why, void *owner)
{
	struct try_front *front = owner;

	(void)link;
	(void)why;
	front->is_lost = true;
	link_close(&front->link);
}

static const struct link_events front_events = {.received = front_received, .lost = front_lost};

void try_front_connect(struct try_hub *try, struct try_front *front)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Hello hello = BELFRY__ROLE__HELLO__INIT;

	*front = (struct try_front){0};
	front->link = link_create(net_connect(try->net, "hub", NULL, NULL), &front_events, front);
	hello.role = (char *)(uintptr_t)"front";
	hello.number = 1;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_HELLO;
	message.hello = &hello;
	try_front_send(try, front, &message);
}

void try_front_close(struct try_hub *try, struct try_front *front)
{
	link_close(&front->link);
	loop_settle(try->loop);
	for (size_t i = 0; i < front->count; i++)
		belfry__role__from_hub__free_unpacked(front->messages[i], NULL);
	front->count = front->read = 0;
}

void try_front_send(struct try_hub *try, struct try_front *front, Belfry__Role__ToHub *message)
{
	if (front->link != NULL)
		link_send(front->link, &message->base, -1);
	loop_settle(try->loop);
}

const Belfry__Role__FromHub *try_front_next(struct try_front *front)
{
	return front->read < front->count ? front->messages[front->read++] : NULL;
}

bool try_park_at(struct try_hub *try, struct try_front *front, const char *user, const char *device, uint32_t slot,
	uint32_t generation, const char *collection, uint64_t validity, uint64_t next, uint64_t token)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Position position = BELFRY__ROLE__POSITION__INIT;
	Belfry__Role__Watched watched = BELFRY__ROLE__WATCHED__INIT, *list[] = {&watched};
	Belfry__Role__Park park = BELFRY__ROLE__PARK__INIT;
	const Belfry__Role__FromHub *answer;

	principal.user = (char *)(uintptr_t)user;
	principal.device = (char *)(uintptr_t)device;
	position.validity = validity;
	position.next = next;
	position.token = token;
	watched.collection = (char *)(uintptr_t)collection;
	watched.position = &position;
	park.principal = &principal;
	park.slot = slot;
	park.generation = generation;
	park.deadline_s = 600;
	park.instance = (char *)(uintptr_t)"main";
	park.handle.data = (uint8_t *)(uintptr_t)"0123456789abcdef";
	park.handle.len = 16;
	park.kind = (char *)(uintptr_t)"ping";
	park.watched = list;
	park.n_watched = 1;
	message.id = ++front->last_id;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_PARK;
	message.park = &park;
	try_front_send(try, front, &message);
	answer = try_front_next(front);
	while (answer != NULL && answer->body_case != BELFRY__ROLE__FROM_HUB__BODY_PARKED)
		answer = try_front_next(front);
	assert_non_null(answer);
	assert_int_equal(answer->id, front->last_id);
	assert_int_equal(answer->parked->slot, slot);
	assert_int_equal(answer->parked->generation, generation);
	return answer->parked->changed != NULL;
}

bool try_park(struct try_hub *try, struct try_front *front, const char *user, const char *device, uint32_t slot, uint64_t next)
{
	return try_park_at(try, front, user, device, slot, 1, "INBOX", 7, next, next);
}

void try_unpark(struct try_hub *try, struct try_front *front, uint32_t slot, uint32_t generation)
{
	Belfry__Role__ToHub message = BELFRY__ROLE__TO_HUB__INIT;
	Belfry__Role__Unpark unpark = BELFRY__ROLE__UNPARK__INIT;

	unpark.slot = slot;
	unpark.generation = generation;
	message.body_case = BELFRY__ROLE__TO_HUB__BODY_UNPARK;
	message.unpark = &unpark;
	try_front_send(try, front, &message);
}

const Belfry__Role__Wake *try_woken(struct try_front *front, uint32_t slot)
{
	const Belfry__Role__FromHub *message = try_front_next(front);

	if (message == NULL || message->body_case != BELFRY__ROLE__FROM_HUB__BODY_WAKE || message->wake->slot != slot)
		return NULL;
	return message->wake;
}

void try_hint_from(struct try_hub *try, const char *source, const char *user, const char *mailbox, enum hint_event event,
	uint64_t validity, uint64_t uid)
{
	struct hint hint = {
		.user = user, .mailbox = mailbox, .event = event, .uidvalidity = validity, .uid = uid, .id = "change-1",
		.source = source,
	};

	hub_route_hint(try->hub, user, &hint);
	loop_settle(try->loop);
}

void try_hint(struct try_hub *try, const char *user, const char *mailbox, enum hint_event event, uint64_t validity,
	uint64_t uid)
{
	try_hint_from(try, "hook", user, mailbox, event, validity, uid);
}

/* --- the world ------------------------------------------------------------------------------------------------------ */

void try_hub_prepare(struct try_hub *try)
{
	*try = (struct try_hub){0};
	log_set_sink(sink, try);
	try->loop = loop_create_manual(1700000000);
	try->net = net_create_memory(try->loop);
	try->store = store_memory_create(try->loop);
	try->instance = (struct hub_instance_settings){.name = "main", .hook = HUB_HOOK_YES, .recheck_s = 300};
	try->settings = (struct hub_settings){
		.instances = &try->instance, .instance_count = 1, .hook_rate = 100, .default_domain = "example.org",
		.max_devices = 3, .notifiers = notifiers, .events_max = 256, .backup_folder = "/nonexistent/backup",
	};
}

void try_hub_begin(struct try_hub *try)
{
	struct error error;

	if (!try->is_connector_away)
		try->connector.listener = net_listen(try->net, "connector/main", connector_accepted, &try->connector, NULL);
	try->hub = hub_start(try->net, &try->settings, try->store, &error);
	assert_non_null(try->hub);
	loop_settle(try->loop);
}

void try_hub_start(struct try_hub *try)
{
	try_hub_prepare(try);
	try_hub_begin(try);
}

void try_hub_stop(struct try_hub *try)
{
	assert_string_equal(try->warnings, "");
	hub_stop(&try->hub);
	listener_close(&try->connector.listener);
	link_close(&try->connector.link);
	keep(&try->connector.last_watch, NULL);
	keep(&try->connector.last_check, NULL);
	for (size_t i = 0; i < try->connector.held_count; i++)
		belfry__connector__request__free_unpacked(try->connector.held_request[i], NULL);
	store_close(&try->store);
	loop_settle(try->loop);
	net_free(&try->net);
	loop_free(&try->loop);
	log_set_sink(NULL, NULL);
}
