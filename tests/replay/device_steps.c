/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What devices do in a transcript. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/activesync_tokens.h"
#include "lib/core/mem.h"
#include "tests/replay/expect.h"
#include "tests/replay/play.h"

static struct phone_request *make_request(struct play *play, struct device *device, size_t index,
	const struct step *step, struct error *error_r)
{
	const struct phone_request *waits = play_oldest(play, device), *last = waits != NULL ? waits : play->consumed[index];
	const char *knower = step_value(step, 3, "as", play->arena);
	struct phone_request *request;

	if (step_has(step, 3, "Cmd=FolderSync") && step_has(step, 3, "key=0"))
		phone_request_free(&play->pending[index]); /* it forgets all that it had */
	if (play->pending[index] != NULL && step_has(step, 3, "Cmd=Sync")) { /* that is still to be done: first */
		request = play->pending[index];
		play->pending[index] = NULL;
		return request;
	}
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
			return step_has(step, 3, "maybe") ? 0 : -1;
		if (request->front < 1 || request->front > play->world->settings.fronts) {
			phone_request_free(&request);
			return error_set(error_r, "there is no such front");
		}
		request->step = step;
		play_send_request(play, request);
	}
	return 0;
}

static bool changes_a_state(const struct phone_request *request)
{
	return request->status == 200 &&
		(strcmp(request->command, "Sync") == 0 || strcmp(request->command, "MoveItems") == 0 ||
			strncmp(request->command, "Folder", 6) == 0 || strcmp(request->command, "SendMail") == 0 ||
			strncmp(request->command, "Smart", 5) == 0);
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
	play_take_request(play, request);
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
	if (expect_answer(request, step, 3, play->arena, error_r) < 0 || play_apply(play, request, error_r) < 0)
		return -1;
	consume(play, index, request);
	return 0;
}

static int device_gets(struct play *play, struct device *device, size_t index, const struct step *step,
	struct error *error_r)
{
	struct phone_request *request = play_oldest(play, device);
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
	struct phone_request *request = play_oldest(play, device);

	if (request == NULL || request->state != PHONE_WAITING)
		return error_set(error_r, "device %s does not wait", device->name);
	play_take_request(play, request);
	phone_request_free(&request);
	play_settle(play);
	return 0;
}

/* What was not done is done first, by the same request: a phone does not forget what its user did. */
static void remember(struct play *play, size_t index, struct phone_request *request)
{
	if (strcmp(request->command, "Sync") != 0)
		return;
	phone_request_free(&play->pending[index]);
	play->pending[index] = phone_request_rest(request, play->arena);
}

static bool is_copy(const struct phone_request *a, const struct phone_request *b)
{
	return a->bytes.length == b->bytes.length && memcmp(a->bytes.data, b->bytes.data, a->bytes.length) == 0;
}

static bool is_over(const struct phone_request *request, const struct device *device)
{
	return request->device == device && (request->state != PHONE_WAITING || strcmp(request->command, "Ping") != 0);
}

/* Takes one answer in, unless a request like it had its answer taken in: *done is that one. */
static int device_takes(struct play *play, size_t index, struct phone_request *request, struct phone_request **done,
	struct error *error_r)
{
	bool counts = *done == NULL || !is_copy(*done, request);

	if (request->state == PHONE_WAITING)
		return error_set(error_r, "line %u got no answer", request->step->line);
	if (counts && play->way == WAY_REPEATED && changes_a_state(request)) {
		request->device->misses = true;
		phone_request_send(request, play->world->fronts[request->front - 1].net);
		play_settle(play);
	}
	if (counts && request->state == PHONE_ANSWERED && play_apply(play, request, error_r) < 0) {
		buffer_printf(&play->failure, "what came: %s\n", phone_answer_text(request, play->arena));
		return -1;
	}
	if (counts)
		remember(play, index, request);
	if (counts && request->state == PHONE_ANSWERED && !phone_is_retry(request, play->arena)) {
		phone_request_free(done);
		*done = phone_request_copy(request);
	}
	consume(play, index, request);
	return 0;
}

/* The device takes in what was answered, whatever it is. What is still held, it holds. */
static int device_ends(struct play *play, struct device *device, size_t index, struct error *error_r)
{
	struct phone_request *done = NULL, *next;
	int result = 0;

	for (struct phone_request *request = play->requests; result == 0 && request != NULL; request = next) {
		next = request->next;
		if (is_over(request, device))
			result = device_takes(play, index, request, &done, error_r);
	}
	phone_request_free(&done);
	return result;
}

/* Whether the answer has more than what the device's filter hides now. */
static bool has_news(const struct wbxml_node *root)
{
	const struct wbxml_node *collections = wbxml_node_child(root, AS_AIRSYNC_COLLECTIONS);
	const struct wbxml_node *collection = wbxml_node_child(collections, AS_AIRSYNC_COLLECTION);
	const struct wbxml_node *commands = wbxml_node_child(collection, AS_AIRSYNC_COMMANDS);

	for (const struct wbxml_node *node = commands == NULL ? NULL : commands->first_child; node != NULL; node = node->next)
		if (node->tag != AS_AIRSYNC_SOFTDELETE)
			return true;
	return false;
}

int play_finish_pending(struct play *play, struct error *error_r)
{
	struct step *step = step_of("device - > POST Cmd=Sync", play->arena);

	for (size_t i = 0; i < play->device_count; i++)
		while (play->pending[i] != NULL)
			if (device_sends(play, play->devices[i], i, step, error_r) < 0 ||
			    device_ends(play, play->devices[i], i, error_r) < 0)
				return -1;
	return 0;
}

/* A Ping that is still held has missed nothing: its folders have no news. Hangs up. */
static int device_missed_nothing(struct play *play, struct device *device, struct error *error_r)
{
	struct phone_request *request = play_oldest(play, device);

	if (request == NULL)
		return 0;
	const struct wbxml_node *ping;
	if (request->state != PHONE_WAITING || phone_request_root(request, play->arena, &ping, error_r) < 0)
		return error_set(error_r, "device %s does not wait", device->name);
	play_take_request(play, request);
	phone_request_free(&request);
	const struct wbxml_node *folders = wbxml_node_child(ping, AS_PING_FOLDERS);
	const struct wbxml_node *node = wbxml_node_child(folders, AS_PING_FOLDER);
	for (; node != NULL; node = wbxml_node_next(node)) {
		const char *words = arena_printf(play->arena, "POST Cmd=Sync folder=#%s", node_text(node, AS_PING_ID));
		const struct device_folder *folder = device_folder_by_id(device, node_text(node, AS_PING_ID));
		const struct wbxml_node *root;
		if (folder == NULL || !folder->is_complete)
			continue; /* it knows itself that there is more to come */
		if (play_exchange(play, device, words, &root, error_r) < 0)
			return -1;
		if (has_news(root))
			return error_set(error_r, "device %s was not told of news in folder %s", device->name,
				node_text(node, AS_PING_ID));
	}
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
	if (strcmp(verb, "ends") == 0)
		return device_ends(play, device, index, error_r);
	if (strcmp(verb, "missed") == 0)
		return device_missed_nothing(play, device, error_r);
	if (strcmp(verb, "hangs") == 0)
		return device_hangs_up(play, device, error_r);
	return device_is(play, device, index, step);
}
