/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps of a transcript but those of devices. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "tests/replay/backend.h"
#include "tests/replay/hook.h"
#include "tests/replay/play.h"

static int do_settings(struct play *play, const struct step *step, struct error *error_r)
{
	struct world_settings *settings = &play->settings;
	const char *hook = step_value(step, 1, "hook", play->arena);

	if (play->world != NULL)
		return error_set(error_r, "settings come first");
	settings->limits.heartbeat_min_s = (unsigned)step_number(step, 1, "heartbeat_min", settings->limits.heartbeat_min_s);
	settings->limits.heartbeat_max_s = (unsigned)step_number(step, 1, "heartbeat_max", settings->limits.heartbeat_max_s);
	settings->limits.max_folders = (unsigned)step_number(step, 1, "max_folders", settings->limits.max_folders);
	settings->limits.window_max = (unsigned)step_number(step, 1, "window_max", settings->limits.window_max);
	settings->limits.max_devices = (unsigned)step_number(step, 1, "max_devices", settings->limits.max_devices);
	settings->limits.request_burst = (unsigned)step_number(step, 1, "request_burst", settings->limits.request_burst);
	settings->limits.requests_per_minute = (unsigned)step_number(step, 1, "requests_per_minute",
		settings->limits.requests_per_minute);
	settings->recheck_s = (unsigned)step_number(step, 1, "recheck", settings->recheck_s);
	settings->fronts = (unsigned)step_number(step, 1, "fronts", settings->fronts);
	settings->policy.required = step_has(step, 1, "policy");
	if (hook != NULL)
		settings->hook = strcmp(hook, "yes") == 0 ? HUB_HOOK_YES : strcmp(hook, "no") == 0 ? HUB_HOOK_NO : HUB_HOOK_AUTO;
	return settings->fronts >= 1 && settings->fronts <= WORLD_FRONTS_MAX ? 0 : error_set(error_r, "so many fronts?");
}

/* policy required|free [password] [length=N]: the admin changes it and starts everything anew. */
static int do_policy(struct play *play, const struct step *step, struct error *error_r)
{
	struct policy_settings policy = {.required = step_has(step, 1, "required"), .password = step_has(step, 1, "password"),
		.password_min_length = (unsigned)step_number(step, 1, "length", 0)};

	(void)error_r;
	world_set_policy(play->world, &policy);
	play_restart(play, 0);
	return 0;
}

static int do_backend(struct play *play, const struct step *step, struct error *error_r)
{
	int result = backend_do(play->world->mailboxes, play->world->loop, step, 2, play->arena, error_r);

	play_settle(play);
	return result;
}

static int do_hook(struct play *play, const struct step *step, struct error *error_r)
{
	int result = hook_tell(play->world, step, 2, play->arena, error_r);

	play_settle(play);
	return result;
}

/* connector deaf N: hears N more requests of each front; mute N: says N more answers; hang: deaf 0; resume. */
static int do_connector(struct play *play, const struct step *step, struct error *error_r)
{
	const char *verb = step->count > 1 ? step->words[1] : "";
	int frames = step->count > 2 ? atoi(step->words[2]) : 0;

	if (strcmp(verb, "hang") == 0 || strcmp(verb, "deaf") == 0)
		world_connector_limit(play->world, frames, CABLE_FREE);
	else if (strcmp(verb, "mute") == 0)
		world_connector_limit(play->world, CABLE_FREE, frames);
	else if (strcmp(verb, "resume") == 0)
		world_connector_limit(play->world, CABLE_FREE, CABLE_FREE);
	else
		return error_set(error_r, "the connector cannot do that");
	play_settle(play);
	return 0;
}

