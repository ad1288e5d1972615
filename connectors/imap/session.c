/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions: from the connect to the login, and the end. Commands are in session_command.c. */
#include "connectors/imap/session.h"

#include <stdlib.h>
#include <string.h>

#include "connectors/imap/etpan_stream.h"
#include "connectors/imap/sasl_plain.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

/* --- the way to the login, in order of time -------------------------------------------------------------------- */

static int connect_server(struct session *session, const struct imap_settings *settings, SSL_CTX *context,
	struct error *error_r)
{
	bool at_once = settings->tls == IMAP_TLS_IMPLICIT;
	int result;

	session->stream = etpan_stream_open(settings->host, (unsigned)settings->port, settings->timeout_s * 1000,
		at_once ? context : NULL, settings->tls_name, error_r);
	if (session->stream == NULL)
		return -1;
	etpan_stream_trace(session->stream, session->trace_user, false);
	session->imap = mailimap_new(0, NULL);
	if (session->imap == NULL)
		abort(); /* out of memory, as everywhere */
	result = mailimap_connect(session->imap, session->stream);
	if (result == MAILIMAP_NO_ERROR_NON_AUTHENTICATED)
		return 0;
	if (result == MAILIMAP_NO_ERROR_AUTHENTICATED)
		return error_set(error_r, "the server greeted with PREAUTH: it would check no password");
	return error_set(error_r, "greeting: %s", etpan_stream_trouble(session->stream));
}

static void hear_capabilities(const struct imap_response *response, void *data)
{
	struct session *session = data;

	if (imap_text_is(response->keyword, "CAPABILITY"))
		session->capabilities = imap_capabilities_parse(response->rest);
}

static int ask_capabilities(struct session *session, struct error *error_r)
{
	session->capabilities = 0;
	session_queue(session, "CAPABILITY");
	return session_await(session, hear_capabilities, session, error_r) == SESSION_OK ? 0 : -1;
}

static int start_tls(struct session *session, const struct imap_settings *settings, SSL_CTX *context,
	struct error *error_r)
{
	if (!(session->capabilities & IMAP_CAP_STARTTLS))
		return error_set(error_r, "the server does not offer STARTTLS");
	session_queue(session, "STARTTLS");
	if (session_await(session, NULL, NULL, error_r) != SESSION_OK)
		return -1;
	if (etpan_stream_start_tls(session->stream, context, settings->tls_name, error_r) != 0)
		return -1;
	return ask_capabilities(session, error_r);
}

static enum session_answer authenticate_plain(struct session *session, const struct session_login *login,
	struct error *error_r)
{
	struct buffer command = BUFFER_WIPING;
	enum session_answer answer;

	if (session->capabilities & IMAP_CAP_SASL_IR) {
		buffer_append_string(&command, "AUTHENTICATE PLAIN ");
		sasl_plain_append(&command, login);
		session_queue_buffer(session, &command);
	} else {
		session_queue(session, "AUTHENTICATE PLAIN");
		sasl_plain_append(&session->continuation, login);
		buffer_append_string(&session->continuation, "\r\n");
	}
	answer = session_await(session, NULL, NULL, error_r);
	if (answer == SESSION_OK)
		session->imap->imap_state = MAILIMAP_STATE_AUTHENTICATED;
	return answer;
}

static enum session_answer login_plainly(struct session *session, const struct session_login *login,
	struct error *error_r)
{
	int result;

	if (*login->authorize_as != '\0') {
		error_set(error_r, "the server does not offer AUTHENTICATE PLAIN: a master user cannot log in for another");
		return SESSION_BAD;
	}
	if (session->capabilities & IMAP_CAP_LOGINDISABLED) {
		error_set(error_r, "the server allows no login on this connection; set tls");
		return SESSION_BAD;
	}
	etpan_stream_trace(session->stream, session->trace_user, true);
	result = mailimap_login(session->imap, login->user, login->password);
	etpan_stream_trace(session->stream, session->trace_user, false);
	mem_wipe(session->stream->write_buffer, session->stream->buffer_max_size);
	if (result == MAILIMAP_NO_ERROR)
		return SESSION_OK;
	error_set(error_r, "%s", session->imap->imap_response != NULL ? session->imap->imap_response
		: etpan_stream_trouble(session->stream));
	return result == MAILIMAP_ERROR_LOGIN ? SESSION_NO : SESSION_LOST;
}

