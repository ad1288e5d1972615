/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The phone's memory. */
#include "tests/replay/device.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/core/mem.h"

const char *node_text(const struct wbxml_node *node, uint16_t tag)
{
	const char *text = wbxml_node_text(node, tag);

	return text == NULL ? "" : text;
}

static void replace(char **text, const char *with)
{
	char *copy = mem_strdup(with);

	free(*text);
	*text = copy;
}

/* --- items ----------------------------------------------------------------------------------------------------- */

static void item_free(struct device_item *item)
{
	free(item->server_id);
	free(item->subject);
	free(item->categories);
	free(item);
}

static void items_clear(struct device_folder *folder)
{
	for (struct device_item *item = folder->items, *next; item != NULL; item = next) {
		next = item->next;
		item_free(item);
	}
	folder->items = NULL;
}

static int item_remove(struct device_folder *folder, const char *server_id)
{
	for (struct device_item **link = &folder->items; *link != NULL; link = &(*link)->next)
		if (strcmp((*link)->server_id, server_id) == 0) {
			struct device_item *item = *link;
			*link = item->next;
			item_free(item);
			return 0;
		}
	return -1;
}

struct device_item *device_item_find(const struct device_folder *folder, const char *subject)
{
	struct device_item *item = folder->items;

	while (item != NULL && strcmp(item->subject, subject) != 0)
		item = item->next;
	return item;
}

struct device_item *device_item_by_id(const struct device_folder *folder, const char *server_id)
{
	struct device_item *item = folder->items;

	while (item != NULL && strcmp(item->server_id, server_id) != 0)
		item = item->next;
	return item;
}

/* --- folders --------------------------------------------------------------------------------------------------- */

static void folder_free(struct device_folder *folder)
{
	items_clear(folder);
	free(folder->server_id);
	free(folder->parent_id);
	free(folder->name);
	free(folder->key);
	free(folder->key_before);
	free(folder);
}

static void folders_clear(struct device *device)
{
	for (struct device_folder *folder = device->folders, *next; folder != NULL; folder = next) {
		next = folder->next;
		folder_free(folder);
	}
	device->folders = NULL;
}

struct device_folder *device_folder_by_id(const struct device *device, const char *server_id)
{
	struct device_folder *folder = device->folders;

	while (folder != NULL && strcmp(folder->server_id, server_id) != 0)
		folder = folder->next;
	return folder;
}

void device_folder_path(const struct device *device, const struct device_folder *folder, struct buffer *path_r)
{
	const struct device_folder *parent = device_folder_by_id(device, folder->parent_id);

	if (parent != NULL && parent != folder) {
		device_folder_path(device, parent, path_r);
		buffer_append_string(path_r, "/");
	}
	buffer_append_string(path_r, folder->name);
}

struct device_folder *device_folder_find(const struct device *device, const char *name)
{
	for (struct device_folder *folder = device->folders; folder != NULL; folder = folder->next) {
		struct buffer path = BUFFER_EMPTY;
		device_folder_path(device, folder, &path);
		bool found = strcasecmp(folder->name, name) == 0 || strcasecmp(buffer_string(&path), name) == 0;
		buffer_release(&path);
		if (found)
			return folder;
	}
	return NULL;
}

struct device *device_create(const char *name)
{
	struct device *device = mem_alloc(sizeof *device);

	device->name = mem_strdup(name);
	device->id = mem_printf("REPLAY%s", name);
	device->user = mem_strdup("alice");
	device->password = mem_strdup("secret");
	device->folder_key = mem_strdup("0");
	device->folder_key_before = mem_strdup("0");
	device->version = 141;
	return device;
}

void device_free(struct device **owner)
{
	struct device *device = *owner;

	if (device == NULL)
		return;
	folders_clear(device);
	free(device->name);
	free(device->id);
	free(device->user);
	free(device->password);
	free(device->folder_key);
	free(device->folder_key_before);
	free(device);
	*owner = NULL;
}

/* --- FolderSync ------------------------------------------------------------------------------------------------ */

