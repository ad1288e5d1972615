/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Search while it runs:
 *
 *	read the query ──▶ Search at the connector ──▶ Fetch of the wanted range, run by run ──▶ answer
 *
 * A run is what stands one after the other in the same folder. Nothing is kept: the next range is searched for anew.
 */
#include "gateway/activesync/search.h"

#include <string.h>
#include <unistd.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/sync.h"

struct search {
	struct search_query query;
	Belfry__Connector__FoundItem *items; /* of the range */
	size_t count, next, fetching;        /* next: to be asked for; fetching: whose frame comes next */
	uint64_t total;
	unsigned results;
	struct http_response response;       /* what was written so far, when a piece of it is in a file */
	unsigned files;                      /* pieces of it that are */
};

static void release(struct request *request)
{
	http_response_release(&((struct search *)request->work)->response);
}

int search_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char folders[] = "folders", *keys[] = {folders};

	if (wbxml_node_count(request->root, AS_SEARCH_STORE) != 1)
		return COMMON_INVALID_XML; /* the whole has no status of Search's own for that (MS-ASCMD 2.2.3.177.13) */
	begin->keys = keys;
	begin->n_keys = 1;
	return 0;
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

static void begin_store(struct request *request, int status)
{
	struct wbxml_writer *writer = &request->writer;

	request_begin_answer(request);
	wbxml_writer_number_element(writer, AS_SEARCH_STATUS, SEARCH_STATUS_SUCCESS);
	wbxml_writer_start(writer, AS_SEARCH_RESPONSE);
	wbxml_writer_start(writer, AS_SEARCH_STORE);
	wbxml_writer_number_element(writer, AS_SEARCH_STATUS, status);
}

static void end_store(struct request *request)
{
	struct search *search = request->work;

	for (int i = 0; i < 3; i++) /* Store, Response, Search */
		wbxml_writer_end(&request->writer);
	wbxml_writer_finish(&request->writer);
	http_response_bytes(&search->response, &request->body);
	struct http_response response = search->response;
	search->response = HTTP_RESPONSE(200); /* what is released with the work is empty */
	request_answer_response(request, &response);
}

static void answer_status(struct request *request, int status)
{
	request->result = arena_printf(request->arena, "status=1 store=%d", status);
	begin_store(request, status);
	end_store(request);
}

/* An empty Result says that there is none (MS-ASCMD 2.2.3.155.4). */
static void answer_nothing(struct request *request)
{
	request->result = "status=1 store=1 total=0";
	begin_store(request, SEARCH_STATUS_SUCCESS);
	wbxml_writer_empty_element(&request->writer, AS_SEARCH_RESULT);
	wbxml_writer_number_element(&request->writer, AS_SEARCH_TOTAL, 0);
	end_store(request);
}

/* What could not be read any more counts in the range: the next one begins behind it. */
static void end_results(struct request *request)
{
	struct search *search = request->work;
	const struct search_query *query = &search->query;

	if (search->results == 0)
		wbxml_writer_empty_element(&request->writer, AS_SEARCH_RESULT);
	wbxml_writer_text_element(&request->writer, AS_SEARCH_RANGE,
		arena_printf(request->arena, "%u-%u", query->first, query->first + (uint32_t)search->next - 1));
	wbxml_writer_number_element(&request->writer, AS_SEARCH_TOTAL, (int64_t)search->total);
	request->result = arena_printf(request->arena, "status=1 store=1 total=%llu results=%u",
		(unsigned long long)search->total, search->results);
	end_store(request);
}

/* --- the mails ------------------------------------------------------------------------------------------------- */

static void fetch_next(struct request *);

static const Belfry__Activesync__Folder *folder_of(const struct search *search, const Belfry__Connector__FoundItem *item)
{
	return search->query.folders[item->collection];
}

static void write_result(struct request *request, const Belfry__Connector__FoundItem *found,
	const Belfry__Connector__Item *item, int fd)
{
	struct search *search = request->work;
	struct wbxml_writer *writer = &request->writer;
	unsigned folder = folder_of(search, found)->id;
	const char *server_id = arena_printf(request->arena, "%u:%llu", folder, (unsigned long long)found->id);

	search->results++;
	search->files += fd >= 0;
	wbxml_writer_start(writer, AS_SEARCH_RESULT);
	wbxml_writer_text_element(writer, AS_AIRSYNC_CLASS, "Email");
	/* The ServerId, which names the folder, too: whoever takes a LongId needs no more. */
	wbxml_writer_text_element(writer, AS_SEARCH_LONGID, server_id);
	wbxml_writer_text_element(writer, AS_AIRSYNC_COLLECTIONID, arena_printf(request->arena, "%u", folder));
	wbxml_writer_start(writer, AS_SEARCH_PROPERTIES);
	mail_write(request, &(struct mail_form){.response = &search->response,
		.with_part = search->query.options.part != NULL}, item, server_id, fd);
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
}

