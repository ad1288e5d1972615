/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Apply: the device's changes. Equal operations are one command. Doing a request twice does nothing the second time:
 * flags are set as they are, and what is gone is NOT_FOUND.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/imap/etpan_stream.h"
#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/worker_folders.h"
#include "connectors/imap/worker_internal.h"
#include "lib/core/mem.h"
#include "lib/model/ranges.h"

enum {
	APPLY_MAX = 10000,    /* operations of a request; a phone sends some hundreds at the most */
	APPLY_SET_MAX = 500   /* ids in one command: some 5 kB, below any server's limit */
};

typedef Belfry__Connector__Operation operation;

struct apply {
	struct worker_call *call;
	const Belfry__Connector__Apply *request;
	Belfry__Connector__Status *results;
	bool *done;
	bool ids_repeat;         /* an id has several operations: their order counts */
	struct buffer trash;     /* wire name of the trash; empty: none, or we are in it */
};

/* --- what libetpan says ---------------------------------------------------------------------------------------- */

static bool is_loss(int result)
{
	return result == MAILIMAP_ERROR_STREAM || result == MAILIMAP_ERROR_PARSE || result == MAILIMAP_ERROR_FATAL
		|| result == MAILIMAP_ERROR_PROTOCOL || result == MAILIMAP_ERROR_BAD_STATE;
}

/* libetpan's result as the status of an operation; a broken session is marked. */
static Belfry__Connector__Status status_of(struct apply *apply, int result)
{
	struct session *session = apply->call->session;

	if (result == MAILIMAP_NO_ERROR)
		return BELFRY__CONNECTOR__STATUS__OK;
	if (is_loss(result))
		session->is_broken = true;
	return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
}

/* --- the mailbox ----------------------------------------------------------------------------------------------- */

static worker_status select_writable(struct apply *apply, struct error *error_r)
{
	struct session *session = apply->call->session;
	struct buffer wire = BUFFER_EMPTY;
	int result = MAILIMAP_ERROR_SELECT;

	session_unselect(session);
	if (mailbox_name_encode(&wire, apply->request->collection) == 0)
		result = mailimap_select(session->imap, buffer_string(&wire));
	buffer_release(&wire);
	if (is_loss(result)) {
		session->is_broken = true;
		error_set(error_r, "SELECT: %s", etpan_stream_trouble(session->stream));
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	}
	if (result != MAILIMAP_NO_ERROR || session->imap->imap_selection_info == NULL) {
		error_set(error_r, "the server does not open it");
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	}
	session_note_selected(session, apply->request->collection, session->imap->imap_selection_info->sel_uidvalidity);
	if (apply->request->validity == 0 || session->validity == apply->request->validity)
		return BELFRY__CONNECTOR__STATUS__OK;
	error_set(error_r, "the mailbox was made anew");
	return BELFRY__CONNECTOR__STATUS__STALE;
}

/* Where removed mails go. */
static int find_trash(struct apply *apply, struct error *error_r)
{
	struct folder_list list = {.arena = apply->call->arena};
	const Belfry__Connector__Collection *trash;

	if (worker_folders(apply->call->session, &list, error_r) != SESSION_OK)
		return -1;
	trash = folder_list_find(&list, BELFRY__CONNECTOR__ROLE__TRASH);
	if (trash != NULL && strcmp(trash->name, apply->request->collection) != 0)
		mailbox_name_encode(&apply->trash, trash->name);
	return 0;
}

static bool wants_trash(const struct apply *apply)
{
	for (size_t i = 0; i < apply->request->n_operations; i++)
		if (apply->request->operations[i]->remove && apply->request->operations[i]->to_trash)
			return true;
	return false;
}

/* --- which items are there ------------------------------------------------------------------------------------- */

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

static enum session_answer search(struct session *session, const char *what, struct ranges *found, struct error *error_r)
{
	session_queue(session, "UID SEARCH %s", what);
	return session_await(session, hear_search, found, error_r);
}

