/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is under way for a user: Checks, what their answers and what is told unasked mean, and what is done later.
 *
 *   hint ──▶ Check at once, one under way a user ─▶ same: again after 50 ms, 500 ms, 5 s
 *                                                ─▶ different: wake
 *                                                ─▶ no answer: again with back-off
 *   Positions, unasked ──▶ wake what differs
 *   no credentials ──▶ phones come again, spread
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/hub/internal.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

/* --- a user's work under way --------------------------------------------------------------------------------------- */

static void busy_timer(struct timer *);

struct hub_busy *hub_user_busy(struct hub_instance *instance, struct park_user *user)
{
	if (user->busy == NULL) {
		user->busy = mem_alloc(sizeof *user->busy);
		user->busy->instance = instance;
		user->busy->user = user;
	}
	return user->busy;
}

static void busy_after(struct hub_busy *busy, enum hub_busy_next next, int64_t delay_ms)
{
	busy->next = next;
	timer_start(busy->instance->hub->loop, &busy->timer, delay_ms, busy_timer);
}

static void busy_stop(struct hub_busy *busy)
{
	busy->next = BUSY_NOTHING;
	timer_stop(busy->instance->hub->loop, &busy->timer);
}

void hub_user_busy_end(struct park_user *user)
{
	struct hub_busy *busy = user->busy;

	if (busy == NULL)
		return;
	busy_stop(busy);
	call_cancel(&busy->check);
	free(busy);
	user->busy = NULL;
}

/* Most parked users have nothing under way: then nothing is kept. */
static void busy_settle(struct hub_busy *busy)
{
	const struct park_user *user = busy->user;

	if (busy->check == NULL && busy->next == BUSY_NOTHING && user->parks != NULL && !park_any(user, PARK_HINTED))
		hub_user_busy_end(busy->user);
}

void hub_user_settle(struct hub_instance *instance, struct park_user *user)
{
	struct hub_busy *busy = user->busy;

	if (user->parks == NULL)
		busy_after(hub_user_busy(instance, user), BUSY_LINGER, HUB_LINGER_MS);
	else if (busy != NULL && (busy->next == BUSY_LINGER || busy->next == BUSY_COME_AGAIN)) {
		busy_stop(busy); /* somebody came; with a login, too */
		busy_settle(busy);
	}
}

/* --- Check ---------------------------------------------------------------------------------------------------------------- */

static bool checked(const uint8_t *body, size_t length, int fd, void *data);

static void check_send(struct hub_instance *instance, struct hub_busy *busy, struct hub_name_list *list)
{
	Belfry__Connector__Request request = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Check check = BELFRY__CONNECTOR__CHECK__INIT;
	struct park_user *user = busy->user;

	check.user = user->name;
	check.collections = list->names;
	check.n_collections = list->count;
	check.handle = hub_user_handle(user);
	request.body_case = BELFRY__CONNECTOR__REQUEST__BODY_CHECK;
	request.check = &check;
	if (busy->next == BUSY_RETRY)
		busy_stop(busy);
	busy->check = calls_begin(instance->calls, HUB_CHECK_TIMEOUT_MS, checked, busy);
	busy->is_stale = false;
	busy->is_recheck = (user->flags & USER_RECHECK) != 0;
	user->flags &= (uint8_t)~USER_RECHECK;
	instance->hub->counters.checks++;
	hub_note(instance->hub, &(struct hub_event){
		.kind = EVENT_ASKED, .user = user->name, .number = (uint32_t)list->count, .collection = hub_shown(list->names[0]),
		.id = busy->news.id, .source = busy->is_recheck ? "recheck" : "",
	});
	hub_instance_send(instance, &request, busy->check);
}

static void asked(uint32_t collection, void *data)
{
	park_flag(data, collection, PARK_ASKED, PARK_ASK);
}

void hub_user_ask(struct hub_instance *instance, struct park_user *user)
{
	struct hub_name_list list = {.instance = instance};

	if (user->parks == NULL || !park_any(user, PARK_ASK) || !hub_instance_is_up(instance))
		return; /* without a connector: all is asked when it is there again */
	struct hub_busy *busy = hub_user_busy(instance, user);
	if (busy->check != NULL || busy->next == BUSY_BACKOFF || busy->next == BUSY_COME_AGAIN)
		return; /* what has PARK_ASK goes with the next one */
	park_each_collection(user, PARK_ASK, true, hub_name_add, &list);
	park_each_collection(user, PARK_ASK, true, asked, user);
	if (list.count > 0)
		check_send(instance, busy, &list);
	else
		busy_settle(busy);
	free(list.names);
}

