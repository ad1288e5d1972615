/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fetch: batches of mails in one command each; an item is parsed where it was received and sent when all before it
 * have been. Nothing that one mail does may cost the others their place: what the server cannot give, or dies of, is
 * asked again alone.
 */
#include "connectors/imap/worker_fetch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connectors/contract.h"
#include "connectors/imap/keyword.h"
#include "connectors/mail/date.h"
#include "connectors/mail/header.h"
#include "connectors/mail/text_file.h"
#include "lib/core/mem.h"

/* --- one item -------------------------------------------------------------------------------------------------- */

void fetch_item_begin(struct fetch_item *item)
{
	item->arena = arena_create(4 * 1024); /* most mails need no second block */
	item->item = arena_alloc(item->arena, sizeof *item->item);
	belfry__connector__item__init(item->item);
	item->item->id = item->id;
}

static void item_release(struct fetch_item *item)
{
	arena_free(&item->arena);
	if (item->fd >= 0)
		close(item->fd);
	item->fd = -1;
}

/* The body as a file; -1: there is none to be had. */
static int file_of(const Belfry__Connector__Body *body)
{
	struct text_file file;

	if (text_file_create(&file) < 0)
		return -1;
	text_file_append(&file, (const char *)body->data.data, body->data.len);
	text_file_end(&file);
	if (file.failed) {
		close(file.fd);
		return -1;
	}
	return file.fd;
}

void fetch_item_end(struct fetch_item *item)
{
	Belfry__Connector__Body *body = item->item->body;

	item->is_ready = true;
	if (body == NULL || body->data.len <= CONNECTOR_INLINE_MAX)
		return;
	item->fd = file_of(body);
	if (item->fd < 0) {
		body->truncated = true;
		body->data.len = 0;
		return;
	}
	body->in_descriptor = true;
	body->data.len = 0;
}

static void item_fail(struct fetch_item *item, Belfry__Connector__Status status)
{
	if (item->arena == NULL)
		fetch_item_begin(item);
	item->item->status = status;
	item->item->mail = NULL;
	item->item->body = item->item->part = NULL;
	item->is_ready = true;
}

/* Sends all that are ready up to the first that is not. */
static void send_ready(struct fetch *fetch)
{
	while (fetch->sent < fetch->count && fetch->items[fetch->sent].is_ready) {
		struct fetch_item *item = &fetch->items[fetch->sent++];
		worker_response *response = worker_response_create(fetch->call);
		Belfry__Connector__Fetched fetched = BELFRY__CONNECTOR__FETCHED__INIT;

		fetched.item = item->item;
		fetched.last = fetch->sent == fetch->count;
		response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_FETCHED;
		response->fetched = &fetched;
		worker_answer(fetch->call, response, fetched.last, item->fd);
		item_release(item);
	}
}

/* --- what is heard --------------------------------------------------------------------------------------------- */

/* The attributes of one FETCH response that we ask for. */
struct attributes {
	uint64_t uid, size;
	uint32_t flags;
	struct imap_text date, octets; /* octets.bytes NULL: none came */
	struct imap_text flag_list;    /* from behind its parenthesis on, for the keywords */
};

static bool read_attribute(struct imap_cursor *cursor, struct imap_text name, struct attributes *attributes)
{
	struct imap_token token;

	if (imap_text_is(name, "FLAGS")) {
		if (imap_token_next(cursor).kind != IMAP_OPEN)
			return false;
		attributes->flag_list.bytes = cursor->at;
		attributes->flags = worker_read_flags(cursor, NULL, NULL);
		attributes->flag_list.length = (size_t)(cursor->at - attributes->flag_list.bytes);
		return true;
	}
	if (!imap_text_is(name, "UID") && !imap_text_is(name, "RFC822.SIZE") && !imap_text_is(name, "INTERNALDATE")
		&& (name.length < 6 || strncasecmp(name.bytes, "BODY[]", 6) != 0))
		return imap_cursor_skip(cursor);
	token = imap_token_next(cursor);
	if (imap_text_is(name, "UID"))
		return imap_token_number(&token, &attributes->uid);
	if (imap_text_is(name, "RFC822.SIZE"))
		return imap_token_number(&token, &attributes->size);
	if (imap_text_is(name, "INTERNALDATE"))
		attributes->date = token.text;
	else if (token.kind == IMAP_LITERAL || token.kind == IMAP_QUOTED)
		attributes->octets = token.text;
	return token.kind != IMAP_BROKEN && token.kind != IMAP_END;
}

static bool read_attributes(const struct imap_response *response, struct attributes *attributes)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;

	*attributes = (struct attributes){0};
	if (!imap_text_is(response->keyword, "FETCH") || imap_token_next(&cursor).kind != IMAP_OPEN)
		return false;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM)
		if (!read_attribute(&cursor, token.text, attributes))
			return false;
	return attributes->uid > 0;
}

