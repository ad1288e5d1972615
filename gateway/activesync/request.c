/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a request's header to its command: login, device, policy. */
#include "gateway/activesync/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <utlist.h>

#include "gateway/activesync/answer.h"
#include "gateway/activesync/command.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/policy.h"
#include "gateway/service/access.h"
#include "gateway/service/login.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

/* --- asking ---------------------------------------------------------------------------------------------------- */

static void connector_came(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;

	if (fd >= 0 && response->body_case != BELFRY__CONNECTOR__RESPONSE__BODY_FETCHED &&
	    response->body_case != BELFRY__CONNECTOR__RESPONSE__BODY_PART) {
		close(fd); /* only items and their parts travel with one */
		fd = -1;
	}
	if (is_last)
		request->connector_call = NULL;
	if (is_last && response->status == BELFRY__CONNECTOR__STATUS__LOGIN_NEEDED && !request->asks_watch) {
		request_answer_http(request, 503, "log in again"); /* the daemon was restarted in between */
		return;
	}
	request->answered(response, fd, is_last, request);
}

static bool may_act(const struct request *request, enum action action, const char *user, const char *collection,
	uint64_t item)
{
	const struct principal principal = {request->user, request->device};

	return principal_may(&principal, action, &(struct object){.user = user, .collection = collection, .item = item});
}

static bool may_fetch(const struct request *request, const Belfry__Connector__Fetch *fetch)
{
	for (size_t i = 0; i < fetch->n_ids; i++)
		if (!may_act(request, ACTION_READ, request->user, fetch->collection, fetch->ids[i]))
			return false;
	return true;
}

static bool may_apply(const struct request *request, const Belfry__Connector__Apply *apply)
{
	for (size_t i = 0; i < apply->n_operations; i++)
		if (!may_act(request, ACTION_CHANGE, request->user, apply->collection, apply->operations[i]->id) ||
		    (apply->operations[i]->move_to[0] != '\0' &&
		     !may_act(request, ACTION_CHANGE, request->user, apply->operations[i]->move_to, 0)))
			return false;
	return true;
}

/* A new one changes the list of the user's; where it is put is his as well. */
static bool may_alter(const struct request *request, const Belfry__Connector__Alter *alter)
{
	return may_act(request, ACTION_CHANGE, request->user, alter->name[0] == '\0' ? NULL : alter->name, 0) &&
		may_act(request, ACTION_CHANGE, request->user, alter->parent[0] == '\0' ? NULL : alter->parent, 0);
}

static bool may_search(const struct request *request, const Belfry__Connector__Search *search)
{
	for (size_t i = 0; i < search->n_collections; i++)
		if (!may_act(request, ACTION_READ, request->user, search->collections[i], 0))
			return false;
	return true;
}

/* Where the hierarchy stands, and nothing else. */
static bool may_check(const struct request *request, const Belfry__Connector__Check *check)
{
	return check->n_collections == 1 && check->collections[0][0] == '\0' &&
		may_act(request, ACTION_WAIT, check->user, NULL, 0);
}

/* As the user; the original is read and marked. */
static bool may_send(const struct request *request, const Belfry__Connector__Send *send)
{
	return may_act(request, ACTION_SEND, request->user, NULL, 0) &&
		(send->item == 0 || (may_act(request, ACTION_READ, request->user, send->collection, send->item) &&
			may_act(request, ACTION_CHANGE, request->user, send->collection, send->item)));
}