static int folder_added(struct device *device, const struct wbxml_node *node, struct error *error_r)
{
	const char *id = node_text(node, AS_FOLDERHIERARCHY_SERVERID);
	struct device_folder *folder, **end = &device->folders;

	if (*id == '\0' || device_folder_by_id(device, id) != NULL)
		return error_set(error_r, "FolderSync adds folder \"%s\", which the device has", id);
	folder = mem_alloc(sizeof *folder);
	*folder = (struct device_folder){
		.server_id = mem_strdup(id),
		.parent_id = mem_strdup(node_text(node, AS_FOLDERHIERARCHY_PARENTID)),
		.name = mem_strdup(node_text(node, AS_FOLDERHIERARCHY_DISPLAYNAME)),
		.type = (unsigned)strtoul(node_text(node, AS_FOLDERHIERARCHY_TYPE), NULL, 10),
		.key = mem_strdup("0"),
		.key_before = mem_strdup("0"),
	};
	while (*end != NULL)
		end = &(*end)->next;
	*end = folder;
	return 0;
}

static int folder_updated(struct device *device, const struct wbxml_node *node, struct error *error_r)
{
	const char *id = node_text(node, AS_FOLDERHIERARCHY_SERVERID);
	struct device_folder *folder = device_folder_by_id(device, id);

	if (folder == NULL)
		return error_set(error_r, "FolderSync updates folder \"%s\", which the device does not have", id);
	replace(&folder->parent_id, node_text(node, AS_FOLDERHIERARCHY_PARENTID));
	replace(&folder->name, node_text(node, AS_FOLDERHIERARCHY_DISPLAYNAME));
	folder->type = (unsigned)strtoul(node_text(node, AS_FOLDERHIERARCHY_TYPE), NULL, 10);
	return 0;
}

static int folder_deleted(struct device *device, const struct wbxml_node *node, struct error *error_r)
{
	const char *id = node_text(node, AS_FOLDERHIERARCHY_SERVERID);

	for (struct device_folder **link = &device->folders; *link != NULL; link = &(*link)->next)
		if (strcmp((*link)->server_id, id) == 0) {
			struct device_folder *folder = *link;
			*link = folder->next;
			folder_free(folder);
			return 0;
		}
	return error_set(error_r, "FolderSync deletes folder \"%s\", which the device does not have", id);
}

static int take_folder_changes(struct device *device, const struct wbxml_node *changes, struct error *error_r)
{
	unsigned count = 0;

	for (const struct wbxml_node *node = changes == NULL ? NULL : changes->first_child; node != NULL; node = node->next) {
		int result = 0;
		switch (node->tag) {
		case AS_FOLDERHIERARCHY_ADD: result = folder_added(device, node, error_r); break;
		case AS_FOLDERHIERARCHY_UPDATE: result = folder_updated(device, node, error_r); break;
		case AS_FOLDERHIERARCHY_DELETE: result = folder_deleted(device, node, error_r); break;
		default: continue;
		}
		if (result < 0)
			return -1;
		count++;
	}
	if (count != strtoul(node_text(changes, AS_FOLDERHIERARCHY_COUNT), NULL, 10))
		return error_set(error_r, "FolderSync counts %s changes and has %u", node_text(changes, AS_FOLDERHIERARCHY_COUNT),
			count);
	for (struct device_folder *folder = device->folders; folder != NULL; folder = folder->next)
		if (strcmp(folder->parent_id, "0") != 0 && device_folder_by_id(device, folder->parent_id) == NULL)
			return error_set(error_r, "folder \"%s\" is below \"%s\", which the device does not have", folder->name,
				folder->parent_id);
	return 0;
}

static int apply_folder_sync(struct device *device, const struct wbxml_node *request, const struct wbxml_node *answer,
	struct error *error_r)
{
	const char *status = node_text(answer, AS_FOLDERHIERARCHY_STATUS);
	const char *key = node_text(answer, AS_FOLDERHIERARCHY_SYNCKEY);
	const char *sent = node_text(request, AS_FOLDERHIERARCHY_SYNCKEY);
	const struct wbxml_node *changes = wbxml_node_child(answer, AS_FOLDERHIERARCHY_CHANGES);

