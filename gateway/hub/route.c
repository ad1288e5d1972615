/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From hints and positions to wakes: the rules of gateway/service/router.h on the park table. All that ends a park or
 * begins one is here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/hub/internal.h"
#include "gateway/service/access.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

enum { SWEEP_TURNS = 30 }; /* each park is looked at this often, in s, for its expiry */

static const char *const reason_words[] = {"changed", "replaced by a newer one", "kicked", "told to come again"};

/* --- the end of a park ------------------------------------------------------------------------------------------- */

static struct hub_front *front_of(const struct hub *hub, const struct park *park)
{
	return hub->fronts[park->front];
}

static void park_end(struct hub_instance *instance, struct park *park)
{
	struct hub *hub = instance->hub;
	struct park_user *user = park->user;

	front_of(hub, park)->slots[park->slot] = NULL;
	park_remove(&instance->table, &park);
	if (user->parks == NULL)
		hub_user_settle(instance, user);
}

static void note_park(struct hub *hub, enum hub_event_kind kind, const struct park *park, const char *text)
{
	hub_note(hub, &(struct hub_event){
		.kind = kind, .user = park->user->name, .device = park_device(park), .text = text,
		.number = hub_now_s(hub) - park->since_s,
	});
}

static void count_wake(struct hub *hub, const struct notice *notice)
{
	switch (notice->reason) {
	case BELFRY__ROLE__WAKE_REASON__CHANGED:
		hub->counters.woken_changed++;
		hub_source(hub, notice->source)->woken++;
		if (notice->happened_us != 0)
			histogram_add(&hub_source(hub, notice->source)->to_wake, notice->sent_us - notice->happened_us);
		break;
	case BELFRY__ROLE__WAKE_REASON__REPLACED: hub->counters.woken_replaced++; break;
	case BELFRY__ROLE__WAKE_REASON__KICKED: hub->counters.woken_kicked++; break;
	default: hub->counters.woken_nothing++; break;
	}
}

static struct notice notice_for(struct hub *hub, const struct park *park, Belfry__Role__WakeReason reason,
	const struct hub_news *news)
{
	return (struct notice){
		.user = park->user->name, .device = park_device(park), .reason = reason,
		.change_id = news == NULL ? "" : news->id, .source = news == NULL ? "" : news->source,
		.happened_us = news == NULL ? 0 : news->happened_us, .sent_us = loop_clock_us(hub->loop),
		.front = front_of(hub, park)->link, .slot = park->slot, .generation = park->generation,
	};
}

void hub_route_wake(struct hub_instance *instance, struct park *park, Belfry__Role__WakeReason reason,
	const uint32_t *changed, size_t count, const struct hub_news *news)
{
	struct hub *hub = instance->hub;
	struct notice notice = notice_for(hub, park, reason, news);

	notice.changed = changed;
	notice.changed_count = count;
	count_wake(hub, &notice);
	hub_note(hub, &(struct hub_event){
		.kind = EVENT_WOKEN, .user = notice.user, .device = notice.device, .source = notice.source,
		.id = notice.change_id, .text = reason_words[reason], .number = hub_now_s(hub) - park->since_s,
		.collection = count == 0 ? "" :
			hub_shown(park_name(&instance->table, park->user->cells[park->cells[changed[0]]].collection)),
	});
	log_trace(LOG_HUB, notice.user, notice.device, "user=%s device=%s woken=%s change=%s source=%s",
		log_quote(notice.user), log_quote(notice.device), reason_words[reason], log_quote(notice.change_id),
		log_quote(notice.source));
	hub->settings.notifiers[park->kind]->ring(&notice);
	park_end(instance, park);
}

unsigned hub_route_kick(struct hub *hub, const char *name, const char *device, Belfry__Role__WakeReason reason)
{
	struct hub_instance *instance;
	struct park_user *user = hub_user_find(hub, name, &instance);
	unsigned count = 0;

	for (struct park *park = user == NULL ? NULL : user->parks, *next; park != NULL; park = next) {
		next = park->next;
		if (device != NULL && strcmp(park_device(park), device) != 0)
			continue;
		hub_route_wake(instance, park, reason, NULL, 0, NULL);
		count++;
	}
	return count;
}

static struct hub_instance *instance_of(struct hub *hub, const struct park *park)
{
	for (size_t i = 0; i < hub->settings.instance_count; i++)
		if (park_user_find(&hub->instances[i].table, park->user->name) == park->user)
			return &hub->instances[i];
	return NULL;
}

