/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ItemOperations from its reading to its answer. Nothing is kept of it: what comes again is done again. */
#include "gateway/activesync/item_operations.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/activesync/answer.h"
#include "gateway/activesync/command.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/sync.h"

enum { OPERATIONS_MAX = 500 }; /* the largest window of Sync */

struct item_operation *item_operation_of(struct request *request)
{
	struct item_work *work = request->work;

	return &work->operations[work->at];
}

static void release(struct request *request)
{
	struct item_work *work = request->work;

	http_response_release(&work->response);
	item_parts_release(&work->parts);
	for (size_t i = 0; i < work->count; i++)
		ranges_release(&work->operations[i].items);
}

bool item_id_parse(struct request *request, const char *text, struct item_id *id_r)
{
	const char *colon = strchr(text, ':'), *second = colon == NULL ? NULL : strchr(colon + 1, ':');

	if (colon == NULL)
		return false;
	const char *collection = arena_strndup(request->arena, text, (size_t)(colon - text));
	id_r->collection = sync_collection_id(collection);
	id_r->item = sync_item_id(collection, second == NULL ? text
		: arena_strndup(request->arena, text, (size_t)(second - text)));
	id_r->part = second == NULL ? NULL : second + 1;
	return id_r->collection != 0 && id_r->item != 0;
}

/* --- the request ----------------------------------------------------------------------------------------------- */

/* "An option that is invalid for the parent element" (MS-ASCMD 2.2.3.125.3). */
static bool has_other_options(const struct item_operation *operation, uint16_t only)
{
	const struct wbxml_node *options = wbxml_node_child(operation->node, AS_ITEMOPERATIONS_OPTIONS);
	const struct wbxml_node *node = options == NULL ? NULL : options->first_child;

	while (node != NULL && node->tag == only)
		node = node->next;
	return node != NULL;
}

static int read_empty(struct request *request, struct item_operation *operation)
{
	const char *collection = wbxml_node_text(operation->node, AS_AIRSYNC_COLLECTIONID);

	(void)request;
	if (collection == NULL || collection[0] == '\0' || strlen(collection) > SYNC_COLLECTION_ID_MAX ||
	    has_other_options(operation, AS_ITEMOPERATIONS_DELETESUBFOLDERS))
		return ITEM_STATUS_PROTOCOL_ERROR;
	operation->id.collection = sync_collection_id(collection);
	return 0;
}

/* Conversations are not moved as such: their mails are (MoveItems). */
static int read_move(struct request *request, struct item_operation *operation)
{
	const struct wbxml_node *options = wbxml_node_child(operation->node, AS_ITEMOPERATIONS_OPTIONS);

	(void)request;
	if (wbxml_node_child(operation->node, AS_ITEMOPERATIONS_CONVERSATIONID) == NULL ||
	    wbxml_node_child(operation->node, AS_ITEMOPERATIONS_DSTFLDID) == NULL ||
	    has_other_options(operation, AS_ITEMOPERATIONS_MOVEALWAYS))
		return ITEM_STATUS_PROTOCOL_ERROR;
	return wbxml_node_child(options, AS_ITEMOPERATIONS_MOVEALWAYS) == NULL ? ITEM_STATUS_NO_MOVE_ALWAYS
		: ITEM_STATUS_UNSUPPORTED;
}

static void write_move(struct request *request, const struct item_operation *operation)
{
	size_t length = 0;
	const char *conversation = wbxml_node_bytes(operation->node, AS_ITEMOPERATIONS_CONVERSATIONID, &length);

	wbxml_writer_start(&request->writer, AS_ITEMOPERATIONS_MOVE);
	wbxml_writer_number_element(&request->writer, AS_ITEMOPERATIONS_STATUS, operation->status);
	wbxml_writer_opaque_element(&request->writer, AS_ITEMOPERATIONS_CONVERSATIONID, conversation, length);
	wbxml_writer_end(&request->writer);
}

static void write_empty(struct request *request, const struct item_operation *operation)
{
	const char *collection = wbxml_node_text(operation->node, AS_AIRSYNC_COLLECTIONID);

	wbxml_writer_start(&request->writer, AS_ITEMOPERATIONS_EMPTYFOLDERCONTENTS);
	wbxml_writer_number_element(&request->writer, AS_ITEMOPERATIONS_STATUS, operation->status);
	wbxml_writer_text_element(&request->writer, AS_AIRSYNC_COLLECTIONID,
		collection == NULL || strlen(collection) > SYNC_COLLECTION_ID_MAX ? "" : collection);
	wbxml_writer_end(&request->writer);
}

/* In the order in which the answers have to stand. write: of an operation that has its status. */
static const struct kind {
	uint16_t tag;
	int (*read)(struct request *, struct item_operation *);
	void (*run)(struct request *);
	void (*write)(struct request *, const struct item_operation *);
} kinds[] = {
	{AS_ITEMOPERATIONS_MOVE, read_move, NULL, write_move},
	{AS_ITEMOPERATIONS_EMPTYFOLDERCONTENTS, read_empty, item_empty_run, write_empty},
	{AS_ITEMOPERATIONS_FETCH, item_fetch_read, item_fetch_run, item_fetch_write_failed},
};