static struct fetch_item *find_item(struct fetch *fetch, uint64_t uid)
{
	for (size_t i = fetch->batch_first; i < fetch->batch_end; i++)
		if (fetch->items[i].id == uid && !fetch->items[i].is_ready && fetch->items[i].arena == NULL)
			return &fetch->items[i];
	return NULL;
}

static void add_keyword(struct imap_text keyword, void *data)
{
	struct fetch_item *item = data;
	Belfry__Connector__Mail *mail = item->item->mail;
	struct buffer category = BUFFER_EMPTY;

	if (mail->keywords == NULL)
		mail->keywords = arena_alloc(item->arena, KEYWORDS_MAX * sizeof *mail->keywords);
	if (mail->n_keywords < KEYWORDS_MAX && keyword_decode(&category, keyword.bytes, keyword.length) == 0)
		mail->keywords[mail->n_keywords++] = arena_strndup(item->arena, category.data, category.length);
	buffer_release(&category);
}

/* Flags, date and empty messages to be filled. */
static void prepare(struct fetch_item *item, const struct attributes *attributes, bool with_part)
{
	struct imap_cursor cursor = imap_cursor_over(attributes->flag_list);

	fetch_item_begin(item);
	item->size = attributes->size;
	item->item->flags = attributes->flags;
	item->item->mail = arena_alloc(item->arena, sizeof *item->item->mail);
	belfry__connector__mail__init(item->item->mail);
	item->item->body = arena_alloc(item->arena, sizeof *item->item->body);
	belfry__connector__body__init(item->item->body);
	if (with_part) {
		item->item->part = arena_alloc(item->arena, sizeof *item->item->part);
		belfry__connector__body__init(item->item->part);
	}
	item->item->mail->received_s = date_parse(slice_of(attributes->date.bytes, attributes->date.length));
	worker_read_flags(&cursor, add_keyword, item);
}

/* The header of a large mail is kept; what follows it is asked for in pieces that are needed. */
static void keep_beginning(struct fetch_item *item, struct imap_text octets)
{
	struct slice rest = slice_of(octets.bytes, octets.length);
	struct header_field field;

	while (header_next(&rest, &field))
		;
	size_t length = octets.length - rest.length;
	item->octets = slice_of(arena_strndup(item->arena, octets.bytes, length), length);
	item->is_large = true;
}

/* The server counts more octets than it gave: in MIME what is missing would be taken for the mail's end. */
static void admit_missing(const struct attributes *attributes, Belfry__Connector__Body *body)
{
	if (body->type != BELFRY__CONNECTOR__BODY_TYPE__MIME || attributes->size <= attributes->octets.length)
		return;
	body->full_size += attributes->size - attributes->octets.length;
	body->truncated = true;
}

static void hear_mail(const struct imap_response *response, void *data)
{
	struct fetch *fetch = data;
	struct worker_call *call = fetch->call;
	struct attributes attributes;
	struct fetch_item *item;

	if (!response->has_number || !read_attributes(response, &attributes) || attributes.octets.bytes == NULL)
		return;
	item = find_item(fetch, attributes.uid);
	if (item == NULL)
		return;
	board_write(call->board, BOARD_PARSING, call->session->validity, item->id);
	prepare(item, &attributes, fetch->request->part != NULL);
	if (attributes.octets.length >= FETCH_WHOLE_MAX && attributes.size > FETCH_WHOLE_MAX) {
		keep_beginning(item, attributes.octets);
	} else {
		mail_read(item->arena, attributes.octets.bytes, attributes.octets.length, fetch->request->wishes,
			fetch->request->n_wishes, fetch->request->mime_support, item->item->mail, item->item->body);
		if (fetch->request->part != NULL)
			mail_read_part(item->arena, attributes.octets.bytes, attributes.octets.length, fetch->request->part,
				item->item->part);
		admit_missing(&attributes, item->item->body);
		fetch_item_end(item);
		/* A body in MIME still lies in what was received: it must leave now or be copied. */
		if (item == &fetch->items[fetch->sent])
			send_ready(fetch);
		else if (item->item->body->type == BELFRY__CONNECTOR__BODY_TYPE__MIME)
			item->item->body->data.data = (uint8_t *)arena_strndup(item->arena,
				(char *)item->item->body->data.data, item->item->body->data.len);
	}
	board_write(call->board, BOARD_FETCHING, call->session->validity, fetch->is_careful ? item->id : 0);
}

