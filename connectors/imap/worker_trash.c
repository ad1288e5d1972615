/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mailbox that removed mails go to: the server's or the one with a known name; else one is made. */
#include <string.h>
#include <strings.h>

#include "connectors/imap/worker_apply.h"
#include "connectors/imap/worker_folders.h"
#include "connectors/imap/worker_mailbox.h"
#include "lib/core/log.h"

static bool wants_trash(const struct apply *apply)
{
	for (size_t i = 0; i < apply->request->n_operations; i++)
		if (apply->request->operations[i]->remove && apply->request->operations[i]->to_trash)
			return true;
	return false;
}

/* One of that name without a role is what every client takes for the trash. */
static bool is_there(struct session *session, const char *name, const struct error *said)
{
	struct error ignored;

	return strncasecmp(said->text, "[ALREADYEXISTS", 14) == 0 /* RFC 5530; older servers have no code for it */
		|| mailbox_command(session, "STATUS ", name, " (UIDNEXT)", &ignored) == SESSION_OK;
}

static worker_status make(struct apply *apply, const char *name, struct error *error_r)
{
	struct session *session = apply->call->session;
	bool with_use = session->capabilities & IMAP_CAP_CREATE_SPECIAL_USE;
	enum session_answer answer = mailbox_command(session, "CREATE ", name, with_use ? " (USE (\\Trash))" : "", error_r);
	struct error ignored;

	if (answer == SESSION_NO && strncasecmp(error_r->text, "[USEATTR", 8) == 0) /* RFC 6154 section 3 */
		answer = mailbox_command(session, "CREATE ", name, "", error_r);
	if (answer == SESSION_NO && is_there(session, name, error_r))
		return BELFRY__CONNECTOR__STATUS__OK;
	if (answer == SESSION_OK) {
		log_info(LOG_IMAP, "user=%s had no trash: made %s", log_quote(apply->call->request->user), log_quote(name));
		mailbox_command(session, "SUBSCRIBE ", name, "", &ignored);
	}
	return apply_status_of(answer, error_r);
}

worker_status apply_find_trash(struct apply *apply, struct error *error_r)
{
	struct arena *arena = apply->call->arena;
	struct folder_list list = {.arena = arena};
	struct mailbox_root root = {.prefix = ""};
	const Belfry__Connector__Collection *trash;
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;
	const char *name;

	if (!wants_trash(apply))
		return status;
	if (worker_folders(apply->call->session, &list, error_r) != SESSION_OK)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	trash = folder_list_find(&list, BELFRY__CONNECTOR__ROLE__TRASH);
	if (trash == NULL && mailbox_root(apply->call->session, arena, &root, error_r) == SESSION_LOST)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	name = trash != NULL ? trash->name : arena_printf(arena, "%sTrash", root.prefix);
	if (strcmp(name, apply->request->collection) == 0)
		return status;
	if (trash == NULL)
		status = make(apply, name, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE)
		return status;
	apply->no_trash = status;
	apply->trash = arena_strdup(arena, name);
	return BELFRY__CONNECTOR__STATUS__OK;
}
