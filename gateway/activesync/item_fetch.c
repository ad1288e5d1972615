/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fetch of ItemOperations (MS-ASCMD 2.2.3.67.1): an item, or one of its attachments. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/item_operations.h"
#include "gateway/activesync/sync.h"

enum {
	LONG_ID_MAX = 256,  /* MS-ASCMD 2.2.3.99 */
	REFERENCE_MAX = 512 /* ours are far shorter */
};

static const struct wbxml_node *options_of(const struct item_operation *operation)
{
	return wbxml_node_child(operation->node, AS_ITEMOPERATIONS_OPTIONS);
}

/* --- the request ----------------------------------------------------------------------------------------------- */

/* "0-99", both included (MS-ASCMD 2.2.3.143.1). */
static int read_range(struct item_operation *operation)
{
	const char *range = wbxml_node_text(options_of(operation), AS_ITEMOPERATIONS_RANGE);
	char rest;

	if (range == NULL)
		return 0;
	operation->has_range = true;
	return sscanf(range, "%9u-%9u%c", &operation->first, &operation->last, &rest) == 2 &&
		operation->first <= operation->last ? 0 : ITEM_STATUS_RANGE;
}

static void add_body(struct request *request, Belfry__Activesync__Options *options, Belfry__Connector__BodyType type)
{
	Belfry__Activesync__BodyPreference *body = arena_alloc(request->arena, sizeof *body);

	belfry__activesync__body_preference__init(body);
	body->type = type;
	options->bodies[options->n_bodies++] = body;
}

/* Without a wish for a body it comes as it is. */
static int read_options(struct request *request, struct item_operation *operation)
{
	Belfry__Activesync__Options *options = &operation->options;

	int status = sync_options_read(request, options, options_of(operation));
	if (status != 0)
		return status == COMMON_BODY_PART_TYPE ? status : ITEM_STATUS_PROTOCOL_ERROR;
	if (options->n_bodies == 0 && options->part == NULL) {
		add_body(request, options, BELFRY__CONNECTOR__BODY_TYPE__PLAIN);
		add_body(request, options, BELFRY__CONNECTOR__BODY_TYPE__HTML);
	}
	return 0;
}

/* By collection and item, or by the LongId of a search, which is our ServerId, too. */
static int read_item(struct request *request, struct item_operation *operation)
{
	const char *collection = wbxml_node_text(operation->node, AS_AIRSYNC_COLLECTIONID);
	const char *item = wbxml_node_text(operation->node, AS_AIRSYNC_SERVERID);
	const char *long_id = wbxml_node_text(operation->node, AS_SEARCH_LONGID);

	operation->server_id = long_id != NULL ? long_id : item;
	if (operation->server_id == NULL || strlen(operation->server_id) > SYNC_ITEM_ID_MAX ||
	    (long_id == NULL) != (collection != NULL && item != NULL))
		return ITEM_STATUS_PROTOCOL_ERROR;
	int status = read_options(request, operation);
	if (status != 0)
		return status;
	if (!item_id_parse(request, operation->server_id, &operation->id) || operation->id.part != NULL ||
	    (collection != NULL && sync_item_id(collection, operation->server_id) == 0))
		return ITEM_STATUS_NOT_FOUND;
	return 0;
}

static int read_attachment(struct request *request, struct item_operation *operation)
{
	if (strlen(operation->reference) > REFERENCE_MAX || !item_id_parse(request, operation->reference, &operation->id) ||
	    operation->id.part == NULL)
		return ITEM_STATUS_ATTACHMENT;
	return read_range(operation);
}

