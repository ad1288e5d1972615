/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What became of items that were moved: their ids where they are now, also when an earlier request took them there and
 * its answer was lost. */
#include <string.h>

#include "connectors/imap/worker_apply.h"
#include "connectors/imap/worker_move.h"
#include "lib/imap/client.h"

void apply_note_moved(struct apply *apply, uint64_t id, uint64_t moved)
{
	for (size_t i = 0; i < apply->request->n_operations; i++) {
		const Belfry__Connector__Operation *operation = apply->request->operations[i];

		if (operation->id == id && *operation->move_to != '\0' && strcmp(operation->move_to, apply->target) == 0)
			apply->moved[i] = moved;
	}
}

/* What may stand in a quoted string (RFC 9051 section 9). */
static bool is_quotable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* The newest of them: an item that comes has a higher id than all before it. */
static uint64_t highest(const struct ranges *found)
{
	return found->count == 0 ? 0 : found->list[found->count - 1].last;
}

/* What is found may still carry the claim of the move that nobody has seen the end of. */
static worker_status find_one(struct apply *apply, size_t index, struct error *error_r)
{
	const Belfry__Connector__Operation *operation = apply->request->operations[index];
	struct buffer what = BUFFER_EMPTY;
	struct ranges copy = RANGES_EMPTY;
	struct error ignored;
	worker_status status;

	buffer_append_string(&what, "UNDELETED HEADER Message-ID ");
	imap_quote(&what, operation->message_id, strlen(operation->message_id));
	status = apply_search(apply, buffer_string(&what), NULL, error_r);
	buffer_release(&what);
	apply->moved[index] = highest(&apply->found);
	if (status != BELFRY__CONNECTOR__STATUS__OK || apply->moved[index] == 0)
		return status;
	apply->results[index] = BELFRY__CONNECTOR__STATUS__OK;
	ranges_add(&copy, apply->moved[index], apply->moved[index]);
	if (apply->has_modseqs && apply->takes_keywords)
		move_claim(apply, &copy, '-', 0, NULL, &ignored);
	ranges_release(&copy);
	return status;
}

worker_status apply_find_moved(struct apply *apply, struct error *error_r)
{
	for (size_t i = 0; i < apply->request->n_operations; i++) {
		const Belfry__Connector__Operation *operation = apply->request->operations[i];
		worker_status status;

		if (apply->results[i] != BELFRY__CONNECTOR__STATUS__NOT_FOUND || *operation->move_to == '\0'
			|| *operation->message_id == '\0' || !is_quotable(operation->message_id))
			continue;
		status = apply_open(apply, operation->move_to, error_r);
		if (status == BELFRY__CONNECTOR__STATUS__OK)
			status = find_one(apply, i, error_r);
		if (status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE)
			return status;
	}
	return BELFRY__CONNECTOR__STATUS__OK;
}
