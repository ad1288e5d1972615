/* SPDX-License-Identifier: GPL-3.0-or-later */
/* STATUS, NOTIFY and IDLE of one user. */
#include "connectors/imap/watch_session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/hierarchy.h"
#include "connectors/imap/folder_list.h"
#include "connectors/imap/mailbox_name.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

/* A STATUS under way; or a LIST, for the hierarchy. */
struct question {
	struct question *next;
	struct watch_session *session;
	struct position position;
	struct folder_list list;       /* with an arena while it is heard */
	bool has_position;
	char collection[];
};

struct watch_session {
	struct backend *backend;
	struct loop *loop;
	struct backend_ticket ticket;
	const struct imap_credentials *credentials;
	const struct watch_session_events *events;
	void *owner;
	struct imap_client *client;
	struct question *questions;
	bool is_open, can_notify, has_notify;
	enum watch_how how;
	char *const *collections;      /* to notice; the owner's */
	size_t count;
	char *selected;                /* at the server, watched or not; IDLE covers it. NULL: none */
	struct deferred unreachable;   /* tells in a turn of its own that there was no way to connect */
	struct error trouble;
	char *trace_user;
	struct deferred gone;
};

static const struct imap_client_events client_events;

static bool is_hierarchy(const char *collection)
{
	return *collection == '\0';
}

/* INBOX is INBOX in any case (RFC 3501 §5.1). */
static bool is_same_name(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || (strcasecmp(a, "INBOX") == 0 && strcasecmp(b, "INBOX") == 0);
}

/* Dovecot 2.3 writes names in UTF-8 in what NOTIFY announces: `wire` is the name as it came. NULL: not watched. */
static const char *watched_of(const struct watch_session *session, const char *name, const char *wire)
{
	for (size_t i = 0; i < session->count; i++)
		if (is_same_name(session->collections[i], name) || strcmp(session->collections[i], wire) == 0)
			return session->collections[i];
	return NULL;
}

static void question_free(struct question *question)
{
	struct question **link = &question->session->questions;

	while (*link != question)
		link = &(*link)->next;
	*link = question->next;
	arena_free(&question->list.arena);
	free(question);
}

/* --- start and end --------------------------------------------------------------------------------------------- */

static void fail(struct watch_session *session, enum imap_failure failure, const char *why)
{
	session->is_open = false;
	session->events->failed(session, failure, why, session->owner);
}

static void say_unreachable(struct deferred *deferred)
{
	struct watch_session *session = container_of(deferred, struct watch_session, unreachable);

	fail(session, IMAP_FAILED_NETWORK, session->trouble.text);
}

static void entered(struct backend_ticket *ticket)
{
	struct watch_session *session = container_of(ticket, struct watch_session, ticket);

	session->client = backend_connect(session->backend, session->credentials, session->trace_user, NULL, &client_events,
		session, &session->trouble);
	if (session->client == NULL)
		loop_defer(session->loop, &session->unreachable, say_unreachable);
}

struct watch_session *watch_session_open(struct backend *backend, const struct imap_credentials *credentials,
	const char *trace_user, const struct watch_session_events *events, void *owner)
{
	struct watch_session *session = mem_alloc(sizeof *session);

	session->backend = backend;
	session->loop = backend_loop(backend);
	session->credentials = credentials;
	session->events = events;
	session->owner = owner;
	session->trace_user = mem_strdup(trace_user);
	backend_queue(backend, &session->ticket, BACKEND_WATCH, "", entered);
	return session;
}

static void free_later(struct deferred *gone)
{
	free(container_of(gone, struct watch_session, gone));
}

void watch_session_close(struct watch_session **owner)
{
	struct watch_session *session = *owner;

	*owner = NULL;
	if (session == NULL)
		return;
	session->is_open = false;
	backend_leave(session->backend, &session->ticket);
	loop_undefer(session->loop, &session->unreachable);
	imap_client_logout(&session->client);
	while (session->questions != NULL)
		question_free(session->questions);
	free(session->trace_user);
	free(session->selected);
	loop_defer(session->loop, &session->gone, free_later);
}

bool watch_session_is_open(const struct watch_session *session)
{
	return session->is_open;
}

/* --- STATUS ---------------------------------------------------------------------------------------------------- */

/* The owner may close the session: the question is out of its list by then. */
static void answer_question(struct question *question, enum watch_answer answer)
{
	struct watch_session *session = question->session;
	struct position position = question->position;
	char *collection = mem_strdup(question->collection);

	question_free(question);
	session->events->answered(session, collection, answer, position, session->owner);
	free(collection);
}

