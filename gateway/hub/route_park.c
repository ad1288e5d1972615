/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A request is to be held: compared and registered in one step, so that no change falls between the two. */
#include <stdlib.h>
#include <string.h>

#include "gateway/hub/internal.h"
#include "gateway/service/access.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

static int kind_of(const struct hub *hub, const char *name)
{
	for (int i = 0; hub->settings.notifiers[i] != NULL; i++)
		if (strcmp(hub->settings.notifiers[i]->name, name) == 0)
			return i;
	return -1;
}

static bool may_wait(const Belfry__Role__Park *park)
{
	struct principal principal = hub_principal(park->principal);

	for (size_t i = 0; i < park->n_watched; i++) {
		const char *collection = park->watched[i]->collection;
		if (!principal_may(&principal, ACTION_WAIT,
			&(struct object){.user = principal.user, .collection = *collection == '\0' ? NULL : collection}))
			return false;
	}
	return true;
}

/* Why a front would not send this; NULL: it is fine. */
static const char *flaw_of(const struct hub *hub, const Belfry__Role__Park *park)
{
	if (park->slot >= HUB_SLOTS_MAX)
		return "a slot beyond all";
	if (park->n_watched == 0 || park->n_watched > PARK_COLLECTIONS_MAX)
		return "too few or too many collections";
	if (park->handle.len > PARK_HANDLE_MAX)
		return "a handle that is too long";
	if (strlen(park->principal->user) > PRINCIPAL_USER_MAX || strlen(park->principal->device) > PRINCIPAL_DEVICE_MAX)
		return "a principal that is too long";
	for (size_t i = 0; i < park->n_watched; i++)
		if (strlen(park->watched[i]->collection) > PARK_NAME_MAX)
			return "a collection with too long a name";
	if (!may_wait(park))
		return "a collection that its principal may not wait for";
	return kind_of(hub, park->kind) < 0 ? "an unknown kind of notifier" : NULL;
}

static void replace_older(struct hub *hub, const Belfry__Role__Principal *principal, int kind)
{
	struct hub_instance *instance;
	struct park_user *user = hub_user_find(hub, principal->user, &instance);
	struct park *park = user == NULL ? NULL : park_find(user, principal->device, (uint8_t)kind);

	if (park != NULL)
		hub_route_wake(instance, park, BELFRY__ROLE__WAKE_REASON__REPLACED, NULL, 0, NULL);
}

/* One park under way, from its frame to its answer. */
struct parking {
	struct hub_front *front;
	struct hub_instance *instance;
	struct park_user *user;
	const Belfry__Role__ToHub *message;
	const Belfry__Role__Park *park;
	int kind;
	struct position *positions;
	const char **collections;
	uint32_t *changed;            /* indexes of those with news … */
	size_t changed_count;
	uint32_t *unsure;             /* … and of those to ask about */
	size_t unsure_count;
};

/* Of the hierarchy only the connector says that it differs: a device that looked may have found it as it was, which
 * changes no record, and so tells nobody that what is known here is old. */
static enum park_verdict verdict_of(const struct parking *parking, uint32_t watched)
{
	const char *collection = parking->collections[watched];
	enum park_verdict verdict = park_compare(&parking->instance->table, parking->user, collection,
		&parking->positions[watched]);

	return verdict == PARK_CHANGED && *collection == '\0' ? PARK_UNSURE : verdict;
}

static void compare(struct parking *parking)
{
	for (uint32_t i = 0; i < parking->park->n_watched; i++) {
		const Belfry__Role__Watched *watched = parking->park->watched[i];
		parking->collections[i] = watched->collection;
		parking->positions[i] = position_pack(watched->position);
		switch (verdict_of(parking, i)) {
		case PARK_CHANGED: parking->changed[parking->changed_count++] = i; break;
		case PARK_UNSURE: parking->unsure[parking->unsure_count++] = i; break;
		case PARK_SAME: break;
		}
	}
}

static void answer(struct parking *parking, Belfry__Role__Wake *changed)
{
	Belfry__Role__FromHub message = BELFRY__ROLE__FROM_HUB__INIT;
	Belfry__Role__Parked parked = BELFRY__ROLE__PARKED__INIT;

	parked.slot = parking->park->slot;
	parked.generation = parking->park->generation;
	parked.changed = changed;
	message.body_case = BELFRY__ROLE__FROM_HUB__BODY_PARKED;
	message.parked = &parked;
	hub_front_answer(parking->front, parking->message->id, &message);
}

/* What is behind the news that a park meets: the last hint, as long as it is remembered. */
static struct hub_news news_of(struct hub *hub, const struct park_user *user)
{
	struct hub_news news = {.happened_us = loop_clock_us(hub->loop), .source = "check"};

	if (user->busy != NULL && user->busy->news.id[0] != '\0')
		return user->busy->news;
	hint_new_id(news.id);
	return news;
}

static void answer_at_once(struct parking *parking, Belfry__Role__WakeReason reason)
{
	struct hub *hub = parking->front->hub;
	const Belfry__Role__Park *park = parking->park;
	struct hub_news news = news_of(hub, parking->user);
	struct notice notice = { /* when it happened does not matter: nobody waited */
		.reason = reason, .changed = parking->changed, .changed_count = parking->changed_count,
		.change_id = news.id, .source = news.source, .sent_us = loop_clock_us(hub->loop),
		.slot = park->slot, .generation = park->generation,
	};
	Belfry__Role__Wake wake = notice_wake(&notice);

	hub->counters.changed_at_once++;
	hub_note(hub, &(struct hub_event){
		.kind = EVENT_AT_ONCE, .user = park->principal->user, .device = park->principal->device, .source = news.source,
		.id = news.id, .number = (uint32_t)parking->changed_count, .text = hub_wake_word(reason),
		.collection = parking->changed_count == 0 ? "" : hub_shown(parking->collections[parking->changed[0]]),
	});
	answer(parking, &wake);
	hub_user_settle(parking->instance, parking->user);
}