int item_fetch_read(struct request *request, struct item_operation *operation)
{
	const char *store = wbxml_node_text(operation->node, AS_ITEMOPERATIONS_STORE);

	if (store == NULL || wbxml_node_count(operation->node, AS_AIRSYNCBASE_FILEREFERENCE) > 1 || /* 2.2.3.8 */
	    wbxml_node_child(options_of(operation), AS_ITEMOPERATIONS_DELETESUBFOLDERS) != NULL ||
	    wbxml_node_child(options_of(operation), AS_ITEMOPERATIONS_MOVEALWAYS) != NULL)
		return ITEM_STATUS_PROTOCOL_ERROR;
	if (strcasecmp(store, "Mailbox") != 0)
		return ITEM_STATUS_STORE;
	operation->reference = wbxml_node_text(operation->node, AS_AIRSYNCBASE_FILEREFERENCE);
	return operation->reference != NULL ? read_attachment(request, operation) : read_item(request, operation);
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

/* What is too long for the answer's schema cannot stand in it: the device knows by the order which one it was. */
static void write_name(struct request *request, const struct item_operation *operation, uint16_t tag, size_t most)
{
	const char *text = wbxml_node_text(operation->node, tag);

	if (text != NULL && text[0] != '\0' && strlen(text) <= most)
		wbxml_writer_text_element(&request->writer, tag, text);
}

/* Which operation it answers. */
static void begin_response(struct request *request, const struct item_operation *operation)
{
	wbxml_writer_start(&request->writer, AS_ITEMOPERATIONS_FETCH);
	wbxml_writer_number_element(&request->writer, AS_ITEMOPERATIONS_STATUS, operation->status);
	write_name(request, operation, AS_AIRSYNC_COLLECTIONID, SYNC_COLLECTION_ID_MAX);
	write_name(request, operation, AS_AIRSYNC_SERVERID, SYNC_ITEM_ID_MAX);
	write_name(request, operation, AS_SEARCH_LONGID, LONG_ID_MAX);
	if (operation->status == ITEM_STATUS_SUCCESS && operation->reference == NULL)
		wbxml_writer_text_element(&request->writer, AS_AIRSYNC_CLASS, "Email");
	write_name(request, operation, AS_AIRSYNCBASE_FILEREFERENCE, REFERENCE_MAX);
}

void item_fetch_write_failed(struct request *request, const struct item_operation *operation)
{
	begin_response(request, operation);
	wbxml_writer_end(&request->writer);
}

static void write_item(struct request *request, const Belfry__Connector__Item *item, int fd)
{
	struct item_work *work = request->work;
	const struct item_operation *operation = item_operation_of(request);
	const struct mail_form form = {.response = &work->response, .parts = work->is_multipart ? &work->parts : NULL,
		.with_part = operation->options.part != NULL,
		.schema = wbxml_node_child(options_of(operation), AS_ITEMOPERATIONS_SCHEMA)};

	begin_response(request, operation);
	wbxml_writer_start(&request->writer, AS_ITEMOPERATIONS_PROPERTIES);
	mail_write(request, &form, item, operation->server_id, fd);
	wbxml_writer_end(&request->writer);
	wbxml_writer_end(&request->writer);
}

static void write_part(struct request *request, const Belfry__Connector__Part *part, int fd)
{
	struct item_work *work = request->work;
	const struct item_operation *operation = item_operation_of(request);
	struct wbxml_writer *writer = &request->writer;

	begin_response(request, operation);
	wbxml_writer_start(writer, AS_ITEMOPERATIONS_PROPERTIES);
	if (operation->has_range) {
		wbxml_writer_text_element(writer, AS_ITEMOPERATIONS_RANGE, arena_printf(request->arena, "%llu-%llu",
			(unsigned long long)part->first, (unsigned long long)(part->first + part->count - 1)));
		wbxml_writer_number_element(writer, AS_ITEMOPERATIONS_TOTAL, (int64_t)part->size);
	}
	wbxml_writer_text_element(writer, AS_AIRSYNCBASE_CONTENTTYPE, part->content_type);
	if (work->is_multipart)
		item_parts_write(&work->parts, writer, NULL, 0, fd);
	else
		mail_write_file(request, &work->response, AS_ITEMOPERATIONS_DATA, fd);
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
}

/* --- asking ---------------------------------------------------------------------------------------------------- */

static int status_of(const struct item_operation *operation, Belfry__Connector__Status status)
{
	switch (status) {
	case BELFRY__CONNECTOR__STATUS__OK: return ITEM_STATUS_SUCCESS;
	case BELFRY__CONNECTOR__STATUS__NOT_FOUND:
	case BELFRY__CONNECTOR__STATUS__STALE:
		return operation->reference != NULL ? ITEM_STATUS_ATTACHMENT : ITEM_STATUS_NOT_FOUND;
	case BELFRY__CONNECTOR__STATUS__BAD_ITEM: return ITEM_STATUS_CONVERSION;
	case BELFRY__CONNECTOR__STATUS__LIMIT: return operation->has_range ? ITEM_STATUS_RANGE : ITEM_STATUS_SERVER_ERROR;
	default: return ITEM_STATUS_SERVER_ERROR;
	}
}

static void end(struct request *request, int fd)
{
	struct item_work *work = request->work;

	if (fd >= 0) {
		work->files++;
		close(fd);
	}
	item_operation_done(request);
}

static void fetched(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct item_operation *operation = item_operation_of(request);
	const Belfry__Connector__Item *item = response->fetched == NULL ? NULL : response->fetched->item;

	(void)is_last;
	operation->status = status_of(operation, item == NULL || response->status != BELFRY__CONNECTOR__STATUS__OK
		? response->status : item->status);
	if (operation->status == ITEM_STATUS_SUCCESS && (item == NULL || item->mail == NULL))
		operation->status = ITEM_STATUS_SERVER_ERROR;
	if (operation->status == ITEM_STATUS_SUCCESS)
		write_item(request, item, fd);
	end(request, fd);
}

static void fetch_item(struct request *request, struct item_operation *operation)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Fetch fetch = BELFRY__CONNECTOR__FETCH__INIT;

	fetch.collection = (char *)operation->name;
	fetch.validity = operation->validity;
	fetch.ids = &operation->id.item;
	fetch.n_ids = 1;
	fetch.wishes = sync_wishes(request, &operation->options, false);
	fetch.n_wishes = operation->options.n_bodies;
	fetch.part = sync_part_wish(request, &operation->options, false);
	fetch.mime_support = operation->options.mime_support;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH;
	question.fetch = &fetch;
	request_ask(request, &question, fetched);
}

