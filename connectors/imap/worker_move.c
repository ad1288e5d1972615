/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moves mails to another mailbox so that each stands there once, whoever dies in the middle. The danger is a move whose
 * outcome is unknown: worker, daemon or connection is lost, and the server's session goes on with the MOVE while the
 * device's repeat is already at the same mails in another session. A server that copies first and removes then
 * (Dovecot 2.3 does, and takes the removal of a mail that is gone for done) makes two mails of one.
 *
 *	look ──▶ nobody's ──▶ claim ──▶ MOVE ──▶ take the claim off the copies
 *	  ▲       claimed ──▶ settle: is it gone? has it a copy? then finish; else take the claim back
 *	  └──────────────────────┘
 *
 * The claim is a keyword on the mail, set only if nobody has touched the mail since it was looked at (UNCHANGEDSINCE,
 * RFC 7162): of two, one wins. It is the intent that is to be durable before the effect, and lies where the effect is:
 * it outlives everything of ours, and every later session sees it. Copies carry it, too: what carries it in the target
 * is the copy of a move that nobody has seen the end of.
 *
 * Where a mailbox has no mod-sequences or takes no new keywords the daemon remembers instead (pool.c): it knows from
 * the board that a move was under way, and the UIDNEXT of the target before it. That covers all deaths but its own.
 *
 * Chunks are small, so that little is unsettled at a time.
 */
#include "connectors/imap/worker_move.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/imap/board.h"
#include "connectors/imap/mailbox_name.h"
#include "lib/core/mem.h"

enum {
	MOVE_CHUNK = 25,
	MOVE_TRIES = 5   /* looks at one chunk: a claim that was lost and a settling cost one each */
};

/* --- reading mails --------------------------------------------------------------------------------------------- */

static void read_flags(struct imap_cursor *cursor, struct mail *mail)
{
	struct imap_token token;

	if (imap_token_next(cursor).kind != IMAP_OPEN)
		return;
	while ((token = imap_token_next(cursor)).kind == IMAP_ATOM) {
		mail->is_claimed |= imap_text_is(token.text, MOVE_CLAIM);
		mail->is_deleted |= imap_text_is(token.text, "\\Deleted");
	}
}

/* MODSEQ (12) */
static void read_modseq(struct imap_cursor *cursor, struct mail *mail)
{
	struct imap_token token;

	if (imap_token_next(cursor).kind != IMAP_OPEN)
		return;
	token = imap_token_next(cursor);
	imap_token_number(&token, &mail->modseq);
	imap_token_next(cursor);
}

/* What COPY and MOVE keep (RFC 9051 section 6.4.7), as the server writes it; the ENVELOPE has the Message-ID. */
enum { IDENTITY_PARTS = 3 };

static int identity_part(struct imap_text name)
{
	static const char *const parts[IDENTITY_PARTS] = {"RFC822.SIZE", "INTERNALDATE", "ENVELOPE"};

	for (int i = 0; i < IDENTITY_PARTS; i++)
		if (imap_text_is(name, parts[i]))
			return i;
	return -1;
}

static bool read_mail(const struct imap_response *response, struct arena *arena, struct mail *mail)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_text parts[IDENTITY_PARTS] = {{0}};
	struct imap_token token;

	*mail = (struct mail){0};
	if (imap_token_next(&cursor).kind != IMAP_OPEN)
		return false;
	while ((token = imap_token_next(&cursor)).kind == IMAP_ATOM) {
		const char *start = cursor.at;
		int part = identity_part(token.text);

		if (imap_text_is(token.text, "UID")) {
			token = imap_token_next(&cursor);
			imap_token_number(&token, &mail->id);
		} else if (imap_text_is(token.text, "FLAGS")) {
			read_flags(&cursor, mail);
		} else if (imap_text_is(token.text, "MODSEQ")) {
			read_modseq(&cursor, mail);
		} else if (!imap_cursor_skip(&cursor)) {
			return false;
		} else if (part >= 0) {
			parts[part] = (struct imap_text){start, (size_t)(cursor.at - start)};
		}
	}
	if (parts[0].length > 0 && parts[1].length > 0 && parts[2].length > 0)
		mail->identity = arena_printf(arena, "%.*s%.*s%.*s", (int)parts[0].length, parts[0].bytes, (int)parts[1].length,
			parts[1].bytes, (int)parts[2].length, parts[2].bytes);
	return mail->id > 0 && mail->id <= UINT32_MAX;
}

