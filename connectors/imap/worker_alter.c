/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Alter: a mailbox is made, renamed, moved or removed. One LIST tells what is there; so a request that comes twice finds
 * what the first one did. */
#include <string.h>
#include <strings.h>

#include "connectors/imap/folder_list.h"
#include "connectors/imap/worker_folders.h"
#include "connectors/imap/worker_internal.h"
#include "connectors/imap/worker_mailbox.h"

typedef Belfry__Connector__Collection collection_t;

struct alter {
	struct worker_call *call;
	const Belfry__Connector__Alter *asked;
	struct folder_list list;
	struct mailbox_root root;
	char *name;                  /* that it gets */
};

static const collection_t *find(const struct alter *alter, const char *name)
{
	for (size_t i = 0; i < alter->list.count; i++)
		if (strcmp(alter->list.list[i]->name, name) == 0)
			return alter->list.list[i];
	return NULL;
}

static bool is_within(const struct alter *alter, const char *name, const char *top)
{
	size_t length = strlen(top);

	return strncmp(name, top, length) == 0 &&
		(name[length] == '\0' || (name[length] == alter->root.delimiter && name[length] != '\0'));
}

/* A name in which the server would see a hierarchy is another one there; the device is told by its next FolderSync. */
static char *name_of_new(const struct alter *alter)
{
	struct arena *arena = alter->call->arena;
	char *last = arena_strdup(arena, alter->asked->display_name), delimiter[2] = {alter->root.delimiter, '\0'};

	for (char *at = last; *at != '\0'; at++)
		if (*at == alter->root.delimiter)
			*at = '_';
	return alter->asked->parent[0] == '\0' ? arena_printf(arena, "%s%s", alter->root.prefix, last)
		: arena_printf(arena, "%s%s%s", alter->asked->parent, delimiter, last);
}

static worker_status status_of(enum session_answer answer, const struct error *said)
{
	if (answer == SESSION_OK)
		return BELFRY__CONNECTOR__STATUS__OK;
	if (answer == SESSION_LOST || (answer == SESSION_NO && session_is_busy(said)))
		return BELFRY__CONNECTOR__STATUS__UNAVAILABLE;
	if (strncasecmp(said->text, "[ALREADYEXISTS", 14) == 0) /* RFC 5530 */
		return BELFRY__CONNECTOR__STATUS__EXISTS;
	return strncasecmp(said->text, "[NONEXISTENT", 12) == 0 ? BELFRY__CONNECTOR__STATUS__NOT_FOUND
		: BELFRY__CONNECTOR__STATUS__LIMIT;
}

/* --- what is done ---------------------------------------------------------------------------------------------- */

static worker_status make(struct alter *alter, struct error *error_r)
{
	struct session *session = alter->call->session;
	worker_status status = status_of(mailbox_command(session, "CREATE ", alter->name, "", error_r), error_r);
	struct error ignored;

	if (status == BELFRY__CONNECTOR__STATUS__OK) /* most other clients show what is subscribed */
		mailbox_command(session, "SUBSCRIBE ", alter->name, "", &ignored);
	return status;
}

static worker_status rename_one(struct session *session, const char *from, const char *to, struct error *error_r)
{
	struct buffer after = BUFFER_EMPTY;
	worker_status status = BELFRY__CONNECTOR__STATUS__LIMIT;

	buffer_append_byte(&after, ' ');
	if (mailbox_name_quote(&after, to) == 0)
		status = status_of(mailbox_command(session, "RENAME ", from, buffer_string(&after), error_r), error_r);
	else
		error_set(error_r, "no mailbox can have this name");
	buffer_release(&after);
	return status;
}