/* --- what is asked --------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

/* Ids of the batch that are still to be fetched, as a set; false: there are none. */
static bool append_set(const struct fetch *fetch, struct buffer *set)
{
	uint64_t ids[FETCH_BATCH];
	size_t count = 0;

	for (size_t i = fetch->batch_first; i < fetch->batch_end; i++)
		if (!fetch->items[i].is_ready && fetch->items[i].arena == NULL)
			ids[count++] = fetch->items[i].id;
	qsort(ids, count, sizeof *ids, by_id);
	for (size_t i = 0; i < count;) {
		size_t last = i;
		while (last + 1 < count && ids[last + 1] <= ids[last] + 1)
			last++;
		worker_append_range(set, ids[i], ids[last]);
		i = last + 1;
	}
	return count > 0;
}

void fetch_queue(struct session *session, const char *set)
{
	session_queue(session, "UID FETCH %s (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.%d>)", set, FETCH_WHOLE_MAX);
}

/* What came along with the survey need not be asked for. */
static void hear_ahead(struct fetch *fetch)
{
	struct imap_response response;

	for (size_t i = fetch->batch_first; i < fetch->batch_end && !fetch->is_careful; i++)
		if (!fetch->items[i].is_ready && ahead_find(&fetch->call->session->ahead, fetch->items[i].id, &response))
			hear_mail(&response, fetch);
}

static bool queue_batch(struct fetch *fetch)
{
	struct buffer set = BUFFER_EMPTY;

	hear_ahead(fetch);
	bool any = append_set(fetch, &set);
	if (any)
		fetch_queue(fetch->call->session, buffer_string(&set));
	buffer_release(&set);
	return any;
}

/* --- batches --------------------------------------------------------------------------------------------------- */

static void next_batch(struct fetch *fetch)
{
	size_t most = fetch->is_careful ? 1 : FETCH_BATCH;

	fetch->batch_first = fetch->batch_end;
	fetch->batch_end = fetch->count - fetch->batch_first > most ? fetch->batch_first + most : fetch->count;
	board_write(fetch->call->board, BOARD_FETCHING, fetch->request->validity,
		fetch->is_careful ? fetch->items[fetch->batch_first].id : 0);
}

/* All items that the server said nothing of. */
static void fail_unheard(struct fetch *fetch, Belfry__Connector__Status status)
{
	for (size_t i = fetch->batch_first; i < fetch->batch_end; i++)
		if (!fetch->items[i].is_ready && !fetch->items[i].is_large)
			item_fail(&fetch->items[i], status);
}

static bool has_unheard(const struct fetch *fetch)
{
	for (size_t i = fetch->batch_first; i < fetch->batch_end; i++)
		if (!fetch->items[i].is_ready && !fetch->items[i].is_large)
			return true;
	return false;
}

/* From the batch's first unheard item on, one at a time. */
static void be_careful(struct fetch *fetch)
{
	fetch->is_careful = true;
	fetch->batch_end = fetch->batch_first;
	while (fetch->batch_end < fetch->count && fetch->items[fetch->batch_end].is_ready)
		fetch->batch_end++;
}

static enum session_answer load_large(struct fetch *fetch, struct error *error_r)
{
	for (size_t i = fetch->batch_first; i < fetch->batch_end; i++) {
		struct fetch_item *item = &fetch->items[i];

		if (item->is_ready || !item->is_large)
			continue;
		if (fetch_large(fetch, item, error_r) == SESSION_LOST)
			return SESSION_LOST;
		send_ready(fetch);
	}
	return SESSION_OK;
}

/* The session broke in the middle: a new one, and from then on carefully. A single item that breaks it is bad. */
static int recover(struct fetch *fetch, struct error *error_r)
{
	struct session *session;

	if (fetch->is_careful) {
		for (size_t i = fetch->batch_first; i < fetch->batch_end; i++)
			if (!fetch->items[i].is_ready)
				item_fail(&fetch->items[i], BELFRY__CONNECTOR__STATUS__BAD_ITEM);
		send_ready(fetch);
	} else {
		for (size_t i = fetch->batch_first; i < fetch->batch_end; i++)
			if (!fetch->items[i].is_ready) {
				item_release(&fetch->items[i]);
				fetch->items[i].is_large = false;
			}
		be_careful(fetch);
	}
	if (fetch->sent == fetch->count)
		return 0;
	session = ++fetch->reopened > FETCH_REOPEN_MAX ? NULL : worker_reopen(fetch->call, error_r);
	if (session == NULL)
		return -1;
	if (session_select(session, fetch->request->collection, error_r) != 1
		|| session_selected(session, fetch->request->collection, NULL, NULL, error_r) != SESSION_OK)
		return -1;
	return fetch->request->validity == 0 || session->validity == fetch->request->validity ? 0
		: error_set(error_r, "the mailbox was made anew meanwhile");
}

