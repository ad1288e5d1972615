/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Survey: STATUS (the position, first), EXAMINE (unless it is selected), SEARCH and FETCH FLAGS leave together, and when
 * mails came since the last time, the FETCH of these. Only when a filter leaves a part of the mailbox the flags are asked
 * in a second trip, for that part; and before that its conversations, when they are wanted.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/imap/keyword.h"
#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/position.h"
#include "connectors/imap/worker_fetch.h"
#include "lib/core/mem.h"
#include "lib/model/ranges.h"

enum {
	SURVEY_SET_MAX = 4000,        /* bytes of an id set in a command; a longer one is widened to its span */
	SURVEY_FLAGS_MAX = 400000,    /* items in one answer: with more the frame would be over LINK_FRAME_MAX; … */
	SURVEY_MARKS_AN_ITEM = 3,     /* … and so many categories take as much as an item */
	SURVEY_KEYWORDS_MAX = 500     /* that differ; a mailbox with more is not one of a person */
};

/* The commands under way, in the order of their answers. */
enum step { STEP_UNSELECT, STEP_STATUS, STEP_SELECT, STEP_SEARCH, STEP_FLAGS, STEP_AHEAD };
enum { STEPS_MAX = 7 };

/* Two sessions that open a mailbox for the first time may each make it, and see two UIDVALIDITYs until one of them is
 * written: then it is opened anew. */
enum { OPEN_TRIES = 3 };

struct survey {
	struct worker_call *call;
	const Belfry__Connector__Survey *request;
	enum step steps[STEPS_MAX];
	int step_count;
	bool opens_anew;         /* what is selected is not to be believed */
	struct position position;
	bool has_position;
	bool flags_failed;       /* the server refused to tell them as they were asked */
	struct ranges present;
	/* Flags as they come, later filtered by present. */
	struct item_flags { uint32_t id, flags, first_mark, mark_count; } *flags;
	size_t count, room;
	uint32_t *marks;         /* the items' categories, by their places in categories */
	size_t mark_count, mark_room;
	char **categories;       /* told */
	size_t category_count;
	struct known { const char *keyword; size_t length; int category; } *known; /* -1: it is no category */
	size_t known_count;
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

/* What it is as a category; -1: none, or there is no room for more. */
static int add_known(struct survey *survey, struct imap_text keyword)
{
	struct arena *arena = survey->call->arena;
	struct buffer category = BUFFER_EMPTY;

	if (survey->known == NULL) {
		survey->known = arena_alloc(arena, SURVEY_KEYWORDS_MAX * sizeof *survey->known);
		survey->categories = arena_alloc(arena, SURVEY_KEYWORDS_MAX * sizeof *survey->categories);
	}
	if (survey->known_count == SURVEY_KEYWORDS_MAX)
		return -1;
	struct known *known = &survey->known[survey->known_count++];
	*known = (struct known){arena_strndup(arena, keyword.bytes, keyword.length), keyword.length, -1};
	if (keyword_decode(&category, keyword.bytes, keyword.length) == 0) {
		known->category = (int)survey->category_count;
		survey->categories[survey->category_count++] = arena_strndup(arena, category.data, category.length);
	}
	buffer_release(&category);
	return known->category;
}

static int find_known(struct survey *survey, struct imap_text keyword)
{
	for (size_t i = 0; i < survey->known_count; i++)
		if (survey->known[i].length == keyword.length &&
		    strncasecmp(survey->known[i].keyword, keyword.bytes, keyword.length) == 0)
			return survey->known[i].category;
	return add_known(survey, keyword);
}

static void hear_keyword(struct imap_text keyword, void *data)
{
	struct survey *survey = data;
	int category = find_known(survey, keyword);

	if (category < 0)
		return;
	if (survey->mark_count == survey->mark_room) {
		survey->mark_room = survey->mark_room == 0 ? 256 : survey->mark_room * 2;
		survey->marks = mem_realloc(survey->marks, survey->mark_room * sizeof *survey->marks);
	}
	survey->marks[survey->mark_count++] = (uint32_t)category;
}

static void add_flags(struct survey *survey, uint64_t id, uint32_t flags, size_t first_mark)
{
	if (survey->count == survey->room) {
		survey->room = survey->room == 0 ? 256 : survey->room * 2;
		survey->flags = mem_realloc(survey->flags, survey->room * sizeof *survey->flags);
	}
	survey->flags[survey->count++] = (struct item_flags){(uint32_t)id, flags, (uint32_t)first_mark,
		(uint32_t)(survey->mark_count - first_mark)};
}

/* * 5 FETCH (UID 7 FLAGS (\Seen) MODSEQ (12)), in any order; without a UID it was not asked. */
static void hear_flags(struct survey *survey, const struct imap_response *response)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;
	uint64_t uid = 0;
	uint32_t flags = 0;
	bool has_flags = false, is_mail = false;
	size_t first_mark = survey->mark_count;