static void hear_mail(const struct imap_response *response, void *data)
{
	struct mails *mails = data;
	struct mail mail;

	if (!imap_text_is(response->keyword, "FETCH") || !read_mail(response, mails->arena, &mail))
		return;
	if (mails->count == mails->room) {
		mails->room = mails->room == 0 ? MOVE_CHUNK : mails->room * 2;
		mails->list = mem_realloc(mails->list, mails->room * sizeof *mails->list);
	}
	mails->list[mails->count++] = mail;
}

worker_status move_read(struct apply *apply, const struct ranges *items, const char *what, struct mails *mails_r,
	struct error *error_r)
{
	*mails_r = (struct mails){.arena = apply->call->arena};
	return apply_status_of(apply_command(apply, "FETCH", items, what, hear_mail, mails_r, error_r), error_r);
}

/* --- claims ---------------------------------------------------------------------------------------------------- */

/* OK [MODIFIED 7,9] some have changed (RFC 7162 section 3.1.3); it may be a NO, too. */
static void hear_modified(const struct imap_response *response, void *data)
{
	if (data != NULL && imap_text_is(response->code, "MODIFIED"))
		worker_read_set(response->code_rest, data);
}

worker_status move_claim(struct apply *apply, const struct ranges *items, char sign, uint64_t modseq,
	struct ranges *modified, struct error *error_r)
{
	char before[40] = "", after[80];
	enum session_answer answer;

	if (modseq > 0)
		snprintf(before, sizeof before, "(UNCHANGEDSINCE %llu) ", (unsigned long long)modseq);
	snprintf(after, sizeof after, "%s%cFLAGS.SILENT (" MOVE_CLAIM ")", before, sign);
	answer = apply_command(apply, "STORE", items, after, hear_modified, modified, error_r);
	if (answer == SESSION_NO && modified != NULL && modified->count > 0)
		answer = SESSION_OK;
	return apply_status_of(answer, error_r);
}

/* Takes the claims that can be had; what others were faster at is not left. */
static worker_status claim(struct move *move, struct error *error_r)
{
	struct ranges modified = RANGES_EMPTY;
	worker_status status;

	if (!move->claims)
		return BELFRY__CONNECTOR__STATUS__OK;
	status = move_claim(move->apply, &move->left, '+', move->modseq, &modified, error_r);
	ranges_subtract(&move->left, &move->left, &modified);
	ranges_release(&modified);
	if (status == BELFRY__CONNECTOR__STATUS__OK || status == BELFRY__CONNECTOR__STATUS__NOT_FOUND
		|| status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE)
		return status;
	move->claims = false; /* no right to set keywords, say */
	return BELFRY__CONNECTOR__STATUS__OK;
}

/* Not moved: nobody is at them any more. */
static void take_back(struct move *move)
{
	struct error ignored;

	if (move->claims && !move->apply->call->session->is_broken)
		move_claim(move->apply, &move->left, '-', 0, NULL, &ignored);
}

/* --- the move -------------------------------------------------------------------------------------------------- */

struct copying {
	struct apply *apply;
	struct ranges copies;
};

/* [COPYUID validity from to] (RFC 4315): an untagged OK of MOVE, the answer to COPY. The sets are in one order. */
static void hear_copies(const struct imap_response *response, void *data)
{
	struct copying *copying = data;
	struct imap_cursor cursor = imap_cursor_over(response->code_rest);
	struct worker_set_walk from = {{0}, 0, 0}, to = {{0}, 0, 0};
	uint64_t source, copy;

	if (!imap_text_is(response->code, "COPYUID"))
		return;
	imap_token_next(&cursor);
	from.rest = imap_token_next(&cursor).text;
	to.rest = imap_token_next(&cursor).text;
	worker_read_set(to.rest, &copying->copies);
	for (int i = 0; i < MOVE_CHUNK && worker_walk_set(&from, &source) && worker_walk_set(&to, &copy); i++)
		apply_note_moved(copying->apply, source, copy);
}

