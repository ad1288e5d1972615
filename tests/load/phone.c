/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A simulated phone: one request at a time on one connection, the next when the answer has been read. */
#include "tests/load/phone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_tree.h"
#include "lib/codec/wbxml_writer.h"
#include "lib/core/arena.h"
#include "lib/core/mem.h"
#include "lib/net/net.h"

int64_t phone_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void broken(struct phone *phone, const char *why)
{
	stream_close(&phone->stream);
	phone->state = PHONE_BROKEN;
	phone->settings->events->broken(phone, why);
}

/* --- asking ---------------------------------------------------------------------------------------------------- */

static void base64(const char *text, char *encoded)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i += 3) {
		uint32_t bits = (uint32_t)(unsigned char)text[i] << 16;
		bits |= i + 1 < length ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
		bits |= i + 2 < length ? (uint32_t)(unsigned char)text[i + 2] : 0;
		*encoded++ = digits[bits >> 18];
		*encoded++ = digits[bits >> 12 & 63];
		*encoded++ = i + 1 < length ? digits[bits >> 6 & 63] : '=';
		*encoded++ = i + 2 < length ? digits[bits & 63] : '=';
	}
	*encoded = '\0';
}

static void send_request(struct phone *phone, const char *command, struct buffer *body)
{
	struct buffer request = BUFFER_EMPTY;
	char login[200], encoded[300];

	snprintf(login, sizeof login, "u%u@%s:%s", phone->number, phone->settings->domain, phone->settings->password);
	base64(login, encoded);
	buffer_printf(&request, "POST /Microsoft-Server-ActiveSync?Cmd=%s&User=u%u&DeviceId=load%u&DeviceType=Load HTTP/1.1\r\n"
		"Host: bench\r\nAuthorization: Basic %s\r\nUser-Agent: belfry-load\r\nMS-ASProtocolVersion: 14.1\r\n"
		"X-MS-PolicyKey: %u\r\nContent-Type: application/vnd.ms-sync.wbxml\r\nContent-Length: %zu\r\n\r\n",
		command, phone->number, phone->number, encoded, phone->policy_key, body->length);
	buffer_append(&request, body->data, body->length);
	buffer_release(body);
	stream_write_buffer(phone->stream, &request);
}

static void ask_provision(struct phone *phone)
{
	struct buffer body = BUFFER_EMPTY;
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, &body, &activesync_language);
	wbxml_writer_start(&writer, AS_PROVISION_PROVISION);
	wbxml_writer_start(&writer, AS_PROVISION_POLICIES);
	wbxml_writer_start(&writer, AS_PROVISION_POLICY);
	wbxml_writer_text_element(&writer, AS_PROVISION_POLICYTYPE, "MS-EAS-Provisioning-WBXML");
	if (phone->state == PHONE_ACKNOWLEDGE) {
		wbxml_writer_number_element(&writer, AS_PROVISION_POLICYKEY, phone->policy_key);
		wbxml_writer_number_element(&writer, AS_PROVISION_STATUS, 1);
	}
	wbxml_writer_end(&writer);
	wbxml_writer_end(&writer);
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
	send_request(phone, "Provision", &body);
}

static void ask_folders(struct phone *phone)
{
	struct buffer body = BUFFER_EMPTY;
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, &body, &activesync_language);
	wbxml_writer_start(&writer, AS_FOLDERHIERARCHY_FOLDERSYNC);
	wbxml_writer_text_element(&writer, AS_FOLDERHIERARCHY_SYNCKEY, "0");
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
	phone->state = PHONE_FOLDERS;
	send_request(phone, "FolderSync", &body);
}

static void write_collection(struct wbxml_writer *writer, const struct phone *phone, unsigned i)
{
	wbxml_writer_start(writer, AS_AIRSYNC_COLLECTION);
	wbxml_writer_text_element(writer, AS_AIRSYNC_SYNCKEY, phone->keys[i]);
	wbxml_writer_number_element(writer, AS_AIRSYNC_COLLECTIONID, phone->ids[i]);
	if (strcmp(phone->keys[i], "0") != 0) {
		wbxml_writer_empty_element(writer, AS_AIRSYNC_DELETESASMOVES);
		wbxml_writer_empty_element(writer, AS_AIRSYNC_GETCHANGES);
		wbxml_writer_number_element(writer, AS_AIRSYNC_WINDOWSIZE, 100);
	}
	wbxml_writer_end(writer);
}

static void ask_sync(struct phone *phone)
{
	struct buffer body = BUFFER_EMPTY;
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, &body, &activesync_language);
	wbxml_writer_start(&writer, AS_AIRSYNC_SYNC);
	wbxml_writer_start(&writer, AS_AIRSYNC_COLLECTIONS);
	for (unsigned i = 0; i < phone->collections; i++)
		write_collection(&writer, phone, i);
	wbxml_writer_end(&writer);
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
	phone->state = PHONE_SYNC;
	send_request(phone, "Sync", &body);
}

