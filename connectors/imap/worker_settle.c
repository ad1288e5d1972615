/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moves of an unknown outcome (worker_move.c). Nothing tells whether a server still works at what a session that is
 * gone has asked; only what it does can be seen:
 *
 *	the mail is gone                 the move was finished
 *	a copy stands in the target      the mail is removed here; the other session may do so, too
 *	neither, for long enough         the other session never got that far: the move is ours
 *
 * Long enough is a third of timeout_s, counted from now or, where the daemon knows, from when it lost the worker.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connectors/imap/worker_move.h"
#include "lib/core/log.h"

enum { SETTLE_POLL_FIRST_MS = 20, SETTLE_POLL_MOST_MS = 500 };

struct settling {
	struct move *move;
	struct mails sources, copies;
	struct ranges made;      /* copies that belong to a source */
	struct ranges finished;  /* the sources that have one and are still there */
	struct ranges surplus;   /* claimed copies of the same mails: one more session got that far */
	uint64_t since;          /* what the target has from here on may be a copy; 0: only what is claimed */
	int64_t until_ms;
	long pause_ms;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_a_little(struct settling *settling)
{
	struct timespec pause = {settling->pause_ms / 1000, settling->pause_ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
	settling->pause_ms = settling->pause_ms * 2 > SETTLE_POLL_MOST_MS ? SETTLE_POLL_MOST_MS : settling->pause_ms * 2;
}

/* How long may the other session still come? Claims do not say how old they are. */
static int64_t wait_ms(const struct move *move)
{
	const struct worker_call *call = move->apply->call;

	return move->claimed.count > 0 ? (int64_t)call->settings->timeout_s * 1000 / 3 : (int64_t)call->request->settle_ms;
}

/* --- looking --------------------------------------------------------------------------------------------------- */

/* The mails that may be copies of unfinished moves. */
static worker_status read_copies(struct settling *settling, struct error *error_r)
{
	struct apply *apply = settling->move->apply;
	const char *what = settling->since == 0 ? "UNDELETED KEYWORD " MOVE_CLAIM : arena_printf(apply->call->arena,
		"UNDELETED OR KEYWORD " MOVE_CLAIM " UID %llu:*", (unsigned long long)settling->since);
	worker_status status = apply_open(apply, apply->target, error_r);

	free(settling->copies.list);
	settling->copies = (struct mails){0};
	if (status == BELFRY__CONNECTOR__STATUS__NOT_FOUND)
		return BELFRY__CONNECTOR__STATUS__OK; /* it cannot be looked into; where it is gone, the MOVE will say so */
	if (status == BELFRY__CONNECTOR__STATUS__OK && session_refresh(apply->call->session, error_r) == SESSION_LOST)
		status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = apply_search(apply, what, NULL, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__OK && apply->found.count > 0)
		status = move_read(apply, &apply->found, MOVE_ASK_IDENTITY, &settling->copies, error_r);
	return status;
}

/* "UID 7:*" finds the last mail, too, whatever it is. */
static bool may_be_copy(const struct settling *settling, const struct mail *mail)
{
	return mail->identity != NULL && !mail->is_matched
		&& (mail->is_claimed || (settling->since != 0 && mail->id >= settling->since));
}

static struct mail *find_copy(struct settling *settling, const struct mail *source)
{
	for (size_t i = 0; i < settling->copies.count; i++) {
		struct mail *copy = &settling->copies.list[i];

		if (may_be_copy(settling, copy) && source->identity != NULL && strcmp(copy->identity, source->identity) == 0)
			return copy;
	}
	return NULL;
}

/* Pairs them off: two equal mails need two copies. False: some that are still there have none yet. */
static bool match(struct settling *settling)
{
	bool all = true;

	ranges_release(&settling->finished);
	ranges_release(&settling->made);
	ranges_release(&settling->surplus);
	for (size_t i = 0; i < settling->sources.count; i++) {
		struct mail *source = &settling->sources.list[i], *copy = find_copy(settling, source);

		all = all && (copy != NULL || source->is_gone);
		source->copy = copy == NULL ? 0 : copy->id;
		if (copy == NULL)
			continue;
		copy->is_matched = true;
		ranges_add(&settling->made, copy->id, copy->id);
		if (!source->is_gone)
			ranges_add(&settling->finished, source->id, source->id);
	}
	for (size_t i = 0; i < settling->sources.count && all; i++)
		for (struct mail *copy; (copy = find_copy(settling, &settling->sources.list[i])) != NULL;) {
			copy->is_matched = true;
			if (copy->is_claimed)
				ranges_add(&settling->surplus, copy->id, copy->id);
		}
	return all;
}

/* Which of them are still there? */
static worker_status look_at_sources(struct settling *settling, const struct ranges *doubtful, struct error *error_r)
{
	struct apply *apply = settling->move->apply;
	worker_status status = apply_open(apply, apply->request->collection, error_r);

	if (status == BELFRY__CONNECTOR__STATUS__OK && session_refresh(apply->call->session, error_r) == SESSION_LOST)
		status = BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = apply_search(apply, "UNDELETED", doubtful, error_r);
	for (size_t i = 0; i < settling->sources.count && status == BELFRY__CONNECTOR__STATUS__OK; i++)
		settling->sources.list[i].is_gone = !ranges_has(&apply->found, settling->sources.list[i].id);
	return status;
}

/* --- deciding -------------------------------------------------------------------------------------------------- */

/* Until all are gone or have their copies, or no other session can come any more. */
static worker_status watch(struct settling *settling, const struct ranges *doubtful, struct error *error_r)
{
	struct apply *apply = settling->move->apply;
	worker_status status = move_read(apply, doubtful, MOVE_ASK_IDENTITY, &settling->sources, error_r);

	while (status == BELFRY__CONNECTOR__STATUS__OK) {
		status = look_at_sources(settling, doubtful, error_r);
		if (status == BELFRY__CONNECTOR__STATUS__OK)
			status = read_copies(settling, error_r);
		if (status != BELFRY__CONNECTOR__STATUS__OK || match(settling) || now_ms() >= settling->until_ms)
			return status;
		pause_a_little(settling);
	}
	return status;
}

/* They have their copies: what is left of the move. */
static worker_status finish(struct settling *settling, struct error *error_r)
{
	struct apply *apply = settling->move->apply;
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;
	struct error ignored;

	if (settling->finished.count > 0) {
		status = apply_open(apply, apply->request->collection, error_r);
		if (status == BELFRY__CONNECTOR__STATUS__OK)
			status = apply_expunge(apply, &settling->finished, error_r);
	}
	if (status != BELFRY__CONNECTOR__STATUS__OK || settling->made.count == 0
		|| apply_open(apply, apply->target, &ignored) != BELFRY__CONNECTOR__STATUS__OK)
		return status;
	if (settling->surplus.count > 0)
		apply_expunge(apply, &settling->surplus, &ignored);
	if (settling->move->claims)
		move_claim(apply, &settling->made, '-', 0, NULL, &ignored);
	return status;
}

/* The others are nobody's: unless one more of us has come to that end at the same time, and was faster. */
static worker_status take_over(struct settling *settling, const struct ranges *doubtful, struct error *error_r)
{
	struct move *move = settling->move;
	struct ranges rest = RANGES_EMPTY, lost = RANGES_EMPTY;
	worker_status status = apply_open(move->apply, move->apply->request->collection, error_r);

	ranges_subtract(&rest, doubtful, &settling->finished);
	ranges_union(&move->settled, &move->settled, &rest);
	ranges_intersect(&rest, &rest, &move->claimed);
	if (status == BELFRY__CONNECTOR__STATUS__OK && rest.count > 0)
		status = move_claim(move->apply, &rest, '-', move->modseq, &lost, error_r);
	ranges_release(&rest);
	ranges_release(&lost);
	return status;
}

static void note_moved(const struct settling *settling)
{
	for (size_t i = 0; i < settling->sources.count; i++)
		if (settling->sources.list[i].copy != 0)
			apply_note_moved(settling->move->apply, settling->sources.list[i].id, settling->sources.list[i].copy);
}

worker_status move_settle(struct move *move, const struct ranges *doubtful, struct error *error_r)
{
	struct settling settling = {.move = move, .since = move->apply->call->request->unsettled,
		.until_ms = now_ms() + wait_ms(move), .pause_ms = SETTLE_POLL_FIRST_MS};
	worker_status status = watch(&settling, doubtful, error_r);

	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = finish(&settling, error_r);
	note_moved(&settling);
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		status = take_over(&settling, doubtful, error_r);
	log_info(LOG_IMAP, "user=%s collection=%s moves of an unknown outcome: doubtful=%llu copies=%llu finished=%llu surplus=%llu",
		log_quote(move->apply->call->request->user), log_quote(move->apply->request->collection),
		(unsigned long long)ranges_size(doubtful), (unsigned long long)ranges_size(&settling.made),
		(unsigned long long)ranges_size(&settling.finished), (unsigned long long)ranges_size(&settling.surplus));
	free(settling.sources.list);
	free(settling.copies.list);
	ranges_release(&settling.finished);
	ranges_release(&settling.made);
	ranges_release(&settling.surplus);
	return status;
}

worker_status move_find_copies(struct move *move, struct mails *sources, struct error *error_r)
{
	struct settling settling = {.move = move, .sources = *sources, .since = move->next};
	worker_status status = read_copies(&settling, error_r);

	for (size_t i = 0; i < sources->count; i++)
		sources->list[i].is_gone = true;
	if (status == BELFRY__CONNECTOR__STATUS__OK)
		match(&settling);
	note_moved(&settling);
	free(settling.copies.list);
	ranges_release(&settling.finished);
	ranges_release(&settling.made);
	ranges_release(&settling.surplus);
	return status;
}
