/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests of phones. */
#include "tests/replay/phone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_xml.h"
#include "lib/core/mem.h"
#include "tests/replay/compose.h"

/* --- composing ------------------------------------------------------------------------------------------------- */

struct wish {
	struct device *device;
	const struct step *step;
	size_t from;
	struct arena *arena;
	const char *command;  /* NULL: OPTIONS */
	unsigned version;
	uint32_t policy_key;
};

static const char *value_of(const struct wish *wish, const char *name)
{
	return step_value(wish->step, wish->from, name, wish->arena);
}

static const char *value_or(const struct wish *wish, const char *name, const char *otherwise)
{
	const char *value = value_of(wish, name);

	return value == NULL ? otherwise : value;
}

static char *base64(const void *bytes, size_t length, struct arena *arena)
{
	char *text = arena_alloc(arena, (length + 2) / 3 * 4 + 1);

	EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	return text;
}

static void put_field(struct buffer *query, const void *bytes, size_t length)
{
	buffer_append_byte(query, (uint8_t)length);
	buffer_append(query, bytes, length);
}

/* MS-ASHTTP 2.2.1.1.1.1: version, command, locale, device id, policy key, device type. */
static const char *short_query(const struct wish *wish)
{
	static const struct { const char *name; uint8_t code; } codes[] = {{"Sync", 0}, {"FolderSync", 9}, {"Ping", 18},
		{"Provision", 20}};
	const char *id = value_or(wish, "id", wish->device->id), *type = value_or(wish, "type", "Replay");
	uint8_t key[4], code = 255;
	struct buffer query = BUFFER_EMPTY;

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(codes[i].name, wish->command) == 0)
			code = codes[i].code;
	for (int i = 0; i < 4; i++)
		key[i] = (uint8_t)(wish->policy_key >> (8 * i));
	buffer_append_byte(&query, (uint8_t)wish->version);
	buffer_append_byte(&query, code);
	buffer_append(&query, "\x09\x04", 2);
	put_field(&query, id, strlen(id));
	put_field(&query, key, wish->policy_key == 0 ? 0 : 4);
	put_field(&query, type, strlen(type));
	const char *text = base64(query.data, query.length, wish->arena);
	buffer_release(&query);
	return text;
}

static void put_header(const struct wish *wish, struct buffer *out, size_t body_length)
{
	const char *user = value_or(wish, "user", wish->device->user);
	const char *login = arena_printf(wish->arena, "%s:%s", user, value_or(wish, "password", wish->device->password));
	bool is_short = step_has(wish->step, wish->from, "base64");

	if (wish->command == NULL)
		buffer_append_string(out, "OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1\r\n");
	else if (is_short)
		buffer_printf(out, "POST /Microsoft-Server-ActiveSync?%s HTTP/1.1\r\n", short_query(wish));
	else
		buffer_printf(out, "POST /Microsoft-Server-ActiveSync?Cmd=%s&User=%s&DeviceId=%s&DeviceType=%s HTTP/1.1\r\n",
			wish->command, user, value_or(wish, "id", wish->device->id), value_or(wish, "type", "Replay"));
	buffer_append_string(out, "Host: mail.example.org\r\n");
	buffer_printf(out, "User-Agent: %s\r\n", value_or(wish, "agent", "Replay/1.0"));
	if (!step_has(wish->step, wish->from, "nologin"))
		buffer_printf(out, "Authorization: Basic %s\r\n", base64(login, strlen(login), wish->arena));
	if (wish->command != NULL && !is_short) {
		buffer_printf(out, "MS-ASProtocolVersion: %u.%u\r\n", wish->version / 10, wish->version % 10);
		if (strcmp(value_or(wish, "policy", "last"), "none") != 0)
			buffer_printf(out, "X-MS-PolicyKey: %u\r\n", wish->policy_key);
	}
	if (value_of(wish, "header") != NULL)
		buffer_printf(out, "%s\r\n", value_of(wish, "header"));
	if (body_length > 0)
		buffer_printf(out, "Content-Type: %s\r\n", value_or(wish, "content", "application/vnd.ms-sync.wbxml"));
	buffer_printf(out, "Content-Length: %zu\r\n\r\n", body_length);
}