void hub_route_unpark(struct hub_front *front, const Belfry__Role__Unpark *unpark)
{
	struct park *park = unpark->slot < front->slot_count ? front->slots[unpark->slot] : NULL;

	if (park == NULL || park->generation != unpark->generation)
		return;
	front->hub->counters.unparked++;
	note_park(front->hub, EVENT_LEFT, park, NULL);
	park_end(instance_of(front->hub, park), park);
}

void hub_route_front_gone(struct hub_front *front)
{
	for (uint32_t slot = 0; slot < front->slot_count; slot++) {
		struct park *park = front->slots[slot];
		if (park == NULL)
			continue;
		front->hub->counters.orphaned++;
		note_park(front->hub, EVENT_ORPHANED, park, NULL);
		park_end(instance_of(front->hub, park), park);
	}
}

/* --- expiry: a front takes its parks back itself; this is for what was lost -------------------------------------- */

static void sweep_front(struct hub_front *front, uint32_t now_s)
{
	uint32_t count = front->slot_count == 0 ? 0 : front->slot_count / SWEEP_TURNS + 1;

	for (uint32_t i = 0; i < count; i++) {
		struct park *park = front->slots[front->sweep++ % front->slot_count];
		if (park == NULL || now_s <= park->deadline_s + HUB_PARK_EXTRA_S)
			continue;
		front->hub->counters.expired++;
		note_park(front->hub, EVENT_EXPIRED, park, NULL);
		park_end(instance_of(front->hub, park), park);
	}
}

static void sweep(struct timer *timer)
{
	struct hub *hub = container_of(timer, struct hub, sweep);

	for (size_t i = 0; i < HUB_FRONTS_MAX; i++)
		if (hub->fronts[i] != NULL)
			sweep_front(hub->fronts[i], hub_now_s(hub));
	timer_start(hub->loop, &hub->sweep, 1000, sweep);
}

void hub_sweep_start(struct hub *hub)
{
	timer_start(hub->loop, &hub->sweep, 1000, sweep);
}

/* --- parking ------------------------------------------------------------------------------------------------------ */

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

static void slots_grow(struct hub_front *front, uint32_t slot)
{
	uint32_t count = front->slot_count == 0 ? 64 : front->slot_count;

	while (count <= slot)
		count *= 2;
	if (count == front->slot_count)
		return;
	front->slots = mem_realloc(front->slots, count * sizeof *front->slots);
	memset(front->slots + front->slot_count, 0, (count - front->slot_count) * sizeof *front->slots);
	front->slot_count = count;
}

