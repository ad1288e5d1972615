/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bodies of requests. */
#include "tests/replay/compose.h"

#include <stdlib.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/codec/wbxml_writer.h"
#include "tests/replay/mark.h"

struct composer {
	struct device *device;
	const struct step *step;
	size_t at, end;             /* the words that are looked at */
	struct arena *arena;
	struct wbxml_writer writer;
	struct error *error;
};

const char *compose_folder_id(const struct device *device, const char *name, struct error *error_r)
{
	const struct device_folder *folder = device_folder_find(device, name);

	if (*name == '#')
		return name + 1;
	if (folder == NULL) {
		error_set(error_r, "device %s knows no folder \"%s\"", device->name, name);
		return NULL;
	}
	return folder->server_id;
}

/* The value of a word among those that are looked at; NULL: none. */
static const char *value_of(const struct composer *composer, const char *name)
{
	struct step part = *composer->step;

	part.count = composer->end;
	return step_value(&part, composer->at, name, composer->arena);
}

static bool has(const struct composer *composer, const char *word)
{
	struct step part = *composer->step;

	part.count = composer->end;
	return step_has(&part, composer->at, word);
}

static void text_if(struct composer *composer, uint16_t tag, const char *text)
{
	if (text != NULL)
		wbxml_writer_text_element(&composer->writer, tag, text);
}

static const char *key_of(const struct composer *composer, const char *last, const char *before)
{
	const char *key = value_of(composer, "key");

	if (key == NULL || strcmp(key, "last") == 0)
		return last;
	return strcmp(key, "before") == 0 ? before : key;
}

/* --- Folder*, Ping, Provision ---------------------------------------------------------------------------------- */

static int compose_folder_sync(struct composer *composer)
{
	struct device *device = composer->device;

	wbxml_writer_start(&composer->writer, AS_FOLDERHIERARCHY_FOLDERSYNC);
	text_if(composer, AS_FOLDERHIERARCHY_SYNCKEY, key_of(composer, device->folder_key, device->folder_key_before));
	wbxml_writer_end(&composer->writer);
	return 0;
}

/* folder= the folder that is changed, name= and below= (nothing: the top) what it gets. */
static int folder_change(struct composer *composer, uint16_t root, bool has_place)
{
	struct wbxml_writer *writer = &composer->writer;
	const char *folder = value_of(composer, "folder"), *below = value_of(composer, "below");
	const struct device *device = composer->device;

	if (folder != NULL && (folder = compose_folder_id(device, folder, composer->error)) == NULL)
		return -1;
	if (below != NULL && (below = compose_folder_id(device, below, composer->error)) == NULL)
		return -1;
	wbxml_writer_start(writer, root);
	text_if(composer, AS_FOLDERHIERARCHY_SYNCKEY, key_of(composer, device->folder_key, device->folder_key_before));
	text_if(composer, AS_FOLDERHIERARCHY_SERVERID, folder);
	if (has_place) {
		wbxml_writer_text_element(writer, AS_FOLDERHIERARCHY_PARENTID, below == NULL ? "0" : below);
		text_if(composer, AS_FOLDERHIERARCHY_DISPLAYNAME, value_of(composer, "name"));
	}
	if (root == AS_FOLDERHIERARCHY_FOLDERCREATE)
		wbxml_writer_text_element(writer, AS_FOLDERHIERARCHY_TYPE,
			value_of(composer, "kind") == NULL ? "12" : value_of(composer, "kind"));
	wbxml_writer_end(writer);
	return 0;
}

static int compose_folder_create(struct composer *composer)
{
	return folder_change(composer, AS_FOLDERHIERARCHY_FOLDERCREATE, true);
}

static int compose_folder_delete(struct composer *composer)
{
	return folder_change(composer, AS_FOLDERHIERARCHY_FOLDERDELETE, false);
}

static int compose_folder_update(struct composer *composer)
{
	return folder_change(composer, AS_FOLDERHIERARCHY_FOLDERUPDATE, true);
}

