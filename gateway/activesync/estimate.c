/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GetItemEstimate (MS-ASCMD 2.2.1.9): how many changes a Sync with this key would bring. The plan is made as Sync makes
 * it, without a window, and thrown away: nothing is written. */
#include <string.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/sync.h"

/* MS-ASCMD 2.2.3.177.7 */
enum { STATUS_SUCCESS = 1, STATUS_NO_COLLECTION = 2, STATUS_NOT_PRIMED = 3, STATUS_INVALID_KEY = 4 };
enum { FILTER_LAST_OF_MAILS = 5, FILTER_LAST = 8 }; /* 2.2.3.68.1 */

struct estimate {
	const char *collection_id;
	const struct wbxml_node *node;
	struct sync_key key;
	bool is_key;                /* of ours, at least in its form */
	char *record_key;
	struct sync_state state;
	uint32_t filter;
	bool conversations;
	int status;
	uint64_t count;
};

struct estimates {
	struct estimate *list;
	size_t count, at;
};

static void release(struct request *request)
{
	struct estimates *estimates = request->work;

	for (size_t i = 0; i < estimates->count; i++)
		sync_state_release(&estimates->list[i].state);
}

/* --- the request ----------------------------------------------------------------------------------------------- */

static int read_collection(struct request *request, struct estimate *estimate, const struct wbxml_node *node)
{
	const char *key = wbxml_node_text(node, AS_AIRSYNC_SYNCKEY);

	estimate->node = node;
	estimate->collection_id = wbxml_node_text(node, AS_GETITEMESTIMATE_COLLECTIONID);
	if (key == NULL || estimate->collection_id == NULL || estimate->collection_id[0] == '\0' ||
	    strlen(estimate->collection_id) > SYNC_COLLECTION_ID_MAX)
		return COMMON_INVALID_XML;
	estimate->is_key = sync_key_parse(key, &estimate->key) == 0;
	estimate->record_key = arena_printf(request->arena, "sync/%u", sync_collection_id(estimate->collection_id));
	return 0;
}

int estimate_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char folders[] = "folders";
	const struct wbxml_node *collections = wbxml_node_child(request->root, AS_GETITEMESTIMATE_COLLECTIONS);
	const struct wbxml_node *node = wbxml_node_child(collections, AS_GETITEMESTIMATE_COLLECTION);
	unsigned count = wbxml_node_count(collections, AS_GETITEMESTIMATE_COLLECTION);
	struct estimates *estimates = request->work = arena_alloc(request->arena, sizeof *estimates);

	request->release = release;
	if (count == 0 || count > SYNC_COLLECTIONS_MAX)
		return COMMON_INVALID_XML;
	estimates->list = arena_alloc(request->arena, count * sizeof *estimates->list);
	begin->keys = arena_alloc(request->arena, (count + 1) * sizeof *begin->keys);
	begin->keys[begin->n_keys++] = folders;
	for (; node != NULL; node = wbxml_node_next(node)) {
		struct estimate *estimate = &estimates->list[estimates->count];
		int status = read_collection(request, estimate, node);
		if (status != 0)
			return status;
		estimates->count++;
		begin->keys[begin->n_keys++] = estimate->record_key;
	}
	return 0;
}

/* 0, or the status of a FilterType that is none, or not one of mails (MS-ASCMD 2.2.3.68.1). */
static int read_filter(struct estimate *estimate, const struct wbxml_node *node)
{
	enum wbxml_value value = wbxml_node_number(node, AS_AIRSYNC_FILTERTYPE, &estimate->filter);

	if (value == WBXML_VALUE_BAD || (value == WBXML_VALUE_GOOD && estimate->filter > FILTER_LAST))
		return COMMON_INVALID_XML;
	return value == WBXML_VALUE_GOOD && estimate->filter > FILTER_LAST_OF_MAILS ? COMMON_SERVER_ERROR : 0;
}

/* Options of short messages, which may come beside those of mails, say nothing of this collection (2.2.3.27.2). MaxItems
 * belongs to the recipients (2.2.3.103.1). */
static int read_options(struct estimate *estimate, const struct wbxml_node *options)
{
	const char *class = wbxml_node_text(options, AS_AIRSYNC_CLASS);

	if (class != NULL && strcmp(class, "SMS") == 0)
		return 0;
	if (class != NULL && strcmp(class, "Email") != 0)
		return STATUS_INVALID_KEY; /* the number that says "not this class", too */
	return wbxml_node_child(options, AS_AIRSYNC_MAXITEMS) != NULL ? STATUS_NO_COLLECTION : read_filter(estimate, options);
}

/* The filter of this request, else the one that the device's Sync goes by. */
static int read_wishes(struct estimate *estimate)
{
	const Belfry__Activesync__Options *kept = estimate->state.record->options;
	const struct wbxml_node *options = wbxml_node_child(estimate->node, AS_AIRSYNC_OPTIONS);

	estimate->filter = kept == NULL ? 0 : kept->filter;
	estimate->conversations = kept != NULL && kept->conversations;
	if (wbxml_node_bool(estimate->node, AS_AIRSYNC_CONVERSATIONMODE, &estimate->conversations) == WBXML_VALUE_BAD)
		return COMMON_INVALID_XML;
	int status = read_filter(estimate, estimate->node); /* until 12.1 */
	for (; status == 0 && options != NULL; options = wbxml_node_next(options))
		status = read_options(estimate, options);
	return status;
}

