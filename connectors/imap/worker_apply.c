/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Apply: the device's changes. Equal operations are one command. Doing a request twice does nothing the second time:
 * flags are set as they are, what is gone is NOT_FOUND, and a move that may have happened is looked for
 * (worker_move.c). So whatever cannot be finished now is UNAVAILABLE as a whole, and the device asks again.
 */
#include "connectors/imap/worker_apply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/imap/keyword.h"
#include "connectors/imap/mailbox_name.h"

enum {
	APPLY_MAX = 10000,    /* operations of a request; a phone sends some hundreds at the most */
	APPLY_SET_MAX = 500,  /* ids in one command: some 5 kB, below any server's limit */
	APPLY_TRIES = 3       /* others may remove mails while we work at them */
};

typedef Belfry__Connector__Operation operation;

/* --- what the server says -------------------------------------------------------------------------------------- */

static bool says(const struct error *said, const char *code)
{
	return strncasecmp(said->text, code, strlen(code)) == 0;
}

worker_status apply_status_of(enum session_answer answer, const struct error *said)
{
	if (answer == SESSION_OK)
		return BELFRY__CONNECTOR__STATUS__OK;
	/* Not SERVERBUG: what breaks the server once breaks it again, and the device would ask for ever. */
	if (answer == SESSION_LOST || says(said, "[UNAVAILABLE") || says(said, "[INUSE"))
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	if (says(said, "[EXPUNGEISSUED"))
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	return says(said, "[OVERQUOTA") || says(said, "[LIMIT") ? BELFRY__CONNECTOR__STATUS__LIMIT
		: BELFRY__CONNECTOR__STATUS__UNSUPPORTED;
}

/* --- the mailbox ----------------------------------------------------------------------------------------------- */

/* * OK [PERMANENTFLAGS (\Deleted \Seen \*)] (RFC 9051 section 7.1) */
static void hear_permanent_flags(struct apply *apply, struct imap_text list)
{
	struct imap_cursor cursor = imap_cursor_over(list);
	struct imap_token token;

	apply->refuses_deleted = true;
	apply->permanent = arena_strndup(apply->call->arena, list.bytes, list.length);
	if (imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM) {
		apply->takes_keywords |= imap_text_is(token.text, "\\*");
		if (imap_text_is(token.text, "\\Deleted"))
			apply->refuses_deleted = false;
	}
}

static void hear_select(const struct imap_response *response, void *data)
{
	struct apply *apply = data;

	if (imap_text_is(response->code, "PERMANENTFLAGS"))
		hear_permanent_flags(apply, response->code_rest);
	else if (imap_text_is(response->code, "HIGHESTMODSEQ"))
		apply->has_modseqs = true;
}

worker_status apply_open(struct apply *apply, const char *collection, struct error *error_r)
{
	struct session *session = apply->call->session;
	struct buffer command = BUFFER_EMPTY;
	enum session_answer answer;

	if (session_has_selected(session, collection))
		return BELFRY__CONNECTOR__STATUS__OK;
	session_unselect(session);
	apply->has_modseqs = apply->takes_keywords = apply->refuses_deleted = false;
	apply->permanent = NULL;
	buffer_append_string(&command, "SELECT ");
	if (mailbox_name_quote(&command, collection) != 0) {
		buffer_release(&command);
		error_set(error_r, "no mailbox can have this name");
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	}
	session_queue_buffer(session, &command);
	answer = session_selected(session, collection, hear_select, apply, error_r);
	return worker_status_of(answer, error_r);
}

/* The device's collection. A view that is left from before is old, and may be one for reading. */
static worker_status open_collection(struct apply *apply, struct error *error_r)
{
	struct session *session = apply->call->session;
	worker_status status;

	session_unselect(session);
	status = apply_open(apply, apply->request->collection, error_r);
	if (status != BELFRY__CONNECTOR__STATUS__OK || apply->request->validity == 0
		|| session->validity == apply->request->validity)
		return status;
	error_set(error_r, "the mailbox was made anew");
	return BELFRY__CONNECTOR__STATUS__STALE;
}

/* --- commands on items ----------------------------------------------------------------------------------------- */

enum session_answer apply_command(struct apply *apply, const char *before, const struct ranges *set, const char *after,
	session_heard *heard, void *data, struct error *said)
{
	struct session *session = apply->call->session;
	struct buffer text = BUFFER_EMPTY;

	for (size_t i = 0; i < set->count; i++)
		worker_append_range(&text, set->list[i].first, set->list[i].last);
	session_queue(session, "UID %s %s%s%s", before, buffer_string(&text), *after != '\0' ? " " : "", after);
	buffer_release(&text);
	return session_await(session, heard, data, said);
}

