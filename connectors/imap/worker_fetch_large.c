/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Large mails: their structure, then only the texts that are wanted, or the octets piece by piece into a memfd, which
 * becomes text when all are there. */
#include <string.h>
#include <unistd.h>

#include "connectors/imap/structure.h"
#include "connectors/imap/worker_fetch.h"
#include "connectors/mail/mime_file.h"

struct large {
	struct fetch_item *item;
	struct mime_part *root;      /* NULL until its structure came */
	struct body_plan plan;
	const char *section;         /* of the part that is being loaded */
	struct mime_part *loading;
	struct text_file file;       /* where octets go */
	uint64_t wanted, loaded;     /* octets */
	uint64_t got;                /* octets of the last piece */
};

/* Calls read() with the cursor behind each attribute's name, for a FETCH response. */
static void each_attribute(const struct imap_response *response, struct large *large,
	void (*read)(struct large *, struct imap_text name, struct imap_cursor *))
{
	struct worker_attributes attributes = {0};
	struct imap_cursor value;
	struct imap_text name;

	while (worker_next_attribute(response, &attributes, &name, &value))
		read(large, name, &value);
}

/* --- structure ------------------------------------------------------------------------------------------------- */

static void read_structure(struct large *large, struct imap_text name, struct imap_cursor *cursor)
{
	if (imap_text_is(name, "BODYSTRUCTURE") && large->root == NULL)
		large->root = structure_parse(large->item->arena, cursor);
}

static void hear_structure(const struct imap_response *response, void *data)
{
	each_attribute(response, data, read_structure);
}

static enum session_answer load_structure(struct session *session, struct large *large, struct error *error_r)
{
	enum session_answer answer;

	session_queue(session, "UID FETCH %llu (UID BODYSTRUCTURE)", (unsigned long long)large->item->id);
	answer = session_await(session, hear_structure, large, error_r);
	if (large->root == NULL) { /* the server does not understand it either: its fields at least */
		large->root = mime_part_create(large->item->arena, NULL);
		large->root->size = large->item->size - large->item->octets.length;
	}
	large->root->header = large->item->octets;
	return answer;
}

/* --- texts ----------------------------------------------------------------------------------------------------- */

static void read_text(struct large *large, struct imap_text name, struct imap_cursor *cursor)
{
	size_t length = strlen(large->section);
	struct imap_token token;

	if (name.length < length || strncasecmp(name.bytes, large->section, length) != 0)
		return;
	token = imap_token_next(cursor);
	if (token.kind != IMAP_LITERAL && token.kind != IMAP_QUOTED)
		return;
	large->loading->body = slice_of(arena_strndup(large->item->arena, token.text.bytes, token.text.length),
		token.text.length);
	large->loading->is_loaded = true;
}

static void hear_text(const struct imap_response *response, void *data)
{
	each_attribute(response, data, read_text);
}

/* Each text that the body is made of, no more of it than is wanted. */
static enum session_answer load_texts(struct session *session, struct large *large, const struct body_plan *plan,
	struct error *error_r)
{
	struct arena *arena = large->item->arena;

	for (int i = 0; i < plan->count; i++) {
		struct mime_part *part = body_source(plan, &plan->segments[i]);
		char *number = part != NULL ? mime_part_number(arena, part) : NULL;

		if (part == NULL || part->is_loaded)
			continue;
		large->loading = part;
		large->section = arena_printf(arena, "BODY[%s]", number);
		session_queue(session, "UID FETCH %llu (UID BODY.PEEK[%s]<0.%llu>)", (unsigned long long)large->item->id, number,
			(unsigned long long)body_octets_needed(plan, part));
		if (session_await(session, hear_text, large, error_r) == SESSION_LOST)
			return SESSION_LOST;
	}
	return SESSION_OK;
}

/* --- octets ---------------------------------------------------------------------------------------------------- */

static void read_octets(struct large *large, struct imap_text name, struct imap_cursor *cursor)
{
	struct imap_token token;

	if (name.length < 6 || strncasecmp(name.bytes, "BODY[]", 6) != 0)
		return;
	token = imap_token_next(cursor);
	if (token.kind != IMAP_LITERAL)
		return;
	large->got = token.text.length;
	text_file_append_octets(&large->file, token.text.bytes, token.text.length);
}

static void hear_octets(const struct imap_response *response, void *data)
{
	each_attribute(response, data, read_octets);
}

static enum session_answer load_pieces(struct session *session, struct large *large, struct error *error_r)
{
	do {
		uint64_t piece = large->wanted - large->loaded < FETCH_PIECE ? large->wanted - large->loaded : FETCH_PIECE;

		large->got = 0;
		session_queue(session, "UID FETCH %llu (UID BODY.PEEK[]<%llu.%llu>)", (unsigned long long)large->item->id,
			(unsigned long long)large->loaded, (unsigned long long)piece);
		if (session_await(session, hear_octets, large, error_r) == SESSION_LOST)
			return SESSION_LOST;
		large->loaded += large->got;
	} while (large->got > 0 && !large->file.failed && large->loaded < large->wanted);
	return SESSION_OK;
}

