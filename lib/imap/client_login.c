/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the greeting to the login, in order of time. Nothing that was said in plain text outlives STARTTLS. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "lib/imap/client_internal.h"

static void choose_login(struct imap_client *client);

/* --- greeting, capabilities, STARTTLS -------------------------------------------------------------------------- */

void imap_login_note_capabilities(struct imap_client *client, const struct imap_response *response)
{
	if (imap_text_is(response->keyword, "CAPABILITY"))
		client->capabilities = imap_capabilities_parse(response->rest);
	else if (imap_text_is(response->code, "CAPABILITY"))
		client->capabilities = imap_capabilities_parse(response->code_rest);
	else
		return;
	client->has_capabilities = true;
}

static void upgraded(struct imap_client *client, const struct imap_response *response, void *data)
{
	(void)data;
	if (response->condition != IMAP_OK) {
		imap_client_fail(client, IMAP_FAILED_TLS, "the server refused STARTTLS");
		return;
	}
	/* What stands behind the OK already was sent in plain text, perhaps by somebody between us (CVE-2020-15953). */
	if (stream_input(client->stream)->length > client->response_length) {
		imap_client_fail(client, IMAP_FAILED_TLS, "plain text was slipped in behind STARTTLS");
		return;
	}
	client->state = IMAP_UPGRADING;
	client->encrypted = true;
}

void imap_login_encrypted(struct imap_client *client)
{
	client->has_capabilities = false;
	client->capabilities = 0;
	client->framer = (struct imap_framer){0};
	choose_login(client);
}

static void start_tls(struct imap_client *client)
{
	if (!(client->capabilities & IMAP_CAP_STARTTLS)) {
		imap_client_fail(client, IMAP_FAILED_TLS, "the server does not offer STARTTLS");
		return;
	}
	imap_client_begin(client, "STARTTLS", upgraded, NULL);
	imap_client_write_text(client, "STARTTLS\r\n");
}

static void capability_answered(struct imap_client *client, const struct imap_response *response, void *data)
{
	(void)data;
	imap_login_note_capabilities(client, response);
	if (response->condition != IMAP_OK || !client->has_capabilities)
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server does not say what it can");
	else
		choose_login(client);
}

void imap_login_greeted(struct imap_client *client, const struct imap_response *response)
{
	if (response->condition == IMAP_PREAUTH) {
		imap_client_fail(client, client->encrypted ? IMAP_FAILED_PROTOCOL : IMAP_FAILED_TLS,
			"the server greeted with PREAUTH: it would check no password");
	} else if (response->condition != IMAP_OK) {
		imap_client_fail(client, IMAP_FAILED_NETWORK, "the server does not want us now: %s",
			log_quote_bytes(response->text.bytes, response->text.length));
	} else {
		client->state = IMAP_LOGGING_IN;
		imap_login_note_capabilities(client, response);
		choose_login(client);
	}
}

/* --- login ----------------------------------------------------------------------------------------------------- */

/* RFC 5530: what a NO says of the server, not of the password. */
static bool is_busy(const struct imap_response *response)
{
	static const char *const codes[] = {"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "OVERQUOTA"};

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (imap_text_is(response->code, codes[i]))
			return true;
	return false;
}

static void capability_after_login(struct imap_client *client, const struct imap_response *response, void *data)
{
	(void)data;
	(void)response;
	imap_client_enter_ready(client);
}

static void login_answered(struct imap_client *client, const struct imap_response *response, void *data)
{
	const char *said = log_quote_bytes(response->text.bytes, response->text.length);

	(void)data;
	client->continued = NULL;
	if (response->condition == IMAP_NO) {
		imap_client_fail(client, is_busy(response) ? IMAP_FAILED_BUSY : IMAP_FAILED_REFUSED, "login: %s", said);
	} else if (response->condition == IMAP_BAD) {
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "login: the server did not understand: %s", said);
	} else {
		imap_login_note_capabilities(client, response);
		if (client->has_capabilities) {
			imap_client_enter_ready(client);
			return;
		}
		imap_client_begin(client, "CAPABILITY", capability_after_login, NULL);
		imap_client_write_text(client, "CAPABILITY\r\n");
	}
}