static void part_came(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct item_operation *operation = item_operation_of(request);

	(void)is_last;
	operation->status = status_of(operation, response->status);
	if (operation->status == ITEM_STATUS_SUCCESS && response->part == NULL)
		operation->status = ITEM_STATUS_SERVER_ERROR;
	if (operation->status == ITEM_STATUS_SUCCESS && fd < 0)
		operation->status = ITEM_STATUS_EMPTY;
	if (operation->status == ITEM_STATUS_SUCCESS)
		write_part(request, response->part, fd);
	end(request, fd);
}

static void fetch_part(struct request *request, struct item_operation *operation)
{
	const struct item_work *work = request->work;
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__FetchPart part = BELFRY__CONNECTOR__FETCH_PART__INIT;

	part.collection = (char *)operation->name;
	part.validity = operation->validity;
	part.id = operation->id.item;
	part.part = (char *)operation->id.part;
	part.has_range = operation->has_range;
	part.first = operation->first;
	part.last = operation->last;
	part.base64 = !work->is_multipart; /* inline it is text (MS-ASCMD 2.2.3.39.2) */
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH_PART;
	question.fetch_part = &part;
	request_ask(request, &question, part_came);
}

/* What does not fit any more, or would take too long, has a status that makes the device ask for it alone. */
void item_fetch_run(struct request *request)
{
	struct item_work *work = request->work;
	struct item_operation *operation = item_operation_of(request);

	if (loop_now_ms(request->engine->host.loop) - request->started_ms >= SYNC_TIME_MAX_MS)
		operation->status = ITEM_STATUS_SERVER_ERROR;
	if (work->files > SYNC_ANSWER_FILES ||
	    request->body.length + work->response.length + work->parts.content.length > SYNC_ANSWER_BYTES)
		operation->status = ITEM_STATUS_TOO_LARGE;
	if (operation->status != 0) {
		item_operation_done(request);
	} else if (operation->reference != NULL) {
		fetch_part(request, operation);
	} else {
		fetch_item(request, operation);
	}
}