/* --- what a connector's answer means -------------------------------------------------------------------------------- */

/* Phones that have to bring their password again do so spread, and not again and again. */
void hub_user_come_again(struct hub_instance *instance, struct park_user *user)
{
	struct hub *hub = instance->hub;
	struct hub_busy *busy = hub_user_busy(instance, user);
	uint32_t now_s = hub_now_s(hub);
	int64_t delay_ms = user->hh.hashv % HUB_COME_AGAIN_SPREAD_MS;

	user->flags |= USER_LOGIN_NEEDED;
	if (user->parks == NULL || busy->next == BUSY_COME_AGAIN)
		return;
	if (user->told_s != 0 && now_s < user->told_s + HUB_COME_AGAIN_MIN_S)
		delay_ms += (int64_t)(user->told_s + HUB_COME_AGAIN_MIN_S - now_s) * 1000;
	log_info(LOG_HUB, "user=%s connector=%s needs the password again: phones come again in %lld ms",
		log_quote(user->name), instance->settings->name, (long long)delay_ms);
	busy_after(busy, BUSY_COME_AGAIN, delay_ms);
}

static void come_again_now(struct hub_instance *instance, struct park_user *user)
{
	user->told_s = hub_now_s(instance->hub);
	for (struct park *park = user->parks, *next; park != NULL; park = next) {
		next = park->next;
		hub_route_wake(instance, park, BELFRY__ROLE__WAKE_REASON__NOTHING, NULL, 0, NULL);
	}
}

static void ask_again_later(struct hub_instance *instance, struct park_user *user)
{
	struct hub_busy *busy = hub_user_busy(instance, user);

	if (user->parks == NULL || busy->next == BUSY_COME_AGAIN)
		return;
	busy_after(busy, BUSY_BACKOFF, router_backoff_ms(busy->failures));
	busy->failures += busy->failures < 16;
}

const char *hub_status_word(Belfry__Connector__Status status)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(&belfry__connector__status__descriptor,
		(int)status);

	return value == NULL ? "an unknown status" : value->name;
}

void hub_note_answer(struct hub_instance *instance, const struct park_user *user, enum hub_event_kind kind,
	const char *collection, const char *source, const char *text)
{
	const struct hub_busy *busy = user->busy;

	hub_note(instance->hub, &(struct hub_event){
		.kind = kind, .user = user->name, .collection = collection, .source = source, .text = text,
		.id = busy == NULL ? "" : busy->news.id, .number = busy == NULL ? 0 : busy->retries,
	});
}

void hub_note_failed(struct hub_instance *instance, const struct park_user *user, const char *collection,
	const char *source, Belfry__Connector__Status status, const char *reason)
{
	char *text = mem_printf("%s%s%s", hub_status_word(status), *reason == '\0' ? "" : ": ", reason);

	hub_note_answer(instance, user, EVENT_FAILED, collection, source, text);
	free(text);
}

/* What one answer (or one telling) brought, before anybody is woken. */
struct learning {
	struct hub_instance *instance;
	struct park_user *user;
	bool is_asked, is_fresh, is_recheck;
	const char *source;
	bool differs, hinted, failed, login_needed, announced, missed;
};

static bool is_recent(const struct hub *hub, uint32_t at_s)
{
	return at_s != 0 && hub_now_s(hub) - at_s <= HUB_HINT_RECENT_S;
}

/* Were there new items, and did a hint say so? Only what was known before can be missed. */
static void judge_hooks(struct learning *learning, const struct position *now, const struct park_cell *before,
	uint16_t flags)
{
	struct position then = before->position;

	if (before->flags & PARK_AT_LEAST) { /* a hint proved this before; if it is true it announced it */
		learning->announced = learning->announced || position_has_reached(now, &then);
	} else if (flags & PARK_HINTED) {
		learning->announced = learning->announced || position_has_news(now, &then);
	} else if (position_has_news(now, &then) && (!learning->is_asked || learning->is_recheck)) {
		if (is_recent(learning->instance->hub, learning->user->hinted_s))
			learning->announced = true;
		else
			learning->missed = true;
	}
}

