/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Survey: STATUS (the position, first), EXAMINE, SEARCH and FETCH FLAGS leave together. Only when a filter leaves a
 * part of the mailbox the flags are asked in a second trip, for that part.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/position.h"
#include "connectors/imap/worker_internal.h"
#include "lib/core/mem.h"
#include "lib/model/ranges.h"

enum {
	SURVEY_SET_MAX = 4000,        /* bytes of an id set in a command; a longer one is widened to its span */
	SURVEY_FLAGS_MAX = 400000,    /* items in one answer: with more the frame would be over LINK_FRAME_MAX */
	SURVEY_ZONE_S = 12 * 3600     /* SINCE compares days in a time zone that only the server knows */
};

struct survey {
	struct worker_call *call;
	const Belfry__Connector__Survey *request;
	struct position position;
	bool has_position;
	struct ranges present;
	/* Flags as they come: ids and flags in pairs, later filtered by present. */
	struct item_flags { uint32_t id, flags; } *flags;
	size_t count, room;
};

/* --- what is heard --------------------------------------------------------------------------------------------- */

static void hear_status(struct survey *survey, const struct imap_response *response)
{
	struct imap_status status;
	struct buffer name = BUFFER_EMPTY;

	if (imap_status_parse(response->rest, &status, &name) == 0 && (status.items & IMAP_STATUS_UIDVALIDITY)) {
		survey->position = position_from_status(status.uid_validity, status.uid_next, status.messages, status.unseen,
			status.highest_modseq);
		survey->has_position = true;
	}
	buffer_release(&name);
}

static bool read_uid(const char **at, const char *end, uint64_t *uid_r)
{
	uint64_t uid = 0;
	const char *start = *at;

	while (*at < end && **at >= '0' && **at <= '9' && *at - start < 10)
		uid = uid * 10 + (uint64_t)(*(*at)++ - '0');
	*uid_r = uid;
	return *at > start && uid > 0;
}

/* "2,10:15,21" (a range may be turned round). */
static void add_set(struct ranges *ranges, struct imap_text set)
{
	const char *at = set.bytes, *end = set.bytes + set.length;
	uint64_t first, last;

	while (read_uid(&at, end, &first)) {
		last = first;
		if (at < end && *at == ':') {
			at++;
			if (!read_uid(&at, end, &last))
				return;
		}
		ranges_add(ranges, first < last ? first : last, first < last ? last : first);
		if (at == end || *at++ != ',')
			return;
	}
}

/* * SEARCH 2 3 6, or * ESEARCH (TAG "B4") UID ALL 2:3,6 */
static void hear_search(struct survey *survey, const struct imap_response *response, bool extended)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;
	bool is_set = !extended;

	while ((token = imap_token_next(&cursor)).kind != IMAP_END && token.kind != IMAP_BROKEN) {
		if (token.kind != IMAP_ATOM)
			continue;
		if (is_set)
			add_set(&survey->present, token.text);
		is_set = !extended || imap_text_is(token.text, "ALL");
	}
}

static void add_flags(struct survey *survey, uint64_t id, uint32_t flags)
{
	if (survey->count == survey->room) {
		survey->room = survey->room == 0 ? 256 : survey->room * 2;
		survey->flags = mem_realloc(survey->flags, survey->room * sizeof *survey->flags);
	}
	survey->flags[survey->count++] = (struct item_flags){(uint32_t)id, flags};
}

/* * 5 FETCH (UID 7 FLAGS (\Seen) MODSEQ (12)), in any order; without a UID it was not asked. */
static void hear_flags(struct survey *survey, const struct imap_response *response)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;
	uint64_t uid = 0;
	uint32_t flags = 0;
	bool has_flags = false;

	if (!response->has_number || imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM) {
		if (imap_text_is(token.text, "UID")) {
			token = imap_token_next(&cursor);
			if (!imap_token_number(&token, &uid))
				return;
		} else if (imap_text_is(token.text, "FLAGS")) {
			has_flags = imap_token_next(&cursor).kind == IMAP_OPEN;
			flags = has_flags ? worker_read_flags(&cursor, NULL, NULL) : 0;
		} else if (!worker_skip_value(&cursor)) {
			return;
		}
	}
	if (has_flags && uid > 0 && uid <= UINT32_MAX)
		add_flags(survey, uid, flags);
}

static void hear(const struct imap_response *response, void *data)
{
	if (imap_text_is(response->keyword, "FETCH"))
		hear_flags(data, response);
	else if (imap_text_is(response->keyword, "ESEARCH") || imap_text_is(response->keyword, "SEARCH"))
		hear_search(data, response, response->keyword.length == 7);
	else if (imap_text_is(response->keyword, "STATUS"))
		hear_status(data, response);
}

