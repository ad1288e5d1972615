/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A conversation with a ManageSieve server. */
#include "connectors/imap/sieve_session.h"

#include <string.h>

#include "connectors/imap/etpan_stream.h"
#include "connectors/imap/sasl_plain.h"
#include "lib/managesieve/response.h"

/* --- talking --------------------------------------------------------------------------------------------------- */

typedef void line_heard(const struct managesieve_line *, void *data);

/* The next line, valid until the next call. -1: the connection is of no use any more. */
static int read_line(struct sieve_session *session, struct managesieve_line *line_r, struct error *error_r)
{
	struct buffer *input = etpan_stream_input(session->stream);
	ssize_t length;

	buffer_consume(input, session->taken);
	session->taken = 0;
	while ((length = managesieve_line_parse(input->data, input->length, line_r)) == 0)
		if (etpan_stream_fill(session->stream, error_r) != 0)
			return -1;
	if (length < 0)
		return error_set(error_r, "the server does not speak ManageSieve");
	session->taken = (size_t)length;
	return 0;
}

/* NO to what may work later (RFC 5804 section 1.3) is no refusal. */
static enum sieve_answer judge(const char *to, const struct managesieve_line *line, struct error *error_r)
{
	struct buffer text = BUFFER_EMPTY;

	managesieve_token_append(line->text, &text);
	error_set(error_r, "%s: %.*s %s", to, (int)line->code.length, line->code.bytes, buffer_string(&text));
	buffer_release(&text);
	return line->kind == MANAGESIEVE_BYE || managesieve_token_is(line->code, "TRYLATER") ? SIEVE_LOST : SIEVE_REFUSED;
}

/* Reads up to the end of a response. heard: its lines of data; NULL: whatever they are. */
static enum sieve_answer await(struct sieve_session *session, const char *to, line_heard *heard, void *data,
	struct error *error_r)
{
	struct managesieve_line line;

	for (int lines = 0; lines < SIEVE_SESSION_LINES_MAX; lines++) {
		if (read_line(session, &line, error_r) < 0)
			return SIEVE_LOST;
		if (line.kind == MANAGESIEVE_OK)
			return SIEVE_DONE;
		if (line.kind != MANAGESIEVE_DATA)
			return judge(to, &line, error_r);
		if (heard != NULL)
			heard(&line, data);
	}
	error_set(error_r, "%s: the server's answer has no end", to);
	return SIEVE_LOST;
}

/* The command is empty afterwards. */
static enum sieve_answer ask(struct sieve_session *session, struct buffer *command, const char *to, line_heard *heard,
	void *data, struct error *error_r)
{
	int sent;

	buffer_append_string(command, "\r\n");
	sent = etpan_stream_send(session->stream, command->data, command->length, error_r);
	buffer_release(command);
	return sent != 0 ? SIEVE_LOST : await(session, to, heard, data, error_r);
}

/* A command with a name, and perhaps a script. */
static void append_command(struct buffer *command, const char *word, const char *name, const struct buffer *script)
{
	buffer_append_string(command, word);
	buffer_append_byte(command, ' ');
	managesieve_append_string(command, name, strlen(name));
	if (script == NULL)
		return;
	buffer_append_byte(command, ' ');
	managesieve_append_string(command, script->data, script->length);
}

/* --- up to the login ------------------------------------------------------------------------------------------- */

static void hear_capability(const struct managesieve_line *line, void *data)
{
	((struct sieve_session *)data)->can |= managesieve_capability(line);
}

static enum sieve_answer connect_server(struct sieve_session *session, const struct imap_settings *settings,
	SSL_CTX *context, struct error *error_r)
{
	bool at_once = settings->sieve_tls == IMAP_TLS_IMPLICIT;

	session->stream = etpan_stream_open(settings->sieve_host, (unsigned)settings->sieve_port, settings->timeout_s * 1000,
		at_once ? context : NULL, settings->sieve_tls_name, error_r);
	if (session->stream == NULL)
		return SIEVE_LOST;
	return await(session, "greeting", hear_capability, session, error_r);
}

/* What is known of the server from before TLS is forgotten; it says it anew, unasked (RFC 5804 section 2.2). */
static enum sieve_answer start_tls(struct sieve_session *session, const struct imap_settings *settings, SSL_CTX *context,
	struct error *error_r)
{
	struct buffer command = BUFFER_EMPTY;