/* RENAME takes what is below along, but no subscription (RFC 9051 section 6.3.6). */
static worker_status move(struct alter *alter, struct error *error_r)
{
	struct session *session = alter->call->session;
	const char *from = alter->asked->name;
	worker_status status = rename_one(session, from, alter->name, error_r);
	struct error ignored;

	for (size_t i = 0; i < alter->list.count && status == BELFRY__CONNECTOR__STATUS__OK; i++) {
		const char *old = alter->list.list[i]->name;

		if (!is_within(alter, old, from))
			continue;
		mailbox_command(session, "UNSUBSCRIBE ", old, "", &ignored);
		mailbox_command(session, "SUBSCRIBE ", arena_printf(alter->call->arena, "%s%s", alter->name, old + strlen(from)), "",
			&ignored);
	}
	return status;
}

/* What is below first; the list is sorted by name, so it stands behind. */
static worker_status remove_all(struct alter *alter, struct error *error_r)
{
	struct session *session = alter->call->session;
	worker_status status = BELFRY__CONNECTOR__STATUS__OK;
	struct error ignored;

	for (size_t i = alter->list.count; i-- > 0 && status == BELFRY__CONNECTOR__STATUS__OK;) {
		const collection_t *collection = alter->list.list[i];

		if (!is_within(alter, collection->name, alter->asked->name))
			continue;
		mailbox_command(session, "UNSUBSCRIBE ", collection->name, "", &ignored);
		status = status_of(mailbox_command(session, "DELETE ", collection->name, "", error_r), error_r);
		if (status == BELFRY__CONNECTOR__STATUS__NOT_FOUND || !collection->selectable)
			status = BELFRY__CONNECTOR__STATUS__OK; /* a mere place may have gone with the last one below it */
	}
	return status;
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static worker_status alter_it(struct alter *alter, struct error *error_r)
{
	const Belfry__Connector__Alter *asked = alter->asked;
	bool is_new = asked->name[0] == '\0';
	const collection_t *collection = is_new ? NULL : find(alter, asked->name), *there = find(alter, alter->name);

	error_set(error_r, "the mailbox, or what it is to be in, is not there");
	if (!is_new && collection == NULL)
		return !asked->remove && there != NULL ? BELFRY__CONNECTOR__STATUS__EXISTS : BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (asked->remove)
		return remove_all(alter, error_r);
	if (asked->parent[0] != '\0' && (find(alter, asked->parent) == NULL || alter->root.delimiter == '\0'))
		return BELFRY__CONNECTOR__STATUS__NOT_FOUND;
	if (there != NULL && there != collection)
		return BELFRY__CONNECTOR__STATUS__EXISTS;
	if (there != NULL)
		return BELFRY__CONNECTOR__STATUS__OK; /* it has that name already */
	return is_new ? make(alter, error_r) : move(alter, error_r);
}

static enum session_answer look(struct alter *alter, struct error *error_r)
{
	enum session_answer answer;

	alter->list = (struct folder_list){.arena = alter->call->arena};
	answer = worker_folders(alter->call->session, &alter->list, error_r);
	return answer == SESSION_OK ? mailbox_root(alter->call->session, alter->call->arena, &alter->root, error_r) : answer;
}

void worker_alter(struct worker_call *call)
{
	struct alter alter = {.call = call, .asked = call->request->request->alter};
	Belfry__Connector__Altered altered = BELFRY__CONNECTOR__ALTERED__INIT;
	worker_response *response = worker_response_create(call);
	struct error error = {""};

	/* One that served before may have selected what is to go: Dovecot ends such sessions. */
	if ((call->is_cached && worker_reopen(call, &error) == NULL) || look(&alter, &error) != SESSION_OK) {
		worker_refuse(call, BELFRY__CONNECTOR__STATUS__UNAVAILABLE, error.text);
		return;
	}
	altered.name = alter.name = name_of_new(&alter);
	response->status = alter_it(&alter, &error);
	response->reason = response->status == BELFRY__CONNECTOR__STATUS__OK ? "" : error.text;
	response->body_case = BELFRY__CONNECTOR__RESPONSE__BODY_ALTERED;
	response->altered = &altered;
	worker_answer(call, response, true, -1);
}