static void learn_position(struct learning *learning, const Belfry__Connector__CollectionPosition *told)
{
	struct hub_instance *instance = learning->instance;
	struct park_user *user = learning->user;
	uint32_t collection = park_name_find(&instance->table, told->collection);
	struct position now = position_pack(told->position);
	uint16_t flags = park_flags(user, collection);
	const struct park_cell *before = park_known(user, collection);

	if (!learning->is_fresh && park_waits_elsewhere(user, collection, &now)) {
		park_flag(user, collection, PARK_ASK, 0); /* perhaps read before a device's own change, which it has */
		return;
	}
	if (before != NULL && instance->settings->hook != HUB_HOOK_NO)
		judge_hooks(learning, &now, before, flags);
	bool differs = park_learn(&instance->table, user, collection, now, learning->is_fresh);
	instance->hub->counters.same += !differs;
	instance->hub->counters.different += differs;
	learning->differs = learning->differs || differs;
	learning->hinted = learning->hinted || (differs && (flags & PARK_HINTED));
	if (differs)
		park_flag(user, collection, 0, PARK_HINTED);
	if (learning->is_asked || differs)
		hub_note_answer(instance, user, differs ? EVENT_DIFFERENT : EVENT_SAME, hub_shown(told->collection),
			learning->source, NULL);
}

/* The collection cannot be said to be the same any more: those who wait for it have to look. */
static void learn_gone(struct learning *learning, const Belfry__Connector__CollectionPosition *told, uint32_t collection)
{
	park_flag(learning->user, collection, PARK_DIFFERS, PARK_HINTED);
	learning->differs = true;
	hub_note_answer(learning->instance, learning->user, EVENT_DIFFERENT, hub_shown(told->collection), learning->source,
		hub_status_word(told->status));
}

static void learn_one(struct learning *learning, const Belfry__Connector__CollectionPosition *told)
{
	struct park_user *user = learning->user;
	uint32_t collection = park_name_find(&learning->instance->table, told->collection);

	if (collection == 0 || !park_has(user, collection))
		return;
	park_flag(user, collection, 0, PARK_ASKED);
	switch (told->status) {
	case BELFRY__CONNECTOR__STATUS__OK: learn_position(learning, told); break;
	case BELFRY__CONNECTOR__STATUS__NOT_FOUND:
	case BELFRY__CONNECTOR__STATUS__STALE: learn_gone(learning, told, collection); break;
	case BELFRY__CONNECTOR__STATUS__UNSUPPORTED: /* only hooks can: then a hint is all there will be */
		learning->hinted = true;
		if (park_flags(user, collection) & PARK_HINTED)
			learn_gone(learning, told, collection);
		break;
	case BELFRY__CONNECTOR__STATUS__REFUSED:
	case BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED: learning->login_needed = true; break;
	default:
		learning->failed = true;
		park_flag(user, collection, PARK_ASK, 0);
		hub_note_failed(learning->instance, user, hub_shown(told->collection), learning->source, told->status, "");
		break;
	}
}

static void wake_learned(struct learning *learning)
{
	struct hub *hub = learning->instance->hub;
	struct hub_news news = {.happened_us = loop_clock_us(hub->loop)};

	if (learning->missed)
		hub_health_missed(learning->instance, learning->user);
	else if (learning->announced)
		hub_health_announced(learning->instance, learning->user);
	if (!learning->differs)
		return;
	if (learning->hinted && learning->user->busy != NULL && learning->user->busy->news.id[0] != '\0') {
		news = learning->user->busy->news;
	} else {
		hint_new_id(news.id);
		snprintf(news.source, sizeof news.source, "%s", learning->source);
	}
	hub_route_wake_differing(learning->instance, learning->user, &news);
}

/* After a hint "same" is not believed at once. */
static void retry_hinted(struct hub_busy *busy)
{
	int delay_ms = router_retry_ms(busy->retries);

	if (busy->next != BUSY_NOTHING || !park_any(busy->user, PARK_HINTED))
		return;
	if (delay_ms < 0) {
		park_flag(busy->user, 0, 0, PARK_HINTED);
		busy->news.id[0] = '\0';
		return;
	}
	busy->retries++;
	busy_after(busy, BUSY_RETRY, delay_ms);
}

static void count_failed(struct hub_instance *instance)
{
	instance->failed++;
	instance->hub->counters.failed++;
}

/* A Check is over: what came up meanwhile is asked now. */
static void check_over(struct hub_instance *instance, struct hub_busy *busy)
{
	struct park_user *user = busy->user;

	park_flag(user, 0, 0, PARK_ASKED); /* what the answer left out has its next recheck */
	hub_user_ask(instance, user);
	if (user->busy == NULL || busy->check != NULL)
		return;
	retry_hinted(busy);
	busy_settle(busy);
}

