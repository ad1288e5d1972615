/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mailbox that removed mails go to: the server's or the one with a known name; else one is made. */
#include <string.h>
#include <strings.h>

#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/worker_apply.h"
#include "connectors/imap/worker_folders.h"
#include "lib/core/log.h"

static bool wants_trash(const struct apply *apply)
{
	for (size_t i = 0; i < apply->request->n_operations; i++)
		if (apply->request->operations[i]->remove && apply->request->operations[i]->to_trash)
			return true;
	return false;
}

/* * NAMESPACE (("INBOX." ".")) NIL NIL: the prefix of the first personal one (RFC 2342). */
static void hear_namespace(const struct imap_response *response, void *data)
{
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;

	if (!imap_text_is(response->keyword, "NAMESPACE") || imap_token_next(&cursor).kind != IMAP_OPEN
		|| imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	token = imap_token_next(&cursor);
	if (token.kind == IMAP_QUOTED || token.kind == IMAP_LITERAL)
		imap_token_append(&token, data);
}

static char *name_of_new(struct apply *apply)
{
	struct session *session = apply->call->session;
	struct buffer prefix = BUFFER_EMPTY, name = BUFFER_EMPTY;
	char *result;
	struct error ignored;

	if (session->capabilities & IMAP_CAP_NAMESPACE) {
		session_queue(session, "NAMESPACE");
		session_await(session, hear_namespace, &prefix, &ignored);
	}
	mailbox_name_decode(&name, buffer_string(&prefix), prefix.length);
	buffer_append_string(&name, "Trash");
	result = arena_strdup(apply->call->arena, buffer_string(&name));
	buffer_release(&prefix);
	buffer_release(&name);
	return result;
}

static enum session_answer command_on(struct session *session, const char *command, const char *name, const char *after,
	struct error *said)
{
	struct buffer text = BUFFER_EMPTY;

	buffer_append_string(&text, command);
	if (mailbox_name_quote(&text, name) != 0) {
		buffer_release(&text);
		error_set(said, "no mailbox can have this name");
		return SESSION_BAD;
	}
	buffer_append_string(&text, after);
	session_queue_buffer(session, &text);
	return session_await(session, NULL, NULL, said);
}

/* One of that name without a role is what every client takes for the trash. */
static bool is_there(struct session *session, const char *name, const struct error *said)
{
	struct error ignored;

	return strncasecmp(said->text, "[ALREADYEXISTS", 14) == 0 /* RFC 5530; older servers have no code for it */
		|| command_on(session, "STATUS ", name, " (UIDNEXT)", &ignored) == SESSION_OK;
}

static worker_status make(struct apply *apply, const char *name, struct error *error_r)
{
	struct session *session = apply->call->session;
	bool with_use = session->capabilities & IMAP_CAP_CREATE_SPECIAL_USE;
	enum session_answer answer = command_on(session, "CREATE ", name, with_use ? " (USE (\\Trash))" : "", error_r);
	struct error ignored;

	if (answer == SESSION_NO && strncasecmp(error_r->text, "[USEATTR", 8) == 0) /* RFC 6154 section 3 */
		answer = command_on(session, "CREATE ", name, "", error_r);
	if (answer == SESSION_NO && is_there(session, name, error_r))
		return BELFRY__CONNECTOR__STATUS__OK;
	if (answer == SESSION_OK) {
		log_info(LOG_IMAP, "user=%s had no trash: made %s", log_quote(apply->call->request->user), log_quote(name));
		command_on(session, "SUBSCRIBE ", name, "", &ignored);
	}
	return apply_status_of(answer, error_r);
}

worker_status apply_find_trash(struct apply *apply, struct error *error_r)
{
	struct folder_list list = {.arena = apply->call->arena};
	const Belfry__Connector__Collection *trash;
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;
	const char *name;

	if (!wants_trash(apply))
		return status;
	if (worker_folders(apply->call->session, &list, error_r) != SESSION_OK)
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	trash = folder_list_find(&list, BELFRY__CONNECTOR__ROLE__TRASH);
	name = trash != NULL ? trash->name : name_of_new(apply);
	if (strcmp(name, apply->request->collection) == 0)
		return status;
	if (trash == NULL)
		status = make(apply, name, error_r);
	if (status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE)
		return status;
	apply->no_trash = status;
	apply->trash = arena_strdup(apply->call->arena, name);
	return BELFRY__CONNECTOR__STATUS__OK;
}
