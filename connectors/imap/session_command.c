/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands and their answers. Tags are "B" and a number that grows. Answers are given out in the order of the commands,
 * in whatever order they come. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/imap/etpan_stream.h"
#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/session.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

/* --- asking ---------------------------------------------------------------------------------------------------- */

/* A buffer that wipes has a secret in it, behind the command's name. */
static void trace_command(const struct session *session, const struct buffer *command)
{
	const char *space = memchr(command->data, ' ', command->length);
	size_t shown = !command->wipes ? command->length : space == NULL ? 0 : (size_t)(space - command->data);

	log_trace(LOG_IMAP, session->trace_user, NULL, "user=%s C: B%u %s%s", log_quote(session->trace_user), session->last_tag,
		log_quote_bytes(command->data, shown), command->wipes ? " ***" : "");
}

void session_queue_buffer(struct session *session, struct buffer *command)
{
	assert(session_awaited(session) < SESSION_PIPELINE_MAX);
	buffer_printf(&session->commands, "B%u ", ++session->last_tag);
	buffer_append(&session->commands, command->data, command->length);
	buffer_append_string(&session->commands, "\r\n");
	trace_command(session, command);
	buffer_release(command);
}

void session_queue(struct session *session, const char *format, ...)
{
	struct buffer command = BUFFER_EMPTY;
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	char *room = buffer_reserve(&command, (size_t)length + 1);
	vsnprintf(room, (size_t)length + 1, format, again);
	buffer_grow(&command, (size_t)length);
	va_end(again);
	va_end(args);
	session_queue_buffer(session, &command);
}

unsigned session_awaited(const struct session *session)
{
	return session->last_tag + 1 - session->next_answer;
}

static int send_all(struct session *session, struct buffer *what, struct error *error_r)
{
	int result = 0;

	if (what->length > 0)
		result = etpan_stream_send(session->stream, what->data, what->length, error_r);
	buffer_consume(what, what->length);
	return result;
}

/* --- hearing --------------------------------------------------------------------------------------------------- */

/* The next response, valid until the next call. */
static int next_response(struct session *session, struct imap_response *response_r, struct error *error_r)
{
	struct buffer *input = etpan_stream_input(session->stream);

	buffer_consume(input, session->taken);
	session->taken = 0;
	for (;;) {
		ssize_t length = imap_framer_next(&session->framer, input->data, input->length);

		if (length < 0)
			return error_set(error_r, "the server sent a response over %d MB", SESSION_RESPONSE_MAX >> 20);
		if (length > 0) {
			session->taken = (size_t)length;
			log_trace(LOG_IMAP, session->trace_user, NULL, "user=%s S: %s", log_quote(session->trace_user),
				log_quote_bytes(input->data, (size_t)length));
			if (imap_response_parse(input->data, (size_t)length, response_r) == 0)
				return 0;
			buffer_consume(input, session->taken); /* a line that is no response: some servers add one */
			session->taken = 0;
			continue;
		}
		if (etpan_stream_fill(session->stream, error_r) != 0)
			return -1;
	}
}

/* Which of the commands under way is answered? NULL: none. */
static struct session_early *answered_by(struct session *session, const struct imap_response *response)
{
	for (unsigned tag = session->next_answer; tag <= session->last_tag; tag++) {
		char text[16];

		snprintf(text, sizeof text, "B%u", tag);
		if (imap_text_is(response->tag, text))
			return &session->early[tag % SESSION_PIPELINE_MAX];
	}
	return NULL;
}

static enum session_answer lost(struct session *session)
{
	session->is_broken = true;
	return SESSION_LOST;
}

static void note_answer(struct session_early *early, const struct imap_response *response)
{
	early->is_in = true;
	early->answer = response->condition == IMAP_OK ? SESSION_OK : response->condition == IMAP_NO ? SESSION_NO : SESSION_BAD;
	error_set(&early->said, "[%.*s] %.*s", (int)response->code.length, response->code.bytes, (int)response->text.length,
		response->text.bytes);
}

static int go_on(struct session *session, struct error *error_r)
{
	session_writer *writer = session->writer;

	if (writer == NULL)
		return send_all(session, &session->continuation, error_r);
	session->writer = NULL;
	return writer(session, session->writer_data, error_r) == 0
		? etpan_stream_send(session->stream, "\r\n", 2, error_r) : -1;
}