/* The front uses the slot for another request now: the one before is over, whatever we missed. */
static void slot_clear(struct hub_front *front, uint32_t slot)
{
	struct park *before;

	slots_grow(front, slot);
	before = front->slots[slot];
	if (before != NULL)
		park_end(instance_of(front->hub, before), before);
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
		.id = news.id, .number = (uint32_t)parking->changed_count, .text = reason_words[reason],
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
	slot_clear(front, park->slot);
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

/* --- positions ----------------------------------------------------------------------------------------------------- */

void hub_route_learn(struct hub_instance *instance, struct park_user *user, const char *name, struct position position,
	bool is_fresh)
{
	uint32_t collection = park_name_find(&instance->table, name);

	if (collection != 0)
		park_learn(&instance->table, user, collection, position, is_fresh);
}

void hub_route_wake_differing(struct hub_instance *instance, struct park_user *user, const struct hub_news *news)
{
	uint32_t changed[PARK_COLLECTIONS_MAX];

	for (struct park *park = user->parks, *next; park != NULL; park = next) {
		size_t count = 0;
		next = park->next;
		for (uint32_t i = 0; i < park->count; i++)
			if (user->cells[park->cells[i]].flags & PARK_DIFFERS)
				changed[count++] = i;
		if (count > 0)
			hub_route_wake(instance, park, BELFRY__ROLE__WAKE_REASON__CHANGED, changed, count, news);
	}
	park_flag(user, 0, 0, PARK_DIFFERS);
}

void hub_route_committed(struct hub *hub, const char *name)
{
	struct park_user *user = hub_user_find(hub, name, &(struct hub_instance *){NULL});

	if (user == NULL)
		return;
	park_age(user);
	if (user->busy != NULL)
		user->busy->is_stale = true;
}

/* --- hints --------------------------------------------------------------------------------------------------------- */

struct hinted {
	struct hub_instance *instance;
	struct park_user *user;
	const struct hint *hint;
	struct position least;   /* what it proves; unknown: nothing */
	bool proved, is_wanted;
};

/* What it cannot prove is asked about, for the devices that it did not wake. */
static void hint_collection(uint32_t collection, void *data)
{
	struct hinted *hinted = data;
	struct park_user *user = hinted->user;

	hinted->is_wanted = true;
	park_age(user);
	if (!position_is_unknown(&hinted->least)) {
		if (park_learn_at_least(&hinted->instance->table, user, collection, hinted->least))
			hinted->proved = true;
		if (!park_waits_undiffering(user, collection))
			return;
	}
	park_flag(user, collection, PARK_ASK | PARK_HINTED, 0);
}

static struct hub_news hint_news(struct hub *hub, const struct hint *hint)
{
	struct hub_news news = {.happened_us = loop_clock_us(hub->loop)};

	snprintf(news.source, sizeof news.source, "%s", hint->source);
	snprintf(news.id, sizeof news.id, "%s", hint->id);
	if (*hint->id == '\0')
		hint_new_id(news.id);
	return news;
}

static void hint_name(struct hinted *hinted, const char *name)
{
	uint32_t collection = park_name_find(&hinted->instance->table, name);

	if (collection != 0 && park_has(hinted->user, collection))
		hint_collection(collection, hinted);
}

static bool is_of_hierarchy(const struct hint *hint)
{
	return hint->event == HINT_MAILBOX_CREATE || hint->event == HINT_MAILBOX_DELETE || hint->event == HINT_MAILBOX_RENAME;
}

static void note_hint(struct hub *hub, const char *user, const struct hint *hint, const struct hub_news *news,
	enum hub_hint_fate fate)
{
	hub_note(hub, &(struct hub_event){
		.kind = EVENT_HINT, .user = user, .collection = hint->mailbox, .source = news->source, .id = news->id,
		.text = hint_event_name(hint->event), .number = fate,
	});
}

static const char *canonical_mailbox(const char *mailbox)
{
	return strcasecmp(mailbox, "INBOX") == 0 ? "INBOX" : mailbox; /* RFC 3501 section 5.1 */
}

/* A hint of a user who waits, or waited within the last minute. */
static void hint_user(struct hub_instance *instance, struct park_user *user, const struct hint *hint)
{
	struct hinted hinted = {.instance = instance, .user = user, .hint = hint};
	struct hub_busy *busy = hub_user_busy(instance, user);
	struct hub *hub = instance->hub;

	user->hinted_s = hub_now_s(hub);
	busy->news = hint_news(hub, hint);
	if (*hint->mailbox == '\0') {
		park_each_collection(user, 0, false, hint_collection, &hinted);
	} else {
		hinted.least = router_hint_position(hint);
		hint_name(&hinted, canonical_mailbox(hint->mailbox));
		if (is_of_hierarchy(hint))
			hint_name(&hinted, HUB_HIERARCHY);
	}
	note_hint(hub, user->name, hint, &busy->news, hinted.is_wanted ? HINT_WANTED : HINT_OF_ANOTHER_COLLECTION);
	busy->retries = 0;
	if (hinted.proved) {
		hub_source(hub, busy->news.source)->proven++;
		struct hub_news news = busy->news;
		hub_route_wake_differing(instance, user, &news);
	}
	hub_user_ask(instance, user);
	hub_health_hinted(instance, user, hint->source);
}

void hub_route_hint(struct hub *hub, const char *name, const struct hint *hint)
{
	struct hub_source_counters *source = hub_source(hub, hint->source);
	struct hub_instance *instance;
	struct park_user *user = hub_user_find(hub, name, &instance);
	struct hub_news news;

	source->told++;
	log_trace(LOG_HOOK, name, NULL, "user=%s event=%s mailbox=%s uid=%llu change=%s source=%s", log_quote(name),
		hint_event_name(hint->event), log_quote(hint->mailbox), (unsigned long long)hint->uid, log_quote(hint->id),
		log_quote(hint->source));
	if (user != NULL) {
		hint_user(instance, user, hint);
		return;
	}
	source->unwanted++;
	news = hint_news(hub, hint);
	note_hint(hub, name, hint, &news, HINT_OF_NOBODY);
}
