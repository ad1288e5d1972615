/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A front with the engine, a phone that talks to it, and bodies in shorthand. */
#include "tests/unit/gateway/activesync/try_engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_writer.h"
#include "lib/codec/wbxml_xml.h"
#include "lib/core/log.h"
#include "tests/unit/gateway/activesync/try_ends.h"

static unsigned errors;
static char logged[1024];

static void note_errors(enum log_level level, const char *line, void *data)
{
	(void)data;
	if (getenv("TRY_VERBOSE") != NULL)
		fprintf(stderr, "%s\n", line);
	errors += level == LOG_LEVEL_ERROR;
	if (level != LOG_LEVEL_ERROR)
		snprintf(logged, sizeof logged, "%s", line);
}

const char *try_logged(void)
{
	return logged;
}

unsigned try_errors(void)
{
	unsigned count = errors;

	errors = 0;
	return count;
}

/* --- the world ------------------------------------------------------------------------------------------------- */

static const char *instance_for(const struct directory *directory, const char *user)
{
	(void)directory;
	return strstr(user, "@example.org") != NULL ? "imap" : NULL;
}

void try_begin(struct try_engine *try, const struct policy_settings *policy)
{
	struct error error = {""};

	*try = (struct try_engine){.loop = loop_create_manual(1700000000), .handle_bytes = 16};
	try->net = net_create_memory(try->loop);
	try->directory = (struct directory){.default_domain = "example.org", .instance_for = instance_for};
	try->settings = (struct activesync_engine_settings){
		.limits = {.heartbeat_min_s = 60, .heartbeat_max_s = 3540, .max_folders = 5, .window_max = 512, .max_devices = 10, .max_mail_size = 1000000},
		.directory = &try->directory,
	};
	try->autodiscover.directory = &try->directory;
	if (policy != NULL)
		try->settings.policy = *policy;
	log_set_sink(note_errors, NULL);
	errors = 0;
	try_ends_begin(try);
	const struct front_engine engines[] = {
		{&activesync_engine, &try->settings}, {&autodiscover_engine, &try->autodiscover}};
	struct front_settings settings = {.number = 1, .connections_max = 10, .http_places = 1, .engines = engines,
		.engine_count = 2, .net = try->net};
	try->front = front_create(&settings, &error);
	assert_non_null(try->front);
	loop_settle(try->loop);
}

void try_end(struct try_engine *try)
{
	assert_int_equal(errors, 0);
	stream_close(&try->phone);
	loop_settle(try->loop);
	assert_int_equal(try->open_transactions, 0);
	front_free(&try->front);
	loop_settle(try->loop);
	try_ends_end(try);
	loop_settle(try->loop);
	net_free(&try->net);
	buffer_release(&try->got);
	buffer_release(&try->head);
	buffer_release(&try->body);
	buffer_release(&try->xml);
	buffer_release(&try->sent.mail);
	loop_free(&try->loop);
}

/* --- the phone ------------------------------------------------------------------------------------------------- */

static void phone_event(struct stream *stream, enum stream_event event, void *owner)
{
	struct try_engine *try = owner;

	if (event == STREAM_DATA) {
		buffer_append(&try->got, stream_input(stream)->data, stream_input(stream)->length);
		buffer_consume(stream_input(stream), stream_input(stream)->length);
	}
	try->phone_ended |= event == STREAM_ENDED || event == STREAM_FAILED;
}

/* Into the folder that check_answers named, to be held against the schemas. */
static void keep_answer(struct try_engine *try)
{
	const char *folder = getenv("TRY_ANSWERS");
	static unsigned count;
	char path[512];

	if (folder == NULL)
		return;
	snprintf(path, sizeof path, "%s/%s-%04u.xml", folder, program_invocation_short_name, ++count);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fwrite(try->xml.data, 1, try->xml.length, file);
	fclose(file);
}

static void read_document(struct try_engine *try)
{
	struct wbxml_xml_options options = {0};
	struct error error = {""};
	const char *type = try_header(try, "Content-Type");

	buffer_truncate(&try->xml, 0);
	if (try->body.length == 0 || type == NULL)
		return;
	if (strncmp(type, "text/xml", 8) == 0)
		buffer_append(&try->xml, try->body.data, try->body.length);
	else if (strcmp(type, "application/vnd.ms-sync.wbxml") != 0)
		return;
	else if (wbxml_to_xml(&try->xml, &activesync_language, try->body.data, try->body.length, &options, &error) < 0)
		fail_msg("an answer is no WBXML: %s", error.text);
	const char *root = strstr(buffer_string(&try->xml), "?>");
	buffer_consume(&try->xml, (size_t)(root + 2 - try->xml.data));
	buffer_truncate(&try->xml, try->xml.length - 1);
	keep_answer(try);
}

