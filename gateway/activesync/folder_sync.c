/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FolderSync (MS-ASCMD 2.2.1.5): the hierarchy, and what has changed in it since the SyncKey. Where the hierarchy stands
 * is asked of the watch half, which will be asked by the hub too, before the list is read: a change in between rings.
 */
#include <string.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/hierarchy.h"
#include "gateway/activesync/park.h"
#include "gateway/activesync/sync_key.h"
#include "lib/core/log.h"

/* MS-ASCMD 2.2.3.177.5 */
enum { STATUS_SUCCESS = 1, STATUS_SERVER_ERROR = 6, STATUS_INVALID_SYNC_KEY = 9, STATUS_BAD_REQUEST = 10 };

enum { FORGET_BATCH = 100 }; /* folders whose state goes at a time: what is read of them fits one answer of the store */

struct work {
	Belfry__Activesync__Folders *folders;
	Belfry__Role__Position *position; /* of the hierarchy; NULL: not to be had */
	bool changed;
	char **forgotten;       /* keys of the state of folders that the device has acknowledged to be gone … */
	size_t forgotten_count, forgotten_next; /* … of which those before forgotten_next are gone */
};

int folder_sync_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char name[] = "folders", position[] = HIERARCHY_RECORD, *names[] = {name, position};
	const char *key = wbxml_node_text(request->root, AS_FOLDERHIERARCHY_SYNCKEY);

	if (key == NULL)
		return STATUS_BAD_REQUEST;
	begin->locks = begin->keys = names;
	begin->n_locks = 1;
	begin->n_keys = 2;
	return 0;
}

static void write_folder(struct wbxml_writer *writer, uint16_t tag, const Belfry__Activesync__Folder *folder)
{
	wbxml_writer_start(writer, tag);
	wbxml_writer_number_element(writer, AS_FOLDERHIERARCHY_SERVERID, folder->id);
	if (tag != AS_FOLDERHIERARCHY_DELETE) {
		wbxml_writer_number_element(writer, AS_FOLDERHIERARCHY_PARENTID, folder->parent);
		wbxml_writer_text_element(writer, AS_FOLDERHIERARCHY_DISPLAYNAME, folder->display_name);
		wbxml_writer_number_element(writer, AS_FOLDERHIERARCHY_TYPE, folder->type);
	}
	wbxml_writer_end(writer);
}

/* What answer `key` tells of a folder; 0: nothing. */
static uint16_t told_as(const Belfry__Activesync__Folder *folder, uint32_t key)
{
	if (folder->removed == key) /* a device that starts from 0 never had it */
		return folder->added == key ? 0 : AS_FOLDERHIERARCHY_DELETE;
	if (folder->added == key)
		return AS_FOLDERHIERARCHY_ADD;
	return folder->changed == key ? AS_FOLDERHIERARCHY_UPDATE : 0;
}

/* key: of the answer to give; 0: one without changes. */
static void answer(struct request *request, const Belfry__Activesync__Folders *folders, uint32_t key)
{
	static const uint16_t order[] = {AS_FOLDERHIERARCHY_UPDATE, AS_FOLDERHIERARCHY_DELETE, AS_FOLDERHIERARCHY_ADD};
	struct wbxml_writer *writer = &request->writer;
	char text[SYNC_KEY_TEXT];
	unsigned count = 0;

	for (size_t i = 0; key != 0 && i < folders->n_folders; i++)
		count += told_as(folders->folders[i], key) != 0;
	sync_key_format(folders->series, folders->key, text);
	request_begin_answer(request);
	wbxml_writer_number_element(writer, AS_FOLDERHIERARCHY_STATUS, STATUS_SUCCESS);
	wbxml_writer_text_element(writer, AS_FOLDERHIERARCHY_SYNCKEY, text);
	wbxml_writer_start(writer, AS_FOLDERHIERARCHY_CHANGES);
	wbxml_writer_number_element(writer, AS_FOLDERHIERARCHY_COUNT, count);
	for (size_t kind = 0; count != 0 && kind < sizeof order / sizeof *order; kind++)
		for (size_t i = 0; i < folders->n_folders; i++)
			if (told_as(folders->folders[i], key) == order[kind])
				write_folder(writer, order[kind], folders->folders[i]);
	wbxml_writer_end(writer);
	request->result = arena_printf(request->arena, "status=1 changes=%u", count);
	request_answer(request);
}

static void answer_listed(struct request *request)
{
	const struct work *work = request->work;

	answer(request, work->folders, work->changed ? work->folders->key : 0);
}

