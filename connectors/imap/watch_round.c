/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where collections stand. Questions go in rounds: all that is to be known now is asked at once, and what comes up
 * meanwhile waits for the next round, so that no Check is answered with what was read before it was asked.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/imap/watch_internal.h"
#include "lib/core/arena.h"
#include "lib/core/mem.h"

/* --- messages -------------------------------------------------------------------------------------------------- */

static Belfry__Connector__CollectionPosition *position_message(struct arena *arena, char *name, enum watch_answer answer,
	struct position position)
{
	static const Belfry__Connector__Status statuses[] = {
		[WATCH_THERE] = BELFRY__CONNECTOR__STATUS__OK,
		[WATCH_NOT_FOUND] = BELFRY__CONNECTOR__STATUS__NOT_FOUND,
		[WATCH_UNAVAILABLE] = BELFRY__CONNECTOR__STATUS__UNAVAILABLE,
	};
	Belfry__Connector__CollectionPosition *message = arena_alloc(arena, sizeof *message);

	belfry__connector__collection_position__init(message);
	message->collection = name;
	message->status = statuses[answer];
	if (answer != WATCH_THERE)
		return message;
	message->position = arena_alloc(arena, sizeof *message->position);
	belfry__role__position__init(message->position);
	message->position->validity = position.validity;
	message->position->next = position.next;
	message->position->token = position.token;
	return message;
}

static const char *source_of(const struct watch *watch)
{
	switch (watch_session_how(watch->session)) {
	case WATCH_BY_NOTIFY: return "notify";
	case WATCH_BY_IDLE: return watch->was_polled ? "poll" : "idle";
	case WATCH_BY_POLL: break;
	}
	return "poll";
}

/* --- checks ---------------------------------------------------------------------------------------------------- */

void check_free(struct check *check)
{
	struct check **link = &check->watch->checks;

	while (*link != check)
		link = &(*link)->next;
	*link = check->next;
	timer_stop(check->watch->watches->loop, &check->deadline);
	for (size_t i = 0; i < check->count; i++)
		free(check->list[i].name);
	free(check);
}

static void check_answer(struct check *check)
{
	Belfry__Connector__Response response = BELFRY__CONNECTOR__RESPONSE__INIT;
	Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;
	struct arena *arena = arena_create(0);

	response.id = check->id;
	response.body_case = BELFRY__CONNECTOR__RESPONSE__BODY_POSITIONS;
	response.positions = &positions;
	positions.user = check->watch->user;
	positions.source = (char *)"check";
	positions.n_positions = check->count;
	positions.positions = arena_alloc(arena, check->count * sizeof *positions.positions);
	for (size_t i = 0; i < check->count; i++)
		positions.positions[i] = position_message(arena, check->list[i].name, check->list[i].answer, check->list[i].position);
	service_answer(check->client, &response, -1);
	arena_free(&arena);
	check_free(check);
}

void watch_answer_checks(struct watch *watch, Belfry__Connector__Status status, const char *why)
{
	while (watch->checks != NULL) {
		service_answer_status(watch->checks->client, watch->checks->id, status, why);
		check_free(watch->checks);
	}
}

/* --- telling --------------------------------------------------------------------------------------------------- */

static void tell(struct watch *watch, Belfry__Connector__CollectionPosition **list, size_t count)
{
	Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;

	positions.user = watch->user;
	positions.source = (char *)source_of(watch);
	positions.positions = list;
	positions.n_positions = count;
	service_tell(watch->client, &positions);
}

void watch_tell_over(struct watch *watch, Belfry__Connector__Status status)
{
	Belfry__Connector__Positions positions = BELFRY__CONNECTOR__POSITIONS__INIT;

	positions.user = watch->user;
	positions.status = status;
	if (watch->client != NULL)
		service_tell(watch->client, &positions);
}

