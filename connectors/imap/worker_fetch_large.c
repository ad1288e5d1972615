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
static enum session_answer load_texts(struct session *session, struct large *large, struct error *error_r)
{
	struct arena *arena = large->item->arena;

	for (int i = 0; i < large->plan.count; i++) {
		struct mime_part *part = body_source(&large->plan, &large->plan.segments[i]);
		char *number = part != NULL ? mime_part_number(arena, part) : NULL;

		if (part == NULL || part->is_loaded)
			continue;
		large->loading = part;
		large->section = arena_printf(arena, "BODY[%s]", number);
		session_queue(session, "UID FETCH %llu (UID BODY.PEEK[%s]<0.%llu>)", (unsigned long long)large->item->id, number,
			(unsigned long long)body_octets_needed(&large->plan, part));
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

	body_fill_mime(&large->plan, slice_of(NULL, 0), size, body);
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

enum session_answer fetch_large(struct fetch *fetch, struct fetch_item *item, struct error *error_r)
{
	struct session *session = fetch->call->session;
	struct board *board = fetch->call->board;
	struct large large = {.item = item, .file.fd = -1};
	enum session_answer answer;

	board_write(board, BOARD_FETCHING, session->validity, item->id);
	if (load_structure(session, &large, error_r) == SESSION_LOST)
		return SESSION_LOST;
	body_choose(large.root, fetch->request->wishes, fetch->request->n_wishes, fetch->request->mime_support, &large.plan);
	if (large.plan.type == BELFRY__CONNECTOR__BODY_TYPE__MIME)
		answer = load_octets(session, &large, error_r);
	else
		answer = load_texts(session, &large, error_r);
	if (answer == SESSION_LOST) {
		if (large.file.fd >= 0)
			close(large.file.fd);
		return SESSION_LOST;
	}
	board_write(board, BOARD_PARSING, session->validity, item->id);
	mail_fill(item->arena, large.root, &large.plan, item->item->mail);
	if (large.plan.type == BELFRY__CONNECTOR__BODY_TYPE__MIME)
		fill_mime(&large);
	else
		body_fill(item->arena, &large.plan, item->item->body);
	fetch_item_end(item);
	board_write(board, BOARD_FETCHING, session->validity, fetch->is_careful ? item->id : 0);
	return SESSION_OK;
}