static void read_answer(struct try_engine *try)
{
	const char *text = buffer_string(&try->got), *end = strstr(text, "\r\n\r\n");
	size_t head = end == NULL ? 0 : (size_t)(end - text) + 4;

	if (end == NULL)
		return;
	buffer_truncate(&try->head, 0);
	buffer_append(&try->head, text, head);
	const char *length = try_header(try, "Content-Length");
	assert_non_null(length);
	size_t body = strtoul(length, NULL, 10);
	if (try->got.length < head + body)
		return;
	buffer_truncate(&try->body, 0);
	buffer_append(&try->body, try->got.data + head, body);
	buffer_consume(&try->got, head + body);
	try->status = (unsigned)strtoul(buffer_string(&try->head) + 9, NULL, 10);
	read_document(try);
}

unsigned try_settle(struct try_engine *try)
{
	loop_settle(try->loop);
	read_answer(try);
	return try->status;
}

unsigned try_advance(struct try_engine *try, int64_t ms)
{
	loop_advance(try->loop, ms);
	return try_settle(try);
}

static void add_header(struct buffer *text, const char *name, const char *value)
{
	if (value != NULL)
		buffer_printf(text, "%s: %s\r\n", name, value);
}

static void write_request(const struct try_request *ask, const struct buffer *body, struct buffer *text)
{
	const char *login = ask->login == NULL ? "alice:secret" : ask->login;
	char usual[256], basic[512];

	snprintf(usual, sizeof usual, "/Microsoft-Server-ActiveSync?Cmd=%s&User=alice&DeviceId=%s&DeviceType=phone", ask->command,
		ask->device == NULL ? "dev1" : ask->device);
	EVP_EncodeBlock((unsigned char *)basic, (const unsigned char *)login, (int)strlen(login));
	if (ask->query != NULL)
		snprintf(usual, sizeof usual, "/Microsoft-Server-ActiveSync?%s", ask->query);
	buffer_printf(text, "%s %s HTTP/1.1\r\nHost: %s\r\n", ask->method == NULL ? "POST" : ask->method,
		ask->path == NULL ? usual : ask->path, ask->host == NULL ? "h" : ask->host);
	add_header(text, "X-Forwarded-Proto", ask->scheme);
	if (login[0] != '\0')
		buffer_printf(text, "Authorization: Basic %s\r\n", basic);
	add_header(text, "MS-ASProtocolVersion", ask->version == NULL ? "14.1" : ask->version);
	add_header(text, "X-MS-PolicyKey", ask->policy_key);
	add_header(text, "User-Agent", ask->agent == NULL ? "Try/1" : ask->agent);
	buffer_printf(text, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
		ask->type == NULL ? "application/vnd.ms-sync.wbxml" : ask->type, body->length);
	if (body->length != 0)
		buffer_append(text, body->data, body->length);
}

unsigned try_ask(struct try_engine *try, const struct try_request *ask)
{
	struct buffer body = BUFFER_EMPTY, text = BUFFER_EMPTY;

	stream_close(&try->phone);
	loop_settle(try->loop);
	buffer_truncate(&try->got, 0);
	buffer_truncate(&try->head, 0);
	buffer_truncate(&try->body, 0);
	buffer_truncate(&try->xml, 0);
	try->status = 0;
	try->phone_ended = false;
	if (ask->body != NULL)
		try_compose(ask->body, &body);
	write_request(ask, ask->bytes == NULL ? &body : ask->bytes, &text);
	try->phone = net_connect(try->net, "http/0", phone_event, try);
	stream_write(try->phone, text.data, text.length);
	buffer_release(&body);
	buffer_release(&text);
	return try_settle(try);
}

const char *try_command(struct try_engine *try, const char *command, const char *body)
{
	assert_int_equal(try_ask(try, &(struct try_request){.command = command, .body = body}), 200);
	return buffer_string(&try->xml);
}