static int do_process(struct play *play, const struct step *step, struct error *error_r)
{
	static const struct { const char *process, *verb; void (*act)(struct world *); } acts[] = {
		{"hub", "kill", world_hub_kill}, {"hub", "start", world_hub_start},
		{"connector", "kill", world_connector_kill}, {"connector", "start", world_connector_start},
	};
	struct world *world = play->world;
	const char *verb = step->words[step->count - 1];
	unsigned number = step->count > 2 ? (unsigned)strtoul(step->words[1], NULL, 10) : 0;
	size_t act = 0;

	while (act < sizeof acts / sizeof *acts && (strcmp(acts[act].process, step->words[0]) != 0 ||
	       strcmp(acts[act].verb, verb) != 0))
		act++;
	if (act < sizeof acts / sizeof *acts) {
		if (acts[act].act == world_hub_kill && world->store != NULL)
			play->writes += store_memory_commits(world->store);
		acts[act].act(world);
	} else if (strcmp(step->words[0], "connector") == 0)
		return do_connector(play, step, error_r);
	else if (strcmp(step->words[0], "front") == 0 && number >= 1 && number <= world->settings.fronts)
		(strcmp(verb, "kill") == 0 ? world_front_kill : world_front_start)(world, number);
	else
		return error_set(error_r, "no process can do that");
	play_settle(play);
	return 0;
}

/* store cut N: as the way "cut" does, in a play of any other way. */
static int do_store(struct play *play, const struct step *step, struct error *error_r)
{
	if (step->count != 3 || strcmp(step->words[1], "cut") != 0)
		return error_set(error_r, "\"store cut N\"");
	if (play->way != WAY_CUT && play->way != WAY_ORPHANED)
		world_cut(play->world, (unsigned)strtoul(step->words[2], NULL, 10));
	return 0;
}

static int do_time(struct play *play, const struct step *step, struct error *error_r)
{
	char *unit;
	int64_t time = step->count < 2 ? 0 : strtol(step->words[1], &unit, 10);

	if (time <= 0)
		return error_set(error_r, "\"time +600s\", ms, s, m, h or d");
	time = strcmp(unit, "ms") == 0 ? time : time * 1000 * (*unit == 'm' ? 60 : *unit == 'h' ? 3600
		: *unit == 'd' ? 86400 : 1);
	if (step_has(step, 2, "off"))
		play_restart(play, time);
	else
		play_advance(play, time);
	return 0;
}

/* log "PATTERN": a line like this was written since the last such step. Only what is played plainly is looked at. */
static int do_log(struct play *play, const struct step *step, struct error *error_r)
{
	const char *words = word_unquote(step->count < 2 ? "" : step->words[1], play->arena);
	const char *pattern = arena_printf(play->arena, "*%s*", words);
	bool found = play->way != WAY_PLAIN;
	char *rest = arena_strdup(play->arena, buffer_string(&play->log)), *line;

	while (!found && (line = strsep(&rest, "\n")) != NULL)
		found = fnmatch(pattern, line, 0) == 0;
	if (fnmatch(pattern, play->unexpected, 0) == 0)
		*play->unexpected = '\0';
	buffer_release(&play->log);
	return found ? 0 : error_set(error_r, "no such line was logged");
}

static int do_nothing(struct play *play, const struct step *step, struct error *error_r)
{
	(void)play;
	(void)step;
	(void)error_r;
	return 0;
}

static const struct {
	const char *noun;
	bool before_world;
	int (*act)(struct play *, const struct step *, struct error *error_r);
} nouns[] = {
	{"settings", true, do_settings}, {"without", true, do_nothing}, {"device", false, play_device_step},
	{"backend", false, do_backend}, {"hook", false, do_hook}, {"hub", false, do_process}, {"front", false, do_process},
	{"connector", false, do_process}, {"store", false, do_store}, {"time", false, do_time}, {"log", false, do_log},
	{"policy", false, do_policy},
};

int play_step(struct play *play, const struct step *step, struct error *error_r)
{
	for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++) {
		if (strcmp(nouns[i].noun, step->words[0]) != 0)
			continue;
		if (!nouns[i].before_world)
			play_create_world(play);
		return nouns[i].act(play, step, error_r);
	}
	return error_set(error_r, "who is \"%s\"?", step->words[0]);
}