static void understand(struct wish *wish)
{
	const char *version = value_of(wish, "version"), *policy = value_or(wish, "policy", "last");
	unsigned major, minor;

	wish->version = wish->device->version;
	if (version != NULL && sscanf(version, "%u.%u", &major, &minor) == 2)
		wish->version = major * 10 + minor;
	if (strcmp(policy, "last") == 0)
		wish->policy_key = wish->device->policy_key;
	else if (strcmp(policy, "before") == 0)
		wish->policy_key = wish->device->policy_key_before;
	else
		wish->policy_key = (uint32_t)strtoul(policy, NULL, 10);
}

struct phone_request *phone_request_create(struct device *device, struct device *knower, const struct step *step,
	size_t from, struct arena *arena, struct error *error_r)
{
	struct wish wish = {.device = device, .step = step, .from = from, .arena = arena};
	struct buffer body = BUFFER_EMPTY;

	wish.command = step_value(step, from, "Cmd", arena);
	if (wish.command == NULL && !step_has(step, from, "OPTIONS")) {
		error_set(error_r, "a request is \"POST Cmd=…\" or \"OPTIONS\"");
		return NULL;
	}
	understand(&wish);
	if (wish.command != NULL && compose_body(knower, wish.command, step, from, arena, &body, error_r) < 0) {
		buffer_release(&body);
		return NULL;
	}
	struct phone_request *request = mem_alloc(sizeof *request);
	*request = (struct phone_request){.device = device, .step = step, .state = PHONE_LOST,
		.command = mem_strdup(wish.command == NULL ? "OPTIONS" : wish.command),
		.front = (unsigned)step_number(step, from, "front", 1)};
	put_header(&wish, &request->bytes, body.length);
	request->body_at = request->bytes.length;
	buffer_append(&request->bytes, body.data, body.length);
	buffer_release(&body);
	return request;
}

struct phone_request *phone_request_copy(const struct phone_request *from)
{
	struct phone_request *copy = mem_alloc(sizeof *copy);

	*copy = (struct phone_request){.device = from->device, .step = from->step, .state = PHONE_LOST,
		.command = mem_strdup(from->command), .front = from->front, .body_at = from->body_at};
	buffer_append(&copy->bytes, from->bytes.data, from->bytes.length);
	return copy;
}

void phone_request_free(struct phone_request **owner)
{
	struct phone_request *request = *owner;

	if (request == NULL)
		return;
	phone_hang_up(request);
	buffer_release(&request->bytes);
	buffer_release(&request->head);
	buffer_release(&request->body);
	buffer_release(&request->input);
	free(request->command);
	free(request);
	*owner = NULL;
}

/* --- sending and the answer ------------------------------------------------------------------------------------ */

void phone_hang_up(struct phone_request *request)
{
	stream_close(&request->stream);
}

static const char *header_in(const char *head, const char *name, size_t *length_r)
{
	size_t length = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
			const char *value = line + 3 + length;
			value += strspn(value, " ");
			*length_r = strcspn(value, "\r");
			return value;
		}
	return NULL;
}

const char *phone_header(struct phone_request *request, const char *name, struct arena *arena)
{
	size_t length = 0;
	const char *value = header_in(buffer_string(&request->head), name, &length);

	return value == NULL ? NULL : arena_strndup(arena, value, length);
}

/* Whether all chunks are there; if so they are put together in the body. */
static bool take_chunks(struct phone_request *request)
{
	const char *at = request->input.data, *end = at + request->input.length;

	buffer_release(&request->body);
	while (at < end) {
		char *after;
		const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
		if (line_end == NULL)
			return false;
		size_t length = strtoul(at, &after, 16);
		at = line_end + 2;
		if (length == 0)
			return end - at >= 2;
		if ((size_t)(end - at) < length + 2)
			return false;
		buffer_append(&request->body, at, length);
		at += length + 2;
	}
	return false;
}

static bool take_body(struct phone_request *request)
{
	size_t length;
	const char *head = buffer_string(&request->head), *value = header_in(head, "Transfer-Encoding", &length);

	if (value != NULL)
		return take_chunks(request);
	value = header_in(head, "Content-Length", &length);
	size_t wanted = value == NULL ? 0 : strtoul(value, NULL, 10);
	if (request->input.length < wanted)
		return false;
	buffer_append(&request->body, request->input.data, wanted);
	return true;
}

