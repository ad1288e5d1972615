/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The end of a play: every device synchronises what it has, and then has what the mailboxes have; once more, and
 * nothing changes anywhere; and nothing is left behind.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/codec/activesync_tokens.h"
#include "tests/replay/backend.h"
#include "tests/replay/play.h"

enum { ROUNDS_MAX = 300 };

/* --- learning -------------------------------------------------------------------------------------------------- */

static int status_of(const struct wbxml_node *root, uint16_t tag)
{
	return atoi(node_text(root, tag));
}

static int provision(struct play *play, struct device *device, struct error *error_r)
{
	const struct wbxml_node *root;

	if (play_exchange(play, device, "POST Cmd=Provision policy=0", &root, error_r) < 0)
		return -1;
	return play_exchange(play, device, "POST Cmd=Provision ack=1", &root, error_r);
}

/* FolderSync until there is nothing new: the last one acknowledges what came before. A device that must accept the policy
 * first does so. changes_r: how many they brought. */
static int sync_folders(struct play *play, struct device *device, unsigned *changes_r, struct error *error_r)
{
	const struct wbxml_node *root;

	*changes_r = 0;
	for (unsigned attempt = 0; attempt < 8; attempt++) {
		if (play_exchange(play, device, "POST Cmd=FolderSync", &root, error_r) < 0)
			return -1;
		int status = root == NULL ? 142 : status_of(root, AS_FOLDERHIERARCHY_STATUS);
		int count = status_of(wbxml_node_child(root, AS_FOLDERHIERARCHY_CHANGES), AS_FOLDERHIERARCHY_COUNT);
		*changes_r += status == 1 ? (unsigned)count : 0;
		if (status == 1 && count == 0)
			return 0;
		if (status == 1)
			continue;
		if (status >= 142 && status <= 144 && provision(play, device, error_r) < 0)
			return -1;
		if ((status < 142 || status > 144) && status != 9)
			return error_set(error_r, "device %s: FolderSync has status %d", device->name, status);
	}
	return error_set(error_r, "device %s: FolderSync does not succeed", device->name);
}

static unsigned commands_in(const struct wbxml_node *collection)
{
	const struct wbxml_node *commands = wbxml_node_child(collection, AS_AIRSYNC_COMMANDS);
	unsigned count = 0;

	for (const struct wbxml_node *node = commands == NULL ? NULL : commands->first_child; node != NULL; node = node->next)
		count++;
	return count;
}

/* Sync of one folder until there is nothing more. changes_r: how many it brought. */
static int sync_folder(struct play *play, struct device *device, struct device_folder *folder, unsigned *changes_r,
	struct error *error_r)
{
	const char *words = arena_printf(play->arena, "POST Cmd=Sync folder=#%s", folder->server_id);

	*changes_r = 0;
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		const struct wbxml_node *root;
		bool is_first = strcmp(folder->key, "0") == 0;
		folder->more = false;
		if (play_exchange(play, device, words, &root, error_r) < 0)
			return -1;
		const struct wbxml_node *collection = wbxml_node_child(wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS),
			AS_AIRSYNC_COLLECTION);
		int status = root == NULL ? 1 : status_of(collection, AS_AIRSYNC_STATUS);
		*changes_r += commands_in(collection);
		if (status == 3)
			continue; /* the device has begun anew */
		if (status != 1)
			return error_set(error_r, "device %s: Sync of %s has status %d (%d)", device->name, folder->name, status,
				status_of(root, AS_AIRSYNC_STATUS));
		if (!is_first && !folder->more && (commands_in(collection) == 0 || !device->misses))
			return 0; /* a device that misses an answer may have got that one again: there may be more behind it */
	}
	return error_set(error_r, "device %s: Sync of %s does not come to an end", device->name, folder->name);
}

int play_learn(struct play *play, struct device *device, const char *folders, struct error *error_r)
{
	unsigned changes;
	const char *name;

	if (sync_folders(play, device, &changes, error_r) < 0)
		return -1;
	while ((name = word_list_next(&folders, play->arena)) != NULL) {
		struct device_folder *folder = device_folder_find(device, name);
		if (folder == NULL)
			return error_set(error_r, "device %s was told of no folder %s", device->name, name);
		if (sync_folder(play, device, folder, &changes, error_r) < 0)
			return -1;
	}
	return 0;
}

/* --- what a device must have ----------------------------------------------------------------------------------- */

/* MS-ASCMD 2.2.3.68.2 */
static uint64_t filter_begins(const struct play *play, unsigned filter)
{
	static const unsigned days[] = {0, 1, 3, 7, 14, 30, 90, 180};

	if (filter == 0 || filter >= sizeof days / sizeof *days)
		return 0;
	return (uint64_t)loop_wall_s(play->world->loop) - days[filter] * UINT64_C(86400);
}

static int compare_lists(const char *who, struct buffer *has, struct buffer *should, struct play *play,
	struct error *error_r)
{
	int result = strcasecmp(buffer_string(has), buffer_string(should)) == 0 ? 0
		: error_set(error_r, "device %s does not have what the mailbox has", who);

	if (result < 0)
		buffer_printf(&play->failure, "the device has:\n%sthe mailbox has:\n%s", buffer_string(has), buffer_string(should));
	buffer_release(has);
	buffer_release(should);
	return result;
}

