/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ListCollections: one LIST. */
#include "connectors/imap/folder_list.h"
#include "connectors/imap/worker_folders.h"
#include "connectors/imap/worker_internal.h"

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

void worker_list(struct worker_call *call)
{
	struct folder_list list = {.arena = call->arena};
	Belfry__Connector__Collections *collections = arena_alloc(call->arena, sizeof *collections);
	worker_response *response;
	struct error error;
	enum session_answer answer = worker_folders(call->session, &list, &error);

	if (worker_try_again(call)) {
		list = (struct folder_list){.arena = call->arena};
		answer = worker_folders(call->session, &list, &error);
	}
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
