/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps of a transcript, one after the other; and what devices do in them. */
#include "tests/replay/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/core/log.h"
#include "lib/core/mem.h"
#include "tests/replay/expect.h"

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

/* The statuses that say "cannot now, come again". */
static bool is_retry(struct play *play, struct phone_request *request)
{
	const struct wbxml_node *root;
	struct error error;

	if (request->state != PHONE_ANSWERED || request->status == 503 ||
	    phone_answer_root(request, play->arena, &root, &error) < 0 || root == NULL)
		return request->state == PHONE_ANSWERED && request->status == 503;
	const struct wbxml_node *collections = wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS);
	const struct wbxml_node *collection = wbxml_node_child(collections, AS_AIRSYNC_COLLECTION);
	return strcmp(node_text(root, AS_AIRSYNC_STATUS), "16") == 0 || strcmp(node_text(root, AS_PING_STATUS), "8") == 0 ||
		strcmp(node_text(collection, AS_AIRSYNC_STATUS), "16") == 0 ||
		strcmp(node_text(root, AS_FOLDERHIERARCHY_STATUS), "6") == 0 ||
		strcmp(node_text(root, AS_PROVISION_STATUS), "3") == 0;
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
		if (is_retry(play, waiting[i]))
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

static void take_request(struct play *play, struct phone_request *request)
{
	struct phone_request **link = &play->requests;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	request->next = NULL;
}

static struct phone_request *oldest(const struct play *play, const struct device *device)
{
	struct phone_request *request = play->requests;

	while (request != NULL && request->device != device)
		request = request->next;
	return request;
}

static void send_request(struct play *play, struct phone_request *request)
{
	put_request(play, request);
	phone_request_send(request, play->world->fronts[request->front - 1].net);
	play_settle(play);
}

static int apply(struct play *play, struct phone_request *request, struct error *error_r)
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
	send_request(play, request);
	take_request(play, request);
	int result = request->state == PHONE_ANSWERED ? apply(play, request, error_r)
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

/* --- device steps ---------------------------------------------------------------------------------------------- */

static struct phone_request *make_request(struct play *play, struct device *device, size_t index,
	const struct step *step, struct error *error_r)
{
	const struct phone_request *last = oldest(play, device) != NULL ? oldest(play, device) : play->consumed[index];
	const char *knower = step_value(step, 3, "as", play->arena);
	struct phone_request *request;

	if (!step_has(step, 3, "again"))
		return phone_request_create(device, knower == NULL ? device : play_device(play, knower, NULL), step, 3, play->arena,
			error_r);
	if (last == NULL) {
		error_set(error_r, "device %s has sent nothing yet", device->name);
		return NULL;
	}
	request = phone_request_copy(last);
	device->misses = true;
	request->front = (unsigned)step_number(step, 3, "front", last->front);
	return request;
}

static int device_sends(struct play *play, struct device *device, size_t index, const struct step *step,
	struct error *error_r)
{
	play_before_request(play);
	for (long times = step_number(step, 3, "times", 1); times > 0; times--) {
		struct phone_request *request = make_request(play, device, index, step, error_r);
		if (request == NULL)
			return -1;
		if (request->front < 1 || request->front > play->world->settings.fronts) {
			phone_request_free(&request);
			return error_set(error_r, "there is no such front");
		}
		request->step = step;
		send_request(play, request);
	}
	return 0;
}

static bool changes_a_state(const struct phone_request *request)
{
	return request->status == 200 &&
		(strcmp(request->command, "Sync") == 0 || strcmp(request->command, "FolderSync") == 0);
}

/* Whether the request starts a life of its own: key 0. */
static bool starts_anew(struct phone_request *request, struct arena *arena)
{
	const struct wbxml_node *root;
	struct error error;

	if (phone_request_root(request, arena, &root, &error) < 0 || root == NULL)
		return false;
	if (strcmp(node_text(root, AS_FOLDERHIERARCHY_SYNCKEY), "0") == 0)
		return true;
	const struct wbxml_node *collections = wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS);
	const struct wbxml_node *node = wbxml_node_child(collections, AS_AIRSYNC_COLLECTION);
	for (; node != NULL; node = wbxml_node_next(node))
		if (strcmp(node_text(node, AS_AIRSYNC_SYNCKEY), "0") == 0)
			return true;
	return false;
}

/* The answer is lost: the request comes again with the old key, and must be answered the same. The second answer is
 * what the device takes in. */
static int repeat(struct play *play, struct phone_request *request, struct error *error_r)
{
	const struct wbxml_node *first, *second;

	if (phone_answer_root(request, play->arena, &first, error_r) < 0)
		return -1;
	const char *before = phone_answer_text(request, play->arena);
	request->device->misses = true;
	phone_request_send(request, play->world->fronts[request->front - 1].net);
	play_settle(play);
	int result = request->state != PHONE_ANSWERED ? error_set(error_r, "the repeated request is not answered")
		: phone_answer_root(request, play->arena, &second, error_r);
	if (result == 0 && !expect_same(first, second, starts_anew(request, play->arena))) {
		result = error_set(error_r, "the repeated request is answered otherwise");
		buffer_printf(&play->failure, "the first answer was: %s\n", before);
	}
	return result;
}