/* Tells what has not been told. */
static void tell_news(struct watch *watch)
{
	struct arena *arena = arena_create(0);
	Belfry__Connector__CollectionPosition **list = arena_alloc(arena, watch->count * sizeof *list);
	size_t count = 0;

	for (size_t i = 0; i < watch->count && watch->client != NULL && !watch->is_hooked; i++) {
		struct watched *watched = &watch->list[i];
		if (watched->is_told || !watched->is_known)
			continue;
		list[count++] = position_message(arena, watched->name, watched->answer, watched->position);
		watched->is_told = true;
	}
	if (count > 0)
		tell(watch, list, count);
	arena_free(&arena);
}

/* --- rounds ---------------------------------------------------------------------------------------------------- */

static void add_to_round(struct watch *watch, const char *name)
{
	for (size_t i = 0; i < watch->round_count; i++)
		if (strcmp(watch->round[i], name) == 0)
			return;
	watch->round = mem_realloc(watch->round, (watch->round_count + 1) * sizeof *watch->round);
	watch->round[watch->round_count++] = mem_strdup(name);
}

void watch_round_drop(struct watch *watch)
{
	for (size_t i = 0; i < watch->round_count; i++)
		free(watch->round[i]);
	free(watch->round);
	watch->round = NULL;
	watch->round_count = watch->round_left = 0;
	for (struct check *check = watch->checks; check != NULL; check = check->next)
		check->in_round = false;
}

void watch_ask(struct watch *watch)
{
	if (watch->round_left > 0)
		return;
	watch_round_drop(watch);
	for (struct check *check = watch->checks; check != NULL; check = check->next) {
		check->in_round = true;
		for (size_t i = 0; i < check->count; i++)
			add_to_round(watch, check->list[i].name);
	}
	for (size_t i = 0; i < watch->count; i++) {
		if (!watch->list[i].is_dirty)
			continue;
		watch->list[i].is_dirty = false;
		add_to_round(watch, watch->list[i].name);
	}
	watch->round_left = watch->round_count;
	/* The last answer may come within the call, and end the round and more. */
	struct watch_session *session = watch->session;
	for (size_t i = 0, count = watch->round_count; i < count && watch->session == session && i < watch->round_count; i++)
		watch_session_ask(session, watch->round[i]);
}

static bool is_same_position(struct position a, struct position b)
{
	return a.validity == b.validity && a.next == b.next && a.token == b.token;
}

/* Is it news? What could not be said now stays unknown until a Check, a notice or the next poll asks again. */
static bool note(struct watched *watched, enum watch_answer answer, struct position position)
{
	bool is_same = watched->is_known && watched->answer == answer && is_same_position(watched->position, position);

	watched->is_known = answer != WATCH_UNAVAILABLE;
	watched->answer = answer;
	watched->position = position;
	watched->is_told &= is_same;
	return watched->is_known && !is_same;
}

static void round_ended(struct watch *watch, bool something_changed)
{
	bool was_polled = watch->was_polled, was_look = watch->was_look;

	tell_news(watch);
	for (struct check *check = watch->checks, *next; check != NULL; check = next) {
		next = check->next;
		if (check->in_round)
			check_answer(check);
	}
	watch_round_drop(watch);
	watch->was_polled = watch->was_look = false;
	watch->failures = 0;
	if (!was_look || something_changed)
		watch_start_look(watch);
	if (was_polled || !timer_is_started(&watch->timer))
		watch_start_poll(watch, something_changed);
	watch_reconsider(watch);
}

void watch_answered(struct watch *watch, const char *collection, enum watch_answer answer, struct position position)
{
	for (struct check *check = watch->checks; check != NULL; check = check->next)
		for (size_t i = 0; check->in_round && i < check->count; i++)
			if (strcmp(check->list[i].name, collection) == 0) {
				check->list[i].answer = answer;
				check->list[i].position = position;
			}
	for (size_t i = 0; i < watch->count; i++)
		if (strcmp(watch->list[i].name, collection) == 0)
			watch->has_news |= note(&watch->list[i], answer, position);
	if (watch->round_left > 0 && --watch->round_left == 0) {
		bool has_news = watch->has_news;
		watch->has_news = false;
		round_ended(watch, has_news);
	}
}
