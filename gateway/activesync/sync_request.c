/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One Collection element of a Sync request: key, options, commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/activesync/folders.h"
#include "gateway/activesync/sync.h"
#include "gateway/activesync/engine_state.h"
#include "lib/core/utf8.h"

enum { BODY_TYPE_MAX = 4, MIME_SUPPORT_MAX = 2, BODY_PREFERENCES_MAX = 8, MIME_TRUNCATION_NONE = 8 };

/* Our ids are decimal numbers without leading zeros. */
uint32_t sync_collection_id(const char *text)
{
	char again[16];
	unsigned id = 0;

	if (sscanf(text, "%10u", &id) == 1)
		snprintf(again, sizeof again, "%u", id);
	return id != 0 && strcmp(text, again) == 0 ? id : 0;
}

uint64_t sync_item_id(const char *collection_id, const char *server_id)
{
	size_t length = strlen(collection_id);
	char *end;

	if (strncmp(server_id, collection_id, length) != 0 || server_id[length] != ':' ||
	    server_id[length + 1] < '1' || server_id[length + 1] > '9')
		return 0;
	uint64_t item = strtoull(server_id + length + 1, &end, 10);
	return *end == '\0' && item <= INT64_MAX ? item : 0;
}

/* Of two Options one is for SMS (MS-ASCMD 2.2.3.125.5), which are not served here. */
static const struct wbxml_node *find_options(const struct wbxml_node *collection)
{
	const struct wbxml_node *options = wbxml_node_child(collection, AS_AIRSYNC_OPTIONS);

	for (; options != NULL; options = wbxml_node_next(options)) {
		const char *class = wbxml_node_text(options, AS_AIRSYNC_CLASS);
		if (class == NULL || strcmp(class, "SMS") != 0)
			return options;
	}
	return NULL;
}

/* What a mail adds to its conversation comes as HTML only (MS-ASAIRS 2.2.2.11, from 14.1 on). */
static bool part_is_served(struct request *request, const struct wbxml_node *options)
{
	uint32_t type = BELFRY__CONNECTOR__BODY_TYPE__HTML;

	if (request->version >= 141)
		wbxml_node_number(wbxml_node_child(options, AS_AIRSYNCBASE_BODYPARTPREFERENCE), AS_AIRSYNCBASE_TYPE, &type);
	return type == BELFRY__CONNECTOR__BODY_TYPE__HTML;
}

int sync_request_read(struct request *request, struct sync_job *job, const struct wbxml_node *node)
{
	const char *key = wbxml_node_text(node, AS_AIRSYNC_SYNCKEY);

	job->node = node;
	job->collection_id = wbxml_node_text(node, AS_AIRSYNC_COLLECTIONID);
	if (key == NULL || key[0] == '\0' || job->collection_id == NULL || job->collection_id[0] == '\0')
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (strlen(job->collection_id) > SYNC_COLLECTION_ID_MAX)
		return SYNC_STATUS_PROTOCOL_ERROR;
	job->id = sync_collection_id(job->collection_id);
	if (sync_key_parse(key, &job->key) < 0)
		job->status = SYNC_STATUS_INVALID_KEY;
	return part_is_served(request, find_options(node)) ? 0 : COMMON_BODY_PART_TYPE;
}

/* --- options --------------------------------------------------------------------------------------------------- */

