/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands of a Collection element: what the device has done, and what it asks for by name. */
#include <string.h>

#include "gateway/activesync/sync.h"
#include "lib/core/utf8.h"

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

static void read_command(struct request *request, const struct sync_job *job, struct sync_command *command,
	const struct wbxml_node *node)
{
	command->server_id = wbxml_node_text(node, AS_AIRSYNC_SERVERID);
	command->client_id = wbxml_node_text(node, AS_AIRSYNC_CLIENTID);
	command->item = command->server_id == NULL ? 0 : sync_item_id(job->collection_id, command->server_id);
	command->digest = digest_node(0xcbf29ce484222325, node);
	if (command->kind == SYNC_COMMAND_ADD)
		command->status = SYNC_STATUS_CONVERSION; /* a mail is not made this way before 16.0 */
	else if (command->kind == SYNC_COMMAND_CHANGE)
		read_change(request, command, node);
}

/* It is sent back when the command fails. */
static bool is_id(const char *text)
{
	return text != NULL && strlen(text) <= SYNC_ITEM_ID_MAX;
}

static bool read_kind(const struct wbxml_node *node, enum sync_command_kind *kind_r)
{
	static const struct { uint16_t tag; enum sync_command_kind kind; } kinds[] = {
		{AS_AIRSYNC_CHANGE, SYNC_COMMAND_CHANGE}, {AS_AIRSYNC_DELETE, SYNC_COMMAND_DELETE},
		{AS_AIRSYNC_ADD, SYNC_COMMAND_ADD}, {AS_AIRSYNC_FETCH, SYNC_COMMAND_FETCH},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].tag == node->tag) {
			*kind_r = kinds[i].kind;
			return true;
		}
	return false;
}

/* The recipient information cache takes no items (MS-ASCMD 2.2.3.7.2). */
static bool may_be(const struct sync_job *job, enum sync_command_kind kind)
{
	return kind != SYNC_COMMAND_ADD || strcmp(job->collection_id, "RI") != 0;
}

int sync_commands_read(struct request *request, struct sync_job *job, const struct wbxml_node *collection)
{
	const struct wbxml_node *commands = wbxml_node_child(collection, AS_AIRSYNC_COMMANDS), *node;
	size_t count = 0;

	for (node = commands == NULL ? NULL : commands->first_child; node != NULL; node = node->next)
		count++;
	if (count > SYNC_COMMANDS_MAX)
		return SYNC_STATUS_PROTOCOL_ERROR;
	job->commands = arena_alloc(request->arena, (count + 1) * sizeof *job->commands);
	for (node = commands == NULL ? NULL : commands->first_child; node != NULL; node = node->next) {
		struct sync_command *command = &job->commands[job->command_count++];
		if (!read_kind(node, &command->kind) || !may_be(job, command->kind))
			return SYNC_STATUS_PROTOCOL_ERROR;
		bool is_add = command->kind == SYNC_COMMAND_ADD;
		if (!is_id(wbxml_node_text(node, is_add ? AS_AIRSYNC_CLIENTID : AS_AIRSYNC_SERVERID)))
			return SYNC_STATUS_PROTOCOL_ERROR;
		read_command(request, job, command, node);
	}
	return 0;
}

/* A Change that comes again with another winner is another one: the first time it may have lost. */
void sync_commands_resolve(struct sync_job *job)
{
	for (size_t i = 0; i < job->command_count; i++) {
		struct sync_command *command = &job->commands[i];
		if (command->kind == SYNC_COMMAND_CHANGE && job->state.record->options->device_wins)
			command->digest = digest_bytes(command->digest, "wins", 4);
		if (command->kind != SYNC_COMMAND_ADD && (command->item == 0 || !ranges_has(&job->state.has, command->item)))
			command->status = SYNC_STATUS_NOT_FOUND;
	}
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
void sync_commands_recall(struct sync_job *job)
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