	if (strcmp(status, "9") == 0) { /* start anew */
		replace(&device->folder_key, "0");
		return 0;
	}
	if (strcmp(status, "1") != 0)
		return *status == '\0' ? error_set(error_r, "FolderSync without a status") : 0;
	if (*key == '\0' || strcmp(key, "0") == 0)
		return error_set(error_r, "FolderSync with SyncKey \"%s\"", key);
	if (strcmp(sent, "0") == 0)
		folders_clear(device);
	if (wbxml_node_count(changes, AS_FOLDERHIERARCHY_COUNT) == 1 && strcmp(key, sent) == 0 &&
	    strcmp(node_text(changes, AS_FOLDERHIERARCHY_COUNT), "0") != 0)
		return error_set(error_r, "FolderSync tells changes without a new SyncKey");
	replace(&device->folder_key_before, device->folder_key);
	replace(&device->folder_key, key);
	return take_folder_changes(device, changes, error_r);
}

/* --- its own changes of folders -------------------------------------------------------------------------------- */

static void folder_and_below_deleted(struct device *device, const char *id)
{
	struct device_folder *folder;

	do {
		for (folder = device->folders; folder != NULL && strcmp(folder->parent_id, id) != 0;)
			folder = folder->next;
		if (folder != NULL) {
			char *below = mem_strdup(folder->server_id);
			folder_and_below_deleted(device, below);
			free(below);
		}
	} while (folder != NULL);
	for (struct device_folder **link = &device->folders; *link != NULL; link = &(*link)->next)
		if (strcmp((*link)->server_id, id) == 0) {
			folder = *link;
			*link = folder->next;
			folder_free(folder);
			return;
		}
}

/* As asked for: the answer names a new folder's id and nothing else. */
static int take_own_change(struct device *device, const char *command, const struct wbxml_node *request,
	const struct wbxml_node *answer, struct error *error_r)
{
	const char *id = node_text(request, AS_FOLDERHIERARCHY_SERVERID), *made = node_text(answer, AS_FOLDERHIERARCHY_SERVERID);
	struct device_folder *folder = device_folder_by_id(device, id);

	if (strcmp(command, "FolderDelete") == 0) {
		folder_and_below_deleted(device, id);
		return 0;
	}
	if (strcmp(command, "FolderCreate") == 0) {
		if (folder_added(device, answer, error_r) < 0)
			return -1;
		folder = device_folder_by_id(device, made);
		folder->type = (unsigned)strtoul(node_text(request, AS_FOLDERHIERARCHY_TYPE), NULL, 10);
	}
	if (folder == NULL)
		return error_set(error_r, "%s of folder \"%s\", which the device does not have, succeeds", command, id);
	replace(&folder->parent_id, node_text(request, AS_FOLDERHIERARCHY_PARENTID));
	replace(&folder->name, node_text(request, AS_FOLDERHIERARCHY_DISPLAYNAME));
	return 0;
}

static int apply_folder_change(struct device *device, const char *command, const struct wbxml_node *request,
	const struct wbxml_node *answer, struct error *error_r)
{
	const char *key = node_text(answer, AS_FOLDERHIERARCHY_SYNCKEY);

	if (strcmp(node_text(answer, AS_FOLDERHIERARCHY_STATUS), "1") != 0)
		return 0;
	if (*key == '\0' || strcmp(key, "0") == 0 || strcmp(key, node_text(request, AS_FOLDERHIERARCHY_SYNCKEY)) == 0)
		return error_set(error_r, "%s with SyncKey \"%s\"", command, key);
	replace(&device->folder_key_before, device->folder_key);
	replace(&device->folder_key, key);
	return take_own_change(device, command, request, answer, error_r);
}

/* --- Sync ------------------------------------------------------------------------------------------------------ */

static void take_categories(struct device_item *item, const struct wbxml_node *categories)
{
	struct buffer lines = BUFFER_EMPTY;

	for (const struct wbxml_node *node = wbxml_node_child(categories, AS_EMAIL_CATEGORY); node != NULL;
	     node = wbxml_node_next(node))
		buffer_printf(&lines, "%s%s", lines.length > 0 ? "\n" : "", node->text == NULL ? "" : node->text);
	replace(&item->categories, buffer_string(&lines));
	buffer_release(&lines);
}