/* Ids of the answer to a SEARCH. */
static void hear_search(const struct imap_response *response, void *data)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;
	uint64_t id;

	if (!imap_text_is(response->keyword, "SEARCH"))
		return;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM)
		if (imap_token_number(&token, &id) && id > 0)
			ranges_add(data, id, id);
}

worker_status apply_search(struct apply *apply, const char *what, const struct ranges *set, struct error *error_r)
{
	enum session_answer answer;

	ranges_release(&apply->found);
	if (set != NULL) {
		answer = apply_command(apply, arena_printf(apply->call->arena, "SEARCH %s UID", what), set, "", hear_search,
			&apply->found, error_r);
	} else {
		session_queue(apply->call->session, "UID SEARCH %s", what);
		answer = session_await(apply->call->session, hear_search, &apply->found, error_r);
	}
	return answer == SESSION_OK ? BELFRY__CONNECTOR__STATUS__OK : BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
}

/* What is not there any more, or hidden as deleted, is NOT_FOUND and done. */
static worker_status find_present(struct apply *apply, size_t first, size_t count, struct error *error_r)
{
	struct ranges wanted = RANGES_EMPTY;
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;

	for (size_t i = first; i < first + count; i++)
		if (!apply->done[i] && apply->request->operations[i]->id - 1 < UINT32_MAX)
			ranges_add(&wanted, apply->request->operations[i]->id, apply->request->operations[i]->id);
	ranges_release(&apply->found);
	if (wanted.count > 0)
		status = apply_search(apply, "UNDELETED", &wanted, error_r);
	ranges_release(&wanted);
	for (size_t i = first; i < first + count && status == BELFRY__CONNECTOR__STATUS__OK; i++)
		if (!apply->done[i] && !ranges_has(&apply->found, apply->request->operations[i]->id)) {
			apply->results[i] = BELFRY__CONNECTOR__STATUS__NOT_FOUND;
			apply->done[i] = true;
		}
	return status;
}

static worker_status find_all_present(struct apply *apply, struct error *error_r)
{
	size_t count = apply->request->n_operations;
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;

	for (size_t first = 0; first < count && status == BELFRY__CONNECTOR__STATUS__OK; first += APPLY_SET_MAX)
		status = find_present(apply, first, count - first < APPLY_SET_MAX ? count - first : APPLY_SET_MAX, error_r);
	return status;
}

/* --- groups of equal operations -------------------------------------------------------------------------------- */

struct group {
	size_t members[APPLY_SET_MAX];
	size_t count;
	struct ranges items;
};

static bool are_equal(char *const *a, size_t count_a, char *const *b, size_t count_b)
{
	for (size_t i = 0; i < count_a && count_a == count_b; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return count_a == count_b;
}

static bool is_equal(const operation *a, const operation *b)
{
	if (!are_equal(a->set_keywords, a->n_set_keywords, b->set_keywords, b->n_set_keywords) ||
	    !are_equal(a->clear_keywords, a->n_clear_keywords, b->clear_keywords, b->n_clear_keywords))
		return false;
	return a->set_flags == b->set_flags && a->clear_flags == b->clear_flags && a->remove == b->remove
		&& a->to_trash == b->to_trash && strcmp(a->move_to, b->move_to) == 0;
}

static void gather(struct apply *apply, size_t first, struct group *group)
{
	operation **operations = apply->request->operations;

	group->count = 0;
	group->items = RANGES_EMPTY;
	for (size_t i = first; i < apply->request->n_operations && group->count < APPLY_SET_MAX; i++) {
		if (apply->done[i])
			continue;
		if (is_equal(operations[i], operations[first])) {
			group->members[group->count++] = i;
			ranges_add(&group->items, operations[i]->id, operations[i]->id);
		} else if (apply->ids_repeat) {
			return;
		}
	}
}

static void settle(struct apply *apply, const struct group *group, const struct ranges *refused, worker_status status,
	worker_status why)
{
	for (size_t i = 0; i < group->count; i++) {
		size_t member = group->members[i];

		apply->results[member] = ranges_has(refused, apply->request->operations[member]->id) ? why : status;
		apply->done[member] = true;
	}
}

/* --- flags and removal ----------------------------------------------------------------------------------------- */

static const struct { uint32_t flag; const char *name; } flag_names[] = {
	{BELFRY__CONNECTOR__FLAG__SEEN, "\\Seen"},
	{BELFRY__CONNECTOR__FLAG__FLAGGED, "\\Flagged"},
	{BELFRY__CONNECTOR__FLAG__ANSWERED, "\\Answered"},
	{BELFRY__CONNECTOR__FLAG__FORWARDED, "$Forwarded"},
	{BELFRY__CONNECTOR__FLAG__DELETED, "\\Deleted"},
	{BELFRY__CONNECTOR__FLAG__DRAFT, "\\Draft"},
};

/* ".SILENT": we know what we have set. */
static worker_status store(struct apply *apply, const struct ranges *items, char sign, uint32_t flags,
	struct error *error_r)
{
	struct buffer change = BUFFER_EMPTY;
	enum session_answer answer;

	buffer_printf(&change, "%cFLAGS.SILENT (", sign);
	for (size_t i = 0, count = 0; i < sizeof flag_names / sizeof *flag_names; i++)
		if (flags & flag_names[i].flag)
			buffer_printf(&change, "%s%s", count++ > 0 ? " " : "", flag_names[i].name);
	buffer_append_byte(&change, ')');
	answer = apply_command(apply, "STORE", items, buffer_string(&change), NULL, NULL, error_r);
	buffer_release(&change);
	return apply_status_of(answer, error_r);
}

/* Is this keyword kept? A server that has not said what it keeps keeps all (RFC 9051 section 6.3.2). */
static bool takes_keyword(const struct apply *apply, const struct buffer *keyword)
{
	struct imap_cursor cursor;
	struct imap_token token;

	if (apply->takes_keywords || apply->permanent == NULL)
		return true;
	cursor = imap_cursor_over((struct imap_text){apply->permanent, strlen(apply->permanent)});
	imap_token_next(&cursor); /* its parenthesis */
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM)
		if (token.text.length == keyword->length && strncasecmp(token.text.bytes, keyword->data, keyword->length) == 0)
			return true;
	return false;
}