	if (!(session->can & MANAGESIEVE_CAN_STARTTLS)) {
		error_set(error_r, "the server does not offer STARTTLS");
		return SIEVE_LOST;
	}
	buffer_append_string(&command, "STARTTLS");
	if (ask(session, &command, "STARTTLS", NULL, NULL, error_r) != SIEVE_DONE)
		return SIEVE_LOST;
	buffer_consume(etpan_stream_input(session->stream), session->taken);
	session->taken = 0;
	session->can = 0;
	if (etpan_stream_start_tls(session->stream, context, settings->sieve_tls_name, error_r) != 0)
		return SIEVE_LOST;
	return await(session, "STARTTLS", hear_capability, session, error_r);
}

static enum sieve_answer log_in(struct sieve_session *session, const struct session_login *login, struct error *error_r)
{
	struct buffer command = BUFFER_WIPING;

	if (!(session->can & MANAGESIEVE_CAN_PLAIN)) {
		error_set(error_r, "the server does not offer PLAIN on this connection");
		return SIEVE_LOST;
	}
	buffer_append_string(&command, "AUTHENTICATE \"PLAIN\" \"");
	sasl_plain_append(&command, login);
	buffer_append_byte(&command, '"');
	return ask(session, &command, "AUTHENTICATE", NULL, NULL, error_r);
}

/* A user may have other extensions than strangers are told of. */
static enum sieve_answer ask_capabilities(struct sieve_session *session, struct error *error_r)
{
	struct buffer command = BUFFER_EMPTY;

	session->can = 0;
	buffer_append_string(&command, "CAPABILITY");
	return ask(session, &command, "CAPABILITY", hear_capability, session, error_r);
}

enum sieve_answer sieve_session_open(struct sieve_session *session_r, const struct imap_settings *settings, SSL_CTX *context,
	const struct session_login *login, struct error *error_r)
{
	enum sieve_answer answer;

	*session_r = (struct sieve_session){0};
	answer = connect_server(session_r, settings, context, error_r);
	if (answer == SIEVE_DONE && settings->sieve_tls == IMAP_TLS_STARTTLS)
		answer = start_tls(session_r, settings, context, error_r);
	if (answer == SIEVE_DONE)
		answer = log_in(session_r, login, error_r);
	return answer == SIEVE_DONE ? ask_capabilities(session_r, error_r) : answer;
}

void sieve_session_close(struct sieve_session *session)
{
	struct error ignored;

	if (session->stream == NULL)
		return;
	etpan_stream_send(session->stream, "LOGOUT\r\n", 8, &ignored); /* its answer tells nothing new */
	mailstream_close(session->stream);
	session->stream = NULL;
}

/* --- scripts --------------------------------------------------------------------------------------------------- */

struct listing {
	sieve_script_heard *heard;
	void *data;
};

static void hear_script(const struct managesieve_line *line, void *data)
{
	const struct listing *listing = data;
	struct managesieve_cursor cursor = line->data;
	struct buffer name = BUFFER_EMPTY;

	if (managesieve_token_append(managesieve_token_next(&cursor), &name))
		listing->heard(buffer_string(&name), managesieve_token_is(managesieve_token_next(&cursor), "ACTIVE"), listing->data);
	buffer_release(&name);
}

enum sieve_answer sieve_session_list(struct sieve_session *session, sieve_script_heard *heard, void *data,
	struct error *error_r)
{
	struct listing listing = {heard, data};
	struct buffer command = BUFFER_EMPTY;

	buffer_append_string(&command, "LISTSCRIPTS");
	return ask(session, &command, "LISTSCRIPTS", hear_script, &listing, error_r);
}

/* One string, however many the server says. */
static void hear_content(const struct managesieve_line *line, void *data)
{
	struct managesieve_cursor cursor = line->data;
	struct buffer *script = data;

	if (script->length == 0)
		managesieve_token_append(managesieve_token_next(&cursor), script);
}

enum sieve_answer sieve_session_get(struct sieve_session *session, const char *name, struct buffer *script,
	struct error *error_r)
{
	struct buffer command = BUFFER_EMPTY;

	append_command(&command, "GETSCRIPT", name, NULL);
	buffer_truncate(script, 0);
	return ask(session, &command, "GETSCRIPT", hear_content, script, error_r);
}

enum sieve_answer sieve_session_put(struct sieve_session *session, const char *name, const struct buffer *script,
	struct error *error_r)
{
	struct buffer command = BUFFER_EMPTY;

	append_command(&command, "PUTSCRIPT", name, script);
	return ask(session, &command, "PUTSCRIPT", NULL, NULL, error_r);
}

enum sieve_answer sieve_session_activate(struct sieve_session *session, const char *name, struct error *error_r)
{
	struct buffer command = BUFFER_EMPTY;

	append_command(&command, "SETACTIVE", name, NULL);
	return ask(session, &command, "SETACTIVE", NULL, NULL, error_r);
}