static void take_data(struct device_item *item, const struct wbxml_node *data)
{
	const struct wbxml_node *flag = wbxml_node_child(data, AS_EMAIL_FLAG);

	if (wbxml_node_child(data, AS_EMAIL_SUBJECT) != NULL)
		replace(&item->subject, node_text(data, AS_EMAIL_SUBJECT));
	wbxml_node_bool(data, AS_EMAIL_READ, &item->read);
	if (flag != NULL)
		item->flagged = strcmp(node_text(flag, AS_EMAIL_STATUS), "2") == 0;
	wbxml_node_number(data, AS_EMAIL2_LASTVERBEXECUTED, &item->verb);
	if (wbxml_node_child(data, AS_EMAIL_CATEGORIES) != NULL)
		take_categories(item, wbxml_node_child(data, AS_EMAIL_CATEGORIES));
}

static void item_added(struct device_folder *folder, const char *id, const struct wbxml_node *data)
{
	struct device_item *item = mem_alloc(sizeof *item), **end = &folder->items;

	*item = (struct device_item){.server_id = mem_strdup(id), .subject = mem_strdup(""), .categories = mem_strdup("")};
	take_data(item, data);
	while (*end != NULL)
		end = &(*end)->next;
	*end = item;
}

static int take_command(struct device_folder *folder, const struct wbxml_node *node, bool misses, struct error *error_r)
{
	const struct wbxml_node *data = wbxml_node_child(node, AS_AIRSYNC_APPLICATIONDATA);
	const char *id = node_text(node, AS_AIRSYNC_SERVERID);
	struct device_item *item = device_item_by_id(folder, id);

	switch (node->tag) {
	case AS_AIRSYNC_ADD:
		if (item != NULL || *id == '\0')
			return error_set(error_r, "Sync adds item \"%s\" (%s), which the device has", id, item == NULL ? "" : item->subject);
		item_added(folder, id, data);
		return 0;
	case AS_AIRSYNC_CHANGE:
		if (item == NULL)
			return error_set(error_r, "Sync changes item \"%s\", which the device does not have", id);
		take_data(item, data);
		return 0;
	case AS_AIRSYNC_DELETE:
	case AS_AIRSYNC_SOFTDELETE:
		if (item_remove(folder, id) < 0 && !misses)
			return error_set(error_r, "Sync deletes item \"%s\", which the device does not have", id);
		return 0;
	default: return error_set(error_r, "Sync has an odd command");
	}
}

/* The status that the answer gives to a command of the device; "1" when it says nothing. */
static const char *status_of(const struct wbxml_node *responses, const struct wbxml_node *command)
{
	const char *id = node_text(command, AS_AIRSYNC_SERVERID);

	for (const struct wbxml_node *node = wbxml_node_child(responses, command->tag); node != NULL;
	     node = wbxml_node_next(node))
		if (strcmp(node_text(node, AS_AIRSYNC_SERVERID), id) == 0)
			return node_text(node, AS_AIRSYNC_STATUS);
	return "1";
}

/* What the device itself did counts now that the server has taken it. */
static void take_own(struct device_folder *folder, const struct wbxml_node *sent, const struct wbxml_node *responses)
{
	const struct wbxml_node *commands = wbxml_node_child(sent, AS_AIRSYNC_COMMANDS);
	const struct wbxml_node *node = commands == NULL ? NULL : commands->first_child;

	for (; node != NULL; node = node->next) {
		const char *id = node_text(node, AS_AIRSYNC_SERVERID);
		struct device_item *item = device_item_by_id(folder, id);
		bool taken = strcmp(status_of(responses, node), "1") == 0;
		if (node->tag == AS_AIRSYNC_DELETE)
			item_remove(folder, id);
		else if (node->tag == AS_AIRSYNC_CHANGE && item != NULL && taken)
			take_data(item, wbxml_node_child(node, AS_AIRSYNC_APPLICATIONDATA));
	}
}

static const struct wbxml_node *collections_of(const struct wbxml_node *root)
{
	return wbxml_node_child(wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS), AS_AIRSYNC_COLLECTION);
}

