/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ActiveSync engine in a real front, before a real hub and the null connector: a device that has logged in and
 * knows its inbox sends any body. The first byte chooses the command, the second the version, the rest is the body, in
 * which {K} and {F} stand for the keys of inbox and hierarchy. Whatever comes is answered, an answer that says WBXML
 * is WBXML, and nothing is left behind.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "tests/replay/backend.h"
#include "tests/replay/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAILS = 3, HEARTBEAT_MAX_MS = 3540 * 1000, CONNECTOR_MS = 61 * 1000 };

static const char *const commands[] = {"Sync", "Ping", "FolderSync", "Provision", "Search", "SendMail", "MoveItems",
	"ItemOperations", "Settings", "GetItemEstimate", "MeetingResponse", "GetAttachment"};
static const char *const versions[] = {"14.1", "12.1", "14.0"};
enum { COMMANDS = sizeof commands / sizeof *commands, VERSIONS = sizeof versions / sizeof *versions };

/* Made once: what the device and the store know before each input. */
static struct play play = {.way = WAY_PLAIN};
static struct store *known;
static struct device *device;

static void silent(enum log_level level, const char *line, void *data)
{
	(void)line;
	(void)data;
	assert(level != LOG_LEVEL_ERROR);
}

static void deliver(const char *words)
{
	struct error error;
	int result = backend_do(play.world->mailboxes, play.world->loop, step_of(words, play.arena), 0, play.arena, &error);

	assert(result == 0);
}

static void forget_all(void)
{
	if (known != NULL)
		store_close(&known);
	world_free(&play.world);
	device_free(&play.devices[0]);
	play.device_count = 0;
	arena_free(&play.arena);
}

static void know(void)
{
	static struct script empty = {.path = ""};
	static struct loop *store_loop;
	struct error error;

	play.script = &empty;
	play.settings = world_settings_default;
	play.arena = arena_create(0);
	play_create_world(&play);
	deliver("change alice INBOX MessageNew \"one\" text=\"some words\"");
	deliver("change alice INBOX MessageNew \"two\" html=\"<p>words</p>\" attachment=a.txt");
	deliver("change alice INBOX MessageNew \"three\" bad");
	device = play_device(&play, "F", NULL);
	int result = play_learn(&play, device, "INBOX,Trash", &error);
	assert(result == 0);
	if (store_loop == NULL)
		store_loop = loop_create_manual(0);
	struct store_snapshot *snapshot = store_memory_snapshot(play.world->store);
	known = store_memory_restore(store_loop, snapshot);
	store_snapshot_free(&snapshot);
}

/* Everything as it was learned. */
static void begin(void)
{
	if (play.world != NULL && null_count(play.world->mailboxes, "alice@example.org", "INBOX") != MAILS)
		forget_all();
	if (play.world == NULL)
		know();
	world_hub_kill(play.world);
	store_snapshot_free(&play.world->kept);
	play.world->kept = store_memory_snapshot(known);
	world_restart(play.world, 0);
}

static void append_body(struct buffer *body, const char *bytes, size_t length)
{
	const struct device_folder *inbox = device_folder_find(device, "INBOX");

	for (size_t i = 0; i < length; i++)
		if (length - i >= 3 && memcmp(bytes + i, "{K}", 3) == 0) {
			buffer_append_string(body, inbox->key);
			i += 2;
		} else if (length - i >= 3 && memcmp(bytes + i, "{F}", 3) == 0) {
			buffer_append_string(body, device->folder_key);
			i += 2;
		} else
			buffer_append_byte(body, (uint8_t)bytes[i]);
}

static struct phone_request *make(const uint8_t *data, size_t size)
{
	struct phone_request *request = mem_alloc(sizeof *request);
	struct buffer body = BUFFER_EMPTY;

	*request = (struct phone_request){.device = device, .front = 1, .command = mem_strdup(commands[data[0] % COMMANDS])};
	append_body(&body, (const char *)data + 2, size - 2);
	buffer_printf(&request->bytes,
		"POST /Microsoft-Server-ActiveSync?Cmd=%s&User=alice&DeviceId=%s&DeviceType=Fuzz HTTP/1.1\r\nHost: x\r\n"
		"Authorization: Basic YWxpY2U6c2VjcmV0\r\nMS-ASProtocolVersion: %s\r\nContent-Length: %zu\r\n\r\n",
		request->command, device->id, versions[data[1] % VERSIONS], body.length);
	request->body_at = request->bytes.length;
	buffer_append(&request->bytes, body.data, body.length);
	buffer_release(&body);
	return request;
}

static void check_answer(struct phone_request *request)
{
	struct arena *arena = arena_create(0);
	const struct wbxml_node *root;
	struct error error;

	assert(request->state == PHONE_ANSWERED);
	int result = phone_answer_root(request, arena, &root, &error);
	assert(result == 0);
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hub_counters counters;

	if (size < 2)
		return 0;
	log_set_sink(silent, NULL);
	begin();
	struct phone_request *request = make(data, size);
	phone_request_send(request, play.world->fronts[0].net);
	loop_settle(play.world->loop);
	if (request->state == PHONE_WAITING)
		loop_advance(play.world->loop, HEARTBEAT_MAX_MS + CONNECTOR_MS);
	check_answer(request);
	phone_request_free(&request);
	loop_settle(play.world->loop);
	hub_count(play.world->hub, &counters);
	assert(counters.parked == 0);
	return 0;
}