/* Categories. What a mailbox would forget is refused: the device is to know. */
static worker_status store_keywords(struct apply *apply, const struct ranges *items, char sign, char *const *categories,
	size_t count, struct error *error_r)
{
	struct buffer change = BUFFER_EMPTY;
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;

	buffer_printf(&change, "%cFLAGS.SILENT (", sign);
	for (size_t i = 0; i < count; i++) {
		struct buffer keyword = BUFFER_EMPTY;
		bool is_one = keyword_encode(&keyword, categories[i]) == 0;
		if (!is_one || (sign == '+' && !takes_keyword(apply, &keyword)))
			status = is_one ? BELFRY__CONNECTOR__STATUS__UNSUPPORTED : BELFRY__CONNECTOR__STATUS__LIMIT;
		buffer_printf(&change, "%s%s", i > 0 ? " " : "", buffer_string(&keyword));
		buffer_release(&keyword);
	}
	buffer_append_byte(&change, ')');
	if (status == BELFRY__CONNECTOR__STATUS__OK && count > 0)
		status = apply_status_of(apply_command(apply, "STORE", items, buffer_string(&change), NULL, NULL, error_r), error_r);
	buffer_release(&change);
	return status;
}

static worker_status store_all(struct apply *apply, const struct ranges *items, const operation *what,
	struct error *error_r)
{
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;

