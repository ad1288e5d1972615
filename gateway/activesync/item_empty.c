/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * EmptyFolderContents of ItemOperations (MS-ASCMD 2.2.3.58): what stands in a collection now is removed for good, and what
 * is below it, if that is asked for. The next Sync and FolderSync tell what has gone.
 */
#include "gateway/activesync/folders.h"
#include "gateway/activesync/item_operations.h"
#include "gateway/activesync/sync.h"

enum { REMOVED_AT_ONCE = 1000 }; /* items of one Apply */

static void fail(struct request *request, Belfry__Connector__Status status)
{
	item_operation_of(request)->status = status == BELFRY__CONNECTOR__STATUS__NOT_FOUND ? ITEM_STATUS_NOT_FOUND
		: ITEM_STATUS_SERVER_ERROR;
	item_operation_done(request);
}

/* --- below ----------------------------------------------------------------------------------------------------- */

static void remove_next_child(struct request *);

static void altered(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct item_operation *operation = item_operation_of(request);

	(void)fd;
	(void)is_last;
	if (response->status == BELFRY__CONNECTOR__STATUS__UNAVAILABLE) {
		fail(request, response->status);
		return;
	}
	if (response->status != BELFRY__CONNECTOR__STATUS__OK && response->status != BELFRY__CONNECTOR__STATUS__NOT_FOUND)
		operation->status = ITEM_STATUS_DENIED;
	operation->child++;
	remove_next_child(request);
}

static void remove_child(struct request *request, const Belfry__Activesync__Folder *folder)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Alter alter = BELFRY__CONNECTOR__ALTER__INIT;

	alter.name = folder->name;
	alter.remove = true;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_ALTER;
	question.alter = &alter;
	request_ask(request, &question, altered);
}

/* What every device has is not removed, wherever it is. */
static void remove_next_child(struct request *request)
{
	const struct item_work *work = request->work;
	struct item_operation *operation = item_operation_of(request);

	for (; operation->child < work->folders->n_folders; operation->child++) {
		const Belfry__Activesync__Folder *folder = work->folders->folders[operation->child];
		if (folder->parent != operation->id.collection || folders_find(work->folders, folder->id) == NULL ||
		    folders_is_special(work->folders, folder->id))
			continue;
		remove_child(request, folder);
		return;
	}
	if (operation->status == 0)
		operation->status = ITEM_STATUS_SUCCESS;
	item_operation_done(request);
}

/* --- the collection itself ------------------------------------------------------------------------------------- */

static void remove_next(struct request *);

static bool is_refused(Belfry__Connector__Status status)
{
	return status != BELFRY__CONNECTOR__STATUS__OK && status != BELFRY__CONNECTOR__STATUS__NOT_FOUND;
}

static void removed(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct item_operation *operation = item_operation_of(request);

	(void)fd;
	(void)is_last;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->applied == NULL) {
		fail(request, response->status);
		return;
	}
	for (size_t i = 0; i < response->applied->n_results; i++)
		if (is_refused(response->applied->results[i]))
			operation->status = ITEM_STATUS_DENIED;
	remove_next(request);
}

static void make_removals(struct request *request, struct item_operation *operation)
{
	operation->removals = arena_alloc(request->arena, REMOVED_AT_ONCE * sizeof *operation->removals);
	for (size_t i = 0; i < REMOVED_AT_ONCE; i++) {
		operation->removals[i] = arena_alloc(request->arena, sizeof **operation->removals);
		belfry__connector__operation__init(operation->removals[i]);
		operation->removals[i]->remove = true;
	}
}

static void apply(struct request *request, struct item_operation *operation, const struct ranges *items)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Apply message = BELFRY__CONNECTOR__APPLY__INIT;

	if (operation->removals == NULL)
		make_removals(request, operation);
	for (size_t i = 0; i < items->count; i++)
		for (uint64_t item = items->list[i].first; item <= items->list[i].last; item++)
			operation->removals[message.n_operations++]->id = item;
	message.operations = operation->removals;
	message.collection = (char *)operation->name;
	message.validity = operation->validity;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_APPLY;
	question.apply = &message;
	request_ask(request, &question, removed);
}

static void remove_next(struct request *request)
{
	struct item_operation *operation = item_operation_of(request);
	const struct wbxml_node *options = wbxml_node_child(operation->node, AS_ITEMOPERATIONS_OPTIONS);
	struct ranges now = RANGES_EMPTY;

	if (operation->items.count != 0) {
		ranges_copy(&now, &operation->items);
		ranges_keep_highest(&now, REMOVED_AT_ONCE);
		ranges_subtract(&operation->items, &operation->items, &now);
		apply(request, operation, &now);
		ranges_release(&now);
	} else if (wbxml_node_child(options, AS_ITEMOPERATIONS_DELETESUBFOLDERS) != NULL) {
		remove_next_child(request);
	} else {
		if (operation->status == 0)
			operation->status = ITEM_STATUS_SUCCESS;
		item_operation_done(request);
	}
}

static void surveyed(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct item_operation *operation = item_operation_of(request);

	(void)fd;
	(void)is_last;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->surveyed == NULL) {
		fail(request, response->status);
		return;
	}
	operation->validity = response->surveyed->position == NULL ? 0 : response->surveyed->position->validity;
	sync_take_ranges(&operation->items, response->surveyed->present);
	remove_next(request);
}

/* Whatever the device has of it: all of it is to go. */
void item_empty_run(struct request *request)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Survey survey = BELFRY__CONNECTOR__SURVEY__INIT;

	survey.collection = (char *)item_operation_of(request)->name;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_SURVEY;
	question.survey = &survey;
	request_ask(request, &question, surveyed);
}
