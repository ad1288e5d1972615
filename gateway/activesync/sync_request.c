/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One collection of a Sync request: what its element says, and the state that it speaks of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/sync.h"

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

/* --- the element ----------------------------------------------------------------------------------------------- */

/* MS-ASCMD 2.2.3.199: 0, and what is too much, mean the most. */
uint32_t sync_window(const struct request *request, uint32_t asked)
{
	unsigned most = request->engine->settings->limits.window_max;

	return asked == 0 || asked > most ? most : asked;
}

static int read_ids(struct sync_job *job, const struct wbxml_node *node)
{
	job->key_text = wbxml_node_text(node, AS_AIRSYNC_SYNCKEY);
	job->collection_id = wbxml_node_text(node, AS_AIRSYNC_COLLECTIONID);
	if (job->key_text == NULL || job->key_text[0] == '\0' || job->collection_id == NULL || job->collection_id[0] == '\0')
		return SYNC_STATUS_PROTOCOL_ERROR;
	if (strlen(job->collection_id) > SYNC_COLLECTION_ID_MAX)
		return SYNC_STATUS_PROTOCOL_ERROR;
	job->id = sync_collection_id(job->collection_id);
	if (sync_key_parse(job->key_text, &job->key) < 0)
		job->status = SYNC_STATUS_INVALID_KEY;
	return 0;
}

static int read_settings(struct request *request, struct sync_job *job, const struct wbxml_node *node)
{
	bool starts = strcmp(job->key_text, "0") == 0;

	job->window = SYNC_WINDOW_DEFAULT;
	job->wants_changes = !starts;
	job->deletes_to_trash = true; /* MS-ASCMD 2.2.3.43: absent means to the trash */
	if (wbxml_node_number(node, AS_AIRSYNC_WINDOWSIZE, &job->window) == WBXML_VALUE_BAD ||
	    wbxml_node_bool(node, AS_AIRSYNC_GETCHANGES, &job->wants_changes) == WBXML_VALUE_BAD ||
	    wbxml_node_bool(node, AS_AIRSYNC_DELETESASMOVES, &job->deletes_to_trash) == WBXML_VALUE_BAD)
		return SYNC_STATUS_PROTOCOL_ERROR;
	job->window = sync_window(request, job->window);
	if (request->version >= 140) { /* MS-ASCMD 2.2.3.36.2 */
		enum wbxml_value mode = wbxml_node_bool(node, AS_AIRSYNC_CONVERSATIONMODE, &job->conversations);
		if (mode == WBXML_VALUE_BAD)
			return SYNC_STATUS_PROTOCOL_ERROR;
		job->has_mode = mode != WBXML_VALUE_MISSING;
	}
	return starts && job->wants_changes ? SYNC_STATUS_PROTOCOL_ERROR : 0; /* MS-ASCMD 2.2.3.84: GetChanges with key 0 */
}

int sync_request_read(struct request *request, struct sync_job *job, const struct wbxml_node *node)
{
	int status = read_ids(job, node);

	if (status == 0)
		status = read_settings(request, job, node);
	if (status == 0)
		status = sync_options_find(request, job, node);
	if (status == 0)
		status = sync_commands_read(request, job, node);
	if (status == 0 && strcmp(job->key_text, "0") == 0 && job->command_count != 0)
		status = SYNC_STATUS_PROTOCOL_ERROR;
	return status;
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
	if (job->status != 0)
		return;
	sync_options_take(request, job);
	sync_commands_resolve(job);
	if (job->key_is == SYNC_KEY_REPEATED)
		sync_commands_recall(job);
}
