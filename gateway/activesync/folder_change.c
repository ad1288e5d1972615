/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FolderCreate, FolderDelete and FolderUpdate (MS-ASCMD 2.2.1.3, 2.2.1.4, 2.2.1.6): the device changes the hierarchy.
 *
 * The backend does it first, then it is written down, then the device is told. Dying in between is harmless: when the
 * request comes again, a folder that is there although the device was never told of it is the one that it asked for, and
 * one that is gone is gone. What others changed meanwhile stays untold until the next FolderSync: only a hierarchy that
 * stood before as the device knew it is noted to stand now as the device made it, so that this does not ring.
 */
#include <string.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/hierarchy.h"
#include "gateway/activesync/park.h"
#include "gateway/activesync/sync_key.h"
#include "gateway/service/store.h"

/* MS-ASCMD 2.2.3.177.3, 2.2.3.177.4, 2.2.3.177.6 */
enum {
	STATUS_SUCCESS = 1, STATUS_EXISTS = 2, STATUS_SPECIAL = 3, STATUS_NOT_FOUND = 4, STATUS_NO_PARENT = 5,
	STATUS_SERVER_ERROR = 6, STATUS_INVALID_SYNC_KEY = 9, STATUS_BAD_REQUEST = 10, STATUS_UNKNOWN = 11
};

/* What may be made; the backend has mail only. */
enum { TYPE_GENERIC = 1, TYPE_USER_MAIL = 12, TYPE_RECIPIENT_CACHE = 19 };

struct folder_change {
	Belfry__Activesync__Folders *folders;
	Belfry__Activesync__FolderChange *asked;
	const Belfry__Activesync__Folder *folder; /* NULL: a new one */
	bool knew_all;                     /* the device knew the hierarchy as it was */
	Belfry__Role__Position *position;  /* of the hierarchy now; NULL: to stay as it is kept */
};

int folder_change_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char name[] = "folders", hierarchy[] = HIERARCHY_RECORD, *names[] = {name, hierarchy};
	static char sync[] = "sync/", position[] = "position/", *prefixes[] = {sync, position};
	const char *key = wbxml_node_text(request->root, AS_FOLDERHIERARCHY_SYNCKEY);

	if (key == NULL || wbxml_node_child(request->root, AS_FOLDERHIERARCHY_STATUS) != NULL) /* MS-ASCMD 2.2.3.77 */
		return STATUS_BAD_REQUEST;
	begin->locks = begin->keys = names;
	begin->n_locks = 1;
	begin->n_keys = 2;
	if (request->root->tag == AS_FOLDERHIERARCHY_FOLDERUPDATE) { /* they say the names of what is moved, too */
		begin->prefixes = prefixes;
		begin->n_prefixes = 2;
	}
	return 0;
}

/* --- the answer ------------------------------------------------------------------------------------------------ */

static void answer(struct request *request, const Belfry__Activesync__Folders *folders)
{
	struct wbxml_writer *writer = &request->writer;
	char key[SYNC_KEY_TEXT];

	sync_key_format(folders->series, folders->key, key);
	request_begin_answer(request);
	wbxml_writer_number_element(writer, AS_FOLDERHIERARCHY_STATUS, STATUS_SUCCESS);
	wbxml_writer_text_element(writer, AS_FOLDERHIERARCHY_SYNCKEY, key);
	if (folders->last->made != 0)
		wbxml_writer_number_element(writer, AS_FOLDERHIERARCHY_SERVERID, folders->last->made);
	request->result = "status=1";
	request_answer(request);
}

static void committed(const Belfry__Role__Committed *done, void *data)
{
	struct request *request = data;
	struct folder_change *change = request->work;

	(void)done;
	answer(request, change->folders);
}

/* --- carrying it out ------------------------------------------------------------------------------------------- */

static size_t rename_sync(struct request *request, const Belfry__Activesync__Folder *folder, Belfry__Role__Write **writes)
{
	const char *key = arena_printf(request->arena, "sync/%u", folder->id);
	Belfry__Activesync__Sync *sync = request_unpack(request, key, &belfry__activesync__sync__descriptor);

	if (sync == NULL || strcmp(sync->name, folder->name) == 0)
		return 0;
	sync->name = folder->name;
	writes[0] = request_write(request, key, &sync->base);
	return 1;
}

static size_t rename_position(struct request *request, const Belfry__Activesync__Folder *folder,
	Belfry__Role__Write **writes)
{
	const char *key = arena_printf(request->arena, "position/%u", folder->id);
	Belfry__Activesync__At *at = request_unpack(request, key, &belfry__activesync__at__descriptor);

	if (at == NULL || strcmp(at->name, folder->name) == 0)
		return 0;
	at->name = folder->name;
	writes[0] = request_write(request, key, &at->base);
	return 1;
}