/* Whatever is asked of the connector goes through here, each item of it. The handle is the user's: so are the objects. */
static bool may_ask(const struct request *request, const Belfry__Connector__Request *question)
{
	switch (question->body_case) {
	case BELFRY__CONNECTOR__REQUEST__BODY_LOGIN:
		return may_act(request, ACTION_LOG_IN, question->login->user, NULL, 0);
	case BELFRY__CONNECTOR__REQUEST__BODY_LIST: return may_act(request, ACTION_READ, request->user, NULL, 0);
	case BELFRY__CONNECTOR__REQUEST__BODY_SURVEY:
		return may_act(request, ACTION_READ, request->user, question->survey->collection, 0);
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH: return may_fetch(request, question->fetch);
	case BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART:
		return may_act(request, ACTION_READ, request->user, question->fetch_part->collection, question->fetch_part->id);
	case BELFRY__CONNECTOR__REQUEST__BODY_APPLY: return may_apply(request, question->apply);
	case BELFRY__CONNECTOR__REQUEST__BODY_ALTER: return may_alter(request, question->alter);
	case BELFRY__CONNECTOR__REQUEST__BODY_SEARCH: return may_search(request, question->search);
	case BELFRY__CONNECTOR__REQUEST__BODY_SEND: return may_send(request, question->send);
	case BELFRY__CONNECTOR__REQUEST__BODY_GET_OOF: return may_act(request, ACTION_READ, request->user, NULL, 0);
	case BELFRY__CONNECTOR__REQUEST__BODY_SET_OOF: return may_act(request, ACTION_CHANGE, request->user, NULL, 0);
	case BELFRY__CONNECTOR__REQUEST__BODY_CHECK: return may_check(request, question->check);
	default: return false; /* the watch half is the hub's */
	}
}

static bool ask(struct request *request, Belfry__Connector__Request *question, int fd, connector_answered *answered)
{
	if (!may_ask(request, question)) {
		if (fd >= 0)
			close(fd);
		log_error(LOG_ACTIVESYNC, "user=%s device=%s may not ask that", log_quote(request->user), log_quote(request->device));
		request_answer_http(request, 403, "this is not yours");
		return false;
	}
	question->handle = request->handle;
	request->answered = answered;
	request->connector_call = connector_ask_fd(request->engine->host.connectors, request->instance, question, fd,
		connector_came, request);
	return true;
}

bool request_ask(struct request *request, Belfry__Connector__Request *question, connector_answered *answered)
{
	request->asks_watch = false;
	return ask(request, question, -1, answered);
}

bool request_ask_watch(struct request *request, Belfry__Connector__Request *question, connector_answered *answered)
{
	request->asks_watch = true;
	return ask(request, question, -1, answered);
}

bool request_ask_fd(struct request *request, Belfry__Connector__Request *question, int fd, connector_answered *answered)
{
	request->asks_watch = false;
	return ask(request, question, fd, answered);
}

const Belfry__Role__Record *request_record(const struct request *request, const char *key)
{
	for (size_t i = 0; i < request->record_count; i++)
		if (strcmp(request->records[i]->key, key) == 0 && request->records[i]->revision != 0)
			return request->records[i];
	return NULL;
}

void *request_unpack(const struct request *request, const char *key, const ProtobufCMessageDescriptor *descriptor)
{
	const Belfry__Role__Record *record = request_record(request, key);

	return record == NULL ? NULL : protobuf_c_message_unpack(descriptor, arena_protobuf(request->arena),
		record->value.len, record->value.data);
}

Belfry__Role__Write *request_write(struct request *request, const char *key, const ProtobufCMessage *message)
{
	Belfry__Role__Write *write = arena_alloc(request->arena, sizeof *write);
	const Belfry__Role__Record *record = request_record(request, key);

	belfry__role__write__init(write);
	write->key = arena_strdup(request->arena, key);
	write->revision = record == NULL ? 0 : record->revision;
	if (message != NULL) {
		write->value.len = protobuf_c_message_get_packed_size(message);
		write->value.data = arena_alloc(request->arena, write->value.len + 1);
		protobuf_c_message_pack(message, write->value.data);
	}
	return write;
}

Belfry__Role__Write *request_rewrite(struct request *request, const char *key, const ProtobufCMessage *message)
{
	Belfry__Role__Write *write = request_write(request, key, message);
	const Belfry__Role__Record *record = request_record(request, key);

	return record != NULL && record->value.len == write->value.len &&
		memcmp(record->value.data, write->value.data, write->value.len) == 0 ? NULL : write;
}

Belfry__Role__Write *request_remove(struct request *request, const char *key)
{
	Belfry__Role__Write *write = request_write(request, key, NULL);

	write->remove = true;
	return write;
}

