/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The held requests: from the hold until the hub's wake, the heartbeat's end, or the phone's hanging up. */
#include "gateway/activesync/park.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "gateway/activesync/answer.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/ping.h"
#include "gateway/activesync/state.pb-c.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

enum { HANDLE_MAX = 32 }; /* a longer one is not kept: the hub watches as if the login had given none */

struct park {
	struct parks *parks;
	struct http_held *held;
	const struct park_kind *kind;
	const char *instance;      /* the configuration's */
	uint32_t slot, generation;
	uint32_t deadline_s;       /* of the loop's clock */
	uint16_t folder_count;
	uint8_t handle_length;
	uint8_t handle[HANDLE_MAX];
	uint32_t numbers[];        /* a folder's id, or id, series and number; then user and device, each ended by NUL */
};

struct parks {
	struct activesync *engine;
	struct park **slots;
	uint32_t *generations;     /* of each slot */
	uint32_t slot_count;
	uint32_t *free_slots;
	uint32_t free_count;
	struct timer again;        /* parks anew, from `next_again` on */
	uint32_t next_again;
	struct again *reading;     /* parks whose positions are read for that, a list (utlist) */
	struct timer drain;
	unsigned drain_batch;
};

static size_t numbers_each(const struct park_kind *kind)
{
	return kind->has_keys ? 3 : 1;
}

static struct park_place place_of(const struct park *park, size_t folder)
{
	const uint32_t *at = &park->numbers[folder * numbers_each(park->kind)];

	return park->kind->has_keys ? (struct park_place){at[0], {at[1], at[2]}} : (struct park_place){.id = at[0]};
}

static void set_place(struct park *park, size_t folder, const struct park_place *place)
{
	uint32_t *at = &park->numbers[folder * numbers_each(park->kind)];

	at[0] = place->id;
	if (!park->kind->has_keys)
		return;
	at[1] = place->key.series;
	at[2] = place->key.number;
}

static const char *park_user(const struct park *park)
{
	return (const char *)&park->numbers[park->folder_count * numbers_each(park->kind)];
}

static const char *park_device(const struct park *park)
{
	return park_user(park) + strlen(park_user(park)) + 1;
}

size_t parks_size(const struct park_kind *kind, size_t folders, size_t user_length, size_t device_length)
{
	return sizeof(struct park) + folders * numbers_each(kind) * sizeof(uint32_t) + user_length + device_length + 2;
}

struct parks *parks_create(struct activesync *engine)
{
	struct parks *parks = mem_alloc(sizeof *parks);

	parks->engine = engine;
	return parks;
}

size_t parks_count(const struct parks *parks)
{
	return parks->slot_count - parks->free_count;
}

/* --- slots ----------------------------------------------------------------------------------------------------- */

static void grow(struct parks *parks)
{
	uint32_t count = parks->slot_count == 0 ? 64 : parks->slot_count * 2;

	parks->slots = mem_realloc(parks->slots, count * sizeof *parks->slots);
	parks->generations = mem_realloc(parks->generations, count * sizeof *parks->generations);
	parks->free_slots = mem_realloc(parks->free_slots, count * sizeof *parks->free_slots);
	for (uint32_t slot = count; slot-- > parks->slot_count;) {
		parks->slots[slot] = NULL;
		parks->generations[slot] = 0;
		parks->free_slots[parks->free_count++] = slot;
	}
	parks->slot_count = count;
}

static void take_slot(struct parks *parks, struct park *park)
{
	if (parks->free_count == 0)
		grow(parks);
	park->parks = parks;
	park->slot = parks->free_slots[--parks->free_count];
	park->generation = ++parks->generations[park->slot];
	parks->slots[park->slot] = park;
}

/* The park is over: its slot is free, the phone's connection is the caller's. */
static void give_slot_back(struct park *park)
{
	struct parks *parks = park->parks;

	parks->slots[park->slot] = NULL;
	parks->free_slots[parks->free_count++] = park->slot;
	free(park);
}

static struct park *find(const struct parks *parks, uint32_t slot, uint32_t generation)
{
	struct park *park = slot < parks->slot_count ? parks->slots[slot] : NULL;

	return park != NULL && park->generation == generation ? park : NULL;
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

static void note_outcome(const struct park *park, const Belfry__Role__Wake *wake, const char *result)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Outcome outcome = BELFRY__ROLE__OUTCOME__INIT;

	log_info(LOG_ACTIVESYNC, "user=%s device=%s command=%s %s source=%s change=%s", log_quote(park_user(park)),
		log_quote(park_device(park)), park->kind->command, result, wake == NULL ? "-" : wake->source,
		wake == NULL ? "-" : log_quote(wake->change_id));
	principal.user = (char *)park_user(park);
	principal.device = (char *)park_device(park);
	outcome.principal = &principal;
	outcome.command = (char *)(uintptr_t)park->kind->command;
	outcome.result = (char *)result;
	if (wake != NULL)
		outcome.change_id = wake->change_id;
	hub_outcome(park->parks->engine->host.hub, &outcome);
}

