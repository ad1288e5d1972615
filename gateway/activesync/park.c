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
#include "gateway/activesync/sync.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

enum { HANDLE_MAX = 64 }; /* the hub takes no longer one: then it watches as if the login had given none */

static const struct park_kind *const kinds[] = {&ping_kind, &sync_kind};

struct park {
	uint32_t generation;
	uint32_t began_ms;         /* of the loop's clock, whose higher bits do not matter: no heartbeat has 49 days */
	uint16_t slot, heartbeat_s, folder_count;
	uint8_t kind;              /* in kinds */
	uint8_t data[];            /* user NUL, device NUL; then an id a folder, or id, series and key (put_number()) */
};

struct parks {
	struct http_held_events held_events;
	struct activesync *engine;
	uintptr_t *slots;          /* each a struct http_held *; a free one: the number of the next free one * 2 + 1 */
	uint32_t slot_count, free_count, first_free;
	uint32_t last_generation;
	struct timer again;        /* parks anew, from `next_again` on */
	uint32_t next_again;
	struct again *reading;     /* parks whose positions are read for that, a list (utlist) */
	struct timer drain;
	unsigned drain_batch;
};

size_t parks_count(const struct parks *parks)
{
	return parks->slot_count - parks->free_count;
}

/* --- what is kept of one --------------------------------------------------------------------------------------- */

/* Most numbers are small: seven bits a byte, the lowest first, the eighth says that more follow. at NULL: only counts. */
static size_t put_number(uint8_t *at, uint32_t number)
{
	size_t length = 0;

	for (;; number >>= 7) {
		if (at != NULL)
			at[length] = (uint8_t)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
		length++;
		if (number <= 0x7f)
			return length;
	}
}

static uint32_t take_number(const uint8_t **at)
{
	uint32_t number = 0;
	unsigned shift = 0;

	do {
		number |= (uint32_t)(**at & 0x7f) << shift;
		shift += 7;
	} while (*(*at)++ & 0x80);
	return number;
}

static size_t put_place(uint8_t *at, const struct park_kind *kind, const struct park_place *place)
{
	size_t length = put_number(at, place->id);

	if (!kind->has_keys)
		return length;
	length += put_number(at == NULL ? NULL : at + length, place->key.series);
	return length + put_number(at == NULL ? NULL : at + length, place->key.number);
}

static const char *park_user(const struct park *park)
{
	return (const char *)park->data;
}

static const char *park_device(const struct park *park)
{
	return park_user(park) + strlen(park_user(park)) + 1;
}

static void park_places(const struct park *park, struct park_place *places_r)
{
	const uint8_t *at = (const uint8_t *)park_device(park) + strlen(park_device(park)) + 1;

	for (size_t i = 0; i < park->folder_count; i++) {
		places_r[i] = (struct park_place){.id = take_number(&at)};
		if (kinds[park->kind]->has_keys) {
			places_r[i].key.series = take_number(&at);
			places_r[i].key.number = take_number(&at);
		}
	}
}

static size_t record_size(const struct park_kind *kind, const struct park_folder *folders, size_t count,
	const char *user, const char *device)
{
	size_t size = offsetof(struct park, data) + strlen(user) + 1 + strlen(device) + 1;

	for (size_t i = 0; i < count; i++)
		size += put_place(NULL, kind, &folders[i].place);
	return size;
}

static struct park *park_create(const struct park_kind *kind, const struct park_folder *folders, size_t count,
	const char *user, const char *device)
{
	size_t size = record_size(kind, folders, count, user, device);
	struct park *park = mem_alloc(size < sizeof *park ? sizeof *park : size);
	uint8_t *at = park->data;

	while (kinds[park->kind] != kind)
		park->kind++;
	at = (uint8_t *)stpcpy((char *)at, user) + 1;
	at = (uint8_t *)stpcpy((char *)at, device) + 1;
	for (size_t i = 0; i < count; i++)
		at += put_place(at, kind, &folders[i].place);
	park->folder_count = (uint16_t)count;
	return park;
}