/* --- answers --------------------------------------------------------------------------------------------------- */

const char *try_header(struct try_engine *try, const char *name)
{
	static char value[256];
	char start[64];

	snprintf(start, sizeof start, "\r\n%s: ", name);
	const char *line = strstr(buffer_string(&try->head), start);
	if (line == NULL)
		return NULL;
	line += strlen(start);
	snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r"), line);
	return value;
}

const char *try_text(struct try_engine *try, const char *element, unsigned nth)
{
	static char text[256];
	char open[64];
	const char *at = buffer_string(&try->xml);

	snprintf(open, sizeof open, "<%s", element);
	for (;; at++) {
		at = strstr(at, open);
		if (at == NULL)
			return "";
		char after = at[strlen(open)];
		if ((after == '>' || after == ' ' || after == '/') && nth-- == 0)
			break;
	}
	at += strcspn(at, ">") + 1;
	snprintf(text, sizeof text, "%.*s", at[-2] == '/' ? 0 : (int)strcspn(at, "<"), at);
	return text;
}

unsigned try_count(struct try_engine *try, const char *text)
{
	unsigned count = 0;

	for (const char *at = buffer_string(&try->xml); (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

void try_folders(struct try_engine *try)
{
	try_command(try, "FolderSync", "FolderSync{SyncKey=0}");
	assert_string_equal(try_text(try, "Status", 0), "1");
}

const char *try_sync_all(struct try_engine *try, unsigned collection)
{
	static char key[64];
	char body[256];

	strcpy(key, "0");
	for (bool is_first = true, is_over = false; !is_over; is_first = false) {
		snprintf(body, sizeof body, "Sync{Collections{Collection{SyncKey=%s CollectionId=%u}}}", key, collection);
		if (*try_command(try, "Sync", body) == '\0')
			return key; /* nothing new */
		assert_string_equal(try_text(try, "Status", 0), "1");
		strcpy(key, try_text(try, "SyncKey", 0));
		is_over = !is_first && try_count(try, "<Commands>") == 0 && try_count(try, "<MoreAvailable/>") == 0;
	}
	return key;
}

/* --- bodies in shorthand --------------------------------------------------------------------------------------- */

static uint16_t find_on_page(unsigned page, const char *name)
{
	for (unsigned token = WBXML_TAG_FIRST; token < WBXML_TAGS_A_PAGE; token++) {
		const char *known = activesync_token_name((uint8_t)page, (uint8_t)token);
		if (known != NULL && strcmp(known, name) == 0)
			return (uint16_t)(page << 8 | token);
	}
	return 0;
}

static uint16_t find_tag(unsigned page, const char *name)
{
	const char *colon = strchr(name, ':');
	uint16_t tag = colon == NULL ? find_on_page(page, name) : 0;

	for (unsigned other = 0; tag == 0 && other < ACTIVESYNC_PAGES; other++)
		if (colon == NULL)
			tag = find_on_page(other, name);
		else if (strncmp(activesync_language.pages[other].xmlns, name, (size_t)(colon - name)) == 0 &&
			 activesync_language.pages[other].xmlns[colon - name] == '\0')
			tag = find_on_page(other, colon + 1);
	if (tag == 0)
		fail_msg("no tag %s", name);
	return tag;
}

static const char *compose_elements(const char *at, unsigned page, struct wbxml_writer *writer)
{
	while (*at != '\0' && *at != '}') {
		char name[64], value[256];
		size_t length = strcspn(at, "={} ");
		if (length == 0) {
			at++;
			continue;
		}
		snprintf(name, sizeof name, "%.*s", (int)length, at);
		at += length;
		uint16_t tag = find_tag(page, name);
		if (*at == '=') {
			length = strcspn(++at, "} ");
			snprintf(value, sizeof value, "%.*s", (int)length, at);
			wbxml_writer_text_element(writer, tag, value);
			at += length;
			continue;
		}
		wbxml_writer_start(writer, tag);
		if (*at == '{') {
			at = compose_elements(at + 1, tag >> 8, writer);
			at += *at == '}';
		}
		wbxml_writer_end(writer);
	}
	return at;
}

void try_compose(const char *shorthand, struct buffer *wbxml)
{
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, wbxml, &activesync_language);
	compose_elements(shorthand, 0, &writer);
	wbxml_writer_finish(&writer);
}