/* --- what is asked --------------------------------------------------------------------------------------------- */

static int queue_status(struct survey *survey, struct error *error_r)
{
	struct session *session = survey->call->session;
	struct buffer command = BUFFER_EMPTY;

	/* STATUS of the selected mailbox is not for every server (RFC 9051 section 6.3.11). */
	if (session_has_selected(session, survey->request->collection) && (session->capabilities & IMAP_CAP_UNSELECT)) {
		session_queue(session, "UNSELECT");
		session_unselect(session);
	}
	buffer_append_string(&command, "STATUS ");
	if (mailbox_name_quote(&command, survey->request->collection) != 0) {
		buffer_release(&command);
		return error_set(error_r, "no mailbox can have this name");
	}
	buffer_printf(&command, " (%s)", session->capabilities & IMAP_CAP_CONDSTORE ? POSITION_STATUS_ITEMS_CONDSTORE
		: POSITION_STATUS_ITEMS);
	session_queue_buffer(session, &command);
	return 0;
}

static void queue_search(struct survey *survey)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
		"Dec"};
	struct session *session = survey->call->session;
	time_t since = (time_t)survey->request->received_since_s - SURVEY_ZONE_S;
	char filter[40] = "";
	struct tm day;

	if (since > 0 && gmtime_r(&since, &day) != NULL)
		snprintf(filter, sizeof filter, " SINCE %d-%s-%d", day.tm_mday, months[day.tm_mon], day.tm_year + 1900);
	session_queue(session, "UID SEARCH %sUNDELETED%s",
		session->capabilities & IMAP_CAP_ESEARCH ? "RETURN (ALL) " : "", filter);
}

static bool asks_changes_only(const struct survey *survey)
{
	return (survey->call->session->capabilities & IMAP_CAP_CONDSTORE)
		&& position_is_modseq(survey->request->since_token);
}

static void queue_flags(struct survey *survey, const char *set, bool changes_only)
{
	if (changes_only)
		session_queue(survey->call->session, "UID FETCH %s (FLAGS) (CHANGEDSINCE %llu)", set,
			(unsigned long long)survey->request->since_token);
	else
		session_queue(survey->call->session, "UID FETCH %s (FLAGS)", set);
}

/* Flags of what is present, when that is less than all. */
static enum session_answer ask_flags_of_present(struct survey *survey, struct error *error_r)
{
	const struct ranges *present = &survey->present;
	struct buffer set = BUFFER_EMPTY;

