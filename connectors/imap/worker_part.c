/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FetchPart: an attachment, decoded into a memfd piece by piece. Of a mail that Fetch takes as a whole the tree of parts is
 * made here, as Fetch made it when it told the part's number; of a larger one it is the server's.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "connectors/imap/structure.h"
#include "connectors/imap/worker_fetch.h"
#include "connectors/mail/text_file.h"
#include "connectors/mail/words.h"

/* Octets that go into the file as they are or as base64, of which three make four. */
struct sink {
	const Belfry__Connector__FetchPart *asked;
	struct text_file file;
	uint64_t seen, written;     /* octets of the part; those that were wanted */
	uint8_t rest[3];            /* … and wait for others, to be encoded */
	size_t rest_length;
};

struct part_fetch {
	struct worker_call *call;
	const Belfry__Connector__FetchPart *asked;
	uint64_t size;              /* of the mail; 0: it is not there */
	struct mime_part *root, *part;
	struct transfer_pieces pieces;
	struct buffer decoded;
	struct sink sink;
	uint64_t got;               /* octets of the last piece */
};

/* --- the file -------------------------------------------------------------------------------------------------- */

static void encode(struct sink *sink, const uint8_t *octets, size_t length)
{
	enum { AT_ONCE = 3 * 1024 };
	char text[AT_ONCE / 3 * 4 + 1];

	while (length > 0) {
		size_t now = length < AT_ONCE ? length : AT_ONCE;

		text_file_append_octets(&sink->file, text, (size_t)EVP_EncodeBlock((uint8_t *)text, octets, (int)now));
		octets += now;
		length -= now;
	}
}

static void append_base64(struct sink *sink, const uint8_t *octets, size_t length)
{
	while (length > 0 && sink->rest_length > 0 && sink->rest_length < 3) {
		sink->rest[sink->rest_length++] = *octets++;
		length--;
	}
	if (sink->rest_length == 3) {
		encode(sink, sink->rest, 3);
		sink->rest_length = 0;
	}
	size_t whole = length - length % 3;
	encode(sink, octets, whole);
	for (; whole < length; whole++)
		sink->rest[sink->rest_length++] = octets[whole];
}

/* What of it is wanted. */
static void append(struct sink *sink, const char *octets, size_t length)
{
	uint64_t first = sink->asked->has_range ? sink->asked->first : 0, start = sink->seen;
	uint64_t end = sink->asked->has_range && sink->asked->last < UINT64_MAX ? sink->asked->last + 1 : UINT64_MAX;

	sink->seen += length;
	if (start >= end || end <= first || sink->seen <= first)
		return;
	size_t skipped = first > start ? (size_t)(first - start) : 0;
	size_t kept = (sink->seen > end ? (size_t)(end - start) : length) - skipped;
	sink->written += kept;
	if (sink->asked->base64)
		append_base64(sink, (const uint8_t *)octets + skipped, kept);
	else
		text_file_append_octets(&sink->file, octets + skipped, kept);
}

static void drain(struct part_fetch *fetch)
{
	append(&fetch->sink, fetch->decoded.data, fetch->decoded.length);
	buffer_consume(&fetch->decoded, fetch->decoded.length);
}

static void decode(struct part_fetch *fetch, struct slice encoded)
{
	transfer_append_piece(&fetch->pieces, &fetch->decoded, encoded);
	drain(fetch);
}

static void decode_end(struct part_fetch *fetch)
{
	transfer_end_pieces(&fetch->pieces, &fetch->decoded);
	drain(fetch);
	encode(&fetch->sink, fetch->sink.rest, fetch->sink.rest_length);
}

/* --- what the server says -------------------------------------------------------------------------------------- */

static void hear_structure(const struct imap_response *response, void *data)
{
	struct worker_attributes attributes = {0};
	struct part_fetch *fetch = data;
	struct imap_cursor value;
	struct imap_text name;

	while (worker_next_attribute(response, &attributes, &name, &value)) {
		if (imap_text_is(name, "RFC822.SIZE")) {
			struct imap_token number = imap_token_next(&value);
			imap_token_number(&number, &fetch->size);
		} else if (imap_text_is(name, "BODYSTRUCTURE") && fetch->root == NULL) {
			fetch->root = structure_parse(fetch->call->arena, &value);
		}
	}
}