/* A folder that is moved stays what it is to the device: its SyncKeys go on under the new name. */
static void commit(struct request *request)
{
	const struct folder_change *change = request->work;
	const Belfry__Activesync__Folders *folders = change->folders;
	Belfry__Role__Write **writes = arena_alloc(request->arena, (2 * folders->n_folders + 2) * sizeof *writes);
	size_t count = 0;

	writes[count++] = request_write(request, "folders", &folders->base);
	if (change->position != NULL && (writes[count] = hierarchy_write(request, change->position)) != NULL)
		count++;
	for (size_t i = 0; request->root->tag == AS_FOLDERHIERARCHY_FOLDERUPDATE && i < folders->n_folders; i++) {
		count += rename_sync(request, folders->folders[i], writes + count);
		count += rename_position(request, folders->folders[i], writes + count);
	}
	request_commit(request, writes, count, committed);
}

static void checked_after(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct folder_change *change = request->work;

	(void)fd;
	(void)is_last;
	change->position = hierarchy_read(response, request->arena);
	commit(request);
}

static void write_down(struct request *request, const char *name)
{
	struct folder_change *change = request->work;
	Belfry__Activesync__FolderChange *asked = change->asked;

	if (change->folder == NULL)
		asked->made = folders_add(change->folders, name, asked->parent, asked->display_name, request->arena);
	else if (asked->remove)
		folders_remove(change->folders, asked->id);
	else
		folders_move(change->folders, asked->id, name, asked->parent, asked->display_name, request->arena);
	change->folders->last = asked;
	if (change->knew_all)
		hierarchy_ask(request, checked_after);
	else
		commit(request);
}

/* What the backend did or found. name_r: of the folder from now on; NULL: the status is the answer. */
static int understand(const struct folder_change *change, const Belfry__Connector__Response *response, const char **name_r)
{
	*name_r = response->altered != NULL ? response->altered->name : "";
	switch (response->status) {
	case BELFRY__CONNECTOR__STATUS__OK:
		return STATUS_SUCCESS;
	case BELFRY__CONNECTOR__STATUS__EXISTS: /* made by this request before it was repeated, unless the device has it */
		return **name_r == '\0' || folders_has_name(change->folders, *name_r) ? STATUS_EXISTS : STATUS_SUCCESS;
	case BELFRY__CONNECTOR__STATUS__NOT_FOUND:
		return change->folder == NULL ? STATUS_NO_PARENT : change->asked->remove ? STATUS_SUCCESS : STATUS_NOT_FOUND;
	case BELFRY__CONNECTOR__STATUS__LIMIT:
	case BELFRY__CONNECTOR__STATUS__UNSUPPORTED:
		return STATUS_UNKNOWN;
	default:
		return STATUS_SERVER_ERROR;
	}
}

static void altered(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	const char *name;
	int status = understand(request->work, response, &name);

	(void)fd;
	(void)is_last;
	if (status == STATUS_SUCCESS)
		write_down(request, name);
	else if (status == STATUS_SERVER_ERROR)
		request_answer_retry(request, response->reason);
	else
		request_answer_status(request, status);
}

static const char *name_of(const Belfry__Activesync__Folders *folders, uint32_t id)
{
	return id == 0 ? "" : folders_find(folders, id)->name;
}

static void ask_for_it(struct request *request)
{
	const struct folder_change *change = request->work;
	Belfry__Connector__Request question = BELFRY__CONNECTOR__REQUEST__INIT;
	Belfry__Connector__Alter alter = BELFRY__CONNECTOR__ALTER__INIT;

	alter.name = (char *)name_of(change->folders, change->asked->id);
	alter.remove = change->asked->remove;
	alter.parent = (char *)name_of(change->folders, change->asked->parent);
	alter.display_name = change->asked->display_name;
	question.body_case = BELFRY__CONNECTOR__REQUEST__BODY_ALTER;
	question.alter = &alter;
	request_ask(request, &question, altered);
}

static void checked_before(const Belfry__Connector__Response *response, int fd, bool is_last, void *data)
{
	struct request *request = data;
	struct folder_change *change = request->work;
	Belfry__Role__Position *position = hierarchy_read(response, request->arena);

	(void)fd;
	(void)is_last;
	if (hierarchy_is_silent(request, response)) {
		request_answer_retry(request, response->reason);
		return;
	}
	change->knew_all = position != NULL && hierarchy_write(request, position) == NULL;
	ask_for_it(request);
}

static void carry_out(struct request *request)
{
	hierarchy_ask(request, checked_before);
}

/* --- what is asked for ----------------------------------------------------------------------------------------- */

/* The cache of recipients (MS-ASCMD 2.2.3.30.6) is not kept here, and no device may change it: who tries is told that. */
static bool is_recipient_cache(const struct request *request, uint16_t tag)
{
	const char *id = wbxml_node_text(request->root, tag);

	return id != NULL && strcmp(id, "RI") == 0;
}