static int compose_estimate(struct composer *composer)
{
	struct wbxml_writer *writer = &composer->writer;
	const char *name = value_of(composer, "folder"), *id = compose_folder_id(composer->device, name, composer->error);
	const struct device_folder *folder = device_folder_find(composer->device, name);
	bool has_options = value_of(composer, "filter") != NULL && composer->device->version >= 140;

	if (id == NULL)
		return -1;
	wbxml_writer_start(writer, AS_GETITEMESTIMATE_GETITEMESTIMATE);
	wbxml_writer_start(writer, AS_GETITEMESTIMATE_COLLECTIONS);
	wbxml_writer_start(writer, AS_GETITEMESTIMATE_COLLECTION);
	text_if(composer, AS_AIRSYNC_SYNCKEY, key_of(composer, folder == NULL ? "0" : folder->key,
		folder == NULL ? "0" : folder->key_before));
	wbxml_writer_text_element(writer, AS_GETITEMESTIMATE_COLLECTIONID, id);
	if (has_options)
		wbxml_writer_start(writer, AS_AIRSYNC_OPTIONS);
	text_if(composer, AS_AIRSYNC_FILTERTYPE, value_of(composer, "filter"));
	for (int open = has_options ? 4 : 3; open > 0; open--)
		wbxml_writer_end(writer);
	return 0;
}

static int compose_ping(struct composer *composer)
{
	const char *heartbeat = value_of(composer, "heartbeat"), *folders = value_of(composer, "folders"), *name;
	struct wbxml_writer *writer = &composer->writer;

	wbxml_writer_start(writer, AS_PING_PING);
	text_if(composer, AS_PING_HEARTBEATINTERVAL, heartbeat);
	if (folders != NULL)
		wbxml_writer_start(writer, AS_PING_FOLDERS);
	while ((name = word_list_next(&folders, composer->arena)) != NULL) {
		const char *id = compose_folder_id(composer->device, name, composer->error);
		if (id == NULL)
			return -1;
		wbxml_writer_start(writer, AS_PING_FOLDER);
		wbxml_writer_text_element(writer, AS_PING_ID, id);
		wbxml_writer_text_element(writer, AS_PING_CLASS, "Email");
		wbxml_writer_end(writer);
	}
	if (folders != NULL)
		wbxml_writer_end(writer);
	wbxml_writer_end(writer);
	return 0;
}

static int compose_provision(struct composer *composer)
{
	const char *ack = value_of(composer, "ack"), *type = value_of(composer, "type"), *key = value_of(composer, "give");
	const char *model = value_of(composer, "model");
	struct wbxml_writer *writer = &composer->writer;

	if (model == NULL)
		model = ack == NULL && composer->device->version >= 141 ? "Replayer" : "none";
	wbxml_writer_start(writer, AS_PROVISION_PROVISION);
	if (strcmp(model, "none") != 0) {
		wbxml_writer_start(writer, AS_SETTINGS_DEVICEINFORMATION);
		wbxml_writer_start(writer, AS_SETTINGS_SET);
		wbxml_writer_text_element(writer, AS_SETTINGS_MODEL, model);
		wbxml_writer_end(writer);
		wbxml_writer_end(writer);
	}
	wbxml_writer_start(writer, AS_PROVISION_POLICIES);
	wbxml_writer_start(writer, AS_PROVISION_POLICY);
	wbxml_writer_text_element(writer, AS_PROVISION_POLICYTYPE, type != NULL ? type : "MS-EAS-Provisioning-WBXML");
	if (ack != NULL) {
		const char *number = key != NULL ? key : arena_printf(composer->arena, "%u", composer->device->policy_key);
		wbxml_writer_text_element(writer, AS_PROVISION_POLICYKEY, number);
		wbxml_writer_text_element(writer, AS_PROVISION_STATUS, ack);
	}
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
	wbxml_writer_end(writer);
	return 0;
}

/* --- SendMail, SmartReply, SmartForward ------------------------------------------------------------------------- */

static int compose_source(struct composer *composer, const char *item)
{
	const char *slash = strchr(item, '/'), *name = slash == NULL ? item : arena_strndup(composer->arena, item,
		(size_t)(slash - item));
	const struct device_folder *folder = device_folder_find(composer->device, name);
	const struct device_item *found = folder == NULL || slash == NULL ? NULL : device_item_find(folder, slash + 1);

	if (folder == NULL || (found == NULL && slash != NULL && slash[1] != '#'))
		return error_set(composer->error, "device %s does not know %s", composer->device->name, item);
	wbxml_writer_start(&composer->writer, AS_COMPOSEMAIL_SOURCE);
	wbxml_writer_text_element(&composer->writer, AS_COMPOSEMAIL_FOLDERID, folder->server_id);
	text_if(composer, AS_COMPOSEMAIL_ITEMID, found != NULL ? found->server_id : slash == NULL ? NULL : slash + 2);
	wbxml_writer_end(&composer->writer);
	return 0;
}

