/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ListCollections: one LIST. Not all that is listed is there: Dovecot 2.3 lists a mailbox that was deleted and has others
 * below it without \NonExistent or \Noselect (RFC 9051 section 7.3.1); others list what the user may not open. To ask for
 * each would be too dear, so it is done for those only that could not be opened before.
 */
#include <string.h>

#include "connectors/imap/folder_list.h"
#include "connectors/imap/worker_folders.h"
#include "connectors/imap/worker_internal.h"
#include "connectors/imap/worker_mailbox.h"

static void hear_list(const struct imap_response *response, void *data)
{
	if (imap_text_is(response->keyword, "LIST"))
		folder_list_add(data, response->rest);
}

enum session_answer worker_folders(struct session *session, struct folder_list *list, struct error *error_r)
{
	enum session_answer answer;

	session_queue(session, folder_list_command(session->capabilities));
	answer = session_await(session, hear_list, list, error_r);
	folder_list_finish(list);
	return answer;
}

static bool is_doubted(const struct worker_call *call, const char *name)
{
	for (size_t i = 0; i < call->request->n_doubted; i++)
		if (strcmp(call->request->doubted[i], name) == 0)
			return true;
	return false;
}

/* One that is not there is a place for those below it, as if it had been listed so. */
static enum session_answer look_at_doubted(struct worker_call *call, struct folder_list *list, struct error *error_r)
{
	for (size_t i = 0; i < list->count; i++) {
		Belfry__Connector__Collection *collection = list->list[i];
		enum session_answer answer;

		if (!collection->selectable || !is_doubted(call, collection->name))
			continue;
		answer = mailbox_command(call->session, "STATUS ", collection->name, " (UIDVALIDITY)", error_r);
		if (answer == SESSION_LOST)
			return answer;
		collection->selectable = worker_status_of(answer, error_r) != BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	}
	return SESSION_OK;
}

static enum session_answer list_once(struct worker_call *call, struct folder_list *list, struct error *error_r)
{
	enum session_answer answer;

	*list = (struct folder_list){.arena = call->arena};
	answer = worker_folders(call->session, list, error_r);
	return answer == SESSION_OK ? look_at_doubted(call, list, error_r) : answer;
}

void worker_list(struct worker_call *call)
{
	struct folder_list list;
	Belfry__Connector__Collections *collections = arena_alloc(call->arena, sizeof *collections);
	worker_response *response;
	struct error error;
	enum session_answer answer = list_once(call, &list, &error);

	if (worker_try_again(call))
		answer = list_once(call, &list, &error);
	if (answer != SESSION_OK) {
		worker_refuse(call, BELFRY__CONNECTOR__STATUS__UNAVAILABLE, error.text);
		return;
	}
	belfry__connector__collections__init(collections);
	collections->collections = list.list;
	collections->n_collections = list.count;
	response = worker_response_create(call);
	response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_COLLECTIONS;
	response->collections = collections;
	worker_answer(call, response, true, -1);
}