static worker_status copy_to_target(struct move *move, const char *command, struct ranges *copies, struct error *error_r)
{
	struct copying copying = {move->apply, RANGES_EMPTY};
	struct buffer target = BUFFER_EMPTY;
	enum session_answer answer = SESSION_NO;

	error_set(error_r, "no mailbox can have the name of the target");
	if (mailbox_name_quote(&target, move->apply->target) == 0)
		answer = apply_command(move->apply, command, &move->left, buffer_string(&target), hear_copies, &copying, error_r);
	buffer_release(&target);
	ranges_move(copies, &copying.copies);
	return apply_status_of(answer, error_r);
}

static void hear_next(const struct imap_response *response, void *data)
{
	struct imap_status status;
	struct buffer name = BUFFER_EMPTY;

	if (imap_text_is(response->keyword, "STATUS") && imap_status_parse(response->rest, &status, &name) == 0
		&& (status.items & IMAP_STATUS_UIDNEXT))
		*(uint64_t *)data = status.uid_next;
	buffer_release(&name);
}

/* Without claims: the daemon is to know that there is a move, and how to find its copies. */
static worker_status announce(struct move *move, struct error *error_r)
{
	struct session *session = move->apply->call->session;
	struct buffer command = BUFFER_EMPTY;
	enum session_answer answer;

	move->next = 0;
	buffer_append_string(&command, "STATUS ");
	if (mailbox_name_quote(&command, move->apply->target) != 0) {
		buffer_release(&command);
		error_set(error_r, "no mailbox can have the name of the target");
		return BELFRY__CONNECTOR__STATUS__UNSUPPORTED;
	}
	buffer_append_string(&command, " (UIDNEXT)");
	session_queue_buffer(session, &command);
	answer = session_await(session, hear_next, &move->next, error_r);
	if (answer == SESSION_NO)
		return apply_status_of(answer, error_r);
	if (answer != SESSION_OK || move->next == 0)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	atomic_store(&move->apply->call->board->unsettled, move->next);
	return BELFRY__CONNECTOR__STATUS__OK;
}

static worker_status copy_and_expunge(struct move *move, struct ranges *copies, struct error *error_r)
{
	worker_status status;

	if (move->apply->call->session->capabilities & IMAP_CAP_MOVE)
		return copy_to_target(move, "MOVE", copies, error_r);
	if (move->apply->refuses_deleted) {
		error_set(error_r, "no mail may be removed from there");
		return BELFRY__CONNECTOR__STATUS__UNSUPPORTED; /* before there is a copy */
	}
	status = copy_to_target(move, "COPY", copies, error_r);
	return status == BELFRY__CONNECTOR__STATUS__OK ? apply_expunge(move->apply, &move->left, error_r) : status;
}

/* The move is over: its copies are mails like others. What goes wrong here changes nothing about that. */
static void forget_claims(struct move *move, const struct ranges *copies)
{
	struct error ignored;

	if (move->claims && copies->count > 0
		&& apply_open(move->apply, move->apply->target, &ignored) == BELFRY__CONNECTOR__STATUS__OK)
		move_claim(move->apply, copies, '-', 0, NULL, &ignored);
}

/* A server without UIDPLUS does not say what the copies are called: they are known by what they are. */
static bool has_to_look_for_copies(const struct move *move)
{
	return move->apply->target != move->apply->trash
		&& !(move->apply->call->session->capabilities & IMAP_CAP_UIDPLUS);
}