size_t parks_size(const struct park_kind *kind, const struct park_folder *folders, size_t count, const char *user,
	const char *device)
{
	return record_size(kind, folders, count, user, device) + sizeof *(struct parks){0}.slots;
}

size_t park_add_hierarchy(struct request *request, struct park_folder *folders, size_t count)
{
	struct park_folder hierarchy = ping_folder(HIERARCHY_ID, request_record(request, HIERARCHY_RECORD), request->arena);

	if (hierarchy.position.validity == 0 || count == PARK_FOLDERS_MAX)
		return count;
	folders[count] = hierarchy;
	return count + 1;
}

bool park_is_hierarchy(const struct park_place *places, const uint32_t *changed, size_t changed_count)
{
	return changed_count != 0 && places[changed[changed_count - 1]].id == HIERARCHY_ID; /* it is the last */
}

/* --- slots ----------------------------------------------------------------------------------------------------- */

static bool is_free(const struct parks *parks, uint32_t slot)
{
	return parks->slots[slot] & 1;
}

static void put_free(struct parks *parks, uint32_t slot)
{
	parks->slots[slot] = (uintptr_t)parks->first_free * 2 + 1;
	parks->first_free = slot;
	parks->free_count++;
}

/* By a quarter: half of a doubled table might stay unused. */
static void grow(struct parks *parks)
{
	uint32_t before = parks->slot_count, count = before + before / 4 + 64;

	parks->slot_count = count < ENGINE_SLOTS ? count : ENGINE_SLOTS;
	assert(parks->slot_count > before);
	parks->slots = mem_realloc(parks->slots, parks->slot_count * sizeof *parks->slots);
	for (uint32_t slot = parks->slot_count; slot-- > before;)
		put_free(parks, slot);
}

static void take_slot(struct parks *parks, struct park *park)
{
	if (parks->free_count == 0)
		grow(parks);
	park->slot = (uint16_t)parks->first_free;
	park->generation = ++parks->last_generation;
	parks->first_free = (uint32_t)(parks->slots[park->slot] / 2);
	parks->free_count--;
}

/* The park is over: its slot is free, the phone's connection is the caller's. */
static void give_slot_back(struct parks *parks, struct park *park)
{
	put_free(parks, park->slot);
	free(park);
}

static struct http_held *held_at(const struct parks *parks, uint32_t slot)
{
	return slot >= parks->slot_count || is_free(parks, slot) ? NULL : (struct http_held *)parks->slots[slot];
}

static struct park *find(const struct parks *parks, uint32_t slot, uint32_t generation)
{
	struct http_held *held = held_at(parks, slot);
	struct park *park = held == NULL ? NULL : http_held_owner(held);

	return park != NULL && park->generation == generation ? park : NULL;
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

static uint32_t park_waited_ms(const struct parks *parks, const struct park *park)
{
	return (uint32_t)loop_now_ms(parks->engine->host.loop) - park->began_ms;
}

/* How long the change was in the hub, and since then on the way to here and in here. */
struct rooms {
	uint64_t hub_us, front_us;
};

static struct rooms rooms_of(const struct parks *parks, const Belfry__Role__Wake *wake)
{
	uint64_t now_us = loop_clock_us(parks->engine->host.loop);

	if (wake == NULL || wake->happened_us == 0 || wake->sent_us < wake->happened_us || now_us < wake->sent_us)
		return (struct rooms){0};
	return (struct rooms){wake->sent_us - wake->happened_us, now_us - wake->sent_us};
}

static void note_outcome(struct parks *parks, const struct park *park, const Belfry__Role__Wake *wake, const char *result)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Outcome outcome = BELFRY__ROLE__OUTCOME__INIT;
	struct rooms rooms = rooms_of(parks, wake);