/* BodyPreference and BodyPartPreference are alike. NULL: it makes no sense. */
static Belfry__Activesync__BodyPreference *read_preference(struct request *request, const struct wbxml_node *node)
{
	Belfry__Activesync__BodyPreference *body = arena_alloc(request->arena, sizeof *body);
	bool all_or_none = false;

	belfry__activesync__body_preference__init(body);
	if (wbxml_node_number(node, AS_AIRSYNCBASE_TYPE, &body->type) != WBXML_VALUE_GOOD || body->type == 0 ||
	    body->type > BODY_TYPE_MAX)
		return NULL;
	enum wbxml_value size = wbxml_node_number(node, AS_AIRSYNCBASE_TRUNCATIONSIZE, &body->truncation);
	if (size == WBXML_VALUE_BAD || wbxml_node_bool(node, AS_AIRSYNCBASE_ALLORNONE, &all_or_none) == WBXML_VALUE_BAD ||
	    wbxml_node_number(node, AS_AIRSYNCBASE_PREVIEW, &body->preview) == WBXML_VALUE_BAD || body->preview > 255)
		return NULL;
	body->has_truncation = size == WBXML_VALUE_GOOD;
	body->all_or_none = all_or_none;
	return body;
}

static int read_bodies(struct request *request, Belfry__Activesync__Options *options, const struct wbxml_node *node)
{
	for (; node != NULL; node = wbxml_node_next(node)) {
		Belfry__Activesync__BodyPreference *body = read_preference(request, node);
		if (body == NULL || options->n_bodies == BODY_PREFERENCES_MAX)
			return SYNC_STATUS_PROTOCOL_ERROR;
		options->bodies[options->n_bodies++] = body;
	}
	return 0;
}

static int read_part(struct request *request, Belfry__Activesync__Options *options, const struct wbxml_node *node)
{
	if (node == NULL || request->version < 141)
		return 0;
	options->part = read_preference(request, node);
	return options->part == NULL ? SYNC_STATUS_PROTOCOL_ERROR : 0;
}

/* Another bound on MIME, beside that of its preference: the smaller holds (MS-ASCMD 2.2.3.111). */
static void truncate_mime(Belfry__Activesync__Options *options, uint32_t truncation)
{
	static const uint32_t sizes[MIME_TRUNCATION_NONE] = {0, 4096, 5120, 7168, 10240, 20480, 51200, 102400};

	for (size_t i = 0; truncation < MIME_TRUNCATION_NONE && i < options->n_bodies; i++) {
		Belfry__Activesync__BodyPreference *body = options->bodies[i];
		bool is_smaller = !body->has_truncation || body->truncation > sizes[truncation];
		if (body->type != BELFRY__CONNECTOR__BODY_TYPE__MIME || !is_smaller)
			continue;
		body->has_truncation = true;
		body->truncation = sizes[truncation];
	}
}

/* A later Options replaces the earlier as a whole. */
int sync_options_read(struct request *request, Belfry__Activesync__Options *options, const struct wbxml_node *node)
{
	belfry__activesync__options__init(options);
	options->bodies = arena_alloc(request->arena, BODY_PREFERENCES_MAX * sizeof *options->bodies);
	if (wbxml_node_number(node, AS_AIRSYNC_FILTERTYPE, &options->filter) == WBXML_VALUE_BAD ||
	    wbxml_node_number(node, AS_AIRSYNC_MIMESUPPORT, &options->mime_support) == WBXML_VALUE_BAD ||
	    options->mime_support > MIME_SUPPORT_MAX || options->filter > SYNC_FILTER_MAX + 1)
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (options->filter > SYNC_FILTER_MAX) /* 8: incomplete tasks, nothing for mail */
		options->filter = 0;
	if (!part_is_served(request, node))
		return COMMON_BODY_PART_TYPE;
	uint32_t mime_truncation = MIME_TRUNCATION_NONE;
	if (wbxml_node_number(node, AS_AIRSYNC_MIMETRUNCATION, &mime_truncation) == WBXML_VALUE_BAD ||
	    mime_truncation > MIME_TRUNCATION_NONE)
		return SYNC_STATUS_PROTOCOL_ERROR;
	int status = read_part(request, options, wbxml_node_child(node, AS_AIRSYNCBASE_BODYPARTPREFERENCE));
	if (status == 0)
		status = read_bodies(request, options, wbxml_node_child(node, AS_AIRSYNCBASE_BODYPREFERENCE));
	truncate_mime(options, mime_truncation);
	return status;
}