static void compose_mime(struct composer *composer)
{
	const char *to = value_of(composer, "to"), *subject = value_of(composer, "subject"), *size = value_of(composer, "size");
	struct buffer mail = BUFFER_EMPTY;

	if (!has(composer, "unsigned"))
		buffer_append_string(&mail, "From: alice@example.org\r\n");
	if (to != NULL)
		buffer_printf(&mail, "To: %s@example.org\r\n", to);
	buffer_printf(&mail, "Subject: %s\r\n\r\n", subject == NULL ? "" : subject);
	for (unsigned long left = size == NULL ? 1 : strtoul(size, NULL, 10); left > 0; left--)
		buffer_append_string(&mail, left % 64 == 1 ? "\r\n" : "x");
	wbxml_writer_opaque_element(&composer->writer, AS_COMPOSEMAIL_MIME, mail.data, mail.length);
	buffer_release(&mail);
}

static int send_as(struct composer *composer, uint16_t root)
{
	const char *item = value_of(composer, "item");

	wbxml_writer_start(&composer->writer, root);
	text_if(composer, AS_COMPOSEMAIL_CLIENTID, value_of(composer, "client"));
	if (item != NULL && compose_source(composer, item) < 0)
		return -1;
	if (!has(composer, "unkept"))
		wbxml_writer_empty_element(&composer->writer, AS_COMPOSEMAIL_SAVEINSENTITEMS);
	if (has(composer, "replace"))
		wbxml_writer_empty_element(&composer->writer, AS_COMPOSEMAIL_REPLACEMIME);
	compose_mime(composer);
	wbxml_writer_end(&composer->writer);
	return 0;
}

static int compose_send_mail(struct composer *composer)
{
	return send_as(composer, AS_COMPOSEMAIL_SENDMAIL);
}

static int compose_smart_reply(struct composer *composer)
{
	return send_as(composer, AS_COMPOSEMAIL_SMARTREPLY);
}

static int compose_smart_forward(struct composer *composer)
{
	return send_as(composer, AS_COMPOSEMAIL_SMARTFORWARD);
}

/* --- Sync ------------------------------------------------------------------------------------------------------ */

/* "TYPE[:BYTES[:all]]", a list. */
static void compose_bodies(struct composer *composer, const char *bodies)
{
	struct wbxml_writer *writer = &composer->writer;
	const char *preview = value_of(composer, "preview"), *body;

	while ((body = word_list_next(&bodies, composer->arena)) != NULL) {
		char *bytes;
		unsigned long type = strtoul(body, &bytes, 10);
		wbxml_writer_start(writer, AS_AIRSYNCBASE_BODYPREFERENCE);
		wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TYPE, (int64_t)type);
		if (*bytes == ':')
			wbxml_writer_number_element(writer, AS_AIRSYNCBASE_TRUNCATIONSIZE, (int64_t)strtoul(bytes + 1, &bytes, 10));
		if (strcmp(bytes, ":all") == 0)
			wbxml_writer_number_element(writer, AS_AIRSYNCBASE_ALLORNONE, 1);
		text_if(composer, AS_AIRSYNCBASE_PREVIEW, preview);
		wbxml_writer_end(writer);
	}
}

static void compose_options(struct composer *composer)
{
	const char *filter = value_of(composer, "filter"), *mime = value_of(composer, "mime");
	const char *bodies = value_of(composer, "body"), *conflict = value_of(composer, "conflict");
	struct wbxml_writer *writer = &composer->writer;

	if (filter == NULL && mime == NULL && bodies == NULL && conflict == NULL)
		return;
	wbxml_writer_start(writer, AS_AIRSYNC_OPTIONS);
	text_if(composer, AS_AIRSYNC_FILTERTYPE, filter);
	compose_bodies(composer, bodies);
	text_if(composer, AS_AIRSYNC_MIMESUPPORT, mime);
	text_if(composer, AS_AIRSYNC_CONFLICT, conflict);
	wbxml_writer_end(writer);
}

