/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands and their answers. Tags are "B" and a number that grows; answers come in the order of the commands. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "connectors/imap/etpan_stream.h"
#include "connectors/imap/mailbox_name.h"
#include "connectors/imap/session.h"
#include "lib/core/mem.h"

/* --- asking ---------------------------------------------------------------------------------------------------- */

void session_queue_buffer(struct session *session, struct buffer *command)
{
	buffer_printf(&session->commands, "B%u ", ++session->last_tag);
	buffer_append(&session->commands, command->data, command->length);
	buffer_append_string(&session->commands, "\r\n");
	mem_wipe(command->data, command->length);
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
	mem_wipe(what->data, what->length); /* there was a password in it once */
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

static bool is_answer(const struct session *session, const struct imap_response *response)
{
	char tag[16];

	snprintf(tag, sizeof tag, "B%u", session->next_answer);
	return imap_text_is(response->tag, tag);
}

static enum session_answer lost(struct session *session)
{
	session->is_broken = true;
	return SESSION_LOST;
}

static enum session_answer finish(struct session *session, const struct imap_response *response, struct error *error_r)
{
	session->next_answer++;
	if (response->condition == IMAP_OK)
		return SESSION_OK;
	error_set(error_r, "[%.*s] %.*s", (int)response->code.length, response->code.bytes, (int)response->text.length,
		response->text.bytes);
	return response->condition == IMAP_NO ? SESSION_NO : SESSION_BAD;
}

enum session_answer session_await(struct session *session, session_heard *heard, void *data, struct error *error_r)
{
	struct imap_response response;
	enum session_answer answer;

	if (send_all(session, &session->commands, error_r) != 0)
		return lost(session);
	for (;;) {
		if (next_response(session, &response, error_r) != 0)
			return lost(session);
		if (response.kind == IMAP_UNTAGGED && response.condition == IMAP_BYE) {
			error_set(error_r, "the server said BYE: %.*s", (int)response.text.length, response.text.bytes);
			return lost(session);
		}
		if (response.kind == IMAP_UNTAGGED && heard != NULL)
			heard(&response, data);
		if (response.kind == IMAP_CONTINUATION && send_all(session, &session->continuation, error_r) != 0)
			return lost(session);
		if (response.kind != IMAP_TAGGED)
			continue;
		if (!is_answer(session, &response)) {
			error_set(error_r, "the server answered a command that was not asked");
			return lost(session);
		}
		answer = finish(session, &response, error_r);
		buffer_consume(etpan_stream_input(session->stream), session->taken);
		session->taken = 0;
		return answer;
	}
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

	if (session_has_selected(session, collection)) {
		session_queue(session, "NOOP");
		return 0;
	}
	buffer_append_string(&command, "EXAMINE ");
	if (mailbox_name_quote(&command, collection) != 0) {
		buffer_release(&command);
		return error_set(error_r, "no mailbox can have this name");
	}
	session_queue_buffer(session, &command);
	return 0;
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

	if (session_has_selected(session, collection))
		return answer;
	session_unselect(session);
	if (answer != SESSION_OK)
		return answer;
	session_note_selected(session, collection, selection.validity);
	session->imap->imap_state = MAILIMAP_STATE_SELECTED;
	return SESSION_OK;
}

bool session_has_selected(const struct session *session, const char *collection)
{
	return strcmp(session->selected, collection) == 0;
}

void session_note_selected(struct session *session, const char *collection, uint64_t validity)
{
	free(session->selected);
	session->selected = mem_strdup(collection);
	session->validity = validity;
}

void session_unselect(struct session *session)
{
	*session->selected = '\0';
}