static enum session_answer load_octets(struct session *session, struct large *large, struct error *error_r)
{
	const Belfry__Connector__BodyWish *wish = large->plan.wish;

	large->wanted = large->item->size;
	if (wish->has_truncate && wish->truncate < large->wanted)
		large->wanted = wish->all_or_none ? 0 : wish->truncate;
	if (large->wanted == 0 || text_file_create(&large->file) < 0)
		return SESSION_OK;
	return load_pieces(session, large, error_r);
}

/* Encoded anew it may be longer than it was. */
static uint64_t cut_to_wish(struct large *large, uint64_t length)
{
	const Belfry__Connector__BodyWish *wish = large->plan.wish;

	if (!wish->has_truncate || length <= wish->truncate)
		return length;
	return mime_file_cut(&large->file, wish->all_or_none ? 0 : wish->truncate);
}

/* What was loaded, as text. What is not there, for whatever reason, was left out: how much is the server's word. */
static void fill_mime(struct large *large)
{
	Belfry__Connector__Body *body = large->item->item->body;
	uint64_t size = large->item->size, length = 0;

	body_fill_mime(large->item->arena, &large->plan, slice_of(NULL, 0), size, body);
	if (large->file.fd < 0)
		return;
	length = mime_file_make_text(&large->file, large->loaded < size);
	bool is_whole = large->loaded >= size && !large->file.failed;
	body->full_size = is_whole || length > size ? length : size;
	body->truncated = cut_to_wish(large, length) < body->full_size;
	body->in_descriptor = true;
	large->item->fd = large->file.fd;
}

/* --- the mail -------------------------------------------------------------------------------------------------- */

static enum session_answer load_mime(struct session *session, struct large *large, struct error *error_r)
{
	struct body_plan preview;

	body_choose_preview(&large->plan, &preview);
	if (large->plan.wish->preview > 0 && load_texts(session, large, &preview, error_r) == SESSION_LOST)
		return SESSION_LOST;
	return load_octets(session, large, error_r);
}

static enum session_answer load_body(struct session *session, struct large *large, struct error *error_r)
{
	return large->plan.type == BELFRY__CONNECTOR__BODY_TYPE__MIME ? load_mime(session, large, error_r)
		: load_texts(session, large, &large->plan, error_r);
}

static void fill_body(struct large *large)
{
	belfry__connector__body__init(large->item->item->body);
	if (large->plan.type == BELFRY__CONNECTOR__BODY_TYPE__MIME)
		fill_mime(large);
	else
		body_fill(large->item->arena, &large->plan, large->item->item->body);
}

/* A wish for all or nothing that gets nothing makes place for the next: with it no octets came, and no file. */
static enum session_answer load_and_fill(struct fetch *fetch, struct large *large, struct error *error_r)
{
	const Belfry__Connector__Fetch *request = fetch->request;
	struct session *session = fetch->call->session;

	body_choose(large->root, request->wishes, request->n_wishes, request->mime_support, &large->plan);
	do {
		if (load_body(session, large, error_r) == SESSION_LOST)
			return SESSION_LOST;
		board_write(fetch->call->board, BOARD_PARSING, session->validity, large->item->id);
		fill_body(large);
		board_write(fetch->call->board, BOARD_FETCHING, session->validity, large->item->id);
	} while (large->file.fd < 0 && body_choose_other(large->root, request->wishes, request->n_wishes,
		request->mime_support, large->item->item->body, &large->plan));
	return SESSION_OK;
}

/* What is new against the conversation comes before the body: of a text that both need it may want more. */
static enum session_answer load_and_fill_part(struct fetch *fetch, struct large *large, struct error *error_r)
{
	struct body_plan plan;

	if (fetch->request->part == NULL)
		return SESSION_OK;
	body_choose_part(large->root, fetch->request->part, &plan);
	if (load_texts(fetch->call->session, large, &plan, error_r) == SESSION_LOST)
		return SESSION_LOST;
	body_fill(large->item->arena, &plan, large->item->item->part);
	return SESSION_OK;
}

enum session_answer fetch_large(struct fetch *fetch, struct fetch_item *item, struct error *error_r)
{
	struct session *session = fetch->call->session;
	struct large large = {.item = item, .file.fd = -1};

	board_write(fetch->call->board, BOARD_FETCHING, session->validity, item->id);
	if (load_structure(session, &large, error_r) == SESSION_LOST)
		return SESSION_LOST;
	if (load_and_fill_part(fetch, &large, error_r) == SESSION_LOST ||
	    load_and_fill(fetch, &large, error_r) == SESSION_LOST) {
		if (large.file.fd >= 0)
			close(large.file.fd);
		return SESSION_LOST;
	}
	board_write(fetch->call->board, BOARD_PARSING, session->validity, item->id);
	mail_fill(item->arena, large.root, &large.plan, item->item->mail);
	fetch_item_end(item);
	board_write(fetch->call->board, BOARD_FETCHING, session->validity, fetch->is_careful ? item->id : 0);
	return SESSION_OK;
}