static const struct wbxml_node *collection_sent(const struct wbxml_node *request, const char *id)
{
	const struct wbxml_node *node = collections_of(request);

	while (node != NULL && strcmp(node_text(node, AS_AIRSYNC_COLLECTIONID), id) != 0)
		node = wbxml_node_next(node);
	return node;
}

static int take_collection(struct device_folder *folder, const struct wbxml_node *sent, const struct wbxml_node *got,
	bool misses, struct error *error_r)
{
	const char *key = node_text(got, AS_AIRSYNC_SYNCKEY), *key_sent = node_text(sent, AS_AIRSYNC_SYNCKEY);
	const struct wbxml_node *commands = wbxml_node_child(got, AS_AIRSYNC_COMMANDS);
	const struct wbxml_node *options = wbxml_node_child(sent, AS_AIRSYNC_OPTIONS);

	if (*key == '\0' || strcmp(key, "0") == 0)
		return error_set(error_r, "Sync of \"%s\" with SyncKey \"%s\"", folder->name, key);
	if (commands != NULL && (strcmp(key, key_sent) == 0 || strcmp(key_sent, "0") == 0))
		return error_set(error_r, "Sync of \"%s\" has commands for SyncKey \"%s\" and answers \"%s\"", folder->name, key_sent,
			key);
	bool starts = strcmp(key_sent, "0") == 0, wants_changes = !starts;
	unsigned filter = starts ? 0 : folder->filter;
	if (starts)
		items_clear(folder);
	if (options != NULL)
		filter = (unsigned)strtoul(node_text(options, AS_AIRSYNC_FILTERTYPE), NULL, 10);
	wbxml_node_bool(sent, AS_AIRSYNC_GETCHANGES, &wants_changes);
	take_own(folder, sent, wbxml_node_child(got, AS_AIRSYNC_RESPONSES));
	for (const struct wbxml_node *node = commands == NULL ? NULL : commands->first_child; node != NULL; node = node->next)
		if (take_command(folder, node, misses, error_r) < 0)
			return -1;
	replace(&folder->key_before, folder->key);
	replace(&folder->key, key);
	folder->more = wbxml_node_child(got, AS_AIRSYNC_MOREAVAILABLE) != NULL;
	if (wants_changes)
		folder->is_complete = !folder->more;
	else if (starts || filter != folder->filter)
		folder->is_complete = false;
	folder->filter = filter;
	return 0;
}

/* No document: nothing is new in any of the folders. */
static void note_nothing_new(struct device *device, const struct wbxml_node *request)
{
	for (const struct wbxml_node *sent = collections_of(request); sent != NULL; sent = wbxml_node_next(sent)) {
		struct device_folder *folder = device_folder_by_id(device, node_text(sent, AS_AIRSYNC_COLLECTIONID));
		bool wants_changes = true;
		wbxml_node_bool(sent, AS_AIRSYNC_GETCHANGES, &wants_changes);
		if (folder == NULL)
			continue;
		folder->more = false;
		folder->is_complete = folder->is_complete || wants_changes;
	}
}

static int apply_sync(struct device *device, const struct wbxml_node *request, const struct wbxml_node *answer,
	struct error *error_r)
{
	for (const struct wbxml_node *got = collections_of(answer); got != NULL; got = wbxml_node_next(got)) {
		const char *id = node_text(got, AS_AIRSYNC_COLLECTIONID), *status = node_text(got, AS_AIRSYNC_STATUS);
		struct device_folder *folder = device_folder_by_id(device, id);
		if (strcmp(status, "1") == 0) {
			if (folder == NULL)
				return error_set(error_r, "Sync answers for collection \"%s\", which the device does not have", id);
			if (take_collection(folder, collection_sent(request, id), got, device->misses, error_r) < 0)
				return -1;
		} else if (folder != NULL && strcmp(status, "3") == 0) { /* start anew */
			replace(&folder->key, "0");
			folder->is_complete = false;
			items_clear(folder);
		} else if (*status == '\0')
			return error_set(error_r, "Sync answers for collection \"%s\" without a status", id);
	}
	return 0;
}

/* --- the others ------------------------------------------------------------------------------------------------ */

