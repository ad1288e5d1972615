/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mailbox that removed mails go to: the server's, or the one with a known name. */
#include <string.h>

#include "connectors/imap/worker_apply.h"
#include "connectors/imap/worker_folders.h"

static bool wants_trash(const struct apply *apply)
{
	for (size_t i = 0; i < apply->request->n_operations; i++)
		if (apply->request->operations[i]->remove && apply->request->operations[i]->to_trash)
			return true;
	return false;
}

worker_status apply_find_trash(struct apply *apply, struct error *error_r)
{
	struct folder_list list = {.arena = apply->call->arena};
	const Belfry__Connector__Collection *trash;

	if (!wants_trash(apply))
		return BELFRY__CONNECTOR__STATUS__OK;
	if (worker_folders(apply->call->session, &list, error_r) != SESSION_OK)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	trash = folder_list_find(&list, BELFRY__CONNECTOR__ROLE__TRASH);
	if (trash != NULL && strcmp(trash->name, apply->request->collection) != 0)
		apply->trash = trash->name;
	return BELFRY__CONNECTOR__STATUS__OK;
}