/* Behind those that are there. */
static void keep_records(struct request *request, const Belfry__Role__Begun *begun)
{
	Belfry__Role__Record **all = arena_alloc(request->arena, (request->record_count + begun->n_records) * sizeof *all + 1);

	if (request->record_count != 0)
		memcpy(all, request->records, request->record_count * sizeof *all);
	request->records = all;
	for (size_t i = 0; i < begun->n_records; i++) {
		Belfry__Role__Record *record = arena_alloc(request->arena, sizeof *record), *from = begun->records[i];
		belfry__role__record__init(record);
		record->key = arena_strdup(request->arena, from->key);
		record->revision = from->revision;
		record->value.len = from->value.len;
		record->value.data = arena_alloc(request->arena, from->value.len + 1);
		if (from->value.len != 0)
			memcpy(record->value.data, from->value.data, from->value.len);
		all[request->record_count++] = record;
	}
}

static void begun_later(const Belfry__Role__Begun *begun, void *data)
{
	struct request *request = data;

	request->hub_call = NULL;
	if (begun == NULL || begun->status != BELFRY__ROLE__STATUS__OK) {
		request_answer_retry(request, begun == NULL ? "the hub does not answer" : "the store cannot read now");
		return;
	}
	request->transaction = begun->transaction;
	keep_records(request, begun);
	request->read(request);
}

static void read_came(const Belfry__Role__Begun *begun, void *data)
{
	struct request *request = data;

	request->hub_call = NULL;
	if (begun != NULL && begun->status == BELFRY__ROLE__STATUS__OK)
		keep_records(request, begun);
	request->read(request);
}

static void ask_records(struct request *request, Belfry__Role__Begin *question, hub_begun *came)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;

	principal.user = (char *)request->user;
	principal.device = (char *)request->device;
	question->principal = &principal;
	request->hub_call = hub_begin(request->engine->host.hub, question, came, request);
	question->principal = NULL; /* it is not read any more */
}

void request_read(struct request *request, char **keys, size_t count, void (*done)(struct request *))
{
	Belfry__Role__Begin question = BELFRY__ROLE__BEGIN__INIT;

	question.keys = keys;
	question.n_keys = count;
	request->read = done;
	ask_records(request, &question, read_came);
}

void request_begin(struct request *request, Belfry__Role__Begin *begin, void (*done)(struct request *))
{
	request->read = done;
	ask_records(request, begin, begun_later);
}

static Belfry__Role__Record *record_to_write(struct request *request, const char *key)
{
	for (size_t i = 0; i < request->record_count; i++)
		if (strcmp(request->records[i]->key, key) == 0)
			return request->records[i];
	Belfry__Role__Record *record = arena_alloc(request->arena, sizeof *record);
	Belfry__Role__Record **all = arena_alloc(request->arena, (request->record_count + 1) * sizeof *all);
	belfry__role__record__init(record);
	record->key = arena_strdup(request->arena, key);
	memcpy(all, request->records, request->record_count * sizeof *all);
	all[request->record_count++] = record;
	request->records = all;
	return record;
}

/* What is written is what was read from now on. */
static void note_written(struct request *request, const Belfry__Role__Committed *committed)
{
	for (size_t i = 0; i < request->write_count && i < committed->n_revisions; i++) {
		Belfry__Role__Record *record = record_to_write(request, request->writes[i]->key);
		record->revision = committed->revisions[i];
		record->value = request->writes[i]->value;
	}
	request->device_changed = false;
}