static int read_place(const struct request *request, Belfry__Activesync__FolderChange *asked)
{
	const char *name = wbxml_node_text(request->root, AS_FOLDERHIERARCHY_DISPLAYNAME);
	enum wbxml_value parent = wbxml_node_number(request->root, AS_FOLDERHIERARCHY_PARENTID, &asked->parent);

	if (name == NULL || name[0] == '\0' || strlen(name) > FOLDER_NAME_MAX || parent == WBXML_VALUE_MISSING ||
	    parent == WBXML_VALUE_EMPTY)
		return STATUS_BAD_REQUEST;
	asked->display_name = (char *)name;
	if (is_recipient_cache(request, AS_FOLDERHIERARCHY_PARENTID))
		return STATUS_SPECIAL;
	return parent == WBXML_VALUE_BAD ? STATUS_NO_PARENT : 0;
}

static int read_id(const struct request *request, Belfry__Activesync__FolderChange *asked)
{
	enum wbxml_value id = wbxml_node_number(request->root, AS_FOLDERHIERARCHY_SERVERID, &asked->id);

	if (id == WBXML_VALUE_MISSING || id == WBXML_VALUE_EMPTY)
		return STATUS_BAD_REQUEST;
	if (is_recipient_cache(request, AS_FOLDERHIERARCHY_SERVERID))
		return STATUS_SPECIAL;
	return id == WBXML_VALUE_BAD || asked->id == 0 ? STATUS_NOT_FOUND : 0;
}

static int read_create(const struct request *request, Belfry__Activesync__FolderChange *asked)
{
	uint32_t type;

	if (wbxml_node_number(request->root, AS_FOLDERHIERARCHY_TYPE, &type) != WBXML_VALUE_GOOD)
		return STATUS_BAD_REQUEST;
	if (type == TYPE_RECIPIENT_CACHE)
		return STATUS_SPECIAL;
	return type == TYPE_GENERIC || type == TYPE_USER_MAIL ? read_place(request, asked) : STATUS_BAD_REQUEST;
}

static int read_delete(const struct request *request, Belfry__Activesync__FolderChange *asked)
{
	asked->remove = true;
	return read_id(request, asked);
}

static int read_update(const struct request *request, Belfry__Activesync__FolderChange *asked)
{
	int status = read_id(request, asked);

	return status != 0 ? status : read_place(request, asked);
}

/* May it be, as far as the device's own view tells? */
static int check(struct folder_change *change)
{
	const Belfry__Activesync__FolderChange *asked = change->asked;

	if (asked->id != 0 && (change->folder = folders_find(change->folders, asked->id)) == NULL)
		return STATUS_NOT_FOUND;
	if (asked->remove)
		return folders_is_special(change->folders, asked->id) ? STATUS_SPECIAL : 0;
	if (asked->id != 0 && folders_is_special(change->folders, asked->id))
		return STATUS_EXISTS; /* the number that says "special" in FolderUpdate, too */
	if (asked->parent != 0 && folders_find(change->folders, asked->parent) == NULL)
		return STATUS_NO_PARENT;
	if (asked->id != 0 && folders_is_below(change->folders, asked->parent, asked->id))
		return STATUS_BAD_REQUEST;
	return folders_has_child(change->folders, asked->parent, asked->display_name, asked->id) ? STATUS_EXISTS : 0;
}

static bool is_repeated(const Belfry__Activesync__FolderChange *last, const Belfry__Activesync__FolderChange *asked)
{
	return last != NULL && last->id == asked->id && last->remove == asked->remove && last->parent == asked->parent &&
		strcmp(last->display_name, asked->display_name) == 0;
}

static void run(struct request *request, int (*read)(const struct request *, Belfry__Activesync__FolderChange *))
{
	struct folder_change *change = request->work = arena_alloc(request->arena, sizeof *change);
	struct sync_key key;

	*change = (struct folder_change){.asked = arena_alloc(request->arena, sizeof *change->asked)};
	belfry__activesync__folder_change__init(change->asked);
	change->folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);
	if (change->folders == NULL || sync_key_parse(wbxml_node_text(request->root, AS_FOLDERHIERARCHY_SYNCKEY), &key) < 0) {
		request_answer_status(request, STATUS_INVALID_SYNC_KEY);
		return;
	}
	int status = read(request, change->asked);
	enum sync_key_is is = sync_key_compare(&key, change->folders->series, change->folders->key);
	if (status == 0 && is == SYNC_KEY_REPEATED && is_repeated(change->folders->last, change->asked)) {
		answer(request, change->folders);
		return;
	}
	if (is != SYNC_KEY_CURRENT)
		status = STATUS_INVALID_SYNC_KEY;
	if (status == 0)
		status = check(change);
	if (status == 0 && request->record_count + 3 > STORE_WRITES_MAX) /* they could not be written at once */
		status = STATUS_UNKNOWN;
	if (status != 0)
		request_answer_status(request, status);
	else
		carry_out(request);
}

void folder_create_run(struct request *request)
{
	run(request, read_create);
}

void folder_delete_run(struct request *request)
{
	run(request, read_delete);
}

void folder_update_run(struct request *request)
{
	run(request, read_update);
}
