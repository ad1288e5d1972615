/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From hints and positions to wakes: the rules of gateway/service/router.h on the park table. All that ends a park is
 * here; route_park.c begins one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/hub/internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

enum { SWEEP_TURNS = 30 }; /* each park is looked at this often, in s, for its expiry */

const char *hub_wake_word(Belfry__Role__WakeReason reason)
{
	static const char *const words[] = {"changed", "replaced by a newer one", "kicked", "told to come again"};

	return words[reason];
}

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
		.id = notice.change_id, .text = hub_wake_word(reason), .number = hub_now_s(hub) - park->since_s,
		.collection = count == 0 ? "" :
			hub_shown(park_name(&instance->table, park->user->cells[park->cells[changed[0]]].collection)),
	});
	log_trace(LOG_HUB, notice.user, notice.device, "user=%s device=%s woken=%s change=%s source=%s",
		log_quote(notice.user), log_quote(notice.device), hub_wake_word(reason), log_quote(notice.change_id),
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

void hub_route_clear_slot(struct hub_front *front, uint32_t slot)
{
	struct park *before;

	slots_grow(front, slot);
	before = front->slots[slot];
	if (before != NULL)
		park_end(instance_of(front->hub, before), before);
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