/* RFC 4616: authorization identity, NUL, user, NUL, password; in base64. */
static void write_plain(struct imap_client *client)
{
	const struct imap_credentials *credentials = client->credentials;
	struct buffer message = BUFFER_WIPING;

	if (credentials->authorize_as != NULL)
		buffer_append_string(&message, credentials->authorize_as);
	buffer_append_byte(&message, 0);
	buffer_append_string(&message, credentials->user);
	buffer_append_byte(&message, 0);
	buffer_append_string(&message, credentials->password);
	size_t room = (message.length + 2) / 3 * 4 + 1;
	unsigned char *encoded = mem_alloc(room);
	int length = EVP_EncodeBlock(encoded, (const unsigned char *)message.data, (int)message.length);
	imap_client_write(client, encoded, (size_t)length);
	imap_client_write_text(client, "\r\n");
	mem_wipe(encoded, room);
	free(encoded);
	buffer_release(&message);
	client->continued = NULL;
}

static void authenticate_plain(struct imap_client *client)
{
	imap_client_begin(client, "AUTHENTICATE PLAIN ***", login_answered, NULL);
	if (client->capabilities & IMAP_CAP_SASL_IR) {
		imap_client_write_text(client, "AUTHENTICATE PLAIN ");
		write_plain(client);
	} else {
		imap_client_write_text(client, "AUTHENTICATE PLAIN\r\n");
		client->continued = write_plain;
	}
}

/* Literals carry whatever is in a name or password (RFC 3501 §4.3): ask, send, ask, send. */
static void write_password(struct imap_client *client)
{
	client->continued = NULL;
	imap_client_write_text(client, client->credentials->password);
	imap_client_write_text(client, "\r\n");
}

static void write_literal_head(struct imap_client *client, const char *before, const char *text,
	void (*continued)(struct imap_client *))
{
	struct buffer head = BUFFER_EMPTY;

	buffer_printf(&head, "%s{%zu}\r\n", before, strlen(text));
	imap_client_write(client, head.data, head.length);
	buffer_release(&head);
	client->continued = continued;
}

static void write_user(struct imap_client *client)
{
	imap_client_write_text(client, client->credentials->user);
	write_literal_head(client, " ", client->credentials->password, write_password);
}

static bool is_plain_text(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80 || *text == '\r' || *text == '\n')
			return false;
	return true;
}

static void login(struct imap_client *client)
{
	const struct imap_credentials *credentials = client->credentials;
	struct buffer line = BUFFER_WIPING;

	imap_client_begin(client, "LOGIN ***", login_answered, NULL);
	if (!is_plain_text(credentials->user) || !is_plain_text(credentials->password)) {
		write_literal_head(client, "LOGIN ", credentials->user, write_user);
		return;
	}
	buffer_append_string(&line, "LOGIN ");
	imap_quote(&line, credentials->user, strlen(credentials->user));
	buffer_append_byte(&line, ' ');
	imap_quote(&line, credentials->password, strlen(credentials->password));
	buffer_append_string(&line, "\r\n");
	imap_client_write(client, line.data, line.length);
	buffer_release(&line);
}

/* Does not wait for the answer, and takes any. IPv6 addresses may come in brackets. */
static void say_for_whom(struct imap_client *client)
{
	const char *address = client->for_address;
	struct buffer line = BUFFER_EMPTY;

	if (address == NULL || !(client->capabilities & IMAP_CAP_ID) || !is_plain_text(address))
		return;
	address += address[0] == '[';
	buffer_append_string(&line, "ID (\"name\" \"belfry\" \"x-originating-ip\" ");
	imap_quote(&line, address, strcspn(address, "]"));
	buffer_append_string(&line, ")\r\n");
	imap_client_begin(client, "ID", NULL, NULL);
	imap_client_write(client, line.data, line.length);
	buffer_release(&line);
}

static void choose_login(struct imap_client *client)
{
	if (!client->has_capabilities) {
		imap_client_begin(client, "CAPABILITY", capability_answered, NULL);
		imap_client_write_text(client, "CAPABILITY\r\n");
		return;
	}
	if (client->security == IMAP_STARTTLS && !client->encrypted) {
		start_tls(client);
		return;
	}
	client->has_capabilities = false; /* a login changes them */
	say_for_whom(client);
	if (client->capabilities & IMAP_CAP_AUTH_PLAIN)
		authenticate_plain(client);
	else if (client->credentials->authorize_as != NULL)
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server has no AUTH=PLAIN, which a master user needs");
	else if (!(client->capabilities & IMAP_CAP_LOGINDISABLED))
		login(client);
	else
		imap_client_fail(client, IMAP_FAILED_PROTOCOL, "the server offers no login with a password (LOGINDISABLED)");
}