enum change { CHANGE_READ, CHANGE_UNREAD, CHANGE_FLAG, CHANGE_UNFLAG, CHANGE_DELETE, CHANGE_FETCH };
static const char *const changes[] = {"read", "unread", "flag", "unflag", "delete", "fetch"};
enum { CHANGES = sizeof changes / sizeof *changes };

static void compose_change(struct wbxml_writer *writer, enum change change, const char *server_id)
{
	static const uint16_t tags[] = {AS_AIRSYNC_CHANGE, AS_AIRSYNC_CHANGE, AS_AIRSYNC_CHANGE, AS_AIRSYNC_CHANGE,
		AS_AIRSYNC_DELETE, AS_AIRSYNC_FETCH};

	wbxml_writer_start(writer, tags[change]);
	wbxml_writer_text_element(writer, AS_AIRSYNC_SERVERID, server_id);
	if (tags[change] == AS_AIRSYNC_CHANGE) {
		wbxml_writer_start(writer, AS_AIRSYNC_APPLICATIONDATA);
		if (change == CHANGE_READ || change == CHANGE_UNREAD)
			wbxml_writer_number_element(writer, AS_EMAIL_READ, change == CHANGE_READ);
		else {
			wbxml_writer_start(writer, AS_EMAIL_FLAG);
			if (change == CHANGE_FLAG) {
				wbxml_writer_text_element(writer, AS_EMAIL_STATUS, "2");
				wbxml_writer_text_element(writer, AS_EMAIL_FLAGTYPE, "for Follow Up");
			}
			wbxml_writer_end(writer);
		}
		wbxml_writer_end(writer);
	}
	wbxml_writer_end(writer);
}

/* "?7": the seventh item, counted round and round; NULL: there is none at all. */
static const struct device_item *pick(const struct device_folder *folder, const char *number)
{
	const struct device_item *item = folder->items;

	for (unsigned long left = strtoul(number, NULL, 10); item != NULL && left > 0; left--)
		item = item->next != NULL ? item->next : folder->items;
	return item;
}

/* The id of an item by its subject; "": there is none that could be picked; NULL: there has to be one. */
static const char *item_id(const struct composer *composer, const struct device_folder *folder, const char *subject)
{
	const struct device_item *item = folder == NULL ? NULL : *subject == '?' ? pick(folder, subject + 1)
		: device_item_find(folder, subject);

	if (item != NULL)
		return item->server_id;
	if (*subject == '?')
		return "";
	if (*subject == '#')
		return subject + 1;
	error_set(composer->error, "device %s has no item \"%s\"", composer->device->name, subject);
	return NULL;
}

/* The ids of the items in a list of subjects. */
static int compose_changes(struct composer *composer, const struct device_folder *folder, enum change change,
	const char *subjects)
{
	const char *subject;

	while ((subject = word_list_next(&subjects, composer->arena)) != NULL) {
		const char *id = item_id(composer, folder, subject);
		if (id == NULL)
			return -1;
		if (*id != '\0')
			compose_change(&composer->writer, change, id);
	}
	return 0;
}

/* In the order of the transcript. */
static int compose_commands(struct composer *composer, const struct device_folder *folder)
{
	bool started = false;

	for (size_t i = composer->at; i < composer->end; i++) {
		const char *value, *name = word_name(composer->step->words[i], composer->arena, &value);
		for (unsigned change = 0; value != NULL && change < CHANGES; change++) {
			if (strcmp(name, changes[change]) != 0)
				continue;
			if (!started)
				wbxml_writer_start(&composer->writer, AS_AIRSYNC_COMMANDS);
			started = true;
			if (compose_changes(composer, folder, (enum change)change, value) < 0)
				return -1;
		}
	}
	if (started)
		wbxml_writer_end(&composer->writer);
	return 0;
}

/* --- MoveItems ------------------------------------------------------------------------------------------------- */