static void status_answered(struct imap_client *client, const struct imap_response *response, void *data)
{
	struct question *question = data;
	enum watch_answer answer = WATCH_NOT_FOUND;

	(void)client;
	if (response->condition == IMAP_OK)
		answer = question->has_position ? WATCH_THERE : WATCH_UNAVAILABLE;
	else if (imap_text_is(response->code, "UNAVAILABLE") || imap_text_is(response->code, "INUSE")
		|| imap_text_is(response->code, "LIMIT") || imap_text_is(response->code, "SERVERBUG"))
		answer = WATCH_UNAVAILABLE;
	answer_question(question, answer);
}

/* -1: no mailbox can have such a name. */
static int write_status(const struct watch_session *session, const char *collection, struct buffer *command)
{
	bool has_modseq = (imap_client_capabilities(session->client) & IMAP_CAP_CONDSTORE) != 0;

	buffer_append_string(command, "STATUS ");
	if (mailbox_name_quote(command, collection) < 0)
		return -1;
	buffer_printf(command, " (%s)", has_modseq ? POSITION_STATUS_ITEMS_CONDSTORE : POSITION_STATUS_ITEMS);
	return 0;
}

static void send_status(struct question *question)
{
	struct buffer command = BUFFER_EMPTY;

	write_status(question->session, question->collection, &command);
	imap_client_command(question->session->client, buffer_string(&command), status_answered, question);
	buffer_release(&command);
}

static void view_is_current(struct imap_client *client, const struct imap_response *response, void *data)
{
	(void)client;
	(void)response;
	send_status(data);
}

static struct question *question_create(struct watch_session *session, const char *collection)
{
	size_t size = strlen(collection) + 1;
	struct question *question = mem_alloc(sizeof *question + size);

	question->session = session;
	memcpy(question->collection, collection, size);
	question->next = session->questions;
	session->questions = question;
	return question;
}

/* STATUS of the selected mailbox tells of the view that this session has of it: NOOP makes that current. Its answer
 * is waited for, because Dovecot puts a NOOP off until it has done the commands behind it. */
static void start_question(struct watch_session *session, const char *collection)
{
	struct question *question = question_create(session, collection);

	if (session->selected != NULL && is_same_name(session->selected, collection))
		imap_client_command(session->client, "NOOP", view_is_current, question);
	else
		send_status(question);
}

/* --- the hierarchy --------------------------------------------------------------------------------------------- */

static void list_answered(struct imap_client *client, const struct imap_response *response, void *data)
{
	struct question *question = data;
	struct folder_list *list = &question->list;

	(void)client;
	folder_list_finish(list);
	question->position = (struct position){HIERARCHY_VALIDITY, HIERARCHY_NEXT, hierarchy_token(list->list, list->count)};
	answer_question(question, response->condition == IMAP_OK ? WATCH_THERE : WATCH_UNAVAILABLE);
}

static void ask_hierarchy(struct watch_session *session)
{
	struct question *question = question_create(session, "");

	question->list.arena = arena_create(0);
	imap_client_command(session->client, folder_list_command(imap_client_capabilities(session->client)), list_answered,
		question);
}

/* Without a question it is what NOTIFY announces (RFC 5465 section 5.4). */
static void list_told(struct watch_session *session, const struct imap_response *response)
{
	bool is_answer = false;

	for (struct question *question = session->questions; question != NULL; question = question->next)
		if (question->list.arena != NULL) {
			folder_list_add(&question->list, response->rest);
			is_answer = true;
		}
	if (!is_answer && watched_of(session, "", "") != NULL)
		session->events->noticed(session, "", session->owner);
}

void watch_session_ask(struct watch_session *session, const char *collection)
{
	struct buffer command = BUFFER_EMPTY;

	if (is_hierarchy(collection)) {
		ask_hierarchy(session);
		return;
	}
	bool can_exist = write_status(session, collection, &command) == 0;

	buffer_release(&command);
	if (can_exist)
		start_question(session, collection);
	else
		session->events->answered(session, collection, WATCH_NOT_FOUND, (struct position){0}, session->owner);
}

/* The answer to a question has all that was asked for; what NOTIFY announces has less, and is only a hint here: the
 * exact position is asked for. */