	if (present->count == 0)
		return SESSION_OK;
	for (size_t i = 0; i < present->count && set.length < SURVEY_SET_MAX; i++)
		worker_append_range(&set, present->list[i].first, present->list[i].last);
	if (set.length >= SURVEY_SET_MAX) {
		buffer_truncate(&set, 0);
		worker_append_range(&set, present->list[0].first, present->list[present->count - 1].last);
	}
	queue_flags(survey, buffer_string(&set), false);
	buffer_release(&set);
	return session_await(survey->call->session, hear, survey, error_r);
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

static Belfry__Connector__Ranges *pack_present(struct survey *survey)
{
	struct arena *arena = survey->call->arena;
	Belfry__Connector__Ranges *ranges = arena_alloc(arena, sizeof *ranges);

	belfry__connector__ranges__init(ranges);
	ranges->n_bounds = survey->present.count * 2;
	ranges->bounds = arena_alloc(arena, ranges->n_bounds * sizeof *ranges->bounds + 1);
	for (size_t i = 0; i < survey->present.count; i++) {
		ranges->bounds[2 * i] = survey->present.list[i].first;
		ranges->bounds[2 * i + 1] = survey->present.list[i].last;
	}
	return ranges;
}

static void pack_flags(struct survey *survey, Belfry__Connector__Surveyed *surveyed)
{
	struct arena *arena = survey->call->arena;
	Belfry__Connector__ItemFlags *items = arena_alloc(arena, survey->count * sizeof *items + 1);

	surveyed->changed = arena_alloc(arena, survey->count * sizeof *surveyed->changed + 1);
	for (size_t i = 0; i < survey->count; i++) {
		Belfry__Connector__ItemFlags *item = &items[surveyed->n_changed];

		if (!ranges_has(&survey->present, survey->flags[i].id))
			continue;
		belfry__connector__item_flags__init(item);
		item->id = survey->flags[i].id;
		item->flags = survey->flags[i].flags;
		surveyed->changed[surveyed->n_changed++] = item;
	}
}

static void answer(struct survey *survey, bool flags_complete)
{
	struct worker_call *call = survey->call;
	Belfry__Connector__Surveyed *surveyed = arena_alloc(call->arena, sizeof *surveyed);
	worker_response *response = worker_response_create(call);

	belfry__connector__surveyed__init(surveyed);
	surveyed->position = arena_alloc(call->arena, sizeof *surveyed->position);
	belfry__role__position__init(surveyed->position);
	surveyed->position->validity = survey->position.validity;
	surveyed->position->next = survey->position.next;
	surveyed->position->token = survey->position.token;
	surveyed->present = pack_present(survey);
	surveyed->flags_complete = flags_complete;
	pack_flags(survey, surveyed);
	response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_SURVEYED;
	response->surveyed = surveyed;
	worker_answer(call, response, true, -1);
}

/* --- the steps ------------------------------------------------------------------------------------------------- */

/* Reads the answers to all that was sent, or the session could not be used again. The first trouble decides. */
static worker_status hear_all(struct survey *survey, bool with_flags, bool *flags_failed_r, struct error *error_r)
{
	struct session *session = survey->call->session;
	worker_status result = BELFRY__CONNECTOR__STATUS__OK;
	enum { FLAGS, SEARCH, SELECT, STATUS }; /* so many more answers are to come */

	*flags_failed_r = false;
	while (session_awaited(session) > 0) {
		unsigned step = session_awaited(session) - (with_flags ? 1 : 0);
		struct error said;
		enum session_answer answer = step == SELECT
			? session_selected(session, survey->request->collection, hear, survey, &said)
			: session_await(session, hear, survey, &said);

		if (step > STATUS && answer != SESSION_LOST)
			continue; /* UNSELECT */
		if (step == FLAGS)
			*flags_failed_r = answer != SESSION_OK;
		if (answer != SESSION_OK && result == BELFRY__CONNECTOR__STATUS__OK && (step != FLAGS || answer == SESSION_LOST)) {
			result = worker_status_of(step == SEARCH && answer == SESSION_NO ? SESSION_BAD : answer, &said);
			*error_r = said;
		}
		if (answer == SESSION_LOST)
			return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	}
	return result;
}

static worker_status check(struct survey *survey, struct error *error_r)
{
	uint64_t expected = survey->request->validity;

	if (!survey->has_position) {
		error_set(error_r, "the server's STATUS cannot be read");
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	}
	/* Made anew between the two commands: what was listed is of the new one. */
	if (survey->position.validity != survey->call->session->validity
		|| (expected != 0 && expected != survey->position.validity)) {
		error_set(error_r, "the mailbox was made anew");
		return BELFRY__CONNECTOR__STATUS__STALE;
	}
	if (ranges_size(&survey->present) > SURVEY_FLAGS_MAX && !asks_changes_only(survey)) {
		error_set(error_r, "more than %d mails in one mailbox: only with a filter", SURVEY_FLAGS_MAX);
		return BELFRY__CONNECTOR__STATUS__LIMIT;
	}
	return BELFRY__CONNECTOR__STATUS__OK;
}

static worker_status survey_steps(struct survey *survey, bool *complete_r, struct error *error_r)
{
	bool changes_only = asks_changes_only(survey), filtered = survey->request->received_since_s != 0;
	bool with_flags = changes_only || !filtered, flags_failed;
	worker_status status;

	if (queue_status(survey, error_r) != 0 || session_select(survey->call->session, survey->request->collection, error_r) != 0)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	queue_search(survey);
	if (with_flags)
		queue_flags(survey, "1:*", changes_only);
	status = hear_all(survey, with_flags, &flags_failed, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = check(survey, error_r);
	if (status != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	/* A mailbox without mod-sequences refuses CHANGEDSINCE (NOMODSEQ), an empty one 1:*. */
	if (!with_flags || flags_failed) {
		survey->count = 0;
		changes_only = false;
		if (ask_flags_of_present(survey, error_r) != SESSION_OK)
			return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	}
	*complete_r = !changes_only;
	return BELFRY__CONNECTOR__STATUS__OK;
}

void worker_survey(struct worker_call *call)
{
	struct survey survey = {.call = call, .request = call->request->request->survey, .present = RANGES_EMPTY};
	bool complete = false;
	struct error error;
	worker_status status = survey_steps(&survey, &complete, &error);

	if (status == BELFRY__CONNECTOR__STATUS__OK)
		answer(&survey, complete);
	else
		worker_refuse(call, status, error.text);
	ranges_release(&survey.present);
	free(survey.flags);
}
