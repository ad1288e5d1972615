/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The asynchronous IMAP client: bytes, responses, commands, IDLE. The way to the login is in client_login.c. */
#include "lib/imap/client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/imap/client_internal.h"

/* A server that ends IDLE by itself sooner than this would have us ask again and again. */
enum { IDLE_SHORTEST_MS = 1000 };

static void proceed(struct imap_client *client);

static bool is_over(const struct imap_client *client)
{
	return client->state == IMAP_FAILED || client->state == IMAP_CLOSED;
}

/* --- the one way out ------------------------------------------------------------------------------------------- */

static void free_later(struct deferred *gone)
{
	free(container_of(gone, struct imap_client, gone));
}

void imap_client_close(struct imap_client **owner)
{
	struct imap_client *client = *owner;

	*owner = NULL;
	if (client == NULL || client->state == IMAP_CLOSED)
		return;
	client->state = IMAP_CLOSED;
	timer_stop(client->loop, &client->timer);
	loop_undefer(client->loop, &client->rest);
	stream_close(&client->stream);
	while (client->first != NULL) {
		struct imap_command *command = client->first;
		client->first = command->next;
		free(command);
	}
	free(client->trace_user);
	free(client->for_address);
	loop_defer(client->loop, &client->gone, free_later);
}

void imap_client_logout(struct imap_client **owner)
{
	struct imap_client *client = *owner;

	/* Between IDLE and its "+" the server would take LOGOUT for a wrong DONE. */
	if (client != NULL && client->state == IMAP_READY && client->idle != IMAP_IDLE_ASKED) {
		if (client->idle == IMAP_IDLE_ON)
			imap_client_write_text(client, "DONE\r\n");
		imap_client_write_text(client, "Z LOGOUT\r\n");
		stream_finish(&client->stream);
	}
	imap_client_close(owner);
}

void imap_client_fail(struct imap_client *client, enum imap_failure failure, const char *format, ...)
{
	char why[256];
	va_list args;

	if (is_over(client))
		return;
	client->state = IMAP_FAILED;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	timer_stop(client->loop, &client->timer);
	log_trace(LOG_IMAP, client->trace_user, NULL, "user=%s failed=%d %s", log_quote(client->trace_user), (int)failure, why);
	client->events->failed(client, failure, why, client->owner);
}

/* --- time ------------------------------------------------------------------------------------------------------ */

static bool tries_another(struct imap_client *client);

static void timed_out(struct timer *timer)
{
	struct imap_client *client = container_of(timer, struct imap_client, timer);
	int64_t left_ms = client->login_until_ms - loop_now_ms(client->loop);

	if (client->state != IMAP_READY && left_ms > 0) {
		if (!tries_another(client))
			timer_start(client->loop, &client->timer, left_ms, timed_out);
	} else if (client->state != IMAP_READY) {
		imap_client_fail(client, IMAP_FAILED_NETWORK, "no login within %d s", (int)(client->timeout_ms / 1000));
	} else if (client->idle == IMAP_IDLE_ON) {
		imap_client_write_text(client, "DONE\r\n");
		client->idle = IMAP_IDLE_ENDING;
		timer_start(client->loop, &client->timer, client->timeout_ms, timed_out);
	} else {
		imap_client_fail(client, IMAP_FAILED_NETWORK, "the server said nothing for %d s", (int)(client->timeout_ms / 1000));
	}
}

/* Until ready one deadline holds for all, so that a server that drips does not hold us. */
static void arm(struct imap_client *client)
{
	if (client->state != IMAP_READY)
		return;
	if (client->idle == IMAP_IDLE_ON) {
		int64_t left_ms = client->idle_since_ms + IMAP_IDLE_MS - loop_now_ms(client->loop);
		timer_start(client->loop, &client->timer, left_ms < IMAP_IDLE_SILENCE_MS ? left_ms : IMAP_IDLE_SILENCE_MS, timed_out);
	} else if (client->sent > 0 || client->idle != IMAP_IDLE_OFF) {
		timer_start(client->loop, &client->timer, client->timeout_ms, timed_out);
	} else {
		timer_stop(client->loop, &client->timer);
	}
}

/* --- commands -------------------------------------------------------------------------------------------------- */

void imap_client_write(struct imap_client *client, const void *bytes, size_t length)
{
	stream_write(client->stream, bytes, length);
}

void imap_client_write_text(struct imap_client *client, const char *text)
{
	imap_client_write(client, text, strlen(text));
}

static void write_tag(struct imap_client *client, unsigned *tag_r)
{
	char tag[16];

	*tag_r = ++client->last_tag;
	snprintf(tag, sizeof tag, "A%u ", *tag_r);
	imap_client_write_text(client, tag);
}

static struct imap_command *enqueue(struct imap_client *client, const char *text, imap_answered *answered, void *data)
{
	size_t size = strlen(text) + 1;
	struct imap_command *command = mem_alloc(sizeof *command + size);

	command->answered = answered;
	command->data = data;
	memcpy(command->text, text, size);
	*client->last = command;
	client->last = &command->next;
	return command;
}

