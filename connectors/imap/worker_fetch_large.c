/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Large mails: their structure, then only the texts that are wanted, or the octets piece by piece into a memfd. */
#include <string.h>
#include <unistd.h>

#include "connectors/imap/structure.h"
#include "connectors/imap/worker_fetch.h"
#include "connectors/mail/text_file.h"

struct large {
	struct fetch_item *item;
	struct mime_part *root;      /* NULL until its structure came */
	struct body_plan plan;
	const char *section;         /* of the part that is being loaded */
	struct mime_part *loading;
	struct text_file file;       /* where octets go */
	uint64_t got;                /* octets of the last piece */
};

/* Calls read() with the cursor behind each attribute's name, for a FETCH response. */
static void each_attribute(const struct imap_response *response, struct large *large,
	void (*read)(struct large *, struct imap_text name, struct imap_cursor *))
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;

	if (!imap_text_is(response->keyword, "FETCH") || imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM) {
		struct imap_cursor value = cursor;

		read(large, token.text, &value);
		if (!worker_skip_value(&cursor))
			return;
	}
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
	text_file_append(&large->file, token.text.bytes, token.text.length);
}

static void hear_octets(const struct imap_response *response, void *data)
{
	each_attribute(response, data, read_octets);
}

static enum session_answer load_octets(struct session *session, struct large *large, uint64_t wanted, uint64_t *loaded_r,
	struct error *error_r)
{
	*loaded_r = 0;
	do {
		uint64_t piece = wanted - *loaded_r < FETCH_PIECE ? wanted - *loaded_r : FETCH_PIECE;

		large->got = 0;
		session_queue(session, "UID FETCH %llu (UID BODY.PEEK[]<%llu.%llu>)", (unsigned long long)large->item->id,
			(unsigned long long)*loaded_r, (unsigned long long)piece);
		if (session_await(session, hear_octets, large, error_r) == SESSION_LOST)
			return SESSION_LOST;
		*loaded_r += large->got;
	} while (large->got > 0 && !large->file.failed && *loaded_r < wanted);
	return SESSION_OK;
}

static enum session_answer fill_mime(struct session *session, struct large *large, struct error *error_r)
{
	Belfry__Connector__Body *body = large->item->item->body;
	const Belfry__Connector__BodyWish *wish = large->plan.wish;
	uint64_t size = large->item->size, wanted = size, loaded;

	if (wish->has_truncate && wish->truncate < size)
		wanted = wish->all_or_none ? 0 : wish->truncate;
	body_fill_mime(&large->plan, slice_of(NULL, 0), size, body);
	body->truncated = wanted < size;
	if (wanted == 0)
		return SESSION_OK;
	if (text_file_create(&large->file) < 0) {
		body->truncated = true;
		return SESSION_OK;
	}
	if (load_octets(session, large, wanted, &loaded, error_r) == SESSION_LOST)
		return SESSION_LOST;
	text_file_end(&large->file);
	body->full_size = wanted < size ? size : loaded;
	body->truncated = wanted < size || large->file.failed;
	body->in_descriptor = true;
	large->item->fd = large->file.fd;
	return SESSION_OK;
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
		answer = fill_mime(session, &large, error_r);
	else
		answer = load_texts(session, &large, error_r);
	if (answer == SESSION_LOST) {
		if (large.file.fd >= 0)
			close(large.file.fd);
		return SESSION_LOST;
	}
	board_write(board, BOARD_PARSING, session->validity, item->id);
	mail_fill(item->arena, large.root, &large.plan, item->item->mail);
	if (large.plan.type != BELFRY__CONNECTOR__BODY_TYPE__MIME)
		body_fill(item->arena, &large.plan, item->item->body);
	fetch_item_end(item);
	board_write(board, BOARD_FETCHING, session->validity, fetch->is_careful ? item->id : 0);
	return SESSION_OK;
}