	log_info(LOG_ACTIVESYNC, "user=%s device=%s command=%s %s source=%s change=%s took_ms=%u hub_us=%llu front_us=%llu",
		log_quote(park_user(park)), log_quote(park_device(park)), kinds[park->kind]->command, result,
		wake == NULL ? "-" : wake->source, wake == NULL ? "-" : log_quote(wake->change_id), park_waited_ms(parks, park),
		(unsigned long long)rooms.hub_us, (unsigned long long)rooms.front_us);
	principal.user = (char *)park_user(park);
	principal.device = (char *)park_device(park);
	outcome.principal = &principal;
	outcome.command = (char *)(uintptr_t)kinds[park->kind]->command;
	outcome.result = (char *)result;
	outcome.duration_ms = park_waited_ms(parks, park);
	if (wake != NULL) {
		outcome.change_id = wake->change_id;
		outcome.source = wake->source;
		outcome.change_us = rooms.hub_us + rooms.front_us;
	}
	hub_outcome(parks->engine->host.hub, &outcome);
}

/* wake NULL: nothing new. */
static void answer(struct parks *parks, struct park *park, const Belfry__Role__Wake *wake)
{
	struct http_held *held = held_at(parks, park->slot);
	struct http_response response = HTTP_RESPONSE(200);
	struct buffer body = BUFFER_EMPTY;
	struct park_place places[PARK_FOLDERS_MAX];
	uint32_t changed[PARK_FOLDERS_MAX];
	size_t count = 0;
	char result[64];

	park_places(park, places);
	for (size_t i = 0; wake != NULL && i < wake->n_changed && count < PARK_FOLDERS_MAX; i++)
		if (wake->changed[i] < park->folder_count)
			changed[count++] = wake->changed[i];
	int status = kinds[park->kind]->write(&body, places, park->folder_count, changed, count);
	snprintf(result, sizeof result, "status=%d changed=%zu", status, count);
	note_outcome(parks, park, wake, result);
	answer_headers(&response);
	http_response_header(&response, "Content-Type", ANSWER_CONTENT_TYPE);
	http_response_bytes(&response, &body);
	give_slot_back(parks, park);
	http_held_respond(held, &response);
}

static void unpark(struct parks *parks, const struct park *park)
{
	const struct engine_host *host = &parks->engine->host;

	hub_unpark(host->hub, host->first_slot + park->slot, park->generation);
}

static void phone_gone(const struct http_held_events *events, void *owner)
{
	struct parks *parks = container_of(events, struct parks, held_events);
	struct park *park = owner;

	unpark(parks, park);
	note_outcome(parks, park, NULL, "hung up");
	give_slot_back(parks, park);
}

static void heartbeat_over(const struct http_held_events *events, struct http_held *held, void *owner)
{
	struct parks *parks = container_of(events, struct parks, held_events);

	(void)held;
	unpark(parks, owner);
	answer(parks, owner, NULL);
}

void parks_woken(struct parks *parks, const Belfry__Role__Wake *wake)
{
	struct park *park = find(parks, wake->slot - parks->engine->host.first_slot, wake->generation);

	if (park != NULL) /* else it has been answered meanwhile */
		answer(parks, park, wake->reason == BELFRY__ROLE__WAKE_REASON__CHANGED ? wake : NULL);
}

/* --- the table ------------------------------------------------------------------------------------------------- */

struct parks *parks_create(struct activesync *engine)
{
	struct parks *parks = mem_alloc(sizeof *parks);

	parks->engine = engine;
	parks->held_events = (struct http_held_events){.gone = phone_gone, .expired = heartbeat_over};
	return parks;
}

/* --- parking --------------------------------------------------------------------------------------------------- */