static const struct kind *kind_of(const struct item_operation *operation)
{
	size_t i = 0;

	while (kinds[i].tag != operation->node->tag)
		i++;
	return &kinds[i];
}

static int read_operations(struct request *request, struct item_work *work)
{
	unsigned count = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		count += wbxml_node_count(request->root, kinds[i].tag);
	if (count == 0 || count > OPERATIONS_MAX)
		return count == 0 ? ITEM_STATUS_PROTOCOL_ERROR : ITEM_STATUS_TOO_LARGE; /* 3.1.5.10 */
	work->operations = arena_alloc(request->arena, count * sizeof *work->operations);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct wbxml_node *node = wbxml_node_child(request->root, kinds[i].tag);
		for (; node != NULL; node = wbxml_node_next(node)) {
			struct item_operation *operation = &work->operations[work->count++];
			operation->node = node;
			operation->status = kinds[i].read(request, operation);
		}
	}
	return 0;
}

static bool wants_multipart(const struct request *request)
{
	const char *header = http_exchange_header(request->exchange, "MS-ASAcceptMultiPart");

	return request->query.accepts_multipart || (header != NULL && strcasecmp(header, "T") == 0);
}

int item_operations_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char folders[] = "folders";
	struct item_work *work = request->work = arena_alloc(request->arena, sizeof *work);

	work->response = HTTP_RESPONSE(200);
	work->is_multipart = wants_multipart(request);
	request->release = release;
	int status = read_operations(request, work);
	if (status != 0)
		return status;
	begin->keys = arena_alloc(request->arena, (work->count + 1) * sizeof *begin->keys);
	begin->keys[begin->n_keys++] = folders;
	for (size_t i = 0; i < work->count; i++)
		if (work->operations[i].status == 0)
			begin->keys[begin->n_keys++] = arena_printf(request->arena, "sync/%u", work->operations[i].id.collection);
	return 0;
}

/* --- running --------------------------------------------------------------------------------------------------- */

static int resolve(struct request *request, struct item_operation *operation)
{
	const struct item_work *work = request->work;
	const char *key = arena_printf(request->arena, "sync/%u", operation->id.collection);
	Belfry__Activesync__Sync *sync = request_unpack(request, key, &belfry__activesync__sync__descriptor);
	const Belfry__Activesync__Folder *folder = work->folders == NULL ? NULL
		: folders_find(work->folders, operation->id.collection);

	if (folder == NULL)
		return operation->reference != NULL ? ITEM_STATUS_ATTACHMENT : ITEM_STATUS_NOT_FOUND;
	operation->name = folder->name;
	operation->validity = sync == NULL ? 0 : sync->validity;
	return 0;
}

static void answer(struct request *request)
{
	struct item_work *work = request->work;
	struct http_response response;
	const char *type = ANSWER_CONTENT_TYPE;

	wbxml_writer_end(&request->writer); /* Response */
	wbxml_writer_end(&request->writer); /* ItemOperations */
	wbxml_writer_finish(&request->writer);
	request->result = arena_printf(request->arena, "status=1 operations=%zu files=%u", work->count, work->files);
	if (work->is_multipart) {
		item_parts_wrap(&work->parts, &request->body, &work->response);
		type = "application/vnd.ms-sync.multipart";
	} else {
		http_response_bytes(&work->response, &request->body);
	}
	response = work->response;
	work->response = HTTP_RESPONSE(200);
	request_answer_as(request, &response, type);
}

static void run_next(struct request *request)
{
	struct item_work *work = request->work;

	for (; work->at < work->count; work->at++) {
		struct item_operation *operation = item_operation_of(request);
		if (operation->status == 0)
			operation->status = resolve(request, operation);
		if (operation->status == 0) {
			kind_of(operation)->run(request);
			return;
		}
		kind_of(operation)->write(request, operation);
	}
	answer(request);
}

void item_operation_done(struct request *request)
{
	struct item_work *work = request->work;
	struct item_operation *operation = item_operation_of(request);

	if (operation->status != ITEM_STATUS_SUCCESS || operation->node->tag != AS_ITEMOPERATIONS_FETCH)
		kind_of(operation)->write(request, operation);
	work->at++;
	run_next(request);
}

void item_operations_run(struct request *request)
{
	struct item_work *work = request->work;

	work->folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);
	request_begin_answer(request);
	wbxml_writer_number_element(&request->writer, AS_ITEMOPERATIONS_STATUS, ITEM_STATUS_SUCCESS);
	wbxml_writer_start(&request->writer, AS_ITEMOPERATIONS_RESPONSE);
	run_next(request);
}