static void trace_command(const struct imap_client *client, unsigned tag, const char *shown)
{
	log_trace(LOG_IMAP, client->trace_user, NULL, "user=%s C: A%u %s", log_quote(client->trace_user), tag, shown);
}

void imap_client_begin(struct imap_client *client, const char *shown, imap_answered *answered, void *data)
{
	struct imap_command *command = enqueue(client, "", answered, data);

	write_tag(client, &command->tag);
	trace_command(client, command->tag, shown);
	client->sent++;
}

void imap_client_command(struct imap_client *client, const char *text, imap_answered *answered, void *data)
{
	assert(strpbrk(text, "\r\n") == NULL);
	if (is_over(client))
		return;
	enqueue(client, text, answered, data);
	proceed(client);
}

static void send_waiting(struct imap_client *client)
{
	for (struct imap_command *command = client->first; command != NULL && client->sent < IMAP_COMMANDS_MAX;
		command = command->next) {
		if (command->tag != 0)
			continue;
		write_tag(client, &command->tag);
		imap_client_write_text(client, command->text);
		imap_client_write_text(client, "\r\n");
		client->sent++;
		trace_command(client, command->tag, command->text);
	}
}

static void rest(struct deferred *deferred)
{
	proceed(container_of(deferred, struct imap_client, rest));
}

/* In a turn of its own: a command given in this one goes first. */
void imap_client_idle(struct imap_client *client)
{
	client->wants_idle = true;
	loop_defer(client->loop, &client->rest, rest);
}

/* What is to be done next: commands before rest. */
static void proceed(struct imap_client *client)
{
	if (client->state != IMAP_READY)
		return;
	if (client->idle == IMAP_IDLE_OFF && client->first != NULL) {
		send_waiting(client);
	} else if (client->idle == IMAP_IDLE_ON && client->first != NULL) {
		imap_client_write_text(client, "DONE\r\n");
		client->idle = IMAP_IDLE_ENDING;
	} else if (client->idle == IMAP_IDLE_OFF && client->wants_idle) {
		write_tag(client, &client->idle_tag);
		imap_client_write_text(client, "IDLE\r\n");
		trace_command(client, client->idle_tag, "IDLE");
		client->idle = IMAP_IDLE_ASKED;
	}
	arm(client);
}

void imap_client_enter_ready(struct imap_client *client)
{
	client->state = IMAP_READY;
	client->credentials = NULL;
	arm(client);
	client->events->ready(client, client->owner);
	if (client->state == IMAP_READY)
		proceed(client);
}

unsigned imap_client_capabilities(const struct imap_client *client)
{
	return client->capabilities;
}

/* --- responses ------------------------------------------------------------------------------------------------- */

static bool has_tag(const struct imap_response *response, unsigned tag)
{
	char text[16];

	snprintf(text, sizeof text, "A%u", tag);
	return imap_text_is(response->tag, text);
}

static void idle_ended(struct imap_client *client, const struct imap_response *response)
{
	bool too_soon = client->idle == IMAP_IDLE_ON && loop_now_ms(client->loop) - client->idle_since_ms < IDLE_SHORTEST_MS;

	client->idle = IMAP_IDLE_OFF;
	if (response->condition != IMAP_OK || too_soon)
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server does not stay in IDLE: %s",
			log_quote_bytes(response->text.bytes, response->text.length));
}

static void tagged_came(struct imap_client *client, const struct imap_response *response)
{
	struct imap_command *command = client->first;

	if (client->idle != IMAP_IDLE_OFF && has_tag(response, client->idle_tag)) {
		idle_ended(client, response);
		return;
	}
	/* Commands that stand beside each other may be answered in any order (RFC 3501 §5.5). */
	struct imap_command **link = &client->first;
	while (command != NULL && command->tag != 0 && !has_tag(response, command->tag)) {
		link = &command->next;
		command = command->next;
	}
	if (command == NULL || command->tag == 0) {
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server answered what was not asked");
		return;
	}
	*link = command->next;
	if (command->next == NULL)
		client->last = link;
	client->sent--;
	if (command->answered != NULL)
		command->answered(client, response, command->data);
	free(command);
}

static void continuation_came(struct imap_client *client)
{
	if (client->continued != NULL) {
		client->continued(client);
	} else if (client->idle == IMAP_IDLE_ASKED) {
		client->idle = IMAP_IDLE_ON;
		client->idle_since_ms = loop_now_ms(client->loop);
	} else {
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server asked to go on, with nothing to go on with");
	}
}

static void untagged_came(struct imap_client *client, const struct imap_response *response)
{
	if (client->state == IMAP_GREETING) {
		imap_login_greeted(client, response);
		return;
	}
	if (response->condition == IMAP_BYE) {
		imap_client_fail(client, IMAP_FAILED_NETWORK, "the server said BYE: %s",
			log_quote_bytes(response->text.bytes, response->text.length));
		return;
	}
	imap_login_note_capabilities(client, response);
	if (client->state == IMAP_READY)
		client->events->told(client, response, client->owner);
}