static void commit_came(const Belfry__Role__Committed *committed, void *data)
{
	struct request *request = data;
	bool is_first = request->writes != NULL;
	bool is_conflict = committed != NULL && committed->status == BELFRY__ROLE__STATUS__CONFLICT;

	request->hub_call = NULL;
	if (is_conflict && request->takes_conflict) {
		request->committed(committed, request);
		return;
	}
	if (committed != NULL && !is_first)
		request->transaction = 0; /* the hub has let the locks go, whatever became of the writes */
	if (is_first && committed != NULL && committed->status == BELFRY__ROLE__STATUS__OK)
		note_written(request, committed);
	if (committed != NULL && committed->status == BELFRY__ROLE__STATUS__LIMIT) {
		answer_too_many_devices(request); /* the count was below the limit when this device began */
		return;
	}
	if (committed == NULL || committed->status != BELFRY__ROLE__STATUS__OK) {
		request_answer_retry(request, committed == NULL ? "the hub does not answer"
			: is_conflict ? "another request changed the state meanwhile"
			: "the store cannot write now");
		return;
	}
	request->device_changed = false;
	request->committed(committed, request);
}

static void commit(struct request *request, Belfry__Role__Write **writes, size_t count, bool is_first,
	hub_committed *committed)
{
	Belfry__Role__Principal principal = BELFRY__ROLE__PRINCIPAL__INIT;
	Belfry__Role__Commit commit = BELFRY__ROLE__COMMIT__INIT;
	Belfry__Role__Write **all = arena_alloc(request->arena, (count + 1) * sizeof *all);

	if (count != 0)
		memcpy(all, writes, count * sizeof *all);
	if (request->device_changed)
		all[count++] = request_write(request, "device", &request->device_record->base);
	principal.user = (char *)request->user;
	principal.device = (char *)request->device;
	commit.transaction = request->transaction;
	commit.principal = &principal;
	commit.writes = all;
	commit.n_writes = count;
	commit.keep = is_first;
	commit.gets_further = request->gets_further;
	request->committed = committed;
	request->writes = is_first ? all : NULL;
	request->write_count = count;
	request->hub_call = hub_commit(request->engine->host.hub, &commit, commit_came, request);
}

void request_commit(struct request *request, Belfry__Role__Write **writes, size_t count, hub_committed *committed)
{
	request->takes_conflict = false;
	commit(request, writes, count, false, committed);
}

void request_commit_first(struct request *request, Belfry__Role__Write **writes, size_t count, hub_committed *committed)
{
	request->takes_conflict = false;
	commit(request, writes, count, true, committed);
}

void request_commit_try(struct request *request, Belfry__Role__Write **writes, size_t count, hub_committed *committed)
{
	request->takes_conflict = true;
	commit(request, writes, count, true, committed);
}

/* --- before the command ---------------------------------------------------------------------------------------- */

static Belfry__Role__DeviceRecord *new_device(struct request *request)
{
	Belfry__Role__DeviceRecord *device = arena_alloc(request->arena, sizeof *device);

	belfry__role__device_record__init(device);
	device->type = (char *)request->query.device_type;
	device->first_seen_s = (uint64_t)loop_wall_s(request->engine->host.loop);
	request->device_changed = true;
	return device;
}

/* What the device says of itself may change with an update of it. */
static void note_device(struct request *request)
{
	Belfry__Role__DeviceRecord *device = request_unpack(request, "device", &belfry__role__device_record__descriptor);
	const char *agent = http_exchange_header(request->exchange, "User-Agent");
	char protocol[24];

	request->device_record = device != NULL ? device : new_device(request);
	agent = agent == NULL ? "" : arena_strndup(request->arena, agent, 200);
	snprintf(protocol, sizeof protocol, "%u.%u", request->version / 10, request->version % 10);
	device = request->device_record;
	if (strcmp(device->agent, agent) != 0 || strcmp(device->protocol, protocol) != 0)
		request->device_changed = true;
	device->agent = (char *)agent;
	device->protocol = arena_strdup(request->arena, protocol);
}

static void begun(const Belfry__Role__Begun *answer, void *data)
{
	struct request *request = data;

	request->hub_call = NULL;
	if (answer == NULL || answer->status == BELFRY__ROLE__STATUS__UNAVAILABLE ||
	    answer->status == BELFRY__ROLE__STATUS__CONFLICT) {
		request_answer_retry(request, answer == NULL ? "the hub does not answer" : "the store cannot read now");
		return;
	}
	request->transaction = answer->transaction;
	if (answer->status == BELFRY__ROLE__STATUS__TOO_OFTEN) {
		answer_too_often(request, answer->retry_after_s);
		return;
	}
	if (answer->status == BELFRY__ROLE__STATUS__LIMIT) {
		answer_too_many_devices(request);
		return;
	}
	keep_records(request, answer);
	note_device(request);
	if (policy_lets_pass(request)) /* has answered otherwise */
		request->command->run(request);
}