static int compare_folders(struct play *play, const struct device *device, struct error *error_r)
{
	struct buffer has = BUFFER_EMPTY, should = BUFFER_EMPTY;
	const char *names[1000];
	size_t count = 0;

	for (const struct device_folder *folder = device->folders; folder != NULL && count < 1000; folder = folder->next) {
		struct buffer path = BUFFER_EMPTY;
		device_folder_path(device, folder, &path);
		names[count++] = arena_strdup(play->arena, buffer_string(&path));
		buffer_release(&path);
	}
	for (size_t i = 0; i < count; i++) /* insertion sort: there are few */
		for (size_t j = i; j > 0 && strcmp(names[j - 1], names[j]) > 0; j--) {
			const char *name = names[j];
			names[j] = names[j - 1];
			names[j - 1] = name;
		}
	for (size_t i = 0; i < count; i++)
		buffer_printf(&has, "%s\n", names[i]);
	backend_mailboxes(play->world->mailboxes, backend_user(device->user, play->arena), &should);
	return compare_lists(device->name, &has, &should, play, error_r);
}

static int compare_items(struct play *play, const struct device *device, const struct device_folder *folder,
	struct error *error_r)
{
	struct buffer has = BUFFER_EMPTY, should = BUFFER_EMPTY, path = BUFFER_EMPTY;

	device_folder_path(device, folder, &path);
	device_list(device, folder, &has);
	int result = backend_list(play->world->mailboxes, backend_user(device->user, play->arena), buffer_string(&path),
		filter_begins(play, folder->filter), device->version >= 140, &should);
	if (result < 0)
		error_set(error_r, "device %s has a folder %s, the mailbox does not", device->name, buffer_string(&path));
	buffer_release(&path);
	return compare_lists(device->name, &has, &should, play, error_r) < 0 ? -1 : result;
}

/* One round of everything that the device has. changes_r: how many changes it brought. */
static int sync_all(struct play *play, struct device *device, unsigned *changes_r, struct error *error_r)
{
	unsigned changes;

	if (sync_folders(play, device, changes_r, error_r) < 0)
		return -1;
	for (struct device_folder *folder = device->folders; folder != NULL; folder = folder->next) {
		if (strcmp(folder->key, "0") == 0)
			continue;
		if (sync_folder(play, device, folder, &changes, error_r) < 0)
			return -1;
		*changes_r += changes;
	}
	return 0;
}

static int compare_all(struct play *play, const struct device *device, struct error *error_r)
{
	if (compare_folders(play, device, error_r) < 0)
		return -1;
	for (const struct device_folder *folder = device->folders; folder != NULL; folder = folder->next)
		if (strcmp(folder->key, "0") != 0 && compare_items(play, device, folder, error_r) < 0)
			return -1;
	return 0;
}

/* --- the end --------------------------------------------------------------------------------------------------- */

static bool is_looked_at(const struct play *play, size_t index)
{
	return !play->ignored[index] && strcmp(play->devices[index]->folder_key, "0") != 0;
}

/* Everybody once more: nothing may change any more, anywhere; but that the last Sync is another one. */
static int second_time(struct play *play, struct error *error_r)
{
	struct buffer before = BUFFER_EMPTY, after = BUFFER_EMPTY;
	struct store_snapshot *records = store_memory_snapshot(play->world->store);
	unsigned changes = 0;
	int result = 0;

	backend_dump(play->world->mailboxes, &before);
	for (size_t i = 0; result == 0 && i < play->device_count; i++)
		if (is_looked_at(play, i)) {
			result = sync_all(play, play->devices[i], &changes, error_r);
			if (result == 0 && changes != 0)
				result = error_set(error_r, "device %s is told %u changes once more", play->devices[i]->name, changes);
		}
	backend_dump(play->world->mailboxes, &after);
	if (result == 0 && strcmp(buffer_string(&before), buffer_string(&after)) != 0)
		result = error_set(error_r, "the second time has changed a mailbox");
	if (result == 0 && !store_memory_is(play->world->store, records, "request"))
		result = error_set(error_r, "the second time has changed a record");
	store_snapshot_free(&records);
	buffer_release(&before);
	buffer_release(&after);
	return result;
}

/* Answers that nobody read are a mistake of the transcript or of the server; phones that wait hang up. */
static int hang_up_all(struct play *play, struct error *error_r)
{
	while (play->requests != NULL) {
		struct phone_request *request = play->requests;
		if (request->state != PHONE_WAITING)
			return error_set(error_r, "line %u got an answer that is not expected: %.150s", request->step->line,
				phone_answer_text(request, play->arena));
		play->requests = request->next;
		phone_request_free(&request);
	}
	play_settle(play);
	return 0;
}

static int nothing_is_left(struct play *play, struct error *error_r)
{
	struct hub_counters counters;

	hub_count(play->world->hub, &counters);
	if (counters.parked != 0)
		return error_set(error_r, "%llu requests are parked that nobody holds", (unsigned long long)counters.parked);
	return 0;
}

int play_finish(struct play *play, struct error *error_r)
{
	unsigned changes;

	if (play->world->hub == NULL || !play->world->connector_is_up)
		return error_set(error_r, "the transcript ends with a dead process");
	if (play_finish_pending(play, error_r) < 0 || hang_up_all(play, error_r) < 0 || nothing_is_left(play, error_r) < 0)
		return -1;
	for (size_t i = 0; i < play->device_count; i++)
		if (is_looked_at(play, i) && sync_all(play, play->devices[i], &changes, error_r) < 0)
			return -1;
	for (size_t i = 0; i < play->device_count; i++)
		if (is_looked_at(play, i) && compare_all(play, play->devices[i], error_r) < 0)
			return -1;
	if (second_time(play, error_r) < 0 || nothing_is_left(play, error_r) < 0)
		return -1;
	if (*play->unexpected != '\0')
		return error_set(error_r, "an error was logged: %.200s", play->unexpected);
	return play->requests == NULL ? 0 : error_set(error_r, "requests are left");
}