static enum session_answer log_in(struct session *session, const struct session_login *login, struct error *error_r)
{
	if (session->capabilities & IMAP_CAP_AUTH_PLAIN)
		return authenticate_plain(session, login, error_r);
	return login_plainly(session, login, error_r);
}

/* * ID ("name" "Dovecot" …), RFC 2971. */
static void hear_id(const struct imap_response *response, void *data)
{
	struct session *session = data;
	struct imap_cursor cursor = imap_cursor_over(response->rest);
	struct imap_token token;

	if (!imap_text_is(response->keyword, "ID") || imap_token_next(&cursor).kind != IMAP_OPEN)
		return;
	while ((token = imap_token_next(&cursor)).kind == IMAP_QUOTED)
		if (imap_text_is(token.text, "name")) {
			token = imap_token_next(&cursor);
			session->is_dovecot = imap_text_is(token.text, "Dovecot");
		}
}

/* What the server can do for this user, who it is, and mod-sequences once for all mailboxes. QRESYNC is left alone:
 * nothing here reads VANISHED. */
static int settle(struct session *session, struct error *error_r)
{
	const unsigned modseqs = IMAP_CAP_ENABLE | IMAP_CAP_CONDSTORE;

	if (ask_capabilities(session, error_r) != 0)
		return -1;
	if ((session->capabilities & modseqs) == modseqs)
		session_queue(session, "ENABLE CONDSTORE");
	if (session->capabilities & IMAP_CAP_ID)
		session_queue(session, "ID NIL");
	while (session_awaited(session) > 0)
		if (session_await(session, hear_id, session, error_r) == SESSION_LOST)
			return -1;
	return 0;
}

static enum session_opened open_steps(struct session *session, const struct imap_settings *settings, SSL_CTX *context,
	const struct session_login *login, struct error *error_r)
{
	enum session_answer answer;

	if (connect_server(session, settings, context, error_r) != 0 || ask_capabilities(session, error_r) != 0
		|| (settings->tls == IMAP_TLS_STARTTLS && start_tls(session, settings, context, error_r) != 0))
		return SESSION_UNREACHABLE;
	answer = log_in(session, login, error_r);
	if (answer == SESSION_NO && !session_is_busy(error_r))
		return SESSION_REFUSED;
	if (answer != SESSION_OK || settle(session, error_r) != 0)
		return SESSION_UNREACHABLE;
	return SESSION_OPENED;
}

struct session *session_open(const struct imap_settings *settings, SSL_CTX *context, const struct session_login *login,
	enum session_opened *opened_r, struct error *error_r)
{
	struct session *session = mem_alloc(sizeof *session);

	session->framer.max = SESSION_RESPONSE_MAX;
	session->commands = session->continuation = BUFFER_WIPING; /* there is a password in them once */
	session->next_answer = 1;
	session->selected = mem_strdup("");
	session->trace_user = mem_strdup(login->trace_user);
	*opened_r = open_steps(session, settings, context, login, error_r);
	log_trace(LOG_IMAP, login->trace_user, NULL, "session user=%s opened=%d %s", log_quote(login->trace_user), (int)*opened_r,
		*opened_r == SESSION_OPENED ? "" : log_quote(error_r->text));
	if (*opened_r != SESSION_OPENED)
		session_close(&session);
	return session;
}

void session_close(struct session **owner)
{
	struct session *session = *owner;
	struct error ignored;

	*owner = NULL;
	if (session == NULL)
		return;
	if (session->stream != NULL) {
		if (!session->is_broken)
			etpan_stream_send(session->stream, "Z LOGOUT\r\n", 10, &ignored);
		mailstream_close(session->stream);
	}
	if (session->imap != NULL) {
		session->imap->imap_stream = NULL; /* or libetpan would say LOGOUT once more, and wait */
		mailimap_free(session->imap);
	}
	buffer_release(&session->commands);
	buffer_release(&session->continuation);
	ahead_forget(&session->ahead);
	free(session->selected);
	free(session->trace_user);
	free(session);
}

bool session_is_fresh(struct session *session)
{
	/* Something came unasked: BYE, or news of the selected mailbox; a new session is cheaper than to tell. */
	return !session->is_broken && session_awaited(session) == 0 && !etpan_stream_disturbed(session->stream);
}
