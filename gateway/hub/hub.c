/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Role hub: start, stop, and what all its parts need. */
#include "gateway/hub/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/hub/internal.h"
#include "lib/core/mem.h"

void hub_note(struct hub *hub, const struct hub_event *event)
{
	hub_ring_note(hub->ring, loop_now_ms(hub->loop), event);
}

uint8_t hub_source_number(struct hub *hub, const char *name)
{
	struct hub_counters *counters = &hub->counters;
	size_t at = 0;

	while (at < counters->source_count && strcmp(counters->sources[at].name, name) != 0)
		at++;
	if (at == HUB_SOURCES_MAX - 1)
		name = "other";
	if (at == HUB_SOURCES_MAX)
		at--;
	else if (at == counters->source_count)
		snprintf(counters->sources[counters->source_count++].name, HUB_SOURCE_SIZE, "%s", name);
	return (uint8_t)(at + 1);
}

const char *hub_source_name(const struct hub *hub, uint8_t number)
{
	return number == HUB_SOURCE_NONE ? "none" : hub->counters.sources[number - 1].name;
}

struct hub_source_counters *hub_source(struct hub *hub, const char *name)
{
	return &hub->counters.sources[hub_source_number(hub, name) - 1];
}

struct hub_instance *hub_instance_find(struct hub *hub, const char *name)
{
	for (size_t i = 0; i < hub->settings.instance_count; i++)
		if (strcmp(hub->settings.instances[i].name, name) == 0)
			return &hub->instances[i];
	return NULL;
}

struct park_user *hub_user_find(struct hub *hub, const char *name, struct hub_instance **instance_r)
{
	struct park_user *user = NULL;

	for (size_t i = 0; user == NULL && i < hub->settings.instance_count; i++) {
		*instance_r = &hub->instances[i];
		user = park_user_find(&hub->instances[i].table, name);
	}
	return user;
}

void hub_count(const struct hub *hub, struct hub_counters *counters_r)
{
	*counters_r = hub->counters;
	for (size_t i = 0; i < hub->settings.instance_count; i++) {
		const struct park_table *table = &hub->instances[i].table;
		counters_r->users += HASH_COUNT(table->users);
		counters_r->parked += table->parks;
		counters_r->collections += table->entries;
	}
}

struct hub *hub_start(struct net *net, const struct hub_settings *settings, struct store *store, struct error *error_r)
{
	struct hub *hub = mem_alloc(sizeof *hub);

	hub->loop = net_loop(net);
	hub->net = net;
	hub->settings = *settings;
	hub->store = store;
	hub->locks = locks_create(hub->loop);
	hub->pace = pace_create(hub->loop, settings->request_burst, settings->requests_per_minute);
	hub->ring = hub_ring_create(settings->events_max == 0 ? HUB_EVENTS_MAX : settings->events_max);
	hub_sweep_start(hub);
	hub_instances_start(hub);
	if (hub_fronts_start(hub, error_r) < 0 || hub_hooks_start(hub, error_r) < 0 ||
	    hub_control_start(hub, error_r) < 0)
		hub_stop(&hub);
	return hub;
}

void hub_stop(struct hub **owner)
{
	struct hub *hub = *owner;

	if (hub == NULL)
		return;
	hub->is_stopping = true;
	hub_control_stop(hub);
	hub_hooks_stop(hub);
	hub_fronts_stop(hub);
	hub_instances_stop(hub);
	timer_stop(hub->loop, &hub->sweep);
	locks_free(&hub->locks);
	pace_free(&hub->pace);
	hub_ring_free(&hub->ring);
	free(hub);
	*owner = NULL;
}