static struct park *register_park(struct parking *parking)
{
	struct hub *hub = parking->front->hub;
	const Belfry__Role__Park *park = parking->park;
	uint32_t now_s = hub_now_s(hub);
	uint32_t held_s = park->deadline_s < HUB_DEADLINE_MAX_S ? park->deadline_s : HUB_DEADLINE_MAX_S;

	return park_add(&parking->instance->table, parking->user, &(struct park_request){
		.device = park->principal->device, .slot = park->slot, .generation = park->generation,
		.deadline_s = now_s + held_s, .since_s = now_s, .front = parking->front->index, .kind = (uint8_t)parking->kind,
		.handle = park->handle.data, .handle_length = park->handle.len, .collections = parking->collections,
		.positions = parking->positions, .count = park->n_watched,
	});
}

static void note_parked(struct parking *parking)
{
	struct hub *hub = parking->front->hub;
	const Belfry__Role__Principal *principal = parking->park->principal;

	if (parking->park->again) {
		hub->counters.parks_again++;
		return;
	}
	hub->counters.parks++;
	hub_note(hub, &(struct hub_event){
		.kind = EVENT_PARKED, .user = principal->user, .device = principal->device,
		.number = (uint32_t)parking->park->n_watched, .collection = parking->park->watched[0]->collection,
	});
	log_trace(LOG_HUB, principal->user, principal->device, "user=%s device=%s parked collections=%zu",
		log_quote(principal->user), log_quote(principal->device), parking->park->n_watched);
}

/* The list of all folders is dear to a backend: it is not asked for at each Ping when nothing speaks for a change. */
static bool is_to_ask(const struct parking *parking, size_t watched)
{
	if (*parking->collections[watched] != '\0')
		return true;
	for (size_t i = 0; i < parking->unsure_count; i++)
		if (parking->unsure[i] == watched)
			return true;
	return false;
}

/* Each new park is asked about once: what happened since the device's Sync may have been announced by nobody. Where
 * what is known disagrees with the device it is asked at once, as if a hint had come. */
static void ask_about(struct parking *parking)
{
	struct hub_instance *instance = parking->instance;
	struct park_user *user = parking->user;
	bool is_at_odds = false;

	for (size_t i = 0; i < parking->park->n_watched; i++)
		park_flag(user, park_name_find(&instance->table, parking->collections[i]),
			is_to_ask(parking, i) ? PARK_ASK : 0, PARK_LEFT);
	for (size_t i = 0; i < parking->unsure_count; i++)
		is_at_odds = is_at_odds || park_known(user, park_name_find(&instance->table,
			parking->collections[parking->unsure[i]])) != NULL;
	hub_user_want(instance, user, USER_WANT_WATCH | USER_WANT_CHECK);
	if (is_at_odds)
		hub_user_ask(instance, user);
}

/* What was promised may be a little late: the next park has the backend asked more than once, as after a hint. */
static void spend_proofs(struct parking *parking)
{
	struct park_table *table = &parking->instance->table;

	for (size_t i = 0; i < parking->changed_count; i++) {
		uint32_t collection = park_name_find(table, parking->collections[parking->changed[i]]);
		if (park_spend_proof(table, parking->user, collection))
			park_flag(parking->user, collection, PARK_HINTED, 0);
	}
}

static void park_now(struct parking *parking)
{
	compare(parking);
	if (parking->changed_count > 0) {
		spend_proofs(parking);
		answer_at_once(parking, BELFRY__ROLE__WAKE_REASON__CHANGED);
		return;
	}
	struct park *park = register_park(parking);
	if (park == NULL) { /* so many positions of one user: his devices come again, until they agree */
		log_warning(LOG_HUB, "user=%s device=%s not parked: the user waits for too many collections",
			log_quote(parking->user->name), log_quote(parking->park->principal->device));
		answer_at_once(parking, BELFRY__ROLE__WAKE_REASON__NOTHING);
		return;
	}
	parking->front->slots[park->slot] = park;
	answer(parking, NULL);
	note_parked(parking);
	hub_user_settle(parking->instance, parking->user);
	ask_about(parking);
}

void hub_route_park(struct hub_front *front, const Belfry__Role__ToHub *message)
{
	const Belfry__Role__Park *park = message->park;
	struct hub *hub = front->hub;
	struct parking parking = {.front = front, .message = message, .park = park, .kind = kind_of(hub, park->kind)};
	const char *flaw = flaw_of(hub, park);

	parking.instance = hub_instance_find(hub, park->instance);
	if (flaw == NULL && parking.instance == NULL)
		flaw = "an unknown connector";
	if (flaw != NULL) {
		log_error(LOG_HUB, "front=%u sent a Park with %s: closing its link", front->number, flaw);
		hub_front_close(front, "it broke the form");
		return;
	}
	hub_route_clear_slot(front, park->slot);
	replace_older(hub, park->principal, parking.kind);
	parking.user = park_user_find(&parking.instance->table, park->principal->user);
	if (parking.user == NULL)
		parking.user = park_user_create(&parking.instance->table, park->principal->user);
	parking.positions = mem_alloc_array(park->n_watched, sizeof *parking.positions);
	parking.collections = mem_alloc_array(park->n_watched, sizeof *parking.collections);
	parking.changed = mem_alloc_array(park->n_watched, sizeof *parking.changed);
	parking.unsure = mem_alloc_array(park->n_watched, sizeof *parking.unsure);
	park_now(&parking);
	free(parking.positions);
	free(parking.collections);
	free(parking.changed);
	free(parking.unsure);
}