static void ask_ping(struct phone *phone)
{
	struct buffer body = BUFFER_EMPTY;
	struct wbxml_writer writer;

	wbxml_writer_begin(&writer, &body, &activesync_language);
	wbxml_writer_start(&writer, AS_PING_PING);
	wbxml_writer_number_element(&writer, AS_PING_HEARTBEATINTERVAL, phone->settings->heartbeat_s);
	wbxml_writer_start(&writer, AS_PING_FOLDERS);
	for (unsigned i = 0; i < phone->collections; i++) {
		wbxml_writer_start(&writer, AS_PING_FOLDER);
		wbxml_writer_number_element(&writer, AS_PING_ID, phone->ids[i]);
		wbxml_writer_text_element(&writer, AS_PING_CLASS, "Email");
		wbxml_writer_end(&writer);
	}
	wbxml_writer_end(&writer);
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
	phone->state = PHONE_HELD;
	send_request(phone, "Ping", &body);
	phone->settings->events->held(phone); /* may stop it */
}

/* --- answers --------------------------------------------------------------------------------------------------- */

static const char *provisioned(struct phone *phone, const struct wbxml_node *root)
{
	const struct wbxml_node *policies = wbxml_node_child(root, AS_PROVISION_POLICIES);
	const struct wbxml_node *policy = wbxml_node_child(policies, AS_PROVISION_POLICY);
	const char *key = wbxml_node_text(policy, AS_PROVISION_POLICYKEY);

	if (key != NULL)
		phone->policy_key = (uint32_t)strtoul(key, NULL, 10);
	if (phone->state == PHONE_PROVISION && key != NULL) {
		phone->state = PHONE_ACKNOWLEDGE;
		ask_provision(phone);
	} else {
		ask_folders(phone); /* no key: no policy is asked for here */
	}
	return NULL;
}

static bool is_mail_folder(uint32_t type)
{
	return (type >= 2 && type <= 6) || type == 12; /* MS-ASCMD 2.2.3.186.2 */
}

static const char *folders_came(struct phone *phone, const struct wbxml_node *root)
{
	const struct wbxml_node *changes = wbxml_node_child(root, AS_FOLDERHIERARCHY_CHANGES);
	const struct wbxml_node *folder = wbxml_node_child(changes, AS_FOLDERHIERARCHY_ADD);
	uint32_t status = 0, type, id;

	wbxml_node_number(root, AS_FOLDERHIERARCHY_STATUS, &status);
	if (status != 1)
		return "FolderSync: status is not 1";
	for (; folder != NULL && phone->collections < PHONE_COLLECTIONS; folder = wbxml_node_next(folder))
		if (wbxml_node_number(folder, AS_FOLDERHIERARCHY_TYPE, &type) == WBXML_VALUE_GOOD && is_mail_folder(type) &&
		    wbxml_node_number(folder, AS_FOLDERHIERARCHY_SERVERID, &id) == WBXML_VALUE_GOOD) {
			strcpy(phone->keys[phone->collections], "0");
			phone->ids[phone->collections++] = (uint16_t)id;
		}
	if (phone->collections < PHONE_COLLECTIONS)
		return "FolderSync: fewer than five mail folders";
	ask_sync(phone);
	return NULL;
}

static const char *collection_came(struct phone *phone, const struct wbxml_node *collection)
{
	const char *key = wbxml_node_text(collection, AS_AIRSYNC_SYNCKEY);
	uint32_t status = 0, id = 0;

	wbxml_node_number(collection, AS_AIRSYNC_STATUS, &status);
	wbxml_node_number(collection, AS_AIRSYNC_COLLECTIONID, &id);
	if (status != 1 || key == NULL || strlen(key) >= PHONE_KEY_MAX)
		return "Sync: a collection's status is not 1";
	for (unsigned i = 0; i < phone->collections; i++)
		if (phone->ids[i] == id) {
			phone->more |= strcmp(phone->keys[i], "0") == 0 ||
				wbxml_node_child(collection, AS_AIRSYNC_MOREAVAILABLE) != NULL;
			strcpy(phone->keys[i], key);
		}
	return NULL;
}

static const char *synchronised(struct phone *phone, const struct wbxml_node *root)
{
	const struct wbxml_node *collections = wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS);
	const struct wbxml_node *collection = wbxml_node_child(collections, AS_AIRSYNC_COLLECTION);
	const char *why = NULL;

	if (wbxml_node_text(root, AS_AIRSYNC_STATUS) != NULL)
		return "Sync: a status for all";
	phone->more = false;
	for (; collection != NULL && why == NULL; collection = wbxml_node_next(collection))
		why = collection_came(phone, collection);
	if (why == NULL && phone->more)
		ask_sync(phone);
	else if (why == NULL)
		ask_ping(phone);
	return why;
}

static const char *ping_answered(struct phone *phone, const struct wbxml_node *root)
{
	int64_t now_ns = phone_now_ns();
	uint32_t status = 0;

	wbxml_node_number(root, AS_PING_STATUS, &status);
	if (status == 1) {
		ask_ping(phone);
		return NULL;
	}
	if (status != 2)
		return "Ping: status is neither 1 nor 2";
	phone->rung++;
	phone->state = PHONE_STOPPED;
	phone->settings->events->rung(phone, now_ns);
	if (!phone->stops_after_bell && phone->state == PHONE_STOPPED)
		phone_go_on(phone);
	return NULL;
}

