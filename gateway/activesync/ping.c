/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ping (MS-ASCMD 2.2.1.13): which folders to watch and how long, then the hold. */
#include "gateway/activesync/ping.h"

#include <stdio.h>
#include <string.h>

#include "gateway/activesync/command.h"
#include "gateway/activesync/engine_state.h"
#include "gateway/activesync/folders.h"
#include "gateway/activesync/state.pb-c.h"

static int write_answer(struct buffer *body, const struct park_place *places, size_t count, const uint32_t *changed,
	size_t changed_count)
{
	bool is_hierarchy = park_is_hierarchy(places, changed, changed_count);
	int status = is_hierarchy ? PING_STATUS_HIERARCHY : changed_count == 0 ? PING_STATUS_NOTHING : PING_STATUS_CHANGES;
	struct wbxml_writer writer;

	(void)count;
	wbxml_writer_begin(&writer, body, &activesync_language);
	wbxml_writer_start(&writer, AS_PING_PING);
	wbxml_writer_number_element(&writer, AS_PING_STATUS, status);
	if (status == PING_STATUS_CHANGES) {
		wbxml_writer_start(&writer, AS_PING_FOLDERS);
		for (size_t i = 0; i < changed_count; i++)
			wbxml_writer_number_element(&writer, AS_PING_FOLDER, places[changed[i]].id);
		wbxml_writer_end(&writer);
	}
	wbxml_writer_end(&writer);
	wbxml_writer_finish(&writer);
	return status;
}

const struct park_kind ping_kind = {.command = "Ping", .write = write_answer};

struct park_folder ping_folder(uint32_t id, const Belfry__Role__Record *record, struct arena *arena)
{
	struct park_folder folder = {.place = {.id = id}, .name = ""};
	Belfry__Activesync__At *at = record == NULL ? NULL
		: belfry__activesync__at__unpack(arena_protobuf(arena), record->value.len, record->value.data);

	belfry__role__position__init(&folder.position);
	if (at != NULL) {
		folder.name = at->name;
		if (at->position != NULL)
			folder.position = *at->position;
	}
	return folder;
}

int ping_prepare(struct request *request, Belfry__Role__Begin *begin)
{
	static char ping[] = "ping", folders[] = "folders", *keys[] = {ping, folders};
	static char position[] = "position/", *prefixes[] = {position};

	(void)request;
	begin->keys = keys;
	begin->n_keys = 2;
	begin->prefixes = prefixes;
	begin->n_prefixes = 1;
	return 0;
}

static void answer_bound(struct request *request, int status, uint16_t tag, uint32_t bound)
{
	request->result = arena_printf(request->arena, "status=%d bound=%u", status, bound);
	request_begin_answer(request);
	wbxml_writer_number_element(&request->writer, AS_PING_STATUS, status);
	wbxml_writer_number_element(&request->writer, tag, bound);
	request_answer(request);
}

/* False: it is there (MS-ASCMD 2.2.3.90: no Id twice). */
static bool add_folder(Belfry__Activesync__Ping *ping, uint32_t id)
{
	for (size_t i = 0; i < ping->n_folders; i++)
		if (ping->folders[i] == id)
			return false;
	ping->folders[ping->n_folders++] = id;
	return true;
}

/* The folders of the request into the record; 0 or the status that refuses them. */
static int read_folders(struct request *request, Belfry__Activesync__Ping *ping, const struct wbxml_node *folders)
{
	unsigned count = wbxml_node_count(folders, AS_PING_FOLDER);
	const struct wbxml_node *folder = wbxml_node_child(folders, AS_PING_FOLDER);

	if (count == 0)
		return PING_STATUS_SYNTAX;
	if (count > request->engine->settings->limits.max_folders || count > PARK_FOLDERS_MAX)
		return PING_STATUS_TOO_MANY_FOLDERS;
	ping->folders = arena_alloc(request->arena, count * sizeof *ping->folders);
	ping->n_folders = 0;
	for (; folder != NULL; folder = wbxml_node_next(folder)) {
		uint32_t id;
		enum wbxml_value value = wbxml_node_number(folder, AS_PING_ID, &id);
		if (value == WBXML_VALUE_MISSING || value == WBXML_VALUE_EMPTY)
			return PING_STATUS_SYNTAX;
		if (value == WBXML_VALUE_BAD)
			return PING_STATUS_HIERARCHY; /* no id of ours */
		if (!add_folder(ping, id))
			return PING_STATUS_SYNTAX;
	}
	return 0;
}