static void status_told(struct watch_session *session, const struct imap_response *response)
{
	struct imap_status status;
	struct buffer wire = BUFFER_EMPTY, name = BUFFER_EMPTY;
	const unsigned needed = IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_UNSEEN;
	bool is_answer = false;

	if (imap_status_parse(response->rest, &status, &wire) < 0) {
		buffer_release(&wire);
		return;
	}
	mailbox_name_decode(&name, wire.data, wire.length);
	for (struct question *question = session->questions; question != NULL; question = question->next) {
		if (!is_same_name(question->collection, buffer_string(&name)) || (status.items & needed) != needed)
			continue;
		question->position = position_from_status(status.uid_validity, status.uid_next, status.messages, status.unseen,
			status.highest_modseq);
		question->has_position = is_answer = true;
	}
	const char *noticed = is_answer ? NULL : watched_of(session, buffer_string(&name), buffer_string(&wire));
	buffer_release(&wire);
	buffer_release(&name);
	if (noticed != NULL)
		session->events->noticed(session, noticed, session->owner);
}

/* --- noticing -------------------------------------------------------------------------------------------------- */

enum watch_how watch_session_how(const struct watch_session *session)
{
	return session->how;
}

bool watch_session_covers(const struct watch_session *session, const char *collection)
{
	return session->how == WATCH_BY_NOTIFY || is_hierarchy(collection)
		|| (session->how == WATCH_BY_IDLE && session->selected != NULL && is_same_name(session->selected, collection));
}

static void settle(struct watch_session *session, enum watch_how how)
{
	session->how = how;
	if (how != WATCH_BY_POLL)
		imap_client_idle(session->client);
	log_trace(LOG_CONNECTOR, session->trace_user, NULL, "user=%s watched by %s", log_quote(session->trace_user),
		how == WATCH_BY_NOTIFY ? "NOTIFY" : how == WATCH_BY_IDLE ? "IDLE" : "polling");
	session->events->watching(session, session->owner);
}

static void set_selected(struct watch_session *session, const char *collection)
{
	free(session->selected);
	session->selected = mem_strdup(collection);
}

static void examined(struct imap_client *client, const struct imap_response *response, void *data)
{
	struct watch_session *session = data;

	(void)client;
	if (response->condition != IMAP_OK) /* then nothing is selected (RFC 3501 §6.3.1) */
		set_selected(session, NULL);
	settle(session, session->selected == NULL ? WATCH_BY_POLL : WATCH_BY_IDLE);
}

/* IDLE sees one mailbox: INBOX, where mail comes, if it is among those to watch. */
static void watch_by_idle(struct watch_session *session)
{
	struct buffer command = BUFFER_EMPTY;
	const char *chosen = NULL;

	for (size_t i = 0; i < session->count; i++)
		if (!is_hierarchy(session->collections[i]) &&
		    (chosen == NULL || strcasecmp(session->collections[i], "INBOX") == 0))
			chosen = session->collections[i];
	buffer_append_string(&command, "EXAMINE ");
	if (!(imap_client_capabilities(session->client) & IMAP_CAP_IDLE) || chosen == NULL
		|| mailbox_name_quote(&command, chosen) < 0) {
		settle(session, WATCH_BY_POLL);
	} else {
		set_selected(session, chosen);
		imap_client_command(session->client, buffer_string(&command), examined, session);
	}
	buffer_release(&command);
}

static void notify_answered(struct imap_client *client, const struct imap_response *response, void *data)
{
	struct watch_session *session = data;

	(void)client;
	if (response->condition == IMAP_OK) {
		settle(session, WATCH_BY_NOTIFY);
		return;
	}
	session->can_notify = false; /* NOTIFICATIONOVERFLOW, BADEVENT, or a server that only says it can */
	watch_by_idle(session);
}

/* Appends the names that NOTIFY can take; true: there are others. Dovecot 2.3 compares the names of NOTIFY without
 * decoding them: one with an & in it (all but ASCII) would never be announced. */
static bool write_names(const struct watch_session *session, struct buffer *command, size_t *named_r)
{
	bool others = false;

	*named_r = 0;
	for (size_t i = 0; i < session->count; i++) {
		size_t before = command->length;
		if (is_hierarchy(session->collections[i]))
			continue;
		if (*named_r > 0)
			buffer_append_byte(command, ' ');
		if (mailbox_name_quote(command, session->collections[i]) == 0
			&& memchr(command->data + before, '&', command->length - before) == NULL) {
			++*named_r;
			continue;
		}
		buffer_truncate(command, before);
		others = true;
	}
	return others;
}

