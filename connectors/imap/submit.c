/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A conversation with a submission server. */
#include "connectors/imap/submit.h"

#include <ctype.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "connectors/imap/etpan_stream.h"
#include "connectors/imap/outgoing_stream.h"
#include "connectors/imap/sasl_plain.h"
#include "lib/core/mem.h"
#include "lib/smtp/reply.h"

struct submission {
	const struct imap_settings *settings;
	SSL_CTX *context;
	const struct session_login *login;
	const struct outgoing *mail;
	const struct submit_events *events;
	void *data;
	mailstream *stream;
	struct smtp_capabilities can;
	uint64_t size;
	size_t taken;             /* of the input: the reply last looked at */
	struct error *error;
};

/* --- talking --------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The next reply, valid until the next call. -1: the connection is of no use any more. */
static int read_reply(struct submission *submission, struct smtp_reply *reply_r)
{
	struct buffer *input = etpan_stream_input(submission->stream);
	ssize_t length;

	buffer_consume(input, submission->taken);
	submission->taken = 0;
	while ((length = smtp_reply_parse(input->data, input->length, reply_r)) == 0)
		if (etpan_stream_fill(submission->stream, submission->error) != 0)
			return -1;
	if (length < 0)
		return error_set(submission->error, "the server does not speak SMTP");
	submission->taken = (size_t)length;
	submission->events->progress(submission->data);
	return 0;
}

/* What a reply that does not agree means. */
static enum submitted judge(struct submission *submission, const char *to, const struct smtp_reply *reply,
	enum submitted refused)
{
	error_set(submission->error, "%s: %u %.*s", to, reply->code, (int)reply->text.length, reply->text.bytes);
	return reply->code >= 500 ? refused : SUBMIT_DEFERRED;
}

/* Reads a reply that should have this first digit. */
static enum submitted expect(struct submission *submission, const char *to, unsigned digit, enum submitted refused)
{
	struct smtp_reply reply;

	if (read_reply(submission, &reply) < 0)
		return SUBMIT_DEFERRED;
	return reply.code / 100 == digit ? SUBMIT_DONE : judge(submission, to, &reply, refused);
}

static int send_text(struct submission *submission, const char *text)
{
	return etpan_stream_send(submission->stream, text, strlen(text), submission->error);
}

static int send_buffer(struct submission *submission, struct buffer *commands)
{
	int result = etpan_stream_send(submission->stream, commands->data, commands->length, submission->error);

	buffer_release(commands);
	return result;
}

/* --- before the mail ------------------------------------------------------------------------------------------- */

static enum submitted connect_server(struct submission *submission)
{
	const struct imap_settings *settings = submission->settings;
	bool at_once = settings->smtp_tls == IMAP_TLS_IMPLICIT;

	submission->stream = etpan_stream_open(settings->smtp_host, (unsigned)settings->smtp_port, settings->timeout_s * 1000,
		at_once ? submission->context : NULL, settings->smtp_tls_name, submission->error);
	if (submission->stream == NULL)
		return SUBMIT_DEFERRED;
	return expect(submission, "greeting", 2, SUBMIT_DEFERRED);
}

/* This machine's name; an address stands in for one that cannot be sent. */
static void append_own_name(struct buffer *out)
{
	char name[256] = "";

	if (gethostname(name, sizeof name - 1) < 0)
		*name = '\0';
	for (const char *at = name; *at != '\0'; at++)
		if (!isalnum((unsigned char)*at) && *at != '-' && *at != '.')
			*name = '\0';
	buffer_append_string(out, *name != '\0' ? name : "[127.0.0.1]");
}

static enum submitted say_hello(struct submission *submission)
{
	struct buffer command = BUFFER_EMPTY;
	struct smtp_reply reply;

	buffer_append_string(&command, "EHLO ");
	append_own_name(&command);
	buffer_append_string(&command, "\r\n");
	if (send_buffer(submission, &command) < 0 || read_reply(submission, &reply) < 0)
		return SUBMIT_DEFERRED;
	if (reply.code / 100 != 2)
		return judge(submission, "EHLO", &reply, SUBMIT_DEFERRED);
	smtp_capabilities_parse(&reply, &submission->can);
	return SUBMIT_DONE;
}

