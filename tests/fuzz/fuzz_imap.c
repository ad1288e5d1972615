/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An IMAP server's bytes: framed, parsed, walked token by token; then the same bytes said to a client that logs in,
 * in two portions, so that each state meets them.
 */
#include <assert.h>
#include <stdlib.h>

#include "lib/core/stream.h"
#include "lib/imap/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct imap_text text)
{
	struct imap_cursor cursor = imap_cursor_over(text);
	struct imap_token token;
	struct buffer value = BUFFER_EMPTY;
	uint64_t number;

	while ((token = imap_token_next(&cursor)).kind != IMAP_END && token.kind != IMAP_BROKEN) {
		assert(token.text.bytes >= text.bytes && token.text.bytes + token.text.length <= text.bytes + text.length);
		imap_token_append(&token, &value);
		imap_token_number(&token, &number);
	}
	buffer_release(&value);
}

static void parse(const char *bytes, size_t length)
{
	struct imap_response response;
	struct imap_status status;
	struct buffer name = BUFFER_EMPTY;

	if (imap_response_parse(bytes, length, &response) < 0)
		return;
	walk(response.rest);
	imap_capabilities_parse(response.rest);
	imap_status_parse(response.rest, &status, &name);
	buffer_release(&name);
}

static void frame(const char *bytes, size_t length)
{
	struct imap_framer framer = {0};
	ssize_t taken;

	while ((taken = imap_framer_next(&framer, bytes, length)) > 0) {
		assert((size_t)taken <= length);
		parse(bytes, (size_t)taken);
		bytes += taken;
		length -= (size_t)taken;
	}
}

static void answered(struct imap_client *client, const struct imap_response *response, void *data)
{
	(void)client;
	(void)response;
	(void)data;
}

static void ready(struct imap_client *client, void *owner)
{
	(void)owner;
	imap_client_command(client, "STATUS INBOX (UNSEEN)", answered, NULL);
	imap_client_idle(client);
}

static void told(struct imap_client *client, const struct imap_response *response, void *owner)
{
	(void)client;
	(void)response;
	(void)owner;
}

static void failed(struct imap_client *client, enum imap_failure failure, const char *why, void *owner)
{
	(void)client;
	(void)failure;
	(void)why;
	imap_client_close(owner);
}

static void start_tls(struct stream *stream, void *data)
{
	(void)stream;
	(void)data;
}

static void converse(const char *bytes, size_t length, enum imap_security security)
{
	static const struct imap_client_events events = {ready, told, failed};
	static const struct imap_credentials credentials = {"alice", "s\xc3\xa4", NULL};
	struct imap_client_options options = {.security = security, .start_tls = start_tls, .timeout_ms = 1000};
	struct loop *loop = loop_create_manual(0);
	struct imap_client *client = NULL;
	struct stream *near, *far;

	stream_memory_pair(loop, &near, &far);
	client = imap_client_create(near, &options, &credentials, &events, &client);
	stream_write(far, bytes, length / 2);
	loop_settle(loop);
	stream_write(far, bytes + length / 2, length - length / 2);
	loop_settle(loop);
	loop_advance(loop, 2000);
	imap_client_close(&client);
	stream_close(&far);
	loop_settle(loop);
	loop_free(&loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;

	frame(bytes, size);
	converse(bytes, size, IMAP_PLAIN);
	converse(bytes, size, IMAP_STARTTLS);
	return 0;
}