static void apply_provision(struct device *device, const struct wbxml_node *answer)
{
	const struct wbxml_node *policies = wbxml_node_child(answer, AS_PROVISION_POLICIES);
	const struct wbxml_node *policy = wbxml_node_child(policies, AS_PROVISION_POLICY);
	uint32_t key;

	if (wbxml_node_number(policy, AS_PROVISION_POLICYKEY, &key) != WBXML_VALUE_GOOD)
		return;
	device->policy_key_before = device->policy_key;
	device->policy_key = key;
}

static void note_incomplete(struct device *device, const char *id)
{
	struct device_folder *folder = device_folder_by_id(device, id);

	if (folder != NULL)
		folder->is_complete = false;
}

/* What was moved is told by the next Syncs, and does not ring for them. */
static void apply_moves(struct device *device, const struct wbxml_node *request)
{
	const struct wbxml_node *node = wbxml_node_child(request, AS_MOVE_MOVE);

	for (; node != NULL; node = wbxml_node_next(node)) {
		note_incomplete(device, node_text(node, AS_MOVE_SRCFLDID));
		note_incomplete(device, node_text(node, AS_MOVE_DSTFLDID));
	}
}

int device_apply(struct device *device, const char *command, const struct wbxml_node *request,
	const struct wbxml_node *answer, struct error *error_r)
{
	if (answer == NULL && strcmp(command, "Sync") == 0)
		note_nothing_new(device, request);
	if (answer == NULL)
		return 0;
	if (strcmp(command, "FolderSync") == 0)
		return apply_folder_sync(device, request, answer, error_r);
	if (strncmp(command, "Folder", 6) == 0)
		return apply_folder_change(device, command, request, answer, error_r);
	if (strcmp(command, "Sync") == 0)
		return apply_sync(device, request, answer, error_r);
	if (strcmp(command, "Provision") == 0)
		apply_provision(device, answer);
	if (strcmp(command, "MoveItems") == 0)
		apply_moves(device, request);
	return 0;
}

/* --- listing --------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines of any order as " [a,b]"; nothing when there are none. */
static void append_categories(struct buffer *out, const char *lines)
{
	char *copy = mem_strdup(lines), *names[100], *rest = copy, *name;
	size_t count = 0;

	while (count < 100 && (name = strsep(&rest, "\n")) != NULL)
		if (*name != '\0')
			names[count++] = name;
	qsort(names, count, sizeof *names, by_text);
	for (size_t i = 0; i < count; i++)
		buffer_printf(out, "%s%s", i == 0 ? " [" : ",", names[i]);
	buffer_append_string(out, count > 0 ? "]" : "");
	free(copy);
}

char *device_item_line(const char *path, const struct device_item *item, bool shows_all)
{
	static const char *const verbs[] = {"", " answered", "", " forwarded"};
	struct buffer line = BUFFER_EMPTY;

	buffer_printf(&line, "%s: %s", path, item->subject);
	if (strcmp(item->subject, DEVICE_UNREADABLE) != 0)
		buffer_printf(&line, "%s%s%s", item->read ? " read" : "", item->flagged ? " flagged" : "",
			shows_all ? verbs[item->verb & 3] : "");
	if (strcmp(item->subject, DEVICE_UNREADABLE) != 0 && shows_all)
		append_categories(&line, item->categories);
	buffer_append_byte(&line, '\n');
	char *text = mem_strdup(buffer_string(&line));
	buffer_release(&line);
	return text;
}

void device_list(const struct device *device, const struct device_folder *folder, struct buffer *list_r)
{
	struct buffer path = BUFFER_EMPTY;
	size_t count = 0, at = 0;

	for (const struct device_item *item = folder->items; item != NULL; item = item->next)
		count++;
	char **lines = mem_alloc_array(count, sizeof *lines);
	device_folder_path(device, folder, &path);
	for (const struct device_item *item = folder->items; item != NULL; item = item->next)
		lines[at++] = device_item_line(buffer_string(&path), item, device->version >= 140);
	qsort(lines, count, sizeof *lines, by_text);
	for (size_t i = 0; i < count; i++) {
		buffer_append_string(list_r, lines[i]);
		free(lines[i]);
	}
	free(lines);
	buffer_release(&path);
}