/* What is known of the server from before TLS is forgotten (RFC 3207 section 4.2). */
static enum submitted start_tls(struct submission *submission)
{
	enum submitted result;

	if (!(submission->can.set & SMTP_CAP_STARTTLS)) {
		error_set(submission->error, "the server does not offer STARTTLS");
		return SUBMIT_DEFERRED;
	}
	if (send_text(submission, "STARTTLS\r\n") < 0)
		return SUBMIT_DEFERRED;
	result = expect(submission, "STARTTLS", 2, SUBMIT_DEFERRED);
	if (result != SUBMIT_DONE)
		return result;
	buffer_consume(etpan_stream_input(submission->stream), submission->taken);
	submission->taken = 0;
	if (etpan_stream_start_tls(submission->stream, submission->context, submission->settings->smtp_tls_name,
		submission->error) != 0)
		return SUBMIT_DEFERRED;
	return say_hello(submission);
}

/* All in the first command (RFC 4954 section 4): a line of SMTP may be as long as its base64. */
static enum submitted log_in(struct submission *submission)
{
	struct buffer command = BUFFER_WIPING;

	if (!(submission->can.set & SMTP_CAP_AUTH_PLAIN)) {
		error_set(submission->error, "the server does not offer AUTH PLAIN on this connection");
		return SUBMIT_DEFERRED;
	}
	buffer_append_string(&command, "AUTH PLAIN ");
	sasl_plain_append(&command, submission->login);
	buffer_append_string(&command, "\r\n");
	return send_buffer(submission, &command) < 0 ? SUBMIT_DEFERRED : expect(submission, "AUTH", 2, SUBMIT_REFUSED);
}

/* --- who to whom ----------------------------------------------------------------------------------------------- */

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static bool has_foreign_address(const struct outgoing *mail)
{
	for (size_t i = 0; i < mail->recipient_count; i++)
		if (!is_ascii(mail->recipients[i]))
			return true;
	return !is_ascii(mail->sender);
}

static enum submitted say_sender(struct submission *submission)
{
	const struct outgoing *mail = submission->mail;
	struct buffer command = BUFFER_EMPTY;
	bool is_foreign = has_foreign_address(mail);

	if (is_foreign && !(submission->can.set & SMTP_CAP_SMTPUTF8)) {
		error_set(submission->error, "an address is not ASCII, and the server does not offer SMTPUTF8");
		return SUBMIT_BAD_RECIPIENT;
	}
	buffer_printf(&command, "MAIL FROM:<%s>", mail->sender);
	if (submission->can.set & SMTP_CAP_SIZE)
		buffer_printf(&command, " SIZE=%llu", (unsigned long long)submission->size);
	if ((submission->can.set & SMTP_CAP_8BITMIME) && outgoing_is_8bit(mail))
		buffer_append_string(&command, " BODY=8BITMIME");
	if ((submission->can.set & SMTP_CAP_SMTPUTF8) && (is_foreign || outgoing_header_is_8bit(mail)))
		buffer_append_string(&command, " SMTPUTF8");
	buffer_append_string(&command, "\r\n");
	return send_buffer(submission, &command) < 0 ? SUBMIT_DEFERRED
		: expect(submission, "MAIL FROM", 2, SUBMIT_REFUSED);
}

static enum submitted say_batch(struct submission *submission, size_t first, size_t count)
{
	const char *const *recipients = submission->mail->recipients + first;
	struct buffer commands = BUFFER_EMPTY;
	enum submitted result = SUBMIT_DONE;
	char to[100];

	for (size_t i = 0; i < count; i++)
		buffer_printf(&commands, "RCPT TO:<%s>\r\n", recipients[i]);
	if (send_buffer(submission, &commands) < 0)
		return SUBMIT_DEFERRED;
	for (size_t i = 0; i < count && result == SUBMIT_DONE; i++) {
		snprintf(to, sizeof to, "RCPT TO:<%s>", recipients[i]);
		result = expect(submission, to, 2, SUBMIT_BAD_RECIPIENT);
	}
	return result;
}

