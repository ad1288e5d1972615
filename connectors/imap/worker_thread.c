/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Conversations (RFC 5256): what the server's THREAD puts together with a mail that is wanted is wanted, too. A server
 * that keeps an index of its threads has the answer ready; the answer is as long as the mailbox (SESSION_RESPONSE_MAX
 * bounds it), and so is our work. Without THREAD nothing is added: to read every mail's header at each Sync is too dear.
 */
#include <stdlib.h>

#include "connectors/imap/worker_internal.h"
#include "lib/core/mem.h"

struct threads {
	const struct ranges *wanted;
	uint32_t *ids;           /* of the threads that have one that is wanted */
	size_t count, room;
	size_t first;            /* from here on: of the thread that is being read */
	bool is_wanted;
};

static void add_id(struct threads *threads, uint32_t id)
{
	if (threads->count == threads->room) {
		threads->room = threads->room == 0 ? 256 : threads->room * 2;
		threads->ids = mem_realloc(threads->ids, threads->room * sizeof *threads->ids);
	}
	threads->ids[threads->count++] = id;
	threads->is_wanted = threads->is_wanted || ranges_has(threads->wanted, id);
}

static void end_thread(struct threads *threads)
{
	if (!threads->is_wanted)
		threads->count = threads->first;
	threads->first = threads->count;
	threads->is_wanted = false;
}

/* * THREAD (2)(3 6 (4 23)(44 7 96)): a thread is what one outer parenthesis holds. */
static void hear_threads(const struct imap_response *response, void *data)
{
	struct threads *threads = data;
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;
	unsigned depth = 0;
	uint64_t id;

	if (!imap_text_is(response->keyword, "THREAD"))
		return;
	while ((token = imap_token_next(&cursor)).kind != IMAP_END && token.kind != IMAP_BROKEN) {
		if (token.kind == IMAP_OPEN)
			depth++;
		else if (token.kind == IMAP_CLOSE && depth > 0 && --depth == 0)
			end_thread(threads);
		else if (depth > 0 && imap_token_number(&token, &id) && id > 0 && id <= UINT32_MAX)
			add_id(threads, (uint32_t)id);
	}
	threads->is_wanted = false; /* a thread that has no end is none */
	end_thread(threads);
}

static int by_id(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return one < other ? -1 : one > other;
}

static void add_threads(const struct threads *threads, struct ranges *present)
{
	struct ranges found = RANGES_EMPTY;

	if (threads->count != 0)
		qsort(threads->ids, threads->count, sizeof *threads->ids, by_id);
	for (size_t i = 0; i < threads->count; i++)
		ranges_add(&found, threads->ids[i], threads->ids[i]);
	ranges_union(present, present, &found);
	ranges_release(&found);
}

worker_status worker_add_conversations(struct worker_call *call, struct ranges *present, struct error *error_r)
{
	unsigned can = call->session->capabilities;
	struct threads threads = {.wanted = present};
	enum session_answer answer;

	if (!(can & (IMAP_CAP_THREAD_REFS | IMAP_CAP_THREAD_REFERENCES)) || present->count == 0)
		return BELFRY__CONNECTOR__STATUS__OK;
	session_queue(call->session, "UID THREAD %s UTF-8 UNDELETED", can & IMAP_CAP_THREAD_REFS ? "REFS" : "REFERENCES");
	answer = session_await(call->session, hear_threads, &threads, error_r);
	if (answer == SESSION_OK)
		add_threads(&threads, present);
	free(threads.ids);
	return answer == SESSION_LOST || (answer != SESSION_OK && session_is_busy(error_r)) ?
		BELFRY__CONNECTOR__STATUS__UNAVAILABLE : BELFRY__CONNECTOR__STATUS__OK;
}