static int compose_moves(struct composer *composer)
{
	const char *from = value_of(composer, "folder"), *to = value_of(composer, "to"), *list = value_of(composer, "item");
	const char *from_id = compose_folder_id(composer->device, from, composer->error), *subject;
	const char *to_id = to == NULL ? "" : compose_folder_id(composer->device, to, composer->error);
	const struct device_folder *folder = device_folder_find(composer->device, from);
	struct wbxml_writer *writer = &composer->writer;

	if (from_id == NULL || to_id == NULL)
		return -1;
	wbxml_writer_start(writer, AS_MOVE_MOVEITEMS);
	while ((subject = word_list_next(&list, composer->arena)) != NULL) {
		const char *id = item_id(composer, folder, subject);
		if (id == NULL)
			return -1;
		if (*id == '\0')
			continue;
		wbxml_writer_start(writer, AS_MOVE_MOVE);
		wbxml_writer_text_element(writer, AS_MOVE_SRCMSGID, id);
		wbxml_writer_text_element(writer, AS_MOVE_SRCFLDID, from_id);
		wbxml_writer_text_element(writer, AS_MOVE_DSTFLDID, to_id);
		wbxml_writer_end(writer);
	}
	wbxml_writer_end(writer);
	return 0;
}

/* --- Sync, the rest of it -------------------------------------------------------------------------------------- */

/* The words from folder=… to the next folder=…. */
static int compose_collection(struct composer *composer, const char *name)
{
	const struct device_folder *folder = *name == '#' ? device_folder_by_id(composer->device, name + 1)
		: device_folder_find(composer->device, name);
	const char *id = compose_folder_id(composer->device, name, composer->error);
	struct wbxml_writer *writer = &composer->writer;

	if (id == NULL)
		return -1;
	const char *key = folder == NULL ? key_of(composer, "0", "0") : key_of(composer, folder->key, folder->key_before);
	wbxml_writer_start(writer, AS_AIRSYNC_COLLECTION);
	text_if(composer, AS_AIRSYNC_CLASS, value_of(composer, "class"));
	wbxml_writer_text_element(writer, AS_AIRSYNC_SYNCKEY, key);
	wbxml_writer_text_element(writer, AS_AIRSYNC_COLLECTIONID, id);
	text_if(composer, AS_AIRSYNC_DELETESASMOVES, value_of(composer, "moves"));
	text_if(composer, AS_AIRSYNC_GETCHANGES, value_of(composer, "changes"));
	text_if(composer, AS_AIRSYNC_WINDOWSIZE, value_of(composer, "window"));
	text_if(composer, AS_AIRSYNC_CONVERSATIONMODE, value_of(composer, "conversations"));
	compose_options(composer);
	if (compose_commands(composer, folder) < 0)
		return -1;
	wbxml_writer_end(writer);
	return 0;
}

static size_t next_folder(const struct step *step, size_t at)
{
	while (at < step->count && strncmp(step->words[at], "folder=", 7) != 0)
		at++;
	return at;
}

static int compose_sync(struct composer *composer)
{
	const struct step *step = composer->step;
	size_t first = next_folder(step, composer->at), from = composer->at;

	wbxml_writer_start(&composer->writer, AS_AIRSYNC_SYNC);
	wbxml_writer_start(&composer->writer, AS_AIRSYNC_COLLECTIONS);
	for (size_t at = first; at < step->count;) {
		composer->at = at;
		composer->end = at = next_folder(step, at + 1);
		const char *folder = value_of(composer, "folder");
		bool is_known = *folder == '#' || device_folder_find(composer->device, folder) != NULL;
		if ((is_known || !step_has(step, from, "maybe")) && compose_collection(composer, folder) < 0)
			return -1;
	}
	wbxml_writer_end(&composer->writer);
	composer->at = from;
	composer->end = first;
	text_if(composer, AS_AIRSYNC_WAIT, value_of(composer, "wait"));
	text_if(composer, AS_AIRSYNC_HEARTBEATINTERVAL, value_of(composer, "heartbeat"));
	text_if(composer, AS_AIRSYNC_WINDOWSIZE, value_of(composer, "window"));
	if (has(composer, "partial"))
		wbxml_writer_empty_element(&composer->writer, AS_AIRSYNC_PARTIAL);
	wbxml_writer_end(&composer->writer);
	return 0;
}

/* --- blocks ---------------------------------------------------------------------------------------------------- */