static void response_came(struct imap_client *client, const char *bytes, size_t length)
{
	struct imap_response response;

	log_trace(LOG_IMAP, client->trace_user, NULL, "user=%s S: %s", log_quote(client->trace_user),
		log_quote_bytes(bytes, length));
	client->response_length = length;
	if (imap_response_parse(bytes, length, &response) < 0)
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server does not speak IMAP: %s", log_quote_bytes(bytes, length));
	else if (client->state == IMAP_GREETING && response.kind != IMAP_UNTAGGED)
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server did not greet");
	else if (response.kind == IMAP_UNTAGGED)
		untagged_came(client, &response);
	else if (response.kind == IMAP_TAGGED)
		tagged_came(client, &response);
	else
		continuation_came(client);
}

static void bytes_came(struct imap_client *client)
{
	while (!is_over(client)) {
		struct buffer *input = stream_input(client->stream);
		ssize_t length = imap_framer_next(&client->framer, input->data, input->length);
		if (length < 0)
			imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server sent a response over %d bytes", IMAP_RESPONSE_MAX);
		if (length <= 0)
			break;
		response_came(client, input->data, (size_t)length);
		if (is_over(client))
			return;
		buffer_consume(stream_input(client->stream), (size_t)length);
		if (client->state == IMAP_UPGRADING) {
			client->state = IMAP_CONNECTING;
			client->start_tls(client->stream, client->data);
			return;
		}
	}
	if (!is_over(client))
		proceed(client);
}

static void connected(struct imap_client *client)
{
	if (client->security == IMAP_STARTTLS && client->encrypted) {
		client->state = IMAP_LOGGING_IN;
		imap_login_encrypted(client);
	} else {
		client->state = IMAP_GREETING;
	}
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct imap_client *client = owner;
	bool in_handshake = client->state == IMAP_CONNECTING && client->encrypted;
	enum imap_failure failure = in_handshake ? IMAP_FAILED_TLS : IMAP_FAILED_NETWORK;

	if (is_over(client))
		return;
	client->is_reached = client->is_reached || event != STREAM_FAILED;
	switch (event) {
	case STREAM_CONNECTED:
		if (client->state == IMAP_CONNECTING)
			connected(client);
		break;
	case STREAM_DATA:
		if (client->state == IMAP_CONNECTING && !in_handshake)
			client->state = IMAP_GREETING; /* a stream that was connected when it was given to us */
		if (client->state != IMAP_CONNECTING)
			bytes_came(client);
		break;
	case STREAM_DRAINED: break;
	case STREAM_ENDED: imap_client_fail(client, failure, "the server closed the connection"); break;
	case STREAM_FAILED:
		if (!tries_another(client))
			imap_client_fail(client, failure, "%s", stream_error(stream));
		break;
	}
}

/* An address from which nothing comes back does not take the time of the next. */
static void arm_for_address(struct imap_client *client)
{
	int64_t left_ms = client->login_until_ms - loop_now_ms(client->loop);
	int64_t share_ms = client->another == NULL ? left_ms : client->timeout_ms / IMAP_ADDRESSES_SHARE;

	timer_start(client->loop, &client->timer, share_ms < left_ms ? share_ms : left_ms, timed_out);
}

static void adopt(struct imap_client *client, struct stream *stream)
{
	client->stream = stream;
	arm_for_address(client);
	stream_carry_secrets(stream);
	if (client->security == IMAP_IMPLICIT_TLS) {
		client->start_tls(stream, client->data);
		client->encrypted = true;
	}
	stream_own(stream, happened, client);
}

static bool tries_another(struct imap_client *client)
{
	struct stream *stream = client->is_reached || client->another == NULL ? NULL :
		client->another(client->data, &client->address);

	if (stream == NULL)
		return false;
	stream_close(&client->stream);
	adopt(client, stream);
	return true;
}

struct imap_client *imap_client_create(struct stream *stream, const struct imap_client_options *options,
	const struct imap_credentials *credentials, const struct imap_client_events *events, void *owner)
{
	struct imap_client *client = mem_alloc(sizeof *client);

	client->loop = stream_loop(stream);
	client->events = events;
	client->owner = owner;
	client->security = options->security;
	client->start_tls = options->start_tls;
	client->another = options->another;
	client->address = options->address;
	client->data = options->data;
	client->trace_user = mem_strdup(options->trace_user);
	client->for_address = mem_strdup(options->for_address);
	client->credentials = credentials;
	client->timeout_ms = options->timeout_ms;
	client->last = &client->first;
	client->login_until_ms = loop_now_ms(client->loop) + client->timeout_ms;
	adopt(client, stream);
	return client;
}

void imap_quote(struct buffer *command, const char *text, size_t length)
{
	buffer_append_byte(command, '"');
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"' || text[i] == '\\')
			buffer_append_byte(command, '\\');
		buffer_append_byte(command, (uint8_t)text[i]);
	}
	buffer_append_byte(command, '"');
}