/* The octets of BODY[…], wherever they stand. */
static struct slice octets_of(const struct imap_response *response)
{
	struct worker_attributes attributes = {0};
	struct imap_cursor value;
	struct imap_text name;

	while (worker_next_attribute(response, &attributes, &name, &value)) {
		struct imap_token octets = imap_token_next(&value);
		bool is_string = octets.kind == IMAP_LITERAL || octets.kind == IMAP_QUOTED;
		if (name.length > 5 && strncasecmp(name.bytes, "BODY[", 5) == 0)
			return is_string ? slice_of(octets.text.bytes, octets.text.length) : slice_of(NULL, 0);
	}
	return slice_of(NULL, 0);
}

static void hear_piece(const struct imap_response *response, void *data)
{
	struct part_fetch *fetch = data;
	struct slice octets = octets_of(response);

	if (octets.length == 0)
		return;
	fetch->got = octets.length;
	decode(fetch, octets);
}

static void hear_whole(const struct imap_response *response, void *data)
{
	struct part_fetch *fetch = data;
	struct slice octets = octets_of(response);

	if (octets.length > 0)
		fetch->root = mime_parse(fetch->call->arena, arena_strndup(fetch->call->arena, octets.at, octets.length),
			octets.length);
}

/* --- loading --------------------------------------------------------------------------------------------------- */

static void find_part(struct part_fetch *fetch)
{
	struct mime_part *part = fetch->root;

	while (part != NULL && (mime_is(part, "multipart", NULL)
		|| strcmp(mime_part_number(fetch->call->arena, part), fetch->asked->part) != 0))
		part = mime_next(fetch->root, part);
	fetch->part = part;
	if (part != NULL)
		fetch->pieces.transfer = part->transfer;
}

static worker_status load_pieces(struct part_fetch *fetch, struct error *error_r)
{
	struct session *session = fetch->call->session;
	uint64_t loaded = 0;

	do {
		fetch->got = 0;
		session_queue(session, "UID FETCH %llu (UID BODY.PEEK[%s]<%llu.%d>)", (unsigned long long)fetch->asked->id,
			fetch->asked->part, (unsigned long long)loaded, FETCH_PIECE);
		if (session_await(session, hear_piece, fetch, error_r) == SESSION_LOST)
			return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
		loaded += fetch->got;
	} while (fetch->got == FETCH_PIECE && !fetch->sink.file.failed);
	return BELFRY__CONNECTOR__STATUS__OK;
}

static worker_status load_whole(struct part_fetch *fetch, struct error *error_r)
{
	session_queue(fetch->call->session, "UID FETCH %llu (UID BODY.PEEK[])", (unsigned long long)fetch->asked->id);
	fetch->root = NULL;
	return session_await(fetch->call->session, hear_whole, fetch, error_r) == SESSION_LOST
		? BELFRY__CONNECTOR__STATUS__UNAVAILABLE : BELFRY__CONNECTOR__STATUS__OK;
}