/* What stands for {name}; NULL with error. */
static const char *known(struct composer *composer, const char *name)
{
	const struct device *device = composer->device;
	const char *of = strchr(name, ':'), *slash = of == NULL ? NULL : strrchr(of, '/');
	const struct device_folder *folder;

	if (strcmp(name, "policy") == 0)
		return arena_printf(composer->arena, "%u", device->policy_key);
	if (strcmp(name, "folders") == 0)
		return device->folder_key;
	bool is_item = strncmp(name, "item:", 5) == 0 && slash != NULL;
	const char *folder_name = of == NULL ? "" : is_item ? arena_strndup(composer->arena, of + 1, (size_t)(slash - of - 1))
		: of + 1;
	folder = device_folder_find(device, folder_name);
	const struct device_item *item = is_item && folder != NULL ? device_item_find(folder, slash + 1) : NULL;
	if (folder != NULL && strncmp(name, "id:", 3) == 0)
		return folder->server_id;
	if (folder != NULL && strncmp(name, "key:", 4) == 0)
		return folder->key;
	if (folder != NULL && strncmp(name, "before:", 7) == 0)
		return folder->key_before;
	if (item != NULL)
		return item->server_id;
	error_set(composer->error, "device %s knows nothing of {%s}", device->name, name);
	return NULL;
}

static int compose_block(struct composer *composer, const char *block, struct buffer *body)
{
	struct buffer filled = BUFFER_EMPTY;
	struct mark *root;
	int result = -1;

	while (*block != '\0') {
		size_t length = strcspn(block, "{");
		buffer_append(&filled, block, length);
		block += length;
		if (*block == '\0')
			break;
		length = strcspn(block, "}");
		const char *text = known(composer, arena_strndup(composer->arena, block + 1, length - 1));
		if (text == NULL)
			goto out;
		buffer_append_string(&filled, text);
		block += length + (block[length] == '}');
	}
	if (mark_parse(arena_strdup(composer->arena, buffer_string(&filled)), composer->arena, &root, composer->error) == 0)
		result = mark_write(root, body, composer->error);
out:
	buffer_release(&filled);
	return result;
}

/* "hex=030161…" */
static void compose_hex(const char *hex, struct buffer *body)
{
	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
		char pair[] = {hex[0], hex[1], '\0'};
		buffer_append_byte(body, (uint8_t)strtoul(pair, NULL, 16));
	}
}

int compose_body(struct device *device, const char *command, const struct step *step, size_t from, struct arena *arena,
	struct buffer *body_r, struct error *error_r)
{
	static const struct {
		const char *command;
		int (*compose)(struct composer *);
		const char *needs[4]; /* without any of these words there is no body */
	} commands[] = {
		{"FolderCreate", compose_folder_create, {""}},
		{"FolderDelete", compose_folder_delete, {""}},
		{"FolderSync", compose_folder_sync, {""}},
		{"FolderUpdate", compose_folder_update, {""}},
		{"GetItemEstimate", compose_estimate, {"folder"}},
		{"MoveItems", compose_moves, {"folder"}},
		{"Ping", compose_ping, {"heartbeat", "folders"}},
		{"Provision", compose_provision, {""}},
		{"SendMail", compose_send_mail, {""}},
		{"SmartForward", compose_smart_forward, {""}},
		{"SmartReply", compose_smart_reply, {""}},
		{"Sync", compose_sync, {"folder"}},
	};
	struct composer composer = {.device = device, .step = step, .at = from, .end = step->count, .arena = arena,
		.error = error_r};

	if (step->block != NULL)
		return compose_block(&composer, step->block, body_r);
	if (value_of(&composer, "hex") != NULL) {
		compose_hex(value_of(&composer, "hex"), body_r);
		return 0;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		bool wanted = false;
		for (size_t j = 0; j < 4 && commands[i].needs[j] != NULL; j++)
			wanted = wanted || *commands[i].needs[j] == '\0' || value_of(&composer, commands[i].needs[j]) != NULL;
		if (strcmp(commands[i].command, command) != 0 || !wanted || has(&composer, "empty"))
			continue;
		wbxml_writer_begin(&composer.writer, body_r, &activesync_language);
		if (commands[i].compose(&composer) < 0)
			return -1;
		wbxml_writer_finish(&composer.writer);
	}
	return 0;
}