static ProtobufCBinaryData pack_options(struct request *request, const Belfry__Activesync__Options *options)
{
	ProtobufCBinaryData packed = {.len = belfry__activesync__options__get_packed_size(options)};

	packed.data = arena_alloc(request->arena, packed.len + 1);
	belfry__activesync__options__pack(options, packed.data);
	return packed;
}

/* Kept from now on, even when there is nothing else to keep: a device sends them once and relies on them. */
static int take_options(struct request *request, struct sync_job *job)
{
	const struct wbxml_node *node = find_options(job->node);
	Belfry__Activesync__Sync *record = job->state.record;

	if (record->options == NULL) {
		record->options = arena_alloc(request->arena, sizeof *record->options);
		belfry__activesync__options__init(record->options);
	}
	if (node == NULL)
		return 0;
	ProtobufCBinaryData before = pack_options(request, record->options);
	int status = sync_options_read(request, record->options, node);
	if (status != 0)
		return status;
	ProtobufCBinaryData now = pack_options(request, record->options);
	job->changed = now.len != before.len || memcmp(now.data, before.data, now.len) != 0;
	return 0;
}

static int read_settings(struct request *request, struct sync_job *job)
{
	unsigned window_max = request->engine->settings->limits.window_max;
	int status = take_options(request, job);

	if (status != 0)
		return status;
	job->window = SYNC_WINDOW_DEFAULT;
	if (wbxml_node_number(job->node, AS_AIRSYNC_WINDOWSIZE, &job->window) == WBXML_VALUE_BAD)
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (job->window == 0 || job->window > window_max)
		job->window = window_max;
	job->wants_changes = job->key_is != SYNC_KEY_INITIAL;
	job->deletes_to_trash = true; /* MS-ASCMD 2.2.3.43: absent means to the trash */
	if (wbxml_node_bool(job->node, AS_AIRSYNC_GETCHANGES, &job->wants_changes) == WBXML_VALUE_BAD ||
	    wbxml_node_bool(job->node, AS_AIRSYNC_DELETESASMOVES, &job->deletes_to_trash) == WBXML_VALUE_BAD)
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (job->key_is == SYNC_KEY_INITIAL && job->wants_changes)
		return SYNC_STATUS_PROTOCOL_ERROR; /* MS-ASCMD 2.2.3.84: GetChanges with key 0 */
	return 0;
}

/* --- commands -------------------------------------------------------------------------------------------------- */

/* FNV-1a: a device has only itself to fool. */
static uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < length; i++)
		digest = (digest ^ at[i]) * 0x100000001b3;
	return digest;
}

/* The tree is at most WBXML_DEPTH_MAX deep. */
static uint64_t digest_node(uint64_t digest, const struct wbxml_node *node)
{
	digest = digest_bytes(digest, &node->tag, sizeof node->tag);
	digest = digest_bytes(digest, node->text, node->length);
	for (const struct wbxml_node *child = node->first_child; child != NULL; child = child->next)
		digest = digest_node(digest, child);
	return digest_bytes(digest, "", 1);
}

/* All that the mail is to have (MS-ASEMAIL 2.2.2.16, from 14.0 on); empty: none. */
static void read_categories(struct request *request, struct sync_command *command, const struct wbxml_node *categories)
{
	const struct wbxml_node *node = wbxml_node_child(categories, AS_EMAIL_CATEGORY);

	if (categories == NULL || request->version < 140)
		return;
	command->has_categories = true;
	command->categories = arena_alloc(request->arena, SYNC_LABEL_NAMES_MAX * sizeof *command->categories);
	for (; node != NULL; node = wbxml_node_next(node)) {
		const struct sync_label before = {.names = command->categories, .count = command->category_count};
		if (node->text == NULL || node->is_opaque || sync_labels_has_name(&before, node->text))
			continue;
		if (before.count == SYNC_LABEL_NAMES_MAX || strlen(node->text) > SYNC_LABEL_NAME_MAX ||
		    !utf8_is_valid(node->text, strlen(node->text))) {
			command->status = SYNC_STATUS_CONVERSION;
			return;
		}
		command->categories[command->category_count++] = (char *)node->text;
	}
}