/* Whether the whole answer has come. */
static bool take_answer(struct phone_request *request)
{
	if (request->head.length == 0) {
		const char *end = memmem(request->input.data, request->input.length, "\r\n\r\n", 4);
		if (end == NULL)
			return false;
		size_t length = (size_t)(end - request->input.data) + 4;
		buffer_append(&request->head, request->input.data, length);
		buffer_consume(&request->input, length);
	}
	if (!take_body(request))
		return false;
	sscanf(buffer_string(&request->head), "HTTP/1.1 %u", &request->status);
	return true;
}

/* Into the folder that check_answers named, to be held against the schemas. */
static void keep_answer(const struct phone_request *request)
{
	static const struct wbxml_xml_options options = {0};
	const char *folder = getenv("TRY_ANSWERS");
	static unsigned count;
	struct buffer xml = BUFFER_EMPTY;
	struct error error;
	char path[512];

	if (folder == NULL || request->status != 200 || request->body.length == 0)
		return;
	snprintf(path, sizeof path, "%s/replay-%05u.xml", folder, ++count);
	FILE *file = fopen(path, "w");
	if (file != NULL && wbxml_to_xml(&xml, &activesync_language, request->body.data, request->body.length, &options,
	    &error) == 0)
		fwrite(xml.data, 1, xml.length, file);
	if (file != NULL)
		fclose(file);
	buffer_release(&xml);
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct phone_request *request = owner;
	struct buffer *input = stream_input(stream);

	if (event == STREAM_DATA) {
		buffer_append(&request->input, input->data, input->length);
		buffer_consume(input, input->length);
		if (!take_answer(request))
			return;
		request->state = PHONE_ANSWERED;
		keep_answer(request);
	} else if (event == STREAM_ENDED || event == STREAM_FAILED)
		request->state = PHONE_LOST;
	else
		return;
	stream_close(&request->stream);
}

void phone_request_send(struct phone_request *request, struct net *net)
{
	phone_hang_up(request);
	buffer_release(&request->head);
	buffer_release(&request->body);
	buffer_release(&request->input);
	request->status = 0;
	request->state = PHONE_WAITING;
	request->stream = net_connect(net, "http/0", happened, request);
	stream_write(request->stream, request->bytes.data, request->bytes.length);
}

static int root_of(const char *bytes, size_t length, struct arena *arena, const struct wbxml_node **root_r,
	struct error *error_r)
{
	struct wbxml_tree tree;

	*root_r = NULL;
	if (length == 0)
		return 0;
	char *copy = arena_alloc(arena, length); /* the tree points into it */
	memcpy(copy, bytes, length);
	if (wbxml_tree_parse(&tree, arena, &activesync_language, copy, length, error_r) < 0)
		return -1;
	*root_r = tree.root;
	return 0;
}

int phone_request_root(struct phone_request *request, struct arena *arena, const struct wbxml_node **root_r,
	struct error *error_r)
{
	return root_of(request->bytes.data + request->body_at, request->bytes.length - request->body_at, arena, root_r,
		error_r);
}

int phone_answer_root(struct phone_request *request, struct arena *arena, const struct wbxml_node **root_r,
	struct error *error_r)
{
	const char *type = phone_header(request, "Content-Type", arena);

	*root_r = NULL;
	if (type == NULL || strstr(type, "wbxml") == NULL)
		return 0;
	return root_of(request->body.data, request->body.length, arena, root_r, error_r);
}

const char *phone_answer_text(struct phone_request *request, struct arena *arena)
{
	static const struct wbxml_xml_options options = {.indent = true, .opaque_as_text = true, .text_max = 200};
	struct buffer text = BUFFER_EMPTY;
	struct error error;
	const char *type = phone_header(request, "Content-Type", arena);

	if (request->state != PHONE_ANSWERED)
		return request->state == PHONE_WAITING ? "no answer yet" : "the connection was closed without an answer";
	buffer_printf(&text, "HTTP %u, %zu bytes\n", request->status, request->body.length);
	if (type != NULL && strstr(type, "wbxml") != NULL && request->body.length > 0)
		wbxml_to_xml(&text, &activesync_language, request->body.data, request->body.length, &options, &error);
	else
		buffer_append(&text, request->body.data, request->body.length);
	const char *copy = arena_strdup(arena, buffer_string(&text));
	buffer_release(&text);
	return copy;
}