static enum submitted say_recipients(struct submission *submission)
{
	size_t count = submission->mail->recipient_count, most = submission->can.set & SMTP_CAP_PIPELINING ? SUBMIT_BATCH : 1;
	enum submitted result = SUBMIT_DONE;

	for (size_t first = 0; first < count && result == SUBMIT_DONE; first += most)
		result = say_batch(submission, first, count - first < most ? count - first : most);
	return result;
}

/* --- the mail -------------------------------------------------------------------------------------------------- */

static int send_piece(const struct buffer *piece, void *data, struct error *error_r)
{
	struct submission *submission = data;

	submission->events->progress(submission->data);
	return etpan_stream_send(submission->stream, piece->data, piece->length, error_r);
}

/* From here on the mail may be on its way: whatever is no reply leaves that open. */
static enum submitted await_end(struct submission *submission)
{
	int64_t until_ms = now_ms() + (int64_t)SUBMIT_REPLY_S * 1000;
	struct smtp_reply reply;

	while (etpan_stream_wait(submission->stream, SUBMIT_LOOK_MS) == 0) {
		submission->events->progress(submission->data);
		if (now_ms() >= until_ms) {
			error_set(submission->error, "no reply to the mail for %d s", SUBMIT_REPLY_S);
			return SUBMIT_UNKNOWN;
		}
	}
	if (read_reply(submission, &reply) < 0)
		return SUBMIT_UNKNOWN;
	if (reply.code / 100 == 2)
		return SUBMIT_DONE;
	return judge(submission, "the mail", &reply, reply.code == 552 ? SUBMIT_TOO_LARGE : SUBMIT_REFUSED);
}

static enum submitted send_mail(struct submission *submission)
{
	enum submitted result = send_text(submission, "DATA\r\n") < 0 ? SUBMIT_DEFERRED
		: expect(submission, "DATA", 3, SUBMIT_REFUSED);

	if (result != SUBMIT_DONE)
		return result;
	if (outgoing_stream(submission->mail, OUTGOING_FOR_DATA, send_piece, submission, submission->error) < 0)
		return SUBMIT_DEFERRED;
	if (!submission->events->may_end(submission->data)) {
		error_set(submission->error, "nobody waits for it any more");
		return SUBMIT_DEFERRED;
	}
	return send_text(submission, ".\r\n") < 0 ? SUBMIT_UNKNOWN : await_end(submission);
}

static enum submitted check_size(struct submission *submission)
{
	submission->size = outgoing_size(submission->mail, OUTGOING_FOR_DATA);
	if (submission->can.size_max == 0 || submission->size <= submission->can.size_max)
		return SUBMIT_DONE;
	error_set(submission->error, "the server takes mails of %llu bytes, this has %llu",
		(unsigned long long)submission->can.size_max, (unsigned long long)submission->size);
	return SUBMIT_TOO_LARGE;
}

/* --- all of it ------------------------------------------------------------------------------------------------- */

static enum submitted steps(struct submission *submission)
{
	static enum submitted (*const in_order[])(struct submission *) = {
		connect_server, say_hello, start_tls, log_in, check_size, say_sender, say_recipients, send_mail,
	};
	enum submitted result = SUBMIT_DONE;

	for (size_t i = 0; i < sizeof in_order / sizeof *in_order && result == SUBMIT_DONE; i++) {
		if (in_order[i] == start_tls && submission->settings->smtp_tls != IMAP_TLS_STARTTLS)
			continue;
		if (in_order[i] == log_in && !submission->settings->smtp_has_login)
			continue;
		result = in_order[i](submission);
	}
	return result;
}

enum submitted submit_mail(const struct imap_settings *settings, SSL_CTX *context, const struct session_login *login,
	const struct outgoing *mail, const struct submit_events *events, void *data, struct error *error_r)
{
	struct submission submission = {.settings = settings, .context = context, .login = login, .mail = mail,
		.events = events, .data = data, .error = error_r};
	enum submitted result = steps(&submission);
	struct error ignored;

	if (submission.stream == NULL)
		return result;
	etpan_stream_send(submission.stream, "QUIT\r\n", 6, &ignored); /* its answer tells nothing new */
	mailstream_close(submission.stream);
	return result;
}