static int resolve(struct request *request, struct estimate *estimate)
{
	uint32_t id = sync_collection_id(estimate->collection_id);
	Belfry__Activesync__Folders *folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);
	Belfry__Activesync__Sync *record = request_unpack(request, estimate->record_key, &belfry__activesync__sync__descriptor);

	if (folders == NULL || folders_find(folders, id) == NULL)
		return STATUS_NO_COLLECTION;
	if (record == NULL)
		return STATUS_NOT_PRIMED;
	enum sync_key_is is = sync_key_compare(&estimate->key, record->series, record->key);
	if (!estimate->is_key || is == SYNC_KEY_INVALID || is == SYNC_KEY_INITIAL || sync_state_open(&estimate->state, record) < 0)
		return STATUS_INVALID_KEY;
	estimate->state.shows_all = request->version >= 140;
	if (is == SYNC_KEY_REPEATED) /* it has lost the last answer */
		estimate->count = ranges_size(&estimate->state.told.adds) + ranges_size(&estimate->state.told.changes) +
			ranges_size(&estimate->state.told.deletes) + ranges_size(&estimate->state.told.soft_deletes);
	return read_wishes(estimate);
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

static void write_estimate(struct wbxml_writer *writer, const struct estimate *estimate)
{
	wbxml_writer_start(writer, AS_GETITEMESTIMATE_RESPONSE);
	wbxml_writer_number_element(writer, AS_GETITEMESTIMATE_STATUS, estimate->status);
	wbxml_writer_start(writer, AS_GETITEMESTIMATE_COLLECTION);
	wbxml_writer_text_element(writer, AS_GETITEMESTIMATE_COLLECTIONID, estimate->collection_id);
	if (estimate->status == STATUS_SUCCESS)
		wbxml_writer_number_element(writer, AS_GETITEMESTIMATE_ESTIMATE, (int64_t)estimate->count);
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
}

static void answer(struct request *request, const struct estimates *estimates)
{
	request_begin_answer(request);
	for (size_t i = 0; i < estimates->count; i++)
		write_estimate(&request->writer, &estimates->list[i]);
	request->result = arena_printf(request->arena, "status=1 collections=%zu", estimates->count);
	request_answer(request);
}

/* --- counting -------------------------------------------------------------------------------------------------- */

static void next(struct request *);

static void count(struct request *request, struct estimate *estimate, const Belfry__Connector__Surveyed *surveyed)
{
	const struct sync_names names = {surveyed->keywords, surveyed->n_keywords, request->arena};
	struct sync_told *told = &estimate->state.told;
	struct ranges present = RANGES_EMPTY;

	sync_take_ranges(&present, surveyed->present);
	ranges_release(&told->adds);
	ranges_release(&told->deletes);
	ranges_release(&told->soft_deletes);
	sync_state_plan(&estimate->state, &present, NULL, surveyed->changed, surveyed->n_changed, &names, UINT64_MAX);
	estimate->count += ranges_size(&told->adds) + ranges_size(&told->changes) + ranges_size(&told->deletes);
	ranges_release(&present);
}

static void surveyed(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct estimates *estimates = request->work;
	struct estimate *estimate = &estimates->list[estimates->at];

	(void)fd;
	(void)is_last;
	if (response->status == BELFRY__CONNECTOR__STATUS__NOT_FOUND)
		estimate->status = STATUS_NO_COLLECTION;
	else if (response->status == BELFRY__CONNECTOR__STATUS__STALE) /* Sync will say so, too: it is to start anew */
		estimate->status = STATUS_INVALID_KEY;
	else if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->surveyed == NULL) {
		request_answer_retry(request, response->reason);
		return;
	} else {
		estimate->status = STATUS_SUCCESS;
		count(request, estimate, response->surveyed);
	}
	estimates->at++;
	next(request);
}

static void survey(struct request *request, const struct estimate *estimate)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Survey message = BELFRY__CONNECTOR__SURVEY__INIT;
	const Belfry__Activesync__Sync *record = estimate->state.record;

	message.collection = record->name;
	message.validity = record->validity;
	message.since_token = record->token;
	message.received_since_s = sync_filter_since_s(request, estimate->filter);
	message.conversations = estimate->conversations;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SURVEY;
	question.survey = &message;
	request_ask(request, &question, surveyed);
}

/* One collection after the other; those that cannot be asked about have their status at once. */
static void next(struct request *request)
{
	struct estimates *estimates = request->work;

	for (; estimates->at < estimates->count; estimates->at++) {
		struct estimate *estimate = &estimates->list[estimates->at];
		estimate->status = resolve(request, estimate);
		if (estimate->status == 0) {
			survey(request, estimate);
			return;
		}
	}
	answer(request, estimates);
}

void estimate_run(struct request *request)
{
	next(request);
}
