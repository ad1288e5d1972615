/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hub against fronts, a connector, hooks and a control tool that say anything. The input is a list of steps, each
 * of a byte what, two bytes length (little endian) and so many bytes. Whatever comes, the hub must not fail, and must
 * leave nothing behind when it stops.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gateway/hub/hub.h"
#include "gateway/service/store_memory.h"
#include "lib/core/log.h"
#include "lib/ipc/link.h"
#include "notify/null.h"
#include "notify/ping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_FRONT_FRAME, STEP_FRONT_BYTES, STEP_CONNECTOR_FRAME, STEP_HOOK, STEP_CONTROL, STEP_TIME, STEP_FRONT_NEW, STEPS };
enum { FRONTS = 4, STEPS_MAX = 200, ADVANCE_MAX_MS = 600000 };

struct world {
	struct loop *loop;
	struct net *net;
	struct store *store;
	struct hub *hub;
	struct link *fronts[FRONTS];
	unsigned front;
	struct listener *listener; /* the connector's */
	struct link *connector;
};

static void silent(enum log_level level, const char *line, void *data)
{
	(void)level;
	(void)line;
	(void)data;
}

static int name_of(uid_t uid, char *name_r, size_t size)
{
	(void)uid;
	snprintf(name_r, size, "alice");
	return 0;
}

static void front_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	Belfry__Role__FromHub *message = belfry__role__from_hub__unpack(NULL, length, body);

	(void)link;
	(void)owner;
	assert(fd < 0);
	assert(message != NULL);
	belfry__role__from_hub__free_unpacked(message, NULL);
}

/* The owner is where the link is kept. */
static void link_lost(struct link *link, const char *why, void *owner)
{
	(void)link;
	(void)why;
	link_close(owner);
}

static void connector_received(struct link *link, const uint8_t *body, size_t length, int fd, void *owner)
{
	(void)link;
	(void)body;
	(void)length;
	(void)fd;
	(void)owner;
}

static const struct link_events front_events = {.received = front_received, .lost = link_lost};
static const struct link_events connector_events = {.received = connector_received, .lost = link_lost};

static void connector_accepted(struct stream *stream, void *data)
{
	struct world *world = data;

	if (world->connector != NULL)
		link_close(&world->connector);
	world->connector = link_create(stream, &connector_events, &world->connector);
}

static void happened(struct stream *stream, enum stream_event event, void *owner)
{
	(void)stream;
	(void)event;
	(void)owner;
}

static void connect_and_say(struct world *world, const char *place, const uint8_t *bytes, size_t length)
{
	struct stream *stream = net_connect(world->net, place, happened, NULL);

	stream_write(stream, bytes, length);
	loop_settle(world->loop);
	stream_close(&stream);
}

static void front_connect(struct world *world)
{
	struct link **front = &world->fronts[++world->front % FRONTS];

	link_close(front);
	*front = link_create(net_connect(world->net, "hub", NULL, NULL), &front_events, front);
}

/* Bytes that may be no frame at all go round the link, through a connection of their own. */
static void step(struct world *world, unsigned what, const uint8_t *bytes, size_t length)
{
	struct link *front = world->fronts[world->front % FRONTS];

	switch (what % STEPS) {
	case STEP_FRONT_FRAME:
		if (front != NULL)
			link_send_packed(front, bytes, length, -1);
		break;
	case STEP_FRONT_BYTES: connect_and_say(world, "hub", bytes, length); break;
	case STEP_CONNECTOR_FRAME:
		if (world->connector != NULL)
			link_send_packed(world->connector, bytes, length, -1);
		break;
	case STEP_HOOK: connect_and_say(world, "hook", bytes, length); break;
	case STEP_CONTROL: connect_and_say(world, "control", bytes, length); break;
	case STEP_TIME: loop_advance(world->loop, length == 0 ? 0 : bytes[0] * (ADVANCE_MAX_MS / 255)); break;
	case STEP_FRONT_NEW: front_connect(world); break;
	}
	loop_settle(world->loop);
}

static void start(struct world *world)
{
	static const struct notifier *const notifiers[] = {&notifier_ping, &notifier_null, NULL};
	static const struct hub_instance_settings instance = {.name = "main", .hook = HUB_HOOK_AUTO, .recheck_s = 300};
	struct hub_settings settings = {
		.instances = &instance, .instance_count = 1, .hook_rate = 10, .default_domain = "example.org", .max_devices = 2,
		.notifiers = notifiers, .events_max = 32, .user_name = name_of,
	};

	log_set_sink(silent, NULL);
	world->loop = loop_create_manual(1700000000);
	world->net = net_create_memory(world->loop);
	world->store = store_memory_create(world->loop);
	world->listener = net_listen(world->net, "connector/main", connector_accepted, world, NULL);
	world->hub = hub_start(world->net, &settings, world->store, NULL);
	assert(world->hub != NULL);
	front_connect(world);
	loop_settle(world->loop);
}

static void stop(struct world *world)
{
	hub_stop(&world->hub);
	for (int i = 0; i < FRONTS; i++)
		link_close(&world->fronts[i]);
	link_close(&world->connector);
	listener_close(&world->listener);
	store_close(&world->store);
	loop_settle(world->loop);
	net_free(&world->net);
	loop_free(&world->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = {0};

	start(&world);
	for (int steps = 0; size >= 3 && steps < STEPS_MAX; steps++) {
		size_t length = data[1] | (size_t)data[2] << 8;
		length = length < size - 3 ? length : size - 3;
		step(&world, data[0], data + 3, length);
		data += 3 + length;
		size -= 3 + length;
	}
	stop(&world);
	return 0;
}