	if (!response->has_number || imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM) {
		if (imap_text_is(token.text, "UID")) {
			token = imap_token_next(&cursor);
			if (!imap_token_number(&token, &uid))
				return;
		} else if (imap_text_is(token.text, "FLAGS")) {
			has_flags = imap_token_next(&cursor).kind == IMAP_OPEN;
			flags = has_flags ? worker_read_flags(&cursor, hear_keyword, survey) : 0;
		} else {
			is_mail |= token.text.length > 5 && strncasecmp(token.text.bytes, "BODY[", 5) == 0;
			if (!imap_cursor_skip(&cursor))
				return;
		}
	}
	if (is_mail)
		ahead_keep(&survey->call->session->ahead, uid, response->rest);
	else if (has_flags && uid > 0 && uid <= UINT32_MAX)
		add_flags(survey, uid, flags, first_mark);
}

static void hear(const struct imap_response *response, void *data)
{
	if (imap_text_is(response->keyword, "FETCH"))
		hear_flags(data, response);
	else if (imap_text_is(response->keyword, "STATUS"))
		hear_status(data, response);
	else
		worker_read_search(response, &((struct survey *)data)->present);
}

/* --- what is asked --------------------------------------------------------------------------------------------- */

static void note_step(struct survey *survey, enum step step)
{
	survey->steps[survey->step_count++] = step;
}

static int queue_status(struct survey *survey, struct error *error_r)
{
	struct session *session = survey->call->session;
	struct buffer command = BUFFER_EMPTY;

	buffer_append_string(&command, "STATUS ");
	if (mailbox_name_quote(&command, survey->request->collection) != 0) {
		buffer_release(&command);
		return error_set(error_r, "no mailbox can have this name");
	}
	buffer_printf(&command, " (%s)", session->capabilities & IMAP_CAP_CONDSTORE ? POSITION_STATUS_ITEMS_CONDSTORE
		: POSITION_STATUS_ITEMS);
	session_queue_buffer(session, &command);
	note_step(survey, STEP_STATUS);
	return 0;
}

/* STATUS of the selected mailbox may be old. CLOSE would expunge a mailbox that is open for writing: the EXAMINE before
 * it makes sure that it is not. */
static void queue_unselect(struct survey *survey)
{
	struct session *session = survey->call->session;
	struct error ignored;

	session_unselect(session);
	if (session->capabilities & IMAP_CAP_UNSELECT) {
		session_queue(session, "UNSELECT");
	} else {
		session_select(session, survey->request->collection, &ignored);
		note_step(survey, STEP_UNSELECT);
		session_queue(session, "CLOSE");
	}
	note_step(survey, STEP_UNSELECT);
}

/* The position and the view of the mailbox that is listed. */
static int queue_view(struct survey *survey, struct error *error_r)
{
	struct session *session = survey->call->session;
	bool is_selected = session_has_selected(session, survey->request->collection);

	ahead_drop(&session->ahead);
	if (is_selected && !survey->opens_anew && session_can_ask_selected(session)
		&& session_refresh(session, error_r) == SESSION_OK)
		return queue_status(survey, error_r);
	if (is_selected)
		queue_unselect(survey);
	if (queue_status(survey, error_r) != 0 || session_select(session, survey->request->collection, error_r) != 1)
		return -1;
	note_step(survey, STEP_SELECT);
	return 0;
}