/* What is not there any more is NOT_FOUND and done. */
static int find_present(struct apply *apply, struct error *error_r)
{
	struct ranges present = RANGES_EMPTY;
	size_t count = apply->request->n_operations;
	int result = 0;

	for (size_t first = 0; first < count && result == 0; first += APPLY_SET_MAX) {
		struct buffer set = BUFFER_EMPTY;

		buffer_append_string(&set, "UID ");
		for (size_t i = first; i < count && i < first + APPLY_SET_MAX; i++)
			buffer_printf(&set, "%s%u", i > first ? "," : "", (unsigned)apply->request->operations[i]->id);
		if (search(apply->call->session, buffer_string(&set), &present, error_r) != SESSION_OK)
			result = -1;
		buffer_release(&set);
	}
	for (size_t i = 0; i < count; i++)
		if (!ranges_has(&present, apply->request->operations[i]->id)) {
			apply->results[i] = BELFRY__CONNECTOR__STATUS__NOT_FOUND;
			apply->done[i] = true;
		}
	ranges_release(&present);
	return result;
}

/* --- groups of equal operations -------------------------------------------------------------------------------- */

struct group {
	size_t members[APPLY_SET_MAX];
	size_t count;
};

static bool is_equal(const operation *a, const operation *b)
{
	return a->set_flags == b->set_flags && a->clear_flags == b->clear_flags && a->remove == b->remove
		&& a->to_trash == b->to_trash;
}

static void gather(struct apply *apply, size_t first, struct group *group)
{
	operation **operations = apply->request->operations;

	group->count = 0;
	for (size_t i = first; i < apply->request->n_operations && group->count < APPLY_SET_MAX; i++) {
		if (apply->done[i])
			continue;
		if (is_equal(operations[i], operations[first]))
			group->members[group->count++] = i;
		else if (apply->ids_repeat)
			return;
	}
}

static struct mailimap_set *set_of(struct apply *apply, const struct group *group)
{
	struct mailimap_set *set = mailimap_set_new_empty();

	for (size_t i = 0; i < group->count; i++)
		mailimap_set_add_single(set, (uint32_t)apply->request->operations[group->members[i]]->id);
	return set;
}

static void settle(struct apply *apply, const struct group *group, Belfry__Connector__Status status)
{
	for (size_t i = 0; i < group->count; i++) {
		apply->results[group->members[i]] = status;
		apply->done[group->members[i]] = true;
	}
}

/* --- flags ----------------------------------------------------------------------------------------------------- */

static struct mailimap_flag_list *flag_list_of(uint32_t flags)
{
	struct mailimap_flag_list *list = mailimap_flag_list_new_empty();

	if (flags & BELFRY__CONNECTOR__FLAG__SEEN)
		mailimap_flag_list_add(list, mailimap_flag_new_seen());
	if (flags & BELFRY__CONNECTOR__FLAG__FLAGGED)
		mailimap_flag_list_add(list, mailimap_flag_new_flagged());
	if (flags & BELFRY__CONNECTOR__FLAG__ANSWERED)
		mailimap_flag_list_add(list, mailimap_flag_new_answered());
	if (flags & BELFRY__CONNECTOR__FLAG__FORWARDED)
		mailimap_flag_list_add(list, mailimap_flag_new_flag_keyword(strdup("$Forwarded")));
	if (flags & BELFRY__CONNECTOR__FLAG__DELETED)
		mailimap_flag_list_add(list, mailimap_flag_new_deleted());
	if (flags & BELFRY__CONNECTOR__FLAG__DRAFT)
		mailimap_flag_list_add(list, mailimap_flag_new_draft());
	return list;
}

/* ".SILENT": we know what we have set. */
static int store(struct apply *apply, struct mailimap_set *set, uint32_t flags, bool on)
{
	struct mailimap_flag_list *list = flag_list_of(flags);
	struct mailimap_store_att_flags *change = on ? mailimap_store_att_flags_new_add_flags_silent(list)
		: mailimap_store_att_flags_new_remove_flags_silent(list);
	int result = mailimap_uid_store(apply->call->session->imap, set, change);

	mailimap_store_att_flags_free(change);
	return result;
}