static const char *take_answer(struct phone *phone, const char *body, size_t length)
{
	struct arena *arena = arena_create(0);
	struct wbxml_tree tree = {0};
	const char *why = NULL;

	if (length > 0 && wbxml_tree_parse(&tree, arena, &activesync_language, body, length, NULL) < 0)
		why = "an answer that is no WBXML";
	else if (length == 0 && phone->state != PHONE_SYNC)
		why = "an empty answer";
	else switch ((enum phone_state)phone->state) {
	case PHONE_PROVISION: case PHONE_ACKNOWLEDGE: why = provisioned(phone, tree.root); break;
	case PHONE_FOLDERS: why = folders_came(phone, tree.root); break;
	case PHONE_SYNC: why = synchronised(phone, tree.root); break;
	case PHONE_HELD: why = ping_answered(phone, tree.root); break;
	default: why = "an answer that nobody asked for";
	}
	arena_free(&arena);
	return why;
}

/* How long the header is and the body will be; 0: the header is not whole. -1: not "200 OK". */
static long header_length(struct buffer *input, size_t *body_r)
{
	if (memmem(input->data, input->length, "\r\n\r\n", 4) == NULL)
		return 0;
	const char *length = strcasestr(buffer_string(input), "\r\nContent-Length:");
	if (strncmp(input->data, "HTTP/1.1 200 ", 13) != 0 || length == NULL)
		return -1;
	*body_r = strtoul(length + 17, NULL, 10);
	return strstr(input->data, "\r\n\r\n") + 4 - input->data;
}

static void come_again(struct timer *timer)
{
	struct phone *phone = container_of(timer, struct phone, again);

	phone_start(phone, phone->settings, phone->number);
}

static bool is_told_to_wait(struct phone *phone, struct buffer *input)
{
	const char *after = strcasestr(buffer_string(input), "\r\nRetry-After:");

	if (strncmp(input->data, "HTTP/1.1 503 ", 13) != 0 || after == NULL)
		return false;
	long after_s = strtol(after + 14, NULL, 10);
	stream_close(&phone->stream);
	phone->state = PHONE_TOLD_TO_WAIT;
	timer_start(phone->settings->loop, &phone->again, after_s * 1000, come_again);
	phone->settings->events->told_to_wait(phone);
	return true;
}

static void received(struct phone *phone)
{
	struct buffer *input = stream_input(phone->stream);
	size_t body = 0;
	long header = header_length(input, &body);
	static char first_line[80];

	if (header < 0 && is_told_to_wait(phone, input))
		return;
	if (header < 0) {
		snprintf(first_line, sizeof first_line, "%.*s", (int)strcspn(buffer_string(input), "\r"), input->data);
		broken(phone, first_line);
		return;
	}
	if (header == 0 || input->length < (size_t)header + body)
		return;
	char *copy = mem_dup(input->data + header, body);
	buffer_consume(input, (size_t)header + body);
	const char *why = take_answer(phone, copy, body);
	free(copy);
	if (why != NULL)
		broken(phone, why);
}

/* --- the connection -------------------------------------------------------------------------------------------- */

static void connected(struct phone *phone)
{
	if (phone->settings->floor) {
		phone->collections = PHONE_COLLECTIONS; /* the same request, for nobody reads it there */
		for (unsigned i = 0; i < PHONE_COLLECTIONS; i++)
			phone->ids[i] = (uint16_t)(i + 1);
		ask_ping(phone);
		return;
	}
	phone->state = PHONE_PROVISION;
	ask_provision(phone);
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	struct phone *phone = owner;

	switch (event) {
	case STREAM_CONNECTED: connected(phone); break;
	case STREAM_DATA: received(phone); break;
	case STREAM_DRAINED: break;
	case STREAM_ENDED: broken(phone, phone->state == PHONE_HELD ? "hung up while held" : "hung up"); break;
	case STREAM_FAILED: broken(phone, stream_error(stream)); break;
	}
}

void phone_start(struct phone *phone, const struct phone_settings *settings, uint32_t number)
{
	struct error error;

	*phone = (struct phone){.settings = settings, .number = number};
	phone->stream = net_connect_address(settings->loop, settings->address, happened, phone, &error);
	if (phone->stream == NULL) {
		broken(phone, error.text);
		return;
	}
	if (settings->tls != NULL)
		tls_connect(phone->stream, settings->tls, "bench.example");
}

void phone_go_on(struct phone *phone)
{
	if (phone->settings->floor)
		ask_ping(phone);
	else
		ask_sync(phone);
}

void phone_stop(struct phone *phone)
{
	if (phone->settings == NULL) /* never started */
		return;
	stream_close(&phone->stream);
	timer_stop(phone->settings->loop, &phone->again);
	phone->state = PHONE_OFF;
}