/* Gone meanwhile, or unreadable: it is not shown. A folder that is gone, or was made anew, has none of them. */
static void fetched(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct search *search = request->work;
	const Belfry__Connector__Item *item = response->fetched == NULL ? NULL : response->fetched->item;
	bool is_over = response->status == BELFRY__CONNECTOR__STATUS__STALE ||
		response->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND;

	if (response->status == BELFRY__CONNECTOR__STATUS__OK && item != NULL && search->fetching < search->next) {
		const Belfry__Connector__FoundItem *found = &search->items[search->fetching++];
		if (item->status == BELFRY__CONNECTOR__STATUS__OK && item->mail != NULL && item->id == found->id)
			write_result(request, found, item, fd);
	}
	if (fd >= 0)
		close(fd);
	if (response->status != BELFRY__CONNECTOR__STATUS__OK && !is_over)
		request_answer_retry(request, response->reason); /* half an answer is none */
	else if (is_last)
		fetch_next(request);
}

/* How many of the next items are in one folder. */
static size_t run_length(const struct search *search)
{
	const Belfry__Connector__FoundItem *first = &search->items[search->next];
	size_t length = 1;

	while (search->next + length < search->count && length < SYNC_FETCH_BATCH &&
	    first[length].collection == first->collection && first[length].validity == first->validity)
		length++;
	return length;
}

static void fetch_next(struct request *request)
{
	struct search *search = request->work;
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Fetch fetch = BELFRY__CONNECTOR__FETCH__INIT;
	const Belfry__Activesync__Options *options = &search->query.options;

	search->fetching = search->next;
	if (search->next == search->count ||
	    request->body.length + search->response.length > SYNC_ANSWER_BYTES || search->files > SYNC_ANSWER_FILES) {
		end_results(request); /* with the range that it has become */
		return;
	}
	fetch.n_ids = run_length(search);
	fetch.ids = arena_alloc(request->arena, fetch.n_ids * sizeof *fetch.ids);
	for (size_t i = 0; i < fetch.n_ids; i++)
		fetch.ids[i] = search->items[search->next + i].id;
	fetch.collection = folder_of(search, &search->items[search->next])->name;
	fetch.validity = search->items[search->next].validity;
	fetch.wishes = sync_wishes(request, options, false);
	fetch.n_wishes = options->n_bodies;
	fetch.part = sync_part_wish(request, options, false);
	fetch.mime_support = options->mime_support;
	search->next += fetch.n_ids;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_FETCH;
	question.fetch = &fetch;
	request_ask(request, &question, fetched);
}

/* --- the search ------------------------------------------------------------------------------------------------ */

/* Of what is found, that which is in the range. */
static void take_items(struct request *request, struct search *search, const Belfry__Connector__Found *found)
{
	const struct search_query *query = &search->query;

	search->total = found->total;
	search->items = arena_alloc(request->arena, SEARCH_RESULTS_MAX * sizeof *search->items);
	for (size_t i = query->first; i < found->n_items && i <= query->last; i++)
		if (found->items[i]->collection < query->folder_count)
			search->items[search->count++] = *found->items[i];
}

static void found(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct search *search = request->work;

	(void)fd;
	(void)is_last;
	if (response->status == BELFRY__CONNECTOR__STATUS__LIMIT || response->status == BELFRY__CONNECTOR__STATUS__UNSUPPORTED) {
		answer_status(request, SEARCH_STATUS_TOO_COMPLEX);
		return;
	}
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->found == NULL) {
		request_answer_retry(request, response->reason);
		return;
	}
	take_items(request, search, response->found);
	if (search->count == 0 && search->query.first > 0) {
		answer_status(request, SEARCH_STATUS_END_OF_RANGE);
	} else if (search->count == 0) {
		answer_nothing(request);
	} else {
		begin_store(request, SEARCH_STATUS_SUCCESS);
		fetch_next(request);
	}
}

void search_run(struct request *request)
{
	struct search *search = request->work = arena_alloc(request->arena, sizeof *search);
	struct search_query *query = &search->query;
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Search message = BELFRY__CONNECTOR__SEARCH__INIT;
	int status;

	search->response = HTTP_RESPONSE(200);
	request->release = release;
	status = search_query_read(request, wbxml_node_child(request->root, AS_SEARCH_STORE), query);
	if (status != SEARCH_STATUS_SUCCESS) {
		answer_status(request, status);
		return;
	}
	if (query->is_nothing) {
		answer_nothing(request);
		return;
	}
	message.collections = query->names;
	message.n_collections = query->folder_count;
	message.texts = query->words;
	message.n_texts = query->word_count;
	message.received_after_s = query->after_s;
	message.received_before_s = query->before_s;
	message.limit = query->last + 1;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SEARCH;
	question.search = &message;
	request_ask(request, &question, found);
}
