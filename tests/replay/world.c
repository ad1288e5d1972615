/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processes that live and die. */
#include "tests/replay/world.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/mem.h"
#include "notify/ping.h"
#include "tests/replay/backend.h"

/* 2026-01-15 12:00 UTC: every run has the same day. */
enum { WORLD_STARTS_S = 1768478400 };
/* All different, and none small: nobody can rely on an order that only holds by luck. */
enum { POSTPONE_STORE = 5, POSTPONE_HUB = 3, POSTPONE_CONNECTOR = 11, POSTPONE_WATCH = 7 };

#define INSTANCE "null"
static const char connector_place[] = "connector/" INSTANCE;

const struct world_settings world_settings_default = {
	.limits = {.heartbeat_min_s = 60, .heartbeat_max_s = 3540, .max_folders = 300, .window_max = 512, .max_devices = 50,
		.max_mail_size = 26214400},
	.hook = HUB_HOOK_AUTO,
	.recheck_s = 600,
	.fronts = 1,
};

static const char *instance_for(const struct directory *directory, const char *user)
{
	(void)directory;
	return strstr(user, "@nowhere.") != NULL ? NULL : INSTANCE;
}

static const struct directory directory = {.default_domain = "example.org", .instance_for = instance_for};

/* --- cables ---------------------------------------------------------------------------------------------------- */

static struct cable *lay(struct world *world, struct net *from, struct net *to, const char *place, unsigned turns)
{
	struct cable *cable = cable_create(from, to, place);

	if (world->postpones)
		cable_postpone(cable, turns);
	return cable;
}

static void lay_hub_cables(struct world *world)
{
	for (unsigned i = 0; i < world->settings.fronts; i++)
		if (world->fronts[i].to_hub == NULL)
			world->fronts[i].to_hub = lay(world, world->fronts[i].net, world->hub_net, "hub", POSTPONE_HUB);
}

static void lay_connector_cables(struct world *world)
{
	if (!world->connector_is_up)
		return;
	if (world->hub_to_connector == NULL)
		world->hub_to_connector = lay(world, world->hub_net, world->connector_net, connector_place, POSTPONE_WATCH);
	bool free = world->connector_hears == CABLE_FREE && world->connector_says == CABLE_FREE;
	cable_limit(world->hub_to_connector, free ? CABLE_FREE : 0, CABLE_FREE);
	for (unsigned i = 0; i < world->settings.fronts; i++) {
		struct world_front *front = &world->fronts[i];
		if (front->to_connector == NULL)
			front->to_connector = lay(world, front->net, world->connector_net, connector_place, POSTPONE_CONNECTOR);
		cable_limit(front->to_connector, world->connector_hears, world->connector_says);
	}
}

/* --- the hub --------------------------------------------------------------------------------------------------- */

static void store_crashed(void *data)
{
	((struct world *)data)->crashed = true;
}

static void open_store(struct world *world)
{
	world->store = world->kept == NULL ? store_memory_create(world->loop)
		: store_memory_restore(world->loop, world->kept);
	store_snapshot_free(&world->kept);
	if (world->postpones)
		store_memory_postpone(world->store, POSTPONE_STORE);
}

void world_hub_start(struct world *world)
{
	static const struct notifier *const notifiers[] = {&notifier_ping, NULL};
	const struct hub_settings settings = {
		.instances = &world->instance,
		.instance_count = 1,
		.trusted_users = &world->trusted,
		.trusted_user_count = 1,
		.hook_rate = 1000,
		.default_domain = directory.default_domain,
		.max_devices = world->settings.limits.max_devices,
		.request_burst = world->settings.limits.request_burst,
		.requests_per_minute = world->settings.limits.requests_per_minute,
		.notifiers = notifiers,
		.events_max = 1000,
	};
	struct error error;

	assert(world->hub == NULL);
	lay_hub_cables(world);
	lay_connector_cables(world);
	open_store(world);
	world->hub = hub_start(world->hub_net, &settings, world->store, &error);
	assert(world->hub != NULL);
}

/* Nobody hears of its last words. */
void world_hub_kill(struct world *world)
{
	if (world->hub == NULL)
		return;
	for (unsigned i = 0; i < world->settings.fronts; i++)
		cable_free(&world->fronts[i].to_hub);
	cable_free(&world->hub_to_connector);
	hub_stop(&world->hub);
	world->kept = store_memory_snapshot(world->store);
	store_close(&world->store);
}