static void learn_all(struct learning *learning, const Belfry__Connector__Response *response)
{
	const Belfry__Connector__Positions *positions =
		response->body_case == BELFRY__CONNECTOR__RESPONSE__BODY_POSITIONS ? response->positions : NULL;
	Belfry__Connector__Status status = response->status;
	struct hub_instance *instance = learning->instance;
	struct park_user *user = learning->user;

	if (positions != NULL && status == BELFRY__CONNECTOR__STATUS__OK)
		status = positions->status;
	for (size_t i = 0; positions != NULL && i < positions->n_positions; i++)
		learn_one(learning, positions->positions[i]);
	if (status == BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED || status == BELFRY__CONNECTOR__STATUS__REFUSED) {
		learning->login_needed = true;
	} else if (status == BELFRY__CONNECTOR__STATUS__UNSUPPORTED) {
		learning->hinted = true;
		learning->differs = true;
		park_flag_where(user, PARK_HINTED, PARK_DIFFERS, PARK_HINTED | PARK_ASKED);
	} else if (status != BELFRY__CONNECTOR__STATUS__OK) {
		learning->failed = true;
		park_flag_where(user, PARK_ASKED, PARK_ASK, PARK_ASKED);
		if (!learning->is_asked)
			park_flag_parked(user, PARK_ASK);
		hub_note_failed(instance, user, "", learning->source, status, response->reason);
		instance->limited += status == BELFRY__CONNECTOR__STATUS__LIMIT;
	}
	wake_learned(learning);
	if (learning->is_asked && learning->failed)
		count_failed(instance);
	if (learning->login_needed)
		hub_user_come_again(instance, user);
	else if (learning->failed)
		ask_again_later(instance, user);
}

/* The connector was lost, or is silent: the first is asked anew when it is there again. */
static void check_failed(struct hub_instance *instance, struct hub_busy *busy)
{
	struct park_user *user = busy->user;

	count_failed(instance);
	park_flag_where(user, PARK_ASKED, PARK_ASK, PARK_ASKED);
	hub_note_answer(instance, user, EVENT_FAILED, "", "check", calls_are_connected(instance->calls) ?
		"no answer in time" : "the connector is not there");
	if (calls_are_connected(instance->calls))
		ask_again_later(instance, user);
	else if (busy->next == BUSY_RETRY)
		busy_stop(busy);
	busy_settle(busy);
}

static bool checked(const uint8_t *body, size_t length, int fd, void *data)
{
	struct hub_busy *busy = data;
	struct hub_instance *instance = busy->instance;
	Belfry__Connector__Response *response = body == NULL ? NULL : belfry__connector__response__unpack(NULL, length, body);
	struct learning learning = {
		.instance = instance, .user = busy->user, .is_asked = true, .is_fresh = !busy->is_stale,
		.is_recheck = busy->is_recheck, .source = "check",
	};

	if (fd >= 0)
		close(fd);
	busy->check = NULL;
	if (response == NULL) {
		check_failed(instance, busy);
		return false;
	}
	if (response->status == BELFRY__CONNECTOR__STATUS__OK)
		busy->failures = 0;
	learn_all(&learning, response);
	belfry__connector__response__free_unpacked(response, NULL);
	check_over(instance, busy);
	return false;
}

void hub_user_told(struct hub_instance *instance, struct park_user *user, const Belfry__Connector__Response *response)
{
	const Belfry__Connector__Positions *positions = response->positions;
	struct learning learning = {
		.instance = instance, .user = user, .is_fresh = true,
		.source = *positions->source == '\0' ? "watch" : positions->source,
	};

	hub_source(instance->hub, learning.source)->told++;
	learn_all(&learning, response);
	if (user->busy != NULL)
		busy_settle(user->busy);
}

/* --- the timer of a user --------------------------------------------------------------------------------------------- */

static void busy_timer(struct timer *timer)
{
	struct hub_busy *busy = container_of(timer, struct hub_busy, timer);
	struct hub_instance *instance = busy->instance;
	struct park_user *user = busy->user;
	enum hub_busy_next next = busy->next;

	busy->next = BUSY_NOTHING;
	switch (next) {
	case BUSY_RETRY:
		park_flag_where(user, PARK_HINTED, PARK_ASK, 0);
		hub_user_ask(instance, user);
		break;
	case BUSY_BACKOFF: hub_user_ask(instance, user); break;
	case BUSY_LINGER: hub_user_end(instance, user); break;
	case BUSY_COME_AGAIN: come_again_now(instance, user); break;
	case BUSY_NOTHING: break;
	}
}