static worker_status load(struct part_fetch *fetch, struct error *error_r)
{
	bool is_small = fetch->size <= FETCH_WHOLE_MAX;
	worker_status status = is_small ? load_whole(fetch, error_r) : BELFRY__CONNECTOR__STATUS__OK;

	if (status != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	board_write(fetch->call->board, BOARD_PARSING, fetch->call->session->validity, fetch->asked->id);
	find_part(fetch);
	error_set(error_r, "there is no such part");
	if (fetch->part == NULL)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (text_file_create(&fetch->sink.file) < 0) {
		error_set(error_r, "no file can be had");
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	}
	if (is_small)
		decode(fetch, fetch->part->body);
	else
		board_write(fetch->call->board, BOARD_FETCHING, fetch->call->session->validity, fetch->asked->id);
	if (!is_small)
		status = load_pieces(fetch, error_r);
	decode_end(fetch);
	if (status == BELFRY__CONNECTOR__STATUS__OK && fetch->sink.file.failed) {
		error_set(error_r, "the file cannot be written");
		status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	}
	return status;
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static worker_status open_collection(struct part_fetch *fetch, struct error *error_r)
{
	struct session *session = fetch->call->session;
	const Belfry__Connector__FetchPart *asked = fetch->asked;
	int is_selecting;
	enum session_answer answer;

	session_unselect(session); /* a view that is left from before may not have the item yet */
	is_selecting = session_select(session, asked->collection, error_r);
	if (is_selecting < 0)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	answer = session_selected(session, asked->collection, NULL, NULL, error_r);
	if (answer != SESSION_OK)
		return worker_status_of(answer, error_r);
	if (asked->validity == 0 || session->validity == asked->validity)
		return BELFRY__CONNECTOR__STATUS__OK;
	error_set(error_r, "the mailbox was made anew");
	return BELFRY__CONNECTOR__STATUS__STALE;
}

/* It goes into a command. */
static bool is_part_number(const char *part)
{
	return *part >= '1' && *part <= '9' && strspn(part, "0123456789.") == strlen(part) && strlen(part) < 200;
}

static worker_status look(struct part_fetch *fetch, struct error *error_r)
{
	const Belfry__Connector__FetchPart *asked = fetch->asked;
	worker_status status = open_collection(fetch, error_r);

	if (status != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	board_write(fetch->call->board, BOARD_FETCHING, fetch->call->session->validity, asked->id);
	session_queue(fetch->call->session, "UID FETCH %llu (UID RFC822.SIZE BODYSTRUCTURE)", (unsigned long long)asked->id);
	if (session_await(fetch->call->session, hear_structure, fetch, error_r) == SESSION_LOST)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	error_set(error_r, "there is no such item");
	return fetch->size == 0 ? BELFRY__CONNECTOR__STATUS__NOT_FOUND : BELFRY__CONNECTOR__STATUS__OK;
}

static worker_status fetch_part(struct part_fetch *fetch, struct error *error_r)
{
	const Belfry__Connector__FetchPart *asked = fetch->asked;
	worker_status status;

	error_set(error_r, "there is no such part");
	if (!is_part_number(asked->part) || asked->id == 0 || asked->id > UINT32_MAX)
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (worker_is_quarantined(fetch->call, asked->id))
		return BELFRY__CONNECTOR__STATUS__BAD_ITEM;
	status = look(fetch, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE && worker_try_again(fetch->call))
		status = look(fetch, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = load(fetch, error_r);
	if (status != BELFRY__CONNECTOR__STATUS__OK || !asked->has_range || fetch->sink.written > 0)
		return status;
	error_set(error_r, "none of these octets are there");
	return BELFRY__CONNECTOR__STATUS__LIMIT;
}

void worker_fetch_part(struct worker_call *call)
{
	struct part_fetch fetch = {.call = call, .asked = call->request->request->fetch_part};
	Belfry__Connector__Part part = BELFRY__CONNECTOR__PART__INIT;
	worker_response *response;
	struct error error;
	worker_status status;

	fetch.sink = (struct sink){.asked = fetch.asked, .file.fd = -1};
	status = fetch_part(&fetch, &error);
	if (status == BELFRY__CONNECTOR__STATUS__OK) {
		part.content_type = words_decode(call->arena, slice_string(arena_printf(call->arena, "%.*s/%.*s",
			(int)slice_cut(fetch.part->type, 100).length, fetch.part->type.at,
			(int)slice_cut(fetch.part->subtype, 100).length, fetch.part->subtype.at)));
		part.size = fetch.sink.seen;
		part.first = fetch.asked->has_range ? fetch.asked->first : 0;
		part.count = fetch.sink.written;
		response = worker_response_create(call);
		response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_PART;
		response->part = &part;
		worker_answer(call, response, true, part.count == 0 ? -1 : fetch.sink.file.fd);
	} else {
		worker_refuse(call, status, error.text);
	}
	if (fetch.sink.file.fd >= 0)
		close(fetch.sink.file.fd);
	buffer_release(&fetch.decoded);
	buffer_release(&fetch.pieces.held);
}