	if (what->set_flags != 0)
		status = store(apply, items, '+', what->set_flags, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK && what->clear_flags != 0)
		status = store(apply, items, '-', what->clear_flags, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = store_keywords(apply, items, '+', what->set_keywords, what->n_set_keywords, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = store_keywords(apply, items, '-', what->clear_keywords, what->n_clear_keywords, error_r);
	return status;
}

/* Without UIDPLUS an EXPUNGE takes all that is \Deleted: only when that is nothing but ours. What stays is hidden, as
 * nothing \Deleted is ever shown. */
static worker_status expunge_if_only_ours(struct apply *apply, const struct ranges *items, struct error *error_r)
{
	struct session *session = apply->call->session;
	struct ranges others = RANGES_EMPTY;
	worker_status status = apply_search(apply, "DELETED", NULL, error_r);
	bool only_ours;

	ranges_subtract(&others, &apply->found, items);
	only_ours = others.count == 0;
	ranges_release(&others);
	if (status != BELFRY__CONNECTOR__STATUS__OK || !only_ours)
		return status;
	session_queue(session, "EXPUNGE");
	return apply_status_of(session_await(session, NULL, NULL, error_r), error_r);
}

worker_status apply_expunge(struct apply *apply, const struct ranges *items, struct error *error_r)
{
	worker_status status = store(apply, items, '+', BELFRY__CONNECTOR__FLAG__DELETED, error_r);

	if (status != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	if (apply->call->session->capabilities & IMAP_CAP_UIDPLUS)
		return apply_status_of(apply_command(apply, "EXPUNGE", items, "", NULL, NULL, error_r), error_r);
	return expunge_if_only_ours(apply, items, error_r);
}

/* --- the request ----------------------------------------------------------------------------------------------- */

/* Where this operation takes its items; NULL: nowhere. */
static const char *target_of(const struct apply *apply, const operation *what)
{
	return *what->move_to != '\0' ? what->move_to : what->remove && what->to_trash ? apply->trash : NULL;
}

static worker_status do_group(struct apply *apply, size_t first, struct error *error_r)
{
	const operation *what = apply->request->operations[first];
	struct ranges refused = RANGES_EMPTY;
	worker_status status = apply_open(apply, apply->request->collection, error_r); /* a move leaves its target open */
	worker_status why = BELFRY__CONNECTOR__STATUS__OK;
	struct group group;

	if (status != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	apply->has_begun = true;
	gather(apply, first, &group);
	apply->target = target_of(apply, what);
	if (apply->target != NULL && apply->target == apply->trash && apply->no_trash != BELFRY__CONNECTOR__STATUS__OK)
		status = apply->no_trash;
	else if (apply->target != NULL)
		status = apply_move(apply, &group.items, &refused, &why, error_r);
	else if (!what->remove)
		status = store_all(apply, &group.items, what, error_r);
	else
		status = apply_expunge(apply, &group.items, error_r);
	if (status != BELFRY__CONNECTOR__STATUS__UNAVAILABLE && status != BELFRY__CONNECTOR__STATUS__NOT_FOUND)
		settle(apply, &group, &refused, status, why);
	ranges_release(&group.items);
	ranges_release(&refused);
	return status;
}

/* Some have gone that were there. */
static worker_status look_again(struct apply *apply, struct error *error_r)
{
	if (session_refresh(apply->call->session, error_r) != SESSION_OK)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	return find_all_present(apply, error_r);
}

static worker_status do_all(struct apply *apply, struct error *error_r)
{
	worker_status status = find_all_present(apply, error_r);
	int tries = 0;

	for (size_t i = 0; i < apply->request->n_operations && status != BELFRY__CONNECTOR__STATUS__UNAVAILABLE;) {
		status = apply->done[i] ? BELFRY__CONNECTOR__STATUS__OK : do_group(apply, i, error_r);
		if (status == BELFRY__CONNECTOR__STATUS__NOT_FOUND)
			status = ++tries == APPLY_TRIES ? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : look_again(apply, error_r);
		else
			i++;
	}
	return status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE ? status : apply_find_moved(apply, error_r);
}

static int by_id(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

static bool ids_repeat(struct apply *apply)
{
	size_t count = apply->request->n_operations;
	uint64_t *ids = arena_alloc(apply->call->arena, count * sizeof *ids + 1);

	for (size_t i = 0; i < count; i++)
		ids[i] = apply->request->operations[i]->id;
	qsort(ids, count, sizeof *ids, by_id);
	for (size_t i = 1; i < count; i++)
		if (ids[i] == ids[i - 1])
			return true;
	return false;
}

static worker_status apply_steps(struct apply *apply, struct error *error_r)
{
	size_t count = apply->request->n_operations;
	worker_status status;

	if (count > APPLY_MAX) {
		error_set(error_r, "more than %d operations", APPLY_MAX);
		return BELFRY__CONNECTOR__STATUS__LIMIT;
	}
	apply->results = arena_alloc(apply->call->arena, count * sizeof *apply->results + 1);
	apply->moved = arena_alloc(apply->call->arena, count * sizeof *apply->moved + 1);
	apply->done = arena_alloc(apply->call->arena, count * sizeof *apply->done + 1);
	apply->ids_repeat = ids_repeat(apply);
	status = open_collection(apply, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = apply_find_trash(apply, error_r);
	return status == BELFRY__CONNECTOR__STATUS__OK ? do_all(apply, error_r) : status;
}

void worker_apply(struct worker_call *call)
{
	struct apply apply = {.call = call, .request = call->request->request->apply};
	Belfry__Connector__Applied applied = BELFRY__CONNECTOR__APPLIED__INIT;
	worker_response *response;
	struct error error;
	worker_status status = apply_steps(&apply, &error);

	if (!apply.has_begun && worker_try_again(call))
		status = apply_steps(&apply, &error);
	if (status == BELFRY__CONNECTOR__STATUS__OK) {
		applied.results = apply.results;
		applied.moved = apply.moved;
		applied.n_results = applied.n_moved = apply.request->n_operations;
		response = worker_response_create(call);
		response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_APPLIED;
		response->applied = &applied;
		worker_answer(call, response, true, -1);
	} else {
		worker_refuse(call, status, error.text);
	}
	ranges_release(&apply.found);
}
