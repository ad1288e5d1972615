/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Search: one mailbox after the other, EXAMINE (unless it is selected), SEARCH, and the dates of what was found.
 *
 * What a person typed goes as a quoted string where it is printable ASCII, else as a literal, whose length was said
 * before: there is nothing that could end it. A literal waits for the server's "+", so that a command has one at the
 * most, as its last; what several commands find is what all of them find.
 */
#include <stdlib.h>
#include <string.h>

#include "connectors/imap/worker_internal.h"
#include "connectors/mail/date.h"
#include "lib/core/mem.h"

enum {
	SEARCH_SET_MAX = 4000,     /* bytes of an id set in a command */
	SEARCH_DATES_MAX = 10000,  /* items of one mailbox whose dates are looked at, the newest: Dovecot has them in its cache */
	DAY_S = 24 * 3600
};

struct hit {
	uint32_t collection, uid;
	uint64_t validity, received_s;
};

struct search {
	struct worker_call *call;
	const Belfry__Connector__Search *request;
	uint32_t collection;      /* that is looked at, … */
	struct ranges found;      /* … what is found in it … */
	struct ranges heard;      /* … and what one command has found */
	struct hit *hits;         /* of all mailboxes so far */
	size_t count, room;
	uint64_t total;
};

static void search_release(struct search *search)
{
	ranges_release(&search->found);
	ranges_release(&search->heard);
	free(search->hits);
	search->hits = NULL;
}

/* --- what is found --------------------------------------------------------------------------------------------- */

static bool is_within(const Belfry__Connector__Search *request, uint64_t received_s)
{
	return (request->received_after_s == 0 || received_s > request->received_after_s) &&
		(request->received_before_s == 0 || received_s < request->received_before_s);
}

static void add_hit(struct search *search, uint64_t uid, uint64_t received_s)
{
	if (!ranges_has(&search->found, uid) || !is_within(search->request, received_s))
		return;
	ranges_remove(&search->found, uid, uid); /* some servers tell of a mail twice */
	if (search->count == search->room) {
		search->room = search->room == 0 ? 64 : search->room * 2;
		search->hits = mem_realloc(search->hits, search->room * sizeof *search->hits);
	}
	search->hits[search->count++] = (struct hit){search->collection, (uint32_t)uid, search->call->session->validity,
		received_s};
	search->total++;
}

/* The newest first; what came in the same second, and in other mailboxes, in an order that is always the same. */
static int compare_hits(const void *a, const void *b)
{
	const struct hit *one = a, *other = b;

	if (one->received_s != other->received_s)
		return one->received_s > other->received_s ? -1 : 1;
	if (one->collection != other->collection)
		return one->collection < other->collection ? -1 : 1;
	return one->uid > other->uid ? -1 : one->uid < other->uid;
}

static void keep_newest(struct search *search)
{
	if (search->count > 0)
		qsort(search->hits, search->count, sizeof *search->hits, compare_hits);
	if (search->count > search->request->limit)
		search->count = search->request->limit;
}

/* --- what is heard --------------------------------------------------------------------------------------------- */

static void hear_found(const struct imap_response *response, void *data)
{
	worker_read_search(response, &((struct search *)data)->heard);
}

/* * 5 FETCH (UID 7 INTERNALDATE "28-Nov-2026 14:00:00 +0100"), in any order. */
static void hear_date(const struct imap_response *response, void *data)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token, value;
	uint64_t uid = 0, received_s = 0;
	bool has_date = false;

	if (!imap_text_is(response->keyword, "FETCH") || imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM) {
		if (!imap_text_is(token.text, "UID") && !imap_text_is(token.text, "INTERNALDATE")) {
			if (!imap_cursor_skip(&cursor))
				return;
			continue;
		}
		value = imap_token_next(&cursor);
		if (imap_text_is(token.text, "UID") && !imap_token_number(&value, &uid))
			return;
		if (imap_text_is(token.text, "INTERNALDATE") && value.kind == IMAP_QUOTED) {
			received_s = date_parse(slice_of(value.text.bytes, value.text.length));
			has_date = true;
		}
	}
	if (uid > 0 && uid <= UINT32_MAX && has_date)
		add_hit(data, uid, received_s);
}

/* --- what is asked --------------------------------------------------------------------------------------------- */

static bool is_quotable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static void append_quoted(struct buffer *command, const char *text)
{
	buffer_append_string(command, " TEXT \"");
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buffer_append_byte(command, '\\');
		buffer_append_byte(command, (uint8_t)*text);
	}
	buffer_append_byte(command, '"');
}

/* The command ends with its announcement; the server asks for the rest. */
static void append_literal(struct session *session, struct buffer *command, const char *text)
{
	buffer_printf(command, " TEXT {%zu}", strlen(text));
	buffer_append_string(&session->continuation, text);
	buffer_append_string(&session->continuation, "\r\n");
}

static void append_bounds(struct buffer *command, const Belfry__Connector__Search *request)
{
	if (request->received_after_s > WORKER_ZONE_WEST_S)
		worker_append_day(command, "SINCE", request->received_after_s - WORKER_ZONE_WEST_S);
	if (request->received_before_s != 0)
		worker_append_day(command, "BEFORE", request->received_before_s + WORKER_ZONE_EAST_S + DAY_S);
}