static void committed(const Belfry__Role__Committed *done, void *data)
{
	(void)done;
	answer_listed(data);
}

static void commit(struct request *request)
{
	struct work *work = request->work;
	Belfry__Role__Write *writes[2], *position = hierarchy_write(request, work->position);
	size_t count = 0;

	if (position != NULL)
		writes[count++] = position;
	if (work->changed || work->forgotten_count != 0)
		writes[count++] = request_write(request, "folders", &work->folders->base);
	if (count == 0)
		answer_listed(request);
	else
		request_commit(request, writes, count, committed);
}

static void listed(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct work *work = request->work;

	(void)fd;
	(void)is_last;
	if (response->status != BELFRY__CONNECTOR__STATUS__OK || response->collections == NULL) {
		request_answer_retry(request, response->reason);
		return;
	}
	work->changed = folders_merge(work->folders, response->collections, request->arena);
	commit(request);
}

static void list(struct request *request)
{
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__ListCollections nothing = BELFRY__CONNECTOR__LIST_COLLECTIONS__INIT;

	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_LIST;
	question.list = &nothing;
	request_ask(request, &question, listed);
}

/* Without a position the device is served all the same; only its Ping will not tell of new folders. */
static void checked(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct work *work = request->work;

	(void)fd;
	(void)is_last;
	if (hierarchy_is_silent(request, response)) {
		request_answer_retry(request, response->reason);
		return;
	}
	work->position = hierarchy_read(response, request->arena);
	list(request);
}

static void check(struct request *request)
{
	hierarchy_ask(request, checked);
}

/* What the device had of folders that are gone, before the hierarchy forgets them. */
static void list_forgotten(struct request *request, struct work *work)
{
	work->forgotten = arena_alloc(request->arena, (work->folders->n_folders * 2 + 1) * sizeof *work->forgotten);
	for (size_t i = 0; i < work->folders->n_folders; i++) {
		const Belfry__Activesync__Folder *folder = work->folders->folders[i];
		if (folder->removed == 0)
			continue;
		work->forgotten[work->forgotten_count++] = arena_printf(request->arena, "sync/%u", folder->id);
		work->forgotten[work->forgotten_count++] = arena_printf(request->arena, "position/%u", folder->id);
	}
}

static void forget_and_check(struct request *);

static void forgot(const Belfry__Role__Committed *done, void *data)
{
	(void)done;
	forget_and_check(data);
}

static size_t next_forgotten(const struct work *work)
{
	size_t left = work->forgotten_count - work->forgotten_next;

	return left < FORGET_BATCH * 2 ? left : FORGET_BATCH * 2;
}

static void forget(struct request *request)
{
	struct work *work = request->work;
	size_t count = next_forgotten(work), there = 0;
	Belfry__Role__Write **writes = arena_alloc(request->arena, count * sizeof *writes);

	for (; count > 0; count--, work->forgotten_next++)
		if (request_record(request, work->forgotten[work->forgotten_next]) != NULL)
			writes[there++] = request_remove(request, work->forgotten[work->forgotten_next]);
	if (there == 0)
		forget_and_check(request);
	else
		request_commit_first(request, writes, there, forgot);
}

static void forget_and_check(struct request *request)
{
	const struct work *work = request->work;
	size_t count = next_forgotten(work);

	if (count == 0)
		check(request);
	else
		request_read(request, work->forgotten + work->forgotten_next, count, forget);
}

void folder_sync_run(struct request *request)
{
	struct work *work = arena_alloc(request->arena, sizeof *work);
	Belfry__Activesync__Folders *folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);
	struct sync_key key;

	if (folders == NULL) {
		folders = arena_alloc(request->arena, sizeof *folders);
		belfry__activesync__folders__init(folders);
	}
	work->folders = folders;
	request->work = work;
	if (sync_key_parse(wbxml_node_text(request->root, AS_FOLDERHIERARCHY_SYNCKEY), &key) < 0) {
		request_answer_status(request, STATUS_INVALID_SYNC_KEY);
		return;
	}
	switch (sync_key_compare(&key, folders->series, folders->key)) {
	case SYNC_KEY_INITIAL:
		list_forgotten(request, work);
		folders_restart(folders, sync_key_new_series());
		forget_and_check(request);
		break;
	case SYNC_KEY_CURRENT:
		list_forgotten(request, work);
		folders_acknowledge(folders);
		forget_and_check(request);
		break;
	case SYNC_KEY_REPEATED: answer(request, folders, folders->key); break;
	case SYNC_KEY_INVALID: request_answer_status(request, STATUS_INVALID_SYNC_KEY); break;
	}
}