static void read_change(struct request *request, struct sync_command *command, const struct wbxml_node *node)
{
	const struct wbxml_node *data = wbxml_node_child(node, AS_AIRSYNC_APPLICATIONDATA);
	const struct wbxml_node *flag = wbxml_node_child(data, AS_EMAIL_FLAG);
	bool read = false;
	uint32_t flag_status = 0;

	if (data == NULL) {
		command->status = SYNC_STATUS_CONVERSION;
		return;
	}
	switch (wbxml_node_bool(data, AS_EMAIL_READ, &read)) {
	case WBXML_VALUE_BAD: command->status = SYNC_STATUS_CONVERSION; return;
	case WBXML_VALUE_MISSING: break;
	default: *(read ? &command->set_flags : &command->clear_flags) |= BELFRY__CONNECTOR__FLAG__SEEN;
	}
	read_categories(request, command, wbxml_node_child(data, AS_EMAIL_CATEGORIES));
	if (flag == NULL)
		return;
	if (wbxml_node_number(flag, AS_EMAIL_STATUS, &flag_status) == WBXML_VALUE_BAD || flag_status > 2)
		command->status = SYNC_STATUS_CONVERSION;
	/* 2: active; 1 complete and 0 or empty: no mark that IMAP knows (MS-ASEMAIL 2.2.2.70) */
	*(flag_status == 2 ? &command->set_flags : &command->clear_flags) |= BELFRY__CONNECTOR__FLAG__FLAGGED;
}

static void read_command(struct request *request, struct sync_job *job, struct sync_command *command, const struct wbxml_node *node)
{
	command->server_id = wbxml_node_text(node, AS_AIRSYNC_SERVERID);
	command->client_id = wbxml_node_text(node, AS_AIRSYNC_CLIENTID);
	command->item = command->server_id == NULL ? 0 : sync_item_id(job->collection_id, command->server_id);
	command->digest = digest_node(0xcbf29ce484222325, node);
	if (command->kind == SYNC_COMMAND_ADD) {
		command->status = SYNC_STATUS_CONVERSION; /* a mail is not made this way before 16.0 */
		return;
	}
	if (command->item == 0 || !ranges_has(&job->state.has, command->item))
		command->status = SYNC_STATUS_NOT_FOUND;
	else if (command->kind == SYNC_COMMAND_CHANGE)
		read_change(request, command, node);
}

/* It is sent back when the command fails. */
static bool is_id(const char *text)
{
	return text != NULL && strlen(text) <= SYNC_ITEM_ID_MAX;
}

/* In their order; -1: one that is none, or too many. */
static int read_commands(struct request *request, struct sync_job *job)
{
	static const struct { uint16_t tag; enum sync_command_kind kind; } kinds[] = {
		{AS_AIRSYNC_CHANGE, SYNC_COMMAND_CHANGE}, {AS_AIRSYNC_DELETE, SYNC_COMMAND_DELETE},
		{AS_AIRSYNC_ADD, SYNC_COMMAND_ADD}, {AS_AIRSYNC_FETCH, SYNC_COMMAND_FETCH},
	};
	const struct wbxml_node *commands = wbxml_node_child(job->node, AS_AIRSYNC_COMMANDS);
	size_t count = 0;

	for (const struct wbxml_node *node = commands == NULL ? NULL : commands->first_child; node != NULL; node = node->next)
		count++;
	if (count > SYNC_COMMANDS_MAX)
		return -1;
	job->commands = arena_alloc(request->arena, (count + 1) * sizeof *job->commands);
	for (const struct wbxml_node *node = commands == NULL ? NULL : commands->first_child; node != NULL; node = node->next) {
		size_t kind = 0;
		while (kind < 4 && kinds[kind].tag != node->tag)
			kind++;
		if (kind == 4)
			return -1;
		bool is_add = kinds[kind].kind == SYNC_COMMAND_ADD;
		if (!is_id(wbxml_node_text(node, is_add ? AS_AIRSYNC_CLIENTID : AS_AIRSYNC_SERVERID)))
			return -1;
		job->commands[job->command_count].kind = kinds[kind].kind;
		read_command(request, job, &job->commands[job->command_count++], node);
	}
	return 0;
}