/* Texts from `from` on, up to the first that needs a literal; returns where the next command begins. */
static size_t queue_search(struct search *search, size_t from)
{
	struct session *session = search->call->session;
	const Belfry__Connector__Search *request = search->request;
	struct buffer command = BUFFER_EMPTY;
	size_t end = from;

	while (end < request->n_texts && is_quotable(request->texts[end]))
		end++;
	bool has_literal = end < request->n_texts;
	buffer_printf(&command, "UID SEARCH %s%sUNDELETED", session->capabilities & IMAP_CAP_ESEARCH ? "RETURN (ALL) " : "",
		has_literal ? "CHARSET UTF-8 " : "");
	append_bounds(&command, request);
	for (size_t i = from; i < end; i++)
		append_quoted(&command, request->texts[i]);
	if (has_literal)
		append_literal(session, &command, request->texts[end++]);
	session_queue_buffer(session, &command);
	return end;
}

static enum session_answer search_texts(struct search *search, struct error *error_r)
{
	struct session *session = search->call->session;
	size_t at = 0;
	bool is_first = true;

	do {
		ranges_release(&search->heard);
		at = queue_search(search, at);
		enum session_answer answer = session_await(session, hear_found, search, error_r);
		buffer_truncate(&session->continuation, 0); /* a server that refused at once did not ask for it */
		if (answer != SESSION_OK)
			return answer;
		if (is_first)
			ranges_move(&search->found, &search->heard);
		else
			ranges_intersect(&search->found, &search->found, &search->heard);
		is_first = false;
	} while (at < search->request->n_texts && search->found.count > 0);
	return SESSION_OK;
}

static enum session_answer ask_dates(struct search *search, struct error *error_r)
{
	struct ranges ids = RANGES_EMPTY;
	enum session_answer answer = SESSION_OK;

	ranges_keep_highest(&search->found, SEARCH_DATES_MAX);
	ranges_copy(&ids, &search->found);
	for (size_t i = 0; i < ids.count && answer == SESSION_OK;) {
		struct buffer set = BUFFER_EMPTY;

		for (; i < ids.count && set.length < SEARCH_SET_MAX; i++)
			worker_append_range(&set, ids.list[i].first, ids.list[i].last);
		session_queue(search->call->session, "UID FETCH %s (INTERNALDATE)", buffer_string(&set));
		buffer_release(&set);
		answer = session_await(search->call->session, hear_date, search, error_r);
	}
	ranges_release(&ids);
	return answer;
}

/* --- the steps ------------------------------------------------------------------------------------------------- */

/* SESSION_NO: it cannot be opened, so there is nothing in it. */
static enum session_answer open_mailbox(struct search *search, const char *name, struct error *error_r)
{
	struct session *session = search->call->session;

	switch (session_select(session, name, error_r)) {
	case 0: return session_refresh(session, error_r);
	case 1: return session_selected(session, name, NULL, NULL, error_r);
	default: return SESSION_NO;
	}
}

/* A server that does not take the search at all will not the next time. */
static worker_status status_of(enum session_answer answer, const struct error *said)
{
	if (answer == SESSION_OK)
		return BELFRY__CONNECTOR__STATUS__OK;
	return answer == SESSION_LOST || (answer == SESSION_NO && session_is_busy(said))
		? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : BELFRY__CONNECTOR__STATUS__LIMIT;
}

static worker_status search_mailbox(struct search *search, struct error *error_r)
{
	enum session_answer answer = open_mailbox(search, search->request->collections[search->collection], error_r);

	if (answer != SESSION_OK && answer != SESSION_LOST)
		return session_is_busy(error_r) ? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : BELFRY__CONNECTOR__STATUS__OK;
	if (answer == SESSION_OK)
		answer = search_texts(search, error_r);
	if (answer == SESSION_OK)
		answer = ask_dates(search, error_r);
	keep_newest(search);
	return status_of(answer, error_r);
}

static worker_status search_all(struct search *search, struct error *error_r)
{
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;

	search_release(search);
	*search = (struct search){.call = search->call, .request = search->request};
	while (status == BELFRY__CONNECTOR__STATUS__OK && search->collection < search->request->n_collections) {
		status = search_mailbox(search, error_r);
		search->collection++;
	}
	return status;
}

static void answer_found(struct search *search)
{
	struct worker_call *call = search->call;
	Belfry__Connector__Found found = BELFRY__CONNECTOR__FOUND__INIT;
	Belfry__Connector__FoundItem *items = arena_alloc(call->arena, search->count * sizeof *items + 1);
	worker_response *response = worker_response_create(call);

	found.total = search->total;
	found.items = arena_alloc(call->arena, search->count * sizeof *found.items + 1);
	for (; found.n_items < search->count; found.n_items++) {
		const struct hit *hit = &search->hits[found.n_items];
		Belfry__Connector__FoundItem *item = found.items[found.n_items] = &items[found.n_items];

		belfry__connector__found_item__init(item);
		item->collection = hit->collection;
		item->validity = hit->validity;
		item->id = hit->uid;
		item->received_s = hit->received_s;
	}
	response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_FOUND;
	response->found = &found;
	worker_answer(call, response, true, -1);
}

void worker_search(struct worker_call *call)
{
	struct search search = {.call = call, .request = call->request->request->search};
	struct error error = {""};
	worker_status status = search_all(&search, &error);

	if (worker_try_again(call))
		status = search_all(&search, &error);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		answer_found(&search);
	else
		worker_refuse(call, status, error.text);
	search_release(&search);
}