static void queue_search(struct survey *survey)
{
	struct session *session = survey->call->session;
	uint64_t since_s = survey->request->received_since_s;
	struct buffer command = BUFFER_EMPTY;

	buffer_printf(&command, "UID SEARCH %sUNDELETED", session->capabilities & IMAP_CAP_ESEARCH ? "RETURN (ALL) " : "");
	if (since_s > WORKER_ZONE_WEST_S)
		worker_append_day(&command, "SINCE", since_s - WORKER_ZONE_WEST_S);
	session_queue_buffer(session, &command);
	note_step(survey, STEP_SEARCH);
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

/* The session has seen mails come: whoever surveys fetches them next. */
static void queue_ahead(struct survey *survey)
{
	struct session *session = survey->call->session;
	struct buffer set = BUFFER_EMPTY;

	if (!session->ahead.has_news || session->ahead.next == 0)
		return;
	worker_append_range(&set, session->ahead.next, session->ahead.next + AHEAD_MAX - 1);
	fetch_queue(session, buffer_string(&set));
	buffer_release(&set);
	note_step(survey, STEP_AHEAD);
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
		item->n_keywords = survey->flags[i].mark_count < KEYWORDS_MAX ? survey->flags[i].mark_count : KEYWORDS_MAX;
		item->keywords = item->n_keywords == 0 ? NULL : survey->marks + survey->flags[i].first_mark;
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
	surveyed->keywords = survey->categories;
	surveyed->n_keywords = survey->category_count;
	pack_flags(survey, surveyed);
	response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_SURVEYED;
	response->surveyed = surveyed;
	worker_answer(call, response, true, -1);
}

/* What came between STATUS and SEARCH is newer than the position: told now, it would show again as news that is none. */
static void leave_out_newer(struct survey *survey)
{
	if (survey->position.next != 0)
		ranges_remove(&survey->present, survey->position.next, UINT32_MAX);
}

/* From here on mails are new. */
static void note_surveyed(struct survey *survey)
{
	struct ahead *ahead = &survey->call->session->ahead;

	ahead->next = survey->position.next;
	ahead->has_news = false;
}

/* --- the steps ------------------------------------------------------------------------------------------------- */

/* What an answer means for the whole. Flags that are refused are asked in another way. */
static worker_status judge(struct survey *survey, enum step step, enum session_answer answer, const struct error *said)
{
	if (answer == SESSION_OK || step == STEP_UNSELECT || step == STEP_AHEAD)
		return BELFRY__CONNECTOR__STATUS__OK;
	if (step == STEP_FLAGS) {
		survey->flags_failed = true;
		return BELFRY__CONNECTOR__STATUS__OK;
	}
	return step == STEP_SEARCH ? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : worker_status_of(answer, said);
}

/* Reads the answers to all that was sent, or the session could not be used again. The first trouble decides. */
static worker_status hear_all(struct survey *survey, struct error *error_r)
{
	struct session *session = survey->call->session;
	worker_status result = BELFRY__CONNECTOR__STATUS__OK;

	for (int i = 0; i < survey->step_count; i++) {
		struct error said;
		enum session_answer answer = survey->steps[i] == STEP_SELECT
			? session_selected(session, survey->request->collection, hear, survey, &said)
			: session_await(session, hear, survey, &said);
		worker_status status = judge(survey, survey->steps[i], answer, &said);

		if (result == BELFRY__CONNECTOR__STATUS__OK && (status != BELFRY__CONNECTOR__STATUS__OK || answer == SESSION_LOST)) {
			result = answer == SESSION_LOST ? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : status;
			*error_r = said;
		}
		if (answer == SESSION_LOST)
			break;
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
	if (ranges_size(&survey->present) + survey->mark_count / SURVEY_MARKS_AN_ITEM > SURVEY_FLAGS_MAX &&
	    !asks_changes_only(survey)) {
		error_set(error_r, "more than %d mails in one mailbox, or many with categories: only with a filter", SURVEY_FLAGS_MAX);
		return BELFRY__CONNECTOR__STATUS__LIMIT;
	}
	return BELFRY__CONNECTOR__STATUS__OK;
}

static worker_status survey_steps(struct survey *survey, bool *complete_r, struct error *error_r)
{
	bool changes_only = asks_changes_only(survey), filtered = survey->request->received_since_s != 0;
	bool with_flags = changes_only || !filtered;
	worker_status status;

	if (queue_view(survey, error_r) != 0)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	queue_search(survey);
	if (with_flags) {
		queue_flags(survey, "1:*", changes_only);
		note_step(survey, STEP_FLAGS);
	}
	queue_ahead(survey);
	status = hear_all(survey, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = check(survey, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK && filtered && survey->request->conversations)
		status = worker_add_conversations(survey->call, &survey->present, error_r);
	if (status != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	leave_out_newer(survey);
	note_surveyed(survey);
	/* A mailbox without mod-sequences refuses CHANGEDSINCE (NOMODSEQ), an empty one 1:*. */
	if (!with_flags || survey->flags_failed) {
		survey->count = 0;
		changes_only = false;
		if (ask_flags_of_present(survey, error_r) != SESSION_OK)
			return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	}
	*complete_r = !changes_only;
	return BELFRY__CONNECTOR__STATUS__OK;
}

static void survey_release(struct survey *survey)
{
	ranges_release(&survey->present);
	free(survey->flags);
	free(survey->marks);
}

/* The first time survey is all zero. */
static worker_status survey_once(struct worker_call *call, struct survey *survey, bool opens_anew, bool *complete_r,
	struct error *error_r)
{
	survey_release(survey);
	*survey = (struct survey){.call = call, .request = call->request->request->survey, .opens_anew = opens_anew};
	return survey_steps(survey, complete_r, error_r);
}

/* A mailbox that was really made anew is so the second time, too. */
static worker_status survey_until_settled(struct worker_call *call, struct survey *survey, bool *complete_r,
	struct error *error_r)
{
	bool expects = call->request->request->survey->validity != 0;
	worker_status status = survey_once(call, survey, false, complete_r, error_r);

	for (int tries = expects ? 2 : OPEN_TRIES; status == BELFRY__CONNECTOR__STATUS__STALE && tries > 1; tries--)
		status = survey_once(call, survey, true, complete_r, error_r);
	return !expects && status == BELFRY__CONNECTOR__STATUS__STALE ? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : status;
}

void worker_survey(struct worker_call *call)
{
	struct survey survey = {0};
	bool complete = false;
	struct error error;
	worker_status status = survey_until_settled(call, &survey, &complete, &error);

	if (worker_try_again(call))
		status = survey_until_settled(call, &survey, &complete, &error);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		answer(&survey, complete);
	else
		worker_refuse(call, status, error.text);
	survey_release(&survey);
}