static void consume(struct play *play, size_t index, struct phone_request *request)
{
	take_request(play, request);
	phone_request_free(&play->consumed[index]);
	play->consumed[index] = request;
}

static int compare_with_last(struct play *play, size_t index, struct phone_request *request, struct error *error_r)
{
	const struct phone_request *last = play->consumed[index];

	if (request->state != PHONE_ANSWERED || last == NULL)
		return error_set(error_r, "an answer like the last is expected");
	if (last->status != request->status || last->body.length != request->body.length ||
	    (request->body.length != 0 && memcmp(last->body.data, request->body.data, request->body.length) != 0))
		return error_set(error_r, "the answer is not the same as the last");
	return 0;
}

static int take_answer(struct play *play, size_t index, struct phone_request *request, const struct step *step,
	struct error *error_r)
{
	if (play->way == WAY_REPEATED && request->state == PHONE_ANSWERED && changes_a_state(request) &&
	    repeat(play, request, error_r) < 0)
		return -1;
	if (expect_answer(request, step, 3, play->arena, error_r) < 0 || apply(play, request, error_r) < 0)
		return -1;
	consume(play, index, request);
	return 0;
}

static int device_gets(struct play *play, struct device *device, size_t index, const struct step *step,
	struct error *error_r)
{
	struct phone_request *request = oldest(play, device);
	const char *word = step->count > 3 ? step->words[3] : "";
	int result = 0;

	if (request == NULL)
		return error_set(error_r, "device %s waits for nothing", device->name);
	if (strcmp(word, "held") == 0)
		result = request->state == PHONE_WAITING ? 0 : error_set(error_r, "the request is not held");
	else if (strcmp(word, "closed") == 0 || strcmp(word, "lost") == 0) {
		enum phone_state wanted = *word == 'c' ? PHONE_LOST : PHONE_ANSWERED;
		result = request->state == wanted ? 0 : error_set(error_r, "it was not");
		if (result == 0)
			consume(play, index, request);
	} else if (strcmp(word, "same") == 0) {
		result = compare_with_last(play, index, request, error_r);
		if (result == 0)
			consume(play, index, request);
	} else
		result = take_answer(play, index, request, step, error_r);
	if (result < 0)
		buffer_printf(&play->failure, "what came: %s\n", phone_answer_text(request, play->arena));
	return result;
}

static int device_gets_times(struct play *play, struct device *device, size_t index, const struct step *step,
	struct error *error_r)
{
	int result = 0;

	for (long times = step_number(step, 3, "times", 1); result == 0 && times > 0; times--)
		result = device_gets(play, device, index, step, error_r);
	return result;
}

static void replace(char **text, const char *with)
{
	if (with == NULL)
		return;
	free(*text);
	*text = mem_strdup(with);
}

static int device_is(struct play *play, struct device *device, size_t index, const struct step *step)
{
	const char *version = step_value(step, 2, "version", play->arena);

	replace(&device->user, step_value(step, 2, "user", play->arena));
	replace(&device->password, step_value(step, 2, "password", play->arena));
	replace(&device->id, step_value(step, 2, "id", play->arena));
	if (version != NULL)
		device->version = (unsigned)(strtod(version, NULL) * 10 + 0.5);
	if (step_has(step, 2, "ignored"))
		play->ignored[index] = true;
	return 0;
}

static int device_hangs_up(struct play *play, struct device *device, struct error *error_r)
{
	struct phone_request *request = oldest(play, device);

	if (request == NULL || request->state != PHONE_WAITING)
		return error_set(error_r, "device %s does not wait", device->name);
	take_request(play, request);
	phone_request_free(&request);
	play_settle(play);
	return 0;
}

int play_device_step(struct play *play, const struct step *step, struct error *error_r)
{
	size_t index;
	struct device *device = step->count < 2 ? NULL : play_device(play, step->words[1], &index);
	const char *verb = step->count > 2 ? step->words[2] : "";

	if (device == NULL)
		return error_set(error_r, "which device?");
	if (strcmp(verb, ">") == 0)
		return device_sends(play, device, index, step, error_r);
	if (strcmp(verb, "<") == 0)
		return device_gets_times(play, device, index, step, error_r);
	if (strcmp(verb, "knows") == 0)
		return play_learn(play, device, step->count > 3 ? step->words[3] : NULL, error_r);
	if (strcmp(verb, "hangs") == 0)
		return device_hangs_up(play, device, error_r);
	return device_is(play, device, index, step);
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
		take_request(play, request);
		phone_request_free(&request);
	}
	for (size_t i = 0; i < DEVICES_MAX; i++) {
		phone_request_free(&play->consumed[i]);
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