static void begin(struct request *request)
{
	Belfry__Role__Begin question = BELFRY__ROLE__BEGIN__INIT;
	static char device_key[] = "device";
	char **keys;

	int status = request->command->prepare(request, &question);
	if (status != 0) {
		request_answer_status(request, status);
		return;
	}
	keys = arena_alloc(request->arena, (question.n_keys + 1) * sizeof *keys);
	if (question.n_keys != 0)
		memcpy(keys, question.keys, question.n_keys * sizeof *keys);
	keys[question.n_keys++] = device_key;
	question.keys = keys;
	question.is_request = request->command->is_paced;
	ask_records(request, &question, begun);
}

/* MS-ASHTTP 2.2.1.1.2.3; also in its short form. A device that does not say what it sends may mean well. */
static bool takes_body_as_document(const struct request *request)
{
	const char *type = http_exchange_header(request->exchange, "Content-Type");

	return type == NULL || strncasecmp(type, "application/vnd.ms-sync", 23) == 0;
}

/* MS-ASCMD 2.2.1.17, 12.1 and before: Content-Type message/rfc822, and all else in the query. */
static bool takes_body_as_mail(const struct request *request)
{
	const char *type = http_exchange_header(request->exchange, "Content-Type");

	return type != NULL && strncasecmp(type, "message/rfc822", 14) == 0;
}

static int parse_body(struct request *request)
{
	struct buffer *body = &request->exchange->body;
	struct wbxml_tree tree;
	struct error error;

	if (request->exchange->discards_body)
		return COMMON_TOO_LARGE;
	if (request->command->takes_mail && request->version < 140)
		return takes_body_as_mail(request) ? 0 : COMMON_INVALID_CONTENT;
	if (body->length == 0)
		return request->command->may_be_empty ? 0 : COMMON_INVALID_CONTENT;
	if (!takes_body_as_document(request))
		return COMMON_INVALID_CONTENT;
	if (wbxml_tree_parse(&tree, request->arena, &activesync_language, body->data, body->length, &error) < 0) {
		log_info(LOG_ACTIVESYNC, "user=%s device=%s command=%s bad body: %s", log_quote(request->user),
			log_quote(request->device), request->command->name, error.text);
		return COMMON_INVALID_WBXML;
	}
	if (tree.root == NULL || tree.root->tag != request->command->root)
		return COMMON_INVALID_XML;
	request->root = tree.root;
	return 0;
}

static void logged_in(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;

	(void)fd;
	(void)is_last;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->logged_in == NULL) {
		answer_login_refused(request, response);
		return;
	}
	http_exchange_welcome(request->exchange);
	request->handle.len = response->logged_in->handle.len;
	request->handle.data = arena_alloc(request->arena, request->handle.len + 1);
	memcpy(request->handle.data, response->logged_in->handle.data, request->handle.len);
	if (request->command == NULL) {
		answer_options(request);
		return;
	}
	if (request->command->prepare == NULL) {
		request->command->run(request);
		return;
	}
	int status = parse_body(request);
	if (status != 0)
		answer_bad_body(request, status);
	else
		begin(request);
}

static void log_in(struct request *request)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Login login = BELFRY__CONNECTOR__LOGIN__INIT;
	char address[64];

	http_exchange_address(request->exchange, address, sizeof address);
	login.user = (char *)request->user;
	login.password = (char *)request->password;
	login.address = address;
	login.device = (char *)request->device;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_LOGIN;
	question.login = &login;
	if (request_ask(request, &question, logged_in))
		mem_wipe((char *)request->password, strlen(request->password));
}

/* --- the header ------------------------------------------------------------------------------------------------ */