/* handle NULL: none is at hand any more. */
static void tell_hub(struct parks *parks, struct park *park, const struct park_folder *folders,
	const ProtobufCBinaryData *handle)
{
	const struct engine_host *host = &parks->engine->host;
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
	message.slot = host->first_slot + park->slot;
	message.generation = park->generation;
	uint32_t waited_s = park_waited_ms(parks, park) / 1000;
	message.deadline_s = waited_s < park->heartbeat_s ? park->heartbeat_s - waited_s : 0;
	message.instance = (char *)parks->engine->settings->directory->instance_for(parks->engine->settings->directory,
		park_user(park));
	if (handle != NULL && handle->len <= HANDLE_MAX)
		message.handle = *handle;
	message.watched = all;
	message.n_watched = park->folder_count;
	message.kind = "ping";
	message.again = handle == NULL;
	hub_park(host->hub, &message);
}

void parks_hold(struct parks *parks, struct request *request, const struct park_kind *kind, uint32_t heartbeat_s,
	const struct park_folder *folders, size_t count)
{
	if (request->exchange->is_gone) { /* the phone has hung up meanwhile */
		request_abandon(request);
		return;
	}
	assert(count <= PARK_FOLDERS_MAX && heartbeat_s <= UINT16_MAX);
	struct park *park = park_create(kind, folders, count, request->user, request->device);
	park->began_ms = (uint32_t)loop_now_ms(parks->engine->host.loop);
	park->heartbeat_s = (uint16_t)heartbeat_s;
	take_slot(parks, park);
	tell_hub(parks, park, folders, &request->handle);
	struct http_held *held = request_hold(request, &parks->held_events, park);
	parks->slots[park->slot] = (uintptr_t)held;
	http_held_expire(held, (int64_t)heartbeat_s * 1000);
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
	struct parks *parks = again->parks;
	struct park *park = find(parks, again->slot, again->generation);
	struct park_folder folders[PARK_FOLDERS_MAX];
	struct park_place places[PARK_FOLDERS_MAX];
	bool is_read = begun != NULL && begun->status == BELFRY__ROLE__STATUS__OK;

	again_free(again);
	if (park == NULL)
		return;
	struct arena *arena = arena_create(0);
	park_places(park, places);
	for (size_t i = 0; is_read && i < park->folder_count; i++) {
		folders[i] = ping_folder(places[i].id, find_record(begun, places[i].id), arena);
		is_read = places[i].id == HIERARCHY_ID || folders[i].name[0] != '\0'; /* a device that was forgotten has none any more */
	}
	if (is_read)
		tell_hub(parks, park, folders, NULL);
	else
		answer(parks, park, NULL);
	arena_free(&arena);
}

static void read_positions(struct parks *parks, struct park *park)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Begin begin = BELFRY__ROLE__BEGIN__INIT;
	static char prefix[] = "position/", *prefixes[] = {prefix};
	struct again *again = mem_alloc(sizeof *again);

	*again = (struct again){.parks = parks, .slot = park->slot, .generation = park->generation};
	DL_APPEND(parks->reading, again);
	principal.user = (char *)park_user(park);
	principal.device = (char *)park_device(park);
	begin.principal = &principal;
	begin.prefixes = prefixes;
	begin.n_prefixes = 1;
	again->call = hub_begin(parks->engine->host.hub, &begin, positions_read, again);
}

static void park_again(struct timer *timer)
{
	struct parks *parks = container_of(timer, struct parks, again);

	for (unsigned batch = 0; batch < PARKS_AGAIN_BATCH && parks->next_again < parks->slot_count; parks->next_again++) {
		struct http_held *held = held_at(parks, parks->next_again);
		if (held == NULL)
			continue;
		read_positions(parks, http_held_owner(held));
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
		if (held_at(parks, slot) != NULL) {
			struct park *park = http_held_owner(held_at(parks, slot));
			unpark(parks, park);
			answer(parks, park, NULL);
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
	assert(parks_count(parks) == 0);
	free(parks->slots);
	free(parks);
	*owner = NULL;
}