/* One response. -1: the session is lost. */
static int hear(struct session *session, session_heard *heard, void *data, struct error *error_r)
{
	struct imap_response response;
	struct session_early *early;

	if (next_response(session, &response, error_r) != 0)
		return -1;
	switch (response.kind) {
	case IMAP_UNTAGGED:
		if (response.condition == IMAP_BYE)
			return error_set(error_r, "the server said BYE: %.*s", (int)response.text.length, response.text.bytes);
		if (heard != NULL)
			heard(&response, data);
		return 0;
	case IMAP_CONTINUATION:
		return go_on(session, error_r);
	case IMAP_TAGGED: break;
	}
	early = answered_by(session, &response);
	if (early == NULL)
		return error_set(error_r, "the server answered a command that was not asked");
	note_answer(early, &response);
	if (heard != NULL)
		heard(&response, data);
	return 0;
}

enum session_answer session_await(struct session *session, session_heard *heard, void *data, struct error *error_r)
{
	struct session_early *early = &session->early[session->next_answer % SESSION_PIPELINE_MAX];

	if (send_all(session, &session->commands, error_r) != 0)
		return lost(session);
	while (!early->is_in)
		if (hear(session, heard, data, error_r) != 0)
			return lost(session);
	session->next_answer++;
	early->is_in = false;
	*error_r = early->said;
	/* libetpan may be next to read: nothing that was looked at may stay in the input. */
	buffer_consume(etpan_stream_input(session->stream), session->taken);
	session->taken = 0;
	return early->answer;
}

enum session_answer session_append(struct session *session, const char *collection, uint64_t size,
	session_writer *writer, void *data, struct error *error_r)
{
	struct buffer command = BUFFER_EMPTY;
	enum session_answer answer;

	buffer_append_string(&command, "APPEND ");
	if (mailbox_name_quote(&command, collection) != 0) {
		buffer_release(&command);
		error_set(error_r, "no mailbox can have this name");
		return SESSION_NO;
	}
	buffer_printf(&command, " (\\Seen) {%llu}", (unsigned long long)size);
	session_queue_buffer(session, &command);
	session->writer = writer;
	session->writer_data = data;
	answer = session_await(session, NULL, NULL, error_r);
	session->writer = NULL; /* a server that does not want it says NO at once */
	return answer;
}

bool session_is_busy(const struct error *said)
{
	static const char *const codes[] = {"[UNAVAILABLE", "[INUSE", "[LIMIT", "[SERVERBUG", "[OVERQUOTA"};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strncasecmp(said->text, codes[i], strlen(codes[i])) == 0)
			return true;
	return false;
}

/* --- the selected mailbox -------------------------------------------------------------------------------------- */

int session_select(struct session *session, const char *collection, struct error *error_r)
{
	struct buffer command = BUFFER_EMPTY;

	if (session_has_selected(session, collection))
		return 0;
	buffer_append_string(&command, "EXAMINE ");
	if (mailbox_name_quote(&command, collection) != 0) {
		buffer_release(&command);
		return error_set(error_r, "no mailbox can have this name");
	}
	session_unselect(session);
	session_queue_buffer(session, &command);
	return 1;
}

static void hear_news(const struct imap_response *response, void *data)
{
	struct session *session = data;

	if (imap_text_is(response->keyword, "EXISTS"))
		session->ahead.has_news = true;
}

enum session_answer session_refresh(struct session *session, struct error *error_r)
{
	session_queue(session, "NOOP");
	return session_await(session, hear_news, session, error_r);
}

struct selection {
	uint64_t validity;
	session_heard *heard;
	void *data;
};

/* * OK [UIDVALIDITY 12] */
static void hear_selection(const struct imap_response *response, void *data)
{
	struct selection *selection = data;

	if (imap_text_is(response->code, "UIDVALIDITY"))
		selection->validity = strtoull(response->code_rest.bytes, NULL, 10); /* a ']' ends it */
	if (selection->heard != NULL)
		selection->heard(response, selection->data);
}

enum session_answer session_selected(struct session *session, const char *collection, session_heard *heard, void *data,
	struct error *error_r)
{
	struct selection selection = {0, heard, data};
	enum session_answer answer = session_await(session, hear_selection, &selection, error_r);

	if (answer != SESSION_OK)
		return answer;
	session_note_selected(session, collection, selection.validity);
	session->imap->imap_state = MAILIMAP_STATE_SELECTED;
	return SESSION_OK;
}

bool session_has_selected(const struct session *session, const char *collection)
{
	return *collection != '\0' && strcmp(session->selected, collection) == 0;
}

bool session_can_ask_selected(const struct session *session)
{
	return session->is_dovecot;
}

void session_note_selected(struct session *session, const char *collection, uint64_t validity)
{
	ahead_forget(&session->ahead);
	free(session->selected);
	session->selected = mem_strdup(collection);
	session->validity = validity;
}

void session_unselect(struct session *session)
{
	ahead_forget(&session->ahead);
	*session->selected = '\0';
}