/* wake NULL: nothing new. */
static void answer(struct park *park, const Belfry__Role__Wake *wake)
{
	struct http_response response = HTTP_RESPONSE(200);
	struct buffer body = BUFFER_EMPTY;
	struct park_place places[PARK_FOLDERS_MAX];
	uint32_t changed[PARK_FOLDERS_MAX];
	size_t count = 0;
	char result[64];

	for (size_t i = 0; i < park->folder_count; i++)
		places[i] = place_of(park, i);
	for (size_t i = 0; wake != NULL && i < wake->n_changed && count < PARK_FOLDERS_MAX; i++)
		if (wake->changed[i] < park->folder_count)
			changed[count++] = wake->changed[i];
	int status = park->kind->write(&body, places, park->folder_count, changed, count);
	snprintf(result, sizeof result, "status=%d changed=%zu", status, count);
	note_outcome(park, wake, result);
	answer_headers(&response);
	http_response_header(&response, "Content-Type", ANSWER_CONTENT_TYPE);
	http_response_bytes(&response, &body);
	http_held_respond(park->held, &response);
	give_slot_back(park);
}

static void unpark(const struct park *park)
{
	const struct engine_host *host = &park->parks->engine->host;

	hub_unpark(host->hub, host->first_slot + park->slot, park->generation);
}

static void phone_gone(void *owner)
{
	struct park *park = owner;

	unpark(park);
	note_outcome(park, NULL, "hung up");
	give_slot_back(park);
}

static void heartbeat_over(struct http_held *held, void *owner)
{
	struct park *park = owner;

	(void)held;
	unpark(park);
	answer(park, NULL);
}

static const struct http_held_events held_events = {.gone = phone_gone, .expired = heartbeat_over};

void parks_woken(struct parks *parks, const Belfry__Role__Wake *wake)
{
	struct park *park = find(parks, wake->slot - parks->engine->host.first_slot, wake->generation);

	if (park != NULL) /* else it has been answered meanwhile */
		answer(park, wake->reason == BELFRY__ROLE__WAKE_REASON__CHANGED ? wake : NULL);
}

/* --- parking --------------------------------------------------------------------------------------------------- */

static void tell_hub(struct park *park, const struct park_folder *folders, bool again)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Park message = BELFRY__ROLE__PARK__INIT;
	Belfry__Role__Watched watched[PARK_FOLDERS_MAX], *all[PARK_FOLDERS_MAX];
	Belfry__Role__Position positions[PARK_FOLDERS_MAX];

	for (size_t i = 0; i < park->folder_count; i++) {
		belfry__role__watched__init(&watched[i]);
		positions[i] = folders[i].position;
		watched[i].collection = (char *)folders[i].name;
		watched[i].position = &positions[i];
		all[i] = &watched[i];
	}
	principal.user = (char *)park_user(park);
	principal.device = (char *)park_device(park);
	message.principal = &principal;
	message.slot = park->parks->engine->host.first_slot + park->slot;
	message.generation = park->generation;
	int64_t left_s = (int64_t)park->deadline_s - loop_now_ms(park->parks->engine->host.loop) / 1000;
	message.deadline_s = left_s > 0 ? (uint32_t)left_s : 0;
	message.instance = (char *)park->instance;
	message.handle.data = park->handle;
	message.handle.len = park->handle_length;
	message.watched = all;
	message.n_watched = park->folder_count;
	message.kind = "ping";
	message.again = again;
	hub_park(park->parks->engine->host.hub, &message);
}

void parks_hold(struct parks *parks, struct request *request, const struct park_kind *kind, uint32_t heartbeat_s,
	const struct park_folder *folders, size_t count)
{
	size_t user = strlen(request->user) + 1, device = strlen(request->device) + 1;

	if (request->exchange->is_gone) { /* the phone has hung up meanwhile */
		request_abandon(request);
		return;
	}
	assert(count <= PARK_FOLDERS_MAX);
	struct park *park = mem_alloc(parks_size(kind, count, user - 1, device - 1));
	park->kind = kind;
	park->instance = request->instance;
	park->deadline_s = (uint32_t)(loop_now_ms(parks->engine->host.loop) / 1000) + heartbeat_s;
	park->folder_count = (uint16_t)count;
	park->handle_length = (uint8_t)(request->handle.len <= HANDLE_MAX ? request->handle.len : 0);
	memcpy(park->handle, request->handle.data, park->handle_length);
	for (size_t i = 0; i < count; i++)
		set_place(park, i, &folders[i].place);
	memcpy((char *)park_user(park), request->user, user);
	memcpy((char *)park_device(park), request->device, device);
	take_slot(parks, park);
	tell_hub(park, folders, false);
	park->held = request_hold(request, &held_events, park);
	http_held_expire(park->held, (int64_t)heartbeat_s * 1000);
}