void world_cut(struct world *world, unsigned writes)
{
	store_memory_crash(world->store, writes == 0 ? UINT_MAX : writes, store_crashed, world);
}

/* --- the fronts ------------------------------------------------------------------------------------------------ */

void world_front_start(struct world *world, unsigned number)
{
	struct world_front *front = &world->fronts[number - 1];
	const struct front_settings settings = {.number = number, .connections_max = 100, .http_places = 1,
		.engines = &world->engine, .engine_count = 1, .net = front->net};
	struct error error;

	assert(front->front == NULL);
	front->front = front_create(&settings, &error);
	assert(front->front != NULL);
}

void world_front_kill(struct world *world, unsigned number)
{
	front_free(&world->fronts[number - 1].front);
}

/* --- the connector --------------------------------------------------------------------------------------------- */

void world_connector_kill(struct world *world)
{
	world->connector_is_up = false;
	world->connector_hears = world->connector_says = CABLE_FREE;
	cable_free(&world->hub_to_connector);
	for (unsigned i = 0; i < world->settings.fronts; i++)
		cable_free(&world->fronts[i].to_connector);
	loop_settle(world->loop);
	backend_restarted(world->mailboxes);
}

void world_connector_start(struct world *world)
{
	world->connector_is_up = true;
	lay_connector_cables(world);
}

void world_connector_limit(struct world *world, int hears, int says)
{
	world->connector_hears = hears;
	world->connector_says = says;
	lay_connector_cables(world);
}

/* --- all ------------------------------------------------------------------------------------------------------- */

static void set_engine(struct world *world)
{
	world->engine_settings = (struct activesync_engine_settings){.limits = world->settings.limits,
		.policy = world->settings.policy, .directory = &directory};
	world->engine = (struct front_engine){.engine = &activesync_engine, .settings = &world->engine_settings};
}

void world_set_policy(struct world *world, const struct policy_settings *policy)
{
	world->settings.policy = *policy;
}

void world_restart(struct world *world, int64_t off_ms)
{
	for (unsigned i = 0; i < world->settings.fronts; i++)
		world_front_kill(world, i + 1);
	world_hub_kill(world);
	loop_advance(world->loop, off_ms);
	world->crashed = false;
	set_engine(world);
	world_hub_start(world);
	for (unsigned i = 0; i < world->settings.fronts; i++)
		world_front_start(world, i + 1);
	loop_settle(world->loop);
}

struct world *world_create(const struct world_settings *settings, bool postpones)
{
	struct world *world = mem_alloc(sizeof *world);
	struct error error;

	world->settings = *settings;
	world->postpones = postpones;
	world->instance = (struct hub_instance_settings){.name = INSTANCE, .hook = settings->hook,
		.recheck_s = settings->recheck_s};
	world->trusted = geteuid();
	world->loop = loop_create_manual(WORLD_STARTS_S);
	world->hub_net = net_create_memory(world->loop);
	world->connector_net = net_create_memory(world->loop);
	world->mailboxes = null_store_create(world->connector_net, connector_place, &error);
	assert(world->mailboxes != NULL);
	world->connector_is_up = true;
	world->connector_hears = world->connector_says = CABLE_FREE;
	for (unsigned i = 0; i < settings->fronts; i++)
		world->fronts[i].net = net_create_memory(world->loop);
	world_restart(world, 0);
	return world;
}

void world_free(struct world **owner)
{
	struct world *world = *owner;

	if (world == NULL)
		return;
	*owner = NULL;
	for (unsigned i = 0; i < world->settings.fronts; i++)
		world_front_kill(world, i + 1);
	world_hub_kill(world);
	store_snapshot_free(&world->kept);
	loop_settle(world->loop);
	world_connector_kill(world);
	for (unsigned i = 0; i < world->settings.fronts; i++)
		net_free(&world->fronts[i].net);
	null_store_free(&world->mailboxes);
	loop_settle(world->loop);
	net_free(&world->hub_net);
	net_free(&world->connector_net);
	loop_free(&world->loop);
	free(world);
}