/* -1: the request cannot go on. */
static int fetch_batch(struct fetch *fetch, bool is_queued, struct error *error_r)
{
	enum session_answer answer = SESSION_OK;

	if (is_queued)
		answer = session_await(fetch->call->session, hear_mail, fetch, error_r);
	if (answer == SESSION_LOST || load_large(fetch, error_r) == SESSION_LOST)
		return recover(fetch, error_r);
	if (has_unheard(fetch) && !fetch->is_current) {
		fetch->is_current = true;
		return session_refresh(fetch->call->session, error_r) == SESSION_LOST ? recover(fetch, error_r)
			: fetch_batch(fetch, queue_batch(fetch), error_r);
	}
	if (answer != SESSION_OK && has_unheard(fetch) && fetch->batch_end - fetch->batch_first > 1) {
		be_careful(fetch);
		return 0;
	}
	/* A NO with nothing for a single mail: it is there (or the server would say OK) and cannot be read. */
	fail_unheard(fetch, answer == SESSION_OK || strstr(error_r->text, "EXPUNGEISSUED") != NULL
		? BELFRY__CONNECTOR__STATUS__NOT_FOUND : BELFRY__CONNECTOR__STATUS__BAD_ITEM);
	send_ready(fetch);
	return 0;
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static void prepare_items(struct fetch *fetch)
{
	fetch->items = mem_alloc_array(fetch->count, sizeof *fetch->items);
	for (size_t i = 0; i < fetch->count; i++) {
		struct fetch_item *item = &fetch->items[i];

		item->id = fetch->request->ids[i];
		item->fd = -1;
		if (worker_is_quarantined(fetch->call, item->id))
			item_fail(item, BELFRY__CONNECTOR__STATUS__BAD_ITEM);
		else if (item->id == 0 || item->id > UINT32_MAX)
			item_fail(item, BELFRY__CONNECTOR__STATUS__NOT_FOUND);
	}
}

static bool is_valid(const struct fetch *fetch)
{
	return fetch->request->validity == 0 || fetch->call->session->validity == fetch->request->validity;
}

static worker_status stale(struct error *error_r)
{
	error_set(error_r, "the mailbox was made anew");
	return BELFRY__CONNECTOR__STATUS__STALE;
}

/* The first batch leaves together with the selection of the mailbox. */
static worker_status begin(struct fetch *fetch, bool *is_queued_r, struct error *error_r)
{
	struct session *session = fetch->call->session;
	enum session_answer selected = SESSION_OK;
	struct error ignored;
	int is_selecting;

	if (session_has_selected(session, fetch->request->collection) && !is_valid(fetch))
		session_unselect(session); /* the asker may know better than this view, which may be old */
	is_selecting = session_select(session, fetch->request->collection, error_r);
	if (is_selecting < 0)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	fetch->is_current = is_selecting;
	next_batch(fetch);
	*is_queued_r = queue_batch(fetch);
	if (!is_selecting)
		return BELFRY__CONNECTOR__STATUS__OK;
	selected = session_selected(session, fetch->request->collection, NULL, NULL, error_r);
	if (selected == SESSION_OK && is_valid(fetch))
		return BELFRY__CONNECTOR__STATUS__OK;
	if (selected != SESSION_LOST && *is_queued_r)
		session_await(session, NULL, NULL, &ignored);
	return selected == SESSION_OK ? stale(error_r) : worker_status_of(selected, error_r);
}

void worker_fetch(struct worker_call *call)
{
	struct fetch fetch = {.call = call, .request = call->request->request->fetch, .is_careful = call->request->careful};
	struct error error;
	bool is_queued = false;
	worker_status status;

	fetch.count = fetch.request->n_ids;
	if (fetch.count == 0 || fetch.count > FETCH_IDS_MAX) {
		worker_refuse(call, fetch.count == 0 ? BELFRY__CONNECTOR__STATUS__OK : BELFRY__CONNECTOR__STATUS__LIMIT, "");
		return;
	}
	prepare_items(&fetch);
	status = begin(&fetch, &is_queued, &error);
	while (status == BELFRY__CONNECTOR__STATUS__OK && fetch.sent < fetch.count) {
		if (fetch_batch(&fetch, is_queued, &error) != 0)
			status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
		else if (fetch.batch_end < fetch.count) {
			next_batch(&fetch);
			is_queued = queue_batch(&fetch);
		}
	}
	if (status != BELFRY__CONNECTOR__STATUS__OK)
		worker_refuse(call, status, error.text);
	ahead_drop(&call->session->ahead);
	for (size_t i = fetch.sent; i < fetch.count; i++)
		item_release(&fetch.items[i]);
	free(fetch.items);
}