static int store_both(struct apply *apply, struct mailimap_set *set, const operation *what)
{
	int result = MAILIMAP_NO_ERROR;

	if (what->set_flags != 0)
		result = store(apply, set, what->set_flags, true);
	if (result == MAILIMAP_NO_ERROR && what->clear_flags != 0)
		result = store(apply, set, what->clear_flags, false);
	return result;
}

/* --- removal --------------------------------------------------------------------------------------------------- */

/* Without UIDPLUS an EXPUNGE takes all that is \Deleted: only when that is nothing but ours. What stays is hidden, as
 * nothing \Deleted is ever shown. */
static int expunge_if_only_ours(struct apply *apply, const struct group *group)
{
	struct session *session = apply->call->session;
	struct ranges deleted = RANGES_EMPTY;
	struct error error;
	int result = MAILIMAP_NO_ERROR;
	bool only_ours;

	if (search(session, "DELETED", &deleted, &error) != SESSION_OK)
		return MAILIMAP_ERROR_STREAM;
	for (size_t i = 0; i < group->count; i++) {
		uint64_t id = apply->request->operations[group->members[i]]->id;
		ranges_remove(&deleted, id, id);
	}
	only_ours = deleted.count == 0;
	ranges_release(&deleted);
	if (only_ours)
		result = mailimap_expunge(session->imap);
	return result;
}

static int expunge(struct apply *apply, const struct group *group, struct mailimap_set *set)
{
	struct session *session = apply->call->session;
	int result = store(apply, set, BELFRY__CONNECTOR__FLAG__DELETED, true);

	if (result != MAILIMAP_NO_ERROR)
		return result;
	if (session->capabilities & IMAP_CAP_UIDPLUS)
		return mailimap_uid_expunge(session->imap, set);
	return expunge_if_only_ours(apply, group);
}

static int move_to_trash(struct apply *apply, const struct group *group, struct mailimap_set *set)
{
	struct session *session = apply->call->session;
	const char *trash = buffer_string(&apply->trash);
	int result;

	if (session->capabilities & IMAP_CAP_MOVE)
		return mailimap_uid_move(session->imap, set, trash);
	result = mailimap_uid_copy(session->imap, set, trash);
	return result == MAILIMAP_NO_ERROR ? expunge(apply, group, set) : result;
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static void do_group(struct apply *apply, size_t first)
{
	const operation *what = apply->request->operations[first];
	struct group group;
	struct mailimap_set *set;
	int result;

	gather(apply, first, &group);
	set = set_of(apply, &group);
	if (!what->remove)
		result = store_both(apply, set, what);
	else if (what->to_trash && apply->trash.length > 0)
		result = move_to_trash(apply, &group, set);
	else
		result = expunge(apply, &group, set);
	mailimap_set_free(set);
	settle(apply, &group, status_of(apply, result));
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
	apply->done = arena_alloc(apply->call->arena, count * sizeof *apply->done + 1);
	apply->ids_repeat = ids_repeat(apply);
	status = select_writable(apply, error_r);
	if (status != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	if ((wants_trash(apply) && find_trash(apply, error_r) != 0) || find_present(apply, error_r) != 0)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	for (size_t i = 0; i < count; i++) {
		if (apply->done[i])
			continue;
		if (apply->call->session->is_broken)
			apply->results[i] = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
		else
			do_group(apply, i);
	}
	return BELFRY__CONNECTOR__STATUS__OK;
}

void worker_apply(struct worker_call *call)
{
	struct apply apply = {.call = call, .request = call->request->request->apply, .trash = BUFFER_EMPTY};
	Belfry__Connector__Applied applied = BELFRY__CONNECTOR__APPLIED__INIT;
	worker_response *response;
	struct error error;
	worker_status status = apply_steps(&apply, &error);

	if (status == BELFRY__CONNECTOR__STATUS__OK) {
		applied.results = apply.results;
		applied.n_results = apply.request->n_operations;
		response = worker_response_create(call);
		response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_APPLIED;
		response->applied = &applied;
		worker_answer(call, response, true, -1);
	} else {
		worker_refuse(call, status, error.text);
	}
	buffer_release(&apply.trash);
}