static unsigned parse_version(const char *text)
{
	unsigned major, minor;
	char rest;

	if (text == NULL || sscanf(text, "%2u.%1u%c", &major, &minor, &rest) != 2)
		return 0;
	return major * 10 + minor;
}

static void take_headers(struct request *request)
{
	const char *version = http_exchange_header(request->exchange, "MS-ASProtocolVersion");
	const char *policy = http_exchange_header(request->exchange, "X-MS-PolicyKey");
	unsigned long key = 0;

	request->version = request->query.version != 0 ? request->query.version : parse_version(version);
	request->has_policy_key = request->query.version != 0 || policy != NULL; /* the base64 form has room for one */
	if (request->query.has_policy_key)
		request->policy_key = request->query.policy_key;
	else if (policy != NULL && sscanf(policy, "%10lu", &key) == 1)
		request->policy_key = (uint32_t)key;
}

/* 0, or the HTTP status that refuses it with the words left in text_r. */
static unsigned understand(struct request *request, const char **text_r, struct error *error_r)
{
	bool is_options = strcmp(request->exchange->method, "OPTIONS") == 0;

	*text_r = error_r->text;
	if (!is_options && strcmp(request->exchange->method, "POST") != 0) {
		*text_r = "only POST and OPTIONS are served here";
		return 405;
	}
	if (!is_options) {
		int parsed = query_parse(&request->query, request->arena, request->exchange->query, error_r);
		take_headers(request);
		request->command = command_find(request->query.command);
		if (parsed < 0)
			return 400;
		request->device = request->query.device_id;
		if (request->command == NULL) {
			*text_r = "this command is not served here";
			return 501;
		}
		if (!answer_version_is_served(request->version)) {
			*text_r = "this protocol version is not served here; OPTIONS says which are";
			return 400;
		}
	}
	return 0;
}

enum {
	ENVELOPE_MAX = 16 * 1024,      /* of the document around a mail */
	DISCARD_MAX = 64 * 1024 * 1024 /* of what is not kept: a mail that cannot be sent, which is to be told so */
};

/* What is not kept is read all the same: a phone that is still sending would not see the answer. */
static void discard_body(struct http_exchange *exchange)
{
	exchange->discards_body = true;
	exchange->body_max = DISCARD_MAX;
}

void request_header(struct activesync *engine, struct http_exchange *exchange)
{
	const char *length = http_exchange_header(exchange, "Content-Length");
	struct query query;
	struct error error;

	if (http_exchange_header(exchange, "Authorization") == NULL) { /* a stranger is asked who it is before its body is read */
		request_start(engine, exchange);
		return;
	}
	query_parse(&query, exchange->arena, exchange->query, &error);
	const struct command *command = command_find(query.command);
	if (command != NULL && command->takes_mail)
		exchange->body_max = (size_t)engine->settings->limits.max_mail_size + ENVELOPE_MAX;
	if (command != NULL && (command->prepare == NULL ||
	    (command->takes_mail && length != NULL && strtoull(length, NULL, 10) > exchange->body_max)))
		discard_body(exchange);
}

void request_start(struct activesync *engine, struct http_exchange *exchange)
{
	struct request *request = arena_alloc(exchange->arena, sizeof *request);
	struct error error = {""};
	struct login login;
	const char *text;

	*request = (struct request){.engine = engine, .exchange = exchange, .arena = exchange->arena, .device = "",
		.user = "", .started_ms = loop_now_ms(engine->host.loop)};
	DL_APPEND(engine->under_way, request);
	unsigned status = understand(request, &text, &error);
	if (status == 400 && answer_bad_device(request))
		return;
	if (status != 0) {
		request_answer_http(request, status, text);
		return;
	}
	if (login_read(exchange, engine->settings->directory, &login) < 0) {
		answer_challenge(request);
		return;
	}
	request->user = login.user;
	request->password = login.password;
	request->instance = login.instance;
	if (request->instance == NULL)
		request_answer_http(request, 403, "no connector serves this user's domain");
	else
		log_in(request);
}