static worker_status move_left(struct move *move, struct error *error_r)
{
	struct ranges copies = RANGES_EMPTY;
	struct mails sources = {0};
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;

	if (has_to_look_for_copies(move))
		status = move_read(move->apply, &move->left, MOVE_ASK_IDENTITY, &sources, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK && !move->claims)
		status = announce(move, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = copy_and_expunge(move, &copies, error_r);
	if (!move->apply->call->session->is_broken)
		atomic_store(&move->apply->call->board->unsettled, 0);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		forget_claims(move, &copies);
	else
		take_back(move);
	if (status == BELFRY__CONNECTOR__STATUS__OK && sources.count > 0)
		status = move_find_copies(move, &sources, error_r);
	free(sources.list);
	ranges_release(&copies);
	return status;
}

/* --- a chunk --------------------------------------------------------------------------------------------------- */

/* What is there of the chunk now, and whose it is. */
static worker_status look(struct move *move, const struct ranges *chunk, struct error *error_r)
{
	struct apply *apply = move->apply;
	worker_status status = apply_open(apply, apply->request->collection, error_r);
	struct mails mails = {0};

	ranges_release(&move->left);
	ranges_release(&move->claimed);
	move->modseq = 0;
	if (status == BELFRY__CONNECTOR__STATUS__OK && session_refresh(apply->call->session, error_r) == SESSION_LOST)
		status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = move_read(apply, chunk, move->claims ? MOVE_ASK_STATE : MOVE_ASK_STATE_OLD, &mails, error_r);
	for (size_t i = 0; i < mails.count; i++) {
		const struct mail *mail = &mails.list[i];

		if (!ranges_has(chunk, mail->id) || mail->is_deleted)
			continue;
		ranges_add(&move->left, mail->id, mail->id);
		if (mail->is_claimed)
			ranges_add(&move->claimed, mail->id, mail->id);
		if (mail->modseq > move->modseq)
			move->modseq = mail->modseq;
	}
	free(mails.list);
	return status;
}

/* Those that an older move may still be at. */
static void doubt(struct move *move, struct ranges *doubtful_r)
{
	if (move->apply->call->request->unsettled > 0)
		ranges_subtract(doubtful_r, &move->left, &move->settled);
	ranges_union(doubtful_r, doubtful_r, &move->claimed);
}

static worker_status move_chunk(struct move *move, const struct ranges *chunk, struct error *error_r)
{
	for (int tries = 0; tries < MOVE_TRIES; tries++) {
		struct ranges doubtful = RANGES_EMPTY;
		worker_status status = look(move, chunk, error_r);
		uint64_t there = ranges_size(&move->left);

		if (status == BELFRY__CONNECTOR__STATUS__OK && there == 0)
			return status;
		doubt(move, &doubtful);
		if (status == BELFRY__CONNECTOR__STATUS__OK && doubtful.count > 0) {
			status = move_settle(move, &doubtful, error_r);
		} else if (status == BELFRY__CONNECTOR__STATUS__OK) {
			status = claim(move, error_r);
			if (status == BELFRY__CONNECTOR__STATUS__OK && move->left.count > 0)
				status = move_left(move, error_r);
			if (status == BELFRY__CONNECTOR__STATUS__OK && ranges_size(&move->left) == there)
				return status;
		}
		ranges_release(&doubtful);
		if (status != BELFRY__CONNECTOR__STATUS__OK && status != BELFRY__CONNECTOR__STATUS__NOT_FOUND)
			return status;
	}
	error_set(error_r, "others are at the same mails");
	return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
}

/* --- all ------------------------------------------------------------------------------------------------------- */

/* Takes the first ids of rest. */
static void take_chunk(struct ranges *rest, struct ranges *chunk_r)
{
	struct ranges all = RANGES_EMPTY;
	uint64_t size = ranges_size(rest);

	ranges_copy(&all, rest);
	ranges_keep_highest(rest, size > MOVE_CHUNK ? size - MOVE_CHUNK : 0);
	ranges_subtract(chunk_r, &all, rest);
	ranges_release(&all);
}

worker_status apply_move(struct apply *apply, const struct ranges *items, struct ranges *refused, worker_status *why,
	struct error *error_r)
{
	struct move move = {.apply = apply};
	struct ranges rest = RANGES_EMPTY, chunk = RANGES_EMPTY;
	worker_status status = apply_open(apply, apply->request->collection, error_r);

	move.claims = apply->has_modseqs && apply->takes_keywords
		&& (apply->call->session->capabilities & IMAP_CAP_CONDSTORE)
		&& (apply->call->session->capabilities & IMAP_CAP_UIDPLUS);
	ranges_copy(&rest, items);
	while (rest.count > 0 && status != BELFRY__CONNECTOR__STATUS__UNAVAILABLE) {
		take_chunk(&rest, &chunk);
		status = move_chunk(&move, &chunk, error_r);
		if (status != BELFRY__CONNECTOR__STATUS__OK) {
			ranges_union(refused, refused, &chunk);
			*why = status;
		}
	}
	if (status != BELFRY__CONNECTOR__STATUS__UNAVAILABLE)
		status = BELFRY__CONNECTOR__STATUS__OK;
	ranges_release(&rest);
	ranges_release(&chunk);
	ranges_release(&move.left);
	ranges_release(&move.claimed);
	ranges_release(&move.settled);
	return status;
}
