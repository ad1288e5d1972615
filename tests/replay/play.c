/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A play: its world, its processes that die, its steps one after the other. */
#include "tests/replay/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"

const char *const way_names[WAYS] = {"plain", "replayed", "postponed", "repeated", "cut", "orphaned"};

enum {
	ADVANCE_MS = 1000, /* a crash is noticed so much later at the most */
	RESTARTS_MAX = 20,
	REQUESTS_MAX = 1000,
	HUB_RETURNS_MS = 200 /* a front finds a hub again within this, and parks anew */
};

/* --- the world goes on ----------------------------------------------------------------------------------------- */

static size_t who_waits(const struct play *play, struct phone_request *waiting_r[REQUESTS_MAX])
{
	size_t count = 0;

	for (struct phone_request *request = play->requests; request != NULL && count < REQUESTS_MAX; request = request->next)
		if (request->state == PHONE_WAITING)
			waiting_r[count++] = request;
	return count;
}

static void send_again(struct play *play, struct phone_request *request)
{
	request->device->misses = true;
	phone_request_send(request, play->world->fronts[request->front - 1].net);
	loop_settle(play->world->loop);
}

/* The store's process ends. */
static void note_writes(struct play *play)
{
	if (play->world->store != NULL)
		play->writes += store_memory_commits(play->world->store);
}

void play_restart(struct play *play, int64_t off_ms)
{
	struct phone_request *waiting[REQUESTS_MAX];
	size_t count = who_waits(play, waiting);

	note_writes(play);
	world_restart(play->world, off_ms);
	for (size_t i = 0; i < count; i++)
		send_again(play, waiting[i]);
}

/* The hub dies and comes back; the fronts stay, and so do the phones that they hold. */
static void restart_hub(struct play *play)
{
	struct phone_request *waiting[REQUESTS_MAX];
	size_t count = who_waits(play, waiting);

	note_writes(play);
	world_hub_kill(play->world);
	play->world->crashed = false;
	loop_settle(play->world->loop);
	world_hub_start(play->world);
	loop_advance(play->world->loop, HUB_RETURNS_MS);
	for (size_t i = 0; i < count; i++)
		if (phone_is_retry(waiting[i], play->arena))
			send_again(play, waiting[i]);
}

void play_settle(struct play *play)
{
	loop_settle(play->world->loop);
	for (unsigned i = 0; play->world->crashed && i < RESTARTS_MAX; i++) {
		if (play->way == WAY_ORPHANED)
			restart_hub(play);
		else
			play_restart(play, 0);
	}
}

void play_advance(struct play *play, int64_t ms)
{
	for (; ms > 0; ms -= ADVANCE_MS) {
		loop_advance(play->world->loop, ms < ADVANCE_MS ? ms : ADVANCE_MS);
		play_settle(play);
	}
}

static bool all_are_up(const struct world *world)
{
	for (unsigned i = 0; i < world->settings.fronts; i++)
		if (world->fronts[i].front == NULL)
			return false;
	return world->hub != NULL;
}

void play_before_request(struct play *play)
{
	if (play->way == WAY_REPLAYED && all_are_up(play->world))
		play_restart(play, 0);
}

void play_create_world(struct play *play)
{
	if (play->world != NULL)
		return;
	play->world = world_create(&play->settings, play->way == WAY_POSTPONED);
	if (play->way == WAY_CUT || play->way == WAY_ORPHANED)
		world_cut(play->world, play->cut);
}

/* --- devices --------------------------------------------------------------------------------------------------- */

struct device *play_device(struct play *play, const char *name, size_t *index_r)
{
	size_t index = 0;

	while (index < play->device_count && strcmp(play->devices[index]->name, name) != 0)
		index++;
	if (index == play->device_count && index < DEVICES_MAX)
		play->devices[play->device_count++] = device_create(name);
	if (index_r != NULL)
		*index_r = index;
	return index < DEVICES_MAX ? play->devices[index] : NULL;
}

static void put_request(struct play *play, struct phone_request *request)
{
	struct phone_request **end = &play->requests;

	while (*end != NULL)
		end = &(*end)->next;
	*end = request;
}

void play_take_request(struct play *play, struct phone_request *request)
{
	struct phone_request **link = &play->requests;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	request->next = NULL;
}

struct phone_request *play_oldest(const struct play *play, const struct device *device)
{
	struct phone_request *request = play->requests;

	while (request != NULL && request->device != device)
		request = request->next;
	return request;
}

void play_send_request(struct play *play, struct phone_request *request)
{
	put_request(play, request);
	phone_request_send(request, play->world->fronts[request->front - 1].net);
	play_settle(play);
}