/* --- after the hub was away ------------------------------------------------------------------------------------ */

struct again {
	struct again *next, *prev;
	struct parks *parks;
	struct hub_call *call;
	uint32_t slot, generation;
};

static const Belfry__Role__Record *find_record(const Belfry__Role__Begun *begun, uint32_t id)
{
	char key[32];

	snprintf(key, sizeof key, "position/%u", id);
	for (size_t i = 0; i < begun->n_records; i++)
		if (strcmp(begun->records[i]->key, key) == 0)
			return begun->records[i];
	return NULL;
}

static void again_free(struct again *again)
{
	DL_DELETE(again->parks->reading, again);
	free(again);
}

/* The positions are as they were: the device has not synchronised while it waited. If it has, it also left. Where they
 * cannot be read the phone is to come again: a park that the hub does not have would never ring. */
static void positions_read(const Belfry__Role__Begun *begun, void *data)
{
	struct again *again = data;
	struct park *park = find(again->parks, again->slot, again->generation);
	struct park_folder folders[PARK_FOLDERS_MAX];
	bool is_read = begun != NULL && begun->status == BELFRY__ROLE__STATUS__OK;

	again_free(again);
	if (park == NULL)
		return;
	struct arena *arena = arena_create(0);
	for (size_t i = 0; is_read && i < park->folder_count; i++) {
		uint32_t id = place_of(park, i).id;
		folders[i] = ping_folder(id, find_record(begun, id), arena);
		is_read = folders[i].name[0] != '\0'; /* a device that was forgotten has none any more */
	}
	if (is_read)
		tell_hub(park, folders, true);
	else
		answer(park, NULL);
	arena_free(&arena);
}

static void read_positions(struct park *park)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Begin begin = BELFRY__ROLE__BEGIN__INIT;
	static char prefix[] = "position/", *prefixes[] = {prefix};
	struct again *again = mem_alloc(sizeof *again);

	*again = (struct again){.parks = park->parks, .slot = park->slot, .generation = park->generation};
	DL_APPEND(park->parks->reading, again);
	principal.user = (char *)park_user(park);
	principal.device = (char *)park_device(park);
	begin.principal = &principal;
	begin.prefixes = prefixes;
	begin.n_prefixes = 1;
	again->call = hub_begin(park->parks->engine->host.hub, &begin, positions_read, again);
}

static void park_again(struct timer *timer)
{
	struct parks *parks = container_of(timer, struct parks, again);

	for (unsigned batch = 0; batch < PARKS_AGAIN_BATCH && parks->next_again < parks->slot_count; parks->next_again++) {
		if (parks->slots[parks->next_again] == NULL)
			continue;
		read_positions(parks->slots[parks->next_again]);
		batch++;
	}
	if (parks->next_again < parks->slot_count)
		timer_start(parks->engine->host.loop, &parks->again, PARKS_AGAIN_EVERY_MS, park_again);
}

void parks_hub_returned(struct parks *parks)
{
	parks->next_again = 0;
	timer_start(parks->engine->host.loop, &parks->again, 0, park_again);
}

/* --- drain ----------------------------------------------------------------------------------------------------- */

enum { DRAIN_EVERY_MS = 100 };

static void drain_some(struct timer *timer)
{
	struct parks *parks = container_of(timer, struct parks, drain);
	unsigned answered = 0;

	for (uint32_t slot = 0; slot < parks->slot_count && answered < parks->drain_batch; slot++)
		if (parks->slots[slot] != NULL) {
			unpark(parks->slots[slot]);
			answer(parks->slots[slot], NULL);
			answered++;
		}
	if (parks_count(parks) != 0)
		timer_start(parks->engine->host.loop, &parks->drain, DRAIN_EVERY_MS, drain_some);
}

void parks_drain(struct parks *parks, unsigned over_s)
{
	unsigned turns = over_s * 1000 / DRAIN_EVERY_MS;

	parks->drain_batch = (unsigned)parks_count(parks) / (turns == 0 ? 1 : turns) + 1;
	timer_start(parks->engine->host.loop, &parks->drain, 0, drain_some);
}

/* --- the end --------------------------------------------------------------------------------------------------- */

void parks_free(struct parks **owner)
{
	struct parks *parks = *owner;

	if (parks == NULL)
		return;
	timer_stop(parks->engine->host.loop, &parks->again);
	timer_stop(parks->engine->host.loop, &parks->drain);
	while (parks->reading != NULL) {
		hub_call_cancel(&parks->reading->call);
		again_free(parks->reading);
	}
	for (uint32_t i = 0; i < parks->slot_count; i++)
		free(parks->slots[i]);
	free(parks->slots);
	free(parks->generations);
	free(parks->free_slots);
	free(parks);
	*owner = NULL;
}