/* A device that lost not only the answer but also its own command (it was restarted) shows the item as it was before:
 * what was made of it is told. */
static void tell_forgotten(struct sync_job *job, const Belfry__Activesync__Applied *applied)
{
	if (applied->item == 0 || applied->item > INT64_MAX)
		return;
	if (applied->removed)
		ranges_add(&job->state.told.deletes, applied->item, applied->item);
	else if (ranges_has(&job->state.has, applied->item) && !ranges_has(&job->state.told.adds, applied->item))
		ranges_add(&job->state.told.changes, applied->item, applied->item);
}

/* What was done when this request came the first time is not done again, and answered as it was then. */
static void recall_commands(struct sync_job *job)
{
	const Belfry__Activesync__Sync *record = job->state.record;

	for (size_t k = 0; k < record->n_applied; k++) {
		bool comes_again = false;
		for (size_t i = 0; i < job->command_count; i++)
			if (record->applied[k]->digest == job->commands[i].digest && job->commands[i].kind != SYNC_COMMAND_FETCH) {
				job->commands[i].status = (int)record->applied[k]->status;
				comes_again = true;
			}
		if (!comes_again)
			tell_forgotten(job, record->applied[k]);
	}
}

/* --- the state ------------------------------------------------------------------------------------------------- */

static Belfry__Activesync__Sync *new_record(struct request *request, struct sync_job *job)
{
	Belfry__Activesync__Folders *folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);
	const Belfry__Activesync__Folder *folder = folders == NULL ? NULL : folders_find(folders, job->id);

	if (folder == NULL)
		return NULL;
	Belfry__Activesync__Sync *record = arena_alloc(request->arena, sizeof *record);
	belfry__activesync__sync__init(record);
	record->name = folder->name;
	record->series = sync_key_new_series();
	return record;
}

static int find_state(struct request *request, struct sync_job *job)
{
	char key[32];

	snprintf(key, sizeof key, "sync/%u", job->id);
	Belfry__Activesync__Sync *record = request_unpack(request, key, &belfry__activesync__sync__descriptor);
	job->key_is = sync_key_compare(&job->key, record == NULL ? 0 : record->series, record == NULL ? 0 : record->key);
	if (job->key_is == SYNC_KEY_INVALID)
		return SYNC_STATUS_INVALID_KEY;
	if (job->key_is == SYNC_KEY_INITIAL)
		record = new_record(request, job);
	if (record == NULL)
		return SYNC_STATUS_HIERARCHY;
	if (sync_state_open(&job->state, record) < 0)
		return SYNC_STATUS_INVALID_KEY; /* damaged: the device starts anew */
	job->state.shows_all = request->version >= 140;
	job->name = record->name;
	return 0;
}

void sync_request_resolve(struct request *request, struct sync_job *job)
{
	if (job->status == 0)
		job->status = find_state(request, job);
	if (job->status == 0)
		job->status = read_settings(request, job);
	if (job->status == 0 && read_commands(request, job) < 0)
		job->status = SYNC_STATUS_PROTOCOL_ERROR;
	if (job->status == 0 && job->key_is == SYNC_KEY_INITIAL && job->command_count != 0)
		job->status = SYNC_STATUS_PROTOCOL_ERROR;
	if (job->status == 0 && job->key_is == SYNC_KEY_REPEATED)
		recall_commands(job);
}