int play_apply(struct play *play, struct phone_request *request, struct error *error_r)
{
	const struct wbxml_node *sent, *answer;

	if (phone_request_root(request, play->arena, &sent, error_r) < 0)
		sent = NULL; /* it was meant to be broken */
	if (phone_answer_root(request, play->arena, &answer, error_r) < 0)
		return -1;
	return request->status == 200 ? device_apply(request->device, request->command, sent, answer, error_r) : 0;
}

int play_exchange(struct play *play, struct device *device, const char *words, const struct wbxml_node **root_r,
	struct error *error_r)
{
	struct step *step = step_of(words, play->arena);

	play_before_request(play);
	struct phone_request *request = phone_request_create(device, device, step, 0, play->arena, error_r);
	if (request == NULL)
		return -1;
	play_send_request(play, request);
	play_take_request(play, request);
	int result = request->state == PHONE_ANSWERED ? play_apply(play, request, error_r)
		: error_set(error_r, "device %s got no answer to %s", device->name, words);
	if (result == 0 && request->status != 200 && request->status != 449)
		result = error_set(error_r, "device %s: HTTP %u to %s", device->name, request->status, words);
	if (result == 0)
		result = phone_answer_root(request, play->arena, root_r, error_r);
	if (result == 0 && request->status == 449)
		*root_r = NULL;
	phone_request_free(&request);
	return result;
}

/* --- the whole ------------------------------------------------------------------------------------------------- */

static void take_log(enum log_level level, const char *line, void *data)
{
	struct play *play = data;

	buffer_printf(&play->log, "%s\n", line);
	if (level == LOG_LEVEL_ERROR && *play->unexpected == '\0')
		snprintf(play->unexpected, sizeof play->unexpected, "%s", line);
}

/* "without cut,replayed": the transcript says in a comment why. */
static bool is_without(const struct play *play, struct arena *arena)
{
	for (size_t i = 0; i < play->script->count; i++) {
		const struct step *step = &play->script->steps[i];
		const char *list = strcmp(step->words[0], "without") == 0 && step->count > 1 ? step->words[1] : NULL, *name;
		while ((name = word_list_next(&list, arena)) != NULL)
			if (strcmp(name, way_names[play->way]) == 0)
				return true;
	}
	return false;
}

static void tell_failure(struct play *play, const char *where, const char *why)
{
	struct buffer told = play->failure;

	play->failure = BUFFER_EMPTY;
	buffer_printf(&play->failure, "%s\n    %s\n%s", where, why, buffer_string(&told));
	buffer_release(&told);
	if (play->log.length > 0)
		buffer_printf(&play->failure, "the log since then:\n%s", buffer_string(&play->log));
}

static int run(struct play *play)
{
	struct error error = {""};

	for (size_t i = 0; i < play->script->count; i++) {
		const struct step *step = &play->script->steps[i];
		int result = play_step(play, step, &error);
		if (result == 0 && *play->unexpected != '\0')
			result = error_set(&error, "an error was logged: %.200s", play->unexpected);
		if (result < 0 && !(i + 1 < play->script->count && strcmp(play->script->steps[i + 1].words[0], "log") == 0 &&
		    *play->unexpected != '\0')) {
			tell_failure(play, arena_printf(play->arena, "%s:%u: %s", play->script->path, step->line, step->text), error.text);
			return -1;
		}
	}
	play_create_world(play);
	if (play_finish(play, &error) < 0) {
		tell_failure(play, arena_printf(play->arena, "%s: at the end", play->script->path), error.text);
		return -1;
	}
	return 0;
}

static void clean_up(struct play *play)
{
	while (play->requests != NULL) {
		struct phone_request *request = play->requests;
		play_take_request(play, request);
		phone_request_free(&request);
	}
	for (size_t i = 0; i < DEVICES_MAX; i++) {
		phone_request_free(&play->consumed[i]);
		phone_request_free(&play->pending[i]);
		device_free(&play->devices[i]);
	}
	if (play->world != NULL)
		note_writes(play);
	world_free(&play->world);
}

bool play_script(const struct script *script, enum way way, unsigned cut, bool *skipped_r, unsigned *writes_r,
	struct buffer *failure_r)
{
	struct play play = {.script = script, .way = way, .cut = cut, .settings = world_settings_default};
	int result = 0;

	play.arena = arena_create(0);
	log_set_sink(take_log, &play);
	*skipped_r = is_without(&play, play.arena);
	if (!*skipped_r)
		result = run(&play);
	clean_up(&play);
	log_set_sink(NULL, NULL);
	*failure_r = play.failure;
	*writes_r = play.writes;
	buffer_release(&play.log);
	arena_free(&play.arena);
	return result == 0;
}