/* A number that is too small or too large to be one of ours is out of bounds, and no error of syntax. */
static int read_heartbeat(struct request *request, uint32_t *heartbeat_s_r)
{
	const char *text = wbxml_node_text(request->root, AS_PING_HEARTBEATINTERVAL);
	enum wbxml_value value = wbxml_node_number(request->root, AS_PING_HEARTBEATINTERVAL, heartbeat_s_r);

	if (value == WBXML_VALUE_MISSING || (value == WBXML_VALUE_GOOD && *heartbeat_s_r != 0))
		return 0;
	if (value == WBXML_VALUE_EMPTY || text == NULL)
		return PING_STATUS_SYNTAX;
	const char *digits = text + (*text == '-');
	if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
		return PING_STATUS_SYNTAX;
	*heartbeat_s_r = *text == '-' || value == WBXML_VALUE_GOOD ? 0 : UINT32_MAX;
	return PING_STATUS_HEARTBEAT;
}

/* What the request says, completed by what the device said before. Only no document at all says nothing. */
static int read_request(struct request *request, Belfry__Activesync__Ping *ping)
{
	const struct wbxml_node *folders = wbxml_node_child(request->root, AS_PING_FOLDERS);
	int heartbeat = read_heartbeat(request, &ping->heartbeat_s);

	if (heartbeat != 0)
		return heartbeat;
	if (request->root != NULL && wbxml_node_is_empty(request->root))
		return PING_STATUS_SYNTAX;
	if (folders != NULL) {
		int status = read_folders(request, ping, folders);
		if (status != 0)
			return status;
	}
	if (ping->n_folders > PARK_FOLDERS_MAX) /* kept under another limit */
		return PING_STATUS_TOO_MANY_FOLDERS;
	return ping->heartbeat_s == 0 || ping->n_folders == 0 ? PING_STATUS_MISSING_PARAMETERS : 0;
}

static bool all_known(struct request *request, const Belfry__Activesync__Ping *ping)
{
	Belfry__Activesync__Folders *folders = request_unpack(request, "folders", &belfry__activesync__folders__descriptor);

	for (size_t i = 0; i < ping->n_folders; i++)
		if (folders == NULL || folders_find(folders, ping->folders[i]) == NULL)
			return false;
	return true;
}

/* A folder that was never synchronised, or not to its end, has something to tell at once. */
static void hold(struct request *request)
{
	const Belfry__Activesync__Ping *ping = request->work;
	struct park_folder *folders = arena_alloc(request->arena, (ping->n_folders + 1) * sizeof *folders);
	struct park_place *places = arena_alloc(request->arena, ping->n_folders * sizeof *places);
	uint32_t *changed = arena_alloc(request->arena, ping->n_folders * sizeof *changed);
	size_t changed_count = 0;
	char key[32];

	for (size_t i = 0; i < ping->n_folders; i++) {
		snprintf(key, sizeof key, "position/%u", ping->folders[i]);
		folders[i] = ping_folder(ping->folders[i], request_record(request, key), request->arena);
		places[i] = folders[i].place;
		if (folders[i].position.validity == 0 && folders[i].position.next == 0)
			changed[changed_count++] = (uint32_t)i;
	}
	if (changed_count == 0) {
		size_t count = park_add_hierarchy(request, folders, ping->n_folders);
		parks_hold(request->engine->parks, request, &ping_kind, ping->heartbeat_s, folders, count);
		return;
	}
	struct http_response response = HTTP_RESPONSE(200);
	write_answer(&request->body, places, ping->n_folders, changed, changed_count);
	http_response_bytes(&response, &request->body);
	request->result = "status=2 (not synchronised to the end)";
	request_answer_response(request, &response);
}

static void committed(const Belfry__Role__Committed *done, void *data)
{
	(void)done;
	hold(data);
}

/* Most Pings say again what the one before said. */
static void remember(struct request *request, Belfry__Activesync__Ping *ping)
{
	Belfry__Role__Write *write = request_rewrite(request, "ping", &ping->base);

	if (write == NULL)
		hold(request);
	else
		request_commit(request, &write, 1, committed);
}

void ping_run(struct request *request)
{
	const struct activesync_settings *limits = &request->engine->settings->limits;
	Belfry__Activesync__Ping *ping = request_unpack(request, "ping", &belfry__activesync__ping__descriptor);

	if (ping == NULL) {
		ping = arena_alloc(request->arena, sizeof *ping);
		belfry__activesync__ping__init(ping);
	}
	request->work = ping;
	int status = read_request(request, ping);
	if (status == 0 && (ping->heartbeat_s < limits->heartbeat_min_s || ping->heartbeat_s > limits->heartbeat_max_s))
		status = PING_STATUS_HEARTBEAT;
	if (status == PING_STATUS_TOO_MANY_FOLDERS)
		answer_bound(request, status, AS_PING_MAXFOLDERS, limits->max_folders);
	else if (status == PING_STATUS_HEARTBEAT)
		answer_bound(request, status, AS_PING_HEARTBEATINTERVAL, ping->heartbeat_s < limits->heartbeat_min_s
			? limits->heartbeat_min_s : limits->heartbeat_max_s);
	else if (status != 0)
		request_answer_status(request, status);
	else if (!all_known(request, ping))
		request_answer_status(request, PING_STATUS_HIERARCHY);
	else
		remember(request, ping);
}