enum { NOTIFY_NAMES_MAX = 100 }; /* of more Dovecot says NOTIFICATIONOVERFLOW */

/* RFC 5465 §6: the mailboxes that somebody waits for, and all personal ones when there are names that cannot be said, or
 * too many, or for what becomes of their names. The first that fits a mailbox counts. Nothing is selected, so all comes
 * as STATUS and LIST. */
static void watch_by_notify(struct watch_session *session)
{
	static const char messages[] = "MessageNew MessageExpunge FlagChange";
	bool names = watched_of(session, "", "") != NULL;
	struct buffer command = BUFFER_EMPTY;
	size_t named;

	buffer_append_string(&command, "NOTIFY SET (mailboxes (");
	bool others = write_names(session, &command, &named);
	if (named > NOTIFY_NAMES_MAX) {
		named = 0;
		others = true;
	}
	buffer_printf(&command, ") (%s%s))", messages, names ? " MailboxName" : "");
	if (named == 0)
		buffer_truncate(&command, strlen("NOTIFY SET"));
	if (others || names)
		buffer_printf(&command, " (personal (%s%s%s))", others ? messages : "", others && names ? " " : "",
			names ? "MailboxName" : "");
	others |= names;
	if (session->has_notify) /* a second SET makes Dovecot 2.3 announce nothing any more */
		imap_client_command(session->client, "NOTIFY NONE", NULL, NULL);
	session->has_notify = named > 0 || others;
	if (session->has_notify)
		imap_client_command(session->client, buffer_string(&command), notify_answered, session);
	else
		settle(session, WATCH_BY_POLL);
	buffer_release(&command);
}

void watch_session_watch(struct watch_session *session, char *const *collections, size_t count)
{
	session->collections = collections;
	session->count = count;
	session->how = WATCH_BY_POLL;
	if (session->can_notify)
		watch_by_notify(session);
	else
		watch_by_idle(session);
}

void watch_session_unwatch(struct watch_session *session)
{
	session->collections = NULL;
	session->count = 0;
	session->how = WATCH_BY_POLL;
	if (session->has_notify)
		imap_client_command(session->client, "NOTIFY NONE", NULL, NULL);
	session->has_notify = false;
}

/* --- what the client says -------------------------------------------------------------------------------------- */

static void opened(struct watch_session *session)
{
	session->is_open = true;
	session->events->opened(session, session->owner);
}

static void enabled(struct imap_client *client, const struct imap_response *response, void *data)
{
	(void)client;
	(void)response; /* NO: STATUS asks for HIGHESTMODSEQ all the same, which enables it too */
	opened(data);
}

static void client_ready(struct imap_client *client, void *owner)
{
	struct watch_session *session = owner;
	unsigned capabilities = imap_client_capabilities(client);
	const unsigned both = IMAP_CAP_NOTIFY | IMAP_CAP_IDLE;

	backend_leave(session->backend, &session->ticket);
	session->credentials = NULL;
	session->can_notify = (capabilities & both) == both;
	/* A fresh Dovecot mailbox numbers changes (MODSEQ) only once a client has enabled that. */
	if ((capabilities & IMAP_CAP_ENABLE) && (capabilities & IMAP_CAP_CONDSTORE))
		imap_client_command(client, "ENABLE CONDSTORE", enabled, session);
	else
		opened(session);
}

static bool is_change_of_selected(const struct imap_response *response)
{
	static const char *const words[] = {"EXISTS", "EXPUNGE", "VANISHED", "FETCH"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (imap_text_is(response->keyword, words[i]))
			return true;
	return false;
}

static void client_told(struct imap_client *client, const struct imap_response *response, void *owner)
{
	struct watch_session *session = owner;

	(void)client;
	if (imap_text_is(response->keyword, "STATUS")) {
		status_told(session, response);
	} else if (imap_text_is(response->keyword, "LIST")) {
		list_told(session, response);
	} else if (session->how == WATCH_BY_IDLE && is_change_of_selected(response)) {
		session->events->noticed(session, session->selected, session->owner);
	} else if (imap_text_is(response->code, "NOTIFICATIONOVERFLOW")) {
		session->can_notify = false; /* RFC 5465 §5.8: it tells no more from here on */
		watch_by_idle(session);
	}
}

static void client_failed(struct imap_client *client, enum imap_failure failure, const char *why, void *owner)
{
	(void)client;
	fail(owner, failure, why);
}

static const struct imap_client_events client_events = {client_ready, client_told, client_failed};
